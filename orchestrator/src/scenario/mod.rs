//! Scenarios: the keys of the file, read into types. What belongs together across keys is checked by
//! the planner, which knows the cluster as well.

mod clients;
pub mod cluster;
pub mod compare;
pub mod consumers;
pub mod faults;
pub mod file_kind;
pub mod files;
mod health;
pub mod integrity;
mod java;
mod login;
pub(crate) mod matrix;
mod names;
mod observe;
pub mod payload;
pub mod process;
pub mod producers;
mod registry;
pub mod steps;
pub mod through;

use crate::{
    bounds::{Written, choose},
    config::{
        shape::{
            Anything, Fields, Located, Property, Shape, flag, integer, list, list_of_some, mapping,
            name, properties, quantity::size, record, text, words,
        },
        yaml::Node,
    },
    scenario::cluster::OnAgentLoss,
};
use serde_json::json;

pub use clients::{clash, mistake as client_mistake};
pub use compare::Compare;
pub use consumers::Consumer;
pub use files::{LoadedScenario, cluster_file, default_cluster, scenario_files};
pub use integrity::Guarantee;
pub use names::{NAME_LIMIT, TOPIC_NAME_LIMIT};
pub use observe::Observe;
pub use producers::Producer;
pub use steps::{Step, StepKind};

/// Up to how many bytes raw intervals are kept where a scenario does not say: a day of the shipped soak
/// takes less, a day of a hundred agents with a thousand partitions far more.
pub const KEEP_INTERVALS_BYTES: u64 = 4 << 30;

/// A scenario, parameters substituted.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: Located<String>,
    /// What it says of itself.
    pub description: String,
    /// Its topics, in the order of the file.
    pub topics: Vec<(Located<String>, Topic)>,
    /// Its load. A step that cannot be read is there all the same, lasting long.
    pub load: Located<Vec<Step>>,
    /// Its producers, in the order of the file.
    pub producers: Vec<(Located<String>, Producer)>,
    /// Its consumers, in the order of the file.
    pub consumers: Vec<(Located<String>, Consumer)>,
    /// What is watched without being Mallard's.
    pub observe: Observe,
    /// What must hold.
    pub expect: Vec<Located<String>>,
    /// What must hold across cases.
    pub across: Vec<Located<String>>,
    /// With which baseline its runs are compared.
    pub compare: Option<Compare>,
    /// Which guarantee records' integrity is held to.
    pub integrity: Option<Located<Guarantee>>,
    /// Its bounds.
    pub bounds: Option<Written>,
    /// What happens when an agent is lost.
    pub on_agent_loss: OnAgentLoss,
    /// Up to how many bytes a case's raw intervals are kept.
    pub keep_intervals_bytes: u64,
    /// What is broken while it runs.
    pub faults: Vec<faults::Fault>,
    /// Seed of everything random.
    pub seed: u64,
    /// Whether mistakes were noted: then something here may stand in for what was meant.
    pub broken: bool,
    /// Whether the topics could be read, so that a name that is not among them is a mistake.
    pub topics_known: bool,
}

/// A topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Number of partitions; `None` for an existing topic that does not say.
    pub partitions: Option<i32>,
    /// Replication factor; `None` takes the broker's default.
    pub replication: Option<Located<i16>>,
    /// Configuration.
    pub config: Vec<Property>,
    /// Whether it is the user's.
    pub existing: bool,
    /// Whether mistakes were noted: then its partitions are not known.
    pub broken: bool,
}

/// The shape of a scenario file.
pub fn shape() -> impl Shape<Value = Scenario> {
    record("a scenario", scenario)
}

fn scenario(fields: &mut Fields<'_>) -> Option<Scenario> {
    let name = fields.required(
        "name",
        "The scenario's name, as `--only` takes it and as the archive's folder carries it.",
        name(NAME_LIMIT).shown().located(),
    );
    let doc = "What the scenario is for, in a sentence.";
    let description = fields.default("description", doc, text().shown(), "", String::new());
    parameter_keys(fields);
    let topics = topics(fields);
    let load = fields.required(
        "load",
        "The load's steps, one after the other. A rate is the total of all producers.",
        list_of_some(steps::step().or_stand_in(steps::stand_in)).located(),
    );
    let (producers, consumers) = workloads(fields);
    let observe = fields.default(
        "observe",
        "What is watched without being started, joined or changed by Mallard.",
        observe::shape(),
        json!({}),
        Observe::default(),
    );
    let doc = "Expectations, one a line: `produce.response.p99 < 250ms in every 1m`, `produce.acked.rate no worse than main by 5%`.";
    let statements = || list(text().shown().located());
    let expect = fields.default("expect", doc, statements(), json!([]), Vec::new());
    let doc = "Expectations across the matrix's cases: `produce.acked.rate at codec=zstd >= 90% of that at codec=none`.";
    let across = fields.default("across", doc, statements(), json!([]), Vec::new());
    let doc = "The baseline that each run is compared with once it is over. It changes no verdict: `expect` does.";
    let compare = fields.optional("compare", doc, compare::shape());
    let integrity = integrity::integrity(fields);
    let doc = "Bounds: a file of them, or keys with values.";
    let bounds = fields.optional("bounds", doc, choose::of_scenario());
    let on_agent_loss = on_agent_loss(fields);
    let keep_intervals_bytes = keep_intervals(fields);
    let doc = "Seed of everything random: sizes, keys, contents, aborts.";
    let seed = fields.default("seed", doc, integer(0..=u64::from(u32::MAX)), 1, 1);
    let doc = "What is broken while the load runs, and repaired afterwards. The cluster file has to allow it.";
    let faults =
        fields.default("faults", doc, list_of_some(faults::shape()), json!([]), Vec::new());
    fields.later("services", "services under test");
    fields.later("pipelines", "pipelines");
    let at = fields.at();
    let unnamed = || Located { value: "unnamed".to_owned(), at: at.clone(), anchor: at.clone() };
    Some(Scenario {
        name: name.unwrap_or_else(unnamed),
        description: description.unwrap_or_default(),
        topics_known: topics.is_some(),
        topics: topics.unwrap_or_default(),
        load: load.unwrap_or_else(|| steps::stand_in_load(&at)),
        producers: producers.unwrap_or_default(),
        consumers: consumers.unwrap_or_default(),
        observe: observe.unwrap_or_default(),
        expect: expect.unwrap_or_default(),
        across: across.unwrap_or_default(),
        compare: compare.flatten(),
        integrity,
        bounds: bounds.flatten(),
        on_agent_loss: on_agent_loss.unwrap_or_default(),
        keep_intervals_bytes: keep_intervals_bytes.unwrap_or(KEEP_INTERVALS_BYTES),
        seed: seed.unwrap_or_default(),
        faults: faults.unwrap_or_default(),
        broken: !fields.is_sound(),
    })
}

