//! The collector: takes agents' interval reports in whatever order they come, audits them, and gives
//! back merged intervals in order, each as soon as every living agent has told its part.
//!
//! Totals, windows and partitions are fed when a report comes, so nothing is kept waiting but one
//! [`Cell`] for each interval that is not complete: about 200 KiB, [`WAITING_MAX`] at most. Addition
//! commutes, so the order of reports changes no figure. A report is known by its agent and sequence;
//! one that comes twice is dropped.

use super::{
    audit::{self, AuditFailure, Ledger},
    cell::{self, Cell, MergedInterval},
    faults::{Decided, FaultBook, FaultTimes, Interval},
    integrity::IntegrityBook,
    lag::LagTable,
    observed::{GroupInterval, GroupTable, add_groups},
    outages::{OutageTable, flows},
    partitions::PartitionTable,
    roster::{AgentIndex, Role, Roster},
    summary::{Received, Sent},
    through::ThroughBook,
    watch::Watch,
};
use crate::{
    metrics::{
        resources::ResourceTally,
        tally::{Tally, add_codes},
    },
    plan::CasePlan,
};
use mallard_protocol::{
    counters::Counter,
    ids::{InstanceId, PhaseId, TopicId},
    interval::{IntervalReport, PartitionOffset},
};
use std::collections::{BTreeMap, VecDeque};

/// Most intervals that wait for a slow agent: 15 minutes, more than an agent spools before its lease
/// ends. Beyond it the oldest goes out without the parts that are missing, and its row says so.
pub const WAITING_MAX: usize = 900;

/// An interval whose last part was handed in this long after its end came late, in microseconds: half
/// an interval. The figures of its neighbours are then blurred into each other.
pub const LATE_REPORT_US: u64 = 500_000;

/// What an agent has told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentBook {
    pub(super) next_sequence: u64,
    pub(super) progress_us: u64,
    pub(super) finished: bool,
    pub(super) lost_at_us: Option<u64>,
    /// Intervals that never came.
    pub(super) missing: u64,
    /// Intervals that came without the part of an instance.
    pub(super) partial: u64,
    /// Intervals of the measured phases handed in late, and the worst of them.
    pub(super) late: u64,
    pub(super) late_by_us_max: u64,
    /// Its resources over the whole load.
    pub(super) whole: ResourceTally,
    pub(super) memory_start_bytes: Option<u64>,
    pub(super) reports: u64,
}

impl AgentBook {
    fn is_awaited(&self) -> bool {
        !self.finished && self.lost_at_us.is_none()
    }
}

/// Merges, audits and watches one case.
#[derive(Clone, Debug)]
pub struct Collector {
    pub(super) roster: Roster,
    pub(super) agents: Vec<AgentBook>,
    pub(super) ledgers: Vec<Ledger>,
    waiting: VecDeque<Cell>,
    ready: Vec<MergedInterval>,
    pub(super) released_us: u64,
    /// Intervals of the measured phases that went out.
    pub(super) measured_intervals: u64,
    /// Intervals that went out before a part of theirs came, or never got one.
    pub(super) incomplete: u64,
    pub(super) whole: Tally,
    /// End of the last interval in which a record was acknowledged.
    pub(super) acked_us: u64,
    /// Accounts of the whole load.
    pub(super) whole_late: u64,
    pub(super) whole_failed_by_code: BTreeMap<String, u64>,
    pub(super) producers: Vec<Tally>,
    pub(super) readers: Vec<Tally>,
    pub(super) partitions: PartitionTable,
    pub(super) lag: LagTable,
    /// By reader.
    pub(super) throughs: Vec<ThroughBook>,
    pub(super) integrity: IntegrityBook,
    pub(super) groups: Vec<Tally>,
    pub(super) group_table: GroupTable,
    pub(super) outages: OutageTable,
    pub(super) faults: FaultBook,
    pub(super) watches: Vec<Watch>,
    pub(super) failures: Vec<AuditFailure>,
    pub(super) audited: u64,
}

/// Most audit failures that are kept; the first ones tell the story.
const FAILURES_MAX: usize = 20;

