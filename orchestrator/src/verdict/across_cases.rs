//! Judges expectations across cases.

use crate::{
    diagnosis::of_scaling,
    expect::{
        Comparison,
        across_cases::{Across, AcrossPlan},
    },
    metrics::{Metric, Needs},
    model::{
        result::{AcrossResult, AgentResult, MetricValue},
        shard::Cores,
    },
    plan::{AgentPlan, CasePlan},
    text::units::{human, human_pair},
};
use std::collections::BTreeMap;

/// What came of a case, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct CaseOutcome {
    /// Its name.
    pub name: String,
    /// Its values by parameter.
    pub parameters: BTreeMap<String, String>,
    /// What its agents are there for, in the plan's order.
    pub duties: Vec<Duty>,
    /// Its metrics; none if it was not run to its end.
    pub metrics: Option<BTreeMap<String, MetricValue>>,
    /// Cores of the hosts that its agents ran on.
    pub cores: Cores,
}

/// What an agent is there for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// The host's name in the plan.
    pub host: String,
    /// Whether the host is a container with a quota of cores.
    pub has_quota: bool,
    /// Whether it has producers.
    pub sends: bool,
    /// Whether it has consumers: they run the pipelines.
    pub receives: bool,
}

impl CaseOutcome {
    /// A case that was not run.
    #[must_use]
    pub fn planned(case: &CasePlan) -> Self {
        Self {
            name: case.name.clone(),
            parameters: case.parameters.clone(),
            duties: case.agents.iter().map(Duty::of).collect(),
            ..Self::default()
        }
    }

    /// Takes over what came of it: metrics, and agents in the plan's order.
    pub fn judged(&mut self, metrics: BTreeMap<String, MetricValue>, agents: &[AgentResult]) {
        self.metrics = Some(metrics);
        self.cores = Cores::new(&self.duties, agents);
    }
}

impl Duty {
    fn of(agent: &AgentPlan) -> Self {
        Self {
            host: agent.host_name.clone(),
            has_quota: agent.host.has_core_quota(),
            sends: !agent.producers.is_empty(),
            receives: !agent.consumers.is_empty(),
        }
    }
}

impl Cores {
    /// Adds up hosts. Both are in the plan's order.
    pub(super) fn new(duties: &[Duty], agents: &[AgentResult]) -> Self {
        let of = |does: fn(&Duty) -> bool| {
            cores(duties.iter().zip(agents).filter(|(duty, _)| does(duty)))
        };
        let (sending, receiving) = (of(|duty| duty.sends), of(|duty| duty.receives));
        Self { sending, receiving, all: of(|_| true) }
    }

    /// Of those whose work a metric measures.
    fn behind(self, metric: &Metric) -> Option<f64> {
        match metric.needs {
            Needs::Producers | Needs::Schedule | Needs::Transactions => self.sending,
            Needs::Consumers | Needs::Pipelines => self.receiving,
            Needs::Nothing
            | Needs::EndToEnd
            | Needs::Both
            | Needs::Through
            | Needs::Groups
            | Needs::Faults
            | Needs::Integrity => self.all,
        }
    }
}

/// Cores of these agents' hosts. Agents on one kernel share its cores; of containers with a quota each has
/// its own.
fn cores<'a>(agents: impl Iterator<Item = (&'a Duty, &'a AgentResult)>) -> Option<f64> {
    // By kernel: what an agent without a quota may use, and quotas by host.
    let mut kernels: BTreeMap<&str, (Option<f64>, BTreeMap<&str, f64>)> = BTreeMap::new();
    for (duty, agent) in agents {
        let kernel = agent.host.get("boot_id").or(agent.host.get("hostname"));
        let cores = agent.host.get("cores").and_then(|cores| cores.parse::<f64>().ok());
        let (Some(kernel), Some(cores)) = (kernel, cores) else { continue };
        let (whole, quotas) = kernels.entry(kernel).or_default();
        if duty.has_quota {
            quotas.insert(&duty.host, cores);
        } else {
            *whole = Some(whole.map_or(cores, |known| known.max(cores)));
        }
    }
    // Quotas are parts of the whole where somebody has that.
    let of = |(whole, quotas): &(Option<f64>, BTreeMap<&str, f64>)| {
        whole.unwrap_or_else(|| quotas.values().sum())
    };
    (!kernels.is_empty()).then(|| kernels.values().map(of).sum())
}

