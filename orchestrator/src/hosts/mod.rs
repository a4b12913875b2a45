//! The hosts of a run: made ready all at once before the first case, and let go of after the last.
//!
//! A [`Host`] is a place for agents; one kind of host is one implementation. What it gives a case is a
//! [`Bridge`] for each of its agents, by which that one agent is started, spoken with, ended by force and
//! cleaned up. A kind that needs nothing to be ready, as this machine, says so by doing nothing; one that comes to be with a
//! case, as a container, by [`Host::is_of_run`].

pub mod channel;
pub mod container;
pub mod deploy;
mod host;
pub mod kafka;
mod kinds;
pub mod local;
mod problem;
mod readiness;
pub mod ssh;

use crate::{
    model::events::RunEvent,
    plan::{AgentPlan, Plan},
    scenario::cluster::{Deadlines, HostPlan},
    text::untrusted,
};
use channel::Bridge;
use container::RunContainers;
use deploy::Programs;
use kinds::Kinds;
use mallard_protocol::{preflight::Facts, texts};
use readiness::{OnceReady, Readiness};
use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet};

pub use host::{AgentLocation, Host, Ready};

pub use local::runs_folder;
pub use problem::{Phase, Problem};

/// The hosts of a run, by name.
#[derive(Clone)]
pub struct Hosts {
    hosts: BTreeMap<String, Arc<dyn Host>>,
    /// Which of them are ready, by name.
    ready: BTreeMap<String, Arc<Readiness>>,
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.hosts.keys()).finish()
    }
}

impl Hosts {
    /// The hosts of a run. Nothing is touched yet.
    ///
    /// # Errors
    /// The private folder for the connections cannot be made.
    pub fn of(
        plan: &Plan,
        programs: &Arc<Programs>,
        run_containers: &Arc<RunContainers>,
    ) -> io::Result<Self> {
        let agents = plan.cases.iter().flat_map(|case| &case.agents);
        let all = agents.map(|agent| (&*agent.host_name, &agent.host));
        Self::new(all, Kinds::new(programs, Some(run_containers)))
    }

    /// Those hosts that are there without a run, by name and plan.
    ///
    /// # Errors
    /// The private folder for the connections cannot be made.
    pub fn without_run<'a>(
        all: impl Iterator<Item = (&'a str, &'a HostPlan)>,
        programs: &Arc<Programs>,
    ) -> io::Result<Self> {
        Self::new(all, Kinds::new(programs, None))
    }

    /// Hosts that are named twice are one.
    fn new<'a>(
        all: impl Iterator<Item = (&'a str, &'a HostPlan)>,
        mut kinds: Kinds<'_>,
    ) -> io::Result<Self> {
        let mut hosts: BTreeMap<String, Arc<dyn Host>> = BTreeMap::new();
        for (name, plan) in all {
            if let (false, Some(host)) = (hosts.contains_key(name), kinds.host(name, plan)?) {
                hosts.insert(name.to_owned(), host);
            }
        }
        let ready = hosts.keys().map(|name| (name.clone(), Arc::default())).collect();
        Ok(Self { hosts, ready })
    }

    /// Makes all hosts ready at once, and reports each one.
    ///
    /// # Errors
    /// The problems of all hosts that have one, by name of host.
    pub async fn prepare(
        &self,
        deadlines: &Deadlines,
        tell: &mpsc::Sender<RunEvent>,
    ) -> Result<(), Vec<Problem>> {
        let mut making = JoinSet::new();
        for (name, host) in self.standing() {
            let (name, host, deadlines) = (name.clone(), Arc::clone(host), *deadlines);
            let readiness = self.ready.get(&name).cloned().unwrap_or_default();
            let began = Instant::now();
            making.spawn(async move {
                let outcome = readiness.prepare(host.as_ref(), &deadlines).await;
                (name, outcome, began.elapsed())
            });
        }
        let (of, mut ready, mut problems) = (making.len(), 0, Vec::new());
        while let Some(made) = making.join_next().await {
            let Ok((host, outcome, took)) = made else { continue };
            let event = match outcome {
                Ok(Ready { copied_bytes }) => {
                    ready += 1;
                    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                    RunEvent::HostReady { host, copied_bytes, took_us, ready, of }
                }
                Err(problem) => {
                    problems.push(problem.clone());
                    problem.into()
                }
            };
            // This machine is always ready, which is not worth a word; and nobody listens any more when
            // the run is over.
            if !self.are_local() {
                let _ = tell.send(event).await;
            }
        }
        problems.sort_by(|a, b| a.host.cmp(&b.host));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Makes ready what can be made ready, for somebody who says everything at the end: the hosts that are,
    /// and the problems of the others. Both share their connections, which [`Hosts::close`] of all closes.
    pub async fn fit(&self, deadlines: &Deadlines) -> (Self, Vec<Problem>) {
        let (unheard, _) = mpsc::channel(1);
        let problems = self.prepare(deadlines, &unheard).await.err().unwrap_or_default();
        let mut hosts = self.hosts.clone();
        hosts.retain(|name, _| problems.iter().all(|problem| problem.host != *name));
        (Self { hosts, ready: self.ready.clone() }, problems)
    }

    /// Those that are there before a case runs.
    fn standing(&self) -> impl Iterator<Item = (&String, &Arc<dyn Host>)> {
        self.hosts.iter().filter(|(_, host)| !host.is_of_run())
    }

    /// Whether all that are there before a case runs are this machine.
    #[must_use]
    pub fn are_local(&self) -> bool {
        self.standing().all(|(_, host)| host.is_local())
    }

    /// Asks all hosts what they are, at once.
    pub async fn inspect(
        &self,
        question: &[u8],
        within: Duration,
    ) -> BTreeMap<String, Result<Facts, Problem>> {
        let mut asking = JoinSet::new();
        for (name, host) in self.standing() {
            let (name, host, question) = (name.clone(), Arc::clone(host), question.to_vec());
            asking.spawn(async move { (name, host.inspect(&question, within).await) });
        }
        let mut answers: BTreeMap<_, _> = asking.join_all().await.into_iter().collect();
        for facts in answers.values_mut().flatten() {
            texts::of_facts(facts, &mut untrusted::clean);
        }
        answers
    }

    /// Removes what a dead run has left on a host; nothing where the host is not among these.
    ///
    /// # Errors
    /// It is still there.
    pub async fn sweep(&self, host: &str, run_id: &str) -> Result<(), Problem> {
        match self.hosts.get(host) {
            Some(host) => host.sweep(run_id).await,
            None => Ok(()),
        }
    }

    /// The way to an agent; `None` if its host is not among these. A host that could not be made ready is
    /// tried again before a channel is opened.
    #[must_use]
    pub fn bridge(
        &self,
        agent: &AgentPlan,
        location: AgentLocation,
        deadlines: Deadlines,
    ) -> Option<Arc<dyn Bridge>> {
        let host = self.hosts.get(&agent.host_name)?;
        let readiness = self.ready.get(&agent.host_name)?;
        let way = host.bridge(location);
        let (host, readiness) = (Arc::clone(host), Arc::clone(readiness));
        Some(Arc::new(OnceReady { way, host, readiness, deadlines }))
    }

    /// Lets go of all hosts at once.
    pub async fn close(&self) {
        let mut closing = JoinSet::new();
        for host in self.hosts.values().map(Arc::clone) {
            closing.spawn(async move { host.close().await });
        }
        closing.join_all().await;
    }
}
