//! What will be done: a scenario and a cluster file, validated, expanded and placed.
//!
//! Planning is pure: the same files, settings and run id give the same plan, and nothing is touched.
//! Raw YAML types stop at the loader; what stands here has real types and no choice left in it.

mod across;
mod archive_size;
mod build;
mod case;
mod clients;
mod consumers;
mod observe;
mod place;
mod producers;
mod schedule;
pub mod show;
pub mod sizes;
mod template;
mod through;
mod topics;

use crate::{
    bounds::Outside,
    config::{Diagnostic, source::Place},
    expect::{Expectation, across_cases::AcrossPlan},
};
use mallard_protocol::{
    ids::TopicId,
    schedule::Timeline,
    workload::{Assignment, ClientProperties, ConsumerSpec, ProducerSpec, TopicSpec},
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub use build::{CaseName, case_names, plan};
pub use clients::WrittenClient;
pub use schedule::{DEFAULT_DRAIN, LONGEST};

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
            bounds: Outside::default(),
        }
    }
}

/// All cases of one invocation, in the order in which they run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name of the run for its folder: the scenario's, or the folder's where there are several.
    pub name: String,
    /// The cases.
    pub cases: Vec<CasePlan>,
    /// What must hold across them.
    pub across: Vec<AcrossPlan>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Diagnostic>,
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
    /// What happens when an agent is lost.
    pub on_agent_loss: OnAgentLoss,
    /// How long each step may take.
    pub deadlines: Deadlines,
    /// How long agents go on without an orchestrator.
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

/// Where Kafka is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KafkaPlan {
    /// librdkafka's mock cluster inside the agent that [`AgentPlan::carries_broker`].
    Embedded {
        /// Number of brokers.
        brokers: u16,
        /// Round-trip time added by every broker, in milliseconds.
        round_trip_ms: u32,
    },
    /// A cluster that is there.
    External {
        /// Properties that every client gets first, `bootstrap.servers` among them.
        connection: ClientProperties,
    },
    /// A cluster that is started in containers for this run. How clients connect is known when it
    /// runs, and differs inside and outside the engine.
    Containers(KafkaContainers),
}

/// A cluster of Kafka in containers: nodes that are brokers and controllers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaContainers {
    /// The image, set up as Apache's own is.
    pub image: String,
    /// Number of brokers.
    pub brokers: u16,
    /// Settings of every broker, as `server.properties` spells them.
    pub config: Vec<(String, String)>,
    /// Where hosts outside the engine reach it, if that is said.
    pub advertise: Option<String>,
    /// What each broker may use.
    pub limits: Limits,
    /// Variables for the environment.
    pub env: Vec<(String, String)>,
}

/// A container that agents run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPlan {
    /// The image: any with a C library.
    pub image: String,
    /// A network of the engine, or `host`; `None` for one that the run makes.
    pub network: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// `SOURCE:TARGET` and `SOURCE:TARGET:MODE`.
    pub volumes: Vec<String>,
    /// Variables for the environment.
    pub env: Vec<(String, String)>,
}

/// What a container may use; `None` is all there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Processors, in billionths.
    pub nano_cpus: Option<u64>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
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

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPlan {
    /// This machine.
    Local,
    /// A container of an engine.
    Container(ContainerPlan),
    /// A host that is reached by ssh.
    Ssh(SshPlan),
}

/// How a host is reached by ssh. What is `None` is for ssh's own configuration to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshPlan {
    /// Its address or its name for ssh.
    pub host: String,
    /// The user to log in as.
    pub user: Option<String>,
    /// The port of its sshd.
    pub port: Option<u16>,
    /// The private key to log in with.
    pub identity: Option<PathBuf>,
    /// The folder on it for programs and runs; `None` for `mallard` below the user's cache folder.
    pub cache: Option<String>,
    /// The configuration of ssh, instead of the user's.
    pub config: Option<PathBuf>,
}

/// What happens when an agent is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnAgentLoss {
    /// The case ends as an error, with everything measured until then.
    #[default]
    Abort,
    /// The others go on; the verdict says that the case was degraded.
    Continue,
    /// The same, and the others also send what the lost agent's producers had to send.
    Respread,
}

/// How long each step of a case may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Starting containers, pulling their images included.
    pub containers: Duration,
    /// Reaching a host; starting an agent and hearing its Hello.
    pub connect: Duration,
    /// Bringing the agent's program to a host.
    pub deploy: Duration,
    /// Reaching a broker, and creating topics.
    pub topics: Duration,
    /// Every consumer assigned, every probe seen.
    pub ready: Duration,
    /// Silence after which an agent counts as lost.
    pub agent_silence: Duration,
    /// Flushing and closing clients after the load.
    pub finish: Duration,
    /// Collecting logs.
    pub collect: Duration,
    /// Deleting topics, ending agents.
    pub teardown: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            containers: seconds(180),
            connect: seconds(10),
            deploy: seconds(120),
            topics: seconds(10),
            ready: seconds(30),
            agent_silence: seconds(4),
            finish: seconds(10),
            collect: seconds(10),
            teardown: seconds(15),
        }
    }
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
        }
    }

    /// Whether anything runs in containers.
    #[must_use]
    pub fn needs_engine(&self) -> bool {
        let contained = |agent: &AgentPlan| matches!(agent.host, HostPlan::Container(_));
        matches!(self.kafka, KafkaPlan::Containers(_)) || self.agents.iter().any(contained)
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
