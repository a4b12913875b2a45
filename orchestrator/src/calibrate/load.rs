//! How near a plan comes to what its agents can do.

use super::{Store, host_key};
use crate::{
    load::{Diagnostic, Severity},
    measure::units::human,
    plan::{CasePlan, Plan, sizes::mean_record_bytes},
};
use mallard_protocol::{
    BUILD_ID,
    schedule::{Pace, Schedule},
};

/// Share of its ceiling that an agent can be asked for: what is left is for bursts of other work on its
/// host, for larger batches after a stall, and for what a calibration of seconds does not see.
pub const SAFE_SHARE: f64 = 0.7;

/// From this share on, records that are late are the agent's doing.
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
/// it is asked for most. Agents that share a host share its ceiling only if they share its cores, which
/// is not known here: each is held against the ceiling alone.
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

/// Warnings about a plan whose agents are asked for more than is safe.
#[must_use]
pub fn warnings(plan: &Plan, store: &Store) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for case in &plan.cases {
        for load in loads(case, store).iter().filter(|load| load.share() > SAFE_SHARE) {
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
            let warning = Diagnostic::error(&case.file, message).with_help(help);
            warnings.push(Diagnostic { severity: Severity::Warning, ..warning });
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Calibration, Rates},
        *,
    };
    use crate::measure::simulate::Shape;

    fn store(small_per_s: f64, build: &str) -> Store {
        let alone = Rates { small_per_s, large_per_s: small_per_s / 4.0 };
        let mut store = Store::default();
        let agent = &Shape::default().plan().agents[0];
        let found = Calibration { alone, at: "2026-01-02T03:04:05Z".into(), ..Default::default() };
        store.keep(&host_key(agent), build, found);
        store
    }

    fn plan(rate_per_s: f64) -> Plan {
        let case = Shape { rate_per_s: Some(rate_per_s), ..Shape::default() }.plan();
        Plan { name: "x".into(), cases: vec![case], across: Vec::new(), warnings: Vec::new() }
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
        assert!(warnings(&plan, &store(200_000.0, BUILD_ID)).is_empty());
    }

    #[test]
    fn what_another_build_found_and_closed_loops_say_nothing() {
        assert!(warnings(&plan(160_000.0), &store(1_000.0, "another build")).is_empty());
        let case = Shape { rate_per_s: None, ..Shape::default() }.plan();
        assert!(loads(&case, &store(1_000.0, BUILD_ID)).is_empty());
    }
}
