//! Client properties, checked by the librdkafka that will get them, before anything is touched.

use crate::{
    config::Diagnostic,
    hosts::deploy::ask::{Limits, ask},
    plan::{
        Plan,
        clients::{cluster_property_mistakes, cluster_property_request},
    },
    scenario::cluster::Cluster,
};
use mallard_protocol::agent_command;
use std::{io, path::Path, process::Command, time::Duration};

/// What checking properties may take. No client is made for it; each refusal is a line.
const LIMITS: Limits = Limits { within: Duration::from_secs(60), stdout_bytes: 16 << 20 };

/// Asks the agent's program what its librdkafka refuses of a plan's client properties. Every refusal is
/// a diagnostic at the property's place.
///
/// # Errors
///
/// When the program cannot be asked, or gives no sensible answer.
pub fn refused_properties(plan: &Plan, agent: &Path) -> io::Result<Vec<Diagnostic>> {
    let report = asked(agent, &plan.property_request()?)?;
    plan.property_mistakes(&report).map_err(io::Error::from)
}

/// The same of a cluster file by itself.
///
/// # Errors
///
/// As [`refused_properties`].
pub fn refused_by_cluster(cluster: &Cluster, agent: &Path) -> io::Result<Vec<Diagnostic>> {
    let report = asked(agent, &cluster_property_request(cluster)?)?;
    cluster_property_mistakes(cluster, &report).map_err(io::Error::from)
}

fn asked(agent: &Path, request: &str) -> io::Result<String> {
    let mut command = Command::new(agent);
    let report = ask(command.arg(agent_command::PROPERTIES), request.as_bytes(), LIMITS)
        .map_err(|cause| io::Error::other(format!("`mallard-agent properties`: {cause}")))?;
    Ok(String::from_utf8_lossy(&report).into_owned())
}
