//! What a lost agent's producers had to send moves to the others, by `on_agent_loss: respread`.
//!
//! An instance sends a share of its producer's schedule: every *n*-th record. When its agent is lost, each
//! of its shares is dealt out, from a moment on that is told to everybody, to the instances of the same
//! producer that are left: record by record in turn, so that the parts add up to the share exactly. They
//! send these records among their own, under their own names and sequence numbers. So every record of the
//! schedule belongs to one instance at any time, and nothing can count twice.
//!
//! Invariants: who is to send what is written down before anybody is told of it; an order has a number, and
//! an agent carries it out once; records that were due between the last report of the lost agent and the
//! moment at which others take over are in nobody's accounts, and the verdict says how many these are.

use super::{io::Effect, shared::Shared, stage_id::StageId};
use crate::{
    measure,
    model::events::{Level, RunEvent},
    plan::{AgentIndex, handover::Handover, workload::workload_of},
    scenario::cluster::OnAgentLoss,
};
use mallard_protocol::{INTERVAL_US, ids::InstanceId, message::ToAgent, schedule::Share};
use std::collections::BTreeMap;

/// From the moment an agent is lost to the moment at which others take over, at least: an order is with
/// the agents by then, and the lost one's process has been killed.
const LEAD_US: u64 = 500_000;

/// The same, of an agent that is merely out of reach. It notices that it is alone when nothing has come for
/// ten seconds, and only from then on does it count its lease; until that is over, it sends.
const LEAD_UNREACHABLE_US: u64 = 12_000_000;

