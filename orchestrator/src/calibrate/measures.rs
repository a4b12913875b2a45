//! The measurements: scenarios that are planned for one host at a time, and what their results say.

use super::{Calibration, Rates, host_key};
use crate::{
    clock,
    config::{Diagnostic, source::Source},
    model::result::{CaseResult, MetricValue},
    plan::{self, CasePlan, Plan, PlanOptions},
    scenario::{
        LoadedScenario,
        cluster::{Cluster, KafkaPlan},
    },
};
use std::collections::BTreeMap;

/// What is measured in one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Closed loop against the mock cluster in the agent, small values.
    AloneSmall,
    /// The same, large values.
    AloneLarge,
    /// Pacing at a calm rate against the mock cluster.
    Pacing,
    /// Closed loop against the cluster, small values.
    ClusterSmall,
    /// The same, large values.
    ClusterLarge,
}

impl Measure {
    const ALL: [Self; 5] =
        [Self::AloneSmall, Self::AloneLarge, Self::Pacing, Self::ClusterSmall, Self::ClusterLarge];

    fn name(self) -> &'static str {
        match self {
            Self::AloneSmall => "alone-100B",
            Self::AloneLarge => "alone-1KiB",
            Self::Pacing => "pacing",
            Self::ClusterSmall => "cluster-100B",
            Self::ClusterLarge => "cluster-1KiB",
        }
    }

    fn is_alone(self) -> bool {
        matches!(self, Self::AloneSmall | Self::AloneLarge | Self::Pacing)
    }

    /// The scenario, for so many seconds of measured load.
    fn scenario(self, seconds: u32) -> String {
        let rate = if self == Self::Pacing { "1000/s" } else { "max" };
        let large = matches!(self, Self::AloneLarge | Self::ClusterLarge);
        let bytes = if large { Rates::LARGE_BYTES } else { Rates::SMALL_BYTES };
        format!(
            "name: {name}\n\
             topics: {{calibration: {{partitions: 6}}}}\n\
             load:\n  - warm-up: {{rate: {rate}, for: 1s}}\n  - hold: {{rate: {rate}, for: {seconds}s}}\n  \
             - drain: {{within: 20s}}\n\
             producers: {{calibration: {{topic: calibration, payload: {{size: {bytes}B}}}}}}\n",
            name = self.name()
        )
    }
}

/// The cases that calibrate every host of a cluster, one agent at a time. Names of cases are numbers of
/// hosts and measurements; with the plan come the hosts' names, by their number.
///
/// # Errors
///
/// What planning says: a property that does not fit, for instance.
pub fn plan(
    cluster: &Cluster,
    run_id: &str,
    seconds: u32,
) -> Result<(Plan, Vec<String>), Vec<Diagnostic>> {
    let mut cases: Vec<CasePlan> = Vec::new();
    let mut hosts: Vec<String> = Vec::new();
    for host in &cluster.hosts {
        let mut one = cluster.clone();
        one.hosts = vec![host.clone()];
        for host in &mut one.hosts {
            host.agents = 1;
        }
        let measures = Measure::ALL
            .into_iter()
            .filter(|measure| measure.is_alone() || !cluster.kafka.is_embedded());
        let mut key = None;
        for measure in measures {
            let mut suited = one.clone();
            if measure.is_alone() {
                suited.kafka = KafkaPlan::embedded(1, 0);
            }
            let mut case = plan_one(measure, &suited, run_id, seconds)?;
            let named = case.agents.first().map(host_key).unwrap_or_default();
            // Two entries of the cluster file may mean one machine.
            if key.is_none() && hosts.contains(&named) {
                break;
            }
            key = Some(named);
            case.name = format!("{}-{}", hosts.len() + 1, measure.name());
            cases.push(case);
        }
        hosts.extend(key);
    }
    Ok((Plan { name: "calibrate".to_owned(), cases, ..Plan::default() }, hosts))
}

fn plan_one(
    measure: Measure,
    cluster: &Cluster,
    run_id: &str,
    seconds: u32,
) -> Result<CasePlan, Vec<Diagnostic>> {
    let source = Source::new("calibration.yaml", measure.scenario(seconds));
    let scenario = LoadedScenario::from_source(&source, &|_| None)?;
    let options = PlanOptions::new(format!("{run_id}-{}", measure.name()));
    let planned = plan::plan(&[scenario], cluster, &options)?;
    let nothing = || vec![Diagnostic::error("calibration.yaml", "plans no case")];
    planned.cases.into_iter().next().ok_or_else(nothing)
}

/// What a case's result says of its measurement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    metrics: BTreeMap<String, MetricValue>,
    /// How wrong what is known of the agent's clock against the controller's may be, in microseconds.
    clock_error_us: Option<u64>,
    /// Why it may say nothing.
    why: Option<String>,
}

impl From<&CaseResult> for Figures {
    fn from(result: &CaseResult) -> Self {
        let why = result.reasons.first().map(|reason| reason.text.clone());
        // Each agent's own: two agents' end-to-end figures say nothing here, where there is one agent.
        let clock_error_us = result.agents.iter().filter_map(|agent| agent.clock_error_us).max();
        Self { metrics: result.metrics.clone(), clock_error_us, why }
    }
}

