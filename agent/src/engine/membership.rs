//! What happens to a consumer beside receiving records: rebalances, commits, errors, statistics.
//!
//! Invariant: what was counted survives a rebalance; only the set of partitions changes.

use super::{
    control::Control,
    counts::add_code,
    notes::Notes,
    parts::PolledPart,
    stats,
    sys::monotonic_us,
    topics::{Place, Topics},
    work::WorkQueue,
};
use crate::{
    engine::positions::Commits,
    librdkafka::{Client, Code, ConsumerEvent, OFFSET_INVALID, PartitionList},
    pipeline::ChunkQueue,
};
use mallard_protocol::{
    histogram::Histogram,
    ids::InstanceId,
    interval::{ClientStats, Rebalance},
    message::FromAgent,
    workload::{CommitPolicy, StartFrom},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, mpsc::Sender},
};

/// How long a rebalance may wait for the offsets that the group has committed, in milliseconds.
const COMMITTED_MS: i32 = 5_000;

/// How long it may wait for the ends of partitions that are read from there on, in milliseconds.
const ENDS_MS: i32 = 5_000;

/// A consumer's membership and what happened to it.
pub(crate) struct Membership {
    pub(crate) instance: InstanceId,
    pub(crate) control: Arc<Control>,
    pub(crate) sink: Sender<FromAgent>,
    pub(crate) notes: Notes,
    pub(crate) topics: Arc<Topics>,
    pub(crate) from: StartFrom,
    pub(crate) policy: CommitPolicy,
    /// End offsets before the run's first record, where reading starts there.
    pub(crate) run_start: HashMap<Place, i64>,
    /// Where records wait for their work.
    pub(crate) work_queue: Option<Arc<WorkQueue>>,
    /// The same of a pipeline.
    pub(crate) chunk_queue: Option<Arc<ChunkQueue>>,
    pub(crate) commits: Arc<Commits>,
    pub(crate) assigned: BTreeSet<Place>,
    /// Since when partitions are lost, and which it had then.
    pub(crate) unsettled: Option<(u64, BTreeSet<Place>)>,
    pub(crate) happened: Happened,
    /// Whether it leaves its group on purpose: what is taken away then is no rebalance.
    pub(crate) is_closing: bool,
}

/// What is told with the next interval.
#[derive(Default)]
pub(crate) struct Happened {
    rebalances: Vec<Rebalance>,
    commit: Histogram,
    errors: Vec<(Code, u64)>,
    client: Option<ClientStats>,
}

impl Membership {
    /// Deals with something that happened.
    pub(crate) fn handle(&mut self, client: &Client, happening: ConsumerEvent<'_>) {
        match happening {
            ConsumerEvent::Assign(list) => self.on_assigned(client, list),
            ConsumerEvent::Revoke(list) => self.on_revoked(client, &list),
            ConsumerEvent::JoinFailed(code) => {
                self.error(code);
                self.fail_without_right(code);
                let _ = client.assign(None);
            }
            ConsumerEvent::Statistics(json) => self.happened.client = stats::parse(json, 0),
            ConsumerEvent::Incident(incident) => {
                if !incident.code.is_ok() {
                    self.error(incident.code);
                    self.fail_without_right(incident.code);
                }
                self.notes.tell(&incident);
            }
            ConsumerEvent::Committed(code, since_us) => {
                self.commits.answered();
                match code {
                    Code::OK if self.control.now_us().is_some() => {
                        self.happened.commit.record(monotonic_us().saturating_sub(since_us));
                    }
                    Code::OK | Code::NO_OFFSET => {}
                    code => self.error(code),
                }
            }
        }
    }

    /// Counts an error.
    pub(crate) fn error(&mut self, code: Code) {
        add_code(&mut self.happened.errors, code, 1);
    }

    /// What a user may not do at the start, it may not do later: waiting would only end in a deadline that says
    /// less. Under load, a right may have been taken away for a while.
    pub(crate) fn fail_without_right(&mut self, code: Code) {
        if let Some(remedy) = code.missing_right()
            && self.control.now_us().is_none()
        {
            self.notes.fail(&format!("{}; {remedy}", code.describe()));
        }
    }

    /// Fills in what happened since the last call.
    pub(crate) fn report(&mut self, part: &mut PolledPart) {
        let happened = std::mem::take(&mut self.happened);
        part.rebalances = happened.rebalances;
        part.commit = happened.commit;
        part.errors = happened.errors.into_iter().map(|(code, n)| (code.name(), n)).collect();
        part.client = happened.client;
    }

    /// Takes partitions that were assigned by hand.
    pub(crate) fn assign_by_hand(&mut self, client: &Client, places: &[Place]) -> Result<(), Code> {
        let first = match self.from {
            StartFrom::Earliest => crate::librdkafka::OFFSET_BEGINNING,
            StartFrom::Latest => crate::librdkafka::OFFSET_END,
            StartFrom::RunStart => OFFSET_INVALID,
        };
        let offset = |place: &Place| self.run_start.get(place).copied().unwrap_or(first);
        let mut list = self.topics.list(places.iter().map(|place| (*place, offset(place))));
        if self.from == StartFrom::Latest {
            self.start_at_ends(client, &mut list);
        }
        client.assign(Some(&list))?;
        self.assigned = places.iter().copied().collect();
        self.keep_known_positions(&list);
        self.announce();
        Ok(())
    }

