//! Puts together what agents tell of their records' integrity, by group and partition.
//!
//! Every record has a number among those that its producer instance sent to its partition. Sets of numbers are kept as
//! runs, so a stream that came whole takes 16 bytes however long it is. Adding up commutes: a number that came to two
//! members of a group came twice, whoever told it first.
//!
//! What came again with its offset was redelivered; a number that came again without it is in the log twice. An offset
//! that came again without its number has another record by now: the log was cut there, and has grown again. Counts of
//! a report tell these apart unless the last two happen in the same second of the same partition and member.

use super::roster::Roster;
use crate::metrics::integrity::IntegrityOutcome;
use mallard_protocol::{
    ids::InstanceId,
    integrity::{Anomaly, EVIDENCE_MAX, Evidence, ReceivedIntegrity, ReceivedNumbers, SentNumbers},
    runs::{Runs, Window},
};
use std::collections::BTreeMap;

/// Runs that are kept of a producer instance and partition, and of a partition's offsets: a MiB each at most. Holes
/// beyond, the oldest first, are forgotten and count as [`IntegrityOutcome::untold`].
const RUNS_MAX: usize = 65_536;

/// What is known of records' integrity.
#[derive(Clone, Debug, Default)]
pub(super) struct IntegrityBook {
    /// By producer instance and partition.
    sent: BTreeMap<(InstanceId, i32), SentNumbers>,
    /// By reader and partition slot.
    received: BTreeMap<(usize, usize), Received>,
    evidence: Vec<Evidence>,
}

#[derive(Clone, Debug)]
struct Received {
    offsets: Window,
    redelivered: u64,
    duplicated: u64,
    reordered: u64,
    corrupt: u64,
    misplaced: u64,
    untold: u64,
    streams: BTreeMap<InstanceId, Stream>,
}

/// What a group received of one producer instance and partition.
#[derive(Clone, Debug)]
struct Stream {
    numbers: Window,
    /// Records received, each time that it came.
    records: u64,
    /// Of these, records whose number had come before.
    again: u64,
}

impl Default for Received {
    fn default() -> Self {
        Self {
            offsets: Window::new(RUNS_MAX),
            redelivered: 0,
            duplicated: 0,
            reordered: 0,
            corrupt: 0,
            misplaced: 0,
            untold: 0,
            streams: BTreeMap::new(),
        }
    }
}

impl Received {
    fn add(&mut self, told: &ReceivedNumbers) {
        self.reordered += told.reordered;
        self.corrupt += told.corrupt;
        self.misplaced += told.misplaced;
        self.untold += told.untold;
        let offsets_again = told.redelivered + self.add_offsets(told);
        let numbers_again = self.add_numbers(told);
        self.redelivered += numbers_again.min(offsets_again);
        self.duplicated += numbers_again.saturating_sub(offsets_again);
    }

    /// Offsets that had come before this report.
    fn add_offsets(&mut self, told: &ReceivedNumbers) -> u64 {
        let mut all_again = 0;
        for (first, end) in told.offsets.as_slice() {
            let (again, unknown) = self.offsets.insert_run(*first, *end);
            all_again += again;
            self.untold += unknown;
        }
        all_again
    }

    /// Numbers that came again, within this report or after others.
    fn add_numbers(&mut self, told: &ReceivedNumbers) -> u64 {
        let mut all_again = 0;
        for of in &told.streams {
            let fresh = || Stream { numbers: Window::new(RUNS_MAX), records: 0, again: 0 };
            let stream = self.streams.entry(of.instance).or_insert_with(fresh);
            stream.records += of.again + of.untold;
            stream.again += of.again;
            all_again += of.again;
            self.untold += of.untold;
            for (first, end) in of.numbers.as_slice() {
                let (again, unknown) = stream.numbers.insert_run(*first, *end);
                stream.records += end - first;
                stream.again += again;
                all_again += again;
                self.untold += unknown;
            }
        }
        all_again
    }
}

impl IntegrityBook {
    /// Takes in what a producer instance sent in an interval.
    pub(super) fn sent(&mut self, instance: InstanceId, told: &[SentNumbers]) {
        for of in told {
            let partition = of.partition;
            let fresh = SentNumbers { partition, ..SentNumbers::default() };
            self.sent.entry((instance, partition)).or_insert(fresh).absorb(of);
        }
    }

