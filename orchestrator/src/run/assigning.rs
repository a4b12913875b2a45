//! What every agent is to do, settled once the partitions of existing topics are known.

use super::shared::Shared;
use crate::measure::Collector;
use mallard_protocol::workload::Assignment;

impl Shared {
    /// Settles what every agent is to do. Only now are the partitions of existing topics known.
    pub(super) fn assign(&mut self) {
        let fingerprint =
            mallard_protocol::stamp::run_fingerprint(&self.context.run_id, &self.plan.name);
        for agent in 0..self.agents.len() {
            let mut assignment = self.plan.assignment(agent, fingerprint, self.connection(agent));
            if self.plan.kafka.is_embedded() {
                suit_embedded_broker(&mut assignment);
            }
            self.drain.watch(&assignment);
            self.assignments.push(assignment);
        }
        self.collector = Collector::new(&self.plan);
    }
}

/// Consumer properties that the embedded broker needs, unless a scenario says otherwise. It holds a
/// fetch for as long as the client allows, records or none, where a real one answers when there is
/// something; and it takes a change of members in only when a session would time out.
const EMBEDDED_CONSUMER: [(&str, &str); 2] =
    [("fetch.wait.max.ms", "10"), ("session.timeout.ms", "10000")];

fn suit_embedded_broker(assignment: &mut Assignment) {
    for consumer in &mut assignment.consumers {
        for (key, value) in EMBEDDED_CONSUMER {
            if consumer.client.iter().all(|(known, _)| known != key) {
                consumer.client.push((key.to_owned(), value.to_owned()));
            }
        }
    }
}
