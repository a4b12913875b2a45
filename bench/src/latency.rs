//! Percentiles as tools report them.

/// Percentiles of a latency as a tool reports them, in microseconds. A tool that does not say one
/// leaves it out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Latency {
    /// What it is of, in the words of this bench: `response`, `service`.
    pub(crate) kind: &'static str,
    /// Median.
    pub(crate) p50_us: Option<f64>,
    /// 90th percentile.
    pub(crate) p90_us: Option<f64>,
    /// 99th percentile.
    pub(crate) p99_us: Option<f64>,
    /// Largest.
    pub(crate) max_us: Option<f64>,
}
