//! A watch: one expectation, judged while reports come in, in memory that does not grow with time.

use super::{
    faults::{Decided, FaultBook, When},
    held::Held,
    observed::{GroupInterval, add_groups},
    roster::{AgentIndex, Role, Roster},
    spans::Spans,
    summary::{Origin, Received, Sent},
    waits::Waits,
    windows::Windows,
};
use crate::{
    expect::{Expectation, Scope},
    metrics::{
        resources::ResourceTally,
        slope::LeastSquares,
        tally::{ClusterTally, Tally},
    },
};
use mallard_protocol::{
    ids::{PhaseId, TopicId},
    interval::{ConsumedPartition, ProducedPartition, Resources},
};
use std::collections::{BTreeMap, VecDeque};

/// Whom an expectation is about, by indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    All,
    Topic(TopicId),
    /// Slots, one member each.
    Partitions(Vec<usize>),
    Producer(usize),
    Reader(usize),
    /// A group that is not the case's own.
    Group(usize),
    /// Agents, one member each.
    Agents(Vec<usize>),
}

/// What judging an expectation found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// Windows judged; one if it is judged over the whole.
    pub windows: u64,
    /// Of these, windows that failed.
    pub failed: u64,
    /// The window and member nearest to the wrong side of the limit, or furthest on it.
    pub worst: Option<Finding>,
    /// The first window that failed.
    pub first_failing: Option<Finding>,
    /// Whether there are several windows.
    pub is_windowed: bool,
    /// Stretches of windows that failed, in order: start and end on the run's clock. Windows without a
    /// gap between them are one stretch; at most 500 are kept.
    pub failing: Vec<(u64, u64)>,
    /// Whether the load was stopped before anything could be judged.
    pub not_reached: bool,
    /// Whether what it is about cannot be known: then it neither holds nor fails.
    pub is_unknown: bool,
}

/// Most stretches of failed windows that are kept: more than a chart has room for.
const FAILING_MAX: usize = 500;

impl Judged {
    /// Notes that a window failed.
    fn add_failing(&mut self, start_us: u64, end_us: u64) {
        let is_full = self.failing.len() >= FAILING_MAX;
        match self.failing.last_mut() {
            Some((start, end)) if start_us <= *end => {
                *start = (*start).min(start_us);
                *end = (*end).max(end_us);
            }
            _ if is_full => {}
            _ => self.failing.push((start_us, end_us)),
        }
    }
}

/// A value of a member in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The value; `None` where there should have been samples and were none.
    pub value: Option<f64>,
    /// The member of an `every` scope: `partition orders/3`.
    pub member: Option<String>,
    /// Start of the window on the run's clock.
    pub start_us: u64,
    /// End of the window on the run's clock.
    pub end_us: u64,
    /// Whether nothing came in the window itself: the value is what its records waited at least.
    pub waited: bool,
}

#[derive(Clone, Debug)]
struct Open {
    number: u64,
    time_us: u64,
    /// By member.
    tallies: Vec<Tally>,
}

/// An expectation at work.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    expectation: Expectation,
    who: Who,
    /// The phase whose records count, or all measured ones.
    phase: Option<PhaseId>,
    windows: Windows,
    members: usize,
    open: VecDeque<Open>,
    /// Windows up to this moment have been judged.
    judged_to_us: u64,
    /// Windows below this number have been judged. A load that ends early makes its last window one that
    /// waits for stragglers, and it may have been judged before anybody knew.
    judged_below: u64,
    slopes: Vec<LeastSquares>,
    /// Windows without samples, where these have a value later on.
    waits: Option<Waits>,
    /// What is held back, where only a part of the time counts.
    held: Option<Held>,
    judged: Judged,
}

impl Watch {
    pub(super) fn new(expectation: &Expectation, roster: &Roster, faults: &FaultBook) -> Self {
        let (who, phase) = who(&expectation.scope, roster);
        let when = match &expectation.scope {
            Scope::Fault(name) => When::Of(faults.named(name)),
            _ if expectation.outside_faults => When::Outside,
            _ => When::Any,
        };
        let spans = match phase {
            // A fault may lie in any phase.
            None if matches!(when, When::Of(_)) => Spans::of(&roster.timeline, |_| true),
            None => roster.measured.clone(),
            Some(id) => {
                let wanted = roster.timeline.0.get(id.index()).map(|phase| phase.start_us);
                Spans::of(&roster.timeline, |phase| Some(phase.start_us) == wanted)
            }
        };
        let members = match &who {
            Who::Partitions(slots) => slots.len(),
            Who::Agents(agents) => agents.len(),
            _ => 1,
        };
        let windows = Windows::new(&roster.timeline, spans, expectation.window, expectation.slope);
        let judged = Judged { is_windowed: windows.are_many(), ..Judged::default() };
        let waits =
            Waits::of(expectation.metric.name).filter(|_| windows.are_many() && when == When::Any);
        let held = (when != When::Any).then(|| Held::new(when, members));
        Self {
            expectation: expectation.clone(),
            who,
            phase,
            windows,
            members,
            open: VecDeque::new(),
            judged_to_us: 0,
            judged_below: 0,
            slopes: vec![LeastSquares::default(); members],
            waits,
            held,
            judged,
        }
    }

