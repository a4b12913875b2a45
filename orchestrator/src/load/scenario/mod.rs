//! Scenarios: the keys of the file, read into types. What belongs together across keys is checked by
//! the planner, which knows the cluster as well.

mod clients;
pub mod consumers;
pub mod payload;
pub mod producers;
pub mod steps;

use super::{
    shape::{
        Anything, Fields, Located, Property, Shape, flag, integer, list, list_of_some, mapping,
        name, properties, record, text, words,
    },
    yaml::Node,
};
use crate::plan::OnAgentLoss;

pub use clients::clash;
pub use consumers::Consumer;
pub use producers::Producer;
pub use steps::{Step, StepKind};

/// Longest name of a scenario or workload: file names and client ids are made of them.
pub const NAME_LIMIT: usize = 64;

/// Longest topic name that Kafka takes.
pub const TOPIC_NAME_LIMIT: usize = 249;

/// A scenario, parameters substituted.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: Located<String>,
    /// What it says of itself.
    pub description: String,
    /// Its topics, in the order of the file.
    pub topics: Vec<(Located<String>, Topic)>,
    /// Its load.
    pub load: Located<Vec<Step>>,
    /// Its producers, in the order of the file.
    pub producers: Vec<(Located<String>, Producer)>,
    /// Its consumers, in the order of the file.
    pub consumers: Vec<(Located<String>, Consumer)>,
    /// What must hold.
    pub expect: Vec<Located<String>>,
    /// What happens when an agent is lost.
    pub on_agent_loss: OnAgentLoss,
    /// Seed of everything random.
    pub seed: u64,
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
}

/// The shape of a scenario file.
pub fn shape() -> impl Shape<Value = Scenario> {
    record("a scenario", scenario)
}

fn scenario(fields: &mut Fields<'_>) -> Option<Scenario> {
    let name = fields.required(
        "name",
        "The scenario's name, as `--only` takes it and as the archive's folder carries it.",
        name(NAME_LIMIT).located(),
    );
    let description = fields.default(
        "description",
        "What the scenario is for, in a sentence.",
        text(),
        "",
        String::new(),
    );
    parameter_keys(fields);
    let topics = fields.default(
        "topics",
        "Topics by name. Mallard creates them for each case and deletes them afterwards.",
        mapping("topics by name", TOPIC_NAME_LIMIT, record("a topic", topic)),
        serde_json::json!({}),
        Vec::new(),
    );
    let load = fields.required(
        "load",
        "The load's steps, one after the other. A rate is the total of all producers.",
        list_of_some(steps::step()).located(),
    );
    let producers = fields.default(
        "producers",
        "Producers by name.",
        mapping("producers by name", NAME_LIMIT, producers::shape()),
        serde_json::json!({}),
        Vec::new(),
    );
    let consumers = fields.default(
        "consumers",
        "Consumers by name.",
        mapping("consumers by name", NAME_LIMIT, consumers::shape()),
        serde_json::json!({}),
        Vec::new(),
    );
    let expect = fields.default(
        "expect",
        "Expectations, one a line: `produce.response.p99 < 250ms in every 1m`.",
        list(text().located()),
        serde_json::json!([]),
        Vec::new(),
    );
    let on_agent_loss = fields.default(
        "on_agent_loss",
        "What happens when an agent is lost: the case ends as an error, or the others go on.",
        words([("abort", OnAgentLoss::Abort), ("continue", OnAgentLoss::Continue)]),
        "abort",
        OnAgentLoss::Abort,
    );
    let seed = fields.default(
        "seed",
        "Seed of everything random: sizes, keys, contents, aborts.",
        integer(0..=u64::from(u32::MAX)),
        1,
        1,
    );
    fields.later("bounds", "bounds files");
    fields.later("faults", "faults on the load's timeline");
    fields.later("services", "services under test");
    fields.later("pipelines", "pipelines");
    Some(Scenario {
        name: name?,
        description: description?,
        topics: topics?,
        load: load?,
        producers: producers?,
        consumers: consumers?,
        expect: expect?,
        on_agent_loss: on_agent_loss?,
        seed: seed?,
    })
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
        serde_json::json!({}),
        Vec::new(),
    );
    let existing = fields.default(
        "existing",
        "Whether the topic is there already: it is never created, changed or deleted.",
        flag(),
        false,
        false,
    );
    let (mut partitions, replication, config, existing) =
        (partitions?, replication?, config?, existing?);
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
    Some(Topic { partitions, replication, config, existing })
}

/// Reads a case's tree, noting every mistake.
#[must_use]
pub fn read(root: &Node, reader: &mut super::shape::Reader) -> Option<Scenario> {
    shape().read(root, reader)
}
