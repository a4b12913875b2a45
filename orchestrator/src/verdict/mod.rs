//! The verdict: expectations judged, doubts weighed, one sentence with numbers.
//!
//! The rule: a case is as bad as its worst reason, in the order of [`severity`]: pass, fail, invalid,
//! interrupted, error. `invalid` outweighs `fail`, because a threshold that failed in a measurement that
//! cannot be trusted has not failed. `error` outweighs `interrupted`, because what broke stays broken
//! whether or not somebody then stopped the run. Expectations are judged whatever happened, on what was
//! measured, and shown; a metric without samples is a failed expectation. Warnings never change a
//! verdict.

pub mod across_cases;
mod checks;
mod clock;
mod doubt;
mod expectations;
mod facts;
mod result;
#[cfg(test)]
mod tests;

pub use checks::{
    BUSY_HOST_INTERVALS, CLOCK_SHARE_OF_LIMIT, LATE_INTERVALS_MIN, LATE_INTERVALS_SHARE,
    RATE_SHARE, SATURATED_LATE_SHARE, SATURATED_SHARE, SLIP_LIMIT_US, SLIP_RECORDS_MIN,
    SLIP_RECORDS_SHARE, SLIP_SHARE_OF_RESPONSE, START_SPREAD_US,
};
pub use doubt::{Doubt, Kind};
pub use facts::{AgentFacts, CaseFacts, Trouble};
pub use result::{Judgement, judge, summary, summary_of};

use crate::{
    model::result::Verdict, plan::OnAgentLoss, run::respread::Handover, text::units::count,
};
use checks::{Case, us};
use mallard_protocol::message::FailureKind;

/// How bad a verdict is: a higher number is worse.
#[must_use]
pub fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Fail => 1,
        Verdict::Invalid => 2,
        Verdict::Interrupted => 3,
        Verdict::Error => 4,
    }
}

/// The worst of verdicts; pass if there are none.
#[must_use]
pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().max_by_key(|verdict| severity(*verdict)).unwrap_or(Verdict::Pass)
}

/// What went wrong outside the measurement.
fn troubles(case: &Case) -> Vec<Doubt> {
    let mut doubts: Vec<_> = case.facts.troubles.iter().map(trouble).collect();
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
        let text = format!("somebody stopped it ({by}) before its planned end");
        doubts.push(Doubt::reason(Kind::Interrupted, Verdict::Interrupted, text));
    }
    doubts
}

/// What became of a lost agent's share of the load.
fn share_moved(case: &Case, handover: &Handover) -> String {
    let (from, heirs) = (us(handover.from_us), handover.heirs(case.plan).join(", "));
    let reported_us = case.measured.agents.get(handover.lost).map_or(0, |agent| agent.progress_us);
    let records = handover.records_between(case.plan, reported_us);
    let without = handover.without_heirs(case.plan).join(", ");
    let nobodys = match without.as_str() {
        "" => String::new(),
        _ => format!("nobody was left to send what was its part of {without}; "),
    };
    let moved = match heirs.as_str() {
        "" => String::new(),
        _ => format!("from {from} on, {heirs} sent what it had to send; "),
    };
    let (records, reported) = (count(records), us(reported_us));
    format!(
        "{nobodys}{moved}{records} records that were its to send between its last report at {reported} \
         and {from} are in nobody's accounts: they were not sent, or not told of"
    )
}

fn trouble(trouble: &Trouble) -> Doubt {
    let error = |kind, text: String| Doubt::reason(kind, Verdict::Error, text);
    match trouble {
        Trouble::BrokerUnreachable { text } => error(Kind::BrokerUnreachable, text.clone()),
        Trouble::TopicConfiguration { topic, text } => Doubt::reason(
            Kind::TopicConfigurationRefused,
            Verdict::Invalid,
            format!("topic {topic}: {text}"),
        ),
        Trouble::Topic { text } => error(Kind::TopicFailed, text.clone()),
        Trouble::Agent { agent, failure } => {
            let kind = match failure.kind {
                FailureKind::Registry => Kind::SchemaRegistryFailed,
                _ => Kind::AgentFailed,
            };
            error(kind, format!("{agent}: {}", failure.text))
        }
        Trouble::Deadline { step, progress, within_us } => {
            let text = format!("{step} took longer than {}: {progress}", us(*within_us));
            error(Kind::DeadlineMissed, text)
        }
        Trouble::Abandoned { until_us, planned_us, lease_us } => {
            let text = format!(
                "nobody was there for {}, so the agents ended their load at {} of {}",
                us(*lease_us),
                us(*until_us),
                us(*planned_us)
            );
            error(Kind::Abandoned, text)
        }
        Trouble::Harness { text } => error(Kind::HarnessFailed, text.clone()),
    }
}
