//! Consumers.

use super::{
    payload::mention,
    process::{self, Decode, Memory, Process},
    producers::{Instances, client, instances, labels, one_instance, partition},
    through::{self, Through},
};
use crate::config::{
    shape::{
        Fields, Located, Property, Shape, either, integer, list_of_some, quantity::duration,
        record, scalar, tagged, units::Wrong, words,
    },
    source::Place,
    yaml::Node,
};
use mallard_protocol::{
    health::HealthFormat,
    workload::{CommitPolicy, StartFrom},
};
use serde_json::json;
use std::time::Duration;

/// How often the client commits by itself, in milliseconds: librdkafka's own default.
const AUTO_COMMIT_MS: u32 = 5_000;

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// The topics it reads.
    pub topics: Located<Vec<Located<String>>>,
    /// Payloads from memory, in the place of topics.
    pub source: Option<Memory>,
    /// What is done with every record.
    pub process: Option<Located<Process>>,
    /// Its group; its own name if neither this nor `assign` is given.
    pub group: Option<Located<String>>,
    /// Partitions read without a group.
    pub assign: Option<Located<Assign>>,
    /// How many instances.
    pub instances: Located<Instances>,
    /// Where reading starts.
    pub from: Located<StartFrom>,
    /// When offsets are committed; `None` if the scenario does not say.
    pub commit: Option<Located<CommitPolicy>>,
    /// Which records of transactions are read.
    pub isolation: &'static str,
    /// Work for each record.
    pub work: Duration,
    /// The pipeline of others that its records come out of.
    pub through: Option<Through>,
    /// Client properties.
    pub client: Vec<Property>,
    /// Labels that its hosts must have.
    pub on: Vec<Located<String>>,
    /// Where it is written.
    pub at: Place,
}

/// Partitions read without a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assign {
    /// All of them.
    All,
    /// These, of every topic.
    These(Vec<i32>),
}

/// The shape of a consumer.
pub fn shape() -> impl Shape<Value = Consumer> {
    record("a consumer", consumer)
}

fn consumer(fields: &mut Fields<'_>) -> Option<Consumer> {
    let topics = fields.optional(
        "topics",
        "The topics it reads. Required, unless `source` says otherwise.",
        list_of_some(mention()).located(),
    );
    let group =
        fields.optional("group", "Its group. The consumer's own name if not given.", group());
    let assign = fields.optional(
        "assign",
        "Reads these partitions, or `all`, without a group.",
        either(words([("all", Assign::All)]), list_of_some(partition()).map(Assign::These))
            .located(),
    );
    let instances = instances(fields);
    let from = fields.default(
        "from",
        "Where reading starts: the oldest record, what comes after joining, or the run's start.",
        words([
            ("earliest", StartFrom::Earliest),
            ("latest", StartFrom::Latest),
            ("run-start", StartFrom::RunStart),
        ])
        .located(),
        "run-start",
        from_run_start(&fields.at()),
    );
    let commit = fields.optional(
        "commit",
        "When offsets are committed: never, by the client every 5 s, or after every N records. `auto` for groups, `never` for assigned partitions.",
        commit().located(),
    );
    let isolation = isolation(fields);
    let work = fields.default("work", "Work for each record.", duration(), "0s", Duration::ZERO);
    let doc =
        "Matches its records with what went into a pipeline of others: time, losses, duplicates.";
    let through = fields.optional("through", doc, through::shape());
    if let (Some(at), Some(_)) = (fields.place_of("through"), fields.place_of("work")) {
        let help = "what comes out of a pipeline is only looked at; leave `work` out";
        fields.error(&at, "`through` and `work` exclude each other", help);
    }
    let client = client(fields);
    let on = labels(fields);
    let at = fields.at();
    let topics = topics.flatten();
    let (source, process) = pipeline(fields);
    let (group, assign) = (group.flatten(), assign.flatten());
    if let (Some(_), Some(assign)) = (&group, &assign) {
        let help = "a group assigns partitions by itself; keep one of the two keys";
        fields.error(&assign.anchor, "`assign` and `group` exclude each other", help);
    }
    Some(Consumer {
        topics: topics.unwrap_or_else(|| nothing(&at)),
        source,
        process,
        group,
        assign,
        instances: instances.unwrap_or_else(|| one_instance(&at)),
        from: from.unwrap_or_else(|| from_run_start(&at)),
        commit: commit.flatten(),
        isolation: isolation.unwrap_or_default(),
        work: work.unwrap_or_default(),
        through: through.flatten(),
        client: client.unwrap_or_default(),
        on: on.unwrap_or_default(),
        at,
    })
}

