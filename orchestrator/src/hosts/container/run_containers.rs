//! All that a run has in an engine: a network, brokers, and the containers of its agents.
//!
//! It is started for the first case that needs it and serves the others, too; what died meanwhile is
//! started anew. Removing goes by labels, so that also what was made last, and nobody heard of, goes.

use super::{
    Engine, Problem, exit_cause,
    hosts::{self, HOST_NETWORK, Identity, Networks},
    image,
    kafka::{self, Addresses},
    labels, leftovers,
};
use crate::{
    plan::{AgentPlan, CasePlan},
    scenario::cluster::{ContainerPlan, KafkaContainers},
};
use bollard::{models::NetworkCreateRequest, query_parameters::LogsOptionsBuilder};
use bytes::Bytes;
use futures_util::{StreamExt, future};
use mallard_protocol::workload::ClientProperties;
use std::{collections::BTreeMap, path::Path};
use tokio::sync::{Mutex, OnceCell};

/// Lines of a broker's log that are kept: hours of a quiet one.
const BROKER_LOG_LINES: &str = "20000";

/// How often what a run has is looked for and removed.
const REMOVE_ROUNDS: usize = 3;

/// What a run has in an engine.
#[derive(Debug)]
pub struct RunContainers {
    run_id: String,
    engine: OnceCell<Engine>,
    kafka: Mutex<Option<Addresses>>,
}

/// A broker's container that has ended although nobody wanted it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerEnd {
    /// `broker-1`.
    pub broker: String,
    /// What became of it.
    pub cause: String,
}

impl RunContainers {
    /// One of a run, with nothing in it; no engine is looked for before something needs one.
    #[must_use]
    pub fn new(run_id: &str) -> Self {
        Self { run_id: run_id.to_owned(), engine: OnceCell::new(), kafka: Mutex::new(None) }
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// The engine, connected to when it is asked for first.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn engine(&self) -> Result<&Engine, Problem> {
        self.engine.get_or_try_init(Engine::connect).await
    }

    /// The name in the engine of what the run calls `container-1` or `broker-1`.
    pub(in crate::hosts) fn container(&self, role: &str) -> String {
        format!("mallard-{}-{role}", self.run_id)
    }

    fn network(&self) -> String {
        format!("mallard-{}", self.run_id)
    }

    /// Makes and starts what a case needs and is not there, and returns how each agent's clients
    /// connect with a Kafka in containers; none where Kafka is elsewhere.
    ///
    /// # Errors
    /// Everything that went wrong, one problem for each container at most.
    pub async fn start(
        &self,
        plan: &CasePlan,
        program: &Path,
        tell: impl Fn(String) + Sync,
    ) -> Result<Vec<ClientProperties>, Vec<Problem>> {
        let engine = self.engine().await.map_err(|problem| vec![problem])?;
        if let (swept @ 1.., run) = leftovers::sweep(engine).await {
            tell(format!("removed {swept} leftovers of dead runs from the engine: {run}"));
        }
        let hosts = container_hosts(plan);
        self.images(engine, plan, &hosts, program, &tell).await?;
        if needs_network(plan, &hosts) {
            self.make_network(engine).await.map_err(|problem| vec![problem])?;
        }
        let brokers = plan.kafka.containers();
        // The brokers first: they take longest, and start while the agents do.
        let addresses = match brokers {
            Some(kafka) => Some(
                self.start_kafka(engine, kafka, &tell).await.map_err(|problem| vec![problem])?,
            ),
            None => None,
        };
        self.start_hosts(engine, &hosts, brokers.is_some(), program, &tell).await?;
        let Some(addresses) = addresses else { return Ok(Vec::new()) };
        let connection = |agent: &AgentPlan| match agent.host.as_container() {
            Some(plan) if plan.network.as_deref() != Some(HOST_NETWORK) => addresses.inside(),
            _ => addresses.outside(),
        };
        Ok(plan.agents.iter().map(connection).collect())
    }

    async fn images(
        &self,
        engine: &Engine,
        plan: &CasePlan,
        hosts: &BTreeMap<&str, &ContainerPlan>,
        program: &Path,
        tell: &(impl Fn(String) + Sync),
    ) -> Result<(), Vec<Problem>> {
        let mut images: Vec<(&str, bool)> =
            hosts.values().map(|host| (host.image.as_str(), true)).collect();
        if let Some(kafka) = plan.kafka.containers() {
            images.push((&kafka.image, false));
        }
        images.sort_unstable();
        images.dedup();
        let checks = images.into_iter().map(async |(name, for_agents)| {
            image::ensure(engine, name, tell).await?;
            if for_agents { image::check_architecture(engine, name, program).await } else { Ok(()) }
        });
        all(future::join_all(checks).await)
    }

    async fn make_network(&self, engine: &Engine) -> Result<(), Problem> {
        let name = self.network();
        if engine.api.inspect_network(&name, None).await.is_ok() {
            return Ok(());
        }
        let request = NetworkCreateRequest {
            name,
            labels: Some(labels::of(&self.run_id, "network")),
            ..NetworkCreateRequest::default()
        };
        engine.api.create_network(request).await.map(drop).map_err(|cause| {
            let remedy = "look for leftovers of dead runs with `docker network ls`, or name a network \
                          that is there";
            Problem::new("the run's network", "making it", &super::engine::said(&cause), remedy)
        })
    }

