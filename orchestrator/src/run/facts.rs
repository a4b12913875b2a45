//! What a verdict is given of a case beside what was measured.

use super::shared::Shared;
use crate::{
    config::emit::is_secret_key,
    plan::workload::workload_of,
    verdict::{AgentFacts, CaseFacts, EarlyStop},
};
use mallard_protocol::private_file;
use std::collections::BTreeMap;

impl Shared {
    pub(super) fn facts(&self) -> CaseFacts {
        let agents = self.agents.iter().enumerate().map(|(at, agent)| AgentFacts {
            host: agent.host.clone(),
            start_late_us: agent.start_late_us,
            clock_error_us: self.clock_error_of(at),
            client_queue: agent.finished,
            lost: agent.gone.clone(),
            handover: self.handovers.iter().find(|handover| handover.lost == at).cloned(),
        });
        let brokers = self.cluster.brokers.iter();
        CaseFacts {
            run_id: self.context.run_id.clone(),
            started_at: self.started_at.clone(),
            ended_at: crate::clock::rfc3339(self.wall),
            load_started_at: self.load.started_at.map(crate::clock::rfc3339),
            drained_at_us: self.load.drained_at_us,
            interrupted_by: self.stop.by.filter(|_| !self.ends_in_order()).map(str::to_owned),
            early_stop: self.early_stop(),
            run_errors: self.run_errors.clone(),
            cuts: self.cuts.clone(),
            faults: self.faults.of.clone(),
            agents: agents.collect(),
            log: self.log.clone(),
            loads: self.context.loads.clone(),
            clock_error_us: self.clock_error_us(),
            versions: self.versions(),
            brokers: brokers.map(|(id, address)| (id.to_string(), address.clone())).collect(),
            client_properties: self.client_properties(),
            clients_in_effect: self.clients.clone(),
        }
    }

    /// How the load was ended in order before its planned end, if it was.
    fn early_stop(&self) -> Option<EarlyStop> {
        let planned_us = self.plan.timeline.load_end_us();
        let by = self.stop.by.filter(|_| self.ends_in_order())?.to_owned();
        let at_us = self.load.stopped_us.filter(|at_us| *at_us < planned_us)?;
        Some(EarlyStop { by, at_us, planned_us })
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let librdkafka =
            self.agents.iter().find_map(|agent| agent.host.as_ref()).map(|h| &h.librdkafka);
        let mut versions = BTreeMap::from([
            ("mallard".to_owned(), mallard_protocol::BUILD_ID.to_owned()),
            ("protocol".to_owned(), mallard_protocol::PROTOCOL_VERSION.to_string()),
        ]);
        if let Some(librdkafka) = librdkafka {
            versions.insert("librdkafka".to_owned(), librdkafka.clone());
        }
        if self.plan.kafka.is_embedded() {
            versions.insert("kafka".to_owned(), "embedded (librdkafka's mock cluster)".to_owned());
        }
        versions
    }

    /// What each workload's clients are given, by the workload's name. Secrets are masked.
    fn client_properties(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let producers = self.plan.agents.iter().flat_map(|agent| &agent.producers);
        let consumers = self.plan.agents.iter().flat_map(|agent| &agent.consumers);
        let clients = producers
            .map(|producer| (&producer.name, &producer.client))
            .chain(consumers.map(|consumer| (&consumer.name, &consumer.client)));
        // In containers and outside, they differ in addresses alone.
        let connection = self.connection(0);
        let properties = clients.map(|(name, client)| {
            let all = connection.iter().chain(client);
            let shown = all.map(|(key, value)| {
                let hidden = is_secret_key(key);
                (key.clone(), if hidden { "***" } else { private_file::shown(value) }.to_owned())
            });
            (workload_of(name).to_owned(), shown.collect())
        });
        properties.collect()
    }
}
