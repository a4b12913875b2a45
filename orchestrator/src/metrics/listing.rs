//! What `mallard metrics` prints.

use super::{Metric, registry};
use crate::text::units;
use std::fmt::Write;

/// Columns of a line of text.
const WIDTH: usize = 100;

/// All metrics for people, by groups.
#[must_use]
pub fn table() -> String {
    let mut text = String::new();
    let mut before: Option<&Metric> = None;
    for metric in registry() {
        let same_group = before.filter(|before| group_of(before) == group_of(metric));
        if same_group.is_none() {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}\n", group_of(metric));
        }
        entry(&mut text, metric, same_group);
        before = Some(metric);
    }
    text
}

/// All metrics as JSON: a list of objects.
#[must_use]
pub fn json() -> String {
    let metrics: Vec<_> = registry()
        .iter()
        .map(|metric| {
            serde_json::json!({
                "name": metric.name,
                "unit": metric.unit,
                "meaning": metric.meaning,
                "formula": metric.formula,
                "source": metric.source,
                "scopes": metric.scopes.words(),
                "windows": metric.series,
                "written_with": units::fitting(metric.unit),
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::from(metrics))
}

/// The name without its last part.
fn group_of(metric: &Metric) -> &'static str {
    metric.name.rsplit_once('.').map_or(metric.name, |(group, _)| group)
}

/// One metric. What it shares with the one before it in its group is not said again.
fn entry(text: &mut String, metric: &Metric, before: Option<&Metric>) {
    let _ = writeln!(text, "  {} [{}]", metric.name, metric.unit);
    let what = |metric: &Metric| metric.meaning.split_once(" of ").map(|(_, what)| what);
    let same_what =
        before.is_some_and(|before| what(before).is_some() && what(before) == what(metric));
    match metric.meaning.split_once(" of ").filter(|_| same_what) {
        Some((statistic, _)) => paragraph(text, &format!("{statistic} of the same")),
        None => paragraph(text, metric.meaning),
    }
    if before.is_none_or(|before| before.formula != metric.formula) {
        paragraph(text, &format!("= {}", metric.formula));
    }
    if before.is_none_or(|before| before.source != metric.source) {
        paragraph(text, &format!("from {}", metric.source));
    }
    let shared = |before: &Metric| (before.scopes, before.series) == (metric.scopes, metric.series);
    let scopes = metric.scopes.words();
    if !scopes.is_empty() && !before.is_some_and(shared) {
        let windows = if metric.series { "; windows, slope" } else { "" };
        paragraph(text, &format!("of {}{windows}", scopes.join(", ")));
    }
}

fn paragraph(text: &mut String, words: &str) {
    let indent = "      ";
    let mut line = String::from(indent);
    for word in words.split_whitespace() {
        if line.len() > indent.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from(indent);
        }
        if line.len() > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}
