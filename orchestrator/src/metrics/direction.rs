//! Which way a metric gets worse.

use serde::Serialize;

/// Which way a metric gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// A latency, a lag, a share of errors.
    Lower,
    /// A rate of records that got through.
    Higher,
}

impl Better {
    /// What a difference is multiplied with, so that more is worse.
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Self::Lower => 1.0,
            Self::Higher => -1.0,
        }
    }
}

/// Metrics of which more is better, by the start of their names.
const HIGHER: [&str; 7] = [
    "produce.sent.rate",
    "produce.acked.",
    "produce.success_rate",
    "produce.send_throughput",
    "produce.delivery_throughput",
    "produce.data_throughput",
    "consume.received.",
];

/// Metrics of which less is better.
const LOWER: [&str; 24] = [
    "produce.service.",
    "produce.response.",
    "produce.slip.",
    "end_to_end.",
    "produce.failed.",
    "produce.error_rate",
    "produce.buffer_full_rate",
    "produce.late_rate",
    "produce.backpressure_share",
    "produce.behind_max",
    "produce.transactions.commit.",
    "produce.client.queue_time",
    "produce.client.round_trip",
    "consume.lag.",
    "observe.lag.",
    "records.lost",
    "records.failed",
    "records.not_read",
    "records.unaccounted",
    "agent.cpu",
    "agent.memory.",
    "brokers.unreachable.time",
    "partitions.without_leader.time",
    "partitions.under_replicated.",
];

/// Which way a metric gets better; `None` where it only describes.
#[must_use]
pub fn better(metric: &str) -> Option<Better> {
    let starts = |list: &[&str]| list.iter().any(|start| metric.starts_with(start));
    if starts(&LOWER) {
        return Some(Better::Lower);
    }
    starts(&HIGHER).then_some(Better::Higher)
}

/// Metrics that are judged unless others are asked for, where the case has them.
const HEADLINE: [&str; 5] = [
    "produce.acked.rate",
    "produce.response.p99",
    "end_to_end.p99",
    "consume.received.rate",
    "records.lost",
];

/// Metrics that gate by default: the five headline metrics; in a closed loop, which has no response
/// latency, service stands for it.
#[must_use]
pub fn headline(has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let instead = |metric: &'static str| match metric {
        "produce.response.p99" if !has(metric) => "produce.service.p99",
        metric => metric,
    };
    HEADLINE.into_iter().map(instead).filter(|metric| has(metric)).collect()
}

/// Metrics that are counted and must be equal: one lost record is one too many, whatever the spread.
#[must_use]
pub fn is_exact(metric: &str) -> bool {
    metric == "records.lost"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;

    #[test]
    fn every_metric_that_gates_has_a_direction_and_exists() {
        for metric in HEADLINE.into_iter().chain(["produce.service.p99"]) {
            assert!(better(metric).is_some(), "{metric}");
            assert!(metrics::find(metric).is_some(), "{metric}");
        }
    }

    #[test]
    fn every_start_of_a_name_is_of_a_metric() {
        for start in HIGHER.iter().chain(&LOWER) {
            let known = metrics::registry().iter().any(|metric| metric.name.starts_with(start));
            assert!(known, "{start}");
        }
    }

    #[test]
    fn a_closed_loop_is_judged_by_its_service_latency() {
        let open = headline(|_| true);
        assert!(open.contains(&"produce.response.p99") && open.len() == 5);
        let closed =
            headline(|metric| metric.starts_with("produce.") && !metric.contains("response"));
        assert_eq!(closed, ["produce.acked.rate", "produce.service.p99"]);
    }

    #[test]
    fn sizes_of_records_only_describe() {
        assert_eq!(better("produce.record_size.p50"), None);
        assert_eq!(better("produce.error_rate"), Some(Better::Lower));
        assert_eq!(better("produce.acked.bytes_rate"), Some(Better::Higher));
    }
}
