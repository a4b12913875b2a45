//! Metrics of pipelines: payloads and samples, each by its own name, the time of each stage, and what was
//! turned away.

use super::metric::{Metric, Scopes, Subject, count, listed, metric, per_second};
use mallard_protocol::histogram::Histogram;

const AGENT: &str = "the agent's counters";
const CLOCK: &str = "the agent's monotonic clock, read before and after";
const READING: Scopes = Scopes::READING;

/// All metrics of pipelines.
pub(super) fn metrics() -> Vec<Metric> {
    rates().into_iter().chain(counts()).chain(stages()).chain(turned_away()).collect()
}

fn rates() -> Vec<Metric> {
    vec![
        metric!(
            "pipeline.messages.rate",
            "per_s",
            true,
            Pipelines,
            READING,
            "payloads processed, rejected ones included",
            "payloads processed in measured intervals, whenever they were due / time of these \
             intervals",
            AGENT,
            |t| per_second(t.receiving.payloads, t.time_us)
        )
        .listed(Subject::Pipeline, "payloads"),
        metric!(
            "pipeline.samples.rate",
            "per_s",
            true,
            Pipelines,
            READING,
            "samples processed: those of payloads that were not rejected, dropped ones included",
            "samples processed in measured intervals, whenever they were due / time of these \
             intervals",
            AGENT,
            |t| per_second(t.receiving.samples, t.time_us)
        )
        .listed(Subject::Pipeline, "samples"),
    ]
}

fn counts() -> Vec<Metric> {
    vec![
        metric!(
            "pipeline.messages",
            "count",
            true,
            Pipelines,
            READING,
            "payloads due in the measured phases that were processed, be it in the drain",
            "count",
            AGENT,
            |t| count(t.pipeline.slice.messages)
        ),
        metric!(
            "pipeline.samples",
            "count",
            true,
            Pipelines,
            READING,
            "samples of these payloads, but for rejected ones; samples = rows + dropped",
            "count",
            AGENT,
            |t| count(t.pipeline.slice.samples)
        ),
        metric!(
            "pipeline.rows",
            "count",
            true,
            Pipelines,
            READING,
            "rows made of these samples",
            "count",
            AGENT,
            |t| count(t.pipeline.slice.rows)
        ),
        metric!(
            "pipeline.rows_written",
            "count",
            true,
            Pipelines,
            READING,
            "rows of these payloads that the broker has acknowledged, or that are in files, be it in \
             the drain",
            "count",
            "delivery reports, and files that were closed",
            |t| count(t.pipeline.slice.rows_written)
        ),
        metric!(
            "pipeline.dead_letters",
            "count",
            true,
            Pipelines,
            READING,
            "dead letters of these payloads that the broker has acknowledged, be it in the drain",
            "count",
            "delivery reports",
            |t| count(t.pipeline.slice.dead_letters)
        ),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "values are at most seconds in nanoseconds")]
fn microseconds(value: u64) -> f64 {
    value as f64 / 1e3
}

fn quantile(histogram: &Histogram, quantile: f64) -> Option<f64> {
    histogram.value_at_quantile(quantile).map(microseconds)
}

const PERCENTILE: &str = "smallest value that this share of the merged histogram does not exceed \
    (three significant digits, in nanoseconds); percentiles are never averaged";
const EXACT: &str = "exact, kept beside the histogram";
const MEAN: &str = "exact sum divided by count";

macro_rules! stage {
    ($prefix:literal, $field:ident, $what:literal) => {
        stage!(@all $prefix, $field, $what,
            ("mean", "mean", MEAN, |h| h.mean().map(|mean| mean / 1e3)),
            ("p50", "median", PERCENTILE, |h| quantile(h, 0.5)),
            ("p95", "95th percentile", PERCENTILE, |h| quantile(h, 0.95)),
            ("p99", "99th percentile", PERCENTILE, |h| quantile(h, 0.99)),
            ("max", "largest", EXACT, |h| h.max().map(microseconds)))
    };
    (@all $prefix:literal, $field:ident, $what:literal,
     $(($name:literal, $word:literal, $formula:expr, $value:expr)),+) => {
        vec![$(metric!(
            concat!("pipeline.", $prefix, ".", $name),
            "us",
            true,
            Pipelines,
            READING,
            concat!($word, " of ", $what),
            $formula,
            CLOCK,
            |t| {
                let pick: fn(&Histogram) -> Option<f64> = $value;
                pick(&t.pipeline.slice.$field)
            }
        )),+]
    };
}

fn stages() -> Vec<Metric> {
    let payload = stage!(
        "payload",
        payload_ns,
        "the time of processing one payload, from decoding it to having handed its rows on, \
         without waiting for a thread; over payloads due in the measured phases"
    );
    let labels = [("mean", "one payload, average"), ("p95", "one payload, P95")];
    let all = [
        listed(payload, Subject::Pipeline, &labels),
        stage!(
            "decode",
            decode_ns,
            "the time of decoding one payload, over payloads due in the measured phases"
        ),
        stage!(
            "validate",
            validate_ns,
            "the time of validating one payload with its samples, over payloads due in the measured \
             phases"
        ),
        stage!(
            "flatten",
            flatten_ns,
            "the time of turning one payload into rows, over payloads due in the measured phases"
        ),
        stage!(
            "write",
            write_ns,
            "the time of handing one payload's rows to the client, over payloads due in the measured \
             phases"
        ),
    ];
    all.into_iter().flatten().collect()
}

macro_rules! reason {
    ($map:ident, $what:literal, $name:literal, $reason:literal) => {
        metric!(
            concat!("pipeline.", stringify!($map), ".", $name),
            "count",
            true,
            Pipelines,
            READING,
            concat!($what, " for `", $reason, "`, due in the measured phases"),
            "count",
            AGENT,
            |t| count(t.pipeline.$map.get($reason).copied().unwrap_or(0))
        )
    };
}

fn turned_away() -> Vec<Metric> {
    vec![
        metric!(
            "pipeline.rejected",
            "count",
            true,
            Pipelines,
            READING,
            "payloads due in the measured phases that were rejected as a whole",
            "sum over reasons",
            AGENT,
            |t| count(t.pipeline.rejected.values().sum())
        )
        .listed(Subject::Pipeline, "rejected payloads"),
        reason!(rejected, "payloads rejected", "undecodable", "undecodable"),
        reason!(rejected, "payloads rejected", "no_device_id", "no-device-id"),
        reason!(rejected, "payloads rejected", "no_user_id", "no-user-id"),
        reason!(rejected, "payloads rejected", "bad_timestamp", "bad-timestamp"),
        metric!(
            "pipeline.dropped",
            "count",
            true,
            Pipelines,
            READING,
            "samples of payloads due in the measured phases that were dropped alone",
            "sum over reasons",
            AGENT,
            |t| count(t.pipeline.dropped.values().sum())
        )
        .listed(Subject::Pipeline, "dropped samples"),
        reason!(dropped, "samples dropped", "no_sample_id", "no-sample-id"),
        reason!(dropped, "samples dropped", "no_type", "no-type"),
        reason!(dropped, "samples dropped", "no_value", "no-value"),
        reason!(dropped, "samples dropped", "bad_date", "bad-date"),
        reason!(dropped, "samples dropped", "start_after_end", "start-after-end"),
        reason!(dropped, "samples dropped", "out_of_range", "out-of-range"),
        reason!(dropped, "samples dropped", "unknown_type", "unknown-type"),
    ]
}
