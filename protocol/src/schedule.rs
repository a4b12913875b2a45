//! When each record is due.
//!
//! A [`Schedule`] is a piecewise linear rate over the run's clock. Its integral `F(t)` counts records;
//! record *i* is due at `F⁻¹(i)`, so the first one of a schedule is due at its very start. The
//! instances of a producer share one schedule by interleaving: of *n* instances, instance *k* sends
//! records *k*, *k + n*, *k + 2n*, … Nothing is rounded per instance, so the parts add up exactly.
//!
//! Invariant: due times never decrease, and [`Schedule::due_before`] is the exact count of records
//! that [`Cursor`] hands out before the same time.

use crate::ids::PhaseId;
use serde::{Deserialize, Serialize};

/// What a phase of the timeline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PhaseKind {
    /// Load that is left out of results and verdict.
    WarmUp,
    /// A constant rate.
    Hold,
    /// A rate that moves in a straight line.
    Ramp,
    /// A base rate with peaks.
    Burst,
    /// No load on purpose.
    Pause,
    /// Producers have stopped; consumers catch up.
    Drain,
}

impl PhaseKind {
    /// The key of the step in a scenario, and the word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Hold => "hold",
            Self::Ramp => "ramp",
            Self::Burst => "burst",
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }

    /// Whether records due in this phase enter results and verdict.
    #[must_use]
    pub fn is_measured(self) -> bool {
        !matches!(self, Self::WarmUp | Self::Drain)
    }
}

/// A stretch of the timeline: `[start_us, end_us)` on the run's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Unique in its case: the kind, with a number where a kind occurs more than once (`hold-2`).
    pub name: String,
    /// What it is for.
    pub kind: PhaseKind,
    /// First microsecond.
    pub start_us: u64,
    /// First microsecond after it. For a drain, the latest end.
    pub end_us: u64,
}

/// Length of intervals in the first one to two seconds of a drain, in microseconds.
const HASTY_US: u64 = crate::INTERVAL_US / 5;

/// A case's phases in order, without gaps, the first at 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline(pub Vec<Phase>);

impl Timeline {
    /// The phase that a moment of the run's clock lies in; moments after the end belong to the last.
    #[must_use]
    pub fn phase_at(&self, at_us: u64) -> PhaseId {
        let after = self.0.partition_point(|phase| phase.start_us <= at_us);
        PhaseId(u16::try_from(after.saturating_sub(1)).unwrap_or(u16::MAX))
    }

    /// When the last phase with load ends: the earliest moment at which draining may begin.
    #[must_use]
    pub fn load_end_us(&self) -> u64 {
        self.0.iter().filter(|p| p.kind != PhaseKind::Drain).map(|p| p.end_us).max().unwrap_or(0)
    }

    /// Length of the measured phases together, in microseconds.
    #[must_use]
    pub fn measured_us(&self) -> u64 {
        self.0.iter().filter(|p| p.kind.is_measured()).map(|p| p.end_us - p.start_us).sum()
    }

    /// The next boundary of intervals after a moment: a multiple of [`crate::INTERVAL_US`], or the end
    /// of the phase if that comes sooner. Multiples of [`HASTY_US`] while a drain is young: nearly every
    /// load has drained a moment after its end, and the run ends with the interval that says so.
    #[must_use]
    pub fn next_cut_us(&self, after_us: u64) -> u64 {
        let grid_us = self.grid_us(after_us);
        let grid = (after_us / grid_us + 1) * grid_us;
        let boundary = self.0.iter().map(|p| p.start_us).find(|start| *start > after_us);
        boundary.map_or(grid, |boundary| boundary.min(grid))
    }

    /// The boundary that opens the interval a moment lies in.
    #[must_use]
    pub fn last_cut_us(&self, at_us: u64) -> u64 {
        let grid_us = self.grid_us(at_us);
        let grid = at_us / grid_us * grid_us;
        self.phase(at_us).map_or(grid, |phase| grid.max(phase.start_us))
    }

