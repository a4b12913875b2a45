//! A broker that a fault is done to: the same acts, whatever it runs in.

use crate::space::Space;
use mallard_protocol::fault::KillSignal;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, io, net::IpAddr};

/// The very process or container that a fault is done to, and no other of its name or number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Identity {
    /// A process.
    Process {
        /// Its id.
        pid: i32,
        /// When it started, in clock ticks since the host did.
        start_ticks: u64,
    },
    /// A container, between two starts.
    Container {
        /// Its id.
        id: String,
        /// When it was started, as the engine says it.
        started_at: String,
    },
}

/// Where a broker is on the network, as far as this host knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    /// Its network namespace, if that is on this host.
    pub(crate) space: Option<Space>,
    /// Its addresses, where nobody else has them; empty where it shares them with this host.
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// Ports on which it listens.
    pub(crate) ports: BTreeSet<u16>,
}

/// A broker as it runs, or does not.
pub(crate) trait Broker {
    /// Which it is.
    fn identity(&self) -> Identity;

    /// What it is, in words: `process 4711 (java)`.
    fn describe(&self) -> String;

    /// Whether the very one that was found still runs, standing still or not.
    fn lives(&self) -> io::Result<bool>;

    /// Sends it a signal.
    fn kill(&self, signal: KillSignal) -> io::Result<()>;

    /// Has it stand still.
    fn pause(&self) -> io::Result<()>;

    /// Whether all of it stands still.
    fn is_paused(&self) -> io::Result<bool>;

    /// CPU time that it has used, in microseconds; `None` where that is not known.
    fn cpu_us(&self) -> io::Result<Option<u64>>;

    /// Has it go on. One that does, or is gone, is left alone.
    fn go_on(&self) -> io::Result<()>;

    /// Starts it again. Only for one that does not live.
    fn start(&mut self) -> io::Result<()>;

    /// Whether one runs in its place, itself or one that was started since.
    fn runs(&mut self) -> io::Result<bool>;

    /// Whether it is gone for good, with all that a fault did to it.
    fn is_removed(&self) -> io::Result<bool>;

    /// Where it is on the network.
    fn network(&self) -> io::Result<Network>;

    /// Whether it is known how it is started.
    fn can_start(&self) -> bool;
}
