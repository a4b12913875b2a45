//! The latency histogram: HdrHistogram's layout with three significant digits, kept in pages.
//!
//! An HdrHistogram over an hour in microseconds takes 23,552 counters, 184 KiB. An agent keeps two of
//! them for every partition, so a thousand partitions would take 368 MiB. Within one interval one
//! partition's latencies touch few of the counters, so here the counters lie in pages of
//! [`PAGE_CELLS`] that exist only once something was recorded in them. Recording stays a shift, an
//! index and an addition; merging and sending touch what was recorded and nothing else.
//!
//! Where there are a thousand partitions each of them sees few records in an interval, and a page for
//! almost every one. So the first [`FEW`] values are only listed, two bytes each, and counted in pages
//! when there are more.
//!
//! A histogram that came over the wire stays packed, as the bytes it came in, until something is
//! recorded in it: whoever merges a hundred thousand of them a second reads their few cells once, and
//! never makes a page for any of them.
//!
//! Cells are the same as those of an HdrHistogram with a lowest discernible value of 1 and three
//! significant digits (a relative error of at most 1/1024 of a value), so a histogram converts to and
//! from HdrHistogram without loss. The exact minimum, maximum and sum are kept beside the cells:
//! a percentile never exceeds the maximum, and the mean is exact.
//!
//! Invariant: merging is addition, cell by cell; it is associative and commutative, and loses nothing.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;

/// Largest value that is told apart, in microseconds: one hour. Larger ones are recorded as this and
/// counted by [`Histogram::saturated`].
pub const MAX_VALUE_US: u64 = 3_600_000_000;

/// Counters in a page: an eighth of an octave.
pub const PAGE_CELLS: usize = 128;

/// log2 of the cells in an octave: 1,024 cells give three significant digits.
const OCTAVE_BITS: u32 = 10;

/// Cells for values below 2^32: the linear ones below 1,024, then 22 octaves.
const CELLS: usize = (32 - OCTAVE_BITS as usize + 1) << OCTAVE_BITS;

/// Pages that hold [`CELLS`].
const PAGES: usize = CELLS / PAGE_CELLS;

/// Values that are listed before there are pages: 2 KiB of them, as much as two pages take.
pub const FEW: usize = 1_024;

type Page = Box<[u64; PAGE_CELLS]>;

// A cell's number in two bytes.
const _: () = assert!(CELLS <= 1 << 16);

/// Counts of values from 0 to [`MAX_VALUE_US`], by cells of three significant digits.
#[derive(Clone)]
pub struct Histogram {
    pages: Vec<Option<Page>>,
    /// Cells as on the wire; empty as soon as there are pages.
    packed: Vec<u8>,
    /// The cell of every value, as they came; empty as soon as there is anything of the others.
    few: Vec<u16>,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
    saturated: u64,
}

