//! Series for the charts: rows of 1 s rolled up so that a page stays small however long the run.
//!
//! Counts are added, levels (lag, backlog) keep their highest, percentiles come from the merged
//! histograms of `latency.hlog` and are never averaged. A step of 1 s takes `series.csv` as it is.

use super::column::{Column, figure};
use crate::{
    archive::hlog::{self, LogLine},
    model::result::SeriesRow,
};
use mallard_protocol::{counters::Counter, histogram::Histogram};
use serde::Serialize;
use std::collections::BTreeMap;

/// Steps that a level may have, in microseconds.
const STEPS_US: [u64; 13] = [
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
    7_200_000_000,
];

/// Percentiles of a level, by column suffix.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

/// The smallest step that gives at most `rows` rows for a run of this length.
#[must_use]
pub fn step_for(length_us: u64, rows: u64) -> u64 {
    let fits = |step: &u64| length_us.div_ceil(*step) <= rows;
    STEPS_US.into_iter().find(fits).unwrap_or_else(|| length_us.div_ceil(rows.max(1)).max(1))
}

/// One resolution of the series. Times are milliseconds on the run's clock.
#[derive(Clone, Debug, Serialize)]
pub struct Level {
    /// Length of a row.
    pub step: u64,
    /// Start of each row.
    pub from: Column,
    /// End of each row.
    pub to: Column,
    /// Figures by name.
    pub columns: BTreeMap<&'static str, Column>,
}

/// Builds a level from rows and log lines that come in order.
#[derive(Debug)]
pub struct Roller {
    step_us: u64,
    rows: Vec<Row>,
}

/// A row in the making.
#[derive(Debug, Default)]
struct Row {
    start_us: u64,
    end_us: u64,
    /// Sum of the lengths of its intervals: less than `end - start` where some are missing.
    covered_us: u64,
    sums: SeriesRow,
    target_sum: Option<f64>,
    histograms: [Histogram; 4],
}

impl Roller {
    /// Rolls up to rows of this length.
    #[must_use]
    pub fn new(step_us: u64, series: &[SeriesRow]) -> Self {
        let mut roller = Self { step_us, rows: Vec::new() };
        for row in series {
            let at = roller.rows.last().map(|last| last.start_us / step_us);
            let fine = step_us <= STEPS_US[0];
            if fine || at != Some(row.start_us / step_us) {
                roller.rows.push(Row { start_us: row.start_us, ..Row::default() });
            }
            if let Some(last) = roller.rows.last_mut() {
                last.add(row);
            }
        }
        roller
    }

    /// Whether percentiles have to come from the log.
    #[must_use]
    pub fn wants_log(&self) -> bool {
        self.step_us > STEPS_US[0]
    }

    /// Adds a line of the log to the row in which it starts.
    pub fn add(&mut self, line: &LogLine) {
        // The log's times are rounded to the millisecond: half of one is the tolerance.
        let at = self.rows.partition_point(|row| row.start_us <= line.start_us + 500);
        if let Some(row) = at.checked_sub(1).and_then(|at| self.rows.get_mut(at)) {
            row.histograms[line.tag].add(&line.histogram);
        }
    }

    /// The level.
    #[must_use]
    pub fn finish(self) -> Level {
        let wants_log = self.wants_log();
        let each = |f: &dyn Fn(&Row) -> Option<f64>| self.rows.iter().map(f).collect::<Column>();
        let mut columns = BTreeMap::new();
        for (name, of) in COUNTED {
            columns.insert(*name, each(&|row| row.per_s(of(&row.sums))));
        }
        for (name, of) in LEVELS {
            columns.insert(*name, each(&|row| of(&row.sums).map(figure)));
        }
        columns
            .insert("target", each(&|row| row.target_sum.map(|sum| sum / figure(row.covered_us))));
        for (at, tag) in hlog::TAGS.iter().enumerate() {
            for (suffix, quantile) in QUANTILES {
                let Some(name) = column_name(tag, suffix) else { continue };
                columns.insert(name, each(&|row| row.percentile(at, suffix, quantile, wants_log)));
            }
        }
        columns.retain(|_, column| column.0.iter().any(Option::is_some));
        let millis = |us: u64| Some(figure(us.saturating_add(500) / 1000));
        Level {
            step: self.step_us / 1000,
            from: each(&|row| millis(row.start_us)),
            to: each(&|row| millis(row.end_us)),
            columns,
        }
    }
}

type Counted = fn(&SeriesRow) -> u64;
type Highest = fn(&SeriesRow) -> Option<u64>;

/// Columns that are counts, shown a second.
const COUNTED: &[(&str, Counted)] = &[
    ("scheduled", |row| row.scheduled),
    ("sent", |row| row.sent),
    ("acked", |row| row.acked),
    ("failed", |row| row.failed),
    ("received", |row| row.received),
    ("acked_bytes", |row| row.acked_bytes),
    ("received_bytes", |row| row.received_bytes),
    ("late", |row| row.late),
    (Counter::QueueFull.row().name, |row| row.counters.get(Counter::QueueFull)),
];

/// Columns of which the highest counts.
const LEVELS: &[(&str, Highest)] = &[
    ("not_sent", |row| Some(row.not_sent)),
    ("outstanding", |row| Some(row.outstanding)),
    ("lag", |row| row.lag),
    ("queue", |row| row.queue),
    ("rebalances", |row| Some(row.rebalances)),
    ("service_max", |row| row.service_max_us),
    ("response_max", |row| row.response_max_us),
    ("end_to_end_max", |row| row.end_to_end_max_us),
    ("slip_max", |row| row.slip_max_us),
];

