//! Faults on the load's timeline, as a scenario writes them.

use super::names::{NAME_LIMIT, TOPIC_NAME_LIMIT};
use crate::config::{
    shape::{
        Fields, Located, ScalarShape, Shape, name,
        quantity::{duration, some_time},
        record, scalar, shortened, tagged, text,
        units::Wrong,
        words,
    },
    source::Place,
};
use mallard_protocol::fault::{Act, KillSignal};
use serde_json::json;
use std::time::Duration;

/// A fault, or several of one kind that repeat.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What is done.
    pub act: Act,
    /// To whom.
    pub node: Located<Node>,
    /// When.
    pub when: When,
    /// For how long.
    pub lasting: Duration,
    /// Its name, where it has one of its own.
    pub name: Option<Located<String>>,
    /// Whether another fault may be there at the same time.
    pub may_overlap: bool,
    /// Where it is written.
    pub at: Place,
}

/// When a fault begins.
#[derive(Clone, Debug)]
pub enum When {
    /// Once.
    Once {
        /// After the start of the load, or of a phase.
        at: Duration,
        /// The phase.
        phase: Option<Located<String>>,
    },
    /// Again and again.
    Every {
        /// From one beginning to the next.
        period: Duration,
        /// The first beginning.
        from: Duration,
        /// None begins from then on.
        until: Duration,
    },
}

/// A broker, by its id or its role when the fault is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// The broker of an id.
    Broker(i32),
    /// Any broker that may be harmed, by the scenario's seed.
    Any,
    /// The leader of a partition.
    Leader {
        /// The topic, as the scenario calls it.
        topic: String,
        /// The partition.
        partition: i32,
    },
}

/// How nodes can be written.
const NODES: &str = "`broker 2`, `any broker` or `leader of TOPIC/PARTITION`";

/// What the design has room for and this version does not do.
const LATER_NODES: [&str; 8] = [
    "controller",
    "coordinator of ",
    "minority",
    "majority",
    "service ",
    "agents",
    "host ",
    "brokers",
];

/// An entry of `faults`.
pub(super) fn shape() -> impl Shape<Value = Fault> {
    tagged("a fault")
        .variant(
            "kill",
            "A broker is ended by a signal, and started again after `for`.",
            record("a kill", kill),
        )
        .variant(
            "pause",
            "A broker stands still, and goes on after `for`.",
            record("a pause", pause),
        )
        .later("cut", "partitions between nodes")
        .later("loss", "lost packets")
        .later("limit", "limited bandwidth")
        .later("slow", "delayed packets")
        .later("fill", "full disks")
        .later("restart", "rolling restarts")
        .later("upgrade", "rolling upgrades")
        .later("shift", "shifted clocks")
        .later("run", "commands of your own")
}

fn kill(fields: &mut Fields<'_>) -> Option<Fault> {
    let doc = "The signal: `kill` ends the broker at once, `term` in good order.";
    let signals = words(KillSignal::ALL.map(|signal| (signal.word(), signal)));
    let signal = fields.default("signal", doc, signals, "kill", KillSignal::Kill);
    fault(fields, signal.map(|signal| Act::Kill { signal }))
}

fn pause(fields: &mut Fields<'_>) -> Option<Fault> {
    fault(fields, Some(Act::Pause))
}

fn fault(fields: &mut Fields<'_>, act: Option<Act>) -> Option<Fault> {
    let doc = "The broker: `broker 2`, `any broker` (by the seed), `leader of orders/0` (2 s before it is due).";
    let node = fields.required("node", doc, node().located());
    let doc = "When it begins, after the start of the load, or of the phase that `in` names.";
    let at = fields.optional("at", doc, duration());
    let doc = "The phase that `at` counts from: `hold`, `hold-2`.";
    let phase = fields.optional("in", doc, text().located());
    let doc = "How long it lasts; then it is undone.";
    let lasting = fields.required("for", doc, some_time());
    let doc = "Repeats it: from one beginning to the next, with `from` and `until`.";
    let every = fields.optional("every", doc, some_time());
    let from = fields.optional("from", "When the first one begins.", duration());
    let until = fields.optional("until", "None begins from then on.", duration());
    let doc =
        "Its name, for expectations and pages; else its kind, numbered where there are several.";
    let name = fields.optional("name", doc, name(NAME_LIMIT).located());
    let doc = "Whether another fault may be there at the same time.";
    let overlap = fields.default(
        "overlap",
        doc,
        words([("forbid", false), ("allow", true)]),
        "forbid",
        false,
    );
    let place = fields.at();
    let when = when(fields, at?, phase?, (every?, from?, until?))?;
    Some(Fault {
        act: act?,
        node: node?,
        when,
        lasting: lasting?,
        name: name?,
        may_overlap: overlap?,
        at: place,
    })
}

fn when(
    fields: &mut Fields<'_>,
    at: Option<Duration>,
    phase: Option<Located<String>>,
    repeated: (Option<Duration>, Option<Duration>, Option<Duration>),
) -> Option<When> {
    match (at, phase, repeated) {
        (Some(at), phase, (None, None, None)) => Some(When::Once { at, phase }),
        (None, None, (Some(period), Some(from), Some(until))) => {
            Some(When::Every { period, from, until })
        }
        _ => {
            let place = fields.at();
            let message = "it is not said when this fault begins";
            let help = "write `at: 2m` (and `in: PHASE`), or `every: 10m` with `from` and `until`";
            fields.error(&place, message, help);
            None
        }
    }
}

fn node() -> ScalarShape<Node> {
    let pattern = "^(broker [0-9]+|any broker|leader of [A-Za-z0-9._-]+/[0-9]+)$";
    scalar("a broker such as `broker 2`", json!({"type": "string", "pattern": pattern}), |s| {
        let text = s.text.trim();
        parse(text).ok_or_else(|| {
            let shown = shortened(text);
            if LATER_NODES.iter().any(|later| text.starts_with(later)) {
                let message = format!("`{shown}` cannot be harmed in this version of mallard");
                return Wrong::new(message, format!("in this version: {NODES}"));
            }
            Wrong::new(format!("`{shown}` is no broker"), format!("write {NODES}"))
        })
    })
}

fn parse(text: &str) -> Option<Node> {
    if text == "any broker" {
        return Some(Node::Any);
    }
    let digits = |text: &str| text.parse().ok().filter(|number: &i32| *number >= 0);
    if let Some(id) = text.strip_prefix("broker ") {
        return digits(id).map(Node::Broker);
    }
    let (topic, partition) = text.strip_prefix("leader of ")?.rsplit_once('/')?;
    let is_named = !topic.is_empty() && topic.len() <= TOPIC_NAME_LIMIT;
    let partition = digits(partition).filter(|_| is_named)?;
    Some(Node::Leader { topic: topic.to_owned(), partition })
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::Any => f.write_str("any broker"),
            Self::Leader { topic, partition } => write!(f, "leader of {topic}/{partition}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_as_they_are_shown() {
        for text in ["broker 0", "broker 12", "any broker", "leader of a.b-c_d/3"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        for text in
            ["broker", "broker -1", "broker x", "leader of orders", "leader of /0", "leader of a/x"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
