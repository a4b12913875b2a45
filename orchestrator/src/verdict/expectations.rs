//! From judged expectations to results with a sentence each.

use super::clock::Clock;
use crate::{
    expect::{Comparison, Expectation, Scope, Window},
    measure::{Finding, Judged},
    model::result::ExpectationResult,
    text::units::{human, human_pair, per_hour},
};
use std::path::Path;

/// The result of one expectation.
pub(super) fn result(
    expectation: &Expectation,
    judged: &Judged,
    clock: &Clock,
    scenario: &Path,
) -> ExpectationResult {
    let unit = unit_of(expectation);
    let worst = judged.worst.as_ref();
    let value = worst.and_then(|finding| finding.value);
    // No window judged is no sample, and no sample is a failure.
    let passed = judged.windows > 0 && judged.failed == 0;
    let first = judged.first_failing.as_ref().filter(|_| judged.is_windowed);
    ExpectationResult {
        text: expectation.text.clone(),
        metric: expectation.metric.name.to_owned(),
        scope: scope_of(expectation, worst),
        value,
        limit: expectation.limit,
        margin: value.and_then(|value| margin(expectation.comparison, value, expectation.limit)),
        unit,
        passed,
        not_reached: judged.not_reached,
        is_unknown: judged.is_unknown && !passed,
        first_failing_window_us: first.map(|finding| (finding.start_us, finding.end_us)),
        failing_us: judged.failing.clone(),
        windows: judged.is_windowed.then_some((judged.windows, judged.failed)),
        source: source_of(expectation, scenario),
        line: expectation.source.1,
        sentence: sentence(expectation, judged, clock),
    }
}

/// The file that an expectation stands in, if it is not the scenario's.
fn source_of(expectation: &Expectation, scenario: &Path) -> Option<String> {
    let file = &expectation.source.0;
    (!file.as_os_str().is_empty() && file != scenario).then(|| file.display().to_string())
}

fn unit_of(expectation: &Expectation) -> String {
    let unit = expectation.metric.unit;
    if expectation.slope { per_hour(unit) } else { unit.to_owned() }
}

/// How far a value is on the good side of its limit, as a share of the limit.
fn margin(comparison: Comparison, value: f64, limit: f64) -> Option<f64> {
    (limit != 0.0).then(|| comparison.distance(value, limit) / limit.abs())
}

fn scope_of(expectation: &Expectation, worst: Option<&Finding>) -> Option<String> {
    let named = match &expectation.scope {
        Scope::Whole => None,
        Scope::Topic(name) => Some(format!("topic {name}")),
        Scope::Partition(Some((topic, partition))) => {
            Some(format!("partition {topic}/{partition}"))
        }
        Scope::Partition(None) => Some("every partition".to_owned()),
        Scope::Producer(name) => Some(format!("producer {name}")),
        Scope::Consumer(name) => Some(format!("consumer {name}")),
        Scope::Group(name) => Some(format!("group {name}")),
        Scope::Agent(Some(name)) => Some(format!("agent {name}")),
        Scope::Agent(None) => Some("every agent".to_owned()),
        Scope::Phase(name) => Some(format!("phase {name}")),
        Scope::Fault(name) => Some(format!("fault {name}")),
    };
    let scope = worst.and_then(|finding| finding.member.clone()).or(named);
    match (scope, expectation.outside_faults) {
        (scope, false) => scope,
        (Some(scope), true) => Some(format!("{scope}, outside faults")),
        (None, true) => Some("the time outside faults".to_owned()),
    }
}

/// `produce.response.p99 was 312 ms in 14:03:00–14:04:00 UTC, limit 250 ms`.
fn sentence(expectation: &Expectation, judged: &Judged, clock: &Clock) -> String {
    let shown = judged.first_failing.as_ref().or(judged.worst.as_ref());
    let what = subject(expectation, shown);
    let limit = limit_words(expectation);
    let Some(finding) = shown else {
        let why = match (judged.not_reached, judged.is_windowed) {
            (true, _) => "the load was stopped before that",
            _ if judged.is_unknown => "it is not known when its fault was there",
            (false, true) => "no full window was measured",
            (false, false) => "it had no samples",
        };
        return format!("{what} could not be judged: {why}, {limit}");
    };
    let when = when(expectation, judged, finding, clock);
    let Some(value) = finding.value else {
        let why = match (judged.is_unknown, expectation.metric.why_no_value()) {
            (_, Some(why)) => why,
            (true, None) => "is not known: nobody saw when its fault was there",
            (false, None) => "had no samples",
        };
        return format!("{what} {why}{when}, {limit}");
    };
    let (value, limit) = match expectation.comparison {
        Comparison::Less | Comparison::AtMost | Comparison::Greater | Comparison::AtLeast => {
            let pair = human_pair(value, expectation.limit, &unit_of(expectation));
            (pair.0, format!("limit {}", pair.1))
        }
        _ => (human(value, &unit_of(expectation)), limit),
    };
    let windows = windows_words(judged, expectation);
    let edge = edge_words(expectation, finding);
    // Nothing came in such a window; what was due in it came after it, if at all.
    let at_least = if finding.waited { "at least " } else { "" };
    format!("{what} was {at_least}{value}{when}, {limit}{edge}{windows}")
}

fn subject(expectation: &Expectation, shown: Option<&Finding>) -> String {
    let slope = if expectation.slope { "slope of " } else { "" };
    let scope =
        scope_of(expectation, shown).map_or_else(String::new, |scope| format!(" of {scope}"));
    format!("{slope}{}{scope}", expectation.metric.name)
}

fn limit_words(expectation: &Expectation) -> String {
    let limit = human(expectation.limit, &unit_of(expectation));
    match expectation.comparison {
        Comparison::Equal => format!("must be {limit}"),
        Comparison::NotEqual => format!("must not be {limit}"),
        _ => format!("limit {limit}"),
    }
}

/// Says why a value equal to its limit failed.
fn edge_words(expectation: &Expectation, finding: &Finding) -> &'static str {
    let strict = matches!(expectation.comparison, Comparison::Less | Comparison::Greater);
    let equal = finding
        .value
        .is_some_and(|value| expectation.comparison.distance(value, expectation.limit) == 0.0);
    match (strict && equal, expectation.comparison) {
        (true, Comparison::Less) => " (must be below it)",
        (true, _) => " (must be above it)",
        _ => "",
    }
}

fn when(expectation: &Expectation, judged: &Judged, finding: &Finding, clock: &Clock) -> String {
    let last = matches!(expectation.window, Window::Last(_));
    if judged.is_windowed || last {
        format!(" in {}", clock.stretch(finding.start_us, finding.end_us))
    } else {
        String::new()
    }
}

fn windows_words(judged: &Judged, expectation: &Expectation) -> String {
    if !judged.is_windowed {
        return String::new();
    }
    if judged.failed == 0 {
        return format!(", the worst of {} windows", judged.windows);
    }
    let worst = judged.worst.as_ref().and_then(|worst| worst.value);
    let first = judged.first_failing.as_ref().and_then(|first| first.value);
    let worst = match (worst, first) {
        (Some(worst), Some(first)) if worst.to_bits() != first.to_bits() => {
            format!(", {} at worst", human(worst, &unit_of(expectation)))
        }
        _ => String::new(),
    };
    format!("; {} of {} windows failed{worst}", judged.failed, judged.windows)
}
