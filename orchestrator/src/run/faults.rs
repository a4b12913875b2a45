//! Faults of a case, as the controller follows them: whom each is about, and what its guard reports.
//!
//! Invariants: a fault begins under load and nowhere else; what began is ended when the load is; a fault that nobody
//! was there to begin is noted as missed and not made up for.

use super::{
    case::Case,
    io::{Effect, FaultOrder, WireOrder},
    questions::Asked,
    shared::Shared,
    stage_id::StageId,
};
use crate::{
    clock::micros,
    measure::FaultTimes,
    model::{events::RunEvent, fault::FaultResult},
    scenario::faults::Node,
};
use mallard_protocol::{
    fault::{Act, GuardReport, UNDO_PATIENCE},
    message::{Question, TopicFacts},
};
use std::time::Duration;

/// How long a fault goes on without a controller.
const LEASE: Duration = Duration::from_secs(30);

/// How long a leader may be asked for.
const ASKING: Duration = Duration::from_secs(5);

/// Beyond what guards wait for themselves.
const REPORTING: Duration = Duration::from_secs(5);

impl Shared {
    /// A fault is due.
    pub(super) fn begin_fault(&mut self, fault: usize) {
        self.faults.due.insert(fault);
        if self.load.stopped_us.is_some() || self.stop.by.is_some() {
            return;
        }
        if self.faults.of[fault].broker.is_some() {
            self.effects.push(Effect::ReleaseFault { fault });
        } else if !self.faults.ordered.contains(&fault) {
            self.ready_fault(fault);
        }
    }

    /// Finds out whom a fault is about, and has its guard stand ready.
    pub(super) fn ready_fault(&mut self, fault: usize) {
        if self.load.stopped_us.is_some() || self.stop.by.is_some() {
            return;
        }
        self.faults.ordered.insert(fault);
        match self.plan.faults[fault].node.clone() {
            Node::Broker(id) => self.order_fault(fault, id),
            Node::Any => match self.any_broker(fault) {
                Some(id) => self.order_fault(fault, id),
                None => self.put_off(fault, "no broker is left that is not harmed already"),
            },
            Node::Leader { topic, .. } => self.ask_for_leader(fault, &topic),
        }
    }

    /// A broker that may be harmed and is not, by the seed and the fault's place.
    fn any_broker(&self, fault: usize) -> Option<i32> {
        let victims = self.plan.kafka.victims();
        let ids = victims.iter().map(|id| id.or_else(|| self.only_broker()));
        let mut free: Vec<i32> =
            ids.flatten().filter(|id| self.faults.suffered_by(*id).is_none()).collect();
        free.sort_unstable();
        let number = mallard_protocol::stamp::run_fingerprint(
            &self.plan.seed.to_string(),
            &format!("{}/{}", self.plan.faults[fault].name, fault),
        );
        let at = usize::try_from(number).ok()?.checked_rem(free.len())?;
        free.get(at).copied()
    }

    /// The id of the broker of a cluster that has one alone.
    fn only_broker(&self) -> Option<i32> {
        match self.cluster.brokers.as_slice() {
            [(id, _)] => Some(*id),
            _ => None,
        }
    }

    fn ask_for_leader(&mut self, fault: usize, topic: &str) {
        let names: Vec<_> = self
            .plan
            .topics
            .iter()
            .filter(|known| known.alias == topic)
            .map(|known| known.name.clone())
            .collect();
        let Some(agent) = self.admin().filter(|_| !names.is_empty()) else {
            return self.put_off(fault, "no agent is left to ask for the leader");
        };
        let question = Question::DescribeTopics {
            connection: self.connection(agent),
            names,
            within_ms: micros(ASKING) / 1_000,
        };
        self.ask(agent, Asked::Leader(fault), question);
    }

    /// The leader was asked for.
    pub(super) fn learn_leader(&mut self, fault: usize, facts: &[TopicFacts]) {
        let Node::Leader { partition, .. } = self.plan.faults[fault].node else { return };
        let partition = usize::try_from(partition).unwrap_or(usize::MAX);
        let found = facts.first().and_then(|topic| topic.partitions.get(partition));
        match found {
            Some((leader @ 0.., _)) => self.order_fault(fault, *leader),
            Some(_) => self.put_off(fault, "the partition has no leader"),
            None => self.fault_not_begun(fault, "the topic has no such partition"),
        }
    }