    /// Takes in what an instance of a reader received in an interval.
    pub(super) fn received(&mut self, reader: usize, told: &ReceivedIntegrity, roster: &Roster) {
        for of in &told.partitions {
            if let Some(slot) = roster.slot(of.topic, of.partition) {
                self.received.entry((reader, slot)).or_default().add(of);
            }
        }
        for evidence in &told.evidence {
            self.keep(evidence.clone());
        }
    }

    fn keep(&mut self, evidence: Evidence) {
        let alike = self.evidence.iter().filter(|of| of.anomaly == evidence.anomaly);
        if alike.count() < EVIDENCE_MAX {
            self.evidence.push(evidence);
        }
    }

    /// The first records of each kind with which something was wrong, by kind.
    pub(super) fn evidence(&self) -> Vec<Evidence> {
        let mut all = self.evidence.clone();
        all.sort_by_key(|of| (of.anomaly, of.received_us));
        all
    }

    /// Records of a partition that a reader received and that were not failures for their producer, each once. A
    /// record that came changed is one, too, although nobody knows which.
    pub(super) fn distinct(&self, reader: usize, slot: usize, roster: &Roster) -> u64 {
        let Some(received) = self.received.get(&(reader, slot)) else { return 0 };
        let streams = received.streams.iter().map(|(instance, stream)| {
            stream.records - stream.again - self.written(*instance, slot, stream, roster)
        });
        streams.sum::<u64>() + received.corrupt
    }

    /// Failed records that a stream has.
    fn written(&self, instance: InstanceId, slot: usize, stream: &Stream, roster: &Roster) -> u64 {
        let sent = self.sent.get(&(instance, roster.partition_of(slot).1));
        sent.map_or(0, |sent| stream.numbers.runs().common(&sent.failed))
    }

    /// What became of a partition's records for a reader.
    pub(super) fn outcome(&self, reader: usize, slot: usize, roster: &Roster) -> IntegrityOutcome {
        let (topic, partition) = roster.partition_of(slot);
        let is_to_topic = |instance: InstanceId| roster.producer_topic(instance) == Some(topic);
        let sent = self
            .sent
            .iter()
            .filter(|((instance, to), _)| *to == partition && is_to_topic(*instance));
        let unknown = sent.map(|(_, sent)| sent.failed.count() + sent.failed_untold).sum();
        let Some(received) = self.received.get(&(reader, slot)) else {
            return IntegrityOutcome { unknown, ..IntegrityOutcome::default() };
        };
        let streams = received.streams.iter();
        IntegrityOutcome {
            duplicated: received.duplicated,
            redelivered: received.redelivered,
            reordered: received.reordered,
            corrupt: received.corrupt,
            misplaced: received.misplaced,
            unknown,
            unknown_written: streams.map(|(i, s)| self.written(*i, slot, s, roster)).sum(),
            untold: received.untold,
        }
    }

    /// The first numbers of a partition that were sent, did not fail, and did not come to a reader.
    pub(super) fn missing(
        &self,
        reader: usize,
        slot: usize,
        roster: &Roster,
    ) -> Vec<(InstanceId, u64)> {
        let (topic, partition) = roster.partition_of(slot);
        let none = Runs::default();
        let mut missing = Vec::new();
        for ((instance, to), sent) in &self.sent {
            if *to != partition || roster.producer_topic(*instance) != Some(topic) {
                continue;
            }
            let stream = self.received.get(&(reader, slot)).and_then(|r| r.streams.get(instance));
            let floor = stream.map_or(0, |stream| stream.numbers.floor());
            let came = stream.map_or(&none, |stream| stream.numbers.runs());
            let holes = came.missing_from(floor, sent.next).without(&sent.failed);
            let numbers = holes.as_slice().iter().flat_map(|(first, end)| *first..*end);
            missing.extend(numbers.take(EVIDENCE_MAX).map(|number| (*instance, number)));
        }
        missing.truncate(EVIDENCE_MAX);
        missing
    }
}

