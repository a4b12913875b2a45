//! A trend as text.

use super::{
    build::told,
    model::{Break, Series, Trend},
};
use crate::{
    over_time::compare::{change, values},
    text::{
        format::{date, percent, quantity},
        untrusted,
    },
};
use std::fmt::Write;

/// Places of a break that are told.
const PLACES: usize = 4;

/// The trend for a terminal.
#[must_use]
pub fn text(of: &Trend) -> String {
    let mut text = String::new();
    for series in &of.series {
        one(&mut text, series);
    }
    for warning in &of.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    let _ = writeln!(text, "{}: {}", of.word, said(of));
    text.replace('\u{a0}', " ")
}

/// The sentence without the word that it may begin with.
pub(super) fn said(of: &Trend) -> &str {
    let rest = of.sentence.strip_prefix(of.word);
    rest.map_or(&*of.sentence, |rest| rest.trim_start_matches([':', ',', ' ']))
}

fn one(text: &mut String, series: &Series) {
    let _ = writeln!(text, "{}  {}", untrusted::line(&series.case), series.metric);
    let _ = writeln!(text, "  {}", now(series));
    for (_, _, line) in marks(series) {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(why) = &series.not_analysed {
        let _ = writeln!(text, "  no changes looked for: {why}");
    }
    text.push('\n');
}

/// The newest value, the level that it belongs to, and how much runs spread.
pub(super) fn now(series: &Series) -> String {
    let Some(newest) = series.points.last() else { return String::new() };
    let regime = &series.regimes[newest.regime];
    let of = |value: f64| quantity(value, &series.unit);
    let level = regime.levels.last().map_or(String::new(), |level| {
        let noun = if level.runs == 1 { "run" } else { "runs" };
        format!("; the median of its level, {} {noun}, is {}", level.runs, of(level.median))
    });
    let spread = regime
        .sigma
        .map_or(String::new(), |of| format!("; runs spread by {}", percent(of.exp_m1())));
    format!("{} in the newest of {} runs{level}{spread}", of(newest.value), series.points.len())
}

/// What happened, oldest first: index of the run, kind, and a line.
pub(super) fn marks(series: &Series) -> Vec<(usize, &'static str, String)> {
    let at = |index: usize, run: &str| {
        let point = &series.points[index];
        format!("{}  {}", date(&point.started_at), untrusted::line(run))
    };
    let mut marks: Vec<(usize, &'static str, String)> = Vec::new();
    for of in &series.breaks {
        let line = format!("{}  break: {}", at(of.at, &of.run), broke(series, of));
        marks.push((of.at, "break", line));
    }
    for of in &series.changes {
        let reason = of.reason.as_ref().map(|why| format!(": {}", untrusted::line(why)));
        let over = if of.stands || of.reason.is_some() { "" } else { ", no longer the level" };
        let is_over = of.direction == super::model::Direction::Worse;
        let over = if is_over { over } else { "" };
        let line = format!(
            "{}  {}, {}{over}{}",
            at(of.at, &of.run),
            told(of),
            of.standing.as_str(),
            reason.unwrap_or_default()
        );
        marks.push((of.at, of.standing.as_str(), line));
    }
    for of in &series.suspects {
        let line = format!(
            "{}  {}: {} from its level, suspect: run it again with --repeat",
            at(of.at, &of.run),
            of.direction.as_str(),
            change(of.ratio)
        );
        marks.push((of.at, "suspect", line));
    }
    marks.sort_by_key(|(at, ..)| *at);
    marks
}

/// What differs at a break, and the levels on both sides.
fn broke(series: &Series, of: &Break) -> String {
    let named = of.differs.iter().take(PLACES).map(|(path, before, after)| {
        let one = |value: &serde_json::Value| values(std::slice::from_ref(value));
        format!("{path} {} → {}", one(before), one(after))
    });
    let named: Vec<String> = named.collect();
    let more = of.differs.len().saturating_sub(PLACES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = match named.is_empty() {
        true => "something that is not known".to_owned(),
        false => named.join(", ") + &more,
    };
    let level = |of: &super::model::Level| {
        let value = |value: f64| quantity(value, &series.unit);
        match of.mean {
            Some([low, _, high]) => {
                format!("{} [{}, {}]", value(of.median), value(low), value(high))
            }
            None => value(of.median),
        }
    };
    format!("{what}; level {} → {}", level(&of.before), level(&of.after))
}
