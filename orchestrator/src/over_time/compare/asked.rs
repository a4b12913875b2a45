//! What a comparison was asked for.

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Within which share figures count as the same.
    pub tolerance: f64,
    /// Metrics that gate; the headline metrics if empty.
    pub metrics: Vec<String>,
    /// What differs on purpose.
    pub across: Vec<String>,
    /// Whether the runs of both sides are pairs, in this order.
    pub paired: bool,
}
