//! What went wrong around the measurement, as reasons with remedies.

use super::{
    Doubt, Kind, RunError,
    checks::{Case, us},
};
use crate::{
    model::result::Verdict, plan::handover::Handover, scenario::cluster::OnAgentLoss,
    text::units::count,
};
use mallard_protocol::message::FailureKind;

/// What went wrong outside the measurement.
pub(super) fn run_errors(case: &Case) -> Vec<Doubt> {
    let mut doubts: Vec<_> = case.facts.run_errors.iter().map(run_error).collect();
    for (agent, name) in case.facts.agents.iter().zip(&case.measured.roster.agents) {
        let Some(cause) = &agent.lost else { continue };
        let lost_at = case.measured.agents.iter().zip(&case.measured.roster.agents);
        let lost_at = lost_at.filter(|(_, other)| *other == name);
        let at = lost_at.filter_map(|(agent, _)| agent.lost_at_us).next();
        let at = at.map_or_else(String::new, |at| format!(" at {} of the load", us(at)));
        let text = format!("{name} was lost{at}: {cause}");
        doubts.push(match case.plan.on_agent_loss {
            OnAgentLoss::Abort => Doubt::reason(Kind::AgentLost, Verdict::Error, text),
            OnAgentLoss::Continue | OnAgentLoss::Respread => {
                let after = match &agent.handover {
                    Some(handover) => share_moved(case, handover),
                    None => "the others went on, and what follows is theirs".to_owned(),
                };
                Doubt::warning(Kind::Degraded, format!("{text}; {after}"))
            }
        });
    }
    if let Some(by) = &case.facts.interrupted_by {
        let text = format!("interrupted by {by} before its planned end");
        doubts.push(Doubt::reason(Kind::Interrupted, Verdict::Interrupted, text));
    }
    doubts
}

/// What became of a lost agent's share of the load.
pub(super) fn share_moved(case: &Case, handover: &Handover) -> String {
    let (from, successors) = (us(handover.from_us), handover.successors(case.plan).join(", "));
    let reported_us = case.measured.agents.get(handover.lost).map_or(0, |agent| agent.progress_us);
    let records = handover.records_between(case.plan, reported_us);
    let without = handover.without_successors(case.plan).join(", ");
    let nobodys = match without.as_str() {
        "" => String::new(),
        _ => format!("no instance was left to send its part of {without}; "),
    };
    let moved = match successors.as_str() {
        "" => String::new(),
        _ => format!("from {from} on, {successors} sent its records; "),
    };
    let (records, reported) = (count(records), us(reported_us));
    format!(
        "{nobodys}{moved}{records} records that it was due to send between its last report at {reported} \
         and {from} are missing from the accounts: they were not sent, or not reported"
    )
}

pub(super) fn run_error(error: &RunError) -> Doubt {
    let fails = |kind, text: String| Doubt::reason(kind, Verdict::Error, text);
    match error {
        RunError::BrokerUnreachable { text } => fails(Kind::BrokerUnreachable, text.clone()),
        RunError::TopicConfiguration { text } => {
            Doubt::reason(Kind::TopicConfigurationRefused, Verdict::Invalid, text.clone())
        }
        RunError::Topic { text } => fails(Kind::TopicFailed, text.clone()),
        RunError::Agent { agent, failure } => {
            let kind = match failure.kind {
                FailureKind::Registry => Kind::SchemaRegistryFailed,
                _ => Kind::AgentFailed,
            };
            fails(kind, format!("{agent}: {}", failure.text))
        }
        RunError::Deadline { step, progress, within_us } => {
            let text = format!("{step} took longer than {}: {progress}", us(*within_us));
            fails(Kind::DeadlineMissed, text)
        }
        RunError::Abandoned { until_us, planned_us, lease_us } => {
            let text = format!(
                "no controller was connected for {}, so the agents ended their load at {} of {}",
                us(*lease_us),
                us(*until_us),
                us(*planned_us)
            );
            fails(Kind::Abandoned, text)
        }
        RunError::Harness { text } => fails(Kind::HarnessFailed, text.clone()),
    }
}