    /// Ends the load early, at a cut.
    pub(super) fn stop(&mut self, at_us: u64) {
        self.windows.stop(at_us);
    }

    /// Whether it holds intervals back until it is known what they belong to.
    pub(super) fn holds_back(&self) -> bool {
        self.held.is_some()
    }

    /// Whether partitions have to be fed one by one.
    pub(super) fn is_of_partitions(&self) -> bool {
        matches!(self.who, Who::Partitions(_))
    }

    fn wants(&self, phase: PhaseId, roster: &Roster) -> bool {
        let is_of_fault = matches!(self.when(), When::Of(_));
        is_of_fault
            || self.phase.map_or_else(|| roster.is_measured(phase), |wanted| wanted == phase)
    }

    /// Which part of the time counts.
    fn when(&self) -> &When {
        self.held.as_ref().map_or(&When::Any, |held| &held.when)
    }

    /// The member that a producer or consumer belongs to.
    fn member_of(&self, origin: &Origin) -> Option<usize> {
        match (&self.who, origin.role) {
            (Who::All, _) => Some(0),
            (Who::Topic(topic), _) => {
                (origin.topic.is_none() || origin.topic == Some(*topic)).then_some(0)
            }
            (Who::Producer(wanted), Role::Producer { producer }) => {
                (*wanted == producer).then_some(0)
            }
            (Who::Reader(wanted), Role::Consumer { reader }) => (*wanted == reader).then_some(0),
            (Who::Agents(agents), _) => agents.iter().position(|agent| *agent == origin.agent.0),
            (Who::Partitions(_) | Who::Producer(_) | Who::Reader(_) | Who::Group(_), _) => None,
        }
    }

    fn member_of_slot(&self, slot: usize) -> Option<usize> {
        let Who::Partitions(slots) = &self.who else { return None };
        slots.binary_search(&slot).ok()
    }

    /// Feeds every open window that an interval belongs to.
    fn feed(&mut self, start_us: u64, member: usize, mut add: impl FnMut(&mut Tally)) {
        if let Some(held) = &mut self.held {
            if let Some(cell) = held.cell(start_us) {
                add(&mut cell.tallies[member]);
            }
            return;
        }
        for number in self.windows.of(start_us) {
            if let Some(open) = self.open_mut(number) {
                add(&mut open.tallies[member]);
            }
        }
    }

    /// Takes in what was held back of an interval, now that it is known what it belongs to.
    pub(super) fn decide(&mut self, decided: &Decided, roster: &Roster) {
        let Some(held) = &mut self.held else { return };
        let is_wanted = held.wants(decided);
        let Some(cell) = held.take(decided.start_us) else { return };
        let Some((end_us, cut_us)) = cell.times else { return };
        if is_wanted {
            for number in self.windows.of(cell.start_us) {
                if let Some(open) = self.open_mut(number) {
                    let members = open.tallies.iter_mut().zip(&cell.tallies);
                    members.for_each(|(sum, tally)| sum.append(tally));
                }
            }
        }
        self.pass(cell.start_us, if is_wanted { end_us } else { cell.start_us }, cut_us, roster);
    }

    /// Notes that an interval brought a latency.
    fn sampled(&mut self, start_us: u64, member: usize, is: bool) {
        if let Some(waits) = self.waits.as_mut().filter(|_| is) {
            self.windows.of(start_us).for_each(|window| waits.sampled(window, member, start_us));
        }
    }

    /// The window of a number, opened if need be; `None` if it was judged already.
    fn open_mut(&mut self, number: u64) -> Option<&mut Open> {
        let at = self.open.partition_point(|open| open.number < number);
        if self.open.get(at).is_none_or(|open| open.number != number) {
            if number < self.judged_below || self.windows.is_over(number, self.judged_to_us) {
                return None;
            }
            let tallies = vec![Tally::default(); self.members];
            self.open.insert(at, Open { number, time_us: 0, tallies });
        }
        self.open.get_mut(at)
    }

