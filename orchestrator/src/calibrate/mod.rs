//! What the agents of a cluster's hosts can do: their ceilings, their timers, their clocks.
//!
//! Calibrating is running: every measurement is a case like any other, planned from a scenario text and
//! run over the same links, so that every kind of host can be calibrated without a word about it here.
//!
//! Two ceilings are found for each host, with records of two sizes:
//! - *without a broker*: in a closed loop against librdkafka's mock cluster inside of the agent's own
//!   process. The mock shares the agent's CPU, so this is a lower bound of what the agent can do.
//! - *with the cluster*: the same against the cluster file's brokers. It is the smaller of what the agent
//!   and the brokers can do.
//!
//! The larger of the two is a rate that the agent has been seen to make, and is stored as its ceiling.

mod load;
mod measures;
mod store;
mod table;

pub use load::{AgentLoad, NEAR_CEILING_SHARE, SAFE_SHARE, loads, warnings};
pub use measures::{Figures, Measure, plan, read};
pub use store::{Calibration, Rates, Store, StoreError};
pub use table::table;

use crate::plan::AgentPlan;

/// What a host is called in the store: this machine by its host name, others as the cluster file calls
/// them.
#[must_use]
pub fn host_key(agent: &AgentPlan) -> String {
    if agent.host.is_local() {
        return host_name();
    }
    agent.host_name.clone()
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