impl Collector {
    /// A collector for a case.
    #[must_use]
    pub fn new(plan: &CasePlan) -> Self {
        let roster = Roster::new(plan);
        let (slots, readers) = (roster.slots(), roster.readers.len());
        let agents = vec![AgentBook::default(); roster.agents.len()];
        let mut lag = LagTable::new(slots, readers);
        for slot in roster.transactional_slots() {
            lag.expect_marker(slot);
        }
        let faults = FaultBook::new(&plan.faults);
        let watch = |e| Watch::new(e, &roster, &faults);
        Self {
            watches: plan.expectations.iter().map(watch).collect(),
            ledgers: vec![Ledger::default(); roster.instances.len()],
            producers: vec![Tally::default(); roster.producers.len()],
            readers: vec![Tally::default(); readers],
            partitions: PartitionTable::new(slots, readers, &roster.timeline),
            lag,
            throughs: vec![ThroughBook::default(); readers],
            integrity: IntegrityBook::default(),
            groups: vec![Tally::default(); roster.groups.len()],
            group_table: GroupTable::new(&roster),
            outages: OutageTable::default(),
            faults,
            agents,
            waiting: VecDeque::new(),
            ready: Vec::new(),
            released_us: 0,
            measured_intervals: 0,
            incomplete: 0,
            whole: Tally::default(),
            acked_us: 0,
            whole_late: 0,
            whole_failed_by_code: BTreeMap::new(),
            failures: Vec::new(),
            audited: 0,
            roster,
        }
    }

    /// Everybody in the case, by index.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The agent of a name.
    #[must_use]
    pub fn agent(&self, name: &str) -> Option<AgentIndex> {
        self.roster.agents.iter().position(|agent| agent == name).map(AgentIndex)
    }

    /// Sequence of the first interval that is still needed from an agent.
    #[must_use]
    pub fn resume_at(&self, agent: AgentIndex) -> u64 {
        self.agents[agent.0].next_sequence
    }

    /// End of the last interval that an agent has told, on the run's clock.
    #[must_use]
    pub fn progress_us(&self, agent: AgentIndex) -> u64 {
        self.agents[agent.0].progress_us
    }

    /// An interval in which nothing has happened: it names producers, consumers and topics.
    #[must_use]
    pub fn nothing_yet(&self) -> MergedInterval {
        cell::nothing_yet(&self.roster)
    }

    /// Intervals that wait for an agent.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Tells where partitions ended when the load started: before the common start.
    pub fn start_offsets(&mut self, offsets: &[PartitionOffset]) {
        self.lag.set_start(offsets, &self.roster);
    }

    /// Ends the load early, at a moment on the run's clock: from the interval of that moment on nothing
    /// that happens counts for rates and windows. Records that were due before keep their phase.
    pub fn stop(&mut self, at_us: u64) {
        let cut_us = self.roster.timeline.last_cut_us(at_us);
        self.roster.measured.end_at(cut_us);
        self.watches.iter_mut().for_each(|watch| watch.stop(cut_us));
    }

    /// Tells when a fault was there, as far as that is known by now; the fault's place in the plan.
    pub fn fault(&mut self, fault: usize, times: FaultTimes) {
        self.faults.tell(fault, times);
    }

    /// Takes an agent's report. Gives back the intervals that are now complete, in order.
    ///
    /// # Errors
    ///
    /// If the report's accounts do not add up. The report is left out and the failure kept for the
    /// verdict; what it completed comes with the next call.
    pub fn interval(
        &mut self,
        agent: AgentIndex,
        report: &IntervalReport,
    ) -> Result<Vec<MergedInterval>, AuditFailure> {
        let sequence = report.sequence;
        if sequence < self.agents[agent.0].next_sequence {
            return Ok(Vec::new());
        }
        let missing = sequence - self.agents[agent.0].next_sequence;
        let audited = self.audit(agent, report, missing);
        let book = &mut self.agents[agent.0];
        book.missing += missing;
        book.next_sequence = sequence + 1;
        book.progress_us = book.progress_us.max(report.end_us);
        if let Err(failure) = audited {
            self.close_ledgers(report);
            if self.failures.len() < FAILURES_MAX {
                self.failures.push(failure.clone());
            }
            self.release();
            return Err(failure);
        }
        self.audited += 1;
        self.merge(agent, report);
        self.close_ledgers(report);
        self.release();
        Ok(std::mem::take(&mut self.ready))
    }

    /// Declares an agent lost: its missing intervals hold nobody up any more.
    pub fn agent_lost(&mut self, agent: AgentIndex, at_us: u64) -> Vec<MergedInterval> {
        self.agents[agent.0].lost_at_us.get_or_insert(at_us);
        self.release();
        std::mem::take(&mut self.ready)
    }

