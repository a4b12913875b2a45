//! Puts the parts of an interval together and sends it off.
//!
//! The reporter's thread wakes up at every boundary to read what the process used, and then waits for
//! the parts. The load does not wait for it.

use super::{
    Hooks, Observed,
    clock::{Cutter, Interval},
    control::Control,
    parts::{DeliveredPart, Part, PolledPart, ProcessedPart, SentPart},
};
use mallard_protocol::{
    ids::InstanceId,
    integrity::SentNumbers,
    interval::{
        ConsumerInterval, ConsumerTotals, IntervalReport, ProducerInterval, ProducerSlice,
        ProducerTotals, Resources,
    },
    message::FromAgent,
    schedule::Timeline,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    time::Duration,
};

/// How long an interval waits for what is seen on the brokers once it has everything else, in
/// microseconds. A broker may be down; the interval is worth more than its offsets.
const OBSERVING_GRACE_US: u64 = 1_000_000;

/// Longest wait for a part, so that a change of the engine's state is noticed.
const LOOK_UP: Duration = Duration::from_millis(50);

/// The reporter's state.
pub(crate) struct Reporter {
    control: Arc<Control>,
    sink: Sender<FromAgent>,
    hooks: Hooks,
    /// Asks what is seen on the brokers at the end of an interval; `None` if this agent does not look.
    observer: Option<Sender<u64>>,
    cutter: Cutter,
    producers: Vec<Producer>,
    consumers: Vec<Consumer>,
    open: BTreeMap<u64, Draft>,
    started: bool,
}

struct Producer {
    instance: InstanceId,
    totals: ProducerTotals,
}

struct Consumer {
    instance: InstanceId,
    totals: ConsumerTotals,
}

/// An interval that waits for its parts.
struct Draft {
    interval: Interval,
    sent: Vec<Option<SentPart>>,
    delivered: Vec<Option<DeliveredPart>>,
    polled: Vec<Option<PolledPart>>,
    processed: Vec<Option<ProcessedPart>>,
    missing: usize,
    resources: Option<Resources>,
    observed: Option<Observed>,
    late_by_us: u64,
}

impl Reporter {
    /// A reporter for these instances.
    pub(crate) fn new(
        control: Arc<Control>,
        sink: Sender<FromAgent>,
        (hooks, observer): (Hooks, Option<Sender<u64>>),
        timeline: &Timeline,
        producers: &[InstanceId],
        consumers: &[InstanceId],
    ) -> Self {
        let producer = |instance: &InstanceId| Producer {
            instance: *instance,
            totals: ProducerTotals::default(),
        };
        let consumer = |instance: &InstanceId| Consumer {
            instance: *instance,
            totals: ConsumerTotals::default(),
        };
        Self {
            control,
            sink,
            hooks,
            observer,
            cutter: Cutter::new(timeline),
            producers: producers.iter().map(producer).collect(),
            consumers: consumers.iter().map(consumer).collect(),
            open: BTreeMap::new(),
            started: false,
        }
    }

