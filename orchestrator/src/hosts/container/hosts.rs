//! Containers that agents run in.

use super::{
    Problem,
    engine::{Engine, is_missing, said},
    exec, exit_cause, labels,
};
use crate::{
    config::regular,
    hosts::deploy,
    scenario::cluster::{ContainerPlan, Limits},
};
use bollard::{
    models::{
        ContainerCreateBody, EndpointSettings, HostConfig, NetworkConnectRequest, NetworkingConfig,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder,
        RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder,
        WaitContainerOptionsBuilder,
    },
};
use bytes::Bytes;
use futures_util::StreamExt;
use mallard_protocol::{BUILD_ID, agent_command};
use std::{collections::HashMap, io, path::Path, time::Duration};

/// The agent's program in every container.
pub(super) const AGENT: &str = "/mallard/mallard-agent";

/// Where agents have their folders: each makes its own, which nobody else may enter.
pub(super) const RUNS: &str = "/mallard/runs";

/// The network of the machine that the engine runs on.
pub(super) const HOST_NETWORK: &str = "host";

/// How often it is looked whether a container has ended unseen.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The exit code of a program that is not there, or whose loader is not.
const NOT_FOUND: i64 = 127;

/// A command of the agent's program in a container.
pub(super) fn agent(arguments: Vec<String>) -> Vec<String> {
    let mut command = vec![AGENT.to_owned()];
    command.extend(arguments);
    command
}

/// What a container's name and labels are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'a> {
    pub(super) run_id: &'a str,
    /// Its name in the engine.
    pub(super) container: &'a str,
    /// Its name in the run, and on the run's network: `container-1`.
    pub(super) role: &'a str,
}

/// The networks of a run's containers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Networks<'a> {
    /// The one that the run made.
    pub(super) own: Option<&'a str>,
    /// Whether Kafka is there, so that everybody has to be.
    pub(super) kafka: bool,
}

/// Makes and starts a container, with the agent's program inside, and proves that the program runs.
///
/// # Errors
/// What keeps it from running.
pub(super) async fn start(
    engine: &Engine,
    identity: Identity<'_>,
    plan: &ContainerPlan,
    networks: Networks<'_>,
    program: Bytes,
) -> Result<(), Problem> {
    let Identity { container, role, .. } = identity;
    let what = format!("{role} ({})", plan.image);
    let failed = |phase: &'static str| {
        let what = what.clone();
        move |cause: bollard::errors::Error| {
            let said = said(&cause);
            let remedy = remedy_of_start(&said);
            Problem::new(what, phase, &said, remedy)
        }
    };
    let named = plan.network.as_deref();
    let mut body = ContainerCreateBody {
        image: Some(plan.image.clone()),
        hostname: Some(role.to_owned()).filter(|_| named != Some(HOST_NETWORK)),
        entrypoint: Some(vec![AGENT.to_owned()]),
        cmd: Some(vec![agent_command::HOLD.to_owned()]),
        env: Some(plan.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        labels: Some(labels::of(identity.run_id, role)),
        host_config: Some(HostConfig {
            binds: Some(plan.volumes.clone()),
            network_mode: named.or(networks.own).map(str::to_owned),
            ..limited(plan.limits)
        }),
        ..ContainerCreateBody::default()
    };
    if let (None, Some(own)) = (named, networks.own) {
        body.networking_config = Some(on(own, role));
    }
    create(engine, container, body).await.map_err(failed("making it"))?;
    if let (Some(own), Some(named)) = (networks.own.filter(|_| networks.kafka), named)
        && named != HOST_NETWORK
    {
        let request = NetworkConnectRequest {
            container: container.to_owned(),
            endpoint_config: Some(endpoint(role)),
        };
        let joined = engine.api.connect_network(own, request).await;
        joined.map_err(failed("connecting it with Kafka's network"))?;
    }
    let options = UploadToContainerOptionsBuilder::new().path("/").build();
    let body = bollard::body_full(program);
    let uploaded = engine.api.upload_to_container(container, Some(options), body).await;
    uploaded.map_err(failed("copying the agent into it"))?;
    engine.api.start_container(container, None).await.map_err(failed("starting it"))?;
    prove(engine, container, &what).await
}

/// Runs the agent's program once in its container.
async fn prove(engine: &Engine, container: &str, what: &str) -> Result<(), Problem> {
    let problem = |cause: String| {
        let remedy = exit_cause::remedy(&cause);
        Problem::new(what, "running the agent in it", &cause, remedy)
    };
    let command = agent(vec![agent_command::VERSION.to_owned()]);
    match exec::run(engine, container, command).await {
        Ok(exec::Ended { code: Some(0), .. }) => Ok(()),
        Ok(ended) => Err(problem(match exit_cause::of(engine, container).await {
            Some(found) => found,
            None => format!("`{AGENT} version` of build {BUILD_ID} failed: {}", cause_of(&ended)),
        })),
        Err(cause) => {
            let found = exit_cause::of(engine, container).await;
            Err(problem(found.unwrap_or_else(|| said(&cause))))
        }
    }
}

