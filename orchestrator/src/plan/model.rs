//! What a plan is made of.

use crate::{
    bounds::Outside,
    config::{Diagnostic, source::Place},
    expect::{Expectation, across_cases::AcrossPlan, against_baseline::WrittenAgainst},
    model::shard::{Shard, Slice},
    over_time::compare::Pairing,
    scenario::{
        Compare, Guarantee,
        cluster::{Deadlines, HostPlan, KafkaPlan, OnAgentLoss},
        faults::{Node, Wire},
    },
};
use mallard_protocol::{
    fault::Act,
    ids::TopicId,
    properties::ClientKind,
    schedule::Timeline,
    workload::{Assignment, ClientProperties, ConsumerSpec, ProducerSpec, TopicSpec},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

/// What the command line says about a plan.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The run's id: part of the names of topics and groups that Mallard makes.
    pub run_id: String,
    /// `--set name=value`, in order; the last one of a name counts.
    pub set: Vec<(String, String)>,
    /// `--only`: patterns of which a case must match one; none means all cases.
    pub only: Vec<String>,
    /// `--repeat`: how often each case is run.
    pub repeat: u32,
    /// Cases of the same run that are planned elsewhere: names of topics go on behind theirs.
    pub first_number: usize,
    /// `--shard`: the part of the cases that is run.
    pub shard: Option<Slice>,
    /// Cases that are left out, by their names.
    pub leave_out: BTreeSet<String>,
    /// What says from outside which bounds hold.
    pub bounds: Outside,
}

impl PlanOptions {
    /// All cases once.
    #[must_use]
    pub fn new(run_id: impl Into<String>) -> Self {
        Self {
            run_id: run_id.into(),
            set: Vec::new(),
            only: Vec::new(),
            repeat: 1,
            first_number: 0,
            shard: None,
            leave_out: BTreeSet::new(),
            bounds: Outside::default(),
        }
    }
}

/// All cases of one invocation, in the order in which they run.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Name of the run for its folder: the scenario's, or the folder's where there are several.
    pub name: String,
    /// The cases.
    pub cases: Vec<CasePlan>,
    /// What must hold across them; nothing in a part of the cases.
    pub across: Vec<AcrossPlan>,
    /// What it is a part of.
    pub shard: Option<ShardPlan>,
    /// Which cases are pairs, where two plans are run in turns.
    pub pairs: Option<Pairing>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// A part of the cases of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardPlan {
    /// What it is a part of, as `run.json` tells it.
    pub shard: Shard,
    /// How long the loads of each part take.
    pub lengths: Vec<Duration>,
}

/// A fault of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// Unique in its case.
    pub name: String,
    /// The name without its number, where there are several of it.
    pub group: String,
    /// What is done.
    pub act: Act,
    /// To whom.
    pub node: Node,
    /// From whom it is cut off.
    pub wire: Wire,
    /// When it begins, on the run's clock.
    pub at_us: u64,
    /// How long it lasts until it is undone, in microseconds.
    pub for_us: u64,
}

/// One case.
#[derive(Clone, Debug)]
pub struct CasePlan {
    /// Unique in its plan, readable, stable and safe as a file name: `steady`, `steady@codec=gzip`.
    pub name: String,
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario says of itself.
    pub description: String,
    /// Value of every parameter and matrix axis, as written.
    pub parameters: BTreeMap<String, String>,
    /// Topics; a `TopicId` is an index into them.
    pub topics: Vec<TopicSpec>,
    /// Phases; a `PhaseId` is an index into them. The last one is always a drain.
    pub timeline: Timeline,
    /// Where Kafka is.
    pub kafka: KafkaPlan,
    /// Agents, with what each one does. An `InstanceId` is unique over all of them.
    pub agents: Vec<AgentPlan>,
    /// Consumer groups that are not the case's own, by their id on the broker, each once.
    pub observed_groups: Vec<String>,
    /// What must hold.
    pub expectations: Vec<Expectation>,
    /// What is broken while the load runs, in order of time.
    pub faults: Vec<FaultPlan>,
    /// Seed of choices that are made while the case runs.
    pub seed: u64,
    /// What must hold against a baseline, over all repetitions of the case.
    pub against: Vec<WrittenAgainst>,
    /// With which baseline it is compared.
    pub compare: Option<Compare>,
    /// Which guarantee records' integrity is held to, if it is checked.
    pub integrity: Option<Guarantee>,
    /// What happens when an agent is lost.
    pub on_agent_loss: OnAgentLoss,
    /// How long each step may take.
    pub deadlines: Deadlines,
    /// How long agents go on without a controller.
    pub lease: Duration,
    /// Up to how many bytes raw intervals are kept once the case is judged.
    pub keep_intervals_bytes: u64,
    /// The scenario as resolved, for the archive: YAML, secrets removed.
    pub scenario_yaml: String,
    /// The cluster file, for the archive: YAML, secrets removed.
    pub cluster_yaml: String,
    /// Values that must never be written anywhere.
    pub secrets: Vec<String>,
    /// The scenario file.
    pub file: PathBuf,
    /// Client properties of every producer and consumer, with their places.
    pub clients: Vec<WrittenClient>,
    /// Where the connection's properties are written, in the cluster file.
    pub connection_places: Vec<(String, Place)>,
}

