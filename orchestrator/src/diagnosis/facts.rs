//! What a diagnosis rests on.

use crate::{
    model::result::{CaseResult, MetricValue},
    plan::{CasePlan, workload::workload_of},
};
use mallard_protocol::{
    pipeline::{DecodeSpec, ProcessSpec, RowsSpec},
    workload::Membership,
};
use std::collections::BTreeMap;

/// Facts of a case, measured and planned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Metrics over the measured phases, by name, in their own units.
    pub metrics: BTreeMap<String, f64>,
    /// Time of the measured phases, in microseconds.
    pub measured_us: u64,
    /// Whether a producer runs closed loop, so that the rate is what was possible.
    pub closed_loop: bool,
    /// Topic-partitions.
    pub partitions: Vec<Partition>,
    /// Producers.
    pub senders: Vec<Sender>,
    /// Consumers.
    pub groups: Vec<Group>,
    /// What Mallard doubts of its own load generator: code and text.
    pub generator: Vec<(String, String)>,
    /// What the verdict says of hosts without CPU to spare.
    pub host: Option<String>,
}

/// A topic-partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// Topic, by its name in the scenario.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Records acknowledged.
    pub acked: u64,
    /// Records given up.
    pub failed: u64,
    /// Largest lag of any group.
    pub lag_max: Option<u64>,
}

/// A producer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sender {
    /// Its name.
    pub name: String,
    /// How many instances it has.
    pub instances: u32,
    /// Its metrics.
    pub metrics: BTreeMap<String, f64>,
    /// Its client's properties.
    pub properties: BTreeMap<String, String>,
}

/// A consumer: the members of a group, or readers of assigned partitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How many instances it has.
    pub instances: u32,
    /// Whether its partitions are assigned by the group's protocol.
    pub is_group: bool,
    /// Topics that it reads, by their names in the scenario.
    pub topics: Vec<String>,
    /// Partitions of these topics.
    pub partitions: u32,
    /// Work for each record, in microseconds.
    pub work_us: u64,
    /// What it does with health payloads, if it is a pipeline.
    pub pipeline: Option<Pipeline>,
    /// Its metrics.
    pub metrics: BTreeMap<String, f64>,
}

/// A consumer's pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// Threads of each instance.
    pub parallelism: u32,
    /// Threads of all instances.
    pub threads: u32,
    /// Whether payloads come from memory, as fast as they are processed.
    pub from_memory: bool,
    /// Whether it decodes JSON.
    pub decodes_json: bool,
    /// Where rows go.
    pub sink: Sink,
}

/// Where a pipeline's rows go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sink {
    /// They are made and forgotten.
    #[default]
    Nowhere,
    /// To a topic.
    Topic,
    /// To files.
    Files {
        /// Rows in each.
        batch_rows: u32,
    },
}

/// A consumer is behind when its lag has once been more than its topics get in this time, in seconds.
const BEHIND_S: f64 = 1.0;

impl Group {
    /// Largest lag, in records. A consumer that is alone has the lag of all.
    #[must_use]
    pub fn lag(&self, facts: &Facts) -> Option<f64> {
        let all = facts.metric("consume.lag.max").filter(|_| facts.groups.len() == 1);
        self.metrics.get("consume.lag.max").copied().or(all)
    }

    /// How far it was behind at worst, in seconds of what its topics get.
    #[must_use]
    pub fn behind_s(&self, facts: &Facts) -> Option<f64> {
        Some(self.lag(facts)? / facts.acked_per_s(self)?)
    }

    /// Whether it has anything to do with what it receives, which may take its time.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.work_us > 0 || self.pipeline.is_some()
    }

    /// Whether it was ever further behind than a moment.
    #[must_use]
    pub fn is_behind(&self, facts: &Facts) -> bool {
        self.behind_s(facts).is_some_and(|behind_s| behind_s >= BEHIND_S)
    }
}

/// Codes of doubts about the load generator.
const GENERATOR_CODES: [&str; 3] = ["generator_slip", "agent_cpu_saturated", "intervals_late"];

/// Response p95 from which on producers are slow enough to look for a reason.
const SLOW_RESPONSE_US: f64 = 100_000.0;
/// Share of time in which clients refused records from which on that counts.
pub(super) const HELD_UP: f64 = 0.01;
/// Share of the scheduled rate below which a schedule was missed.
const MISSED: f64 = 0.99;

/// Code of the doubt about hosts.
const HOST_CODE: &str = "host_cpu_saturated";

impl Facts {
    /// The facts of a case that was run and judged.
    #[must_use]
    pub fn of(plan: &CasePlan, result: &CaseResult) -> Self {
        let measured = result.phases.iter().filter(|phase| phase.measured);
        let doubts = || result.reasons.iter().chain(&result.warnings);
        let host = doubts().find(|doubt| doubt.code == HOST_CODE);
        let doubts = doubts().filter(|doubt| GENERATOR_CODES.contains(&&*doubt.code));
        let partitions = result.partitions.iter().filter(|partition| partition.partition >= 0);
        Self {
            metrics: values(&result.metrics),
            measured_us: measured.map(|phase| phase.end_us - phase.start_us).sum(),
            closed_loop: result.closed_loop,
            partitions: partitions
                .map(|of| Partition {
                    topic: of.topic.clone(),
                    partition: of.partition,
                    acked: of.acked,
                    failed: of.failed,
                    lag_max: of.lag_max,
                })
                .collect(),
            senders: senders(plan, result),
            groups: groups(plan, result),
            generator: doubts.map(|doubt| (doubt.code.clone(), doubt.text.clone())).collect(),
            host: host.map(|doubt| doubt.text.clone()),
        }
    }

