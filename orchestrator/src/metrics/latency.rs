//! Metrics that are statistics of a histogram: latencies, sizes, durations of commits.

use super::metric::{Metric, Scopes, Subject, listed, metric};
use mallard_protocol::histogram::Histogram;

#[expect(clippy::cast_precision_loss, reason = "values are at most an hour in microseconds")]
fn quantile(histogram: &Histogram, quantile: f64) -> Option<f64> {
    histogram.value_at_quantile(quantile).map(|value| value as f64)
}

#[expect(clippy::cast_precision_loss, reason = "values are at most an hour in microseconds")]
fn smallest(histogram: &Histogram) -> Option<f64> {
    histogram.min().map(|value| value as f64)
}

#[expect(clippy::cast_precision_loss, reason = "values are at most an hour in microseconds")]
fn largest(histogram: &Histogram) -> Option<f64> {
    histogram.max().map(|value| value as f64)
}

const PERCENTILE: &str = "smallest value that this share of the merged histogram does not exceed \
    (three significant digits, never beyond the exact maximum); percentiles are never averaged";
const EXACT: &str = "exact, kept beside the histogram";
const MEAN: &str = "exact sum divided by count";

macro_rules! statistic {
    ($prefix:literal, $unit:literal, $needs:ident, $scopes:expr, $what:literal, $source:literal,
     $($field:ident).+, $name:literal, $word:literal, $formula:expr, $value:expr) => {
        metric!(
            concat!($prefix, ".", $name), $unit, true, $needs, $scopes,
            concat!($word, " of ", $what), $formula, $source,
            |tally| $value(&tally.$($field).+)
        )
    };
}

macro_rules! nine {
    (@ [$prefix:literal, $needs:ident, $scopes:expr, $what:literal, $source:literal, $($field:ident).+]) => {
        nine!(@rows $prefix, $needs, $scopes, $what, $source, [$($field).+],
            ("min", "smallest", EXACT, smallest),
            ("mean", "mean", MEAN, Histogram::mean),
            ("p50", "median", PERCENTILE, |h| quantile(h, 0.5)),
            ("p90", "90th percentile", PERCENTILE, |h| quantile(h, 0.9)),
            ("p95", "95th percentile", PERCENTILE, |h| quantile(h, 0.95)),
            ("p99", "99th percentile", PERCENTILE, |h| quantile(h, 0.99)),
            ("p999", "99.9th percentile", PERCENTILE, |h| quantile(h, 0.999)),
            ("p9999", "99.99th percentile", PERCENTILE, |h| quantile(h, 0.9999)),
            ("max", "largest", EXACT, largest))
    };
    (@rows $prefix:literal, $needs:ident, $scopes:expr, $what:literal, $source:literal,
     $field:tt, $(($name:literal, $word:literal, $formula:expr, $value:expr)),+) => {
        vec![$(nine!(@row $prefix, $needs, $scopes, $what, $source, $field, $name, $word, $formula, $value)),+]
    };
    (@row $prefix:literal, $needs:ident, $scopes:expr, $what:literal, $source:literal,
     [$($field:ident).+], $name:literal, $word:literal, $formula:expr, $value:expr) => {
        statistic!($prefix, "us", $needs, $scopes, $what, $source, $($field).+, $name, $word,
            $formula, { let pick: fn(&Histogram) -> Option<f64> = $value; pick })
    };
    ($($head:tt)*) => { nine!(@ [$($head)*]) };
}

