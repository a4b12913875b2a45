//! Figures as people read them, and the verdict in colour.

use crate::{
    model::result::{
        AcrossResult, ComparedResult, ExpectationResult, SeriesRow, Standing, Verdict,
    },
    text::{
        figures::{latency, rate},
        margin, units,
    },
};
use std::io::IsTerminal;

/// Whether a terminal, if there is one, takes colours: `NO_COLOR` is not set to anything
/// (<https://no-color.org>), and `TERM` does not say that it can do nothing but print.
#[must_use]
pub fn takes_colour() -> bool {
    colour_by(&|name| std::env::var(name).ok())
}

fn colour_by(environment: &dyn Fn(&str) -> Option<String>) -> bool {
    let forbidden = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
    !forbidden && environment("TERM").as_deref() != Some("dumb")
}

/// Colours, unless somebody asked for none or nobody would see them.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Colours for standard output, where it is a terminal that takes them.
    #[must_use]
    pub fn for_stdout() -> Self {
        Self { on: takes_colour() && std::io::stdout().is_terminal() }
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A verdict, in its colour.
    #[must_use]
    pub fn verdict(self, verdict: Verdict) -> String {
        let code = match verdict {
            Verdict::Pass => "1;32",
            Verdict::Fail => "1;31",
            Verdict::Invalid | Verdict::Interrupted => "1;33",
            Verdict::Error => "1;35",
        };
        self.code(code, verdict.as_str())
    }

    /// Something that matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    /// Something that matters more.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    /// `✓` or `✗`, in green or red.
    #[must_use]
    pub fn mark(self, passed: bool) -> String {
        if passed { self.code("32", "✓") } else { self.code("31", "✗") }
    }
}

/// An expectation across cases in one line: mark, text, figures and margin.
#[must_use]
pub fn across(result: &AcrossResult, paint: Paint) -> String {
    let margin = result.margin.map_or(String::new(), |of| {
        format!("  margin {}", margin::plain(of, result.value, result.limit))
    });
    let tier = match (result.scaling, result.tier) {
        (Some(scaling), Some(tier)) => {
            format!("  scaling {} of linear, {}", units::human(scaling, "ratio"), tier.as_str())
        }
        _ => String::new(),
    };
    format!("{} {}: {}{margin}{tier}", paint.mark(result.passed), result.text, result.sentence)
}

/// An expectation against a baseline in one line: mark, text and figures.
#[must_use]
pub fn compared(result: &ComparedResult, paint: Paint) -> String {
    let mark = match result.standing {
        Standing::Held => paint.mark(true),
        Standing::Failed => paint.mark(false),
        Standing::Unclear => "?".to_owned(),
        Standing::NotJudged => "–".to_owned(),
    };
    format!("{mark} {}: {}: {}", result.case, result.text, result.sentence)
}

/// An expectation in one line: mark, text, value, limit and margin.
#[must_use]
pub fn expectation(result: &ExpectationResult, paint: Paint, width: usize) -> String {
    let (value, limit) = match result.value {
        Some(value) => units::human_pair(value, result.limit, &result.unit),
        None if result.not_reached => {
            ("not reached".to_owned(), units::human(result.limit, &result.unit))
        }
        None => ("no samples".to_owned(), units::human(result.limit, &result.unit)),
    };
    let margin = result.margin.map_or(String::new(), |of| {
        format!("  margin {}", margin::plain(of, result.value, Some(result.limit)))
    });
    let mark = if result.not_reached { "–".to_owned() } else { paint.mark(result.passed) };
    let metric = result.source.as_ref().map_or(String::new(), |_| format!("  {}", result.metric));
    format!(
        "{mark} {:<width$}  {value}  (limit {limit}){margin}{}",
        result.text,
        paint.dim(&metric)
    )
}

/// A line of figures for an interval: rates, latencies, lag and errors.
#[must_use]
pub fn figures(row: &SeriesRow) -> String {
    let seconds = (row.end_us - row.start_us).max(1) as f64 / 1e6;
    let target = row.target_per_s.map_or("max".to_owned(), rate);
    let latency = |value: Option<u64>| value.map_or("–".to_owned(), latency);
    let mut line = format!(
        "{:<8} target {target}, acked {}, received {}, response p50 {} p95 {} p99 {}",
        row.phase,
        rate(row.acked as f64 / seconds),
        rate(row.received as f64 / seconds),
        latency(row.response_p50_us),
        latency(row.response_p95_us),
        latency(row.response_p99_us),
    );
    let lag = row.lag.filter(|lag| *lag > 0);
    let extras = [("lag", lag), ("not sent", some(row.not_sent)), ("errors", some(row.failed))];
    for (name, count) in extras.into_iter().filter_map(|(name, count)| Some((name, count?))) {
        line.push_str(&format!(", {name} {}", units::count(count)));
    }
    line
}

fn some(count: u64) -> Option<u64> {
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_only_prints_gets_no_colours() {
        let with = |set: &str, to: &str| colour_by(&|name| (name == set).then(|| to.to_owned()));
        assert!(with("TERM", "xterm-256color") && with("NO_COLOR", ""));
        assert!(!with("TERM", "dumb") && !with("NO_COLOR", "1"));
    }
}