/// What the results of a host's cases say, by measurement; a text where one says nothing.
///
/// # Errors
///
/// The first measurement without a figure, and why.
pub fn read(results: &BTreeMap<Measure, Figures>) -> Result<Calibration, String> {
    let value = |measure: Measure, metric: &str| {
        let result =
            results.get(&measure).ok_or_else(|| format!("{} did not run", measure.name()))?;
        let value = result.metrics.get(metric).and_then(|metric| metric.value);
        value.ok_or_else(|| {
            let why = result.why.as_deref().unwrap_or("nothing was acknowledged");
            format!("{}: {why}", measure.name())
        })
    };
    let rates = |small, large| -> Result<Rates, String> {
        Ok(Rates {
            small_per_s: value(small, "produce.acked.rate")?.max(1.0),
            large_per_s: value(large, "produce.acked.rate")?.max(1.0),
        })
    };
    let with_cluster = results.contains_key(&Measure::ClusterSmall);
    Ok(Calibration {
        at: clock::now_rfc3339(),
        alone: rates(Measure::AloneSmall, Measure::AloneLarge)?,
        with_cluster: match with_cluster {
            true => Some(rates(Measure::ClusterSmall, Measure::ClusterLarge)?),
            false => None,
        },
        timer_p99_us: value(Measure::Pacing, "produce.slip.p99")?,
        timer_max_us: value(Measure::Pacing, "produce.slip.max")?,
        clock_error_us: results.values().filter_map(|result| result.clock_error_us).max(),
    })
}

impl std::str::FromStr for Measure {
    type Err = ();

    /// The measurement of a case's name: `1-alone-100B`.
    fn from_str(case: &str) -> Result<Self, ()> {
        let (_, name) = case.split_once('-').ok_or(())?;
        Self::ALL.into_iter().find(|measure| measure.name() == name).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(text: &str) -> Cluster {
        crate::scenario::cluster::from_source(&Source::new("c.yaml", text), &|_| None).unwrap()
    }

    #[test]
    fn every_host_is_measured_alone_and_with_the_cluster_where_there_is_one() {
        let file = "kafka: {bootstrap: \"b:9092\"}\nhosts: [{local: {agents: 3}}]\n";
        let (plan, hosts) = plan(&cluster(file), "run", 2).unwrap();
        assert_eq!((plan.cases.len(), hosts.len()), (5, 1));
        assert!(plan.cases.iter().all(|case| case.agents.len() == 1));
        let measures: Vec<_> = plan.cases.iter().map(|case| case.name.parse::<Measure>()).collect();
        assert_eq!(measures, Measure::ALL.map(Ok).to_vec());
        let embedded = "kafka: embedded\nhosts: [{local: {agents: 1}}, {local: {agents: 1}}]\n";
        let (plan, hosts) = super::plan(&cluster(embedded), "run", 2).unwrap();
        assert_eq!((plan.cases.len(), hosts.len()), (3, 1), "one machine is measured once");
    }

    #[test]
    fn a_clock_s_error_is_the_largest_that_was_measured_and_unknown_is_not_zero() {
        let metric =
            |unit: &str| MetricValue { value: Some(1_000.0), unit: unit.into(), uncertainty: None };
        let figures = |clock_error_us| Figures {
            metrics: BTreeMap::from([
                ("produce.acked.rate".to_owned(), metric("per_s")),
                ("produce.slip.p99".to_owned(), metric("us")),
                ("produce.slip.max".to_owned(), metric("us")),
            ]),
            clock_error_us,
            why: None,
        };
        let error_us = |of: [Option<u64>; 3]| {
            let measures = [Measure::AloneSmall, Measure::AloneLarge, Measure::Pacing];
            let results: BTreeMap<_, _> = measures.into_iter().zip(of.map(figures)).collect();
            read(&results).unwrap().clock_error_us
        };
        assert_eq!(error_us([Some(90), Some(240), None]), Some(240));
        assert_eq!(error_us([Some(0); 3]), Some(0), "one clock");
        assert_eq!(error_us([None; 3]), None);
    }

    #[test]
    fn a_measurement_without_a_figure_is_named() {
        let metric = |value| MetricValue { value, unit: "per_s".into(), uncertainty: None };
        let mut result = Figures::default();
        result.metrics.insert("produce.acked.rate".into(), metric(Some(5e5)));
        let alone = BTreeMap::from([(Measure::AloneSmall, result.clone())]);
        assert_eq!(read(&alone).unwrap_err(), "alone-1KiB did not run");
        result.metrics.insert("produce.acked.rate".into(), metric(None));
        let both = BTreeMap::from([
            (Measure::AloneSmall, alone[&Measure::AloneSmall].clone()),
            (Measure::AloneLarge, result),
        ]);
        assert_eq!(read(&both).unwrap_err(), "alone-1KiB: nothing was acknowledged");
    }
}
