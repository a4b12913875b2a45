//! `order.json`: what was asked for, so that `mallard resume` can ask for it again.

use super::args::{PlanArgs, RunArgs};
use crate::{
    clock,
    hosts::deploy::{AgentOption, Programs},
    model::result::{Attempt, SCHEMA_VERSION},
    plan::Plan,
    sinks::Exports,
};
use mallard_protocol::BUILD_ID;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
};

/// A run as it was asked for. No secrets: those stand in files and in the environment, and are taken
/// from there again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// Version of this file.
    pub(super) schema_version: u32,
    /// The build that began the run. Agents talk to no other.
    pub(super) build_id: String,
    /// When, RFC 3339.
    pub(super) started_at: String,
    /// The folder that paths start from.
    pub(super) folder: PathBuf,
    /// Scenarios, cluster file, settings.
    pub(super) plan: PlanArgs,
    /// Leave created topics and groups on the broker.
    pub(super) keep: bool,
    /// Hosts over ssh on which it has agents.
    pub(super) ssh_hosts: BTreeSet<String>,
    /// The agent's programs, by absolute path.
    pub(super) agents: Vec<AgentOption>,
    /// Templates to use instead of those built in.
    pub(super) templates: Option<PathBuf>,
    /// Who follows the run from outside.
    #[serde(default)]
    pub(super) exports: Exports,
    /// What the plan came to: see [`fingerprint`].
    pub(super) fingerprint: String,
    /// The run of which what did not pass is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rerun: Option<Rerun>,
    /// The command line.
    pub(super) command_line: Vec<String>,
}

/// The run that is repeated in part, as `order.json` keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rerun {
    /// Its id.
    pub(super) parent: String,
    /// Cases that passed there, and are not run again.
    pub(super) passed: BTreeSet<String>,
    /// What came of the others there and before, oldest first.
    pub(super) earlier: BTreeMap<String, Vec<Attempt>>,
}

impl Order {
    /// What a command line asks for, now and here.
    ///
    /// # Errors
    ///
    /// When the current folder, or the agent's program, is gone.
    pub(super) fn new(
        args: &RunArgs,
        (asked, rerun): (&PlanArgs, Option<Rerun>),
        programs: &Programs,
        plan: &Plan,
    ) -> io::Result<Self> {
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            build_id: BUILD_ID.to_owned(),
            started_at: clock::now_rfc3339(),
            folder: std::env::current_dir()?,
            plan: asked.clone(),
            keep: args.keep,
            ssh_hosts: ssh_hosts(plan),
            agents: programs.options()?,
            templates: args.templates.clone(),
            exports: args.export.exports(),
            fingerprint: fingerprint(plan),
            rerun,
            command_line: std::env::args().collect(),
        })
    }
}

fn ssh_hosts(plan: &Plan) -> BTreeSet<String> {
    let agents = plan.cases.iter().flat_map(|case| &case.agents);
    let over_ssh = agents.filter(|agent| agent.host.is_over_ssh());
    over_ssh.map(|agent| agent.host_name.clone()).collect()
}

/// Tells a plan from another one, as a SHA-256: a run goes on only as what it began as. What a plan is made of is
/// written as `Debug` has it, which is the same for the same build, and no other build goes on with a run.
pub(super) fn fingerprint(plan: &Plan) -> String {
    let mut hash = Sha256::new();
    for case in &plan.cases {
        let files = (&case.name, &case.scenario_yaml, &case.cluster_yaml);
        hash.update(format!("{:?}", (files, &case.topics, &case.timeline, &case.agents)));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
