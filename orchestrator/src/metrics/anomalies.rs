//! Integrity: which records came to a group more than once, out of order, changed or astray, by their own numbers.

use super::{
    integrity::IntegrityOutcome,
    metric::{Metric, Scopes, Subject, count, metric},
    tally::Tally,
};
const WHERE: Scopes = Scopes::TOPIC.and(Scopes::PARTITION).and(Scopes::CONSUMER);
const NUMBERS: &str = "the numbers that producers gave their records in each partition, and those that consumers received";

macro_rules! anomaly {
    ($name:literal, $field:ident, $label:literal, $meaning:expr, $formula:expr) => {
        metric!($name, "records", false, Integrity, WHERE, $meaning, $formula, NUMBERS, |t| of(
            t,
            |outcome| outcome.$field
        ))
        .listed(Subject::Integrity, $label)
    };
}

/// `records.*` of what integrity finds.
pub(super) fn metrics() -> Vec<Metric> {
    vec![
        anomaly!(
            "records.duplicated",
            duplicated,
            "duplicated",
            "records of the whole load that a group received from two offsets of a log: the log holds them \
             twice; summed over groups",
            "records received whose number was received before, less those at an offset that was"
        ),
        anomaly!(
            "records.redelivered",
            redelivered,
            "redelivered",
            "records of the whole load that came to a group from the same offset again, as after a rebalance; \
             summed over groups",
            "records received at an offset that the group had received before"
        ),
        anomaly!(
            "records.reordered",
            reordered,
            "reordered",
            "records of the whole load that a consumer received after one that the same producer instance \
             sent to the partition later; summed over groups",
            "records received for the first time, with a number below the highest that the consumer had \
             received of that producer instance and partition"
        ),
        anomaly!(
            "records.corrupt",
            corrupt,
            "corrupt",
            "records of the whole load whose stamp, key or value is not what was sent; summed over groups",
            "records received whose checksum is not that of stamp, key and value"
        ),
        anomaly!(
            "records.misplaced",
            misplaced,
            "misplaced",
            "records of the whole load in a partition that they were not sent to; summed over groups",
            "records received from another partition than their stamp names"
        ),
        anomaly!(
            "records.unknown",
            unknown,
            "of unknown outcome",
            "records of the whole load that failed for their producer, and that the brokers may have written all \
             the same, summed over groups",
            "numbers of failed records"
        ),
        anomaly!(
            "records.unknown.written",
            unknown_written,
            "of these, in the log",
            "records of unknown outcome that a group received, summed over groups",
            "numbers of failed records that were received"
        ),
    ]
}

fn of(tally: &Tally, part: impl Fn(&IntegrityOutcome) -> u64) -> Option<f64> {
    tally.outcome.integrity.as_ref().and_then(|outcome| count(part(outcome)))
}