/// The exact figures of some values.
struct Exact {
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram. It takes no page until something is recorded.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            pages: Vec::new(),
            packed: Vec::new(),
            few: Vec::new(),
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
            saturated: 0,
        }
    }

    /// Records a value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Records a value that occurred `n` times.
    #[inline]
    pub fn record_n(&mut self, value: u64, n: u64) {
        let mut value = value;
        if value > MAX_VALUE_US {
            self.saturated += n;
            value = MAX_VALUE_US;
        }
        self.count += n;
        self.sum = self.sum.saturating_add(value.saturating_mul(n));
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if self.pages.is_empty() {
            self.record_in_list(cell_of(value), n);
        } else {
            *self.cell_mut(cell_of(value)) += n;
        }
    }

    /// Records values; those that follow each other and are the same at once.
    #[inline]
    pub fn record_each(&mut self, values: impl IntoIterator<Item = u64>) {
        let (mut same, mut n) = (0, 0);
        let mut all = Exact { count: 0, sum: 0, min: u64::MAX, max: 0 };
        for value in values {
            if value != same {
                self.record_same(same, n, &mut all);
                (same, n) = (value, 0);
            }
            n += 1;
        }
        self.record_same(same, n, &mut all);
        self.count += all.count;
        self.sum = self.sum.saturating_add(all.sum);
        self.min = self.min.min(all.min);
        self.max = self.max.max(all.max);
    }

    /// Counts a value's cell, and the value in `all`, which is added to the exact figures later.
    #[inline]
    fn record_same(&mut self, value: u64, n: u64, all: &mut Exact) {
        if n == 0 {
            return;
        }
        if self.pages.is_empty() || value > MAX_VALUE_US {
            return self.record_n(value, n);
        }
        all.count += n;
        all.sum = all.sum.saturating_add(value.saturating_mul(n));
        all.min = all.min.min(value);
        all.max = all.max.max(value);
        *self.cell_mut(cell_of(value)) += n;
    }

    /// Lists a value while it is one of few, and turns to pages when it is not.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "cells are fewer than 2^16, and n is checked"
    )]
    fn record_in_list(&mut self, cell: usize, n: u64) {
        let listed = self.few.len();
        if self.packed.is_empty() && n <= (FEW - listed) as u64 {
            self.few.resize(listed + n as usize, cell as u16);
        } else {
            *self.cell_mut(cell) += n;
        }
    }

    /// Adds all that another histogram counted.
    pub fn add(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 && self.pages.is_empty() && other.pages.is_empty() {
            self.packed.clone_from(&other.packed);
            self.few.clone_from(&other.few);
        } else {
            self.add_cells(other);
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.saturated += other.saturated;
    }

    fn add_cells(&mut self, other: &Self) {
        self.reserve_pages();
        for (mine, theirs) in self.pages.iter_mut().zip(&other.pages) {
            let Some(theirs) = theirs else { continue };
            match mine {
                None => *mine = Some(theirs.clone()),
                Some(mine) => mine.iter_mut().zip(theirs.iter()).for_each(|(a, b)| *a += b),
            }
        }
        for (cell, n) in (PackedCells { bytes: &other.packed, next: 0 }) {
            *self.cell_mut(cell) += n;
        }
        for cell in &other.few {
            *self.cell_mut(usize::from(*cell)) += 1;
        }
    }

    /// Takes what was counted and leaves the histogram empty.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Empties the histogram. Pages that were touched since the last clearing stay allocated for what
    /// comes next; the others are given back, so memory follows what is recorded now.
    pub fn clear(&mut self) {
        for slot in &mut self.pages {
            let Some(page) = slot else { continue };
            if page.iter().all(|n| *n == 0) { *slot = None } else { page.fill(0) }
        }
        self.packed.clear();
        self.few.clear();
        (self.count, self.sum, self.min, self.max, self.saturated) = (0, 0, u64::MAX, 0, 0);
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many values were beyond [`MAX_VALUE_US`].
    #[must_use]
    pub fn saturated(&self) -> u64 {
        self.saturated
    }

    /// Sum of all values, exact until it saturates at `u64::MAX`.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The smallest value, exact; `None` when empty.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest value, exact up to [`MAX_VALUE_US`]; `None` when empty.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The exact arithmetic mean; `None` when empty.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The value at a quantile in 0.0..=1.0: the smallest value that at least `quantile` of all
    /// records do not exceed, rounded up to the end of its cell (as HdrHistogram does) and never beyond
    /// the exact maximum. `None` when empty.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "ranks are below 2^53"
    )]
    pub fn value_at_quantile(&self, quantile: f64) -> Option<u64> {
        let rank = ((quantile.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (cell, n) in self.cells() {
            seen += n;
            if seen >= rank {
                return Some(highest_in(cell).min(self.max));
            }
        }
        self.max()
    }

    /// How many values were at most `value`, by whole cells.
    #[must_use]
    pub fn count_at_most(&self, value: u64) -> u64 {
        let last = cell_of(value.min(MAX_VALUE_US));
        self.cells().take_while(|(cell, _)| *cell <= last).map(|(_, n)| n).sum()
    }

    /// Every cell with records: its lowest value, its highest value, its count; in rising order.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.cells().map(|(cell, n)| (lowest_in(cell), highest_in(cell), n))
    }

    /// Calls `each` with the number of every cell with records and its count, in rising order: numbers are
    /// those of HdrHistogram's counters. Faster than [`Histogram::buckets`] for whoever adds up many.
    #[inline]
    pub fn for_each_cell(&self, mut each: impl FnMut(usize, u64)) {
        self.cells().for_each(|(cell, n)| each(cell, n));
    }

    /// Bytes that the counters take.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.pages.capacity() * size_of::<Option<Page>>()
            + self.pages.iter().flatten().count() * size_of::<[u64; PAGE_CELLS]>()
            + self.packed.capacity()
            + self.few.capacity() * size_of::<u16>()
    }

    fn cells(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let pages = self.pages.iter().enumerate();
        let pages = pages.filter_map(|(at, page)| Some((at, page.as_ref()?)));
        let paged = pages.flat_map(|(at, page)| {
            let first = at * PAGE_CELLS;
            page.iter().enumerate().filter(|(_, n)| **n > 0).map(move |(i, n)| (first + i, *n))
        });
        paged.chain(PackedCells { bytes: &self.packed, next: 0 }).chain(listed_cells(&self.few))
    }

    #[inline]
    fn cell_mut(&mut self, cell: usize) -> &mut u64 {
        if self.pages.is_empty() {
            self.reserve_pages();
        }
        let page = &mut self.pages[cell / PAGE_CELLS];
        &mut page.get_or_insert_with(new_page)[cell % PAGE_CELLS]
    }

    fn reserve_pages(&mut self) {
        if self.pages.is_empty() {
            self.pages.resize_with(PAGES, || None);
            let packed = std::mem::take(&mut self.packed);
            for (cell, n) in (PackedCells { bytes: &packed, next: 0 }) {
                *self.cell_mut(cell) += n;
            }
            for cell in std::mem::take(&mut self.few) {
                *self.cell_mut(usize::from(cell)) += 1;
            }
        }
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        (self.count, self.sum, self.saturated, self.min(), self.max())
            == (other.count, other.sum, other.saturated, other.min(), other.max())
            && self.cells().eq(other.cells())
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count)
            .field("min", &self.min())
            .field("p50", &self.value_at_quantile(0.5))
            .field("max", &self.max())
            .finish_non_exhaustive()
    }
}

