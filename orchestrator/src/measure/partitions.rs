//! What is kept for every topic-partition: totals of the measured phases, and a series of at most
//! [`POINTS_MAX`] points.
//!
//! A timeline is known before its load starts, so the length of a point is known too: the shortest
//! whole number of intervals of which [`POINTS_MAX`] cover it. Points are therefore exact, and nothing
//! has to be merged or kept but figures: 48 bytes a point. Histograms exist for totals (three of at
//! most 26 KiB a partition, see [`super::coarse`]) and for points that are not over yet (two).

use super::coarse::Coarse;
use mallard_protocol::{
    INTERVAL_US,
    interval::{ConsumedPartition, ProducedPartition},
    schedule::Timeline,
};
use std::collections::VecDeque;

/// Most points of a partition's series.
pub const POINTS_MAX: u64 = 120;

/// Totals of one partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PartitionTotals {
    /// Acknowledged, due in the measured phases.
    pub(super) acked: u64,
    /// Key and value bytes of these.
    pub(super) acked_bytes: u64,
    /// Failed, due in the measured phases.
    pub(super) failed: u64,
    /// Received, due in the measured phases, summed over readers.
    pub(super) received: u64,
    /// Key and value bytes of these.
    pub(super) received_bytes: u64,
    /// Acknowledged in the whole load.
    pub(super) acked_whole: u64,
    /// Failed in the whole load.
    pub(super) failed_whole: u64,
    /// Sent to acknowledged.
    pub(super) service: Coarse,
    /// Due to acknowledged.
    pub(super) response: Coarse,
    /// Due to received.
    pub(super) end_to_end: Coarse,
}

impl PartitionTotals {
    /// Adds those of another partition.
    pub(super) fn add(&mut self, other: &Self) {
        self.acked += other.acked;
        self.acked_bytes += other.acked_bytes;
        self.failed += other.failed;
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.acked_whole += other.acked_whole;
        self.failed_whole += other.failed_whole;
        self.service.merge(&other.service);
        self.response.merge(&other.response);
        self.end_to_end.merge(&other.end_to_end);
    }
}

/// A point of a partition's series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    /// Acknowledged.
    pub(super) acked: u64,
    /// Received.
    pub(super) received: u64,
    /// Response, 99th percentile.
    pub response_p99_us: Option<u64>,
    /// End to end, 99th percentile.
    pub end_to_end_p99_us: Option<u64>,
    /// Lag at its end.
    pub(super) lag: Option<u64>,
}

/// A point that is not over. What belongs to the totals is added to them when it is, all at once: a
/// thousand partitions are more than a processor's cache holds, so touching a histogram is what costs.
#[derive(Clone, Debug, Default)]
struct OpenPoint {
    acked: u64,
    received: u64,
    /// Of records due in the measured phases.
    measured: Latencies,
    /// Of others; seldom any in the same point.
    aside: Option<Box<Latencies>>,
    lag: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Latencies {
    response: Coarse,
    end_to_end: Coarse,
}

impl OpenPoint {
    fn latencies(&mut self, measured: bool) -> &mut Latencies {
        if measured { &mut self.measured } else { self.aside.get_or_insert_default() }
    }

    fn close(&self) -> Point {
        let p99 = |of: fn(&Latencies) -> &Coarse| {
            let measured = of(&self.measured);
            let Some(aside) = &self.aside else { return measured.value_at_quantile(0.99) };
            let mut all = measured.clone();
            all.merge(of(aside));
            all.value_at_quantile(0.99)
        };
        Point {
            acked: self.acked,
            received: self.received,
            response_p99_us: p99(|of| &of.response),
            end_to_end_p99_us: p99(|of| &of.end_to_end),
            lag: self.lag,
        }
    }
}

/// All partitions of a case, by slot.
#[derive(Clone, Debug)]
pub(super) struct PartitionTable {
    totals: Vec<PartitionTotals>,
    /// Received in the whole load: by reader, by slot.
    received_whole: Vec<Vec<u64>>,
    point_us: u64,
    last_point: u64,
    /// Points that are not over yet: number, then by slot.
    open: VecDeque<(u64, Vec<OpenPoint>)>,
    /// Points that are over, in order: number, then by slot.
    closed: Vec<(u64, Vec<Point>)>,
}

impl PartitionTable {
    /// An empty table.
    pub(super) fn new(slots: usize, readers: usize, timeline: &Timeline) -> Self {
        let planned_us = timeline.0.last().map_or(INTERVAL_US, |phase| phase.end_us).max(1);
        let intervals = planned_us.div_ceil(INTERVAL_US);
        let point_us = intervals.div_ceil(POINTS_MAX) * INTERVAL_US;
        Self {
            totals: vec![PartitionTotals::default(); slots],
            received_whole: vec![vec![0; slots]; readers],
            point_us,
            last_point: (planned_us - 1) / point_us,
            open: VecDeque::new(),
            closed: Vec::new(),
        }
    }

