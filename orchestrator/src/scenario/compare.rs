//! `compare`: with which baseline a run is compared when it is over.

use crate::{
    config::shape::{Fields, Located, Shape, list, name, quantity::share, record, text},
    expect::against_baseline::NAME_LIMIT,
};
use serde_json::json;

/// Within which share figures count as the same where nobody says.
pub const TOLERANCE: f64 = 0.05;

/// What a run is compared with.
#[derive(Clone, Debug)]
pub struct Compare {
    /// The baseline.
    pub with: Located<String>,
    /// Within which share figures count as the same.
    pub tolerance: f64,
    /// Metrics that decide; none: the headline metrics.
    pub metrics: Vec<Located<String>>,
}

/// The shape of `compare`.
pub(super) fn shape() -> impl Shape<Value = Compare> {
    record("what the run is compared with", compare)
}

fn compare(fields: &mut Fields<'_>) -> Option<Compare> {
    let with = fields.required(
        "with",
        "The baseline: runs that `mallard baseline set` has given a name.",
        name(NAME_LIMIT).shown().located(),
    );
    let doc = "Within which share figures count as the same; below 0.2% nothing counts.";
    let tolerance = fields.default("tolerance", doc, share(), "5%", TOLERANCE);
    let doc = "Metrics that decide the comparison's word, instead of the five headline ones.";
    let metrics = list(text().shown().located());
    let metrics = fields.default("metrics", doc, metrics, json!([]), Vec::new());
    Some(Compare { with: with?, tolerance: tolerance?, metrics: metrics? })
}
