//! Topics and groups that the run has made are deleted.

use super::exiting::Exiting;
use crate::{
    clock::micros,
    plan::workload::workload_of,
    run::{
        questions::Asked,
        shared::Shared,
        stage::{Next, Stage},
        stage_id::StageId,
    },
    text::plural::noun,
};
use mallard_protocol::{
    message::Question,
    workload::{ConsumerSpec, Membership},
};
use std::time::Duration;

/// How long deleting topics may take when somebody asked twice to stop. It takes a fraction of a second where
/// brokers answer.
const HURRIED_DELETE: Duration = Duration::from_secs(10);

/// How long deleting groups may take then. Members that are joining cannot leave before the brokers answer them,
/// which takes `group.initial.rebalance.delay.ms`, 3 s by default.
const HURRIED_GROUPS: Duration = Duration::from_secs(5);

/// A member's session where nobody has set it, on the clients' side or, with `group.protocol: consumer`, on the
/// brokers'.
const SESSION: Duration = Duration::from_secs(45);

/// How long an answer may take beyond the time that the question allows.
const ANSWERING: Duration = Duration::from_secs(1);

/// How long brokers may take to notice that a session is over.
const NOTICING: Duration = Duration::from_secs(3);

/// Topics and groups are deleted.
#[derive(Debug)]
pub(super) struct Deleting;

impl Deleting {
    pub(super) fn enter(case: &mut Shared) -> Next {
        let teardown = case.plan.deadlines.teardown;
        let dead = session_left(case);
        let (of_topics, of_groups) = match case.stop.times {
            0 | 1 => (teardown, dead.map_or(teardown, |left| teardown.max(left + NOTICING))),
            _ => (HURRIED_DELETE, HURRIED_GROUPS),
        };
        let groups = case.created_groups();
        let longest = if groups.is_empty() { of_topics } else { of_topics.max(of_groups) };
        case.enter(StageId::Deleting, longest + ANSWERING);
        let embedded = case.plan.kafka.is_embedded();
        if case.topics_made && !case.context.keep && !embedded {
            let dead = dead.filter(|_| of_groups > teardown);
            delete(case, groups, (of_topics, of_groups), dead);
        }
        Some(Box::new(Self))
    }
}

impl Stage for Deleting {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let topics = case.is_asking(|asked| asked == Asked::Delete);
        let groups = case.is_asking(|asked| asked == Asked::DeleteGroups);
        if (topics || groups) && case.now_us < case.timing.deadline_us {
            return None;
        }
        let cause = "the broker did not do it in time; `mallard clean` does it later";
        case.report_left(not_deleted(case, topics, groups, cause));
        Exiting::enter(case)
    }

    /// Topics must go; groups may be left.
    fn hurry(&mut self, case: &mut Shared) -> Next {
        let topics = case.is_asking(|asked| asked == Asked::Delete);
        let within = if topics { HURRIED_DELETE } else { HURRIED_GROUPS };
        let soon_us = case.now_us + micros(within);
        case.timing.deadline_us = case.timing.deadline_us.min(soon_us);
        None
    }
}

/// Has topics and groups deleted, each by a question of its own: a group that still has members must not
/// keep topics. `dead` is how long sessions of lost members go on, where that is waited for.
fn delete(
    case: &mut Shared,
    groups: Vec<String>,
    (of_topics, of_groups): (Duration, Duration),
    dead: Option<Duration>,
) {
    let Some(admin) = case.admin() else {
        let cause = "no agent is left that could delete it";
        return case.report_left(not_deleted(case, true, true, cause));
    };
    case.step("deleting topics".to_owned());
    report_waiting(case, dead, &groups);
    let topics = case.created_topics();
    let mut ask = |asked, topics: Vec<String>, groups: Vec<String>, within: Duration| {
        if !(topics.is_empty() && groups.is_empty()) {
            let (connection, within_ms) = (case.connection(admin), micros(within) / 1_000);
            case.ask(admin, asked, Question::Delete { connection, topics, groups, within_ms });
        }
    };
    ask(Asked::Delete, topics, Vec::new(), of_topics);
    ask(Asked::DeleteGroups, Vec::new(), groups, of_groups);
}

/// Says how long the deletion of groups waits for members that ended without leaving. Nobody can make a
/// member of another client leave: brokers remove it when its session is over.
fn report_waiting(case: &mut Shared, left: Option<Duration>, groups: &[String]) {
    if let Some(left) = left.filter(|_| !groups.is_empty()) {
        let text = format!(
            "waiting up to {} s for brokers to remove lost members from consumer {} {} \
             (`session.timeout.ms`); Ctrl-C leaves that to `mallard clean`",
            (left + NOTICING).as_secs(),
            noun(groups.len(), "group"),
            groups.join(", ")
        );
        case.step(text);
    }
}

/// How long sessions of members go on that ended without leaving their groups; `None` if all have left.
fn session_left(case: &Shared) -> Option<Duration> {
    let lost = case.agents.iter().zip(&case.plan.agents);
    let ends = lost.filter_map(|(agent, plan)| {
        let gone_us = agent.gone_us.filter(|_| agent.finished.is_none())?;
        let in_groups = |spec: &&ConsumerSpec| matches!(spec.membership, Membership::Group(_));
        let sessions = plan.consumers.iter().filter(in_groups).map(|spec| session(case, spec));
        Some(gone_us + micros(sessions.max()?))
    });
    let left_us = ends.max()?.checked_sub(case.now_us)?;
    Some(Duration::from_micros(left_us))
}

/// A consumer's session, as its client has it.
fn session(case: &Shared, spec: &ConsumerSpec) -> Duration {
    let client = case.clients.get(workload_of(&spec.name));
    let ms = client.and_then(|client| client.get("session.timeout.ms")?.parse().ok());
    ms.map_or(SESSION, Duration::from_millis)
}

/// What is still there, with the cause.
fn not_deleted(case: &Shared, topics: bool, groups: bool, cause: &str) -> Vec<(String, String)> {
    let topics = case.created_topics().into_iter().filter(|_| topics);
    let groups = case.created_groups().into_iter().filter(|_| groups);
    let names = topics.map(|name| format!("topic {name}"));
    let names = names.chain(groups.map(|name| format!("consumer group {name}")));
    names.map(|what| (what, cause.to_owned())).collect()
}