    /// Adds delivery reports.
    pub(super) fn sent(
        &mut self,
        slot: usize,
        start_us: u64,
        measured: bool,
        part: &ProducedPartition,
    ) {
        let totals = &mut self.totals[slot];
        totals.acked_whole += part.acked;
        totals.failed_whole += part.failed;
        if measured {
            totals.acked += part.acked;
            totals.acked_bytes += part.acked_bytes;
            totals.failed += part.failed;
            totals.service.add(&part.service);
        }
        if let Some(point) = self.point_mut(slot, start_us) {
            point.acked += part.acked;
            point.latencies(measured).response.add(&part.response);
        } else if measured {
            self.totals[slot].response.add(&part.response);
        }
    }

    /// Adds records received.
    pub(super) fn received(
        &mut self,
        reader: usize,
        slot: usize,
        start_us: u64,
        measured: bool,
        part: &ConsumedPartition,
    ) {
        self.received_whole[reader][slot] += part.received;
        if measured {
            let totals = &mut self.totals[slot];
            totals.received += part.received;
            totals.received_bytes += part.received_bytes;
        }
        if let Some(point) = self.point_mut(slot, start_us) {
            point.received += part.received;
            point.latencies(measured).end_to_end.add(&part.end_to_end);
        } else if measured {
            self.totals[slot].end_to_end.add(&part.end_to_end);
        }
    }

    /// Sets the lag of a partition at the end of an interval, of the reader that lags most.
    pub(super) fn lag(&mut self, slot: usize, start_us: u64, lag: u64) {
        if let Some(point) = self.point_mut(slot, start_us) {
            point.lag = Some(lag);
        }
    }

    /// Closes the points that end before a moment.
    pub(super) fn close_before(&mut self, at_us: u64) {
        while self.open.front().is_some_and(|(number, _)| {
            *number < self.last_point && (number + 1) * self.point_us <= at_us
        }) {
            self.close_front();
        }
    }

    /// Closes all points.
    pub(super) fn close(&mut self) {
        while !self.open.is_empty() {
            self.close_front();
        }
    }

    fn close_front(&mut self) {
        let Some((number, slots)) = self.open.pop_front() else { return };
        for (totals, point) in self.totals.iter_mut().zip(&slots) {
            totals.response.merge(&point.measured.response);
            totals.end_to_end.merge(&point.measured.end_to_end);
        }
        self.closed.push((number, slots.iter().map(OpenPoint::close).collect()));
    }

    /// The open point of an interval; `None` for one that comes after its point was closed.
    fn point_mut(&mut self, slot: usize, start_us: u64) -> Option<&mut OpenPoint> {
        let number = (start_us / self.point_us).min(self.last_point);
        if self.closed.last().is_some_and(|(closed, _)| number <= *closed) {
            return None;
        }
        let at = self.open.partition_point(|(open, _)| *open < number);
        if self.open.get(at).is_none_or(|(open, _)| *open != number) {
            self.open.insert(at, (number, vec![OpenPoint::default(); self.totals.len()]));
        }
        self.open.get_mut(at).map(|(_, slots)| &mut slots[slot])
    }

    /// Totals by slot; of latencies, up to the last point that is over.
    pub(super) fn totals(&self) -> &[PartitionTotals] {
        &self.totals
    }

    /// Records received in the whole load by a reader, by slot.
    pub(super) fn received_whole(&self, reader: usize) -> &[u64] {
        &self.received_whole[reader]
    }

    /// Points that are over, with their start and end, by slot.
    pub(super) fn points(&self) -> impl Iterator<Item = (u64, u64, &[Point])> {
        self.closed.iter().map(|(number, points)| {
            (number * self.point_us, (number + 1) * self.point_us, points.as_slice())
        })
    }
}
