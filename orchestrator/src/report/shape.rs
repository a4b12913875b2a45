//! Shapes of latency: the percentile curve and the heat map over time, both from histograms.

use super::column::{Column, figure};
use crate::archive::hlog::{LogLine, TAGS};
use mallard_protocol::histogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

/// Points of a percentile curve for each halving of the rest: what HdrHistogram's own plots use.
const POINTS_A_HALVING: u32 = 5;

/// Bins of a heat map in an octave. Even steps within the octave: integers, so that the same records
/// always fall into the same bin.
const BINS_AN_OCTAVE: u64 = 4;

/// Latencies whose distributions the page draws; slip is shown in words.
const DRAWN: usize = 3;

/// A percentile curve: x is the number of nines, −log10(1 − q), y is microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// `service`, `response`, `end_to_end`.
    pub name: &'static str,
    /// Records.
    pub count: u64,
    /// Nines.
    pub nines: Column,
    /// Microseconds.
    pub us: Column,
}

/// Where the records' latencies lay, over time.
#[derive(Clone, Debug, Serialize)]
pub struct HeatMap {
    /// Start of each column, in milliseconds on the run's clock.
    pub from: Column,
    /// End of each column.
    pub to: Column,
    /// Lower edge of each bin in microseconds, and the upper edge of the last one.
    pub edges: Column,
    /// By latency: for each column, pairs of bin and records.
    pub of: BTreeMap<&'static str, Vec<Vec<u64>>>,
}

/// Draws the curves of histograms in the order of [`TAGS`].
#[must_use]
pub fn curves(totals: &[Histogram; 4]) -> Vec<Curve> {
    let drawn = TAGS.iter().zip(totals).take(DRAWN).filter(|(_, of)| !of.is_empty());
    drawn.map(|(name, histogram)| curve(name, histogram)).collect()
}

fn curve(name: &'static str, histogram: &Histogram) -> Curve {
    let max = histogram.max().unwrap_or(0);
    let cells = histogram.buckets().map(|(_, highest, n)| (highest.min(max), n));
    curve_of(name, histogram.count(), cells)
}

/// The curve of so many records in cells of value and count, values ascending.
#[must_use]
pub fn curve_of(
    name: &'static str,
    count: u64,
    mut cells: impl Iterator<Item = (u64, u64)>,
) -> Curve {
    let (mut nines, mut us) = (Vec::new(), Vec::new());
    let (mut seen, mut value) = (0, 0);
    for step in 0_u32.. {
        let rest = 0.5_f64.powf(f64::from(step) / f64::from(POINTS_A_HALVING));
        // The last point is the maximum: beyond it a quantile is a fraction of one record.
        if rest * figure(count) < 0.5 {
            break;
        }
        let rank = ((1.0 - rest) * figure(count)).ceil().max(1.0);
        while figure(seen) < rank
            && let Some((highest, n)) = cells.next()
        {
            seen += n;
            value = highest;
        }
        nines.push(Some(-rest.log10() + 0.0));
        us.push(Some(figure(value)));
    }
    Curve { name, count, nines: Column(nines), us: Column(us) }
}

/// Collects a heat map line by line.
#[derive(Debug)]
pub struct HeatBuilder {
    step_us: u64,
    /// By column, then by latency and bin.
    columns: BTreeMap<u64, [BTreeMap<u64, u64>; DRAWN]>,
}

impl HeatBuilder {
    /// Columns of this length.
    #[must_use]
    pub fn new(step_us: u64) -> Self {
        Self { step_us, columns: BTreeMap::new() }
    }

    /// Adds a line of the log.
    pub fn add(&mut self, line: &LogLine) {
        if line.tag >= DRAWN {
            return;
        }
        // Half a millisecond makes up for the rounding of the log's times.
        let column = (line.start_us + 500) / self.step_us;
        let bins = &mut self.columns.entry(column).or_default()[line.tag];
        for (lowest, _, n) in line.histogram.buckets() {
            *bins.entry(bin_of(lowest)).or_default() += n;
        }
    }

    /// The map; none if there were no records.
    #[must_use]
    pub fn finish(self) -> Option<HeatMap> {
        let bins = || self.columns.values().flatten().flat_map(BTreeMap::keys).copied();
        let (first, last) = (bins().min()?, bins().max()?);
        let mut of = BTreeMap::new();
        for (tag, name) in TAGS.iter().enumerate().take(DRAWN) {
            let pairs = |bins: &BTreeMap<u64, u64>| {
                bins.iter().flat_map(|(bin, n)| [bin - first, *n]).collect::<Vec<_>>()
            };
            let columns: Vec<_> = self.columns.values().map(|of| pairs(&of[tag])).collect();
            if columns.iter().any(|column| !column.is_empty()) {
                of.insert(*name, columns);
            }
        }
        let millis = |column: u64| Some(figure(column * self.step_us / 1000));
        Some(HeatMap {
            from: self.columns.keys().map(|column| millis(*column)).collect(),
            to: self.columns.keys().map(|column| millis(column + 1)).collect(),
            edges: (first..=last + 1).map(|bin| Some(figure(lower_edge(bin)))).collect(),
            of,
        })
    }
}

/// The bin of a value: four an octave; below 4 µs one a microsecond.
fn bin_of(us: u64) -> u64 {
    if us < BINS_AN_OCTAVE {
        return us;
    }
    let octave = u64::from(us.ilog2());
    (octave - 1) * BINS_AN_OCTAVE + ((us >> (octave - 2)) & (BINS_AN_OCTAVE - 1))
}

fn lower_edge(bin: u64) -> u64 {
    if bin < BINS_AN_OCTAVE {
        return bin;
    }
    let octave = bin / BINS_AN_OCTAVE + 1;
    (BINS_AN_OCTAVE + bin % BINS_AN_OCTAVE) << (octave - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_each_other_without_gaps() {
        for bin in 0..100 {
            assert_eq!(bin_of(lower_edge(bin)), bin);
            assert_eq!(bin_of(lower_edge(bin + 1) - 1), bin);
        }
    }

    #[test]
    fn a_curve_rises_to_the_maximum_and_counts_every_record() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|us| histogram.record(us));
        let curve = curve("response", &histogram);
        assert_eq!(curve.nines.0[0], Some(0.0));
        assert_eq!(curve.us.0[0], Some(1.0));
        assert_eq!(curve.us.0[5], Some(500.0));
        assert!(curve.us.0.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(curve.us.0.last(), Some(&Some(1000.0)));
    }

    #[test]
    fn a_heat_map_holds_every_record() {
        let mut heat = HeatBuilder::new(10_000_000);
        for second in 0..30 {
            let mut histogram = Histogram::new();
            histogram.record_n(100 + second, 10);
            let (start_us, end_us) = (second * 1_000_000, (second + 1) * 1_000_000);
            heat.add(&LogLine { tag: 1, start_us, end_us, histogram });
        }
        let map = heat.finish().unwrap();
        assert_eq!(map.from.0.len(), 3);
        let records: u64 = map.of["response"].iter().flatten().skip(1).step_by(2).sum();
        assert_eq!(records, 300);
    }
}
