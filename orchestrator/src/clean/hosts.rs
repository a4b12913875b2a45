//! Folders of agents on hosts over ssh.

use super::{Leftover, Place, Sort, runs::Runs};
use crate::hosts::{Hosts, Problem};
use mallard_protocol::preflight::Question;
use std::time::Duration;

/// How long a host may take to say what is on it.
const ANSWER: Duration = Duration::from_secs(10);

/// Finds what runs have on hosts that are ready, and tells which of them live by it. Hosts that do not answer
/// come back as problems, and a run that may have an agent there is no longer taken for dead.
pub async fn find(hosts: &Hosts, runs: &mut Runs) -> (Vec<Leftover>, Vec<Problem>) {
    let question = serde_json::to_vec(&Question::default()).unwrap_or_default();
    let unfinished = runs.unfinished();
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (host, answer) in hosts.inspect(&question, ANSWER).await {
        let facts = match answer {
            Ok(facts) => facts,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        runs.looked_at(&host);
        for left in facts.leftovers {
            if left.alive {
                runs.lives(&left.run_id, &format!("an agent works on {host}"));
            }
            // What a living run has there is on its way.
            let bytes = if left.alive { 0 } else { left.spool_bytes };
            let can_resume = unfinished.contains(&left.run_id);
            found.push(Leftover {
                note: super::note_of_spool(bytes, &left.run_id, can_resume),
                has_measurements: bytes > 0,
                run_id: left.run_id,
                place: Place::Hosts,
                sort: Sort::Folder,
                name: host.clone(),
            });
        }
    }
    (found, problems)
}

/// Removes folders, and returns what could not be removed, with the cause.
pub async fn remove(hosts: &Hosts, leftovers: &[Leftover]) -> Vec<(String, String)> {
    let mut left = Vec::new();
    for leftover in leftovers {
        if let Err(problem) = hosts.sweep(&leftover.name, &leftover.run_id).await {
            let what = format!("the folder of {} on {}", leftover.run_id, leftover.name);
            left.push((what, problem.to_string()));
        }
    }
    left
}
