//! Topic-partitions for the page: a table, and a series of each for small multiples and the map.

use super::{
    Budget,
    column::{Column, figure},
};
use crate::{
    archive::read::CaseArchive,
    model::result::{PartitionFate, PartitionResult, PartitionSeriesRow},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The partitions of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Partitions {
    /// Topics by name; a row holds an index into them.
    topics: Vec<String>,
    /// Columns of the table.
    columns: Vec<TableColumn>,
    /// Start and end of each stretch of the series, in milliseconds on the run's clock.
    from: Column,
    /// End of each stretch.
    to: Column,
    /// Series by name: for each row of the table, its values.
    series: BTreeMap<&'static str, Vec<Column>>,
}

/// A column of the table.
#[derive(Clone, Debug, Serialize)]
struct TableColumn {
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    /// What it means.
    title: &'static str,
    values: Column,
}

type Of = fn(&PartitionResult) -> Option<f64>;

/// Columns: key, label, unit, meaning, value. A column without any value is left out.
const COLUMNS: &[(&str, &str, &str, &str, Of)] = &[
    ("acked", "acked", "records", "Records acknowledged in the measured phases", |p| n(p.acked)),
    ("bytes", "bytes", "bytes", "Key and value bytes acknowledged", |p| n(p.acked_bytes)),
    ("failed", "failed", "records", "Records that failed for good", |p| n(p.failed)),
    ("success", "success", "ratio", "Records acknowledged of those sent and settled", success),
    ("received", "received", "records", "Records received, summed over groups", |p| n(p.received)),
    ("lost", "lost", "records", "Acknowledged and gone, by the brokers' offsets", |p| o(p.lost)),
    ("not_read", "not read", "records", "In the log, and not read in time", |p| {
        f(p, |f| f.not_read)
    }),
    ("expired", "expired", "records", "Removed by retention before they were read", |p| {
        f(p, |f| f.expired)
    }),
    ("compacted", "compacted", "records", "Removed by compaction before they were read", |p| {
        f(p, |f| f.compacted)
    }),
    ("unaccounted", "unaccounted", "records", "Not received, for an unknown reason", |p| {
        f(p, |f| f.unaccounted)
    }),
    (
        "lag_max",
        "lag, most",
        "records",
        "Largest lag of any group in an interval",
        |p| o(p.lag_max),
    ),
    ("lag_end", "lag, end", "records", "Lag after the drain", |p| o(p.lag_end)),
    ("service_mean", "service mean", "us", "Sent to acknowledged", |p| p.service.mean),
    ("service_p50", "service p50", "us", "Sent to acknowledged", |p| o(p.service.p50)),
    ("service_p95", "service p95", "us", "Sent to acknowledged", |p| o(p.service.p95)),
    ("service_p99", "service p99", "us", "Sent to acknowledged", |p| o(p.service.p99)),
    ("response_p50", "response p50", "us", "Due to acknowledged", |p| o(p.response.p50)),
    ("response_p99", "response p99", "us", "Due to acknowledged", |p| o(p.response.p99)),
    ("response_max", "response max", "us", "Due to acknowledged", |p| o(p.response.max)),
    ("e2e_p50", "end to end p50", "us", "Due to received", |p| o(p.end_to_end.p50)),
    ("e2e_p99", "end to end p99", "us", "Due to received", |p| o(p.end_to_end.p99)),
];

fn success(of: &PartitionResult) -> Option<f64> {
    let settled = of.acked + of.failed;
    (settled > 0).then(|| figure(of.acked) / figure(settled))
}

/// A part of the fate, where there is any: a column of nothing but zeros says nothing.
fn f(of: &PartitionResult, part: fn(&PartitionFate) -> u64) -> Option<f64> {
    o(of.fate.as_ref().map(part).filter(|records| *records > 0))
}

fn n(count: u64) -> Option<f64> {
    Some(figure(count))
}

fn o(value: Option<u64>) -> Option<f64> {
    value.map(figure)
}

type SeriesOf = fn(&PartitionSeriesRow) -> Option<f64>;

/// Series: name and value. Rates are a second.
const SERIES: &[(&str, SeriesOf)] = &[
    ("acked", |row| per_s(row, row.acked)),
    ("response_p99", |row| o(row.response_p99_us)),
    ("e2e_p99", |row| o(row.end_to_end_p99_us)),
    ("lag", |row| o(row.lag)),
];

fn per_s(row: &PartitionSeriesRow, count: u64) -> Option<f64> {
    let length = row.end_us.saturating_sub(row.start_us);
    (length > 0).then(|| figure(count) * 1e6 / figure(length))
}

/// The table; none where no partition was touched.
#[must_use]
pub fn table(case: &CaseArchive, budget: Budget) -> Option<Partitions> {
    let rows = &case.result.as_ref()?.partitions;
    if rows.is_empty() {
        return None;
    }
    let mut topics: Vec<String> = rows.iter().map(|row| row.topic.clone()).collect();
    topics.sort();
    topics.dedup();
    let index = |topic: &str| topics.iter().position(|known| known == topic);
    let mut columns = vec![
        TableColumn {
            key: "topic",
            label: "topic",
            unit: "",
            title: "Topic, by its name in the scenario",
            values: rows.iter().map(|row| index(&row.topic).map(|at| figure(at as u64))).collect(),
        },
        TableColumn {
            key: "partition",
            label: "partition",
            unit: "",
            title: "Partition; −1 for records that failed before they had one",
            values: rows.iter().map(|row| Some(f64::from(row.partition))).collect(),
        },
    ];
    for (key, label, unit, title, of) in COLUMNS {
        let values: Column = rows.iter().map(of).collect();
        if values.0.iter().any(Option::is_some) {
            columns.push(TableColumn { key, label, unit, title, values });
        }
    }
    let (stretches, series) = series(rows, &case.partition_series, budget);
    let millis = |us: u64| Some(figure(us / 1000));
    Some(Partitions {
        topics,
        columns,
        from: stretches.iter().map(|(from, _)| millis(*from)).collect(),
        to: stretches.iter().map(|(_, to)| millis(*to)).collect(),
        series,
    })
}

type Stretches = Vec<(u64, u64)>;

/// Series in the order of the table's rows, with so many points that the page stays small: of
/// neighbouring points the higher one is kept.
fn series(
    rows: &[PartitionResult],
    points: &[PartitionSeriesRow],
    budget: Budget,
) -> (Stretches, BTreeMap<&'static str, Vec<Column>>) {
    let mut stretches: Stretches = points.iter().map(|p| (p.start_us, p.end_us)).collect();
    stretches.sort_unstable();
    stretches.dedup();
    let allowed = (budget.partition_points / rows.len() as u64).max(12);
    let group = stretches.len().div_ceil(usize::try_from(allowed).unwrap_or(12)).max(1);
    let at: BTreeMap<u64, usize> =
        stretches.iter().enumerate().map(|(at, (start, _))| (*start, at / group)).collect();
    let merged: Stretches =
        stretches.chunks(group).filter_map(|of| Some((of.first()?.0, of.last()?.1))).collect();
    let place: BTreeMap<(&str, i32), usize> =
        rows.iter().enumerate().map(|(at, r)| ((r.topic.as_str(), r.partition), at)).collect();
    let mut all = BTreeMap::new();
    for (name, of) in SERIES {
        let mut columns = vec![vec![None::<f64>; merged.len()]; rows.len()];
        for point in points {
            let Some(row) = place.get(&(point.topic.as_str(), point.partition)) else { continue };
            let cell = &mut columns[*row][at[&point.start_us]];
            *cell = match (*cell, of(point).map(three_digits)) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
        }
        if columns.iter().flatten().any(Option::is_some) {
            all.insert(*name, columns.into_iter().map(Column).collect());
        }
    }
    (merged, all)
}

/// Three significant digits: a sparkline is thirty pixels high.
fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}
