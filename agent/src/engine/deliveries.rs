//! What a delivery thread counts: acknowledgements and failures, by the phase in which records were due
//! and by partition, in tables that are indexed and never searched.

use super::{
    clock::{Interval, PhaseFinder},
    counts::{add_code, phase_id},
    opaque::unpack,
    parts::{DeliveredPart, DeliveredSlice},
};
use crate::librdkafka::{Code, Report};
use mallard_protocol::{
    counters::{Counter, Counters},
    integrity::SentNumbers,
    interval::{ClientStats, ProducedPartition},
    schedule::Timeline,
};
use std::collections::BTreeMap;

/// Delivery reports of one instance.
pub(crate) struct Deliveries {
    finder: PhaseFinder,
    phases: Vec<Phase>,
    /// Reports since the common start, by the client's own count.
    reported: u64,
    counters: Counters,
    client: Option<ClientStats>,
    /// Records that were seen to be sent again until now.
    sent_again: u64,
    /// Numbers of records that failed in the open interval, by partition.
    failed: BTreeMap<i32, SentNumbers>,
}

/// Reports of one event that differ in their sizes at most. In a closed loop, records that were sent
/// together are due together, and come back together from each partition: they are counted at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alike {
    /// The first of them, with the bytes of all.
    report: Report,
    records: u64,
}

impl Alike {
    /// A report on its own.
    #[inline]
    pub(crate) fn new(report: Report) -> Self {
        Self { report, records: 1 }
    }

    /// Takes another report in, if it is alike.
    #[inline]
    pub(crate) fn takes(&mut self, other: &Report) -> bool {
        let this = &self.report;
        let alike =
            (this.opaque, this.partition, this.code) == (other.opaque, other.partition, other.code);
        if alike {
            self.report.bytes += other.bytes;
            self.report.offset = self.report.offset.max(other.offset);
            self.records += 1;
        }
        alike
    }

    /// Whether the records were acknowledged.
    pub(crate) fn is_acked(&self) -> bool {
        self.report.code.is_ok()
    }

    /// Which right is missing, if that is why they were refused, and what to do about it.
    pub(crate) fn missing_right(&self) -> Option<String> {
        let code = self.report.code;
        code.missing_right().map(|remedy| format!("{}; {remedy}", code.describe()))
    }

    /// How many they are.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }
}

#[derive(Default)]
struct Phase {
    /// Partition *p* is at *p* + 1: the first entry is for records that never had one.
    partitions: Vec<ProducedPartition>,
    failed: Vec<(Code, u64)>,
    touched: bool,
}

impl Deliveries {
    /// Nothing delivered yet.
    pub(crate) fn new(timeline: &Timeline) -> Self {
        let finder = PhaseFinder::new(timeline);
        let phases = (0..finder.count()).map(|_| Phase::default()).collect();
        Self {
            finder,
            phases,
            reported: 0,
            counters: Counters::default(),
            client: None,
            sent_again: 0,
            failed: BTreeMap::new(),
        }
    }

    /// Counts a batch of reports, by the client's word.
    pub(crate) fn count_batch(&mut self, reports: u64) {
        self.reported += reports;
        self.counters.count(Counter::ReportPolls, 1);
    }

    /// Records reports that came at a moment.
    #[inline]
    pub(crate) fn record(&mut self, Alike { report, records }: Alike, now_us: u64) {
        let (due_us, sent_us) = unpack(report.opaque);
        let slot = self.finder.find(due_us);
        let phase = &mut self.phases[slot];
        phase.touched = true;
        let index = usize::try_from(report.partition + 1).unwrap_or(0);
        if index >= phase.partitions.len() {
            phase.grow(index);
        }
        let partition = &mut phase.partitions[index];
        if report.code.is_ok() {
            partition.acked += records;
            partition.acked_bytes += report.bytes;
            partition.next_offset = partition.next_offset.max(report.offset.saturating_add(1));
            partition.service.record_n(now_us.saturating_sub(sent_us), records);
            partition.response.record_n(now_us.saturating_sub(due_us), records);
        } else {
            partition.failed += records;
            add_code(&mut phase.failed, report.code, records);
        }
    }

    /// Notes the numbers of records that failed, each with its partition.
    pub(crate) fn fail(&mut self, numbers: Vec<(i32, u64)>) {
        for (partition, number) in numbers {
            let failed = self.failed.entry(partition);
            failed.or_insert(SentNumbers { partition, ..SentNumbers::default() }).fail(number);
        }
    }

    /// Keeps the client's newest statistics.
    pub(crate) fn keep_statistics(&mut self, statistics: ClientStats) {
        // Fewer are seen to be sent again while others wait.
        self.sent_again = self.sent_again.max(statistics.retries);
        self.client = Some(ClientStats { retries: self.sent_again, ..statistics });
    }

