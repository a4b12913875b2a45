//! What runs have in an engine, whose runs are dead, and how that is removed.
//!
//! A run is dead when the process that owns it has ended and no agent works in its containers any more:
//! agents go on alone for their lease, and until then the run may be resumed. Of a process of another
//! machine, or of an earlier boot, nothing is known; such a run is dead when it has containers, none of
//! them runs, and none is new.

use super::{
    Engine, Problem,
    engine::said,
    hosts,
    labels::{self, Owner, ROLE, RUN},
};
use bollard::{
    models::ContainerSummaryStateEnum,
    query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder},
};
use mallard_protocol::agent_command::{DAEMON, SPOOL};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How old the newest container of somebody else's run must be for the run to be dead: longer than it
/// takes from making a container to starting it.
const OLD_S: i64 = 3_600;

/// How roles of containers begin that agents run in.
const AGENTS: &str = "container-";

/// What a leftover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// A container, running or not.
    Container,
    /// A network, which goes after the containers in it.
    Network,
}

/// Something of a run in an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The run's id.
    pub run_id: String,
    /// What it is.
    pub sort: Sort,
    /// Its name in the engine.
    pub name: String,
    /// What the run made it for: `container-1`, `broker-2`, `network`.
    pub role: String,
    /// Whether its run is dead, so that it may be removed.
    pub is_dead: bool,
    /// Whether measurements of a dead run are in it that nobody has collected.
    pub has_measurements: bool,
}

/// Finds what runs have in an engine: of one run, or of all.
///
/// # Errors
/// The engine does not answer.
pub async fn find(engine: &Engine, run_id: Option<&str>) -> Result<Vec<Leftover>, Problem> {
    let label = run_id.map_or_else(|| RUN.to_owned(), |run_id| format!("{RUN}={run_id}"));
    let filters = HashMap::from([("label", vec![label])]);
    let failed = |cause: bollard::errors::Error| {
        let remedy = "see whether the engine runs";
        Problem::new("the engine", "listing what runs have in it", &said(&cause), remedy)
    };
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers = engine.api.list_containers(Some(options)).await.map_err(failed)?;
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let networks = engine.api.list_networks(Some(options)).await.map_err(failed)?;
    let mut found = Vec::new();
    let mut runs: BTreeMap<String, Signs> = BTreeMap::new();
    for container in containers {
        let labels = container.labels.unwrap_or_default();
        let name = container.names.and_then(|names| names.into_iter().next()).unwrap_or_default();
        let Some(leftover) = leftover(&labels, Sort::Container, name.trim_start_matches('/'))
        else {
            continue;
        };
        let running = container.state == Some(ContainerSummaryStateEnum::RUNNING);
        let signs = runs.entry(leftover.run_id.clone()).or_default();
        signs.note(&labels);
        signs.newest_s = signs.newest_s.max(container.created);
        signs.running.extend(running.then(|| leftover.name.clone()));
        found.push(leftover);
    }
    for network in networks {
        let labels = network.labels.unwrap_or_default();
        let name = network.name.unwrap_or_default();
        let Some(leftover) = leftover(&labels, Sort::Network, &name) else { continue };
        runs.entry(leftover.run_id.clone()).or_default().note(&labels);
        found.push(leftover);
    }
    let mut dead = BTreeSet::new();
    for (run_id, signs) in &runs {
        if signs.is_dead(engine, run_id).await {
            dead.insert(run_id.clone());
        }
    }
    for leftover in &mut found {
        leftover.is_dead = dead.contains(&leftover.run_id);
        leftover.has_measurements = leftover.is_dead && has_measurements(engine, leftover).await;
    }
    found.sort_by(|a, b| (a.sort, &a.name).cmp(&(b.sort, &b.name)));
    Ok(found)
}

