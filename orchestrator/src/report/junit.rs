//! `junit.xml`: a test suite a scenario, a test case a case; what CI servers show.
//!
//! A case that failed an expectation is a failure; one that cannot be trusted, broke or was stopped is
//! an error.

use super::{Format, ReportError, words};
use crate::{
    archive::read::{CaseArchive, RunArchive},
    model::result::{
        AcrossResult, Attempt, CaseResult, CaseSummary, ComparedResult, ExpectationResult, Reason,
        Standing, Verdict,
    },
    text::{format::quantity, margin},
};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};
use std::{fmt::Write, time::Duration};

/// The format.
#[derive(Clone, Copy, Debug)]
pub struct Junit;

impl Format for Junit {
    fn file(&self) -> &'static str {
        "junit.xml"
    }

    fn render(&self, run: &RunArchive) -> Result<Vec<u8>, ReportError> {
        let mut report = Report::new(&run.id);
        let mut suites: Vec<(String, TestSuite)> = Vec::new();
        let mut total = Duration::ZERO;
        for case in &run.cases {
            let summary = run.result.iter().flat_map(|r| &r.cases).find(|s| s.name == case.name);
            let scenario = scenario_of(case, summary);
            let (test, time) = test_case(case, summary, &scenario);
            total += time;
            if !suites.iter().any(|(name, _)| *name == scenario) {
                suites.push((scenario.clone(), TestSuite::new(&scenario)));
            }
            if let Some((_, suite)) = suites.iter_mut().find(|(name, _)| *name == scenario) {
                suite.set_time(suite.time.unwrap_or_default() + time);
                suite.add_test_case(test);
            }
        }
        for across in run.result.iter().flat_map(|result| &result.across) {
            if let Some((_, suite)) = suites.iter_mut().find(|(name, _)| *name == across.scenario) {
                suite.add_test_case(across_case(across));
            }
        }
        for compared in run.result.iter().flat_map(|result| &result.compared) {
            if let Some((_, suite)) = suites.iter_mut().find(|(name, _)| *name == compared.scenario)
            {
                suite.add_test_case(compared_case(compared));
            }
        }
        report.set_time(total);
        report.add_test_suites(suites.into_iter().map(|(_, suite)| suite));
        let text = report
            .to_string()
            .map_err(|error| ReportError::Format { name: "junit.xml", what: error.to_string() })?;
        Ok(with_characters_of_xml(without_total_of_skipped(&text)).into_bytes())
    }
}

/// JUnit's schema knows `skipped` of a suite, but not of the whole, which comes first.
fn without_total_of_skipped(text: &str) -> String {
    const START: &str = r#" skipped=""#;
    let whole = text.find("<testsuites").and_then(|at| Some(at..at + text[at..].find('>')?));
    let found = whole.and_then(|whole| Some(whole.start + text[whole].find(START)?));
    let Some(from) = found else { return text.to_owned() };
    let value = from + START.len();
    let to = text[value..].find('"').map_or(value, |at| value + at + 1);
    format!("{}{}", &text[..from], &text[to..])
}

/// Text with a replacement character for those that XML does not have and that its writer passes on
/// (<https://www.w3.org/TR/xml/#charsets>).
fn with_characters_of_xml(text: String) -> String {
    const NONE: [char; 2] = ['\u{fffe}', '\u{ffff}'];
    if text.contains(NONE) { text.replace(NONE, "\u{fffd}") } else { text }
}

fn scenario_of(case: &CaseArchive, summary: Option<&CaseSummary>) -> String {
    let named = case.result.as_ref().map(|result| &result.scenario);
    named.or(summary.map(|summary| &summary.scenario)).unwrap_or(&case.name).clone()
}

fn test_case(
    case: &CaseArchive,
    summary: Option<&CaseSummary>,
    scenario: &str,
) -> (TestCase, Duration) {
    let verdict = summary.map(|s| s.verdict).or(case.result.as_ref().map(|r| r.verdict));
    let sentence = summary.map_or("the case did not finish", |summary| &summary.sentence);
    let mut status = status(verdict, sentence, case);
    for attempt in summary.iter().flat_map(|summary| summary.failed_before()) {
        status.add_rerun(failed_attempt(attempt));
    }
    let mut test = TestCase::new(&case.name, status);
    test.set_classname(scenario);
    let time = summary.map_or(Duration::ZERO, |s| Duration::from_micros(s.duration_us));
    test.set_time(time);
    if let Some(result) = &case.result {
        test.set_assertions(result.expectations.len());
        test.add_properties(
            result
                .parameters
                .iter()
                .map(|(name, value)| (format!("parameter.{name}"), value.clone())),
        );
        test.set_system_out(account(result));
    }
    for (name, metric) in summary.iter().flat_map(|summary| &summary.headline) {
        let value = metric.value.map_or_else(|| "none".into(), |value| value.to_string());
        test.add_property((format!("{name}.{}", metric.unit), value));
    }
    (test, time)
}

