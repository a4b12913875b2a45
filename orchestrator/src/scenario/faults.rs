//! Faults on the load's timeline, as a scenario writes them.

use super::names::{NAME_LIMIT, TOPIC_NAME_LIMIT};
use crate::config::{
    shape::{
        Fields, Located, ScalarShape, Shape, either, list_of_some, name,
        quantity::{duration, rate, share, some_time},
        record, scalar, shortened, tagged, text,
        units::{Rate, Wrong},
        words,
    },
    source::Place,
};
use mallard_protocol::fault::{Act, Directions, KillSignal};
use serde_json::json;
use std::time::Duration;

/// A fault, or several of one kind that repeat.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What is done.
    pub act: Act,
    /// To whom.
    pub node: Located<Node>,
    /// From whom it is cut off.
    pub wire: Wire,
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

/// Between whom a cut is, beside its victim. Nobody for other faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// Brokers on the victim's side.
    pub near: Vec<i32>,
    /// Brokers on the other side.
    pub far: Vec<i32>,
    /// Whoever is no broker is on the other side.
    pub clients: bool,
    /// All others are on the other side.
    pub everyone: bool,
}

/// An end of a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Node(Node),
    Agents,
    Everyone,
}

/// How ends of a cut can be written.
const ENDS: &str = "`broker 1`, `leader of TOPIC/PARTITION`, `agents` or `everyone`";

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
        .variant(
            "cut",
            "Packets between brokers, or between brokers and others, are dropped for as long as `for` says.",
            record("a cut", cut),
        )
        .variant("loss", "A share of the packets to and from a broker is lost.", record("a loss", loss))
        .variant(
            "limit",
            "A broker receives no more than so much, and sends no more than so much.",
            record("a limit", limit),
        )
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
    fault_of_node(fields, signal.map(|signal| Act::Kill { signal }))
}

fn pause(fields: &mut Fields<'_>) -> Option<Fault> {
    fault_of_node(fields, Some(Act::Pause))
}

fn loss(fields: &mut Fields<'_>) -> Option<Fault> {
    let doc = "So many of the packets are dropped, by chance: `5%`.";
    let share = fields.required("share", doc, share().located());
    let act = share.and_then(|share| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share is from 0 to 1"
        )]
        let share_ppm = (share.value * 1e6).round() as u32;
        if share_ppm == 0 {
            fields.error(&share.at, "this share is none", "give it at least 0.0001%");
        }
        (share_ppm > 0).then_some(Act::Loss { share_ppm })
    });
    fault_of_node(fields, act)
}

fn limit(fields: &mut Fields<'_>) -> Option<Fault> {
    let doc = "The rate of each direction: `20MB/s`.";
    let to = fields.required("to", doc, rate(false).located());
    let act = to.and_then(|to| match to.value {
        Rate::Bytes(per_s) if per_s >= 1.0 => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rates are below 1000GB/s"
            )]
            let bytes_per_s = per_s as u64;
            Some(Act::Limit { bytes_per_s })
        }
        _ => {
            fields.error(&to.at, "this is no rate of bytes", "for example `20MB/s`");
            None
        }
    });
    fault_of_node(fields, act)
}

fn cut(fields: &mut Fields<'_>) -> Option<Fault> {
    let doc = "The two ends: each a broker, a list of brokers, `agents` or `everyone`.";
    let one = end().map(|end| vec![end]);
    let ends = list_of_some(either(one, list_of_some(end()))).located();
    let ends = fields.required("between", doc, ends);
    let doc = "Packets of which direction are dropped.";
    let directions = [
        ("both", Directions::Both),
        ("first-to-second", Directions::From),
        ("second-to-first", Directions::To),
    ];
    let directions = fields.default("direction", doc, words(directions), "both", Directions::Both);
    let Some(Located { value: ends, at, anchor }) = ends else {
        return fault(fields, None, None, Wire::default());
    };
    let (victim, wire, is_turned) = match sides_of(ends) {
        Ok(found) => found,
        Err((message, help)) => {
            fields.error(&at, message, help);
            return fault(fields, None, None, Wire::default());
        }
    };
    let directions = directions.map(|directions| match (directions, is_turned) {
        (Directions::From, true) => Directions::To,
        (Directions::To, true) => Directions::From,
        (directions, _) => directions,
    });
    let act = directions.map(|directions| Act::Cut { directions });
    fault(fields, act, Some(Located { value: victim, at, anchor }), wire)
}

