//! A consumer instance's poll loop. It never waits for anything but records.

use super::{
    clock::{Cutter, Interval, NEVER},
    commit::Committer,
    control::Control,
    integrity::{Checker, Sighting},
    membership::Membership,
    parts::{Part, PolledPart},
    readiness::Reading,
    receipts::{Item, Receipts},
    sys,
    through::Through,
    topics::{Place, Topics},
    work::WorkQueue,
};
use crate::librdkafka::{Batch, Code, Consumer, Incident, Received};
use crate::pipeline::{Chunk, ChunkQueue};
use mallard_protocol::{
    counters::{Counter, Counters},
    histogram::Histogram,
    ids::InstanceId,
    message::FromAgent,
    stamp::{HEADER, Placed, STAMP_BYTES, Stamp, content_sum},
};
use std::{
    collections::HashMap,
    ffi::CStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
};

/// Records taken from the client at once.
const BATCH: usize = 2_048;

/// Longest wait for a record, in milliseconds, so that a change of the engine's state is noticed.
const LOOK_UP_MS: u64 = 100;

/// The same before the start, while brokers have not answered for every partition.
const LOOK_FOR_ANSWERS_MS: u64 = 20;

/// A consumer's membership, which the client's callbacks change while it is polled.
pub(crate) type SharedMembership = Arc<Mutex<Membership>>;

/// Locks a membership. Nobody else ever holds it for long: callbacks run on the polling thread.
pub(crate) fn lock(membership: &SharedMembership) -> MutexGuard<'_, Membership> {
    membership.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who processes records.
pub(crate) enum Processing {
    /// The poll loop itself, since there is nothing to do but count.
    Here(Box<Receipts>, Committer),
    /// A thread beside it.
    Beside(Arc<WorkQueue>),
    /// The threads of a pipeline.
    Pipeline(Arc<ChunkQueue>),
}

impl Processing {
    /// Whether partitions are paused, and whether they should be; `None` where they never are.
    fn pausing(&self) -> Option<(bool, bool)> {
        match self {
            Self::Here(..) => None,
            Self::Beside(work_queue) => Some((work_queue.is_paused(), work_queue.wants_pause())),
            Self::Pipeline(chunk_queue) => {
                Some((chunk_queue.is_paused(), chunk_queue.wants_pause()))
            }
        }
    }

    /// Whether all that was received is processed and counted.
    fn is_clear(&self) -> bool {
        match self {
            Self::Here(..) => true,
            Self::Beside(work_queue) => work_queue.is_clear(),
            Self::Pipeline(chunk_queue) => chunk_queue.is_clear(),
        }
    }

    fn set_paused(&self, paused: bool) {
        match self {
            Self::Here(..) => {}
            Self::Beside(work_queue) => work_queue.set_paused(paused),
            Self::Pipeline(chunk_queue) => chunk_queue.set_paused(paused),
        }
    }
}

/// A record's stamp with its place, and whether stamp, key and value are as they were sent.
#[inline]
pub(crate) fn placed_of<'a>(
    value: &[u8],
    key: Option<&[u8]>,
    header: impl FnOnce() -> Option<&'a [u8]>,
) -> Option<(Placed, bool)> {
    let (placed, content, made_of) = match Placed::from_bytes(value) {
        Some((placed, content)) => (placed, content, &value[STAMP_BYTES..]),
        None => {
            let (placed, content) = Placed::from_bytes(header()?)?;
            (placed, content, value)
        }
    };
    Some((placed, content == content_sum(key, made_of)))
}

/// The polling thread.
pub(crate) struct Intake {
    pub(crate) slot: usize,
    pub(crate) instance: InstanceId,
    pub(crate) run: u32,
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) membership: SharedMembership,
    pub(crate) topics: Arc<Topics>,
    pub(crate) processing: Processing,
    pub(crate) control: Arc<Control>,
    pub(crate) cutter: Cutter,
    pub(crate) parts: mpsc::Sender<Part>,
    pub(crate) sink: mpsc::Sender<FromAgent>,
    /// What brokers have answered for before the start.
    pub(crate) reading: Reading,
    /// Whether records that come before the start are read again after it: where all that the topic
    /// holds is part of the load.
    pub(crate) reads_again: bool,
    /// Whether records may carry stamps of this run. To look for one in a record that has none costs more
    /// than all else that is done with it: librdkafka allocates twice to see that there is no header.
    pub(crate) stamped: bool,
    /// Looks at records' integrity, where that is checked.
    pub(crate) checker: Option<Checker>,
    /// Matches records with what went into a pipeline of others.
    pub(crate) through: Option<Through>,
    pub(crate) counts: Counts,
}