/// Judges all expectations across cases. `outcomes` are in the order of the plan's cases.
#[must_use]
pub fn judge(plans: &[AcrossPlan], outcomes: &[CaseOutcome]) -> Vec<AcrossResult> {
    let judged = plans.iter().flat_map(|plan| {
        plan.pairs.iter().filter_map(|(left, right)| {
            Some(one(plan, outcomes.get(*left)?, outcomes.get(*right)?))
        })
    });
    judged.collect()
}

fn one(plan: &AcrossPlan, left: &CaseOutcome, right: &CaseOutcome) -> AcrossResult {
    let of = &plan.expectation;
    let value_of = |case: &CaseOutcome| case.metrics.as_ref()?.get(of.metric.name)?.value;
    let (value, reference) = (value_of(left), value_of(right));
    let growth = growth(of, left, right);
    let limit = reference.zip(growth).map(|(reference, growth)| of.factor * growth * reference);
    let passed = value.zip(limit).is_some_and(|(v, limit)| of.comparison.holds(v, limit));
    let share = value.zip(reference).zip(growth).filter(|((_, reference), _)| *reference > 0.0);
    let share = share.map(|((value, reference), growth)| value / (growth * reference));
    AcrossResult {
        text: of.text.clone(),
        scenario: plan.scenario.clone(),
        metric: of.metric.name.to_owned(),
        case: left.name.clone(),
        reference: right.name.clone(),
        value,
        reference_value: reference,
        limit,
        margin: value
            .zip(limit.filter(|limit| *limit != 0.0))
            .map(|(v, limit)| of.comparison.distance(v, limit) / limit.abs()),
        unit: of.metric.unit.to_owned(),
        passed,
        scaling: share.filter(|_| of.linear.is_some()),
        tier: share.filter(|_| of.linear.is_some()).map(of_scaling),
        line: of.source.1,
        sentence: sentence(of, (left, value), (right, reference), limit, growth),
    }
}

/// By how much the reference's value should have grown: 1 unless the expectation is about scaling. More
/// parallelism than there are cores is not expected to bring more.
fn growth(of: &Across, left: &CaseOutcome, right: &CaseOutcome) -> Option<f64> {
    let Some(axis) = &of.linear else { return Some(1.0) };
    let cores = left.cores.behind(of.metric).unwrap_or(f64::INFINITY);
    let number = |case: &CaseOutcome| case.parameters.get(axis)?.parse::<f64>().ok();
    Some(number(left)?.min(cores) / number(right)?.min(cores))
}

fn sentence(
    of: &Across,
    (left, value): (&CaseOutcome, Option<f64>),
    (right, reference): (&CaseOutcome, Option<f64>),
    limit: Option<f64>,
    growth: Option<f64>,
) -> String {
    let (unit, metric) = (of.metric.unit, of.metric.name);
    let (Some(value), Some(reference), Some(limit)) = (value, reference, limit) else {
        let without = if value.is_none() { &left.name } else { &right.name };
        return format!("{metric} could not be judged: {without} has no value of it");
    };
    let pair = human_pair(value, limit, unit);
    let times = match (&of.linear, growth) {
        (Some(axis), Some(growth)) => {
            let cores = left.cores.behind(of.metric);
            let cores = cores.map_or_else(String::new, |of| format!(" ({})", human(of, "cores")));
            format!(" times {growth} for {axis}{cores}")
        }
        _ => String::new(),
    };
    let side = match of.comparison {
        Comparison::Less | Comparison::AtMost => "at most",
        Comparison::Greater | Comparison::AtLeast => "at least",
        Comparison::Equal => "exactly",
        Comparison::NotEqual => "not",
    };
    format!(
        "{metric} was {} in {}, limit {side} {}: {} of {}{times} in {}",
        pair.0,
        left.name,
        pair.1,
        human(of.factor, "ratio"),
        human(reference, unit),
        right.name
    )
}

#[cfg(test)]
mod tests;