    /// Runs until the end.
    pub(crate) fn run(mut self, parts: &Receiver<Part>) {
        loop {
            let part = match parts.recv_timeout(self.patience()) {
                Ok(Part::End(end_us)) => return self.end(end_us, parts),
                Ok(part) => Some(part),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let now_us = self.control.now_us();
            if let Some(now_us) = now_us {
                self.announce(now_us);
                while let Some(interval) = self.cutter.cut(now_us) {
                    self.sample(interval);
                }
            }
            if let Some(part) = part {
                self.add(part, now_us.unwrap_or(0));
            }
            self.emit_complete(now_us.unwrap_or(0));
        }
    }

    fn patience(&self) -> Duration {
        let Some(now_us) = self.control.now_us() else {
            // Close to the start the wait must be short, or the start would be said to be late.
            let until = self.control.started_at().map(|at| at - super::sys::monotonic_us().min(at));
            return LOOK_UP.min(Duration::from_micros(until.unwrap_or(5_000).max(1)));
        };
        let left = self.cutter.current().end_us.saturating_sub(now_us);
        LOOK_UP.min(Duration::from_micros(left.max(1)))
    }

    fn announce(&mut self, now_us: u64) {
        if !std::mem::replace(&mut self.started, true) {
            let _ = self.sink.send(FromAgent::Started { late_by_us: now_us });
            // What the process used before the start is nobody's.
            (self.hooks.sample_resources)();
        }
    }

    fn sample(&mut self, interval: Interval) {
        let resources = (self.hooks.sample_resources)();
        self.draft(interval).resources = Some(resources);
        match &self.observer {
            // The observer is gone only when the engine ends.
            Some(observer) => drop(observer.send(interval.index)),
            None => self.draft(interval).observed = Some(Observed::default()),
        }
    }

    fn draft(&mut self, interval: Interval) -> &mut Draft {
        let (producers, consumers) = (self.producers.len(), self.consumers.len());
        self.open
            .entry(interval.index)
            .or_insert_with(|| Draft::new(interval, producers, consumers))
    }

    fn add(&mut self, part: Part, now_us: u64) {
        match (part.interval(), part) {
            (None, Part::Observed(index, observed)) => {
                if let Some(draft) = self.open.get_mut(&index) {
                    draft.observed = Some(observed);
                }
            }
            (Some(interval), part) => self.draft(interval).add(part, now_us),
            (None, _) => {}
        }
    }

    fn emit_complete(&mut self, now_us: u64) {
        while let Some(entry) = self.open.first_entry() {
            if !entry.get().is_complete(now_us) {
                return;
            }
            let draft = entry.remove();
            self.emit(draft);
        }
    }

    fn end(&mut self, end_us: Option<u64>, parts: &Receiver<Part>) {
        let Some(end_us) = end_us else { return };
        self.announce(0);
        while let Some(interval) = self.cutter.cut(end_us) {
            self.sample(interval);
        }
        if let Some(interval) = self.cutter.cut_short(end_us) {
            self.sample(interval);
        }
        // All threads but the observer have ended: what is not here by now will not come.
        while self.open.values().any(|draft| draft.observed.is_none()) {
            match parts.recv_timeout(Duration::from_micros(OBSERVING_GRACE_US)) {
                Ok(part) => self.add(part, end_us),
                Err(_) => break,
            }
        }
        while let Some((_, draft)) = self.open.pop_first() {
            self.emit(draft);
        }
    }

    fn emit(&mut self, draft: Draft) {
        let sent = draft.sent.into_iter().zip(draft.delivered);
        let producers = self
            .producers
            .iter_mut()
            .zip(sent)
            .filter_map(|(p, (sent, delivered))| p.join(sent?, delivered?));
        let polled = draft.polled.into_iter().zip(draft.processed);
        let consumers = self
            .consumers
            .iter_mut()
            .zip(polled)
            .filter_map(|(c, (polled, processed))| c.join(polled?, processed?));
        let observed = draft.observed.unwrap_or_default();
        let report = IntervalReport {
            sequence: draft.interval.index,
            start_us: draft.interval.start_us,
            end_us: draft.interval.end_us,
            late_by_us: draft.late_by_us,
            producers: producers.collect(),
            consumers: consumers.collect(),
            end_offsets: observed.end_offsets,
            groups: observed.groups,
            cluster: observed.cluster,
            resources: draft.resources.unwrap_or_default(),
        };
        let _ = self.sink.send(FromAgent::Interval(Box::new(report)));
    }
}

impl Draft {
    fn new(interval: Interval, producers: usize, consumers: usize) -> Self {
        fn empty<T>(count: usize) -> Vec<Option<T>> {
            (0..count).map(|_| None).collect()
        }
        Self {
            interval,
            sent: empty(producers),
            delivered: empty(producers),
            polled: empty(consumers),
            processed: empty(consumers),
            missing: 2 * (producers + consumers),
            resources: None,
            observed: None,
            late_by_us: 0,
        }
    }

    fn add(&mut self, part: Part, now_us: u64) {
        // The run's last interval is shorter than planned; parts know better than the plan.
        if let Some(interval) = part.interval() {
            self.interval = interval;
        }
        self.late_by_us = self.late_by_us.max(now_us.saturating_sub(self.interval.end_us));
        self.missing = self.missing.saturating_sub(1);
        match part {
            Part::Sent(slot, part) => self.sent[slot] = Some(part),
            Part::Delivered(slot, part) => self.delivered[slot] = Some(part),
            Part::Polled(slot, part) => self.polled[slot] = Some(part),
            Part::Processed(slot, part) => self.processed[slot] = Some(part),
            Part::Observed(..) | Part::End(_) => {}
        }
    }

