//! Consumers behind pipelines of others: what goes in, and whether it can be matched with what comes
//! out.

use super::case::Building;
use crate::scenario::{Producer, cluster::OnAgentLoss, through::Through};
use mallard_protocol::workload::{
    ConsumerSpec, Matching, Partitioning, PayloadSpec, ProducerSpec, StampPlace, ThroughSource,
    ThroughSpec,
};

impl Building<'_> {
    /// Whether records of a topic go into a pipeline that is measured through. Their stamp then has to
    /// stand in a header, which a pipeline can carry on; it would not carry on the value's first bytes.
    pub(super) fn goes_through(&self, topic: &str) -> bool {
        let throughs = self.scenario.consumers.iter().filter_map(|(_, c)| c.through.as_ref());
        throughs.flat_map(|through| &through.from).any(|from| from.value == topic)
    }

    /// Gives consumers behind pipelines the producers before them, once all are placed.
    pub(super) fn throughs(&mut self) {
        let scenario = self.scenario;
        for (name, consumer) in &scenario.consumers {
            let Some(through) = &consumer.through else { continue };
            let inputs: Vec<_> = through.from.iter().map(|topic| self.topic_id(topic)).collect();
            let producers: Vec<_> = self.placement.producers().cloned().collect();
            let sources: Vec<_> =
                producers.iter().filter(|p| inputs.contains(&Some(p.topic))).collect();
            self.check_through(through, &sources);
            let spec = ThroughSpec {
                matching: through.matching.value.clone(),
                sources: sources.into_iter().map(source).collect(),
                outputs: through.outputs,
            };
            let of_name =
                |c: &ConsumerSpec| crate::plan::workload::workload_of(&c.name) == name.value;
            for instance in self.placement.consumers_mut().filter(|c| of_name(c)) {
                instance.through = Some(spec.clone());
            }
        }
    }

    fn check_through(&mut self, through: &Through, sources: &[&ProducerSpec]) {
        let scenario = self.scenario;
        for topic in &through.from {
            let sends = |(_, p): &(_, Producer)| p.sends_to(&topic.value);
            if !scenario.broken && !scenario.producers.iter().any(sends) {
                let message = format!("no producer of this scenario sends to `{}`", topic.value);
                let help = "only records that mallard sends are matched; add a producer";
                self.reader.error(&topic.at, message, help);
            }
        }
        let Matching::Field(_) = through.matching.value else { return };
        let at = &through.matching.at;
        if sources.iter().any(|p| matches!(p.payload, PayloadSpec::Bytes { .. })) {
            let help =
                "give the producer payloads with a mark in a field, or write `match: header`";
            self.reader.error(at, "payloads that mallard makes up of bytes have no fields", help);
        }
        if sources.iter().any(|p| p.schedule.has_closed_loop()) {
            let help = "give the load a rate, or write `match: header`";
            let message = "with `rate: max` no record is due at a time, which a field does not say";
            self.reader.error(at, message, help);
        }
        if scenario.on_agent_loss == OnAgentLoss::Respread {
            let help = "write `match: header`, or `on_agent_loss: continue`";
            let message = "with `on_agent_loss: respread` a producer may come to send records of others, \
                           and a field does not say when those were due";
            self.reader.error(at, message, help);
        }
        let out_of_order = |p: &&ProducerSpec| match &p.partitioning {
            Partitioning::Client | Partitioning::Sticky => false,
            Partitioning::RoundRobin => true,
            Partitioning::Fixed(partitions) => partitions.len() > 1,
        };
        if sources.iter().any(out_of_order) {
            let help = "leave the partition to the client, or write `match: header`";
            let message = "a producer that deals its records out to partitions does not number them in \
                           the order in which they are due, and a field does not say that";
            self.reader.error(at, message, help);
        }
    }
}

fn source(spec: &ProducerSpec) -> ThroughSource {
    debug_assert!(spec.stamp != StampPlace::Payload, "records that go through have a header");
    ThroughSource {
        instance: spec.instance,
        schedule: spec.schedule.clone(),
        stride: spec.stride,
        offset: spec.offset,
    }
}