/// A mistake, and what to do about it.
type Mistake = (String, &'static str);

/// What two ends of a cut ought to be.
const SIDES: &str = "for example `between: [broker 1, [broker 2, broker 3]]`, `[agents, broker 3]` or \
                     `[leader of orders/0, everyone]`";

/// The victim of a cut, whom it is cut off from, and whether the victim stands in the second end.
fn sides_of(ends: Vec<Vec<End>>) -> Result<(Node, Wire, bool), Mistake> {
    let count = ends.len();
    let Ok([first, second]) = <[Vec<End>; 2]>::try_from(ends) else {
        return Err((format!("a cut is between two ends, found {count}"), SIDES));
    };
    match (sides(&first, &second), sides(&second, &first)) {
        (Ok((victim, wire)), _) => Ok((victim, wire, false)),
        (Err(_), Ok((victim, wire))) => Ok((victim, wire, true)),
        (Err(message), Err(_)) => Err((message.to_owned(), SIDES)),
    }
}

/// The victim of a cut and whom it is cut off from, with the first end as the victim's.
fn sides(near: &[End], far: &[End]) -> Result<(Node, Wire), &'static str> {
    let [End::Node(victim), near @ ..] = near else {
        return Err("one end of a cut has to be brokers alone");
    };
    let mut wire = Wire::default();
    for other in near {
        match other {
            End::Node(Node::Broker(id)) => wire.near.push(*id),
            _ => return Err("an end of several brokers names each by its id"),
        }
    }
    if !wire.near.is_empty() && !matches!(victim, Node::Broker(_)) {
        return Err("an end of several brokers names each by its id");
    }
    for other in far {
        match other {
            End::Node(Node::Broker(id)) => wire.far.push(*id),
            End::Node(_) => {
                return Err("only one end of a cut can be a role, and it has to be alone there");
            }
            End::Agents => wire.clients = true,
            End::Everyone => wire.everyone = true,
        }
    }
    let victims = match victim {
        Node::Broker(id) => [&[*id], &*wire.near].concat(),
        _ => Vec::new(),
    };
    if victims.iter().any(|id| wire.far.contains(id)) {
        return Err("a broker is on both ends of this cut");
    }
    if wire.everyone && (far.len() > 1 || !wire.near.is_empty()) {
        return Err("`everyone` stands alone, and is cut off from one broker");
    }
    Ok((victim.clone(), wire))
}

fn fault_of_node(fields: &mut Fields<'_>, act: Option<Act>) -> Option<Fault> {
    let doc = "The broker: `broker 2`, `any broker` (by the seed), `leader of orders/0` (2 s before it is due).";
    let node = fields.required("node", doc, node().located());
    fault(fields, act, node, Wire::default())
}

fn fault(
    fields: &mut Fields<'_>,
    act: Option<Act>,
    node: Option<Located<Node>>,
    wire: Wire,
) -> Option<Fault> {
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
        wire,
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

fn end() -> ScalarShape<End> {
    let pattern = "^(broker [0-9]+|any broker|leader of [A-Za-z0-9._-]+/[0-9]+|agents|everyone)$";
    let schema = json!({"type": "string", "pattern": pattern});
    scalar("an end of a cut such as `broker 2` or `agents`", schema, |s| match s.text.trim() {
        "agents" => Ok(End::Agents),
        "everyone" => Ok(End::Everyone),
        text => parse(text).map(End::Node).ok_or_else(|| {
            let message = format!("`{}` is no end of a cut", shortened(text));
            Wrong::new(message, format!("write {ENDS}"))
        }),
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

impl Wire {
    /// Whom a fault is about, for people: `leader of orders/0`, `the wire between broker 1 and agents`.
    #[must_use]
    pub fn whom(&self, victim: &Node) -> String {
        let brokers = |ids: &[i32]| ids.iter().map(|id| format!("broker {id}")).collect::<Vec<_>>();
        let near = [vec![victim.to_string()], brokers(&self.near)].concat().join(", ");
        let mut far = brokers(&self.far);
        far.extend(self.clients.then(|| "agents".to_owned()));
        far.extend(self.everyone.then(|| "everyone".to_owned()));
        if far.is_empty() {
            near
        } else {
            format!("the wire between {near} and {}", far.join(", "))
        }
    }
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
    fn ends_of_a_cut_say_who_is_cut_off_from_whom() {
        let broker = |id| End::Node(Node::Broker(id));
        let (victim, wire) = sides(&[broker(1)], &[broker(2), broker(3)]).unwrap();
        assert_eq!(wire.whom(&victim), "the wire between broker 1 and broker 2, broker 3");
        let (victim, wire) = sides(&[End::Node(Node::Any)], &[End::Everyone]).unwrap();
        assert_eq!(wire.whom(&victim), "the wire between any broker and everyone");
        for (near, far) in [
            (vec![End::Agents], vec![broker(1)]),
            (vec![broker(1)], vec![broker(1)]),
            (vec![broker(1), broker(2)], vec![End::Everyone]),
            (vec![broker(1), End::Node(Node::Any)], vec![End::Agents]),
            (vec![broker(1)], vec![End::Node(Node::Any)]),
        ] {
            sides(&near, &far).expect_err("no sound cut");
        }
    }

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