/// Deals shares out to so many successors: each successor gets as much as every other one, in as few parts as
/// possible. Shares of one length go together, because their parts are equal.
fn deal(shares: &[Share], successors: u64, from_us: u64) -> Vec<(u64, Share)> {
    let mut by_length: BTreeMap<u64, Vec<Share>> = BTreeMap::new();
    for share in shares {
        by_length.entry(share.stride).or_default().push(*share);
    }
    let mut dealt = Vec::new();
    let mut next = 0;
    for alike in by_length.values().filter(|_| successors > 0) {
        let parts = successors / greatest_common_divisor(alike.len() as u64, successors);
        for (share, part) in alike.iter().flat_map(|share| (0..parts).map(move |p| (share, p))) {
            dealt.extend(share.part(part, parts, from_us).map(|part| (next % successors, part)));
            next += 1;
        }
    }
    dealt
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Shared {
    /// Has the agents that are left send what a lost one had to send.
    pub(super) fn respread(&mut self, lost: AgentIndex, cause: &str) {
        let Some(lost_at_us) = self.run_clock_us() else { return };
        let is_over = self.timing.stage != StageId::Running || self.load.stopped_us.is_some();
        if self.plan.on_agent_loss != OnAgentLoss::Respread || is_over {
            return;
        }
        let lead_us = if self.agents[lost].unreachable { LEAD_UNREACHABLE_US } else { LEAD_US };
        // On a boundary of intervals, where charts show it best.
        let from_us = (lost_at_us + lead_us).next_multiple_of(INTERVAL_US);
        let given = self.shares_of(lost);
        if given.is_empty() || from_us >= self.plan.timeline.load_end_us() {
            return;
        }
        let taken = self.successors_of(&given, from_us);
        let cause = cause.to_owned();
        let handover = Handover { lost, cause, lost_at_us, from_us, given, taken };
        self.report_handover(&handover);
        self.handovers.push(handover);
        self.effects.push(Effect::Checkpoint(Box::new(self.checkpoint())));
        for agent in self.living() {
            self.order_takeover(agent, self.handovers.len() - 1);
        }
    }

    /// What an agent's producers send by now: what the plan says, and what they took over.
    fn shares_of(&self, agent: AgentIndex) -> Vec<(InstanceId, Share)> {
        let producers = self.plan.agents[agent].producers.iter();
        let own = producers.map(|p| (p.instance, Share::of_instance(p.stride, p.offset)));
        let mut shares: Vec<_> = own.collect();
        let taken = self.handovers.iter().flat_map(|handover| &handover.taken);
        let is_mine = |id: InstanceId| {
            self.plan.agents[agent].producers.iter().any(|spec| spec.instance == id)
        };
        shares.extend(taken.filter(|(id, _)| is_mine(*id)).copied());
        shares
    }

    /// Who takes over what, of the producers whose instances lose these shares.
    fn successors_of(
        &self,
        given: &[(InstanceId, Share)],
        from_us: u64,
    ) -> Vec<(InstanceId, Share)> {
        let mut by_workload: BTreeMap<&str, Vec<Share>> = BTreeMap::new();
        for (instance, share) in given {
            if let Some(name) = self.plan.instance_name(*instance) {
                by_workload.entry(workload_of(name)).or_default().push(*share);
            }
        }
        let mut taken = Vec::new();
        for (workload, shares) in by_workload {
            let successors = self.instances_left(workload);
            for (successor, share) in deal(&shares, successors.len() as u64, from_us) {
                let successor =
                    usize::try_from(successor).ok().and_then(|successor| successors.get(successor));
                taken.extend(successor.map(|successor| (*successor, share)));
            }
        }
        taken
    }

    /// Instances of a producer on agents that can be told something.
    fn instances_left(&self, workload: &str) -> Vec<InstanceId> {
        let reachable = self.living().into_iter().filter(|agent| self.agents[*agent].connected);
        let producers = reachable.flat_map(|agent| &self.plan.agents[agent].producers);
        let of_workload = producers.filter(|spec| workload_of(&spec.name) == workload);
        of_workload.map(|spec| spec.instance).collect()
    }

    fn report_handover(&mut self, handover: &Handover) {
        let seconds = handover.from_us / INTERVAL_US;
        let name = &self.plan.agents[handover.lost].name;
        let text = match handover.successors(&self.plan).as_slice() {
            [] => format!("no agent is left to send what {name} was due to send"),
            successors => {
                let successors = successors.join(", ");
                format!(
                    "from {seconds} s of the load on, {successors} send what {name} had to send"
                )
            }
        };
        let level = Level::Warning;
        self.emit(RunEvent::Note { level, source: name.clone(), text });
    }

    /// Tells an agent what it takes over by a handover.
    fn order_takeover(&mut self, agent: AgentIndex, number: usize) {
        let producers = &self.plan.agents[agent].producers;
        let is_mine = |id: InstanceId| producers.iter().any(|spec| spec.instance == id);
        let taken = self.handovers[number].taken.iter();
        let shares: Vec<_> = taken.filter(|(id, _)| is_mine(*id)).copied().collect();
        if let (false, Ok(order)) = (shares.is_empty(), u32::try_from(number)) {
            self.send(agent, ToAgent::TakeOver { order, shares });
        }
    }

    /// Tells an agent again what it takes over: the order may have been lost with its channel, or with an
    /// earlier controller.
    pub(super) fn repeat_takeovers(&mut self, agent: AgentIndex) {
        for number in 0..self.handovers.len() {
            self.order_takeover(agent, number);
        }
    }

    /// Takes over from an earlier controller what became of lost agents. Comes after the replay of what
    /// they had reported.
    pub(super) fn inherit_handovers(&mut self) {
        for handover in self.handovers.clone() {
            let known = &mut self.agents[handover.lost];
            known.gone = Some(handover.cause);
            known.lost_at_us = Some(handover.lost_at_us);
            let lost = measure::AgentIndex(handover.lost);
            let merged = self.collector.agent_lost(lost, handover.lost_at_us);
            self.store(merged);
            if let Some(assignment) = self.assignments.get(handover.lost) {
                self.drain.forget(assignment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_successor_gets_as_much_as_every_other_one(lost in 1_u32..30, successors in 1_u64..30) {
            let shares: Vec<_> = (0..lost).map(|offset| Share::of_instance(lost, offset)).collect();
            let dealt = deal(&shares, successors, 7);
            let longest = dealt.iter().map(|(_, share)| share.stride).max().unwrap_or(1);
            let of = |successor: u64| -> u64 {
                let mine = dealt.iter().filter(|(to, _)| *to == successor);
                mine.map(|(_, share)| longest / share.stride).sum()
            };
            for successor in 0..successors {
                prop_assert_eq!(of(successor), of(0));
            }
            prop_assert!(dealt.iter().all(|(_, share)| share.from_us == 7));
        }
    }

    #[test]
    fn without_heirs_nothing_is_dealt_out() {
        assert!(deal(&[Share::of_instance(1, 0)], 0, 0).is_empty());
    }
}
