//! What a host is asked before a run, and what it answers: `mallard-agent host`, in JSON.

use crate::{message::HostFacts, workload::ClientProperties};
use serde::{Deserialize, Serialize};

/// What a host is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// How clients connect; empty where there are no brokers to look for.
    pub connection: ClientProperties,
    /// How long looking for brokers may take, in milliseconds.
    pub within_ms: u64,
}

/// What a host is, and what can be reached from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The machine.
    pub host: HostFacts,
    /// Free bytes where runs keep their files.
    pub free_disk_bytes: u64,
    /// Files that an agent may open.
    pub open_files: u64,
    /// Threads that all of its agents may have together; `None` where nothing says.
    #[serde(default)]
    pub threads: Option<u64>,
    /// What the kernel counts time by: `tsc`, `kvm-clock`.
    pub clock_source: String,
    /// Whether somebody keeps its clock right; `None` if the kernel does not say.
    pub clock_synchronised: Option<bool>,
    /// Frequency governors of its cores, without repetition; empty where the kernel shows none.
    pub governors: Vec<String>,
    /// Addresses of brokers, first those of `bootstrap.servers`, then those that brokers give.
    pub brokers: Vec<BrokerReach>,
    /// Why the brokers did not describe their cluster.
    pub cluster_problem: Option<String>,
    /// Runs of which something is left on the host.
    pub leftovers: Vec<Leftover>,
}

/// A broker's address, tried from the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerReach {
    /// `host:port`.
    pub address: String,
    /// Whether a broker of the cluster gives it to its clients; `false` for one that stands in
    /// `bootstrap.servers` alone.
    pub advertised: bool,
    /// Time to resolve the name and connect, in microseconds, or why that failed.
    pub connect_us: Result<u64, String>,
}

/// What a run has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// The run.
    pub run_id: String,
    /// Whether an agent of it is alive.
    pub alive: bool,
    /// Bytes of measurements in spools, which nobody has collected yet.
    pub spool_bytes: u64,
}