    fn on_assigned(&mut self, client: &Client, mut list: PartitionList) {
        self.choose_offsets(client, &mut list);
        let outcome = if client.is_cooperative() {
            client.change_assignment(&list, true)
        } else {
            client.assign(Some(&list))
        };
        if let Err(code) = outcome {
            self.error(code);
        }
        let had = self.unsettled.take();
        let before = had.as_ref().map_or(&self.assigned, |(_, before)| before).clone();
        self.assigned.extend(self.topics.places_in(&list).into_iter().map(|(place, _)| place));
        self.keep_known_positions(&list);
        let changed = before != self.assigned;
        if let Some(now_us) = self.control.now_us().filter(|_| changed || had.is_some()) {
            let at_us = had.map_or(now_us, |(at_us, _)| at_us);
            self.happened.rebalances.push(Rebalance {
                at_us,
                duration_us: now_us.saturating_sub(at_us),
                gained: difference(&self.assigned, &before),
                lost: difference(&before, &self.assigned),
            });
        }
        self.announce();
    }

    fn on_revoked(&mut self, client: &Client, list: &PartitionList) {
        let now_us = self.control.now_us().unwrap_or(0);
        if self.unsettled.is_none() && !self.is_closing {
            self.unsettled = Some((now_us, self.assigned.clone()));
        }
        let lost: BTreeSet<_> = self.topics.places_in(list).into_iter().map(|(p, _)| p).collect();
        if let Some(work_queue) = &self.work_queue {
            work_queue.drop_partitions(&lost);
        }
        if let Some(chunk_queue) = &self.chunk_queue {
            chunk_queue.drop_partitions(&lost);
        }
        self.hand_back(client, &lost);
        let outcome = if client.is_cooperative() {
            client.change_assignment(list, false)
        } else {
            client.assign(None)
        };
        if let Err(code) = outcome {
            self.error(code);
        }
        for place in &lost {
            self.assigned.remove(place);
            if !self.is_closing {
                self.topics.set_position(*place, OFFSET_INVALID);
            }
        }
        if !self.is_closing {
            self.announce();
        }
    }

    /// Commits what was processed of partitions that go to somebody else, so that they go on there.
    fn hand_back(&mut self, client: &Client, lost: &BTreeSet<Place>) {
        // Before the start nothing was, and a commit in the middle of a group's first rebalances would only
        // make it rebalance again.
        if self.control.now_us().is_none() {
            return;
        }
        let processed = lost.iter().filter_map(|p| Some((*p, self.topics.position(*p)?)));
        let list = self.topics.list(processed);
        if list.is_empty() {
            return;
        }
        match self.policy {
            CommitPolicy::Never => {}
            CommitPolicy::Auto { .. }
                if self.work_queue.is_none() && self.chunk_queue.is_none() => {}
            CommitPolicy::Auto { .. } => client.store_offsets(&list),
            CommitPolicy::Every { .. } => {
                if let Err(code) = self.commits.commit(client, &list) {
                    self.error(code);
                }
            }
        }
    }

    /// Where to start: where the group has got to, and before the run's start not at all. It is settled
    /// here, before the partitions are told of: what comes after that is read.
    fn choose_offsets(&mut self, client: &Client, list: &mut PartitionList) {
        if self.from == StartFrom::Earliest || list.is_empty() {
            return;
        }
        if let Err(code) = client.committed(list, COMMITTED_MS) {
            self.error(code);
            if self.from == StartFrom::Latest {
                return;
            }
        }
        if self.from == StartFrom::Latest {
            return self.start_at_ends(client, list);
        }
        let (topics, run_start) = (&self.topics, &self.run_start);
        list.set_offsets(|topic, partition, committed| {
            let start = topics.find(topic).and_then(|t| run_start.get(&(t, partition)));
            start.map_or(committed, |start| committed.max(*start))
        });
    }

    /// Has partitions without an offset of their own start at their present end. Those that cannot tell it
    /// are left to the client, which does the same a moment later.
    fn start_at_ends(&mut self, client: &Client, list: &mut PartitionList) {
        let open = self.topics.places_in(list).into_iter().filter(|(_, offset)| *offset < 0);
        let mut ends = self.topics.list(open);
        if ends.is_empty() {
            return;
        }
        if let Err(code) = client.end_offsets(&mut ends, ENDS_MS) {
            return self.error(code);
        }
        let known: HashMap<Place, i64> = self.topics.places_in(&ends).into_iter().collect();
        let topics = &self.topics;
        list.set_offsets(|topic, partition, offset| {
            let end = topics.find(topic).and_then(|t| known.get(&(t, partition))).copied();
            end.filter(|end| offset < 0 && *end >= 0).unwrap_or(offset)
        });
    }

    fn keep_known_positions(&self, list: &PartitionList) {
        for (place, offset) in self.topics.places_in(list) {
            if offset >= 0 {
                self.topics.set_position(place, offset);
            }
        }
    }

    fn announce(&self) {
        let partitions = self.topics.named(self.assigned.iter().copied());
        let _ = self.sink.send(FromAgent::Assigned { instance: self.instance, partitions });
    }
}

fn difference(a: &BTreeSet<Place>, b: &BTreeSet<Place>) -> u32 {
    u32::try_from(a.difference(b).count()).unwrap_or(u32::MAX)
}