fn isolation(fields: &mut Fields<'_>) -> Option<&'static str> {
    fields.default(
        "isolation",
        "Whether records of open and aborted transactions are read.",
        words([("read_committed", "read_committed"), ("read_uncommitted", "read_uncommitted")]),
        "read_committed",
        "read_committed",
    )
}

/// A pipeline, and where its payloads come from instead of topics.
fn pipeline(fields: &mut Fields<'_>) -> (Option<Memory>, Option<Located<Process>>) {
    let source = fields.optional(
        "source",
        "Where a pipeline's payloads come from instead of topics.",
        process::source(),
    );
    let process = fields.optional(
        "process",
        "What is done with health payloads: decoded, validated, flattened into rows.",
        process::shape().located(),
    );
    let (source, process) = (source.flatten(), process.flatten());
    check_source(fields, source.is_some(), process.as_ref());
    check_subject(fields, source.as_ref(), process.as_ref());
    (source, process)
}

/// What goes together with a source, and what does not.
fn check_source(fields: &mut Fields<'_>, memory: bool, process: Option<&Located<Process>>) {
    let at = fields.at();
    match (memory, fields.place_of("topics")) {
        (true, Some(at)) => {
            let help = "payloads come from topics or from memory; remove one of the two keys";
            fields.error(&at, "`topics` and `source` exclude each other", help);
        }
        (false, None) if fields.place_of("source").is_none() => {
            let help = "`topics` is a list of names: the topics it reads";
            fields.error(&at, "the key `topics` is missing", help);
        }
        _ => {}
    }
    for key in ["group", "assign", "from", "commit"] {
        if let Some(at) = fields.place_of(key).filter(|_| memory) {
            let help = "there are no topics to be read; remove this key";
            fields.error(&at, format!("`{key}` has no meaning with `source`"), help);
        }
    }
    match process {
        None if memory => {
            let help = "say what is done with these payloads: `process: {decode: json}`";
            fields.error(&at, "a `source` without `process`", help);
        }
        Some(process) => {
            if let Some(at) = fields.place_of("work") {
                let help = "a pipeline's work is what it does; remove one of the two keys";
                fields.error(&at, "`work` and `process` exclude each other", help);
            }
            if process.value.decode == Decode::Beforehand && !memory {
                let help = "only payloads from memory can be decoded beforehand";
                fields.error(&process.anchor, "`decode: none` needs `source`", help);
            }
        }
        None => {}
    }
}

/// A schema from a registry has a subject, by name or by topic.
fn check_subject(
    fields: &mut Fields<'_>,
    source: Option<&Memory>,
    process: Option<&Located<Process>>,
) {
    let Some(memory) = source else { return };
    let decode = process.and_then(|process| match &process.value.decode {
        Decode::From(format) => Some(format),
        Decode::Beforehand => None,
    });
    let nameless = |format: &HealthFormat| match format {
        HealthFormat::Registry(registry) => registry.subject.is_none(),
        _ => false,
    };
    if decode.into_iter().chain([&memory.health.format]).any(nameless) {
        let at = fields.place_of("source").unwrap_or_else(|| fields.at());
        let help = "write `registry: {url: …, subject: …}`";
        fields.error(&at, "payloads from memory have no topic to name a subject by", help);
    }
}

fn nothing(at: &Place) -> Located<Vec<Located<String>>> {
    Located { value: Vec::new(), at: at.clone(), anchor: at.clone() }
}

fn from_run_start(at: &Place) -> Located<StartFrom> {
    Located { value: StartFrom::RunStart, at: at.clone(), anchor: at.clone() }
}

impl Consumer {
    /// Whether its pipeline writes to a topic.
    #[must_use]
    pub fn writes_to(&self, topic: &str) -> bool {
        let process = self.process.as_ref().map(|process| &process.value);
        process.is_some_and(|process| process.topics().any(|written| written.value == topic))
    }

    /// In the place of a consumer that cannot be read.
    pub(super) fn unreadable(node: &Node) -> Self {
        let at = node.anchor().clone();
        Self {
            topics: nothing(&at),
            source: None,
            process: None,
            group: None,
            assign: None,
            instances: one_instance(&at),
            from: from_run_start(&at),
            commit: None,
            isolation: "read_committed",
            work: Duration::ZERO,
            through: None,
            client: Vec::new(),
            on: Vec::new(),
            at,
        }
    }
}

pub(super) fn group() -> impl Shape<Value = Located<String>> {
    scalar("a group's name", json!({"type": "string"}), |s| {
        let sound = !s.text.is_empty() && s.text.len() <= 200 && !s.text.contains(char::is_control);
        if sound {
            Ok(s.text.clone())
        } else {
            Err(Wrong::new("this cannot be a group's name", "allowed: from 1 to 200 characters"))
        }
    })
    .shown()
    .located()
}

fn commit() -> impl Shape<Value = CommitPolicy> {
    let every = integer(1..=1_000_000_000).map(|records| CommitPolicy::Every { records });
    either(
        words([
            ("never", CommitPolicy::Never),
            ("auto", CommitPolicy::Auto { every_ms: AUTO_COMMIT_MS }),
        ]),
        tagged("a commit policy").variant("every", "Records between commits.", every),
    )
}