    /// Notes that an agent has told all its intervals.
    pub fn agent_finished(&mut self, agent: AgentIndex) -> Vec<MergedInterval> {
        self.agents[agent.0].finished = true;
        self.release();
        std::mem::take(&mut self.ready)
    }

    /// Gives out what still waits, complete or not: the end of a case, however it ended.
    pub fn flush(&mut self) -> Vec<MergedInterval> {
        while let Some(cell) = self.waiting.pop_front() {
            // The last interval of a load ends before its cut, and is whole nevertheless.
            if cell.end_us > self.progress_of_all() {
                self.incomplete += 1;
            }
            self.release_cell(cell);
        }
        let decided = self.faults.settle_all();
        self.decide(&decided);
        self.partitions.close();
        std::mem::take(&mut self.ready)
    }

    fn audit(
        &mut self,
        agent: AgentIndex,
        report: &IntervalReport,
        missing: u64,
    ) -> Result<(), AuditFailure> {
        let book = &self.agents[agent.0];
        if missing > 0 {
            let mine = self.roster.instances.iter().zip(&mut self.ledgers);
            for (instance, ledger) in mine {
                if instance.as_ref().is_some_and(|instance| instance.agent == agent) {
                    ledger.gap();
                }
            }
        }
        let follows_us = (missing == 0 && book.reports > 0).then_some(book.progress_us);
        let fail = |instance: Option<InstanceId>, what: String| AuditFailure {
            agent: self.roster.agents[agent.0].clone(),
            instance: instance.and_then(|id| Some(self.roster.instance(id)?.name.clone())),
            sequence: report.sequence,
            start_us: report.start_us,
            end_us: report.end_us,
            what,
        };
        audit::check_report(report, agent.0, follows_us, &self.roster)
            .map_err(|what| fail(None, what))?;
        for interval in &report.producers {
            let id = interval.instance;
            let (topic, paced_only) = self.producer_facts(id);
            let ledger = &self.ledgers[id.index()];
            audit::check_producer(ledger, interval, topic, paced_only, &self.roster)
                .map_err(|what| fail(Some(id), what))?;
        }
        for interval in &report.consumers {
            let id = interval.instance;
            audit::check_consumer(&self.ledgers[id.index()], interval, &self.roster)
                .map_err(|what| fail(Some(id), what))?;
        }
        Ok(())
    }

    /// A producer instance's topic, and whether it never runs closed loop.
    fn producer_facts(&self, id: InstanceId) -> (TopicId, bool) {
        match self.roster.instance(id).map(|instance| instance.role) {
            Some(Role::Producer { producer }) => {
                let producer = &self.roster.producers[producer];
                (producer.topic, !producer.schedule.has_closed_loop())
            }
            _ => (TopicId(u16::MAX), false),
        }
    }

    fn close_ledgers(&mut self, report: &IntervalReport) {
        for interval in &report.producers {
            if let Some(ledger) = self.ledgers.get_mut(interval.instance.index()) {
                ledger.close_producer(interval);
            }
        }
        for interval in &report.consumers {
            if let Some(ledger) = self.ledgers.get_mut(interval.instance.index()) {
                ledger.close_consumer(interval);
            }
        }
    }

    fn merge(&mut self, agent: AgentIndex, report: &IntervalReport) {
        let start_us = self.roster.timeline.last_cut_us(report.start_us);
        self.note_report(agent, start_us, report);
        for interval in &report.producers {
            self.merge_producer(start_us, report, interval);
        }
        for interval in &report.consumers {
            self.merge_consumer(start_us, report, interval);
        }
        let name = self.roster.agents[agent.0].clone();
        match self.cell_mut(start_us) {
            Some(cell) => cell.add_report(agent, &name, report),
            None => self.incomplete += 1,
        }
    }