    pub(super) fn sent(&mut self, start_us: u64, sent: &Sent, roster: &Roster) {
        let Some(member) = self.member_of(&sent.origin) else { return };
        let dues: Vec<_> = sent.dues.iter().filter(|(p, _)| self.wants(*p, roster)).collect();
        let happened = self.windows.contains(start_us);
        if dues.is_empty() && !happened {
            return;
        }
        let answered = self.expectation.metric.name.starts_with("produce.")
            && dues.iter().any(|(_, due)| due.acked > 0);
        self.sampled(start_us, member, answered);
        self.feed(start_us, member, |tally| {
            if happened {
                tally.sending.absorb(&sent.sending);
                tally.client.absorb(&sent.client);
            }
            dues.iter().for_each(|(_, due)| tally.due.absorb(due));
        });
    }

    pub(super) fn received(&mut self, start_us: u64, received: &Received, roster: &Roster) {
        let Some(member) = self.member_of(&received.origin) else { return };
        let topic = if let Who::Topic(topic) = self.who { Some(topic) } else { None };
        let is_of = |other: TopicId| topic.is_none_or(|topic| topic == other);
        let wanted = received.arrived.iter();
        let wanted = wanted.filter(|(t, phase, _)| is_of(*t) && self.wants(*phase, roster));
        let arrived: Vec<_> = wanted.map(|(_, _, arrived)| arrived).collect();
        let pipeline = received.pipeline.iter().filter(|_| topic.is_none());
        let pipeline: Vec<_> = pipeline.filter(|(phase, _)| self.wants(*phase, roster)).collect();
        let happened = self.windows.contains(start_us);
        if arrived.is_empty() && pipeline.is_empty() && !happened {
            return;
        }
        let answered = self.expectation.metric.name.starts_with("end_to_end.")
            && arrived.iter().any(|arrived| !arrived.end_to_end.is_empty());
        self.sampled(start_us, member, answered);
        self.feed(start_us, member, |tally| {
            arrived.iter().for_each(|arrived| tally.arrived.absorb(arrived));
            pipeline.iter().for_each(|(_, part)| tally.pipeline.absorb(part));
            if happened && topic.is_none() {
                tally.receiving.absorb(&received.receiving);
            } else if happened {
                for (_, records, bytes) in received.topics.iter().filter(|(t, ..)| is_of(*t)) {
                    tally.receiving.received += records;
                    tally.receiving.received_bytes += bytes;
                }
            }
        });
    }

    pub(super) fn partition_sent(
        &mut self,
        start_us: u64,
        slot: usize,
        phase: PhaseId,
        part: &ProducedPartition,
        roster: &Roster,
    ) {
        let Some(member) = self.member_of_slot(slot) else { return };
        let (happened, due) = (self.windows.contains(start_us), self.wants(phase, roster));
        let is_produce = self.expectation.metric.name.starts_with("produce.");
        self.sampled(start_us, member, is_produce && due && part.acked > 0);
        self.feed(start_us, member, |tally| {
            if happened {
                tally.sending.acked += part.acked;
                tally.sending.acked_bytes += part.acked_bytes;
                tally.sending.failed += part.failed;
            }
            if due {
                tally.due.acked += part.acked;
                tally.due.acked_bytes += part.acked_bytes;
                tally.due.failed += part.failed;
                tally.due.service.add(&part.service);
                tally.due.response.add(&part.response);
            }
        });
    }

    pub(super) fn partition_received(
        &mut self,
        start_us: u64,
        slot: usize,
        phase: PhaseId,
        part: &ConsumedPartition,
        roster: &Roster,
    ) {
        let Some(member) = self.member_of_slot(slot) else { return };
        let (happened, due) = (self.windows.contains(start_us), self.wants(phase, roster));
        let is_arrival = self.expectation.metric.name.starts_with("end_to_end.");
        self.sampled(start_us, member, is_arrival && due && !part.end_to_end.is_empty());
        self.feed(start_us, member, |tally| {
            if happened {
                tally.receiving.received += part.received;
                tally.receiving.received_bytes += part.received_bytes;
            }
            if due {
                tally.arrived.received += part.received;
                tally.arrived.received_bytes += part.received_bytes;
                tally.arrived.negative += part.negative;
                tally.arrived.end_to_end.add(&part.end_to_end);
            }
        });
    }

