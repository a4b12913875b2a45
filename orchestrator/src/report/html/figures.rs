//! The figures of a case by subject, and of each of its topics: what a performance report lists.

use crate::{
    model::result::{CaseResult, TopicResult},
    report::{column::figure, words},
    text::format::{count, percent, quantity},
};
use serde::Serialize;

/// Figures about one subject.
#[derive(Serialize)]
pub(super) struct FigureGroup {
    title: &'static str,
    rows: Vec<FigureRow>,
}

/// A figure.
#[derive(Serialize)]
struct FigureRow {
    label: &'static str,
    /// The metric's name, meaning and formula.
    explain: String,
    value: String,
}

type Group = (&'static str, &'static [(&'static str, &'static str)]);

/// Subjects with their figures: label and metric.
const GROUPS: &[Group] = &[
    (
        "Throughput",
        &[
            ("sent", "produce.send_throughput"),
            ("delivered", "produce.delivery_throughput"),
            ("data", "produce.data_throughput"),
            ("consumed", "consume.received.rate"),
            ("consumed data", "consume.bytes_rate"),
        ],
    ),
    (
        "Latency, sent to acknowledged",
        &[
            ("average", "produce.service.mean"),
            ("P50", "produce.service.p50"),
            ("P95", "produce.service.p95"),
            ("P99", "produce.service.p99"),
            ("largest", "produce.service.max"),
        ],
    ),
    (
        "Reliability",
        &[
            ("success rate", "produce.success_rate"),
            ("error rate", "produce.error_rate"),
            ("retried requests", "produce.client.retries"),
            ("consumer errors", "consume.errors"),
        ],
    ),
    (
        "Batches and buffers",
        &[
            ("messages per poll", "produce.messages_per_poll"),
            ("buffer-full rate", "produce.buffer_full_rate"),
            ("records in a batch", "produce.client.batch_records"),
            ("bytes in a batch", "produce.client.batch_bytes"),
        ],
    ),
    (
        "Message sizes",
        &[
            ("average", "produce.record_size.mean"),
            ("median", "produce.record_size.p50"),
            ("smallest", "produce.record_size.min"),
            ("largest", "produce.record_size.max"),
        ],
    ),
    (
        "On the wire",
        &[
            ("bytes to brokers", "produce.client.wire_bytes_rate"),
            ("bytes of records for each", "produce.client.compression_ratio"),
        ],
    ),
    (
        "Memory of an agent",
        &[
            ("start", "agent.memory.start"),
            ("peak", "agent.memory.peak"),
            ("growth", "agent.memory.growth"),
        ],
    ),
    (
        "Polls and rebalances",
        &[
            ("messages per poll", "consume.messages_per_poll"),
            ("empty polls", "consume.empty_poll_rate"),
            ("rebalances", "consume.rebalances"),
            ("longest rebalance", "consume.rebalance_time.max"),
        ],
    ),
    (
        "Pipeline",
        &[
            ("payloads", "pipeline.messages.rate"),
            ("samples", "pipeline.samples.rate"),
            ("one payload, average", "pipeline.payload.mean"),
            ("one payload, P95", "pipeline.payload.p95"),
            ("rejected payloads", "pipeline.rejected"),
            ("dropped samples", "pipeline.dropped"),
        ],
    ),
    (
        "Consumers under load",
        &[
            ("largest lag", "consume.lag.max"),
            ("deepest queue", "consume.queue.max"),
            ("time held back", "consume.backpressure_share"),
            ("longest time behind", "consume.recovery_time.max"),
        ],
    ),
    (
        "Transactions",
        &[
            ("commits", "produce.transactions.committed.rate"),
            ("aborts", "produce.transactions.aborted.rate"),
            ("commit, median", "produce.transactions.commit.p50"),
            ("commit, P95", "produce.transactions.commit.p95"),
            ("commit, P99", "produce.transactions.commit.p99"),
        ],
    ),
];

/// The figures that a case has, by subject.
pub(super) fn groups(result: &CaseResult) -> Vec<FigureGroup> {
    let groups = GROUPS.iter().map(|(title, figures)| FigureGroup {
        title,
        rows: figures.iter().filter_map(|(label, name)| row(result, label, name)).collect(),
    });
    groups.filter(|group| !group.rows.is_empty()).collect()
}

fn row(result: &CaseResult, label: &'static str, name: &str) -> Option<FigureRow> {
    let metric = result.metrics.get(name)?;
    let value = quantity(metric.value?, &metric.unit);
    Some(FigureRow { label, explain: format!("{name}: {}", words::explain(name)), value })
}

/// A topic's row.
#[derive(Serialize)]
pub(super) struct TopicRow {
    topic: String,
    figures: Vec<String>,
}

/// Columns of the table of topics.
pub(super) const TOPIC_COLUMNS: [&str; 10] = [
    "partitions",
    "delivered",
    "failed",
    "success",
    "data",
    "latency, average",
    "P50",
    "P95",
    "P99",
    "received",
];

/// One row a topic.
pub(super) fn topics(result: &CaseResult) -> Vec<TopicRow> {
    result.topics.iter().map(topic).collect()
}

fn topic(of: &TopicResult) -> TopicRow {
    let done = of.acked + of.failed;
    let us = |value: Option<f64>| value.map_or_else(|| "–".into(), |us| quantity(us, "us"));
    let figures = vec![
        of.partitions.to_string(),
        count(of.acked),
        count(of.failed),
        if done == 0 { "–".into() } else { percent(figure(of.acked) / figure(done)) },
        quantity(figure(of.acked_bytes), "bytes"),
        us(of.service.mean),
        us(of.service.p50.map(figure)),
        us(of.service.p95.map(figure)),
        us(of.service.p99.map(figure)),
        count(of.received),
    ];
    TopicRow { topic: of.topic.clone(), figures }
}
