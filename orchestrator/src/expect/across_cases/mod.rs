//! Expectations across cases: one case's metric against another's, judged after the last case.
//!
//! Grammar: `METRIC at CASES OP FACTOR of that at CASES`, where `CASES` is `NAME=VALUE [and NAME=VALUE]…`,
//! or, on the left, `every NAME`; and `FACTOR of linear from CASES` for what should grow with
//! a parameter. Axes of the matrix that neither side names are the same on both: each of their values is
//! judged on its own.
//!
//! Invariant: what cannot be judged because a case broke has failed; what cannot be judged because a case
//! was left out by `--only` or `--set` is not judged, and that is said before anything runs.

mod model;
mod pairs;
mod parse;

pub use model::{Across, AcrossPlan, Side};

pub(crate) use pairs::{Candidate, pairs};
pub(crate) use parse::{Axis, check_produced, parse};