    pub(super) fn resources(
        &mut self,
        (cell_us, start_us, end_us): (u64, u64, u64),
        agent: AgentIndex,
        used: &Resources,
        memory_start_bytes: Option<u64>,
    ) {
        let member = match &self.who {
            Who::All => Some(0),
            Who::Agents(agents) => agents.iter().position(|wanted| *wanted == agent.0),
            _ => None,
        };
        let Some(member) = member.filter(|_| self.windows.contains(cell_us)) else { return };
        self.feed(cell_us, member, |tally| {
            let resources: &mut ResourceTally = tally.resources_of(agent.0);
            resources.record(start_us, end_us, used);
            resources.memory_start_bytes = memory_start_bytes;
        });
    }

    /// Feeds the lag at the end of an interval: `lag` by reader and slot.
    pub(super) fn lag(
        &mut self,
        (start_us, end_us): (u64, u64),
        roster: &Roster,
        lag: &dyn Fn(usize, usize) -> Option<u64>,
    ) {
        if !["consume.lag.", "consume.recovery_time."]
            .iter()
            .any(|of| self.expectation.metric.name.starts_with(of))
            || !self.windows.contains(start_us)
        {
            return;
        }
        let due = roster.due_per_s((start_us, end_us));
        for member in 0..self.members {
            if let Some(lag) = lag_of(&self.who, member, roster, lag) {
                self.feed(start_us, member, |tally| {
                    tally.lag.record(lag, (end_us, end_us - start_us), due);
                });
            }
        }
    }

    /// Feeds the depth of consumers' queues at the end of an interval: `depth` by reader, or of all.
    pub(super) fn queue(
        &mut self,
        (start_us, end_us): (u64, u64),
        depth: &dyn Fn(Option<usize>) -> Option<u64>,
    ) {
        let wanted = self.expectation.metric.name.starts_with("consume.queue.");
        let reader = match self.who {
            Who::All => None,
            Who::Reader(reader) => Some(reader),
            _ => return,
        };
        if let Some(depth) = depth(reader).filter(|_| wanted && self.windows.contains(start_us)) {
            self.feed(start_us, 0, |tally| tally.queue.record(depth, end_us - start_us));
        }
    }

    /// Feeds what became known of observed groups in an interval.
    pub(super) fn groups(
        &mut self,
        (start_us, end_us): (u64, u64),
        groups: &[GroupInterval],
        roster: &Roster,
    ) {
        if !self.expectation.metric.name.starts_with("observe.") || !self.windows.contains(start_us)
        {
            return;
        }
        let due = roster.due_per_s((start_us, end_us));
        for member in 0..self.members {
            let who = self.who.clone();
            let of_who = groups.iter().filter(|interval| match who {
                Who::Group(group) => group == interval.group,
                _ => true,
            });
            let of_who: Vec<_> = of_who.collect();
            let in_slot = |slot: usize| is_slot_of(&who, member, slot, roster);
            self.feed(start_us, member, |tally| {
                add_groups(tally, of_who.iter().copied(), &in_slot, (start_us, end_us), due);
            });
        }
    }

    /// Feeds what an interval says of brokers, leaders and replicas.
    pub(super) fn cluster(&mut self, start_us: u64, cluster: &ClusterTally) {
        if self.who == Who::All && self.windows.contains(start_us) {
            self.feed(start_us, 0, |tally| tally.cluster.absorb(cluster));
        }
    }

    /// Notes that an interval is complete: its time counts, and windows before its end are over.
    pub(super) fn release(&mut self, start_us: u64, end_us: u64, cut_us: u64, roster: &Roster) {
        if let Some(held) = &mut self.held {
            if let Some(cell) = held.cell(start_us) {
                cell.times = Some((end_us, cut_us));
            }
            return;
        }
        self.pass(start_us, end_us, cut_us, roster);
    }

    fn pass(&mut self, start_us: u64, end_us: u64, cut_us: u64, roster: &Roster) {
        if end_us > start_us && self.windows.contains(start_us) {
            for number in self.windows.of(start_us) {
                if let Some(open) = self.open_mut(number) {
                    open.time_us += end_us - start_us;
                }
            }
        }
        self.judged_to_us = self.judged_to_us.max(cut_us);
        while self.open.front().is_some_and(|open| self.windows.is_over(open.number, cut_us)) {
            if let Some(open) = self.open.pop_front() {
                self.judged_below = open.number + 1;
                self.judge(open, roster);
            }
        }
    }

