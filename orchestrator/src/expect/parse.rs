//! Expectations from text.

use super::{Comparison, Expectation, Scope, Window};
use std::ops::Range;

/// What an expectation may mention in one case.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Topics with their partitions; 0 if unknown.
    pub topics: Vec<(String, i32)>,
    /// Producers.
    pub producers: Vec<String>,
    /// Consumers.
    pub consumers: Vec<String>,
    /// Agents.
    pub agents: Vec<String>,
    /// Phases.
    pub phases: Vec<String>,
    /// Whether end-to-end latency is measured.
    pub has_end_to_end: bool,
    /// Whether there are transactions.
    pub has_transactions: bool,
    /// Whether nothing has a schedule.
    pub closed_loop_only: bool,
    /// Length of the measured phases.
    pub measured_us: u64,
}

/// Why a text is no expectation.
#[derive(Clone, Debug)]
pub struct ParseError {
    /// Which bytes.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What is allowed.
    pub help: Option<String>,
}

/// Reads an expectation.
///
/// # Errors
///
/// When the text is none.
pub fn parse(text: &str, _vocabulary: &Vocabulary) -> Result<Expectation, ParseError> {
    static METRIC: crate::measure::metrics::Metric = crate::measure::metrics::Metric {
        name: "stub",
        unit: "",
        meaning: "",
        formula: "",
        source: "",
    };
    if !text.contains(['<', '>', '=']) {
        let help = Some("METRIC OP VALUE".to_owned());
        return Err(ParseError { span: 0..text.len(), message: "no comparison".into(), help });
    }
    Ok(Expectation {
        text: text.to_owned(),
        metric: &METRIC,
        scope: Scope::Whole,
        slope: false,
        comparison: Comparison::Less,
        limit: 0.0,
        window: Window::Whole,
        source: (std::path::PathBuf::new(), None),
    })
}