/// An expectation across cases, as a test case beside those that it compares.
fn across_case(across: &AcrossResult) -> TestCase {
    let status = if across.passed {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("fail").set_message(&across.sentence);
        status
    };
    let name = format!("{} [{} against {}]", across.text, across.case, across.reference);
    let mut test = TestCase::new(name, status);
    test.set_classname(&across.scenario);
    let margin = across.margin.map_or_else(String::new, |of| {
        format!(", margin {}", margin::plain(of, across.value, across.limit))
    });
    test.set_system_out(format!("{}{margin}\n", across.sentence));
    test
}

/// An expectation against a baseline, as a test case beside the case that it is about.
fn compared_case(of: &ComparedResult) -> TestCase {
    let bad = |kind, what: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(what).set_message(&of.sentence);
        status
    };
    let status = match of.standing {
        Standing::Held => TestCaseStatus::success(),
        Standing::Failed => bad(NonSuccessKind::Failure, "fail"),
        Standing::Unclear => bad(NonSuccessKind::Error, "invalid"),
        Standing::NotJudged => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(&of.sentence);
            status
        }
    };
    let mut test = TestCase::new(format!("{} [{}]", of.text, of.case), status);
    test.set_classname(&of.scenario);
    test.set_system_out(format!("{}\n", of.sentence));
    test
}

/// An attempt that failed before the case passed: what makes it flaky.
fn failed_attempt(of: &Attempt) -> TestRerun {
    let mut rerun = TestRerun::new(NonSuccessKind::Failure);
    rerun.set_type(of.verdict.as_str()).set_message(format!("in {}: {}", of.run_id, of.sentence));
    rerun
}

fn status(verdict: Option<Verdict>, sentence: &str, case: &CaseArchive) -> TestCaseStatus {
    let kind = match verdict {
        Some(Verdict::Pass) => return TestCaseStatus::success(),
        Some(Verdict::Fail) => NonSuccessKind::Failure,
        Some(Verdict::Invalid | Verdict::Error | Verdict::Interrupted) | None => {
            NonSuccessKind::Error
        }
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(words::word(verdict)).set_message(sentence).set_description(why(case));
    status
}

/// Reasons with their remedies, and the expectations that failed.
fn why(case: &CaseArchive) -> String {
    let mut text = String::new();
    for Reason { code, text: what, remedy } in case.result.iter().flat_map(|r| &r.reasons) {
        let _ = writeln!(text, "{code}: {what}\n  {remedy}");
    }
    for failed in case.result.iter().flat_map(|r| &r.expectations).filter(|e| !e.passed) {
        let _ = writeln!(text, "{}", line(failed));
    }
    for gap in &case.gaps {
        let _ = writeln!(text, "{gap}");
    }
    text
}

/// All expectations, as the terminal shows them.
fn account(result: &CaseResult) -> String {
    result.expectations.iter().map(|expectation| line(expectation) + "\n").collect()
}

fn line(of: &ExpectationResult) -> String {
    let word = match (of.passed, of.not_reached) {
        (true, _) => "passed",
        (false, true) => "not reached",
        (false, false) => "FAILED",
    };
    let value = of.value.map_or_else(|| "no sample".into(), |value| quantity(value, &of.unit));
    let margin = of.margin.map_or_else(String::new, |margin| {
        format!(", margin {}", margin::plain(margin, of.value, Some(of.limit)))
    });
    let source = of.source.as_ref().map_or_else(String::new, |file| {
        let line = of.line.map_or_else(String::new, |line| format!(":{line}"));
        format!("  [{} by {file}{line}]", of.metric)
    });
    let limit = quantity(of.limit, &of.unit);
    format!("{word}  {}  (value {value}, limit {limit}{margin}){source}", of.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_xml_lacks_are_replaced() {
        let mut report = Report::new("a\u{fffe}b\u{ffff}c\u{1}d");
        report.set_time(Duration::ZERO);
        let text = with_characters_of_xml(report.to_string().unwrap());
        assert!(text.contains("a\u{fffd}b\u{fffd}cd"), "{text}");
        let is_xml = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(text.chars().all(is_xml), "{text}");
    }
}
