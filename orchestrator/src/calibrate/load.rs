//! How near a plan comes to what its agents can do.

use super::{Store, host_key};
use crate::{
    config::{Diagnostic, Severity},
    plan::{CasePlan, Plan, sizes::mean_record_bytes},
    text::units::human,
};
use mallard_protocol::{
    BUILD_ID,
    schedule::{Pace, Schedule},
};
use std::collections::BTreeMap;

/// Share of its ceiling that an agent can be asked for: what is left is for bursts of other work on its
/// host, for larger batches after a stall, and for what a calibration of seconds does not see.
pub const SAFE_SHARE: f64 = 0.7;

/// From this share on, records that are late without a full queue before them are the agent's doing.
pub const NEAR_CEILING_SHARE: f64 = 0.95;

/// An agent's planned load against its ceiling.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentLoad {
    /// The agent.
    pub agent: String,
    /// Most records a second that it is to send at a time.
    pub planned_per_s: f64,
    /// Records of that kind a second that it has been seen to send.
    pub ceiling_per_s: f64,
    /// When it was calibrated, RFC 3339.
    pub calibrated_at: String,
}

impl AgentLoad {
    /// Planned rate / ceiling.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.planned_per_s / self.ceiling_per_s
    }
}

/// The open-loop load of every agent of a case that was calibrated by this build, at the moment at which
/// it is asked for most. Each is held against the ceiling of one agent alone on its host: what several of
/// them can do there depends on its cores, and is only warned of ([`warnings`]).
#[must_use]
pub fn loads(case: &CasePlan, store: &Store) -> Vec<AgentLoad> {
    let agents = case.agents.iter().filter_map(|agent| {
        let found = store.of(&host_key(agent), BUILD_ID)?;
        let ceiling = found.ceiling();
        let starts = agent.producers.iter().flat_map(|producer| moments(&producer.schedule));
        // Rates are linear between these moments, so the largest sum lies at one of them.
        let busiest = starts.map(|at_us| {
            let parts = agent.producers.iter().map(|producer| {
                let rate = rate_at(&producer.schedule, at_us) / f64::from(producer.stride.max(1));
                let bytes = mean_record_bytes(&producer.payload, &producer.key);
                (rate, rate / ceiling.at_bytes(bytes))
            });
            parts.fold((0.0, 0.0), |(rates, shares), (rate, share)| (rates + rate, shares + share))
        });
        let (planned_per_s, share) = busiest.max_by(|a, b| a.1.total_cmp(&b.1))?;
        (share > 0.0).then(|| AgentLoad {
            agent: agent.name.clone(),
            planned_per_s,
            ceiling_per_s: planned_per_s / share,
            calibrated_at: found.at.clone(),
        })
    });
    agents.collect()
}

/// First and last microsecond of every open-loop stretch of a schedule.
fn moments(schedule: &Schedule) -> impl Iterator<Item = u64> {
    schedule.segments().iter().flat_map(|segment| [segment.start_us, segment.end_us - 1])
}

fn rate_at(schedule: &Schedule, at_us: u64) -> f64 {
    let open = schedule.segment_at(at_us).filter(|s| matches!(s.pace, Pace::Rate { .. }));
    open.and_then(|_| schedule.rate_at(at_us)).unwrap_or(0.0)
}

/// Warnings about a plan whose agents are asked for more than is safe, each alone or all of a host
/// together.
#[must_use]
pub fn warnings(plan: &Plan, store: &Store) -> Vec<Diagnostic> {
    plan.cases.iter().flat_map(|case| warnings_of(case, store)).collect()
}

fn warnings_of(case: &CasePlan, store: &Store) -> Vec<Diagnostic> {
    let loads = loads(case, store);
    let beyond = loads.iter().filter(|load| load.share() > SAFE_SHARE);
    let alone = beyond.map(|load| {
        let message = format!(
            "{} is to send {}, {} of the {} that `mallard calibrate` found it can send",
            load.agent,
            human(load.planned_per_s, "per_s"),
            human(load.share(), "ratio"),
            human(load.ceiling_per_s, "per_s"),
        );
        let help = format!(
            "up to {} is safe; beyond it latencies include the agent's own delay: spread the load \
             over more agents on more hosts, or lower the rate",
            human(load.ceiling_per_s * SAFE_SHARE, "per_s"),
        );
        warning(case, message, help)
    });
    let by_host = by_host(case, &loads);
    let together = by_host.iter().filter_map(|(host, loads)| together(case, host, loads));
    alone.chain(together).collect()
}

fn warning(case: &CasePlan, message: String, help: String) -> Diagnostic {
    let warning = Diagnostic::error(&case.file, message).with_help(help);
    Diagnostic { severity: Severity::Warning, ..warning }
}