/// The columns that the page draws; the names are fixed so that a level does not own them.
fn column_name(tag: &str, suffix: &str) -> Option<&'static str> {
    const NAMES: [&str; 13] = [
        "service_p50",
        "service_p95",
        "service_p99",
        "service_p999",
        "response_p50",
        "response_p95",
        "response_p99",
        "response_p999",
        "end_to_end_p50",
        "end_to_end_p95",
        "end_to_end_p99",
        "end_to_end_p999",
        "slip_p99",
    ];
    NAMES
        .into_iter()
        .find(|name| name.strip_prefix(tag).and_then(|r| r.strip_prefix('_')) == Some(suffix))
}

impl Row {
    fn add(&mut self, row: &SeriesRow) {
        let length = row.end_us.saturating_sub(row.start_us);
        self.end_us = row.end_us;
        self.covered_us += length;
        if let Some(target) = row.target_per_s {
            *self.target_sum.get_or_insert(0.0) += target * figure(length);
        }
        let sums = &mut self.sums;
        sums.scheduled += row.scheduled;
        sums.sent += row.sent;
        sums.acked += row.acked;
        sums.failed += row.failed;
        sums.received += row.received;
        sums.acked_bytes += row.acked_bytes;
        sums.received_bytes += row.received_bytes;
        sums.late += row.late;
        sums.counters.absorb(&row.counters);
        sums.rebalances += row.rebalances;
        sums.not_sent = sums.not_sent.max(row.not_sent);
        sums.outstanding = sums.outstanding.max(row.outstanding);
        let highest = [
            (&mut sums.lag, row.lag),
            (&mut sums.queue, row.queue),
            (&mut sums.slip_max_us, row.slip_max_us),
            (&mut sums.service_max_us, row.service_max_us),
            (&mut sums.response_max_us, row.response_max_us),
            (&mut sums.end_to_end_max_us, row.end_to_end_max_us),
        ];
        for (mine, theirs) in highest {
            *mine = (*mine).max(theirs);
        }
        // For rows of one interval these are the row's percentiles; longer ones take the log's.
        sums.slip_p99_us = row.slip_p99_us;
        (sums.service_p50_us, sums.service_p95_us) = (row.service_p50_us, row.service_p95_us);
        sums.service_p99_us = row.service_p99_us;
        (sums.response_p50_us, sums.response_p95_us) = (row.response_p50_us, row.response_p95_us);
        sums.response_p99_us = row.response_p99_us;
        sums.end_to_end_p50_us = row.end_to_end_p50_us;
        sums.end_to_end_p95_us = row.end_to_end_p95_us;
        sums.end_to_end_p99_us = row.end_to_end_p99_us;
    }

    fn per_s(&self, count: u64) -> Option<f64> {
        (self.covered_us > 0).then(|| figure(count) * 1e6 / figure(self.covered_us))
    }

    fn percentile(&self, tag: usize, suffix: &str, quantile: f64, from_log: bool) -> Option<f64> {
        if from_log {
            return self.histograms[tag].value_at_quantile(quantile).map(figure);
        }
        let row = &self.sums;
        let value = match (hlog::TAGS[tag], suffix) {
            ("service", "p50") => row.service_p50_us,
            ("service", "p95") => row.service_p95_us,
            ("service", "p99") => row.service_p99_us,
            ("response", "p50") => row.response_p50_us,
            ("response", "p95") => row.response_p95_us,
            ("response", "p99") => row.response_p99_us,
            ("end_to_end", "p50") => row.end_to_end_p50_us,
            ("end_to_end", "p95") => row.end_to_end_p95_us,
            ("end_to_end", "p99") => row.end_to_end_p99_us,
            ("slip", "p99") => row.slip_p99_us,
            _ => None,
        };
        value.map(figure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(second: u64, acked: u64) -> SeriesRow {
        SeriesRow {
            start_us: second * 1_000_000,
            end_us: (second + 1) * 1_000_000,
            acked,
            lag: Some(acked),
            target_per_s: Some(10.0),
            response_p99_us: Some(acked),
            ..SeriesRow::default()
        }
    }

    #[test]
    fn counts_add_up_levels_keep_their_highest_and_percentiles_come_from_merged_histograms() {
        let series: Vec<_> = (0..25).map(|second| row(second, second)).collect();
        let mut roller = Roller::new(10_000_000, &series);
        for second in 0..25 {
            let mut histogram = Histogram::new();
            histogram.record_n(second + 1, 1 + second * 100);
            let (start_us, end_us) = (second * 1_000_000, (second + 1) * 1_000_000);
            roller.add(&LogLine { tag: 1, start_us, end_us, histogram });
        }
        let level = roller.finish();
        let column = |name: &str| level.columns[name].0.clone();
        assert_eq!(level.from.0, [Some(0.0), Some(10_000.0), Some(20_000.0)]);
        assert_eq!(column("acked"), [Some(4.5), Some(14.5), Some(22.0)]);
        assert_eq!(column("lag"), [Some(9.0), Some(19.0), Some(24.0)]);
        assert_eq!(column("target"), [Some(10.0); 3]);
        assert_eq!(column("response_p50"), [Some(8.0), Some(16.0), Some(23.0)]);
        assert!(!level.columns.contains_key("service_p50"));
    }

    #[test]
    fn a_day_has_a_row_a_minute_and_twenty_seconds_have_twenty() {
        assert_eq!(step_for(20_000_000, 1_500), 1_000_000);
        assert_eq!(step_for(86_400_000_000, 1_500), 60_000_000);
        assert_eq!(step_for(86_400_000_000, 9_000), 10_000_000);
        let level = Roller::new(1_000_000, &[row(0, 1), row(1, 2)]).finish();
        assert_eq!(level.columns["response_p99"].0, [Some(1.0), Some(2.0)]);
    }
}