    async fn start_kafka(
        &self,
        engine: &Engine,
        plan: &KafkaContainers,
        tell: &(impl Fn(String) + Sync),
    ) -> Result<Addresses, Problem> {
        let mut known = self.kafka.lock().await;
        let all_run = future::join_all(
            self.brokers(plan).into_iter().map(async |(_, c)| hosts::runs(engine, &c).await),
        );
        if let Some(addresses) = known.as_ref()
            && all_run.await.into_iter().all(|runs| runs)
        {
            return Ok(addresses.clone());
        }
        tell(format!("starting Kafka in {}", containers(usize::from(plan.brokers))));
        let network = self.network();
        let name = |role: &str| self.container(role);
        let addresses = kafka::start(engine, plan, &self.run_id, &network, name).await?;
        *known = Some(addresses.clone());
        Ok(addresses)
    }

    async fn start_hosts(
        &self,
        engine: &Engine,
        hosts: &BTreeMap<&str, &ContainerPlan>,
        kafka: bool,
        program: &Path,
        tell: &(impl Fn(String) + Sync),
    ) -> Result<(), Vec<Problem>> {
        let mut missing = Vec::new();
        for (role, plan) in hosts {
            if !hosts::runs(engine, &self.container(role)).await {
                missing.push((*role, *plan));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        tell(format!("starting {} for agents", containers(missing.len())));
        let program: Bytes = hosts::pack(program).map_err(|cause| {
            let what = format!("the agent's program {}", program.display());
            vec![Problem::new(what, "reading it", &cause, "fix its permissions")]
        })?;
        let network = self.network();
        let starts = missing.into_iter().map(async |(role, plan)| {
            let container = self.container(role);
            let identity = Identity { run_id: &self.run_id, container: &container, role };
            let networks = Networks { own: Some(&network), kafka };
            hosts::start(engine, identity, plan, networks, program.clone()).await
        });
        all(future::join_all(starts).await)
    }

    /// Waits until the container of one of the brokers ends; for ever, while none does.
    pub async fn broker_ends(&self, plan: &KafkaContainers) -> BrokerEnd {
        let Ok(engine) = self.engine().await else { return future::pending().await };
        let waits = self.brokers(plan).into_iter().map(|(broker, container)| {
            Box::pin(async move {
                hosts::ends(engine, &container).await;
                let cause = exit_cause::of(engine, &container).await;
                BrokerEnd { broker, cause: cause.unwrap_or_else(|| "it was restarted".to_owned()) }
            })
        });
        future::select_all(waits).await.0
    }

    /// The last lines of every broker's log, by its name.
    pub async fn broker_logs(&self, plan: &KafkaContainers) -> Vec<(String, Vec<u8>)> {
        let Ok(engine) = self.engine().await else { return Vec::new() };
        let logs = self.brokers(plan).into_iter().map(async |(broker, container)| {
            let options =
                LogsOptionsBuilder::new().stdout(true).stderr(true).tail(BROKER_LOG_LINES);
            let mut lines = std::pin::pin!(engine.api.logs(&container, Some(options.build())));
            let mut text = Vec::new();
            while let Some(Ok(line)) = lines.next().await {
                text.extend_from_slice(line.as_ref());
            }
            (broker, text)
        });
        future::join_all(logs).await
    }

    /// Where a broker is reached from outside the engine, if this process started it.
    pub(in crate::hosts) async fn broker_address(&self, id: i32) -> Option<String> {
        let known = self.kafka.lock().await;
        known.as_ref()?.outside_of(id).map(str::to_owned)
    }

    fn brokers(&self, plan: &KafkaContainers) -> Vec<(String, String)> {
        plan.names().map(|role| (role.clone(), self.container(&role))).collect()
    }

    /// Removes everything of this run, and returns what could not be removed, with the cause.
    pub async fn remove(&self) -> Vec<(String, String)> {
        // In an engine that cannot be reached nothing was made, or nothing can be done.
        let Ok(engine) = self.engine().await else { return Vec::new() };
        let mut left = Vec::new();
        // What was being made when the run was stopped may come to be after the first look.
        for _ in 0..REMOVE_ROUNDS {
            left = match leftovers::find(engine, Some(&self.run_id)).await {
                Ok(found) if found.is_empty() => return Vec::new(),
                Ok(found) => leftovers::remove(engine, &found).await,
                Err(cause) => {
                    vec![(format!("containers of run {}", self.run_id), cause.to_string())]
                }
            };
        }
        left
    }
}

/// The containers that a case's agents run in, by their names.
fn container_hosts<'a>(plan: &'a CasePlan) -> BTreeMap<&'a str, &'a ContainerPlan> {
    let of = |agent: &'a AgentPlan| Some((&*agent.host_name, agent.host.as_container()?));
    plan.agents.iter().filter_map(of).collect()
}

fn needs_network(plan: &CasePlan, hosts: &BTreeMap<&str, &ContainerPlan>) -> bool {
    plan.kafka.containers().is_some() || hosts.values().any(|host| host.network.is_none())
}

fn containers(count: usize) -> String {
    if count == 1 { "a container".to_owned() } else { format!("{count} containers") }
}

fn all(results: Vec<Result<(), Problem>>) -> Result<(), Vec<Problem>> {
    let problems: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
