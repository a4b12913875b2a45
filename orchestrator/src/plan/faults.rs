//! Faults: each with its moment, whether the cluster file allows it, and whether it fits into the load.

use super::{case::Building, model::FaultPlan};
use crate::{
    clock::micros,
    config::{shape::Located, source::Place},
    scenario::faults::{Fault, Node, When},
    text::{figures::humanly, nearest::suggest},
};
use mallard_protocol::{
    fault::Act,
    schedule::{PhaseKind, Timeline},
};
use std::{collections::BTreeSet, time::Duration};

/// Most faults of a case: one a minute for a week.
const FAULT_LIMIT: usize = 10_000;

/// How long a fault lasts at least: its effect is looked for while it is there.
const SHORTEST: Duration = Duration::from_secs(2);

/// A fault before it has its name.
struct Timed<'a> {
    written: &'a Fault,
    at_us: u64,
}

impl Building<'_> {
    /// The faults of the case in order of time.
    pub(super) fn faults(&mut self, timeline: &Timeline) -> Vec<FaultPlan> {
        let scenario = self.scenario;
        if scenario.faults.is_empty() {
            return Vec::new();
        }
        for fault in &scenario.faults {
            self.check_fault(fault);
        }
        let mut timed = Vec::new();
        for fault in &scenario.faults {
            timed.extend(self.moments(fault, timeline));
        }
        if timed.len() > FAULT_LIMIT {
            let message = format!("more than {FAULT_LIMIT} faults");
            self.reader.error(&scenario.faults[0].at, message, "repeat them less often");
            return Vec::new();
        }
        timed.sort_by_key(|fault| fault.at_us);
        self.check_order(&timed, timeline.load_end_us());
        self.named(&timed)
    }

    /// Whether the cluster allows it and knows its victim.
    fn check_fault(&mut self, fault: &Fault) {
        let kafka = &self.cluster.kafka;
        let (kind, at) = (fault.act.word(), fault.node.at.clone());
        if kafka.is_embedded() {
            let help =
                "take Kafka in containers, or name brokers' processes under `kafka: {nodes: …}`";
            self.reader.error(&fault.at, "the embedded broker cannot be harmed", help);
            return;
        }
        if !kafka.allows(kind) {
            let message = format!("the cluster file does not allow `{kind}`");
            let help = format!("write `faults: {{allow: [{kind}]}}` below its `kafka`");
            self.reader.error(&fault.at, message, help);
        }
        let victims = kafka.victims();
        if victims.is_empty() {
            let help = "write `nodes: [{local: {broker: 1, process: {pid_file: FILE}}}]` below its `kafka`";
            self.reader.error(&at, "the cluster file does not say where brokers run", help);
            return;
        }
        let unknown =
            |id: i32| victims.iter().all(|victim| victim.is_some_and(|known| known != id));
        match &fault.node.value {
            Node::Broker(id) if unknown(*id) => {
                let known: Vec<_> = victims.iter().flatten().map(i32::to_string).collect();
                let message = format!("the cluster file does not say where broker {id} runs");
                let help = format!("it knows the brokers {}", known.join(", "));
                self.reader.error(&at, message, help);
            }
            Node::Leader { topic, partition } => self.check_partition(&at, topic, *partition),
            Node::Broker(_) | Node::Any => {}
        }
        let named = fault.wire.near.iter().chain(&fault.wire.far);
        for id in named.copied().filter(|id| unknown(*id)) {
            let message = format!("the cluster file does not say where broker {id} runs");
            self.reader.error(&at, message, "name its node below `kafka`, or leave it out");
        }
        self.check_told_apart(fault);
        let is_kill = matches!(fault.act, Act::Kill { .. });
        if is_kill && !kafka.can_start_all() {
            let message = "it is not said how a killed broker is started again";
            let help = "write `process: {pid_file: FILE, start: [COMMAND, …]}` in the cluster file";
            self.reader.error(&fault.at, message, help);
        }
    }

    /// Brokers that share an address, and clients, cannot be told apart by their packets.
    fn check_told_apart(&mut self, fault: &Fault) {
        let is_cut = matches!(fault.act, Act::Cut { .. });
        if let Some(host) =
            self.cluster.kafka.shared_host().filter(|_| is_cut && !fault.wire.everyone)
        {
            let message = format!(
                "all brokers are at {host}, where packets of a broker's connections cannot be told apart from those of \
                 another one's or of clients"
            );
            let help = "write `between: [broker 1, everyone]`, which cuts off a broker's own ports; brokers in \
                        containers have addresses of their own";
            self.reader.error(&fault.node.at, message, help);
        }
    }

    fn check_partition(&mut self, at: &Place, topic: &str, partition: i32) {
        let known = self.scenario.topics.iter().find(|(name, _)| name.value == topic);
        match known {
            None if self.scenario.topics_known => {
                let names = self.scenario.topics.iter().map(|(name, _)| name.value.as_str());
                let names: Vec<_> = names.collect();
                let message = format!("there is no topic `{topic}`");
                self.reader.error(at, message, suggest(topic, &names, "topics"));
            }
            Some((_, found)) if found.partitions.is_some_and(|count| partition >= count) => {
                let count = found.partitions.unwrap_or_default();
                let message = format!("`{topic}` has no partition {partition}");
                let help = format!("it has {count}, numbered from 0");
                self.reader.error(at, message, help);
            }
            _ => {}
        }
    }

    /// When a fault begins, each time.
    fn moments<'a>(&mut self, fault: &'a Fault, timeline: &Timeline) -> Vec<Timed<'a>> {
        let timed = |at_us| Timed { written: fault, at_us };
        match &fault.when {
            When::Once { at, phase } => {
                let start_us = match phase {
                    Some(phase) => self.phase_start(phase, timeline),
                    None => Some(0),
                };
                start_us.map(|start_us| timed(start_us + micros(*at))).into_iter().collect()
            }
            When::Every { period, from, until } => {
                let (period, until) = (micros(*period).max(1), micros(*until));
                let moments = (0..=FAULT_LIMIT as u64).map(|n| micros(*from) + n * period);
                moments.take_while(|at_us| *at_us < until).map(timed).collect()
            }
        }
    }

    fn phase_start(&mut self, phase: &Located<String>, timeline: &Timeline) -> Option<u64> {
        let phases = || timeline.0.iter().filter(|phase| phase.kind != PhaseKind::Drain);
        let found = phases().find(|known| known.name == phase.value);
        if found.is_none() {
            let names: Vec<_> = phases().map(|phase| phase.name.as_str()).collect();
            let message = format!("the load has no phase `{}`", phase.value);
            self.reader.error(&phase.at, message, suggest(&phase.value, &names, "phases"));
        }
        found.map(|phase| phase.start_us)
    }

    /// Faults end, and are undone, while the load runs; and there is one at a time unless it is said otherwise.
    fn check_order(&mut self, timed: &[Timed<'_>], load_end_us: u64) {
        let undo_us = micros(self.cluster.deadlines.undo);
        let text = |us: u64| humanly(Duration::from_micros(us));
        for fault in timed {
            let lasting_us = micros(fault.written.lasting);
            if fault.written.lasting < SHORTEST {
                let message = format!("a fault lasts at least {}", humanly(SHORTEST));
                let help = "its effect has to be seen while it is there";
                self.reader.error(&fault.written.at, message, help);
            } else if fault.at_us.saturating_add(lasting_us + undo_us) > load_end_us {
                let message = format!(
                    "this fault may not be undone when the load ends: it begins at {}, lasts {}, undoing may take \
                     {}, and the load ends at {}",
                    text(fault.at_us),
                    text(lasting_us),
                    text(undo_us),
                    text(load_end_us)
                );
                let help = "begin it earlier, or let the load run for longer; `deadlines: {undo: …}` of the \
                            cluster file says how long undoing may take";
                self.reader.error(&fault.written.at, message, help);
            }
        }
        for pair in timed.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            let ends_us = first.at_us + micros(first.written.lasting);
            let may = first.written.may_overlap && second.written.may_overlap;
            if second.at_us < ends_us && !may {
                let message = format!(
                    "it begins at {}, and another fault lasts until {}",
                    text(second.at_us),
                    text(ends_us)
                );
                let help = "begin it later, or write `overlap: allow` in both";
                self.reader.error(&second.written.at, message, help);
            }
        }
    }

    /// Names: its own, or the kind; numbered where one occurs more than once, as phases are.
    fn named(&mut self, timed: &[Timed<'_>]) -> Vec<FaultPlan> {
        let base = |fault: &Fault| {
            fault
                .name
                .as_ref()
                .map_or_else(|| fault.act.word().to_owned(), |name| name.value.clone())
        };
        let mut taken = BTreeSet::new();
        let mut named = Vec::new();
        for (index, fault) in timed.iter().enumerate() {
            let own = base(fault.written);
            let same = |other: &&Timed<'_>| base(other.written) == own;
            let name = match timed.iter().filter(same).count() {
                1 => own.clone(),
                _ => format!("{own}-{}", timed[..=index].iter().filter(same).count()),
            };
            if !taken.insert(name.clone()) {
                let message = format!("another fault is named `{name}` already");
                self.reader.error(&fault.written.at, message, "take another `name`");
            }
            named.push(FaultPlan {
                name,
                group: own,
                act: fault.written.act,
                node: fault.written.node.value.clone(),
                wire: fault.written.wire.clone(),
                at_us: fault.at_us,
                for_us: micros(fault.written.lasting),
            });
        }
        named
    }
}
