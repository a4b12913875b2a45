//! Where brokers run and which faults they may suffer, in a cluster file.

use super::kafka::{BrokerNode, BrokerProcess, Consent, FAULTS};
use crate::config::shape::{
    Fields, Located, Shape, integer, list, list_of_some, record, tagged, text, words,
};
use serde_json::json;
use std::{collections::BTreeSet, path::Path};

/// Most brokers that a cluster file can name.
const NODE_LIMIT: usize = 1_000;

/// What a cluster file says of the nodes of a cluster that is there.
#[derive(Clone, Default)]
pub(super) struct Nodes {
    nodes: Vec<Located<Node>>,
    process: Option<BrokerProcess>,
}

#[derive(Clone)]
struct Node {
    broker: Option<i32>,
    process: Option<BrokerProcess>,
}

/// Reads `faults`; what is allowed where it is not there differs.
pub(super) fn consent(fields: &mut Fields<'_>, default: &Consent) -> Option<Consent> {
    let doc = "Faults that scenarios may do to the brokers.";
    let consent = fields.optional("faults", doc, record("faults", allowed));
    Some(consent?.unwrap_or_else(|| default.clone()))
}

fn allowed(fields: &mut Fields<'_>) -> Option<Consent> {
    let doc = "Kinds of faults that scenarios may do to the brokers; `[]` for none.";
    let kinds = list(words(FAULTS.map(|kind| (kind, kind))));
    Some(Consent(fields.required("allow", doc, kinds)?.into_iter().collect()))
}

/// Reads `nodes` and `process` of a cluster that is there.
pub(super) fn nodes(fields: &mut Fields<'_>) -> Option<Nodes> {
    let doc = "Where the brokers run: needed for faults.";
    let node = tagged("a node")
        .variant("local", "A broker of this machine.", record("a local node", local).located())
        .later("ssh", "brokers of hosts over ssh");
    let nodes = fields.optional("nodes", doc, list_of_some(node));
    let doc =
        "How the process of a broker is found on its node, for all that do not say it themselves.";
    let process = fields.optional("process", doc, record("a process", process));
    Some(Nodes { nodes: nodes?.unwrap_or_default(), process: process? })
}

fn local(fields: &mut Fields<'_>) -> Option<Node> {
    let doc = "The id of the broker; it may be left out where the cluster has one alone.";
    let broker = integer(0..=i32::MAX as u64).map(|id| i32::try_from(id).unwrap_or(i32::MAX));
    let broker = fields.optional("broker", doc, broker);
    let doc = "How its process is found.";
    let process = fields.optional("process", doc, record("a process", process));
    Some(Node { broker: broker?, process: process? })
}

fn process(fields: &mut Fields<'_>) -> Option<BrokerProcess> {
    let doc = "The file with its process id; it is read anew for each fault.";
    let pid_file = fields.required("pid_file", doc, text());
    let doc = "The command that starts it again: a program and its arguments, from the folder `/`.";
    let start = fields.default("start", doc, list(text()), json!([]), Vec::new());
    fields.later("unit", "brokers that are systemd units");
    fields.later("command", "brokers by their command line");
    Some(BrokerProcess { pid_file: pid_file?, start: start? })
}

impl Nodes {
    /// What can be used of them; notes what does not fit together.
    pub(super) fn resolve(self, fields: &mut Fields<'_>) -> Vec<BrokerNode> {
        let several = self.nodes.len() > 1;
        if self.nodes.len() > NODE_LIMIT {
            let at = fields.place_of("nodes").unwrap_or_else(|| fields.at());
            fields.error(&at, format!("more than {NODE_LIMIT} nodes"), "");
            return Vec::new();
        }
        let mut ids = BTreeSet::new();
        let mut resolved = Vec::new();
        for Located { value: Node { broker, process }, at, .. } in self.nodes {
            match broker {
                None if several => {
                    let message = "it is not said which broker this node runs";
                    fields.error(&at, message, "write `broker: ID` for each of several nodes");
                }
                Some(id) if !ids.insert(id) => {
                    let message = format!("another node runs broker {id} already");
                    fields.error(&at, message, "each broker runs on one node");
                }
                _ => {}
            }
            let Some(process) = process.or_else(|| self.process.clone()) else {
                let message = "it is not said how this broker's process is found";
                let help = "write `process: {pid_file: FILE}` here or beside `nodes`";
                fields.error(&at, message, help);
                continue;
            };
            resolved.push(BrokerNode { broker, process });
        }
        if let (true, Some(at)) = (resolved.is_empty(), fields.place_of("process")) {
            fields.error(
                &at,
                "`process` is about nodes, and there are none",
                "add `nodes: [local: {}]`",
            );
        }
        resolved
    }
}

/// Paths are meant from the folder of the cluster file.
pub(super) fn resolve_paths(nodes: &mut [BrokerNode], folder: &Path) {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    for node in nodes {
        let file = folder.join(&node.process.pid_file);
        node.process.pid_file = file.display().to_string();
    }
}
