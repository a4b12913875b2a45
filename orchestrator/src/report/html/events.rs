//! The journal of a case, for people.

use super::journal::Folder;
use crate::model::events::{RunEvent, TimedEvent};
use crate::text::format::{clock, duration};
use serde::Serialize;

/// Most events of a case on its page; all of them are in `events.jsonl`.
const LIMIT: usize = 400;

/// An event in words.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct EventView {
    at: String,
    level: String,
    source: String,
    text: String,
}

/// The events from a case's start to the next one's, and how many are left out. What came before the
/// first case belongs to it. The run's own end is left out: the page may be made before it.
pub(super) fn of_case(events: &[TimedEvent], index: usize, name: &str) -> (Vec<EventView>, usize) {
    let starts = |event: &TimedEvent| match &event.event {
        RunEvent::CaseStarted { case, .. } => Some(case == name),
        _ => None,
    };
    let mut inside = index == 0;
    let (mut views, mut folder) = (Vec::new(), Folder::default());
    for event in events {
        inside = starts(event).unwrap_or(inside);
        if inside && let Some((level, source, text)) = words(&event.event) {
            let at = time_of(&event.at);
            let at_ms = event.at.parse().map_or(0, jiff::Timestamp::as_millisecond);
            let is_note = matches!(event.event, RunEvent::Note { .. });
            let folded = is_note.then(|| folder.take(&text, at_ms, views.len())).flatten();
            if folded != Some(false) {
                views.push(EventView { at, level: level.into(), source: source.into(), text });
            }
        }
    }
    for line in folder.lines {
        let view: &mut EventView = &mut views[line.at];
        (view.source, view.text) = (line.source(), line.text());
    }
    let left_out = views.len().saturating_sub(LIMIT);
    views.truncate(LIMIT);
    (views, left_out)
}

/// What was said when the case was judged; for runs that were cut off after that.
pub(super) fn sentence_of<'a>(events: &'a [TimedEvent], name: &str) -> Option<&'a str> {
    events.iter().find_map(|timed| match &timed.event {
        RunEvent::CaseFinished { case, sentence, .. } if case == name => Some(sentence.as_str()),
        _ => None,
    })
}

/// Most partitions that a line names.
const NAMED: usize = 12;

fn leader_moved(from: i32, to: i32, partitions: &[String]) -> String {
    let named = partitions[..partitions.len().min(NAMED)].join(", ");
    let more = match partitions.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match (from, to) {
        (-1, -1) => format!("no leader: {named}{more}"),
        (from, -1) => format!("no leader any more (was broker {from}): {named}{more}"),
        (-1, to) => format!("broker {to} leads what had no leader: {named}{more}"),
        (from, to) => format!("leader moved from broker {from} to broker {to}: {named}{more}"),
    }
}

fn words(event: &RunEvent) -> Option<(&str, &str, String)> {
    let info = |text: String| Some(("info", "", text));
    match event {
        RunEvent::Step { text, .. } => info(text.clone()),
        RunEvent::CaseResumed { at_us, .. } => Some(("warning", "", taken_over(*at_us))),
        RunEvent::HostReady { host, copied_bytes, took_us, .. } => {
            Some(("info", host, host_ready(*copied_bytes, *took_us)))
        }
        RunEvent::HostProblem { host, phase, cause, .. } => {
            Some(("error", host, format!("{phase}: {cause}")))
        }
        RunEvent::AgentConnected { agent, host, pid } => {
            Some(("info", agent, format!("connected from {host}, process {pid}")))
        }
        RunEvent::AgentLost { agent, cause, .. } => {
            Some(("error", agent, format!("lost: {cause}")))
        }
        RunEvent::AgentChannel { agent, up: true } => {
            Some(("info", agent, "the channel is back".into()))
        }
        RunEvent::AgentChannel { agent, up: false } => {
            Some(("warning", agent, "the channel broke; the load goes on".into()))
        }
        RunEvent::BrokerUnreachable { broker, cause, at_us } => Some((
            "error",
            "",
            format!("broker {broker} cannot be reached: {cause} ({} into the load)", clock(*at_us)),
        )),
        RunEvent::BrokerBack { broker, after_us, .. } => {
            info(format!("broker {broker} answers again after {}", duration(*after_us)))
        }
        RunEvent::LeaderMoved { from, to, partitions, .. } => {
            Some(("warning", "", leader_moved(*from, *to, partitions)))
        }
        RunEvent::UnderReplicated { partitions: 0, .. } => {
            info("all replicas are in sync again".to_owned())
        }
        RunEvent::UnderReplicated { partitions, of, .. } => {
            Some(("warning", "", format!("{partitions} of {of} partitions lack a replica in sync")))
        }
        RunEvent::Fault { fault, step, text, .. } => {
            let level = match step.as_str() {
                "begun" => "warning",
                "no_effect" | "not_begun" | "not_undone" => "error",
                _ => "info",
            };
            Some((level, "", format!("fault {fault} {}: {text}", step.replace('_', " "))))
        }
        RunEvent::LoadStarted { spread_us, .. } => info(format!(
            "the load starts; agents started within {} of each other",
            duration(*spread_us)
        )),
        RunEvent::PhaseStarted { phase, .. } => info(format!("phase {phase}")),
        RunEvent::Note { level, source, text } => Some((level.as_str(), source, text.clone())),
        RunEvent::StopRequested { by } => Some(("warning", "", format!("asked to stop: {by}"))),
        RunEvent::CaseFinished { verdict, .. } => info(format!("judged: {}", verdict.as_str())),
        RunEvent::PairFinished { pair, of, text } => info(format!("pair {pair} of {of}, {text}")),
        RunEvent::LeftBehind { what, cause } => {
            Some(("warning", "", format!("left behind: {what}: {cause}")))
        }
        RunEvent::RunStarted { .. }
        | RunEvent::CaseStarted { .. }
        | RunEvent::Interval(_)
        | RunEvent::AcrossJudged { .. }
        | RunEvent::ComparedWithBaselines { .. }
        | RunEvent::RunFinished { .. } => None,
    }
}

/// A controller that died while the load went on.
fn taken_over(at_us: u64) -> String {
    let into = duration(at_us);
    format!("the controller had died; another one has taken over, {into} into the load")
}

/// A host that is ready, and what was copied to it.
fn host_ready(copied_bytes: u64, took_us: u64) -> String {
    let copied = match copied_bytes {
        0 => "the agent's program was there".to_owned(),
        bytes => {
            format!("{} of the agent's program copied", crate::text::figures::bytes_text(bytes))
        }
    };
    format!("ready after {}; {copied}", duration(took_us))
}

/// `14:03:05.678`, of an RFC 3339 time.
fn time_of(at: &str) -> String {
    let parsed = at.parse::<jiff::Timestamp>();
    parsed.map_or_else(|_| at.to_owned(), |at| at.strftime("%H:%M:%S%.3f").to_string())
}
