//! Brokers, leaders and replicas over time, from the samples of the agent that watches them.
//!
//! A broker without a connection is unreachable at once. One that was only silent is so from the third
//! sample in a row on, counted from the first: on a busy host an answer may take a while.

use super::roster::Roster;
use crate::{
    metrics::tally::ClusterTally,
    model::{
        events::RunEvent,
        outage::{BrokerAbsence, LeaderMove},
    },
};
use mallard_protocol::cluster::{BrokerProblem, BrokerSample, ClusterSample, PartitionSample};
use std::collections::BTreeMap;

/// Samples in a row without an answer after which a broker counts as unreachable.
const SILENT_SAMPLES: u32 = 3;

/// Most absences and most moves of leaders that are kept for outages; all of them are in the journal.
const KEPT_MAX: usize = 10_000;

const NO_ANSWER: &str = "no answer";
const CLOSED: &str = "the broker closed the connection";

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct ClusterTable {
    brokers: BTreeMap<i32, Broker>,
    /// By slot, once it was described.
    partitions: Vec<Option<Replicas>>,
    pub(super) absences: Vec<BrokerAbsence>,
    pub(super) moves: Vec<LeaderMove>,
    /// Stretches in which partitions lacked replicas, with the most that did.
    pub(super) thin: Vec<(u64, u64, u64)>,
    seen: bool,
}

#[derive(Clone, Debug, Default)]
struct Broker {
    /// Samples in a row in which it was silent, and the first of them.
    silent: Option<(u32, u64)>,
    /// The absence that lasts.
    absence: Option<BrokerAbsence>,
}

#[derive(Clone, Copy, Debug)]
struct Replicas {
    leader: i32,
    lacks: bool,
}

impl ClusterTable {
    /// Takes the sample of an interval's end, if there is one. What it changed comes back as events.
    pub(super) fn take(
        &mut self,
        sample: Option<&ClusterSample>,
        at_us: u64,
        roster: &Roster,
    ) -> Vec<RunEvent> {
        let Some(sample) = sample else { return Vec::new() };
        self.seen = true;
        let mut events: Vec<_> =
            sample.brokers.iter().filter_map(|broker| self.broker(broker, at_us)).collect();
        events.extend(self.partitions(&sample.partitions, at_us, roster));
        events
    }

    /// What an interval of this length adds to the metrics, by what is known at its end.
    pub(super) fn tally(&self, time_us: u64) -> ClusterTally {
        if !self.seen {
            return ClusterTally::default();
        }
        let during = |is: bool| if is { time_us } else { 0 };
        let described = || self.partitions.iter().flatten();
        let has_any = described().next().is_some();
        let lacking = described().filter(|partition| partition.lacks).count();
        ClusterTally {
            time_us,
            unreachable_us: during(self.brokers.values().any(|broker| broker.absence.is_some())),
            without_leader_us: during(described().any(|partition| partition.leader < 0)),
            under_replicated_max: has_any.then(|| u64::try_from(lacking).unwrap_or(u64::MAX)),
        }
    }

    /// Ends what still lasts.
    pub(super) fn close(&mut self) {
        let lasting = self.brokers.values_mut().filter_map(|broker| broker.absence.take());
        self.absences.extend(lasting);
    }

    fn broker(&mut self, sample: &BrokerSample, at_us: u64) -> Option<RunEvent> {
        let broker = self.brokers.entry(sample.id).or_default();
        let (cause, from_us) = match &sample.problem {
            None => {
                broker.silent = None;
                let absence = broker.absence.take()?;
                let after_us = at_us.saturating_sub(absence.from_us);
                if self.absences.len() < KEPT_MAX {
                    self.absences.push(BrokerAbsence { to_us: Some(at_us), ..absence });
                }
                return Some(RunEvent::BrokerBack { broker: sample.id, after_us, at_us });
            }
            Some(BrokerProblem::Unconnected(cause)) => (cause.as_str(), at_us),
            Some(BrokerProblem::Silent) => {
                let (count, first_us) = broker.silent.unwrap_or((0, at_us));
                broker.silent = Some((count + 1, first_us));
                (NO_ANSWER, if count + 1 >= SILENT_SAMPLES { first_us } else { u64::MAX })
            }
        };
        if let Some(absence) = &mut broker.absence {
            // That a connection was closed says less than why there is no new one.
            if cause != NO_ANSWER && cause != CLOSED {
                cause.clone_into(&mut absence.cause);
            }
            return None;
        }
        if from_us == u64::MAX {
            return None;
        }
        let from_us = broker.silent.map_or(from_us, |(_, first_us)| first_us.min(from_us));
        let absence =
            BrokerAbsence { broker: sample.id, from_us, to_us: None, cause: cause.to_owned() };
        broker.absence = Some(absence);
        let cause = cause.to_owned();
        Some(RunEvent::BrokerUnreachable { broker: sample.id, cause, at_us: from_us })
    }

    fn partitions(
        &mut self,
        samples: &[PartitionSample],
        at_us: u64,
        roster: &Roster,
    ) -> Vec<RunEvent> {
        if samples.is_empty() {
            return Vec::new();
        }
        self.partitions.resize(roster.slots(), None);
        let before = self.lacking();
        let mut moves: BTreeMap<(i32, i32), Vec<String>> = BTreeMap::new();
        for sample in samples {
            let Some(slot) = roster.slot(sample.topic, sample.partition) else { continue };
            let now = Replicas { leader: sample.leader, lacks: sample.in_sync < sample.replicas };
            let known = self.partitions[slot].replace(now).map(|before| before.leader);
            // A partition without a leader at the first look has lost one, too.
            let from = known.unwrap_or(if now.leader < 0 { i32::MIN } else { now.leader });
            if from != now.leader {
                let key = (from.max(-1), now.leader);
                moves.entry(key).or_default().push(roster.partition_name(slot));
            }
        }
        let mut events: Vec<_> = moves
            .into_iter()
            .map(|((from, to), partitions)| self.moved(at_us, from, to, partitions))
            .collect();
        events.extend(self.note_lacking(before, at_us));
        events
    }

    fn moved(&mut self, at_us: u64, from: i32, to: i32, partitions: Vec<String>) -> RunEvent {
        if self.moves.len() < KEPT_MAX {
            self.moves.push(LeaderMove { at_us, from, to, partitions: partitions.clone() });
        }
        RunEvent::LeaderMoved { from, to, partitions, at_us }
    }

    fn lacking(&self) -> u64 {
        let lacking = self.partitions.iter().flatten().filter(|partition| partition.lacks).count();
        u64::try_from(lacking).unwrap_or(u64::MAX)
    }

    /// Says when replicas begin to be missing and when all of them are back.
    fn note_lacking(&mut self, before: u64, at_us: u64) -> Option<RunEvent> {
        let now = self.lacking();
        let has_room = self.thin.len() < KEPT_MAX;
        match self.thin.last_mut().filter(|_| before > 0) {
            Some((_, to_us, most)) => (*to_us, *most) = (at_us, now.max(*most)),
            None if now > 0 && has_room => self.thin.push((at_us, at_us, now)),
            None => {}
        }
        let of = self.partitions.iter().flatten().count();
        let of = u64::try_from(of).unwrap_or(u64::MAX);
        let event = RunEvent::UnderReplicated { partitions: now, of, at_us };
        ((before == 0) != (now == 0)).then_some(event)
    }
}