/// What a program said at its end. What the engine itself says of one that it could not start is lost now and
/// then; the exit code is not.
fn cause_of(ended: &exec::Ended) -> String {
    match ended.code {
        _ if !ended.stderr.is_empty() => ended.stderr.clone(),
        Some(NOT_FOUND) => format!("no such file or directory (exit code {NOT_FOUND})"),
        Some(code) => format!("exit code {code}"),
        None => "it was ended from outside".to_owned(),
    }
}

fn remedy_of_start(said: &str) -> String {
    if said.contains("network") && said.contains("not found") {
        return "make the network (`docker network create NAME`), or leave `network` out for one of the \
                run's own"
            .to_owned();
    }
    if said.contains("invalid mount") || said.contains("bind source path") {
        return "make the folder on the engine's machine, or fix `volumes`".to_owned();
    }
    if said.contains("CPUs") || said.contains("memory limit") {
        return "change `cpus` or `memory` of the cluster file".to_owned();
    }
    exit_cause::remedy(said)
}

/// Makes a container; one of the same name, of an earlier case of this run, has died and is removed.
pub(super) async fn create(
    engine: &Engine,
    container: &str,
    body: ContainerCreateBody,
) -> Result<(), bollard::errors::Error> {
    remove(engine, container).await?;
    let options = CreateContainerOptionsBuilder::new().name(container).build();
    engine.api.create_container(Some(options), body).await.map(drop)
}

/// Removes a container with all that is in it. One that is not there is no error.
pub(super) async fn remove(engine: &Engine, container: &str) -> Result<(), bollard::errors::Error> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match engine.api.remove_container(container, Some(options)).await {
        Err(error) if !is_missing(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether a container runs.
pub(super) async fn runs(engine: &Engine, container: &str) -> bool {
    let found = engine.api.inspect_container(container, None).await;
    found.ok().and_then(|found| found.state).and_then(|state| state.running) == Some(true)
}

/// Waits until a container neither runs nor is paused.
///
/// The engine is asked for its next end, not for whether it runs: to tell that, Podman looks again and again
/// without a pause, and takes a core for it. An end before the question is seen by looking now and then.
pub(super) async fn ends(engine: &Engine, container: &str) {
    let options = WaitContainerOptionsBuilder::new().condition("next-exit").build();
    let mut exit = std::pin::pin!(engine.api.wait_container(container, Some(options)));
    let mut has_ended = false;
    loop {
        tokio::select! {
            // Also an exit code other than 0 comes as an error.
            _ = exit.next(), if !has_ended => has_ended = true,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match engine.api.inspect_container(container, None).await {
            Ok(found) => {
                let state = found.state.unwrap_or_default();
                if state.running != Some(true) && state.paused != Some(true) {
                    return;
                }
            }
            Err(error) if is_missing(&error) => return,
            // An engine that does not answer says nothing of its containers.
            Err(_) => {}
        }
    }
}

pub(super) fn limited(limits: Limits) -> HostConfig {
    let memory = limits.memory_bytes.and_then(|bytes| i64::try_from(bytes).ok());
    HostConfig {
        nano_cpus: limits.nano_cpus.and_then(|nano| i64::try_from(nano).ok()),
        memory,
        // No swap beside it: what does not fit is to be noticed, not to be slow.
        memory_swap: memory,
        ..HostConfig::default()
    }
}

/// On a network, under a name.
pub(super) fn on(network: &str, name: &str) -> NetworkingConfig {
    let endpoints = HashMap::from([(network.to_owned(), endpoint(name))]);
    NetworkingConfig { endpoints_config: Some(endpoints) }
}

fn endpoint(name: &str) -> EndpointSettings {
    EndpointSettings { aliases: Some(vec![name.to_owned()]), ..EndpointSettings::default() }
}

/// An archive of the agent's program and of the place for folders, as it is unpacked in a container.
///
/// # Errors
/// The program cannot be read.
pub(super) fn pack(program: &Path) -> io::Result<Bytes> {
    let program = regular::read(program, deploy::PROGRAM_LIMIT_BYTES).map_err(io::Error::other)?;
    let mut archive = tar::Builder::new(Vec::with_capacity(program.len() + 4_096));
    for (path, mode) in [("mallard/", 0o755), ("mallard/runs/", 0o1777)] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(mode);
        header.set_size(0);
        archive.append_data(&mut header, path, io::empty())?;
    }
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(program.len() as u64);
    archive.append_data(&mut header, "mallard/mallard-agent", program.as_slice())?;
    archive.into_inner().map(Bytes::from)
}

/// An archive of one path of a container, running or not.
pub(super) async fn download(engine: &Engine, container: &str, path: &str) -> Option<Vec<u8>> {
    let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
    let mut pieces = std::pin::pin!(engine.api.download_from_container(container, Some(options)));
    let mut archive = Vec::new();
    while let Some(piece) = pieces.next().await {
        archive.extend_from_slice(&piece.ok()?);
    }
    Some(archive)
}
