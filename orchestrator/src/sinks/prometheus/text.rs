//! Prometheus' text format, version 0.0.4: classic histograms.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use crate::sinks::family::{Family, Kind, Sample, Value};
use std::fmt::Write;

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All families.
pub(super) fn write(families: &[Family<'_>]) -> String {
    let mut text = String::new();
    for Family { name, help, kind, samples, .. } in families {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        samples.iter().for_each(|sample| write_sample(&mut text, name, sample));
    }
    text
}

fn write_sample(text: &mut String, name: &str, sample: &Sample<'_>) {
    let labels = labels_text(sample);
    let _ = match sample.value {
        Value::Count(count) => writeln!(text, "{name}{{{labels}}} {count}"),
        Value::Number(number) => writeln!(text, "{name}{{{labels}}} {number}"),
        Value::Latencies(of) => {
            for (bound, at_most) in of.classic() {
                let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {at_most}");
            }
            let (count, sum_s) = (of.count, of.sum_s());
            writeln!(
                text,
                "{name}_bucket{{{labels},le=\"+Inf\"}} {count}\n{name}_sum{{{labels}}} {sum_s}\n\
                 {name}_count{{{labels}}} {count}"
            )
        }
    };
}

fn labels_text(sample: &Sample<'_>) -> String {
    let mut text = String::new();
    for (at, (name, value)) in sample.labels.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{name}=\"");
        for letter in value.chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                letter => text.push(letter),
            }
        }
        text.push('"');
    }
    text
}
