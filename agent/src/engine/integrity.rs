//! Looks at each record that a consumer receives: whether it is what was sent, where it was sent, once, and in order.
//!
//! Memory does not depend on how much is received: of each producer instance and partition a [`Window`] is kept, which
//! is one run of numbers as long as they come in order. What is lost, redelivered or in the log twice is found by the
//! controller, from the numbers and offsets that all members of a group received; here is found what one reader sees by
//! itself.

use super::topics::{Place, Topics};
use mallard_protocol::{
    ids::InstanceId,
    integrity::{
        Anomaly, EVIDENCE_MAX, Evidence, RUNS_MAX, ReceivedIntegrity, ReceivedNumbers,
        ReceivedStream,
    },
    runs::{Runs, Seen, Window},
    stamp::Placed,
};

/// Runs that are remembered of a producer instance and partition: holes older than so many others are forgotten, and
/// what comes there later is counted neither as reordered nor as repeated.
const REMEMBERED_RUNS: usize = 64;

/// A record, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    /// Where it was.
    pub(crate) place: Place,
    /// Its offset.
    pub(crate) offset: i64,
    /// Its stamp.
    pub(crate) placed: Placed,
    /// When it was received.
    pub(crate) now_us: u64,
}

/// What a consumer instance knows of its records.
pub(crate) struct Checker {
    /// By topic and partition.
    partitions: Vec<Vec<Partition>>,
    evidence: Vec<Evidence>,
}

/// No record has it: numbers in stamps are shorter.
const NO_NUMBER: u64 = u64::MAX;

struct Partition {
    /// One beyond the highest offset that was received.
    next_offset: i64,
    streams: Vec<Stream>,
    /// The stream of the record before: the next one mostly is of the same.
    last: usize,
    /// The instance of that stream, and the number that goes on with it.
    instance: InstanceId,
    next_number: u64,
    /// Records that went on, up to `next_offset` and `next_number`, and are in no set yet.
    gone_on: u64,
    /// What the open interval's report will tell; its streams are added when it ends.
    told: ReceivedNumbers,
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            next_offset: 0,
            streams: Vec::new(),
            last: 0,
            instance: InstanceId(0),
            next_number: NO_NUMBER,
            gone_on: 0,
            told: ReceivedNumbers::default(),
        }
    }
}

struct Stream {
    instance: InstanceId,
    seen: Window,
    /// Of the open interval.
    numbers: Runs,
    again: u64,
    untold: u64,
}

impl Checker {
    /// Nothing received yet.
    pub(crate) fn new() -> Self {
        Self { partitions: Vec::new(), evidence: Vec::new() }
    }

    /// Looks at a record of this run that has a stamp with a place; whether stamp, key and value are as they were sent.
    #[inline]
    pub(crate) fn note(&mut self, sighting: &Sighting, is_sound: bool, topics: &Topics) {
        let (topic, partition) = sighting.place;
        let index = usize::try_from(partition).unwrap_or(0);
        if self.partitions.get(topic).is_none_or(|partitions| index >= partitions.len()) {
            self.grow(topic, index);
        }
        let state = &mut self.partitions[topic][index];
        if is_sound && state.goes_on(sighting, partition) {
            return;
        }
        self.look_closely(sighting, is_sound, index, topics);
    }

    /// Looks at a record that may be out of the ordinary.
    #[inline(never)]
    fn look_closely(&mut self, sighting: &Sighting, is_sound: bool, index: usize, topics: &Topics) {
        let (topic, partition) = sighting.place;
        let state = &mut self.partitions[topic][index];
        state.settle();
        let is_further = sighting.offset >= state.next_offset;
        state.next_offset = state.next_offset.max(sighting.offset.saturating_add(1));
        let placed = &sighting.placed;
        let anomaly = match is_sound {
            // What its stamp says of it cannot be believed either.
            false => Some(Anomaly::Corrupt),
            true if i32::from(placed.partition) != partition & 0xffff => Some(Anomaly::Misplaced),
            true => {
                state.offset(sighting.offset.unsigned_abs());
                state.number(placed, is_further)
            }
        };
        state.go_on_behind(placed);
        if let Some(anomaly) = anomaly {
            self.found(anomaly, sighting, is_further, topics);
        }
    }