    fn grid_us(&self, at_us: u64) -> u64 {
        let hasty = self.phase(at_us).is_some_and(|phase| {
            // Up to a multiple of a whole interval, so that the two grids meet.
            let until_us = (phase.start_us / crate::INTERVAL_US + 2) * crate::INTERVAL_US;
            phase.kind == PhaseKind::Drain && at_us < until_us
        });
        if hasty { HASTY_US } else { crate::INTERVAL_US }
    }

    fn phase(&self, at_us: u64) -> Option<&Phase> {
        self.0.get(self.phase_at(at_us).index())
    }
}

/// How fast records are due in a [`Segment`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pace {
    /// Open loop: a rate in records per second that moves linearly over the segment.
    Rate {
        /// At the segment's start.
        from_per_s: f64,
        /// At the segment's end.
        to_per_s: f64,
    },
    /// Closed loop: as fast as the client takes records.
    Max,
}

/// A stretch of a schedule with one [`Pace`]: `[start_us, end_us)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// First microsecond.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// How fast.
    pub pace: Pace,
}

impl Segment {
    /// Records due from the segment's start until `at_us`, as a real number.
    fn integral(&self, at_us: u64) -> f64 {
        let Pace::Rate { from_per_s, to_per_s } = self.pace else { return 0.0 };
        let length_s = seconds(self.end_us - self.start_us);
        let t = seconds(at_us.clamp(self.start_us, self.end_us) - self.start_us);
        from_per_s * t + (to_per_s - from_per_s) * t * t / (2.0 * length_s)
    }

    /// The moment at which the integral reaches `records`, in microseconds from the segment's start.
    fn inverse_us(&self, records: f64) -> f64 {
        let Pace::Rate { from_per_s, to_per_s } = self.pace else { return 0.0 };
        let slope = (to_per_s - from_per_s) / seconds(self.end_us - self.start_us);
        // The root of (slope/2) t² + from t = records in the form that does not cancel, and that
        // covers slope = 0 as well.
        let root = (from_per_s * from_per_s + 2.0 * slope * records).max(0.0).sqrt();
        let denominator = from_per_s + root;
        if denominator <= 0.0 { 0.0 } else { 2.0 * records / denominator * 1e6 }
    }
}

/// A producer's schedule, shared by its instances. Segments are in order and do not overlap; between
/// them nothing is due.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    segments: Vec<Segment>,
    /// `F` at the start of each segment.
    starts: Vec<f64>,
    total: f64,
}

impl Schedule {
    /// Builds a schedule. Segments of no length are dropped.
    #[must_use]
    pub fn new(segments: impl IntoIterator<Item = Segment>) -> Self {
        let mut schedule = Self::default();
        for segment in segments.into_iter().filter(|s| s.end_us > s.start_us) {
            schedule.starts.push(schedule.total);
            schedule.total += segment.integral(segment.end_us);
            schedule.segments.push(segment);
        }
        schedule
    }

    /// The segments, in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Open-loop records due in the whole schedule.
    #[must_use]
    pub fn total(&self) -> u64 {
        count_below(self.total)
    }

