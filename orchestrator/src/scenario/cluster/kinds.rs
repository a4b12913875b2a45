//! Kinds of host, as a cluster file describes them, and what it says of a run.

use std::{path::PathBuf, time::Duration};

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
