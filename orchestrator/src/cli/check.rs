//! `mallard check`: whether the hosts of a cluster file are fit for a run. What it puts on them is the
//! agent's program, which a run needs anyway. In a container engine it makes nothing.

use super::{Outcome, args::CheckArgs, files::refused};
use crate::{
    hosts::{
        Hosts,
        container::{self, Engine, look_at_image},
        deploy::Programs,
    },
    model::exit_code,
    preflight::{
        self, Weight,
        table::{self, Answers},
    },
    scenario::cluster::{Cluster, Deadlines, KafkaPlan},
    text::{error_chain::error_text, table::Table},
};
use mallard_protocol::preflight::Question;
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};
use tokio::time::timeout;

/// What an answer takes beside looking for brokers.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// Checks all hosts at once and prints what they are, and what is wrong with them.
pub(super) fn check(args: &CheckArgs) -> Outcome {
    let cluster = match super::files::cluster(args.cluster.as_deref()) {
        Ok(cluster) => cluster,
        Err(mistakes) => return refused(&mistakes),
    };
    let programs = match Programs::find(&args.agent) {
        Ok(programs) => Arc::new(programs),
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let looked = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let (answers, engine) =
                tokio::join!(ask(&cluster, &programs), look_at_engine(&cluster, &programs));
            answers.map(|answers| (answers, engine))
        })
    });
    let (answers, engine) = match looked {
        Ok(looked) => looked,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let agents = agents_by_host(&cluster);
    let facts = answers.iter().filter_map(|(name, answer)| {
        Some((&**name, answer.as_ref().ok()?, agents.get(&**name).copied().unwrap_or(1)))
    });
    let findings = preflight::findings(facts);
    let spoilt = findings.iter().any(|found| found.weight == Weight::Spoils);
    let mut fit = answers.values().all(Result::is_ok) && !spoilt;
    let mut stdout = match answers.is_empty() {
        true => String::new(),
        false => table::text(&answers, &findings),
    };
    if let Some(images) = engine {
        fit &= images.iter().all(|image| image.state.is_ok());
        if !stdout.is_empty() {
            stdout.push('\n');
        }
        stdout.push_str(&engine_text(&images));
    }
    if cluster.hosts.iter().any(|host| host.kind.is_of_run()) {
        stdout.push_str("containers are created by each run and are not checked beforehand\n");
    }
    let code = if fit { exit_code::PASS } else { exit_code::ERROR };
    Outcome { code, stdout, ..Outcome::default() }
}

/// Makes all hosts ready, and asks those that are.
async fn ask(cluster: &Cluster, programs: &Arc<Programs>) -> io::Result<Answers> {
    let named = cluster.hosts.iter().map(|host| (name_of(host.name.as_deref()), &host.kind));
    let hosts = Hosts::without_run(named, programs)?;
    let (fit, problems) = hosts.fit(&cluster.deadlines).await;
    let within = cluster.deadlines.topics;
    let question = serde_json::to_vec(&question(&cluster.kafka, &cluster.deadlines))?;
    let mut answers = fit.inspect(&question, within + ANSWER).await;
    hosts.close().await;
    answers.extend(problems.into_iter().map(|problem| (problem.host.clone(), Err(problem))));
    Ok(answers)
}

/// What hosts are asked: all there is to know of them, and whether they reach the brokers.
pub(super) fn question(kafka: &KafkaPlan, deadlines: &Deadlines) -> Question {
    let connection = kafka.client_properties().to_vec();
    let within_ms = u64::try_from(deadlines.topics.as_millis()).unwrap_or(u64::MAX);
    Question { connection, within_ms }
}

/// How many agents each host is to have.
fn agents_by_host(cluster: &Cluster) -> BTreeMap<&str, u64> {
    let mut agents = BTreeMap::new();
    for host in cluster.hosts.iter().filter(|host| !host.kind.is_of_run()) {
        *agents.entry(name_of(host.name.as_deref())).or_insert(0) += u64::from(host.agents);
    }
    agents
}

fn name_of(name: Option<&str>) -> &str {
    name.unwrap_or("local")
}

/// An image in the engine, or the engine itself where that cannot be asked.
struct Image {
    engine: String,
    name: String,
    /// Whether it is there already, and what is wrong with it.
    state: Result<bool, container::Problem>,
}

/// Looks at the images of a cluster file; `None` if it needs no engine.
async fn look_at_engine(cluster: &Cluster, programs: &Programs) -> Option<Vec<Image>> {
    let mut images: BTreeMap<&str, bool> = BTreeMap::new();
    if let Some(kafka) = cluster.kafka.containers() {
        images.insert(&kafka.image, false);
    }
    for host in &cluster.hosts {
        if let Some(plan) = host.kind.as_container() {
            images.insert(&plan.image, true);
        }
    }
    if images.is_empty() {
        return None;
    }
    let within = cluster.deadlines.connect + ANSWER;
    let of_engine = |problem: container::Problem| {
        let nobody = "not reached".to_owned();
        vec![Image { engine: nobody, name: String::new(), state: Err(problem) }]
    };
    let engine = match timeout(within, Engine::connect()).await {
        Ok(Ok(engine)) => engine,
        Ok(Err(problem)) => return Some(of_engine(problem)),
        Err(_) => return Some(of_engine(container::Problem::late(within))),
    };
    let mut seen = Vec::new();
    for (name, for_agents) in images {
        let agent = for_agents.then(|| programs.own());
        let looked = timeout(within, look_at_image(&engine, name, agent)).await;
        let state = looked.unwrap_or_else(|_| Err(container::Problem::late(within)));
        seen.push(Image { engine: engine.address.clone(), name: name.to_owned(), state });
    }
    Some(seen)
}

fn engine_text(images: &[Image]) -> String {
    let mut table = Table::new(&["engine", "image", "there"]);
    let mut problems = String::new();
    for Image { engine, name, state } in images {
        let there = match state {
            Ok(true) => "yes",
            Ok(false) => "no: it is pulled by the first run",
            Err(_) => "no",
        };
        table.row([engine.as_str(), name.as_str(), there]);
        if let Err(container::Problem { what, phase, cause, remedy }) = state {
            problems += &format!("error: {what}, {phase}: {cause}\n  = help: {remedy}\n");
        }
    }
    let gap = if problems.is_empty() { "" } else { "\n" };
    format!("{}{gap}{problems}", table.text())
}