    fn note_report(&mut self, agent: AgentIndex, start_us: u64, report: &IntervalReport) {
        let measured = self.roster.measured.contains(start_us);
        let (from_us, to_us, used) = (report.start_us, report.end_us, &report.resources);
        let mine = self.roster.instances.iter().flatten().filter(|mine| mine.agent == agent);
        let is_partial = mine.count() > report.producers.len() + report.consumers.len();
        let book = &mut self.agents[agent.0];
        book.reports += 1;
        book.partial += u64::from(is_partial);
        let memory_start = *book.memory_start_bytes.get_or_insert(used.resident_bytes);
        book.whole.record(from_us, to_us, used);
        if measured {
            if report.late_by_us > LATE_REPORT_US {
                book.late += 1;
            }
            book.late_by_us_max = book.late_by_us_max.max(report.late_by_us);
            let resources = self.whole.resources_of(agent.0);
            resources.record(from_us, to_us, used);
            let producers = report.producers.iter().map(|producer| &producer.counters);
            let held_up_us = producers.map(|counters| counters.get(Counter::BackpressureUs)).sum();
            resources.record_held_up(to_us.saturating_sub(from_us), used, held_up_us);
            resources.memory_start_bytes = Some(memory_start);
        }
        for watch in &mut self.watches {
            watch.resources((start_us, from_us, to_us), agent, used, Some(memory_start));
        }
    }

    fn merge_producer(
        &mut self,
        start_us: u64,
        report: &IntervalReport,
        interval: &mallard_protocol::interval::ProducerInterval,
    ) {
        let Some(instance) = self.roster.instance(interval.instance) else { return };
        self.integrity.sent(interval.instance, &interval.numbers);
        let ledger = &self.ledgers[interval.instance.index()];
        let partitions = &mut self.partitions;
        let sent = Sent::new(report, interval, ledger, instance, &self.roster, partitions);
        if let Role::Producer { producer } = instance.role {
            for tally in [&mut self.whole, &mut self.producers[producer]] {
                add_sent(tally, &sent, start_us, &self.roster);
            }
        }
        for (_, due) in &sent.dues {
            self.whole_late += due.late;
            if due.acked > 0 {
                self.acked_us = self.acked_us.max(report.end_us);
            }
            let codes = due.failed_by_code.iter().map(|(code, n)| (code, *n));
            add_codes(&mut self.whole_failed_by_code, codes);
        }
        for watch in &mut self.watches {
            watch.sent(start_us, &sent, &self.roster);
        }
        let topic = sent.origin.topic.unwrap_or_default();
        for watch in self.watches.iter_mut().filter(|watch| watch.is_of_partitions()) {
            for slice in &interval.slices {
                for part in &slice.partitions {
                    if let Some(slot) = self.roster.slot(topic, part.partition) {
                        watch.partition_sent(start_us, slot, slice.phase, part, &self.roster);
                    }
                }
            }
        }
        let flows = flows(topic, interval, &self.roster);
        for slice in &interval.slices {
            for part in &slice.partitions {
                if let Some(slot) = self.roster.slot(topic, part.partition) {
                    self.lag.set_sent_to(slot, part.next_offset);
                }
            }
        }
        let Role::Producer { producer } = sent.origin.role else { return };
        if let Some(cell) = self.cell_mut(start_us) {
            cell.add_sent(producer, &sent);
            cell.flows.add(&flows);
        }
    }

    fn merge_consumer(
        &mut self,
        start_us: u64,
        report: &IntervalReport,
        interval: &mallard_protocol::interval::ConsumerInterval,
    ) {
        let Some(instance) = self.roster.instance(interval.instance) else { return };
        let Role::Consumer { reader } = instance.role else { return };
        if let (Some(through), Some(plan)) =
            (&interval.through, &self.roster.readers[reader].through)
        {
            self.throughs[reader].add(through, plan);
        }
        if let Some(told) = &interval.integrity {
            self.integrity.received(reader, told, &self.roster);
        }
        let before = self.ledgers[interval.instance.index()].consumed.foreign;
        let foreign = interval.totals.foreign.saturating_sub(before);
        let partitions = &mut self.partitions;
        let received = Received::new(report, interval, foreign, instance, &self.roster, partitions);
        for tally in [&mut self.whole, &mut self.readers[reader]] {
            add_received(tally, &received, start_us, &self.roster);
        }
        for watch in &mut self.watches {
            watch.received(start_us, &received, &self.roster);
        }
        for watch in self.watches.iter_mut().filter(|watch| watch.is_of_partitions()) {
            for slice in &interval.slices {
                for part in &slice.partitions {
                    if let Some(slot) = self.roster.slot(part.topic, part.partition) {
                        watch.partition_received(start_us, slot, slice.phase, part, &self.roster);
                    }
                }
            }
        }
        let positions: Vec<_> = interval
            .positions
            .iter()
            .filter_map(|p| Some((reader, self.roster.slot(p.topic, p.partition)?, p.offset)))
            .collect();
        if let Some(cell) = self.cell_mut(start_us) {
            cell.add_received(reader, &received);
            cell.positions.extend(positions);
            cell.queues.push((reader, interval.totals.in_work));
        } else {
            for (reader, slot, offset) in positions {
                self.lag.set_position(reader, slot, offset, report.end_us);
            }
        }
    }

