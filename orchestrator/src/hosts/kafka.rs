//! Brokers as a guard finds them: which process or container each one is, and where it is reached from there.

use super::container::RunContainers;
use crate::{
    scenario::cluster::{KafkaPlan, kafka::BrokerPlace},
    text::untrusted,
};
use mallard_protocol::{
    agent_command,
    fault::{End, GuardReport, Victim},
};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// How long undoing what guards have left may take: brokers may have to start.
const SWEEPING: Duration = Duration::from_secs(120);

/// A broker that can be harmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub victim: Victim,
    /// Where it serves clients, as the guard's host reaches it.
    pub address: Option<String>,
}

/// Finds a broker. `address` is what it advertises to agents.
///
/// # Errors
/// It is not known, or the engine that it runs in cannot be reached.
pub async fn find(
    kafka: &KafkaPlan,
    id: i32,
    address: Option<String>,
    containers: &RunContainers,
) -> Result<Found, String> {
    match kafka.broker(id) {
        Some(BrokerPlace::Process(process)) => {
            let victim = Victim::Process {
                pid_file: process.pid_file.clone(),
                start: process.start.clone(),
            };
            Ok(Found { victim, address })
        }
        Some(BrokerPlace::Container(name)) => {
            let engine = containers.engine().await.map_err(|problem| problem.to_string())?;
            let victim = Victim::Container {
                engine: engine.address.clone(),
                name: containers.container(&name),
            };
            // What agents in containers know means nothing here.
            Ok(Found { victim, address: containers.broker_address(id).await })
        }
        None => Err(format!("the cluster file does not say where broker {id} runs")),
    }
}

/// Brokers at the ends of a wire, each with what it advertises. One that is not known is known by that alone.
pub async fn ends(
    kafka: &KafkaPlan,
    brokers: Vec<(i32, Option<String>)>,
    containers: &RunContainers,
) -> Vec<End> {
    let mut ends = Vec::new();
    for (broker, address) in brokers {
        let found = find(kafka, broker, address.clone(), containers).await.ok();
        ends.push(match found {
            Some(Found { victim, address }) => End { broker, victim: Some(victim), address },
            None => End { broker, victim: None, address },
        });
    }
    ends
}

/// Undoes faults on this machine whose guards and twins were killed, and says what became of each; nothing where
/// none is left, as ever so often.
pub async fn undo_what_is_left(program: &Path) -> Vec<Swept> {
    let mut command = Command::new(program);
    command.args(agent_command::sweep::<String>(None)).stdin(Stdio::null()).kill_on_drop(true);
    // One that does not start says so where agents are started.
    let Ok(Ok(output)) = timeout(SWEEPING, command.output()).await else { return Vec::new() };
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let reports = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
    reports.filter_map(swept).collect()
}

/// What became of a fault that nobody held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Whether it is undone.
    pub is_undone: bool,
    /// What proves it; or why it is not, and what undoes it by hand.
    pub text: String,
}

fn swept(report: GuardReport) -> Option<Swept> {
    match report {
        GuardReport::Undone { proof, .. } => {
            let text =
                format!("a fault that a dead run had left was undone: {}", untrusted::line(&proof));
            Some(Swept { is_undone: true, text })
        }
        GuardReport::NotUndone { cause, by_hand } => {
            let (cause, by_hand) = (untrusted::line(&cause), untrusted::line(&by_hand));
            let text = format!(
                "a fault that a dead run has left is not undone yet: {cause}; by hand: {by_hand}"
            );
            Some(Swept { is_undone: false, text })
        }
        _ => None,
    }
}
