//! Which topic-partitions changed most.

use super::model::PartitionChange;
use crate::{
    model::result::PartitionResult,
    over_time::{observation::Observation, statistics::robust::median},
};
use std::collections::BTreeMap;

/// Partitions that are shown.
const SHOWN: usize = 12;

/// A ratio within this of 1 is no change worth a row.
const LEAST: f64 = 1.05;

type Of = fn(&PartitionResult) -> Option<u64>;

/// What is compared of a partition: name, unit, value.
const FIGURES: [(&str, &str, Of); 3] = [
    ("response.p99", "us", |row| row.response.p99),
    ("end_to_end.p99", "us", |row| row.end_to_end.p99),
    ("acked", "records", |row| Some(row.acked)),
];

/// The changes that are largest, by their ratios.
#[must_use]
pub(super) fn changes(base: &[&Observation], with: &[&Observation]) -> Vec<PartitionChange> {
    let mut changes = Vec::new();
    for (what, unit, of) in FIGURES {
        let (base, with) = (medians(base, of), medians(with, of));
        for ((topic, partition), base) in base {
            let Some(with) = with.get(&(topic, partition)).copied() else { continue };
            if base <= 0.0 || with <= 0.0 {
                continue;
            }
            let ratio = with / base;
            let topic = topic.to_owned();
            changes.push(PartitionChange { topic, partition, what, unit, base, with, ratio });
        }
    }
    changes.retain(|change| change.ratio.ln().abs() >= LEAST.ln());
    changes.sort_by(|a, b| {
        let size = |change: &PartitionChange| change.ratio.ln().abs();
        let place =
            |change: &PartitionChange| (change.topic.clone(), change.partition, change.what);
        size(b).total_cmp(&size(a)).then_with(|| place(a).cmp(&place(b)))
    });
    changes.truncate(SHOWN);
    changes
}

fn medians<'a>(side: &[&'a Observation], of: Of) -> BTreeMap<(&'a str, i32), f64> {
    let mut values: BTreeMap<(&str, i32), Vec<f64>> = BTreeMap::new();
    for row in side.iter().flat_map(|observation| &observation.result.partitions) {
        if let Some(value) = of(row).filter(|_| row.partition >= 0) {
            values.entry((&row.topic, row.partition)).or_default().push(value as f64);
        }
    }
    values.into_iter().filter_map(|(place, values)| Some((place, median(values)?))).collect()
}