    /// The cell of a start, made if need be; `None` if it went out already.
    fn cell_mut(&mut self, start_us: u64) -> Option<&mut Cell> {
        if start_us < self.released_us {
            return None;
        }
        let at = self.waiting.partition_point(|cell| cell.start_us < start_us);
        if self.waiting.get(at).is_none_or(|cell| cell.start_us != start_us) {
            let cut_us = self.roster.timeline.next_cut_us(start_us);
            self.waiting.insert(at, Cell::new(start_us, cut_us, self.agents.len()));
        }
        self.waiting.get_mut(at)
    }

    /// Up to where every agent that is still awaited has told its intervals.
    fn progress_of_all(&self) -> u64 {
        let awaited = self.agents.iter().filter(|agent| agent.is_awaited());
        awaited.map(|agent| agent.progress_us).min().unwrap_or(u64::MAX)
    }

    fn release(&mut self) {
        let progress_us = self.progress_of_all();
        while let Some(front) = self.waiting.front() {
            let complete = front.cut_us <= progress_us;
            if !complete && self.waiting.len() <= WAITING_MAX {
                break;
            }
            if !complete {
                self.incomplete += 1;
            }
            if let Some(cell) = self.waiting.pop_front() {
                self.release_cell(cell);
            }
        }
    }

    fn release_cell(&mut self, cell: Cell) {
        let (start_us, end_us) = (cell.start_us, cell.end_us);
        self.released_us = self.released_us.max(cell.cut_us);
        self.lag.set_end(&cell.end_offsets, end_us, &self.roster);
        for (reader, slot, offset) in &cell.positions {
            self.lag.set_position(*reader, *slot, *offset, end_us);
        }
        let measured = self.roster.measured.contains(start_us);
        if measured {
            self.measured_intervals += 1;
            let readers = self.readers.iter_mut().chain(&mut self.producers);
            for tally in readers.chain(&mut self.groups).chain([&mut self.whole]) {
                tally.time_us += end_us - start_us;
            }
        }
        let lags = self.note_lag(start_us, end_us, measured);
        let groups = self.note_groups(&cell, measured);
        if measured {
            self.note_queues(&cell);
        }
        let sample = cell.cluster.as_ref();
        let events = self.note_cluster((start_us, end_us), &cell.flows, sample, measured);
        for watch in &mut self.watches {
            let lag = &self.lag;
            let of = |reader, slot| lag.of(reader, slot);
            watch.lag((start_us, end_us), &self.roster, &of);
            watch.groups((start_us, end_us), &groups, &self.roster);
            watch.queue((start_us, end_us), &|reader| cell.queue_of(reader));
            watch.release(start_us, end_us, cell.cut_us, &self.roster);
        }
        self.partitions.close_before(self.released_us);
        let mut interval = self.interval_of(&cell, measured);
        let merged = cell.merge(&self.roster, &lags, &groups);
        if self.faults.has_faults() {
            interval.response.clone_from(&merged.response);
        }
        interval.lag = merged.row.lag;
        self.ready.push(MergedInterval { events, ..merged });
        self.faults.take(interval);
        let decided = self.faults.settle(self.released_us);
        self.decide(&decided);
    }

    /// An interval as the book of faults takes it; without response and lag.
    fn interval_of(&self, cell: &Cell, is_measured: bool) -> Interval {
        let sending = cell.sending();
        let samples = cell.cluster.iter().flat_map(|sample| &sample.partitions);
        let leaders = samples.filter_map(|partition| {
            let slot = self.roster.slot(partition.topic, partition.partition)?;
            Some((slot, partition.leader))
        });
        Interval {
            start_us: cell.start_us,
            end_us: cell.end_us,
            is_measured,
            is_whole: cell.is_whole(),
            scheduled: sending.scheduled,
            acked: sending.acked,
            failed: sending.failed,
            retried: cell.flows.retried,
            flows: cell.flows.by_slot.clone(),
            leaders: if self.faults.has_faults() { leaders.collect() } else { Vec::new() },
            ..Interval::default()
        }
    }

