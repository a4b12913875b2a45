//! What `run` and `resume` do before the first case: hosts are made ready and looked at.

use crate::{
    archive::model::Reason,
    events::RunEvent,
    hosts::{Phase, Problem},
    plan::CasePlan,
    preflight::{self, Weight},
    run::driver::Surroundings,
};
use mallard_protocol::preflight::Question;
use std::pin::pin;
use tokio::sync::mpsc;

/// Reason of a run that ended before its first case.
pub(super) const HOST_UNUSABLE: &str = "host_unusable";

/// Makes all hosts ready, unless somebody asks for an end. Returns why the run cannot begin.
pub(super) async fn make_ready(case: &CasePlan, around: &mut Surroundings<'_>) -> Vec<Reason> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut stops = around.stops.clone();
    let outcome = {
        let mut preparing = pin!(around.hosts.prepare(&case.deadlines, &tell));
        loop {
            tokio::select! {
                outcome = &mut preparing => break outcome,
                Some(event) = told.recv() => {
                    // An archive that cannot be written to is told by the first case.
                    let _ = around.audience.tell(around.run, event);
                }
                Ok(()) = stops.changed() => break Ok(()),
            }
        }
    };
    while let Ok(event) = told.try_recv() {
        let _ = around.audience.tell(around.run, event);
    }
    let stopped = around.stops.borrow().times > 0;
    let problems = match outcome {
        Ok(()) if stopped || around.hosts.are_local() => Vec::new(),
        Ok(()) => look_at_hosts(case, around).await,
        Err(problems) => problems,
    };
    let reason = |problem: Problem| Reason {
        code: HOST_UNUSABLE.to_owned(),
        text: problem.to_string(),
        remedy: problem.remedy,
    };
    problems.into_iter().map(reason).collect()
}

/// Looks at hosts as `mallard check` does, but for brokers: that every agent reaches them is a step of
/// each case. Doubts are told; what would spoil the result is returned.
async fn look_at_hosts(case: &CasePlan, around: &mut Surroundings<'_>) -> Vec<Problem> {
    let question = serde_json::to_vec(&Question::default()).unwrap_or_default();
    let answers = around.hosts.inspect(&question, case.deadlines.connect).await;
    let facts = answers.iter().filter_map(|(name, answer)| Some((&**name, answer.as_ref().ok()?)));
    let findings = preflight::findings(facts);
    let mut problems: Vec<Problem> =
        answers.values().filter_map(|answer| answer.as_ref().err().cloned()).collect();
    for found in findings {
        let event = match found.weight {
            Weight::Doubtful => RunEvent::Note {
                level: "warning".to_owned(),
                source: found.host,
                text: format!("{}: {}", found.text, found.remedy),
            },
            Weight::Spoils => {
                let problem = Problem::new(&found.host, Phase::Inspect, found.text, found.remedy);
                problems.push(problem.clone());
                problem.into()
            }
        };
        // An archive that cannot be written to is told by the first case.
        let _ = around.audience.tell(around.run, event);
    }
    problems
}
