//! What `mallard metrics` prints.

use super::{Metric, registry};
use crate::measure::units;
use std::fmt::Write;

/// Columns of a line of text.
const WIDTH: usize = 100;

/// All metrics for people, by groups.
#[must_use]
pub fn table() -> String {
    let mut text = String::new();
    let mut group = "";
    for metric in registry() {
        if group_of(metric) != group {
            group = group_of(metric);
            let _ = writeln!(text, "{}{group}\n", if text.is_empty() { "" } else { "\n" });
        }
        entry(&mut text, metric);
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

fn entry(text: &mut String, metric: &Metric) {
    let _ = writeln!(text, "  {} [{}]", metric.name, metric.unit);
    paragraph(text, metric.meaning);
    paragraph(text, &format!("= {}", metric.formula));
    paragraph(text, &format!("from {}", metric.source));
    let scopes = metric.scopes.words();
    if !scopes.is_empty() {
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