    /// A metric over the whole.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).copied()
    }

    /// Whether records took long, were refused, or fewer of them were acknowledged than was asked for.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        let metric = |name: &str| self.metric(name);
        let missed = match (metric("produce.acked.rate"), metric("produce.scheduled.rate")) {
            (Some(acked), Some(scheduled)) if !self.closed_loop => acked < scheduled * MISSED,
            _ => false,
        };
        missed
            || metric("produce.response.p95").is_some_and(|us| us > SLOW_RESPONSE_US)
            || metric("produce.backpressure_share")
                .is_some_and(|share| share > HELD_UP && !self.closed_loop)
    }

    /// Whether anything was acknowledged, received or processed.
    #[must_use]
    pub fn has_load(&self) -> bool {
        let some = |name| self.metric(name).is_some_and(|value| value > 0.0);
        some("records.acked") || some("records.received") || some("pipeline.messages")
    }

    /// Records of a consumer's topics that were acknowledged, a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts and times are below 2^53")]
    pub fn acked_per_s(&self, group: &Group) -> Option<f64> {
        let of = self.partitions.iter().filter(|partition| group.topics.contains(&partition.topic));
        let acked: u64 = of.map(|partition| partition.acked).sum();
        (self.measured_us > 0 && acked > 0).then(|| acked as f64 / (self.measured_us as f64 / 1e6))
    }
}

fn values(metrics: &BTreeMap<String, MetricValue>) -> BTreeMap<String, f64> {
    let known = metrics.iter().filter_map(|(name, metric)| Some((name.clone(), metric.value?)));
    known.collect()
}

fn values_of(result: &CaseResult, workload: &str) -> BTreeMap<String, f64> {
    result.workloads.get(workload).map(values).unwrap_or_default()
}

/// What a workload's clients have in effect, and what they were given beside it.
fn properties(result: &CaseResult, workload: &str) -> BTreeMap<String, String> {
    let given = result.client_properties.get(workload).cloned().unwrap_or_default();
    let effect = result.clients_in_effect.get(workload).cloned().unwrap_or_default();
    given.into_iter().chain(effect).collect()
}

fn senders(plan: &CasePlan, result: &CaseResult) -> Vec<Sender> {
    let mut senders: Vec<Sender> = Vec::new();
    for spec in plan.agents.iter().flat_map(|agent| &agent.producers) {
        let name = workload_of(&spec.name);
        if let Some(known) = senders.iter_mut().find(|sender| sender.name == name) {
            known.instances += 1;
            continue;
        }
        senders.push(Sender {
            name: name.to_owned(),
            instances: 1,
            metrics: values_of(result, name),
            properties: properties(result, name),
        });
    }
    senders
}

fn pipeline(process: &ProcessSpec) -> Pipeline {
    Pipeline {
        parallelism: process.parallelism,
        threads: process.parallelism,
        from_memory: process.memory.is_some(),
        decodes_json: process.decode == DecodeSpec::Json,
        sink: match &process.rows {
            RowsSpec::Nowhere => Sink::Nowhere,
            RowsSpec::Topic(_) => Sink::Topic,
            RowsSpec::Files { batch_rows, .. } => Sink::Files { batch_rows: *batch_rows },
        },
    }
}

fn groups(plan: &CasePlan, result: &CaseResult) -> Vec<Group> {
    let mut groups: Vec<(Option<&str>, Group)> = Vec::new();
    for spec in plan.agents.iter().flat_map(|agent| &agent.consumers) {
        let name = workload_of(&spec.name);
        let id = match &spec.membership {
            Membership::Group(id) => Some(id.as_str()),
            Membership::Assigned(_) => None,
        };
        let same = |(other, group): &&mut (Option<&str>, Group)| match id {
            Some(_) => *other == id,
            None => other.is_none() && group.name == name,
        };
        if let Some((_, known)) = groups.iter_mut().find(same) {
            known.instances += 1;
            if let (Some(known), Some(process)) = (&mut known.pipeline, &spec.process) {
                known.threads += process.parallelism;
            }
            // Consumers that share a group are one reader, and are measured under both names.
            if !known.name.split('+').any(|other| other == name) {
                known.name = format!("{}+{name}", known.name);
            }
            continue;
        }
        let topics = spec.topics.iter().filter_map(|topic| plan.topics.get(topic.index()));
        let partitions = topics.clone().map(|t| u32::try_from(t.partitions).unwrap_or(0)).sum();
        let group = Group {
            name: name.to_owned(),
            instances: 1,
            is_group: id.is_some(),
            topics: topics.map(|topic| topic.alias.clone()).collect(),
            partitions,
            work_us: spec.work_us,
            pipeline: spec.process.as_ref().map(pipeline),
            metrics: BTreeMap::new(),
        };
        groups.push((id, group));
    }
    let with_metrics = groups.into_iter().map(|(_, mut group)| {
        group.metrics = values_of(result, &group.name);
        group
    });
    with_metrics.collect()
}