/// An anomaly as `result.json` and expectations name it.
pub(super) fn name(anomaly: Anomaly) -> &'static str {
    match anomaly {
        Anomaly::Duplicated => "duplicated",
        Anomaly::Reordered => "reordered",
        Anomaly::Corrupt => "corrupt",
        Anomaly::Misplaced => "misplaced",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::simulate::Shape;
    use mallard_protocol::{ids::TopicId, integrity::ReceivedStream};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn roster() -> Roster {
        Roster::new(&Shape { agents: 2, partitions: 2, ..Shape::default() }.plan())
    }

    /// What a member tells of the records that it received in an interval.
    fn told(records: &[(u64, InstanceId, u64)]) -> ReceivedIntegrity {
        let mut numbers = ReceivedNumbers { partition: 1, topic: TopicId(0), ..Default::default() };
        for (offset, instance, number) in records {
            numbers.redelivered += numbers.offsets.insert_run(*offset, offset + 1);
            let found = numbers.streams.iter().position(|stream| stream.instance == *instance);
            let at = found.unwrap_or_else(|| {
                numbers
                    .streams
                    .push(ReceivedStream { instance: *instance, ..ReceivedStream::default() });
                numbers.streams.len() - 1
            });
            let stream = &mut numbers.streams[at];
            stream.again += stream.numbers.insert_run(*number, number + 1);
        }
        ReceivedIntegrity { partitions: vec![numbers], evidence: Vec::new() }
    }

    proptest! {
        /// A log whose records may have numbers twice, read in pieces by members that may read pieces again.
        #[test]
        fn what_members_tell_adds_up_to_what_one_that_keeps_everything_knows(
            log in prop::collection::vec((0..2_u16, 0..40_u64), 1..60),
            pieces in prop::collection::vec((0..60_usize, 0..30_usize), 0..8),
            failed in prop::collection::btree_set(0..40_u64, 0..5),
        ) {
            let roster = roster();
            let slot = roster.slot(TopicId(0), 1).unwrap();
            let mut book = IntegrityBook::default();
            let instances = [InstanceId(0), InstanceId(2)];
            for instance in instances {
                let mut numbers = SentNumbers { partition: 1, next: 40, ..Default::default() };
                failed.iter().for_each(|number| numbers.fail(*number));
                book.sent(instance, &[numbers]);
            }
            let mut all = Vec::new();
            for (from, length) in pieces {
                let to = log.len().min(from + length);
                let records: Vec<_> = (from.min(to)..to)
                    .map(|offset| (offset as u64, instances[log[offset].0 as usize], log[offset].1))
                    .collect();
                book.received(0, &told(&records), &roster);
                all.extend(records);
            }
            let offsets: BTreeSet<_> = all.iter().map(|(offset, ..)| *offset).collect();
            let came: BTreeSet<_> =
                all.iter().map(|(_, instance, number)| (*instance, *number)).collect();
            let outcome = book.outcome(0, slot, &roster);
            prop_assert_eq!(outcome.redelivered, (all.len() - offsets.len()) as u64);
            prop_assert_eq!(outcome.duplicated, (offsets.len() - came.len()) as u64);
            let written = came.iter().filter(|(_, number)| failed.contains(number)).count() as u64;
            prop_assert_eq!(outcome.unknown, 2 * failed.len() as u64);
            prop_assert_eq!(outcome.unknown_written, written);
            prop_assert_eq!(book.distinct(0, slot, &roster), came.len() as u64 - written);
            let missing: Vec<_> = instances
                .into_iter()
                .flat_map(|instance| (0..40).map(move |number| (instance, number)))
                .filter(|one| !came.contains(one) && !failed.contains(&one.1))
                .collect();
            let told = book.missing(0, slot, &roster);
            prop_assert!(told.iter().all(|one| missing.contains(one)));
            prop_assert_eq!(told.len(), missing.len().min(EVIDENCE_MAX));
            let elsewhere = roster.slot(TopicId(0), 0).unwrap();
            prop_assert_eq!(book.outcome(0, elsewhere, &roster), IntegrityOutcome::default());
        }
    }

    #[test]
    fn offsets_that_have_other_records_after_a_cut_of_the_log_are_no_redelivery() {
        let roster = roster();
        let slot = roster.slot(TopicId(0), 1).unwrap();
        let one = InstanceId(0);
        let mut book = IntegrityBook::default();
        book.received(0, &told(&[(0, one, 0), (1, one, 1), (2, one, 2)]), &roster);
        book.received(0, &told(&[(1, one, 3), (2, one, 4), (3, one, 5)]), &roster);
        book.received(0, &told(&[(3, one, 5), (4, one, 6)]), &roster);
        let outcome = book.outcome(0, slot, &roster);
        assert_eq!((outcome.redelivered, outcome.duplicated), (1, 0));
        book.received(0, &told(&[(5, one, 6)]), &roster);
        assert_eq!(book.outcome(0, slot, &roster).duplicated, 1);
    }
}