#[cold]
fn new_page() -> Page {
    Box::new([0; PAGE_CELLS])
}

/// Cells of listed values with how many there are of each, in rising order.
fn listed_cells(few: &[u16]) -> impl Iterator<Item = (usize, u64)> + use<> {
    let mut cells = few.to_vec();
    cells.sort_unstable();
    let mut cells = cells.into_iter().peekable();
    std::iter::from_fn(move || {
        let cell = cells.next()?;
        let mut n = 1;
        while cells.next_if_eq(&cell).is_some() {
            n += 1;
        }
        Some((usize::from(cell), n))
    })
}

/// The cell of a value: linear below 2,048, then 1,024 cells an octave.
#[inline]
fn cell_of(value: u64) -> usize {
    let octave = (64 - (value >> OCTAVE_BITS).leading_zeros()).saturating_sub(1);
    ((octave as usize) << OCTAVE_BITS) + (value >> octave) as usize
}

fn octave_and_step(cell: usize) -> (usize, u64) {
    let octave = (cell >> OCTAVE_BITS).saturating_sub(1);
    (octave, (cell - (octave << OCTAVE_BITS)) as u64)
}

fn lowest_in(cell: usize) -> u64 {
    let (octave, step) = octave_and_step(cell);
    step << octave
}

fn highest_in(cell: usize) -> u64 {
    let (octave, step) = octave_and_step(cell);
    ((step + 1) << octave) - 1
}