    /// Open-loop records due strictly before a moment.
    #[must_use]
    pub fn due_before(&self, at_us: u64) -> u64 {
        let mut low = 0;
        let mut high = self.total();
        // By bisection over `due_us` and not by evaluating the integral, so that rounding can never
        // make this count differ from what a cursor hands out.
        while low < high {
            let middle = low + (high - low) / 2;
            if self.due_us(middle).is_some_and(|due| due < at_us) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        low
    }

    /// When a record is due, or `None` if the schedule has fewer records. Logarithmic in the number of
    /// segments; a [`Cursor`] is constant.
    #[must_use]
    pub fn due_us(&self, record: u64) -> Option<u64> {
        (record < self.total()).then(|| {
            let index = self.starts.partition_point(|start| *start <= to_real(record));
            self.due_in(index.saturating_sub(1), record)
        })
    }

    /// The target rate at a moment in records per second; `None` where the loop is closed.
    #[must_use]
    pub fn rate_at(&self, at_us: u64) -> Option<f64> {
        let Some(segment) = self.segment_at(at_us) else { return Some(0.0) };
        match segment.pace {
            Pace::Max => None,
            Pace::Rate { from_per_s, to_per_s } => {
                let part =
                    seconds(at_us - segment.start_us) / seconds(segment.end_us - segment.start_us);
                Some(from_per_s + (to_per_s - from_per_s) * part)
            }
        }
    }

    /// The segment that a moment lies in.
    #[must_use]
    pub fn segment_at(&self, at_us: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.start_us <= at_us);
        self.segments[..after].last().filter(|segment| at_us < segment.end_us)
    }

    /// Whether any segment is closed loop.
    #[must_use]
    pub fn has_closed_loop(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment.pace, Pace::Max))
    }

    fn due_in(&self, segment: usize, record: u64) -> u64 {
        let offset = to_real(record) - self.starts[segment];
        let segment = &self.segments[segment];
        segment.start_us
            + round_us(segment.inverse_us(offset)).min(segment.end_us - segment.start_us - 1)
    }
}

/// Which records of a schedule somebody sends: every `stride`-th one, beginning with `offset`, as far as
/// they are due at or after a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// From one record to the next.
    pub stride: u64,
    /// The first one, if nothing were due before `from_us`. Less than `stride`.
    pub offset: u64,
    /// Records that are due before this moment of the run's clock are left out.
    pub from_us: u64,
}

impl Share {
    /// What one of so many instances sends.
    #[must_use]
    pub fn of_instance(stride: u32, offset: u32) -> Self {
        Self { stride: u64::from(stride.max(1)), offset: offset.into(), from_us: 0 }
    }

    /// One of several equal parts of this share, from a moment on: its records taken in turn, as
    /// instances take those of a schedule. All parts together are the share, exactly. `None` if there is
    /// no such part, or if records would have to be counted beyond 64 bits.
    #[must_use]
    pub fn part(self, part: u64, parts: u64, from_us: u64) -> Option<Self> {
        (part < parts).then_some(())?;
        let stride = self.stride.checked_mul(parts)?;
        let offset = self.stride.checked_mul(part)?.checked_add(self.offset)?;
        Some(Self { stride, offset, from_us: self.from_us.max(from_us) })
    }

    /// The first record of a schedule that belongs to it.
    fn first(self, schedule: &Schedule) -> u64 {
        let earlier = schedule.due_before(self.from_us);
        let steps = earlier.saturating_sub(self.offset).div_ceil(self.stride);
        self.offset.saturating_add(steps.saturating_mul(self.stride))
    }
}

/// Walks one instance's records in the order in which they are due.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    schedule: &'a Schedule,
    first: u64,
    next: u64,
    stride: u64,
    total: u64,
    segment: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor over every `stride`-th record, the first one `offset`.
    #[must_use]
    pub fn new(schedule: &'a Schedule, stride: u32, offset: u32) -> Self {
        Self::over(schedule, Share::of_instance(stride, offset))
    }

    /// A cursor over a share of the records.
    #[must_use]
    pub fn over(schedule: &'a Schedule, share: Share) -> Self {
        let (first, total) = (share.first(schedule), schedule.total());
        Self { schedule, first, next: first, stride: share.stride, total, segment: 0 }
    }

    /// When the next record is due, or `None` when all are handed out.
    pub fn peek_us(&mut self) -> Option<u64> {
        if self.next >= self.total {
            return None;
        }
        let next = to_real(self.next);
        while self.schedule.starts.get(self.segment + 1).is_some_and(|start| *start <= next) {
            self.segment += 1;
        }
        Some(self.schedule.due_in(self.segment, self.next))
    }

    /// The next record's number in the schedule, which all instances share: from 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.next
    }

    /// Moves on to the next record.
    pub fn advance(&mut self) {
        self.next = self.next.saturating_add(self.stride);
    }

    /// How many of this instance's records are due strictly before a moment, handed out or not.
    #[must_use]
    pub fn due_before(&self, at_us: u64) -> u64 {
        self.schedule.due_before(at_us).saturating_sub(self.first).div_ceil(self.stride)
    }
}