    /// The part of an interval that has ended.
    pub(crate) fn close(&mut self, interval: Interval) -> DeliveredPart {
        let slices = self
            .phases
            .iter_mut()
            .enumerate()
            .filter(|(_, phase)| phase.touched)
            .map(|(index, phase)| phase.close(index))
            .collect();
        DeliveredPart {
            interval,
            reported: self.reported,
            slices,
            counters: std::mem::take(&mut self.counters),
            client: self.client.take(),
            numbers: std::mem::take(&mut self.failed).into_values().collect(),
        }
    }
}

impl Phase {
    #[cold]
    fn grow(&mut self, index: usize) {
        let from = self.partitions.len();
        self.partitions.extend((from..=index).map(empty_partition));
    }

    /// Moves out what was counted. The histograms go with it: what they hold is about to be sent, and
    /// new ones take memory only where something is recorded again.
    fn close(&mut self, index: usize) -> DeliveredSlice {
        self.touched = false;
        let partitions = self
            .partitions
            .iter_mut()
            .enumerate()
            .filter(|(_, partition)| partition.acked + partition.failed > 0)
            .map(|(index, partition)| std::mem::replace(partition, empty_partition(index)))
            .collect();
        let failed = self.failed.drain(..).map(|(code, n)| (code.name(), n)).collect();
        DeliveredSlice { phase: phase_id(index), failed, partitions }
    }
}

fn empty_partition(index: usize) -> ProducedPartition {
    let partition = i32::try_from(index).unwrap_or(i32::MAX) - 1;
    ProducedPartition { partition, ..ProducedPartition::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::opaque::pack;
    use mallard_protocol::{
        ids::PhaseId,
        schedule::{Phase as Stretch, PhaseKind},
    };

    fn report(code: Code, partition: i32, due_us: u64, sent_us: u64) -> Report {
        Report { code, partition, offset: 41, bytes: 100, opaque: pack(due_us, sent_us) }
    }

    #[test]
    fn reports_that_are_alike_count_as_if_they_came_one_by_one() {
        let timeline = Timeline(Vec::new());
        let one = report(Code::OK, 1, 500, 700);
        let mut alike = Alike::new(one);
        assert!(alike.takes(&Report { bytes: 50, offset: 44, ..one }) && alike.takes(&one));
        for other in [
            report(Code::OK, 1, 501, 701),
            report(Code::OK, 1, 500, 701),
            report(Code::OK, 2, 500, 700),
            report(Code::TOO_LARGE, 1, 500, 700),
        ] {
            assert!(!alike.takes(&other), "{other:?}");
        }
        let (mut together, mut apart) = (Deliveries::new(&timeline), Deliveries::new(&timeline));
        together.record(alike, 1_000);
        for (bytes, offset) in [(100, 41), (50, 44), (100, 41)] {
            apart.record(Alike::new(Report { bytes, offset, ..one }), 1_000);
        }
        let interval = Interval { index: 0, start_us: 0, end_us: 2_000 };
        let (together, apart) = (together.close(interval), apart.close(interval));
        assert_eq!(together.slices[0].partitions, apart.slices[0].partitions);
        let partition = &together.slices[0].partitions[0];
        assert_eq!((partition.acked_bytes, partition.next_offset), (250, 45));
    }

    #[test]
    fn reports_are_sorted_by_the_phase_in_which_records_were_due() {
        let stretch = |name: &str, kind, start_us, end_us| Stretch {
            name: name.into(),
            kind,
            start_us,
            end_us,
        };
        let timeline = Timeline(vec![
            stretch("warm-up", PhaseKind::WarmUp, 0, 1_000_000),
            stretch("hold", PhaseKind::Hold, 1_000_000, 3_000_000),
        ]);
        let mut deliveries = Deliveries::new(&timeline);
        deliveries.count_batch(3);
        for report in [
            report(Code::OK, 2, 999_999, 1_000_100),
            report(Code::OK, 0, 1_000_000, 1_000_200),
            report(Code::TOO_LARGE, -1, 1_000_000, 1_000_200),
        ] {
            deliveries.record(Alike::new(report), 1_500_000);
        }
        let interval = Interval { index: 1, start_us: 1_000_000, end_us: 2_000_000 };
        let part = deliveries.close(interval);
        let polls = part.counters.get(Counter::ReportPolls);
        assert_eq!((part.reported, polls, part.slices.len()), (3, 1, 2));
        let warm_up = &part.slices[0];
        assert_eq!((warm_up.phase, warm_up.partitions[0].partition), (PhaseId(0), 2));
        assert_eq!(warm_up.partitions[0].service.max(), Some(499_900));
        assert_eq!(warm_up.partitions[0].response.max(), Some(500_001));
        let hold = &part.slices[1];
        assert_eq!(hold.failed, [("MSG_SIZE_TOO_LARGE".to_owned(), 1)]);
        assert_eq!(hold.partitions.iter().map(|p| p.partition).collect::<Vec<_>>(), [-1, 0]);
        assert!(deliveries.close(interval).slices.is_empty());
    }
}
