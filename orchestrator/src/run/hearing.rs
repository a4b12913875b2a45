//! What agents say.

use super::{case::Case, io::Effect, shared::Shared, stage_id::StageId};
use crate::{
    model::events::{Level, RunEvent},
    plan::{AgentIndex, workload::workload_of},
};
use mallard_protocol::{
    ids::InstanceId,
    message::{AgentState, FromAgent, HostFacts},
    workload::ClientProperties,
};

impl Case {
    pub(super) fn on_message(&mut self, agent: AgentIndex, message: FromAgent) {
        let case = &mut self.shared;
        case.agents[agent].heard_us = case.now_us;
        match message {
            FromAgent::Hello { host, state, .. } => self.on_hello(agent, *host, state),
            FromAgent::Heartbeat => {}
            FromAgent::Answer { request, result } => self.on_answer(agent, request, result),
            FromAgent::Client { instance, properties } => case.on_client(instance, properties),
            FromAgent::Prepared => case.agents[agent].prepared = true,
            FromAgent::Assigned { instance, partitions } => {
                if let Some(joined) = self.stage.joined() {
                    joined.assign(instance, partitions);
                }
            }
            FromAgent::Reading { instance, partitions } => {
                if let Some(joined) = self.stage.joined() {
                    joined.read(instance, partitions);
                }
            }
            FromAgent::Started { late_by_us } => {
                case.agents[agent].start_late_us = Some(late_by_us);
            }
            FromAgent::Interval(report) => self.on_interval(agent, *report),
            FromAgent::Flushed => case.agents[agent].flushed = true,
            FromAgent::Finished { client_queue } => self.on_finished(agent, client_queue),
            FromAgent::Log { bytes, last } => {
                case.agents[agent].log_done |= last;
                case.effects.push(Effect::StoreLog { agent, bytes });
            }
            FromAgent::Note { level, instance, text } => case.on_note(agent, level, instance, text),
            FromAgent::Failed(failure) => {
                let error = case.run_error_of(agent, failure);
                self.wind_up(error);
            }
        }
    }

    fn on_hello(&mut self, agent: AgentIndex, host: HostFacts, state: AgentState) {
        if self.shared.greet(agent, host) {
            self.come_back(agent);
            self.shared.report_channel(agent, true);
        }
        if self.shared.load.start_clock_us.is_some() {
            self.shared.look_at_state(agent, state);
        }
    }
}

impl Shared {
    /// Notes where an agent runs. Returns whether it is back that was waited for.
    fn greet(&mut self, agent: AgentIndex, host: HostFacts) -> bool {
        let event = RunEvent::AgentConnected {
            agent: self.plan.agents[agent].name.clone(),
            host: host.hostname.clone(),
            pid: host.pid,
        };
        let was_waited_for =
            self.load.start_clock_us.is_some() && self.timing.stage > StageId::Connecting;
        let known = &mut self.agents[agent];
        let first = known.host.is_none();
        // Not a word was heard of it since an earlier controller's end.
        let is_back = was_waited_for && !known.connected && known.gone.is_none();
        known.connected = true;
        known.host = Some(host);
        if first {
            self.emit(event);
        }
        is_back
    }

    /// Instances of a workload differ in their names alone: what the first one tells is kept.
    fn on_client(&mut self, instance: InstanceId, properties: ClientProperties) {
        if let Some(name) = self.plan.instance_name(instance) {
            let workload = workload_of(name).to_owned();
            self.clients.entry(workload).or_insert_with(|| properties.into_iter().collect());
        }
    }

    fn on_note(
        &mut self,
        agent: AgentIndex,
        level: Level,
        instance: Option<InstanceId>,
        text: String,
    ) {
        // What clients say while they close, of commits that come too late for instance, is about nothing that
        // was measured.
        let is_over = self.timing.stage >= StageId::Finishing;
        let level = if is_over { Level::Info } else { level };
        let named = instance.and_then(|instance| self.plan.instance_name(instance));
        let source = named.unwrap_or(&self.plan.agents[agent].name).to_owned();
        self.emit(RunEvent::Note { level, source, text });
    }
}
