//! What a file is, by its keys.

use crate::config::yaml::{Kind, Node};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A scenario.
    Scenario,
    /// A cluster file.
    Cluster,
    /// Neither, by its keys.
    Unknown,
}

/// What a file is, by its keys.
#[must_use]
pub fn kind_of(root: &Node) -> FileKind {
    let Kind::Map(_) = root.kind else { return FileKind::Unknown };
    let has = |keys: &[&str]| keys.iter().any(|key| root.get(key).is_some());
    if has(&["load", "producers", "consumers", "expect", "topics"]) {
        FileKind::Scenario
    } else if has(&["kafka", "hosts"]) {
        FileKind::Cluster
    } else {
        FileKind::Unknown
    }
}