/// Removes these, containers before networks, and returns what could not be removed, with the cause.
pub async fn remove(engine: &Engine, leftovers: &[Leftover]) -> Vec<(String, String)> {
    let (containers, networks): (Vec<_>, Vec<_>) =
        leftovers.iter().partition(|leftover| leftover.sort == Sort::Container);
    let containers = containers.into_iter().map(async |leftover| {
        let removed = hosts::remove(engine, &leftover.name).await;
        removed.err().map(|cause| (format!("container {}", leftover.name), said(&cause)))
    });
    let mut left = futures_util::future::join_all(containers).await;
    for leftover in networks {
        let removed = engine.api.remove_network(&leftover.name).await;
        let failed = removed.err().filter(|cause| !super::engine::is_missing(cause));
        left.push(failed.map(|cause| (format!("network {}", leftover.name), said(&cause))));
    }
    left.into_iter().flatten().collect()
}

/// Removes what dead runs left, and returns how many things of which runs went. What cannot be removed
/// stays for the next time: it is no reason not to run. Runs whose measurements can still be collected stay.
pub(super) async fn sweep(engine: &Engine) -> (usize, String) {
    let mut found = find(engine, None).await.unwrap_or_default();
    let measured = found.iter().filter(|leftover| leftover.has_measurements);
    let measured: BTreeSet<_> = measured.map(|leftover| leftover.run_id.clone()).collect();
    found.retain(|leftover| leftover.is_dead && !measured.contains(&leftover.run_id));
    let left = remove(engine, &found).await;
    let runs: BTreeSet<_> = found.iter().map(|leftover| &*leftover.run_id).collect();
    let runs: Vec<_> = runs.into_iter().collect();
    (found.len().saturating_sub(left.len()), runs.join(", "))
}

fn leftover(labels: &HashMap<String, String>, sort: Sort, name: &str) -> Option<Leftover> {
    Some(Leftover {
        run_id: labels.get(RUN)?.clone(),
        sort,
        name: name.to_owned(),
        role: labels.get(ROLE).cloned().unwrap_or_default(),
        is_dead: false,
        has_measurements: false,
    })
}

/// Whether an agent's spool in a container holds something.
async fn has_measurements(engine: &Engine, leftover: &Leftover) -> bool {
    if leftover.sort != Sort::Container || !leftover.role.starts_with(AGENTS) {
        return false;
    }
    let Some(archive) = hosts::download(engine, &leftover.name, hosts::RUNS).await else {
        return false;
    };
    let mut archive = tar::Archive::new(archive.as_slice());
    let Ok(mut entries) = archive.entries() else { return false };
    entries.any(|entry| {
        entry.is_ok_and(|entry| {
            let in_spool = entry.path().is_ok_and(|path| path.iter().any(|part| part == SPOOL));
            in_spool && entry.size() > 0
        })
    })
}

/// By what it is known whether a run lives.
#[derive(Debug, Default)]
struct Signs {
    owners: Vec<Owner>,
    /// Its containers that run.
    running: Vec<String>,
    /// When the newest of its containers was made, in seconds since 1970.
    newest_s: Option<i64>,
}

impl Signs {
    fn note(&mut self, labels: &HashMap<String, String>) {
        self.owners.push(labels::owner(labels));
    }

    async fn is_dead(&self, engine: &Engine, run_id: &str) -> bool {
        if self.owners.contains(&Owner::Alive) || has_agents_here(run_id) {
            return false;
        }
        if self.owners.contains(&Owner::Elsewhere) {
            let now_s = jiff::Timestamp::now().as_second();
            let is_old = self.newest_s.is_some_and(|newest_s| now_s - newest_s > OLD_S);
            return self.running.is_empty() && is_old;
        }
        for container in &self.running {
            if has_agents(engine, container, run_id).await {
                return false;
            }
        }
        true
    }
}

/// Whether an agent of a run works in a container. One that cannot be asked is taken for living.
async fn has_agents(engine: &Engine, container: &str, run_id: &str) -> bool {
    match engine.api.top_processes(container, None).await {
        Ok(top) => top.processes.unwrap_or_default().iter().any(|process| {
            let is_agent = |field: &String| field.contains(DAEMON) && field.contains(run_id);
            process.iter().any(is_agent)
        }),
        Err(_) => hosts::runs(engine, container).await,
    }
}

/// Whether an agent of a run works on this machine, outside its containers: those of a Kafka in
/// containers are still in use then.
fn has_agents_here(run_id: &str) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains(DAEMON) && line.split('\0').any(|word| word == run_id)
    })
}