    /// Tells watches what intervals belong to.
    fn decide(&mut self, decided: &[Decided]) {
        for watch in self.watches.iter_mut().filter(|watch| watch.holds_back()) {
            decided.iter().for_each(|interval| watch.decide(interval, &self.roster));
        }
    }

    /// What became known of observed groups in an interval.
    fn note_groups(&mut self, cell: &Cell, measured: bool) -> Vec<GroupInterval> {
        let (table, lag, roster) = (&mut self.group_table, &self.lag, &self.roster);
        let samples = cell.groups.iter();
        let intervals: Vec<_> =
            samples.filter_map(|sample| table.take(sample, cell.end_us, lag, roster)).collect();
        if measured {
            let of_cell = (cell.start_us, cell.end_us);
            let due = roster.due_per_s(of_cell);
            for interval in &intervals {
                let tally = &mut self.groups[interval.group];
                add_groups(tally, std::iter::once(interval), &|_| true, of_cell, due);
            }
            add_groups(&mut self.whole, intervals.iter(), &|_| true, of_cell, due);
        }
        intervals
    }

    /// What consumers had received and not processed at the end of an interval.
    fn note_queues(&mut self, cell: &Cell) {
        let time_us = cell.end_us - cell.start_us;
        for (reader, tally) in self.readers.iter_mut().enumerate() {
            if let Some(depth) = cell.queue_of(Some(reader)) {
                tally.queue.record(depth, time_us);
            }
        }
        if let Some(depth) = cell.queue_of(None) {
            self.whole.queue.record(depth, time_us);
        }
    }

    /// Lag at the end of an interval, by reader: sum and largest.
    fn note_lag(&mut self, start_us: u64, end_us: u64, measured: bool) -> Vec<Option<(u64, u64)>> {
        let mut lags = vec![None; self.readers.len()];
        for slot in 0..self.roster.slots() {
            let mut worst = None;
            for (reader, lags) in lags.iter_mut().enumerate() {
                if !self.roster.readers[reader].reads[slot] {
                    continue;
                }
                let Some(lag) = self.lag.of(reader, slot) else { continue };
                let (sum, max) = lags.unwrap_or((0, 0));
                *lags = Some((sum + lag, lag.max(max)));
                worst = worst.max(Some(lag));
            }
            if let Some(lag) = worst {
                self.partitions.lag(slot, start_us, lag);
                if measured {
                    self.lag.note_max(slot, lag);
                }
            }
        }
        if measured {
            let due = self.roster.due_per_s((start_us, end_us));
            for (tally, lag) in self.readers.iter_mut().zip(&lags) {
                if let Some((sum, _)) = lag {
                    tally.lag.record(*sum, (end_us, end_us - start_us), due);
                }
            }
            // Groups do not share a backlog: the whole is as far behind as the one that lags most.
            if let Some(most) = lags.iter().flatten().map(|(sum, _)| *sum).max() {
                self.whole.lag.record(most, (end_us, end_us - start_us), due);
            }
        }
        lags
    }
}

fn add_sent(tally: &mut Tally, sent: &Sent, start_us: u64, roster: &Roster) {
    if roster.measured.contains(start_us) {
        tally.sending.absorb(&sent.sending);
        tally.client.absorb(&sent.client);
    }
    for (_, due) in measured(&sent.dues, roster) {
        tally.due.absorb(due);
    }
}

fn add_received(tally: &mut Tally, received: &Received, start_us: u64, roster: &Roster) {
    if roster.measured.contains(start_us) {
        tally.receiving.absorb(&received.receiving);
    }
    for (_, phase, arrived) in &received.arrived {
        if roster.is_measured(*phase) {
            tally.arrived.absorb(arrived);
        }
    }
    for (_, pipeline) in measured(&received.pipeline, roster) {
        tally.pipeline.absorb(pipeline);
    }
}

fn measured<'a, T>(
    slices: &'a [(PhaseId, T)],
    roster: &'a Roster,
) -> impl Iterator<Item = &'a (PhaseId, T)> {
    slices.iter().filter(|(phase, _)| roster.is_measured(*phase))
}