    fn is_complete(&self, now_us: u64) -> bool {
        let given_up = now_us > self.interval.end_us + OBSERVING_GRACE_US;
        self.missing == 0 && self.resources.is_some() && (self.observed.is_some() || given_up)
    }
}

impl Producer {
    /// Joins what both threads counted. The totals come from the slices, except for those that were
    /// counted apart on purpose.
    fn join(&mut self, sent: SentPart, delivered: DeliveredPart) -> Option<ProducerInterval> {
        let mut slices = sent.slices;
        for theirs in delivered.slices {
            match slices.iter_mut().find(|mine| mine.phase == theirs.phase) {
                Some(mine) => {
                    merge_failed(&mut mine.failed, theirs.failed);
                    merge_partitions(mine, theirs.partitions);
                }
                None => slices.push(ProducerSlice {
                    phase: theirs.phase,
                    failed: theirs.failed,
                    partitions: theirs.partitions,
                    ..ProducerSlice::default()
                }),
            }
        }
        slices.sort_by_key(|slice| slice.phase);
        let partitions = || slices.iter().flat_map(|slice| &slice.partitions);
        self.totals.sent += slices.iter().map(|slice| slice.sent).sum::<u64>();
        self.totals.acked += partitions().map(|p| p.acked).sum::<u64>();
        self.totals.failed += partitions().map(|p| p.failed).sum::<u64>();
        self.totals.scheduled = sent.scheduled;
        self.totals.not_sent = sent.not_sent;
        self.totals.outstanding = sent.handed.saturating_sub(delivered.reported);
        let mut counters = sent.counters;
        counters.absorb(&delivered.counters);
        Some(ProducerInterval {
            instance: self.instance,
            totals: self.totals,
            slices,
            counters,
            transactions: sent.transactions,
            client: delivered.client,
            numbers: merge_numbers(sent.numbers, delivered.numbers),
        })
    }
}

impl Consumer {
    fn join(&mut self, polled: PolledPart, processed: ProcessedPart) -> Option<ConsumerInterval> {
        let partitions = processed.slices.iter().flat_map(|slice| &slice.partitions);
        self.totals.received += partitions.map(|p| p.received).sum::<u64>();
        self.totals.foreign = polled.foreign;
        self.totals.in_work = polled.given.saturating_sub(processed.taken);
        let mut counters = polled.counters;
        counters.absorb(&processed.counters);
        Some(ConsumerInterval {
            instance: self.instance,
            totals: self.totals,
            slices: processed.slices,
            positions: processed.positions,
            counters,
            rebalances: polled.rebalances,
            commit: polled.commit,
            errors: polled.errors,
            through: polled.through,
            client: polled.client,
            integrity: polled.integrity,
        })
    }
}

fn merge_numbers(sent: Vec<SentNumbers>, failed: Vec<SentNumbers>) -> Vec<SentNumbers> {
    let mut all = sent;
    for theirs in failed {
        match all.iter_mut().find(|mine| mine.partition == theirs.partition) {
            Some(mine) => mine.absorb(&theirs),
            None => all.push(theirs),
        }
    }
    all
}

fn merge_failed(into: &mut Vec<(String, u64)>, from: Vec<(String, u64)>) {
    for (code, n) in from {
        match into.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += n,
            None => into.push((code, n)),
        }
    }
}

/// Adds the reports' partitions to a slice. Only partition -1 can be on both sides: what the client
/// refused, and what it took and failed without ever finding a partition.
fn merge_partitions(
    slice: &mut ProducerSlice,
    partitions: Vec<mallard_protocol::interval::ProducedPartition>,
) {
    for partition in partitions {
        match slice.partitions.iter_mut().find(|p| p.partition == -1 && partition.partition == -1) {
            Some(mine) => mine.failed += partition.failed,
            None => slice.partitions.push(partition),
        }
    }
}