    #[cold]
    fn found(&mut self, anomaly: Anomaly, sighting: &Sighting, is_further: bool, topics: &Topics) {
        let (topic, partition) = sighting.place;
        let placed = &sighting.placed;
        let told = &mut self.partitions[topic][partition.unsigned_abs() as usize].told;
        match anomaly {
            Anomaly::Corrupt => told.corrupt += u64::from(is_further),
            Anomaly::Reordered => told.reordered += 1,
            Anomaly::Misplaced => told.misplaced += u64::from(is_further),
            // Counted where all members of the group are put together.
            Anomaly::Duplicated => {}
        }
        if !is_further {
            return;
        }
        if anomaly == Anomaly::Misplaced {
            self.note_where_it_belongs(topic, placed, topics);
        }
        if self.evidence.iter().filter(|e| e.anomaly == anomaly).count() < EVIDENCE_MAX {
            self.evidence.push(Evidence {
                anomaly,
                topic: topics.id(topic),
                partition,
                offset: sighting.offset,
                instance: placed.stamp.instance,
                number: placed.number,
                sequence: placed.stamp.sequence,
                due_us: placed.stamp.due_us,
                received_us: sighting.now_us,
            });
        }
    }

    /// A misplaced record is not missing where it belongs.
    fn note_where_it_belongs(&mut self, topic: usize, placed: &Placed, topics: &Topics) {
        if i32::from(placed.partition) < topics.partitions(topic) {
            let index = usize::from(placed.partition);
            if index >= self.partitions[topic].len() {
                self.grow(topic, index);
            }
            let state = &mut self.partitions[topic][index];
            state.settle();
            state.next_number = NO_NUMBER;
            state.find(placed.stamp.instance);
            // It is not lost, and says nothing of the order in which others come there.
            state.streams[state.last].keep(placed.number);
        }
    }

    #[cold]
    fn grow(&mut self, topic: usize, index: usize) {
        if self.partitions.len() <= topic {
            self.partitions.resize_with(topic + 1, Vec::new);
        }
        self.partitions[topic].resize_with(index + 1, Partition::default);
    }

    /// What an interval's report tells.
    pub(crate) fn close(&mut self, topics: &Topics) -> ReceivedIntegrity {
        let mut partitions = Vec::new();
        for (topic, states) in self.partitions.iter_mut().enumerate() {
            for (index, state) in states.iter_mut().enumerate() {
                if let Some(received) = state.close() {
                    let partition = i32::try_from(index).unwrap_or(i32::MAX);
                    let topic = topics.id(topic);
                    partitions.push(ReceivedNumbers { topic, partition, ..received });
                }
            }
        }
        ReceivedIntegrity { partitions, evidence: std::mem::take(&mut self.evidence) }
    }
}

impl Partition {
    /// Notes a record that follows the one before by offset and number, as nearly all do; whether it is one.
    #[inline]
    fn goes_on(&mut self, sighting: &Sighting, partition: i32) -> bool {
        let Sighting { offset, placed, .. } = sighting;
        let goes_on = *offset == self.next_offset
            && placed.number == self.next_number
            && placed.stamp.instance == self.instance
            && i32::from(placed.partition) == partition & 0xffff;
        if goes_on {
            self.next_offset += 1;
            self.next_number += 1;
            self.gone_on += 1;
        }
        goes_on
    }

    /// Takes those that went on into the sets, all at once.
    fn settle(&mut self) {
        let Some(stream) = self.streams.get_mut(self.last) else { return };
        let records = std::mem::take(&mut self.gone_on);
        let (first, end) = (self.next_number.wrapping_sub(records), self.next_number);
        if records > 0 {
            stream.keep_run(first, end);
            stream.seen.insert_run(first, end);
            let end = self.next_offset.unsigned_abs();
            match self.told.offsets.insert_run_within(end - records, end, RUNS_MAX) {
                Some(again) => self.told.redelivered += again,
                None => self.told.untold += records,
            }
        }
    }

    /// What follows a record may go on, if that one was the last of its stream.
    fn go_on_behind(&mut self, placed: &Placed) {
        let is_last = |stream: &Stream| {
            stream.instance == placed.stamp.instance
                && stream.seen.runs().end() == placed.number + 1
        };
        let goes_on = self.streams.get(self.last).is_some_and(is_last);
        self.instance = placed.stamp.instance;
        self.next_number = if goes_on { placed.number + 1 } else { NO_NUMBER };
    }

    #[inline]
    fn offset(&mut self, offset: u64) {
        match self.told.offsets.insert_within(offset, RUNS_MAX) {
            Some(is_new) => self.told.redelivered += u64::from(!is_new),
            None => self.told.untold += 1,
        }
    }