/// What the poll loop counts and remembers.
#[derive(Default)]
pub(crate) struct Counts {
    foreign: u64,
    given: u64,
    counters: Counters,
    items: Vec<Item>,
    /// Records on their way to a pipeline.
    chunk: Chunk,
    /// Topics by the client's key for them, most recent first.
    keys: Vec<(usize, Option<usize>)>,
    /// Records that came before the start: where the first one was, and where the last one.
    early: HashMap<Place, (i64, i64)>,
    /// Partitions that are being read again from their first early record; until that happens, what
    /// comes was already on its way and will come again.
    rewinding: HashMap<Place, i64>,
    /// Whether the last poll found nothing.
    idle: bool,
    paused: Paused,
}

/// How long partitions were paused.
#[derive(Default)]
struct Paused {
    since_us: Option<u64>,
    total_us: u64,
}

impl Paused {
    fn set(&mut self, paused: bool, now_us: u64) {
        match (self.since_us, paused) {
            (None, true) => self.since_us = Some(now_us),
            (Some(since_us), false) => {
                self.total_us += now_us.saturating_sub(since_us);
                self.since_us = None;
            }
            _ => {}
        }
    }

    /// The time up to the end of an interval; what lasts longer goes on in the next one.
    fn close(&mut self, end_us: u64) -> u64 {
        if let Some(since_us) = &mut self.since_us {
            self.total_us += end_us.saturating_sub(*since_us);
            *since_us = end_us.max(*since_us);
        }
        std::mem::take(&mut self.total_us)
    }
}

impl Intake {
    /// Polls until the engine ends, then closes the last intervals.
    pub(crate) fn run(mut self) {
        sys::sleep_precisely();
        let header = crate::librdkafka::header_name(HEADER);
        let mut batch = self.consumer.batch(BATCH);
        let mut closer: Option<JoinHandle<()>> = None;
        loop {
            let seen = self.control.changes();
            if self.control.has_ended() {
                break;
            }
            if closer.is_some() {
                self.idle_until_end(seen);
                continue;
            }
            self.consumer.consume(&mut batch, self.patience_ms());
            let now_us = self.control.now_us();
            if let Some(now_us) = now_us {
                self.rewind();
                self.cut(now_us);
            }
            self.receive(&batch, &header, now_us);
            batch.clear();
            self.balance();
            if now_us.is_none() {
                self.tell_reading();
            }
            if self.control.is_closing() {
                closer = self.close();
            }
        }
        if let Some(end_us) = self.control.park() {
            self.cut(end_us);
            if let Some(interval) = self.cutter.cut_short(end_us) {
                self.hand_over(interval);
            }
        }
    }

    fn patience_ms(&self) -> i32 {
        let most = match self.control.now_us() {
            None if self.reading.is_waiting(lock(&self.membership).assigned.len()) => {
                LOOK_FOR_ANSWERS_MS
            }
            None => LOOK_UP_MS,
            Some(now_us) => {
                let left_us = self.cutter.current().end_us.saturating_sub(now_us);
                LOOK_UP_MS.min(left_us / 1_000 + 1)
            }
        };
        i32::try_from(most).unwrap_or(1)
    }

    fn receive(&mut self, batch: &Batch, header: &CStr, now_us: Option<u64>) {
        let counts = &mut self.counts;
        counts.items.clear();
        let mut empty = true;
        for record in batch.iter() {
            empty = false;
            if !record.code().is_ok() {
                self.membership_error(record);
                continue;
            }
            let Some(topic) = self.topic_of(record) else { continue };
            let place = (topic, record.partition());
            match self.sort(record, place, header, now_us) {
                Some(due_us) => {
                    let (offset, bytes) = (record.offset(), record.bytes());
                    self.take(record, Item { place, offset, bytes, due_us });
                }
                None if now_us.is_some() => self.topics.set_position(place, record.offset() + 1),
                None => {}
            }
        }
        self.counts.idle = empty;
        if let Some(now_us) = now_us {
            self.counts.counters.count(Counter::Polls, 1);
            self.counts.counters.count(Counter::EmptyPolls, u64::from(empty));
            self.process(now_us);
        }
    }

