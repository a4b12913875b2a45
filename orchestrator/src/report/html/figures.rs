//! The figures of a case by subject, and of each of its topics: what a performance report lists.

use crate::{
    metrics::{self, Subject},
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

/// The figures that a case has, by subject.
pub(super) fn groups(result: &CaseResult) -> Vec<FigureGroup> {
    let groups = Subject::ALL.map(|subject| {
        let listed =
            metrics::registry().iter().filter_map(|metric| metric.listed.zip(Some(metric)));
        let mine = listed.filter(|((of, _), _)| *of == subject);
        FigureGroup {
            title: subject.title(),
            rows: mine.filter_map(|((_, label), metric)| row(result, label, metric.name)).collect(),
        }
    });
    groups.into_iter().filter(|group| !group.rows.is_empty()).collect()
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
