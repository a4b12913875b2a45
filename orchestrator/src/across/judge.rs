//! Judges expectations across cases.

use super::{Across, AcrossPlan};
use crate::{
    archive::model::{AcrossResult, CaseResult, MetricValue},
    diagnosis::of_scaling,
    expect::Comparison,
    measure::units::{human, human_pair},
};
use std::collections::BTreeMap;

/// What came of a case, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct CaseOutcome {
    /// Its name.
    pub name: String,
    /// Its values by parameter.
    pub parameters: BTreeMap<String, String>,
    /// Its metrics; none if it was not run to its end.
    pub metrics: Option<BTreeMap<String, MetricValue>>,
    /// Cores of the hosts that its agents ran on.
    pub cores: Option<f64>,
}

impl CaseOutcome {
    /// What came of a case that was judged.
    #[must_use]
    pub fn of(result: &CaseResult) -> Self {
        let mut hosts: BTreeMap<&str, f64> = BTreeMap::new();
        for host in result.agents.iter().map(|agent| &agent.host) {
            let id = host.get("boot_id").or(host.get("hostname"));
            let cores = host.get("cores").and_then(|cores| cores.parse().ok());
            if let (Some(id), Some(cores)) = (id, cores) {
                hosts.insert(id, cores);
            }
        }
        Self {
            name: result.case.clone(),
            parameters: result.parameters.clone(),
            metrics: Some(result.metrics.clone()),
            cores: (!hosts.is_empty()).then(|| hosts.values().sum()),
        }
    }
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
    let cores = left.cores.unwrap_or(f64::INFINITY);
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
            let cores =
                left.cores.map_or_else(String::new, |of| format!(" ({})", human(of, "cores")));
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
