//! Expectations across cases: one case's metric against another's, judged after the last case.
//!
//! Grammar: `METRIC at CASES OP FACTOR of that at CASES`, where `CASES` is `NAME=VALUE [and NAME=VALUE]…`,
//! or, on the left, `every NAME`; and `FACTOR of linear from CASES` for what should grow with
//! a parameter. Axes of the matrix that neither side names are the same on both: each of their values is
//! judged on its own.
//!
//! Invariant: what cannot be judged because a case broke has failed; what cannot be judged because a case
//! was left out by `--only` or `--set` is not judged, and that is said before anything runs.

mod pairs;
mod parse;

use crate::{expect::Comparison, metrics::Metric};
use std::path::PathBuf;

pub(crate) use pairs::{Candidate, pairs};
pub(crate) use parse::{Axis, check_produced, parse};

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
