//! What `run` and `resume` do before the first case: hosts are made ready and looked at.

use super::{
    check,
    progress::{self, Progress},
};
use crate::{
    hosts::{Phase, Problem},
    model::{
        events::{Level, RunEvent},
        kind::Kind,
        result::Reason,
    },
    plan::CasePlan,
    preflight::{
        self, Weight,
        capacity::{self, Demand},
    },
    run::driver::Surroundings,
};
use mallard_protocol::preflight::Facts;
use std::{fs, iter, path::Path, pin::pin};
use tokio::sync::mpsc;

/// Makes all hosts ready for a run's cases, unless somebody asks for an end. Returns why the run cannot begin.
pub(super) async fn make_ready(
    case: &CasePlan,
    later: &[CasePlan],
    around: &mut Surroundings<'_>,
) -> Vec<Reason> {
    let (tell, mut told) = mpsc::channel(1);
    let mut stops = around.stops.clone();
    let outcome = {
        let mut preparing = pin!(around.hosts.prepare(&case.deadlines, &tell));
        loop {
            tokio::select! {
                outcome = &mut preparing => break outcome,
                Some(event) = told.recv() => {
                    // An archive that cannot be written to is reported by the first case.
                    let _ = around.sinks.send(around.run, event);
                }
                Ok(()) = stops.changed() => break Ok(()),
            }
        }
    };
    while let Ok(event) = told.try_recv() {
        let _ = around.sinks.send(around.run, event);
    }
    let stopped = around.stops.borrow().times > 0;
    let problems = match outcome {
        // A load that goes on was looked after when it began, and its agents wait for somebody to come.
        Ok(()) if stopped || goes_on(around.run.path()) => Vec::new(),
        Ok(()) => look_at_hosts(case, later, around).await,
        Err(problems) => problems,
    };
    // Each step that fails has a remedy of its own.
    let reason = |problem: Problem| Reason {
        remedy: problem.remedy.clone(),
        ..Kind::HostUnusable.reason(problem.to_string())
    };
    problems.into_iter().map(reason).collect()
}

/// Whether a load was started in a run's folder and is not judged.
fn goes_on(run: &Path) -> bool {
    let cases = fs::read_dir(run.join("cases")).into_iter().flatten().flatten();
    let mut names = cases.filter_map(|case| case.file_name().into_string().ok());
    names.any(|name| matches!(progress::of(run, &name), Progress::Running(_)))
}

/// Looks at hosts as `mallard check` does, brokers within their reach included. Doubts are reported; what would
/// spoil the result is returned.
async fn look_at_hosts(
    case: &CasePlan,
    later: &[CasePlan],
    around: &mut Surroundings<'_>,
) -> Vec<Problem> {
    let question = check::question(&case.kafka, &case.deadlines);
    let question = serde_json::to_vec(&question).unwrap_or_default();
    let mut stops = around.stops.clone();
    let mut answers = tokio::select! {
        answers = around.hosts.inspect(&question, case.deadlines.topics + check::ANSWER) => answers,
        Ok(()) = stops.changed() => return Vec::new(),
    };
    for (host, answer) in &mut answers {
        if let Ok(facts) = answer {
            leave_out_known(facts, around.run.id(), is_local(case, host));
        }
    }
    let agents = |host: &str| {
        let on_host = case.agents.iter().filter(|agent| agent.host_name == host);
        u64::try_from(on_host.count()).unwrap_or(u64::MAX)
    };
    let facts = answers
        .iter()
        .filter_map(|(name, answer)| Some((&**name, answer.as_ref().ok()?, agents(name))));
    let mut findings = preflight::findings(facts);
    for (host, answer) in &answers {
        let Ok(facts) = answer else { continue };
        let demand = most(iter::once(case).chain(later), host, facts);
        findings.extend(capacity::findings(host, facts, &demand));
    }
    let mut problems: Vec<Problem> =
        answers.values().filter_map(|answer| answer.as_ref().err().cloned()).collect();
    let unheard: Vec<RunEvent> = problems.iter().cloned().map(RunEvent::from).collect();
    for event in unheard {
        // An archive that cannot be written to is reported by the first case.
        let _ = around.sinks.send(around.run, event);
    }
    for found in findings {
        let event = match found.weight {
            Weight::Doubtful => RunEvent::Note {
                level: Level::Warning,
                source: found.host,
                text: format!("{}: {}", found.text, found.remedy),
            },
            Weight::Spoils => {
                let problem = Problem::new(&found.host, Phase::Inspect, found.text, found.remedy);
                problems.push(problem.clone());
                problem.into()
            }
        };
        let _ = around.sinks.send(around.run, event);
    }
    problems
}

/// What the case with the most clients on a host asks of it.
fn most<'a>(cases: impl Iterator<Item = &'a CasePlan>, host: &str, facts: &Facts) -> Demand {
    let demand = |case: &CasePlan| {
        let on_host = case.agents.iter().filter(|agent| agent.host_name == host);
        let clients = on_host.map(|agent| (agent.producers.len() + agent.consumers.len()) as u64);
        let brokers = case.kafka.brokers().map_or(facts.brokers.len() as u64, u64::from);
        Demand { clients: clients.collect(), brokers: brokers.max(1) }
    };
    let all = |demand: &Demand| demand.clients.iter().sum::<u64>();
    cases.map(demand).max_by_key(all).unwrap_or_default()
}

fn is_local(case: &CasePlan, host: &str) -> bool {
    case.agents.iter().any(|agent| agent.host_name == host && agent.host.is_local())
}

/// Takes out of what a host reported what need not be said: the run itself, which has agents there when it was taken
/// over between two cases, and what dead runs have left on this machine, which was said before.
fn leave_out_known(facts: &mut Facts, run_id: &str, is_local: bool) {
    facts.leftovers.retain(|left| left.run_id != run_id && (left.alive || !is_local));
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::preflight::Leftover;

    #[test]
    fn a_run_is_not_warned_of_itself_nor_twice_of_others() {
        let left = |is_local| {
            let of =
                |run_id: &str, alive| Leftover { run_id: run_id.to_owned(), alive, spool_bytes: 0 };
            let leftovers = vec![of("own", true), of("dead", false), of("living", true)];
            let mut facts = Facts { leftovers, ..preflight::tests::sound() };
            leave_out_known(&mut facts, "own", is_local);
            facts.leftovers.into_iter().map(|left| left.run_id).collect::<Vec<_>>()
        };
        assert_eq!(left(false), ["dead", "living"]);
        assert_eq!(left(true), ["living"]);
    }
}