    fn order_fault(&mut self, fault: usize, broker: i32) {
        if self.timing.stage != StageId::Running {
            return;
        }
        if let Some(other) = self.faults.suffered_by(broker) {
            let cause = format!("broker {broker} suffers `{}` already", other.name);
            return self.put_off(fault, &cause);
        }
        self.faults.of[fault].broker = Some(broker);
        let is_alone = self.cluster.brokers.len() <= 1;
        let is_named = self.plan.kafka.victims().contains(&Some(broker));
        if self.plan.kafka.broker(broker).is_none() || !(is_named || is_alone) {
            let cause = format!("the cluster file does not say where broker {broker} runs");
            return self.fault_not_begun(fault, &cause);
        }
        let wire = match self.wire(fault, broker) {
            Ok(wire) => wire,
            Err(cause) => return self.put_off(fault, cause),
        };
        let address = self.cluster.brokers.iter().find(|(id, _)| *id == broker);
        let undo_ms = micros(self.plan.deadlines.undo) / 1_000;
        let plan = &self.plan.faults[fault];
        self.effects.push(Effect::BeginFault(FaultOrder {
            fault,
            broker,
            act: plan.act,
            address: address.map(|(_, address)| address.clone()),
            wire,
            tls: self.plan.kafka.speaks_tls(),
            for_ms: plan.for_us / 1_000,
            undo_ms,
            lease_ms: micros(LEASE) / 1_000,
            waits: !self.faults.due.contains(&fault),
        }));
    }

    /// What is not possible yet is tried again when the fault is due.
    pub(super) fn put_off(&mut self, fault: usize, cause: &str) {
        if self.faults.due.contains(&fault) {
            return self.fault_not_begun(fault, cause);
        }
        self.faults.ordered.remove(&fault);
    }

