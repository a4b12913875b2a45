//! What agents say of themselves, and channels of agents.

use super::{case::Case, io::Effect, stage_id::StageId};
use crate::{
    model::events::RunEvent,
    plan::{AgentIndex, workload::workload_of},
};
use mallard_protocol::{
    ids::InstanceId,
    message::{AgentFailure, AgentState, FromAgent, HostFacts},
    workload::ClientProperties,
};

impl Case {
    pub(super) fn on_message(&mut self, agent: AgentIndex, message: FromAgent) {
        self.agents[agent].heard_us = self.now_us;
        match message {
            FromAgent::Hello { host, state, .. } => self.on_hello(agent, *host, state),
            FromAgent::Heartbeat => {}
            FromAgent::Answer { request, result } => self.on_answer(agent, request, result),
            FromAgent::Client { instance, properties } => self.on_client(instance, properties),
            FromAgent::Prepared => self.agents[agent].prepared = true,
            FromAgent::Assigned { instance, partitions } => {
                self.assigned.insert(instance, partitions.into_iter().collect());
            }
            FromAgent::Reading { instance, partitions } => {
                self.reading.insert(instance, partitions.into_iter().collect());
            }
            FromAgent::Started { late_by_us } => {
                self.agents[agent].start_late_us = Some(late_by_us)
            }
            FromAgent::Interval(report) => self.on_interval(agent, *report),
            FromAgent::Flushed => self.on_flushed(agent),
            FromAgent::Finished { client_queue } => self.on_finished(agent, client_queue),
            FromAgent::Log { bytes, last } => {
                self.agents[agent].log_done |= last;
                self.effects.push(Effect::StoreLog { agent, bytes });
            }
            FromAgent::Note { level, instance, text } => self.on_note(agent, level, instance, text),
            FromAgent::Failed(failure) => self.on_failed(agent, failure),
        }
    }

    fn on_hello(&mut self, agent: AgentIndex, host: HostFacts, state: AgentState) {
        let event = RunEvent::AgentConnected {
            agent: self.plan.agents[agent].name.clone(),
            host: host.hostname.clone(),
            pid: host.pid,
        };
        let was_waited_for = self.start_clock_us.is_some() && self.stage > StageId::Connecting;
        let known = &mut self.agents[agent];
        let first = known.host.is_none();
        // Not a word was heard of it since an earlier controller's end.
        let is_back = was_waited_for && !known.connected && known.gone.is_none();
        known.connected = true;
        known.host = Some(host);
        if first {
            self.emit(event);
        }
        if is_back {
            self.come_back(agent);
            self.tell_of_channel(agent, true);
        }
        if self.start_clock_us.is_some() {
            self.look_at_state(agent, state);
        }
    }

    /// Instances of a workload differ in their names alone: what the first one tells is kept.
    fn on_client(&mut self, instance: InstanceId, properties: ClientProperties) {
        if let Some(name) = self.plan.instance_name(instance) {
            let workload = workload_of(name).to_owned();
            self.clients.entry(workload).or_insert_with(|| properties.into_iter().collect());
        }
    }

    pub(super) fn on_channel(&mut self, agent: AgentIndex, up: bool) {
        if up == self.agents[agent].connected || self.agents[agent].gone.is_some() {
            return;
        }
        self.agents[agent].connected = up;
        match up {
            true => self.come_back(agent),
            false => self.begin_cut(agent),
        }
        self.tell_of_channel(agent, up);
    }

    fn on_note(
        &mut self,
        agent: AgentIndex,
        level: mallard_protocol::message::Level,
        instance: Option<InstanceId>,
        text: String,
    ) {
        use mallard_protocol::message::Level;
        let level = match level {
            // What clients say while they close, of commits that come too late for instance, is about
            // nothing that was measured.
            _ if self.stage >= StageId::Finishing => "info",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let named = instance.and_then(|instance| self.plan.instance_name(instance));
        let source = named.unwrap_or(&self.plan.agents[agent].name).to_owned();
        self.emit(RunEvent::Note { level: level.to_owned(), source, text });
    }

    fn on_failed(&mut self, agent: AgentIndex, failure: AgentFailure) {
        let trouble = self.trouble_of(agent, failure);
        self.fail(trouble);
    }
}
