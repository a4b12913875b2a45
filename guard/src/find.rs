//! From a victim to the broker that it is.

use crate::{
    broker::{Broker, Identity},
    container::ContainerBroker,
    process::ProcessBroker,
};
use mallard_protocol::fault::Victim;
use std::io;

/// Finds a broker that runs.
///
/// # Errors
/// None does, or it cannot be looked at.
pub(crate) fn find(victim: &Victim) -> io::Result<Box<dyn Broker>> {
    Ok(match victim {
        Victim::Process { pid_file, start } => Box::new(ProcessBroker::find(pid_file, start)?),
        Victim::Container { engine, name } => Box::new(ContainerBroker::find(engine, name)?),
    })
}

/// The one that was found before.
///
/// # Errors
/// Victim and identity are not of one kind.
pub(crate) fn known(victim: &Victim, identity: &Identity) -> io::Result<Box<dyn Broker>> {
    Ok(match (victim, identity) {
        (Victim::Process { pid_file, start }, Identity::Process { pid, start_ticks }) => {
            Box::new(ProcessBroker::known(pid_file, start, *pid, *start_ticks))
        }
        (Victim::Container { engine, name }, Identity::Container { id, started_at }) => {
            Box::new(ContainerBroker::known(engine, name, id, started_at))
        }
        _ => return Err(io::Error::other("the journal of the fault is damaged")),
    })
}