    /// Finds out what a record is: the due time of one to be counted, `None` for all others.
    #[inline]
    fn sort(
        &mut self,
        record: Received<'_>,
        place: Place,
        header: &CStr,
        now_us: Option<u64>,
    ) -> Option<u64> {
        let mut placed = None;
        let stamp = match (self.stamped, &self.checker) {
            (false, _) => None,
            (true, None) => Stamp::from_bytes(record.payload())
                .or_else(|| record.header(header).and_then(Stamp::from_bytes)),
            (true, Some(_)) => {
                placed = placed_of(record.payload(), record.key(), || record.header(header));
                placed.map(|(placed, _)| placed.stamp)
            }
        };
        let Some(now_us) = now_us else {
            // Other agents may have heard of the start sooner, and what they have sent is of the load.
            let is_ours = stamp.is_some_and(|stamp| stamp.run == self.run);
            if !(self.reads_again || is_ours) {
                return None;
            }
            let (_, last) =
                self.counts.early.entry(place).or_insert((record.offset(), record.offset()));
            *last = record.offset();
            return None;
        };
        if !self.counts.rewinding.is_empty() && self.is_on_its_way(place, record.offset()) {
            return None;
        }
        if stamp.is_some_and(|stamp| stamp.run != self.run) {
            self.counts.foreign += 1;
            return None;
        }
        if let (Some(checker), Some((placed, is_sound))) = (&mut self.checker, placed) {
            let sighting = Sighting { place, offset: record.offset(), placed, now_us };
            checker.note(&sighting, is_sound, &self.topics);
            if !is_sound {
                // It was received, but nobody knows when it was due.
                return Some(NEVER);
            }
        }
        if let Some(through) = &mut self.through {
            return Some(through.note(stamp, record.payload()));
        }
        Some(stamp.map_or(NEVER, |stamp| stamp.due_us.min(NEVER - 1)))
    }

    /// Notes a record to be processed. A pipeline needs its bytes, which are the client's.
    #[inline]
    fn take(&mut self, record: Received<'_>, item: Item) {
        if let Processing::Pipeline(chunk_queue) = &self.processing {
            self.counts.chunk.push(item, record.key(), record.payload());
            if self.counts.chunk.is_full() {
                chunk_queue.put(std::mem::take(&mut self.counts.chunk));
            }
        }
        self.counts.items.push(item);
    }

    fn process(&mut self, now_us: u64) {
        let items = &mut self.counts.items;
        self.counts.given += items.len() as u64;
        match &mut self.processing {
            Processing::Here(receipts, committer) => {
                receipts.record_all(items, now_us);
                if !items.is_empty() {
                    committer.processed(items.len() as u64);
                }
            }
            Processing::Beside(work_queue) if !items.is_empty() => work_queue.put(items.drain(..)),
            Processing::Beside(_) => {}
            Processing::Pipeline(chunk_queue) => {
                if !self.counts.chunk.is_empty() {
                    chunk_queue.put(std::mem::take(&mut self.counts.chunk));
                }
            }
        }
    }

    /// Pauses partitions when the queue is full, and resumes them when it runs low.
    fn balance(&mut self) {
        let Some((is, wanted)) = self.processing.pausing() else { return };
        if is == wanted && !is {
            return;
        }
        // While it lasts, it is said again each time: a rebalance may have brought new partitions.
        let assigned = lock(&self.membership).assigned.clone();
        let list = self.topics.list(assigned.into_iter().map(|place| (place, 0)));
        self.processing.set_paused(wanted);
        if let Some(now_us) = self.control.now_us() {
            self.counts.paused.set(wanted, now_us);
        }
        let _ = self.consumer.client().pause(&list, wanted);
    }

    /// At the start, goes back to the first record that came too early to be counted.
    fn rewind(&mut self) {
        if self.counts.early.is_empty() {
            return;
        }
        let early = std::mem::take(&mut self.counts.early);
        let list = self.topics.list(early.iter().map(|(place, (first, _))| (*place, *first)));
        self.consumer.client().seek(&list);
        self.counts.rewinding = early.into_iter().map(|(place, (_, last))| (place, last)).collect();
    }

    /// Whether a record was fetched before its partition was rewound.
    fn is_on_its_way(&mut self, place: Place, offset: i64) -> bool {
        match self.counts.rewinding.get_mut(&place) {
            None => false,
            Some(last) if offset > *last => {
                *last = offset;
                true
            }
            Some(_) => {
                self.counts.rewinding.remove(&place);
                false
            }
        }
    }