/// `produce.service`, `produce.response` and `produce.slip`.
pub(super) fn produce() -> Vec<Metric> {
    let service = nine!(
        "produce.service",
        Producers,
        Scopes::DELIVERED,
        "the time from handing a record to the client to its acknowledgement, over records due in \
         the measured phases; it leaves out the time that a record waited to be sent",
        "the agent's clock at send and at the delivery report",
        due.service
    );
    let response = nine!(
        "produce.response",
        Schedule,
        Scopes::DELIVERED,
        "the time from when a record was due by the schedule to its acknowledgement, over records \
         due in the measured phases; free of coordinated omission",
        "the schedule, and the agent's clock at the delivery report",
        due.response
    );
    let slip = nine!(
        "produce.slip",
        Schedule,
        Scopes::SENDING,
        "the time from when a record was due by the schedule to handing it to the client, over \
         records due in the measured phases",
        "the schedule, and the agent's clock at send",
        due.slip
    );
    let labels =
        [("mean", "average"), ("p50", "P50"), ("p95", "P95"), ("p99", "P99"), ("max", "largest")];
    let service = listed(service, Subject::Service, &labels);
    service.into_iter().chain(response).chain(slip).collect()
}

/// `end_to_end`.
pub(super) fn end_to_end() -> Vec<Metric> {
    nine!(
        "end_to_end",
        EndToEnd,
        Scopes::RECEIVED,
        "the time from when a record was due (closed loop: sent) to when a consumer received it, \
         over records due in the measured phases; a record read by two groups counts twice",
        "the stamp in the record, and the consumer's clock, corrected where hosts differ",
        arrived.end_to_end
    )
}

/// Sizes of records, and durations of commits.
#[expect(clippy::too_many_lines, reason = "a table, one row a metric")]
pub(super) fn sizes_and_commits() -> Vec<Metric> {
    macro_rules! size {
        ($name:literal, $word:literal, $formula:expr, $value:expr) => {
            statistic!(
                "produce.record_size",
                "bytes",
                Producers,
                Scopes::SENDING,
                "the key and value bytes of a record sent",
                "the agent, for each record",
                due.record_bytes,
                $name,
                $word,
                $formula,
                $value
            )
        };
    }
    macro_rules! transaction {
        ($name:literal, $word:literal, $formula:expr, $value:expr) => {
            statistic!(
                "produce.transactions.commit",
                "us",
                Transactions,
                Scopes::SENDING,
                "the time that committing a transaction takes, over commits in the measured phases",
                "the agent's clock around the commit",
                sending.transaction_commit,
                $name,
                $word,
                $formula,
                $value
            )
        };
    }
    macro_rules! commit {
        ($name:literal, $word:literal, $formula:expr, $value:expr) => {
            statistic!(
                "consume.commit",
                "us",
                Consumers,
                Scopes::READING,
                "the time that committing offsets takes, over timed commits in the measured phases",
                "the agent's clock around the commit",
                receiving.commit,
                $name,
                $word,
                $formula,
                $value
            )
        };
    }
    let sizes = vec![
        size!("min", "smallest", EXACT, smallest),
        size!("mean", "mean", MEAN, Histogram::mean),
        size!("p50", "median", PERCENTILE, |h| quantile(h, 0.5)),
        size!("max", "largest", EXACT, largest),
    ];
    let transactions = vec![
        transaction!("mean", "mean", MEAN, Histogram::mean),
        transaction!("p50", "median", PERCENTILE, |h| quantile(h, 0.5)),
        transaction!("p95", "95th percentile", PERCENTILE, |h| quantile(h, 0.95)),
        transaction!("p99", "99th percentile", PERCENTILE, |h| quantile(h, 0.99)),
        transaction!("max", "largest", EXACT, largest),
    ];
    let commits = vec![
        commit!("p50", "median", PERCENTILE, |h| quantile(h, 0.5)),
        commit!("p99", "99th percentile", PERCENTILE, |h| quantile(h, 0.99)),
        commit!("max", "largest", EXACT, largest),
    ];
    let labels = [("min", "smallest"), ("mean", "average"), ("p50", "median"), ("max", "largest")];
    let sizes = listed(sizes, Subject::Sizes, &labels);
    let labels = [("p50", "commit, median"), ("p95", "commit, P95"), ("p99", "commit, P99")];
    let transactions = listed(transactions, Subject::Transactions, &labels);
    sizes.into_iter().chain(transactions).chain(commits).collect()
}
