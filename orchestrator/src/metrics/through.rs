//! Metrics of pipelines that are not the case's own, by what went in and what came out.

use super::metric::{Metric, Scopes, count, metric};
use crate::metrics::tally::{Tally, ThroughOutcome};

const MATCHES: &str = "the marks of records received, and delivery reports";

fn of(tally: &Tally, pick: fn(&ThroughOutcome) -> Option<u64>) -> Option<f64> {
    tally.outcome.through.as_ref().and_then(pick).and_then(count)
}

/// `through.*`. How long it took stands in `end_to_end.*`.
pub(super) fn metrics() -> Vec<Metric> {
    inputs().into_iter().chain(outputs()).collect()
}

fn inputs() -> Vec<Metric> {
    vec![
        metric!(
            "through.inputs",
            "records",
            false,
            Through,
            Scopes::CONSUMER,
            "records that went into the pipeline in the whole run, warm-up included; inputs = matched + \
             lost",
            "records acknowledged in the topics under `from`; of transactions, in committed ones",
            "delivery reports",
            |t| of(t, |through| Some(through.inputs))
        ),
        metric!(
            "through.matched",
            "records",
            false,
            Through,
            Scopes::CONSUMER,
            "inputs of which an output came",
            "distinct inputs among the records received",
            MATCHES,
            |t| of(t, |through| Some(through.matched))
        ),
        metric!(
            "through.lost",
            "records",
            false,
            Through,
            Scopes::CONSUMER,
            "inputs of which no output came by the end of the drain",
            "max(0, inputs - matched)",
            MATCHES,
            |t| of(t, |through| Some(through.lost))
        ),
        metric!(
            "through.incomplete",
            "records",
            false,
            Through,
            Scopes::CONSUMER,
            "inputs of which some outputs came, and fewer than `outputs` says",
            "matched - inputs of which all outputs came",
            MATCHES,
            |t| of(t, |through| through.incomplete)
        ),
    ]
}

fn outputs() -> Vec<Metric> {
    vec![
        metric!(
            "through.outputs",
            "records",
            false,
            Through,
            Scopes::CONSUMER,
            "records received in the whole run that match an input; received = outputs + unmatched",
            "count",
            MATCHES,
            |t| of(t, |through| Some(through.outputs))
        ),
        metric!(
            "through.duplicates",
            "records",
            false,
            Through,
            Scopes::CONSUMER,
            "outputs beyond those that there should be",
            "matched by header: outputs of an input beyond `outputs`; by field: outputs whose mark \
             was seen before",
            MATCHES,
            |t| of(t, |through| through.duplicates)
        ),
        metric!(
            "through.unmatched",
            "records",
            false,
            Through,
            Scopes::CONSUMER,
            "records received in the whole run that match no input",
            "count of records without a mark of this run's producers to the topics under `from`",
            MATCHES,
            |t| of(t, |through| Some(through.unmatched))
        ),
    ]
}