/// On the wire: the exact figures, and the cells as pairs of LEB128 numbers (cells skipped, count).
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    sum: u64,
    min: u64,
    max: u64,
    saturated: u64,
    #[serde(borrow, with = "serde_bytes")]
    cells: Cow<'a, [u8]>,
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_packed = self.pages.is_empty() && self.few.is_empty();
        let cells =
            if is_packed { Cow::Borrowed(self.packed.as_slice()) } else { Cow::Owned(self.pack()) };
        let Self { sum, max, saturated, .. } = *self;
        let min = self.min().unwrap_or(0);
        Wire { sum, min, max, saturated, cells }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of_wire(Wire::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Histogram {
    fn pack(&self) -> Vec<u8> {
        let (mut bytes, mut next) = (Vec::new(), 0);
        self.for_each_cell(|cell, n| {
            write_varint(&mut bytes, (cell - next) as u64);
            write_varint(&mut bytes, n);
            next = cell + 1;
        });
        bytes
    }

    fn of_wire(wire: Wire<'_>) -> Result<Self, &'static str> {
        let mut count = 0_u64;
        let mut bytes = &*wire.cells;
        let mut next = 0_u64;
        while !bytes.is_empty() {
            let skipped = read_varint(&mut bytes).ok_or("a histogram's cells are cut short")?;
            let n = read_varint(&mut bytes).ok_or("a histogram's cells are cut short")?;
            let cell = next
                .checked_add(skipped)
                .filter(|cell| *cell < (PAGES * PAGE_CELLS) as u64)
                .ok_or("a histogram's cell is out of range")?;
            count = count.checked_add(n).ok_or("a histogram's count overflows")?;
            next = cell + 1;
        }
        if count == 0 {
            return Ok(Self::new());
        }
        let Wire { sum, min, max, saturated, cells } = wire;
        Ok(Self { packed: cells.into_owned(), count, sum, min, max, saturated, ..Self::new() })
    }
}

/// Cells with records, of bytes that were checked when they came.
struct PackedCells<'a> {
    bytes: &'a [u8],
    next: usize,
}

impl Iterator for PackedCells<'_> {
    type Item = (usize, u64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let skipped = read_varint(&mut self.bytes)?;
            let n = read_varint(&mut self.bytes)?;
            let cell = self.next + usize::try_from(skipped).ok()?;
            self.next = cell + 1;
            if n > 0 {
                return Some((cell, n));
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "LEB128 takes seven bits at a time")]
fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values.iter().for_each(|value| histogram.record(*value));
        histogram
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        let spread = prop_oneof![0_u64..3_000, 0_u64..2_000_000, 0..=MAX_VALUE_US];
        prop_oneof![
            prop::collection::vec(spread.clone(), 0..200),
            prop::collection::vec(spread, FEW - 3..FEW + 100),
        ]
    }

    proptest! {
        #[test]
        fn cells_and_quantiles_are_those_of_hdrhistogram(values in values()) {
            let ours = of(&values);
            let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, MAX_VALUE_US, 3).unwrap();
            for value in &values { theirs.record(*value).unwrap(); }
            let cells: Vec<_> = theirs.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect();
            prop_assert_eq!(ours.buckets().map(|(_, high, n)| (high, n)).collect::<Vec<_>>(), cells);
            for quantile in [0.001, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let expected = (!values.is_empty())
                    .then(|| theirs.value_at_quantile(quantile).min(*values.iter().max().unwrap()));
                prop_assert_eq!(ours.value_at_quantile(quantile), expected);
            }
        }

        #[test]
        fn values_recorded_together_are_those_recorded_one_by_one(
            values in prop::collection::vec(prop_oneof![0..4_u64, MAX_VALUE_US - 2..], 0..60), few in prop_oneof![0..2_usize, FEW..FEW + 2],
        ) {
            let mut together = of(&vec![3; few]);
            together.record_each(values.iter().copied());
            let one_by_one = of(&[&vec![3; few][..], &values].concat());
            prop_assert_eq!(together, one_by_one);
        }

        #[test]
        fn merging_is_recording_everything_in_one(a in values(), b in values(), c in values()) {
            let mut left = of(&a);
            left.add(&of(&b));
            left.add(&of(&c));
            let mut tail = of(&c);
            tail.add(&of(&b));
            let mut right = tail;
            right.add(&of(&a));
            prop_assert_eq!(&left, &right);
            prop_assert_eq!(&left, &of(&[a, b, c].concat()));
        }

        #[test]
        fn the_wire_loses_nothing(values in values()) {
            let histogram = of(&values);
            let bytes = postcard::to_stdvec(&histogram).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Histogram>(&bytes).unwrap(), histogram);
        }

        #[test]
        fn what_came_over_the_wire_merges_and_records_like_any_other(
            a in values(), b in values(), c in values(),
        ) {
            let packed = |values: &[u64]| {
                let bytes = postcard::to_stdvec(&of(values)).unwrap();
                postcard::from_bytes::<Histogram>(&bytes).unwrap()
            };
            let whole = of(&[a.clone(), b.clone(), c.clone()].concat());
            let mut first = Histogram::new();
            first.add(&packed(&a));
            first.add(&packed(&b));
            c.iter().for_each(|value| first.record(*value));
            prop_assert_eq!(&first, &whole);
            let mut second = packed(&a);
            second.add(&of(&b));
            second.add(&packed(&c));
            prop_assert_eq!(&second, &whole);
            let mut third = of(&a);
            third.add(&packed(&b));
            third.add(&packed(&c));
            prop_assert_eq!(&third, &whole);
            third.clear();
            third.add(&packed(&a));
            prop_assert_eq!(third, of(&a));
            let again = postcard::to_stdvec(&packed(&a)).unwrap();
            prop_assert_eq!(again, postcard::to_stdvec(&of(&a)).unwrap());
        }

        #[test]
        fn garbage_on_the_wire_is_an_error_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = postcard::from_bytes::<Histogram>(&bytes);
        }

        #[test]
        fn a_cleared_histogram_is_like_new(a in values(), b in values()) {
            let mut histogram = of(&a);
            histogram.clear();
            b.iter().for_each(|value| histogram.record(*value));
            prop_assert_eq!(histogram, of(&b));
        }
    }

    #[test]
    fn values_beyond_an_hour_saturate_and_are_counted() {
        let histogram = of(&[1, MAX_VALUE_US, MAX_VALUE_US + 1, u64::MAX]);
        assert_eq!((histogram.count(), histogram.saturated()), (4, 2));
        assert_eq!(histogram.max(), Some(MAX_VALUE_US));
    }

    #[test]
    fn many_at_once_count_like_one_after_another() {
        for (few, many) in [(0, FEW), (1, FEW), (FEW - 1, 1), (FEW, 1), (0, FEW + 1), (5, 1 << 20)]
        {
            let (mut at_once, mut in_turn) = (of(&vec![700; few]), of(&vec![700; few]));
            at_once.record_n(3_000, many as u64);
            (0..many).for_each(|_| in_turn.record(3_000));
            assert_eq!(at_once, in_turn, "{few}, then {many}");
        }
    }

    #[test]
    fn a_percentile_never_exceeds_the_maximum() {
        assert_eq!(of(&[1_000_001]).value_at_quantile(0.99), Some(1_000_001));
    }

    #[test]
    fn a_typical_interval_of_a_partition_is_small() {
        // 200 records between 300 µs and 5 ms: what a partition sees in a second of moderate load.
        let histogram = of(&(0..200).map(|i| 300 + i * 23).collect::<Vec<_>>());
        assert!(postcard::to_stdvec(&histogram).unwrap().len() < 500);
        assert!(histogram.heap_bytes() <= 512, "{}", histogram.heap_bytes());
    }
}
