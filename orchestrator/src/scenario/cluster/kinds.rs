//! Kinds of host, as a cluster file describes them, and what it says of a run. What depends on a kind is asked here;
//! only what makes the plan of a host into a host (`hosts/kinds.rs`) distinguishes kinds.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What this machine and its agents are called: `local`, `local-2`.
const LOCAL: &str = "local";

/// What containers are called, with their number: `container-1`.
const CONTAINER: &str = "container";

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPlan(HostKind);

/// What a host is. Named here and in `hosts/kinds.rs` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// This machine.
    Local,
    /// A container of an engine.
    Container(ContainerPlan),
    /// A host that is reached by ssh.
    Ssh(SshPlan),
}

impl HostPlan {
    /// This machine.
    #[must_use]
    pub fn local() -> Self {
        Self(HostKind::Local)
    }

    /// A container, which is made for a run and goes with it.
    #[must_use]
    pub fn container(plan: ContainerPlan) -> Self {
        Self(HostKind::Container(plan))
    }

    /// A host that is reached by ssh.
    #[must_use]
    pub fn ssh(plan: SshPlan) -> Self {
        Self(HostKind::Ssh(plan))
    }

    /// Its kind, for what makes a host of it. Everybody else asks what they want to know.
    #[must_use]
    pub fn kind(&self) -> &HostKind {
        &self.0
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0 == HostKind::Local
    }

    /// Whether it is reached by ssh, so that a dead run may have left something there.
    #[must_use]
    pub fn is_over_ssh(&self) -> bool {
        matches!(self.0, HostKind::Ssh(_))
    }

    /// The container, if it is one: it is made for a run and goes with it.
    #[must_use]
    pub fn as_container(&self) -> Option<&ContainerPlan> {
        match &self.0 {
            HostKind::Container(plan) => Some(plan),
            HostKind::Local | HostKind::Ssh(_) => None,
        }
    }

    /// Whether it is made for a run and goes with it.
    #[must_use]
    pub fn is_of_run(&self) -> bool {
        self.as_container().is_some()
    }

    /// Whether it may use a part of its machine's processors alone.
    #[must_use]
    pub fn has_core_quota(&self) -> bool {
        self.as_container().is_some_and(|plan| plan.limits.nano_cpus.is_some())
    }

    /// What it is called where the cluster file does not name it. `number` counts the hosts that are made for the run,
    /// from 1.
    #[must_use]
    pub fn default_name(&self, number: usize) -> String {
        if self.is_of_run() { format!("{CONTAINER}-{number}") } else { LOCAL.to_owned() }
    }

    /// What agent `number` of `agents` on it is called, both from 1; `among_all` is its number among those of all hosts.
    #[must_use]
    pub fn agent_name(&self, host: &str, number: u32, agents: u32, among_all: usize) -> String {
        match (&self.0, agents) {
            (HostKind::Local, _) => format!("{LOCAL}-{among_all}"),
            (HostKind::Container(_) | HostKind::Ssh(_), 1) => host.to_owned(),
            (HostKind::Container(_) | HostKind::Ssh(_), _) => format!("{host}.{number}"),
        }
    }

    /// What it is, for people: `a container of debian:13`.
    #[must_use]
    pub fn describe(&self, name: &str) -> String {
        match &self.0 {
            HostKind::Local => "this machine".to_owned(),
            HostKind::Container(plan) => format!("a container of {}", plan.image),
            HostKind::Ssh(_) => format!("{name} by ssh"),
        }
    }

    /// Makes paths of the cluster file those that they are from its folder; `~` is ssh's to know. `ssh_config` is the key
    /// of that name.
    pub(super) fn resolve_paths(&mut self, folder: &Path, ssh_config: Option<&str>) {
        let HostKind::Ssh(plan) = &mut self.0 else { return };
        let from_folder = |path: &Path| match path.starts_with("~") {
            true => path.to_owned(),
            false => folder.join(path),
        };
        plan.identity = plan.identity.as_deref().map(from_folder);
        plan.config = ssh_config.map(|config| from_folder(Path::new(config)));
    }

    /// Files of this machine that it needs: the key that names each, and its path.
    pub(super) fn files(&self) -> Vec<(&'static str, &Path)> {
        let HostKind::Ssh(plan) = &self.0 else { return Vec::new() };
        let named = [("ssh_config", &plan.config), ("identity", &plan.identity)];
        named.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
    }
}

/// Whether a name is one that hosts and agents have that the cluster file does not name: `local`, `local-2`, `container-1`.
pub(super) fn is_default_name(name: &str) -> bool {
    let numbered = |kind| name.strip_prefix(kind).and_then(|rest: &str| rest.strip_prefix('-'));
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name == LOCAL || [LOCAL, CONTAINER].into_iter().filter_map(numbered).any(is_number)
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
    /// Undoing a fault, until the broker serves clients again.
    pub undo: Duration,
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
            undo: seconds(15),
        }
    }
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