impl CasePlan {
    /// Finds a producer or consumer by instance id: its agent, its workload's name, its own name.
    #[must_use]
    pub fn instance_name(&self, instance: mallard_protocol::ids::InstanceId) -> Option<&str> {
        self.agents.iter().find_map(|agent| {
            let producer = agent.producers.iter().find(|p| p.instance == instance).map(|p| &p.name);
            let consumer =
                || agent.consumers.iter().find(|c| c.instance == instance).map(|c| &c.name);
            producer.or_else(consumer).map(String::as_str)
        })
    }

    /// What one agent is told to do, given the case's fingerprint and how clients connect.
    #[must_use]
    pub fn assignment(&self, agent: usize, run: u32, connection: ClientProperties) -> Assignment {
        let plan = &self.agents[agent];
        let observer = agent == self.observer();
        let observes = if observer { self.observed_topics() } else { Vec::new() };
        let observed_groups = if observer { self.observed_groups.clone() } else { Vec::new() };
        Assignment {
            run,
            connection,
            topics: self.topics.clone(),
            timeline: self.timeline.clone(),
            producers: plan.producers.clone(),
            consumers: plan.consumers.clone(),
            observes,
            observed_groups,
            watches_cluster: observer,
            integrity: self.integrity.is_some(),
        }
    }

    /// Whether anything runs in containers.
    #[must_use]
    pub fn needs_engine(&self) -> bool {
        let is_made = |agent: &AgentPlan| agent.host.is_of_run();
        self.kafka.containers().is_some() || self.agents.iter().any(is_made)
    }

    /// Index of the agent that reads end offsets: the broker's, else the first.
    #[must_use]
    pub fn observer(&self) -> usize {
        self.agents.iter().position(|agent| agent.carries_broker).unwrap_or(0)
    }

    /// Topics that a consumer reads, each once. A group that is observed may read any topic.
    #[must_use]
    pub fn observed_topics(&self) -> Vec<TopicId> {
        if !self.observed_groups.is_empty() {
            let all = 0..u16::try_from(self.topics.len()).unwrap_or(u16::MAX);
            return all.map(TopicId).collect();
        }
        let consumers = self.agents.iter().flat_map(|agent| &agent.consumers);
        let mut topics: Vec<_> = consumers.flat_map(|consumer| &consumer.topics).copied().collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// How long the load lasts by its timeline, the drain's longest time included.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.timeline.0.last().map_or(0, |phase| phase.end_us))
    }
}

/// An agent and its work.
#[derive(Clone, Debug)]
pub struct AgentPlan {
    /// Unique in its case: `local-1`.
    pub name: String,
    /// The host it runs on.
    pub host: HostPlan,
    /// The host's name, unique in its case but for this machine's: `load-1`, `container-1`.
    pub host_name: String,
    /// Labels of its host.
    pub labels: Vec<String>,
    /// Whether it carries the embedded broker.
    pub carries_broker: bool,
    /// Producer instances.
    pub producers: Vec<ProducerSpec>,
    /// Consumer instances.
    pub consumers: Vec<ConsumerSpec>,
}

/// An agent of the case: index into `CasePlan::agents`.
pub type AgentIndex = usize;

/// The properties of a producer or consumer, as written.
#[derive(Clone, Debug)]
pub struct WrittenClient {
    /// What it does.
    pub kind: ClientKind,
    /// Name of the workload.
    pub name: String,
    /// Properties as they are set.
    pub properties: ClientProperties,
    /// Where each property is written.
    pub places: Vec<(String, Place)>,
    /// Where the workload is written.
    pub at: Place,
}
