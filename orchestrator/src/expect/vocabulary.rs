//! Names that an expectation may use, and what is said of one that is not among them.

use crate::text::nearest::nearest;
use std::ops::Range;

/// What a scenario offers to its expectations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Topics by their name in the scenario, with their number of partitions.
    pub topics: Vec<(String, i32)>,
    /// Producers.
    pub producers: Vec<String>,
    /// Consumers.
    pub consumers: Vec<String>,
    /// Observed groups.
    pub groups: Vec<String>,
    /// Agents.
    pub agents: Vec<String>,
    /// Phases.
    pub phases: Vec<String>,
    /// Faults, and the names that those which repeat have in common.
    pub faults: Vec<String>,
    /// Whether a consumer reads a topic to which stamped records are sent.
    pub has_end_to_end: bool,
    /// Whether a consumer measures through a pipeline of others.
    pub has_through: bool,
    /// Whether a producer sends in transactions.
    pub has_transactions: bool,
    /// Whether a consumer has a pipeline.
    pub has_pipelines: bool,
    /// Whether integrity is checked.
    pub has_integrity: bool,
    /// Whether every producer runs closed loop (`rate: max`).
    pub closed_loop_only: bool,
    /// Length of the measured phases together, in microseconds.
    pub measured_us: u64,
}

/// Why an expectation cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Bytes of the expectation's text that it is about.
    pub span: Range<usize>,
    /// What is wrong: lower case, no final stop.
    pub message: String,
    /// What is allowed, the nearest name, what to do.
    pub help: Option<String>,
}

impl ParseError {
    pub(super) fn new(
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) -> Self {
        Self { span, message: message.into(), help: help.into() }
    }
}

pub(crate) fn did_you_mean<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(near) = nearest(name, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<_> = known.take(10).map(|name| format!("`{name}`")).collect();
    (!all.is_empty()).then(|| format!("there is {}", all.join(", ")))
}