    /// Judges what is still open. `outcome` tells what only the end knows, by member.
    pub(super) fn finish(
        mut self,
        released_us: u64,
        roster: &Roster,
        outcome: &dyn Fn(&Who, usize, &When, &mut Tally),
        is_known: &dyn Fn(&When) -> bool,
    ) -> Judged {
        let one_window = !self.windows.are_many() && !self.windows.are_points();
        if one_window {
            self.open_mut(0);
        }
        while let Some(mut open) = self.open.pop_front() {
            if !self.windows.is_full(open.number, released_us) {
                continue;
            }
            if self.held.is_some() && self.windows.are_stopped() && open.time_us == 0 {
                // The load ended before the fault.
                continue;
            }
            if is_known(self.when()) {
                let when = self.when().clone();
                for (member, tally) in open.tallies.iter_mut().enumerate() {
                    outcome(&self.who, member, &when, tally);
                }
            } else {
                // That nothing was measured says so.
                open.time_us = 0;
            }
            self.judge(open, roster);
        }
        if self.windows.are_points() && self.windows.is_full(0, released_us) {
            let values = std::mem::take(&mut self.slopes);
            let values: Vec<_> = values.iter().map(LeastSquares::per_hour).collect();
            self.note(&values, self.windows.judged(), false, roster);
        }
        let waiting = self.waits.as_mut().map(|waits| waits.finish(released_us, roster));
        let Expectation { comparison, limit, .. } = self.expectation;
        for mut silent in waiting.unwrap_or_default() {
            // What never came may still be bad enough to say so; that it would have been good nobody knows.
            let holds = |value: &Option<f64>| value.is_some_and(|us| comparison.holds(us, limit));
            if silent.waited {
                silent.values.iter_mut().filter(|value| holds(value)).for_each(|us| *us = None);
            }
            self.note(&silent.values, silent.bounds, silent.waited, roster);
        }
        let no_value = self.judged.worst.as_ref().is_some_and(|worst| worst.value.is_none());
        let is_of_part = self.held.is_some() && !is_known(self.when());
        let metric = self.expectation.metric;
        self.judged.is_unknown = is_of_part || (no_value && metric.is_unknown_without_value());
        self.judged.not_reached = self.windows.are_stopped() && self.judged.windows == 0;
        self.judged
    }

    fn judge(&mut self, open: Open, roster: &Roster) {
        if self.held.is_some() && self.windows.are_many() && open.time_us == 0 {
            // Nothing is left of this window.
            return;
        }
        let mut values = Vec::with_capacity(open.tallies.len());
        for mut tally in open.tallies {
            tally.time_us = open.time_us;
            // A count over no time is not zero: nothing was measured.
            let value = (open.time_us > 0).then(|| (self.expectation.metric.value)(&tally));
            values.push(value.flatten());
        }
        if self.windows.are_points() {
            for (slope, value) in self.slopes.iter_mut().zip(values) {
                if let Some(value) = value {
                    slope.record(open.number, value);
                }
            }
        } else {
            let bounds = self.windows.bounds(open.number);
            let Some(waits) = &mut self.waits else {
                return self.note(&values, bounds, false, roster);
            };
            for window in waits.take(open.number, values, bounds, roster) {
                self.note(&window.values, window.bounds, window.waited, roster);
            }
        }
    }

    /// Takes a window's values, one a member, into the judgement.
    fn note(
        &mut self,
        values: &[Option<f64>],
        (start_us, end_us): (u64, u64),
        waited: bool,
        roster: &Roster,
    ) {
        let nothing_due = || self.judged.is_windowed && !roster.is_due_between(start_us, end_us);
        if values.iter().all(Option::is_none) && nothing_due() {
            // A pause: no sample is what was asked for.
            return;
        }
        let Expectation { comparison, limit, .. } = self.expectation;
        let distance = |value: Option<f64>| {
            value.map_or(f64::NEG_INFINITY, |value| comparison.distance(value, limit))
        };
        let worst = values.iter().enumerate();
        let worst = worst.min_by(|(_, a), (_, b)| distance(**a).total_cmp(&distance(**b)));
        let Some((member, value)) = worst.map(|(member, value)| (member, *value)) else { return };
        let holds = value.is_some_and(|value| comparison.holds(value, limit));
        let member = member_name(&self.who, member, roster);
        let finding = Finding { value, member, start_us, end_us, waited };
        self.judged.windows += 1;
        if !holds {
            self.judged.failed += 1;
            self.judged.first_failing.get_or_insert_with(|| finding.clone());
            if self.judged.is_windowed {
                self.judged.add_failing(start_us, end_us);
            }
        }
        let before = self.judged.worst.as_ref().map(|finding| distance(finding.value));
        if before.is_none_or(|before| distance(value) < before) {
            self.judged.worst = Some(finding);
        }
    }
}

