//! Expectations: thresholds on metrics, parsed when the scenario is loaded and judged when it ran.
//!
//! Grammar: `METRIC [of SCOPE] [outside faults] [slope per hour] OP VALUE [in every DURATION | in the last DURATION]`,
//! with `OP` one of `<`, `<=`, `>`, `>=`, `==`, `!=`; and `METRIC no worse than BASELINE by SHARE`.

pub mod across_cases;
pub mod against_baseline;
mod model;
pub mod parse;
mod scope;

#[cfg(test)]
mod tests;
pub(crate) mod tokens;
pub mod vocabulary;

pub use model::{Comparison, Expectation, Scope, Window};
pub use parse::{is_produced, parse};
pub use vocabulary::{ParseError, Vocabulary};
