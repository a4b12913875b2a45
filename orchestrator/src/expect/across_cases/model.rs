//! What an expectation across cases says.

use crate::{expect::Comparison, metrics::Metric};
use std::path::PathBuf;

/// An expectation across cases.
#[derive(Clone, Debug)]
pub struct Across {
    /// As written.
    pub text: String,
    /// The metric.
    pub metric: &'static Metric,
    /// The cases that are judged.
    pub left: Side,
    /// How value and limit are compared.
    pub comparison: Comparison,
    /// The limit as a multiple of the reference's value.
    pub factor: f64,
    /// The parameter that the limit is proportional to, up to the cores there are.
    pub linear: Option<String>,
    /// The cases they are held against, by axis and value.
    pub right: Vec<(String, String)>,
    /// Where it is written: file and line.
    pub source: (PathBuf, Option<usize>),
}

/// Which cases are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Those of every value of an axis but the reference's.
    Every(String),
    /// Those with these values.
    At(Vec<(String, String)>),
}

/// An expectation across cases of a plan.
#[derive(Clone, Debug)]
pub struct AcrossPlan {
    /// The scenario.
    pub scenario: String,
    /// What is expected.
    pub expectation: Across,
    /// Indices of the plan's cases: judged, and reference.
    pub pairs: Vec<(usize, usize)>,
}