/// Whether a partition belongs to a member of a scope.
pub(super) fn is_slot_of(who: &Who, member: usize, slot: usize, roster: &Roster) -> bool {
    match who {
        Who::Partitions(slots) => slots[member] == slot,
        Who::Topic(topic) => roster.partition_of(slot).0 == *topic,
        _ => true,
    }
}

/// Lag of one member of a scope: summed over partitions, of the reader that lags most.
pub(super) fn lag_of(
    who: &Who,
    member: usize,
    roster: &Roster,
    lag: &dyn Fn(usize, usize) -> Option<u64>,
) -> Option<u64> {
    let mut sums: BTreeMap<usize, u64> = BTreeMap::new();
    for (reader, slot) in pairs(who, member, roster) {
        if let Some(lag) = lag(reader, slot) {
            *sums.entry(reader).or_default() += lag;
        }
    }
    sums.into_values().max()
}

/// Readers and slots of one member of a scope, where that reader reads that partition.
pub(super) fn pairs(
    who: &Who,
    member: usize,
    roster: &Roster,
) -> impl Iterator<Item = (usize, usize)> {
    let (readers, slots) = match who {
        Who::Reader(reader) => (*reader..*reader + 1, 0..roster.slots()),
        Who::Partitions(slots) => (0..roster.readers.len(), slots[member]..slots[member] + 1),
        Who::Topic(topic) => {
            let first = roster.partitions(*topic).next().unwrap_or(0);
            (0..roster.readers.len(), first..first + roster.partitions(*topic).count())
        }
        _ => (0..roster.readers.len(), 0..roster.slots()),
    };
    readers
        .flat_map(move |reader| slots.clone().map(move |slot| (reader, slot)))
        .filter(|(reader, slot)| roster.readers[*reader].reads[*slot])
}

fn member_name(who: &Who, member: usize, roster: &Roster) -> Option<String> {
    match who {
        Who::Partitions(slots) if slots.len() > 1 => {
            Some(format!("partition {}", roster.partition_name(slots[member])))
        }
        Who::Agents(agents) if agents.len() > 1 => {
            Some(format!("agent {}", roster.agents[agents[member]]))
        }
        _ => None,
    }
}

/// A scope by indices. Names were checked when the scenario was loaded; one that is not there after
/// all is nobody, which gives no samples.
fn who(scope: &Scope, roster: &Roster) -> (Who, Option<PhaseId>) {
    let topic = |name: &str| {
        let at = roster.topics.iter().position(|topic| topic.alias == name);
        TopicId(at.and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX))
    };
    let who = match scope {
        Scope::Whole => Who::All,
        Scope::Topic(name) => Who::Topic(topic(name)),
        Scope::Partition(None) => {
            let real = (0..roster.slots()).filter(|slot| roster.partition_of(*slot).1 >= 0);
            Who::Partitions(real.collect())
        }
        Scope::Partition(Some((name, partition))) => {
            Who::Partitions(roster.slot(topic(name), *partition).into_iter().collect())
        }
        Scope::Producer(name) => {
            let at = roster.producers.iter().position(|producer| producer.name == *name);
            Who::Producer(at.unwrap_or(usize::MAX))
        }
        Scope::Consumer(name) => {
            let at = roster.readers.iter().position(|reader| reader.names.contains(name));
            at.map_or(Who::Agents(Vec::new()), Who::Reader)
        }
        Scope::Group(name) => {
            let at = roster.groups.iter().position(|group| group == name);
            Who::Group(at.unwrap_or(usize::MAX))
        }
        Scope::Agent(None) => Who::Agents((0..roster.agents.len()).collect()),
        Scope::Agent(Some(name)) => {
            Who::Agents(roster.agents.iter().position(|agent| agent == name).into_iter().collect())
        }
        // Who, and not when.
        Scope::Fault(_) => Who::All,
        Scope::Phase(name) => {
            let at = roster.timeline.0.iter().position(|phase| phase.name == *name);
            let id = at.and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX);
            return (Who::All, Some(PhaseId(id)));
        }
    };
    (who, None)
}