    /// Notes a number; what is wrong with it, if that can be seen here.
    #[inline]
    fn number(&mut self, placed: &Placed, is_further: bool) -> Option<Anomaly> {
        let instance = placed.stamp.instance;
        if self.streams.get(self.last).is_none_or(|stream| stream.instance != instance) {
            self.find(instance);
        }
        let stream = &mut self.streams[self.last];
        let is_behind = placed.number < stream.seen.runs().end();
        match stream.note(placed.number) {
            // What is read again is neither: it was there, at an offset that was there.
            _ if !is_further => None,
            Seen::New if is_behind => Some(Anomaly::Reordered),
            Seen::Again => Some(Anomaly::Duplicated),
            Seen::New | Seen::Unknown => None,
        }
    }

    #[cold]
    fn find(&mut self, instance: InstanceId) {
        let found = self.streams.iter().position(|stream| stream.instance == instance);
        self.last = found.unwrap_or_else(|| {
            self.streams.push(Stream::new(instance));
            self.streams.len() - 1
        });
    }

    fn close(&mut self) -> Option<ReceivedNumbers> {
        self.settle();
        let of_interval = self.streams.iter_mut().filter(|stream| stream.is_touched());
        self.told.streams = of_interval.map(Stream::close).collect();
        let told = std::mem::take(&mut self.told);
        (told != ReceivedNumbers::default()).then_some(told)
    }
}

impl Stream {
    fn new(instance: InstanceId) -> Self {
        let seen = Window::new(REMEMBERED_RUNS);
        Self { instance, seen, numbers: Runs::default(), again: 0, untold: 0 }
    }

    #[inline]
    fn note(&mut self, number: u64) -> Seen {
        self.keep(number);
        self.seen.insert(number)
    }

    fn keep(&mut self, number: u64) {
        match self.numbers.insert_within(number, RUNS_MAX) {
            Some(is_new) => self.again += u64::from(!is_new),
            None => self.untold += 1,
        }
    }

    fn keep_run(&mut self, first: u64, end: u64) {
        match self.numbers.insert_run_within(first, end, RUNS_MAX) {
            Some(again) => self.again += again,
            None => self.untold += end - first,
        }
    }

    fn is_touched(&self) -> bool {
        !self.numbers.is_empty() || self.untold > 0
    }

