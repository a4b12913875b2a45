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