/// Loads of agents by the host that they run on, by its key in the store.
fn by_host<'l>(case: &CasePlan, loads: &'l [AgentLoad]) -> BTreeMap<String, Vec<&'l AgentLoad>> {
    let mut hosts: BTreeMap<String, Vec<&AgentLoad>> = BTreeMap::new();
    for load in loads {
        if let Some(agent) = case.agents.iter().find(|agent| agent.name == load.agent) {
            hosts.entry(host_key(agent)).or_default().push(load);
        }
    }
    hosts
}

/// A warning of agents that share a host's cores: each is asked for what is safe, all of them together
/// for more than one agent was seen to send there. The more so as their busiest moments mostly coincide:
/// instances of all agents follow one timeline.
fn together(case: &CasePlan, host: &str, loads: &[&AgentLoad]) -> Option<Diagnostic> {
    let share: f64 = loads.iter().map(|load| load.share()).sum();
    if loads.len() < 2 || share <= SAFE_SHARE || loads.iter().any(|load| load.share() > SAFE_SHARE)
    {
        return None;
    }
    let planned_per_s: f64 = loads.iter().map(|load| load.planned_per_s).sum();
    let ceiling_per_s = planned_per_s / share;
    let message = format!(
        "{} agents on {host} are to send {} together, {} of the {} that `mallard calibrate` found one \
         agent alone can send there",
        loads.len(),
        human(planned_per_s, "per_s"),
        human(share, "ratio"),
        human(ceiling_per_s, "per_s"),
    );
    let help = format!(
        "they share the host's cores: up to {} in all is known to be safe, more only where cores are \
         left; spread the agents over more hosts, or lower the rate",
        human(ceiling_per_s * SAFE_SHARE, "per_s"),
    );
    Some(warning(case, message, help))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Calibration, Rates},
        *,
    };
    use crate::{
        measure::simulate::Shape,
        scenario::cluster::{HostPlan, SshPlan},
    };

    fn store(small_per_s: f64, build: &str) -> Store {
        let alone = Rates { small_per_s, large_per_s: small_per_s / 4.0 };
        let mut store = Store::default();
        let agent = &Shape::default().plan().agents[0];
        let found = Calibration { alone, at: "2026-01-02T03:04:05Z".into(), ..Default::default() };
        store.keep(&host_key(agent), build, found);
        store
    }

    fn ssh(host: &str) -> HostPlan {
        HostPlan::ssh(SshPlan {
            host: host.to_owned(),
            user: None,
            port: None,
            identity: None,
            cache: None,
            config: None,
        })
    }

    fn plan(rate_per_s: f64) -> Plan {
        let case = Shape { rate_per_s: Some(rate_per_s), ..Shape::default() }.plan();
        Plan { name: "x".into(), cases: vec![case], ..Plan::default() }
    }

    #[test]
    fn an_agent_asked_for_more_than_is_safe_is_warned_of_with_the_numbers() {
        // Two agents share the rate: each is to send 80,000/s of 100 B.
        let plan = plan(160_000.0);
        let said = warnings(&plan, &store(100_000.0, BUILD_ID));
        assert_eq!(said.len(), 2);
        assert!(said.iter().all(|warning| !warning.is_error()));
        let text = &said[0].message;
        assert!(text.contains("80,000/s, 80 % of the 100,000/s"), "{text}");
        assert!(said[0].help.as_ref().unwrap().contains("up to 70,000/s is safe"));
        assert!(warnings(&plan, &store(300_000.0, BUILD_ID)).is_empty());
    }

    #[test]
    fn agents_of_one_host_are_warned_of_by_what_they_are_to_send_together() {
        // Each is to send 65 % of what one agent alone was seen to send there.
        let mut plan = plan(130_000.0);
        let said = warnings(&plan, &store(100_000.0, BUILD_ID));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(!said[0].is_error());
        let text = &said[0].message;
        assert!(text.starts_with("2 agents on "), "{text}");
        assert!(text.contains("130,000/s together, 130 % of the 100,000/s"), "{text}");
        assert!(said[0].help.as_ref().unwrap().contains("up to 70,000/s in all"));
        // On hosts of their own they are safe.
        let mut store = store(100_000.0, BUILD_ID);
        let found = store.of(&host_key(&plan.cases[0].agents[0]), BUILD_ID).unwrap().clone();
        for (agent, host) in plan.cases[0].agents.iter_mut().zip(["load-1", "load-2"]) {
            (agent.host, agent.host_name) = (ssh(host), host.to_owned());
            store.keep(host, BUILD_ID, found.clone());
        }
        assert!(warnings(&plan, &store).is_empty());
    }

    #[test]
    fn what_another_build_found_and_closed_loops_say_nothing() {
        assert!(warnings(&plan(160_000.0), &store(1_000.0, "another build")).is_empty());
        let case = Shape { rate_per_s: None, ..Shape::default() }.plan();
        assert!(loads(&case, &store(1_000.0, BUILD_ID)).is_empty());
    }
}