    fn close(&mut self) -> ReceivedStream {
        ReceivedStream {
            instance: self.instance,
            numbers: std::mem::take(&mut self.numbers),
            again: std::mem::take(&mut self.again),
            untold: std::mem::take(&mut self.untold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::stamp::Stamp;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const PARTITIONS: i32 = 3;

    fn placed(instance: u16, partition: u16, number: u64) -> Placed {
        let stamp = Stamp { run: 7, instance: InstanceId(instance), sequence: number, due_us: 5 };
        Placed { stamp, partition, number }
    }

    /// A log's records: who sent each, its number there, and whether it is as it was sent.
    type Log = Vec<(u16, u64, bool)>;

    /// What a reader of a log should be told, by keeping everything.
    #[derive(Debug, Default, PartialEq)]
    struct Naive {
        numbers: BTreeMap<u16, Vec<u64>>,
        offsets: Vec<u64>,
        reordered: u64,
        corrupt: u64,
        duplicated: Vec<i64>,
    }

    /// Reads a log from each of these offsets to the end of the stretch, in turn.
    fn read(log: &Log, stretches: &[(usize, usize)]) -> (Naive, ReceivedIntegrity) {
        let topics = Topics::of_one(PARTITIONS as usize);
        let (mut checker, mut naive) = (Checker::new(), Naive::default());
        let mut next = 0;
        let mut seen = BTreeSet::new();
        for (from, to) in stretches {
            for (offset, (instance, number, is_sound)) in
                log.iter().enumerate().take(*to).skip(*from)
            {
                let place = (0, 1);
                let placed = placed(*instance, 1, *number);
                let sighting =
                    Sighting { place, offset: offset as i64, placed, now_us: offset as u64 };
                checker.note(&sighting, *is_sound, &topics);
                let is_further = offset >= next;
                next = next.max(offset + 1);
                if !is_sound {
                    naive.corrupt += u64::from(is_further);
                    continue;
                }
                naive.offsets.push(offset as u64);
                naive.numbers.entry(*instance).or_default().push(*number);
                let later = seen.range((*instance, *number)..=(*instance, u64::MAX)).next();
                match later.filter(|_| is_further) {
                    Some((_, same)) if same == number => naive.duplicated.push(offset as i64),
                    Some(_) => naive.reordered += 1,
                    None => {}
                }
                seen.insert((*instance, *number));
            }
        }
        (naive, checker.close(&topics))
    }

    /// Logs of two instances, numbers mostly rising, here and there repeated, swapped or changed.
    fn logs() -> impl Strategy<Value = Log> {
        let record = (0..2_u16, 0..10_u8, 0..60_u64, prop::bool::weighted(0.95));
        prop::collection::vec(record, 0..120).prop_map(|records| {
            let mut next = [0_u64; 2];
            let record = |(instance, kind, any, is_sound): (u16, u8, u64, bool)| {
                let next = &mut next[usize::from(instance)];
                let number = match kind {
                    0 => any,
                    1 => next.saturating_sub(1),
                    2 => *next + 2,
                    _ => *next,
                };
                *next = (*next).max(number + 1);
                (instance, number, is_sound)
            };
            records.into_iter().map(record).collect()
        })
    }

    proptest! {
        #[test]
        fn a_reader_is_told_what_one_that_keeps_everything_is(
            log in logs(), stretches in prop::collection::vec((0..120_usize, 0..60_usize), 1..4),
        ) {
            let mut at = 0;
            // From the start, then from somewhere in what was read: a reader never skips.
            let stretches: Vec<_> = stretches.into_iter().map(|(from, length)| {
                let from = from.min(at);
                at = at.max(from + length);
                (from, from + length)
            }).collect();
            let (naive, told) = read(&log, &stretches);
            let numbers: u64 = naive.numbers.values().map(|numbers| numbers.len() as u64).sum();
            let mine = told.partitions.first().cloned().unwrap_or_default();
            let received = mine.streams.iter().map(|s| s.numbers.count() + s.again + s.untold).sum::<u64>();
            prop_assert_eq!(received, numbers);
            for stream in &mine.streams {
                let of = &naive.numbers[&stream.instance.0];
                let distinct: BTreeSet<_> = of.iter().copied().collect();
                prop_assert_eq!(stream.numbers.count(), distinct.len() as u64);
                prop_assert!(distinct.iter().all(|number| stream.numbers.contains(*number)));
            }
            let offsets: BTreeSet<_> = naive.offsets.iter().copied().collect();
            prop_assert_eq!(mine.offsets.count(), offsets.len() as u64);
            prop_assert_eq!(mine.redelivered, (naive.offsets.len() - offsets.len()) as u64);
            prop_assert_eq!((mine.reordered, mine.corrupt), (naive.reordered, naive.corrupt));
            let evidence = told.evidence.iter().filter(|e| e.anomaly == Anomaly::Duplicated);
            let duplicated: Vec<_> = evidence.map(|e| e.offset).collect();
            let expected: Vec<_> = naive.duplicated.into_iter().take(EVIDENCE_MAX).collect();
            prop_assert_eq!(duplicated, expected);
        }
    }

    #[test]
    fn a_misplaced_record_counts_where_it_belongs() {
        let topics = Topics::of_one(PARTITIONS as usize);
        let mut checker = Checker::new();
        let sighting = Sighting { place: (0, 2), offset: 4, placed: placed(0, 1, 9), now_us: 0 };
        checker.note(&sighting, true, &topics);
        let told = checker.close(&topics);
        let [home, stray] = &told.partitions[..] else { panic!("{told:?}") };
        assert_eq!((home.partition, home.streams[0].numbers.contains(9)), (1, true));
        assert_eq!((stray.partition, stray.misplaced, stray.streams.len()), (2, 1, 0));
        assert_eq!(told.evidence[0].anomaly, Anomaly::Misplaced);
        assert_eq!(checker.close(&topics), ReceivedIntegrity::default());
    }

    #[test]
    fn what_is_scattered_takes_no_more_memory_and_is_counted() {
        let topics = Topics::of_one(PARTITIONS as usize);
        let mut checker = Checker::new();
        for at in 0..2 * RUNS_MAX as u64 {
            let placed = placed(0, 0, 2 * at);
            let offset = 2 * at as i64;
            checker.note(&Sighting { place: (0, 0), offset, placed, now_us: 0 }, true, &topics);
        }
        let told = checker.close(&topics);
        let partition = &told.partitions[0];
        assert_eq!(partition.offsets.as_slice().len(), RUNS_MAX);
        assert_eq!(partition.untold, RUNS_MAX as u64);
        assert_eq!(partition.streams[0].untold, RUNS_MAX as u64);
    }
}