/// How many whole numbers, from zero, lie strictly below a real number: the records of an integral.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are below 2^53"
)]
fn count_below(integral: f64) -> u64 {
    // The small term takes back what summing segments may have added: 100/s for 10 s is 1,000
    // records, also when it sums to 1,000.0000000001.
    (integral - 1e-6).ceil().max(0.0) as u64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are below 2^53 µs"
)]
fn round_us(us: f64) -> u64 {
    us.round().max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
fn to_real(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "times are below 2^53 µs")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(start_s: u64, end_s: u64, from_per_s: f64, to_per_s: f64) -> Segment {
        let pace = Pace::Rate { from_per_s, to_per_s };
        Segment { start_us: start_s * 1_000_000, end_us: end_s * 1_000_000, pace }
    }

    #[test]
    fn a_constant_rate_is_evenly_spaced_from_the_very_start() {
        let schedule = Schedule::new([rate(0, 10, 100.0, 100.0)]);
        assert_eq!(schedule.total(), 1_000);
        assert_eq!(schedule.due_us(0), Some(0));
        assert_eq!(schedule.due_us(1), Some(10_000));
        assert_eq!(schedule.due_us(999), Some(9_990_000));
        assert_eq!(schedule.due_us(1_000), None);
        assert_eq!(schedule.due_before(10_000), 1);
        assert_eq!(schedule.due_before(10_001), 2);
    }

    #[test]
    fn a_slow_rate_keeps_its_spacing() {
        let schedule = Schedule::new([rate(0, 20, 0.2, 0.2)]);
        let due: Vec<_> = (0..schedule.total()).filter_map(|i| schedule.due_us(i)).collect();
        assert_eq!(due, [0, 5_000_000, 10_000_000, 15_000_000]);
    }

    #[test]
    fn a_ramp_from_nothing_follows_the_square_root() {
        let schedule = Schedule::new([rate(0, 10, 0.0, 200.0)]);
        assert_eq!(schedule.total(), 1_000);
        // F(t) = 10 t², so record 250 is due at 5 s.
        assert_eq!(schedule.due_us(250), Some(5_000_000));
    }

    #[test]
    fn nothing_is_due_in_a_gap() {
        let schedule = Schedule::new([rate(0, 1, 10.0, 10.0), rate(5, 6, 10.0, 10.0)]);
        assert_eq!(schedule.due_us(9), Some(900_000));
        assert_eq!(schedule.due_us(10), Some(5_000_000));
        assert_eq!(schedule.due_before(5_000_000), 10);
        assert_eq!(schedule.rate_at(3_000_000), Some(0.0));
    }

    fn any_schedule() -> impl Strategy<Value = Schedule> {
        prop::collection::vec((0_u64..3, 1_u64..5, 0.0..300.0, 0.0..300.0), 1..5).prop_map(
            |parts| {
                let mut at = 0;
                Schedule::new(parts.into_iter().map(|(gap, length, from, to)| {
                    let start = at + gap;
                    at = start + length;
                    rate(start, at, from, to)
                }))
            },
        )
    }

    proptest! {
        #[test]
        fn instances_together_send_the_schedule_exactly_once(
            schedule in any_schedule(), stride in 1_u32..6,
        ) {
            let mut due = Vec::new();
            let mut numbers = Vec::new();
            for offset in 0..stride {
                let mut cursor = Cursor::new(&schedule, stride, offset);
                while let Some(us) = cursor.peek_us() {
                    due.push(us);
                    numbers.push(cursor.number());
                    cursor.advance();
                }
            }
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..schedule.total()).collect::<Vec<_>>());
            due.sort_unstable();
            let whole: Vec<_> = (0..schedule.total()).filter_map(|i| schedule.due_us(i)).collect();
            prop_assert!(whole.is_sorted());
            prop_assert_eq!(due, whole);
        }

        #[test]
        fn a_share_that_is_dealt_out_again_and_again_is_still_sent_exactly_once(
            schedule in any_schedule(), stride in 1_u32..4,
            deals in prop::collection::vec((0_usize..5, 1_u64..4, 0_u64..20_000_000), 0..4),
        ) {
            // Whoever is lost sends nothing from the moment on at which the others take over.
            let mut senders: Vec<(Share, u64)> =
                (0..stride).map(|offset| (Share::of_instance(stride, offset), u64::MAX)).collect();
            let mut last_us = 0;
            for (lost, parts, later_us) in deals {
                last_us += later_us;
                let lost = lost % senders.len();
                if senders[lost].1 == u64::MAX {
                    senders[lost].1 = last_us;
                    let share = senders[lost].0;
                    let dealt = (0..parts).filter_map(|part| share.part(part, parts, last_us));
                    senders.extend(dealt.map(|share| (share, u64::MAX)));
                }
            }
            let mut due = Vec::new();
            let mut numbers = Vec::new();
            for (share, until_us) in senders {
                let mut cursor = Cursor::over(&schedule, share);
                let expected = cursor.due_before(until_us);
                let before = due.len() as u64;
                while let Some(us) = cursor.peek_us().filter(|us| *us < until_us) {
                    due.push(us);
                    numbers.push(cursor.number());
                    cursor.advance();
                }
                prop_assert_eq!(due.len() as u64 - before, expected);
            }
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..schedule.total()).collect::<Vec<_>>());
            due.sort_unstable();
            let whole: Vec<_> = (0..schedule.total()).filter_map(|i| schedule.due_us(i)).collect();
            prop_assert_eq!(due, whole);
        }

        #[test]
        fn counting_agrees_with_handing_out(
            schedule in any_schedule(), stride in 1_u32..4, at_us in 0_u64..40_000_000,
        ) {
            for offset in 0..stride {
                let mut cursor = Cursor::new(&schedule, stride, offset);
                let expected = cursor.due_before(at_us);
                let mut handed_out = 0;
                while cursor.peek_us().is_some_and(|due| due < at_us) { handed_out += 1; cursor.advance(); }
                prop_assert_eq!(handed_out, expected);
                prop_assert_eq!(cursor.due_before(at_us), expected);
            }
        }

        #[test]
        fn cuts_fall_on_the_grid_and_on_phase_boundaries(at_us in 0_u64..9_000_000) {
            let phase = |name: &str, kind, start_us, end_us| Phase { name: name.into(), kind, start_us, end_us };
            let timeline = Timeline(vec![
                phase("warm-up", PhaseKind::WarmUp, 0, 2_500_000),
                phase("hold", PhaseKind::Hold, 2_500_000, 7_200_000),
                phase("drain", PhaseKind::Drain, 7_200_000, 9_000_000),
            ]);
            let cut = timeline.next_cut_us(at_us);
            prop_assert!(cut > at_us && cut <= at_us + crate::INTERVAL_US);
            prop_assert_eq!(timeline.phase_at(at_us), timeline.phase_at(cut - 1));
            let opened = timeline.last_cut_us(at_us);
            prop_assert!(opened <= at_us && timeline.next_cut_us(opened) == cut);
            let is_grid = |cut: u64| cut.is_multiple_of(crate::INTERVAL_US) || [2_500_000, 7_200_000].contains(&cut);
            prop_assert!(is_grid(cut) || (7_200_000..9_000_000).contains(&cut) && cut.is_multiple_of(HASTY_US));
        }
    }
}