    #[inline]
    fn topic_of(&mut self, record: Received<'_>) -> Option<usize> {
        let key = record.topic_key();
        if let Some((known, topic)) = self.counts.keys.iter().find(|(known, _)| *known == key) {
            debug_assert_eq!(*known, key);
            return *topic;
        }
        let topic = self.topics.find(&record.topic());
        self.counts.keys.push((key, topic));
        topic
    }

    #[cold]
    fn membership_error(&self, record: Received<'_>) {
        let code = record.code();
        if code == Code::PARTITION_EOF {
            return;
        }
        let mut membership = lock(&self.membership);
        membership.error(code);
        membership.fail_without_right(code);
        let incident = Incident { code, fatal: false, text: record.describe() };
        membership.notes.tell(&incident);
    }

    /// Tells which partitions are read, whenever that has changed.
    fn tell_reading(&mut self) {
        let assigned = lock(&self.membership).assigned.clone();
        let (client, topics) = (self.consumer.client(), &self.topics);
        let is_answered =
            |(topic, partition): Place| client.is_fetched(topics.name(topic), partition);
        if let Some(read) = self.reading.look(&assigned, is_answered) {
            let partitions = self.topics.named(read);
            let _ = self.sink.send(FromAgent::Reading { instance: self.instance, partitions });
        }
    }

    fn cut(&mut self, now_us: u64) {
        while let Some(interval) = self.cutter.cut(now_us) {
            self.hand_over(interval);
        }
    }

    fn hand_over(&mut self, interval: Interval) {
        self.refresh_positions();
        let paused_us = self.counts.paused.close(interval.end_us);
        self.counts.counters.count(Counter::PausedUs, paused_us);
        let mut part = PolledPart {
            interval,
            foreign: self.counts.foreign,
            given: self.counts.given,
            counters: std::mem::take(&mut self.counts.counters),
            rebalances: Vec::new(),
            commit: Histogram::new(),
            errors: Vec::new(),
            through: self.through.as_mut().map(Through::close),
            client: None,
            integrity: self.checker.as_mut().map(|checker| Box::new(checker.close(&self.topics))),
        };
        lock(&self.membership).report(&mut part);
        let _ = self.parts.send(Part::Polled(self.slot, part));
        if let Processing::Here(receipts, committer) = &mut self.processing {
            committer.interval_ended();
            let part = receipts.close(interval);
            let _ = self.parts.send(Part::Processed(self.slot, part));
        }
    }

    /// The client also counts what it does not hand out, transaction markers (control records). When everything is
    /// processed, its position is ours: otherwise there would be a lag that never ends.
    fn refresh_positions(&self) {
        // What is in hand beside the poll loop is not processed yet; its own positions are right.
        if !self.counts.idle || !self.processing.is_clear() {
            return;
        }
        let assigned = lock(&self.membership).assigned.clone();
        let unknown = crate::librdkafka::OFFSET_INVALID;
        let mut list = self.topics.list(assigned.into_iter().map(|place| (place, unknown)));
        self.consumer.client().positions(&mut list);
        for (place, offset) in self.topics.places_in(&list) {
            if self.topics.position(place).is_none_or(|known| known < offset) && offset >= 0 {
                self.topics.set_position(place, offset);
            }
        }
    }

    /// Leaves the group on a thread of its own: librdkafka waits for the broker in that call, and
    /// intervals must go on.
    fn close(&mut self) -> Option<JoinHandle<()>> {
        lock(&self.membership).is_closing = true;
        let (consumer, control) = (Arc::clone(&self.consumer), Arc::clone(&self.control));
        let membership = Arc::clone(&self.membership);
        let closing = move || {
            if let Err(code) = consumer.close() {
                let text = "it could not leave its group".to_owned();
                lock(&membership).notes.tell(&Incident { code, fatal: false, text });
            }
            control.settle();
        };
        std::thread::Builder::new().name("close".to_owned()).spawn(closing).ok()
    }

    fn idle_until_end(&mut self, seen: u64) {
        self.control.sleep_until(self.cutter.current().end_us, seen);
        if let Some(now_us) = self.control.now_us() {
            self.cut(now_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_counted_in_the_intervals_that_it_lasts_through() {
        let mut paused = Paused::default();
        paused.set(true, 400);
        paused.set(true, 500);
        paused.set(false, 700);
        paused.set(true, 900);
        assert_eq!(paused.close(1_000), 400);
        assert_eq!(paused.close(2_000), 1_000);
        paused.set(false, 2_100);
        assert_eq!(paused.close(3_000), 100);
        assert_eq!(paused.close(4_000), 0);
    }
}