fn on_agent_loss(fields: &mut Fields<'_>) -> Option<OnAgentLoss> {
    fields.default(
        "on_agent_loss",
        "What happens when an agent is lost: the case ends as an error, the others go on, or they go \
         on and also send what its producers had to send.",
        words([
            ("abort", OnAgentLoss::Abort),
            ("continue", OnAgentLoss::Continue),
            ("respread", OnAgentLoss::Respread),
        ]),
        "abort",
        OnAgentLoss::Abort,
    )
}

fn keep_intervals(fields: &mut Fields<'_>) -> Option<u64> {
    fields.default(
        "keep_intervals",
        "Up to which size a case's raw intervals are kept once it is judged. If they take more, all of \
         them go; `0` keeps none.",
        size(0..=1 << 49),
        "4GiB",
        KEEP_INTERVALS_BYTES,
    )
}

/// A mapping's entries, in the order of the file.
type Named<T> = Vec<(Located<String>, T)>;

fn topics(fields: &mut Fields<'_>) -> Option<Named<Topic>> {
    let one = record("a topic", topic).or_stand_in(|_| Topic::unreadable());
    fields.default(
        "topics",
        "Topics by name. Mallard creates them for each case and deletes them afterwards.",
        mapping("topics by name", TOPIC_NAME_LIMIT, one),
        json!({}),
        Vec::new(),
    )
}

fn workloads(fields: &mut Fields<'_>) -> (Option<Named<Producer>>, Option<Named<Consumer>>) {
    let one = producers::shape().or_stand_in(Producer::unreadable);
    let shape = mapping("producers by name", NAME_LIMIT, one);
    let producers = fields.default("producers", "Producers by name.", shape, json!({}), Vec::new());
    let one = consumers::shape().or_stand_in(Consumer::unreadable);
    let shape = mapping("consumers by name", NAME_LIMIT, one);
    let consumers = fields.default("consumers", "Consumers by name.", shape, json!({}), Vec::new());
    (producers, consumers)
}

/// `parameters` and `matrix` are taken out of the tree before a case is read; they are asked for here
/// so that schema and messages know them.
fn parameter_keys(fields: &mut Fields<'_>) {
    fields.optional(
        "parameters",
        "Values by name, used as `$name`; `--set name=value` overrides them.",
        mapping("values by name", NAME_LIMIT, Anything),
    );
    fields.optional(
        "matrix",
        "Lists of values by parameter name: one case for each combination.",
        mapping("lists of values by name", NAME_LIMIT, list_of_some(Anything)),
    );
}

fn topic(fields: &mut Fields<'_>) -> Option<Topic> {
    let partitions = fields.optional(
        "partitions",
        "Number of partitions, 1 if not given. Of an existing topic: as many as it should have.",
        integer(1..=100_000).map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
    );
    let replication = fields.optional(
        "replication",
        "Replication factor. The broker's default if not given.",
        integer(1..=1_000).map(|n| i16::try_from(n).unwrap_or(i16::MAX)).located(),
    );
    let config = fields.default(
        "config",
        "Topic configuration, as Kafka spells it.",
        properties("topic configuration"),
        json!({}),
        Vec::new(),
    );
    let existing = fields.default(
        "existing",
        "Whether the topic is there already: it is never created, changed or deleted.",
        flag(),
        false,
        false,
    );
    let (mut partitions, existing) = (partitions.flatten(), existing.unwrap_or_default());
    if existing {
        for key in ["replication", "config"] {
            if let Some(at) = fields.place_of(key) {
                let help = "an existing topic is never changed; remove this key or `existing`";
                fields.error(&at, format!("`{key}` cannot be set on an existing topic"), help);
            }
        }
    } else {
        partitions = partitions.or(Some(1));
    }
    Some(Topic {
        partitions,
        replication: replication.flatten(),
        config: config.unwrap_or_default(),
        existing,
        broken: !fields.is_sound(),
    })
}

impl Topic {
    fn unreadable() -> Self {
        Self {
            partitions: None,
            replication: None,
            config: Vec::new(),
            existing: false,
            broken: true,
        }
    }
}

/// Reads a case's tree, noting every mistake.
#[must_use]
pub fn read(root: &Node, reader: &mut crate::config::shape::Reader) -> Option<Scenario> {
    shape().read(root, reader)
}
