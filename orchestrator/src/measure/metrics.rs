//! The registry of metrics: every name that an expectation may use, with unit, meaning and formula.

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name: `produce.response.p99`.
    pub name: &'static str,
    /// Its unit, as in `result.json`.
    pub unit: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// How it is computed.
    pub formula: &'static str,
    /// Where the raw figures come from.
    pub source: &'static str,
}
