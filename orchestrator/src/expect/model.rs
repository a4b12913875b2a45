//! An expectation, read.

use crate::metrics::Metric;
use std::path::PathBuf;

/// An expectation, parsed and checked against its scenario.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// As written.
    pub text: String,
    /// The metric.
    pub metric: &'static Metric,
    /// Whom it is about.
    pub scope: Scope,
    /// Whether faults and the recovery from them are left out.
    pub outside_faults: bool,
    /// Whether the metric's slope over time is judged, per hour.
    pub slope: bool,
    /// How value and limit are compared.
    pub comparison: Comparison,
    /// The limit in the metric's unit.
    pub limit: f64,
    /// Which stretch of time is judged.
    pub window: Window,
    /// Where it is written: file and line.
    pub source: (PathBuf, Option<usize>),
}

/// Whom an expectation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything in the measured phases.
    Whole,
    /// `of topic orders`
    Topic(String),
    /// `of every partition`, `of partition orders/3`
    Partition(Option<(String, i32)>),
    /// `of producer gateway`
    Producer(String),
    /// `of consumer flink`
    Consumer(String),
    /// `of group flink-job`
    Group(String),
    /// `of agent local-1`, `of every agent`
    Agent(Option<String>),
    /// `of phase burst`
    Phase(String),
    /// `of fault kill`: from when it began to when it was undone. The name may stand for several that repeat.
    Fault(String),
}

/// How value and limit are compared: the expectation holds if `value OP limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Comparison {
    /// Whether a value holds against a limit, in full precision.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "`==` on counts means equal, to the last one")]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::AtMost => value <= limit,
            Self::Greater => value > limit,
            Self::AtLeast => value >= limit,
            Self::Equal => value == limit,
            Self::NotEqual => value != limit,
        }
    }

    /// How far a value is on the good side of a limit, in the metric's unit; negative on the wrong side.
    #[must_use]
    pub fn distance(self, value: f64, limit: f64) -> f64 {
        match self {
            Self::Less | Self::AtMost => limit - value,
            Self::Greater | Self::AtLeast => value - limit,
            Self::Equal => -(value - limit).abs(),
            Self::NotEqual => (value - limit).abs(),
        }
    }
}

/// Which stretch of time is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// All measured phases as one.
    Whole,
    /// `in every 1m`: each full window of this many microseconds on its own.
    Every(u64),
    /// `in the last 5m`: the last so many microseconds of the measured phases.
    Last(u64),
}