    /// Between whom packets are dropped: every broker is on one side, on the other, or on neither.
    fn wire(&self, fault: usize, victim: i32) -> Result<WireOrder, &'static str> {
        let plan = &self.plan.faults[fault];
        if !matches!(plan.act, Act::Cut { .. }) {
            return Ok(WireOrder::default());
        }
        let asked = &plan.wire;
        let mut wire =
            WireOrder { clients: asked.clients || asked.everyone, ..WireOrder::default() };
        let brokers = self.cluster.brokers.iter().filter(|(id, _)| *id != victim);
        for (id, address) in brokers {
            let side = if asked.near.contains(id) {
                &mut wire.near
            } else if asked.everyone || asked.far.contains(id) {
                &mut wire.far
            } else {
                &mut wire.rest
            };
            side.push((*id, Some(address.clone())));
        }
        // A role may have come to be one of those that it was to be cut off from.
        let is_missing =
            |id: &&i32| **id != victim && wire.far.iter().all(|(known, _)| known != *id);
        if asked.far.iter().any(|id| is_missing(&id)) {
            return Err("the cluster does not have all brokers that it is to be cut off from now");
        }
        if wire.far.is_empty() && !wire.clients {
            return Err("nobody is left whom it is to be cut off from");
        }
        Ok(wire)
    }

    fn fault_not_begun(&mut self, fault: usize, cause: &str) {
        self.tell_of_fault(fault, "not_begun", cause.to_owned(), None);
        let result = &mut self.faults.of[fault];
        result.trouble.get_or_insert_with(|| cause.to_owned());
        self.settle_fault(fault);
    }

    fn tell_of_fault(&mut self, fault: usize, step: &str, text: String, at_us: Option<u64>) {
        let at_us = at_us.or_else(|| self.run_clock_us()).unwrap_or(0);
        let name = self.plan.faults[fault].name.clone();
        self.emit(RunEvent::Fault { fault: name, step: step.to_owned(), text, at_us });
    }

    fn settle_fault(&mut self, fault: usize) {
        let result = self.faults.of[fault].clone();
        self.effects.push(Effect::StoreFault(Box::new(result)));
    }

    /// Ends what goes on: the load is over.
    pub(super) fn end_faults(&mut self) {
        if std::mem::replace(&mut self.faults.are_ended, true) {
            return;
        }
        let active: Vec<_> = self.faults.active().collect();
        if !active.is_empty() {
            let undoing = self.plan.deadlines.undo * u32::try_from(UNDO_PATIENCE).unwrap_or(1);
            self.faults.patience_us = Some(self.now_us + micros(undoing + REPORTING));
        }
        self.effects.extend(active.into_iter().map(|fault| Effect::EndFault { fault }));
    }

    /// Whether faults are being undone, and that is waited for.
    pub(super) fn waits_for_undoing(&self) -> bool {
        self.stop.times < 2
            && self.faults.patience_us.is_some_and(|until_us| self.now_us < until_us)
            && self.faults.active().next().is_some()
    }

    /// Faults of which nothing more will be heard before the case is judged.
    pub(super) fn give_up_faults(&mut self) {
        for fault in self.faults.active().collect::<Vec<_>>() {
            let cause = "its guard had not reported the undoing when the case was judged";
            self.faults.of[fault].trouble = Some(cause.to_owned());
            self.settle_fault(fault);
        }
    }

    /// What an earlier controller has archived of faults; those that nobody was there for are missed.
    pub(super) fn recall_faults(&mut self, archived: Vec<FaultResult>) {
        let now_us = self.run_clock_us().unwrap_or(0);
        for fault in 0..self.faults.of.len() {
            let known = &mut self.faults.of[fault];
            match archived.iter().rfind(|of| of.name == known.name) {
                Some(settled) => known.clone_from(settled),
                None if known.planned_us <= now_us => {
                    known.missed = true;
                    self.settle_fault(fault);
                    self.tell_collector(fault);
                }
                None => {}
            }
        }
    }

    /// Tells the collector what an earlier controller has archived of faults, before it takes in what that one measured.
    fn replay_faults(&mut self, archived: &[FaultResult]) {
        for fault in 0..self.faults.of.len() {
            let name = &self.faults.of[fault].name;
            if let Some(settled) = archived.iter().rfind(|of| of.name == *name) {
                self.collector.fault(fault, times_of(settled));
            }
        }
    }

    fn tell_collector(&mut self, fault: usize) {
        self.collector.fault(fault, times_of(&self.faults.of[fault]));
    }

    /// Takes in what a guard reports.
    fn on_guard(&mut self, fault: usize, report: GuardReport) {
        let start_us = self.load.start_clock_us.unwrap_or(0);
        let on_run_clock = |clock_us: u64| clock_us.saturating_sub(start_us);
        let is_last = report.is_last();
        let of = &mut self.faults.of[fault];
        if of.is_over() {
            return;
        }
        let (step, text, at_us) = match report {
            GuardReport::Armed { clock_us, victim, held_by } => {
                of.armed_us = Some(on_run_clock(clock_us));
                let text = format!("{victim}; its undo is held by {held_by}");
                (of.victim, of.held_by) = (Some(victim), Some(held_by));
                ("armed", text, of.armed_us)
            }
            GuardReport::Begun { clock_us } => {
                of.begun_us = Some(on_run_clock(clock_us));
                let broker = of.broker.unwrap_or(-1);
                let whom = match of.node == format!("broker {broker}") {
                    true => of.node.clone(),
                    false => format!("broker {broker} ({})", of.node),
                };
                ("begun", format!("{} of {whom}", of.kind), of.begun_us)
            }
            GuardReport::Effect { clock_us, proof } => {
                of.effect_us = Some(on_run_clock(clock_us));
                of.effect = Some(proof.clone());
                ("effect", proof, of.effect_us)
            }
            GuardReport::NoEffect { seen } => {
                of.effect = Some(seen.clone());
                ("no_effect", seen, None)
            }
            GuardReport::Ended { clock_us, cause } => {
                of.ended_us = Some(on_run_clock(clock_us));
                of.ended_because = Some(cause.clone());
                ("ended", cause, of.ended_us)
            }
            GuardReport::Undone { clock_us, proof, by, revived } => {
                of.undone_us = Some(on_run_clock(clock_us));
                of.revived = revived;
                let text = match revived {
                    true => format!(
                        "{proof}, by {by}; it had ended because of the fault and was started again"
                    ),
                    false => format!("{proof}, by {by}"),
                };
                (of.undone, of.undone_by) = (Some(proof), Some(by));
                ("undone", text, of.undone_us)
            }
            GuardReport::NotBegun { .. } if self.faults.are_ended && !of.has_begun() => {
                // The load ended before it was due.
                return of.unready();
            }
            GuardReport::NotBegun { cause } => {
                of.trouble = Some(cause.clone());
                ("not_begun", cause, None)
            }
            GuardReport::NotUndone { cause, by_hand } => {
                of.trouble = Some(cause.clone());
                of.by_hand = Some(by_hand.clone()).filter(|by_hand| !by_hand.is_empty());
                ("not_undone", format!("{cause}; by hand: {by_hand}"), None)
            }
        };
        self.tell_of_fault(fault, step, text, at_us);
        self.tell_collector(fault);
        if is_last {
            self.settle_fault(fault);
        }
    }
}

fn times_of(fault: &FaultResult) -> FaultTimes {
    FaultTimes {
        begun_us: fault.begun_us,
        undone_us: fault.undone_us,
        broker: fault.broker,
        is_unknown: fault.missed,
    }
}

impl Case {
    /// What an earlier controller has archived of this case's faults. Comes before [`Case::replay`].
    pub fn replay_faults(&mut self, archived: &[FaultResult]) {
        self.shared.replay_faults(archived);
    }

    pub(super) fn on_fault(&mut self, fault: usize, report: GuardReport) {
        self.shared.on_guard(fault, report);
    }

    /// What an earlier controller has archived of this case's faults.
    pub fn recall_faults(&mut self, archived: Vec<FaultResult>) {
        self.shared.recall_faults(archived);
    }

    /// Whether a fault that goes on explains the end of a broker's container, `broker-2`.
    pub(super) fn is_harmed(&self, container: &str) -> bool {
        let id = container.rsplit_once('-').and_then(|(_, id)| id.parse().ok());
        id.is_some_and(|id| self.shared.faults.suffered_by(id).is_some())
    }
}
