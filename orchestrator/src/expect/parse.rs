//! Reads one expectation and checks it against its scenario.

use super::{
    Comparison, Expectation, Scope, Window,
    scope::{parse_outside, parse_scope},
    tokens::{Token, Tokens},
};
use crate::{
    config::shape::shortened,
    expect::{ParseError, Vocabulary},
    metrics::{self, Metric, Needs},
    text::units::{self, QuantityError},
};
use std::{ops::Range, path::PathBuf};

const OPERATORS: &str = "`<`, `<=`, `>`, `>=`, `==` or `!=`";

/// Reads `METRIC [of SCOPE] [outside faults] [slope per hour] OP VALUE [in every DURATION | in the last
/// DURATION]` and checks that this scenario can produce the metric for that scope and window. The expectation's
/// `source` is left empty.
///
/// # Errors
///
/// The first mistake with its place, what is allowed, and the nearest name.
pub fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Expectation, ParseError> {
    let mut tokens = Tokens::new(text);
    let (metric, metric_span) = parse_metric(&mut tokens)?;
    let scope = match tokens.take("of") {
        Some(_) => parse_scope(&mut tokens, metric, vocabulary)?,
        None => Scope::Whole,
    };
    let outside_faults = parse_outside(&mut tokens, metric, &scope, vocabulary)?;
    let slope = parse_slope(&mut tokens, metric, &metric_span)?;
    if slope && matches!(scope, Scope::Fault(_)) {
        let help = "judge its value".to_owned();
        return Err(ParseError::new(metric_span, "a fault is too short for a slope", help));
    }
    let comparison = parse_comparison(&mut tokens)?;
    let limit = parse_limit(&mut tokens, metric, slope)?;
    let window = parse_window(&mut tokens, metric, slope, &scope, vocabulary)?;
    if let Some(extra) = tokens.next() {
        let help = "after the limit may stand `in every DURATION` or `in the last DURATION`";
        return Err(ParseError::new(
            extra.span.start..text.len(),
            format!("`{}` does not belong here", &text[extra.span.start..]),
            help.to_owned(),
        ));
    }
    check_needs(metric, &metric_span, vocabulary)?;
    let source = (PathBuf::new(), None);
    Ok(Expectation {
        text: text.trim().to_owned(),
        metric,
        scope,
        outside_faults,
        slope,
        comparison,
        limit,
        window,
        source,
    })
}

pub(crate) fn parse_metric(
    tokens: &mut Tokens,
) -> Result<(&'static Metric, Range<usize>), ParseError> {
    let Some(token) = tokens.next() else {
        let help = "write `produce.response.p99 < 250ms`; `mallard metrics` lists all names";
        return Err(ParseError::new(tokens.end(), "the expectation is empty", help.to_owned()));
    };
    if let Some(metric) = metrics::find(token.text) {
        return Ok((metric, token.span));
    }
    let near = metrics::nearest(token.text)
        .map_or_else(String::new, |metric| format!("did you mean `{}`? ", metric.name));
    Err(ParseError::new(
        token.span.clone(),
        format!("there is no metric `{}`", token.text),
        format!("{near}`mallard metrics` lists all names"),
    ))
}

fn parse_slope(
    tokens: &mut Tokens,
    metric: &Metric,
    metric_span: &Range<usize>,
) -> Result<bool, ParseError> {
    let Some(first) = tokens.take("slope") else { return Ok(false) };
    let help = || "write `slope per hour`".to_owned();
    for word in ["per", "hour"] {
        if tokens.take(word).is_none() {
            let span = tokens.peek().map_or(first.span.clone(), |token| token.span.clone());
            return Err(ParseError::new(span, "a slope is judged per hour", help()));
        }
    }
    if metric.series {
        return Ok(true);
    }
    Err(ParseError::new(
        metric_span.clone(),
        format!("`{}` has no slope: it has no value in every interval", metric.name),
        "judge its value, or the slope of a metric that is listed with `slope` by `mallard metrics`"
            .to_owned(),
    ))
}

pub(crate) fn parse_comparison(tokens: &mut Tokens) -> Result<Comparison, ParseError> {
    let help = || format!("a comparison is {OPERATORS}");
    let Some(token) = tokens.next() else {
        return Err(ParseError::new(tokens.end(), "the comparison is missing", help()));
    };
    Ok(match token.text {
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::Greater,
        ">=" => Comparison::AtLeast,
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        other => {
            let message = format!("`{other}` stands where a comparison is expected");
            return Err(ParseError::new(token.span, message, help()));
        }
    })
}

fn parse_limit(tokens: &mut Tokens, metric: &Metric, slope: bool) -> Result<f64, ParseError> {
    let unit = if slope { units::per_hour(metric.unit) } else { metric.unit.to_owned() };
    let example = example_of(metric, slope);
    let Some(token) = tokens.next_quantity() else {
        let help = format!("write a limit such as `{example}`");
        return Err(ParseError::new(tokens.end(), "the limit is missing", help));
    };
    let written = shortened(token.text);
    units::parse(token.text, &unit).map_err(|error| match error {
        QuantityError::TooLarge => ParseError::new(
            token.span.clone(),
            format!("the limit {written} is beyond all numbers"),
            format!("write a limit such as `{example}`"),
        ),
        QuantityError::NoNumber => ParseError::new(
            token.span.clone(),
            format!("`{written}` is not a limit"),
            format!("write a number with its unit, such as `{example}`"),
        ),
        QuantityError::Unit { suffix, fitting } => {
            let message = if suffix.is_empty() {
                format!("`{written}` needs a unit")
            } else {
                format!("the unit `{suffix}` does not fit `{}`", metric.name)
            };
            let named = fitting.iter().filter(|suffix| suffix.is_ascii()).map(|suffix| {
                if suffix.is_empty() { "a plain number".to_owned() } else { format!("`{suffix}`") }
            });
            let named: Vec<_> = named.collect();
            let help = format!("it is written with {}, such as `{example}`", named.join(", "));
            ParseError::new(token.span.clone(), message, help)
        }
    })
}

fn example_of(metric: &Metric, slope: bool) -> &'static str {
    match (metric.unit, slope) {
        ("us", _) => "250ms",
        ("per_s", false) => "5000/s",
        ("per_s", true) => "10/s/h",
        ("bytes_per_s", _) => "50MB/s",
        ("bytes", true) | ("bytes_per_hour", _) => "10MiB/h",
        ("bytes", false) => "600MiB",
        ("ratio", _) => "1%",
        ("factor", _) => "1.5",
        ("cores", _) => "1.5",
        _ => "10",
    }
}

fn parse_window(
    tokens: &mut Tokens,
    metric: &Metric,
    slope: bool,
    scope: &Scope,
    vocabulary: &Vocabulary,
) -> Result<Window, ParseError> {
    let Some(first) = tokens.take("in") else { return Ok(Window::Whole) };
    let every = if tokens.take("every").is_some() {
        true
    } else if tokens.take("the").is_some() && tokens.take("last").is_some() {
        false
    } else {
        let span = tokens.peek().map_or(first.span.clone(), |token| token.span.clone());
        let help = "write `in every 1m` or `in the last 5m`".to_owned();
        return Err(ParseError::new(span, "a window is not understood", help));
    };
    let Some(token) = tokens.next_quantity() else {
        let help = "write `in every 1m` or `in the last 5m`".to_owned();
        return Err(ParseError::new(tokens.end(), "the window has no length", help));
    };
    let length_us = window_length(&token, scope, vocabulary)?;
    let span = first.span.start..token.span.end;
    if !metric.series {
        let message = format!("`{}` is known once, at the end, and not in windows", metric.name);
        return Err(ParseError::new(span, message, "take the window away".to_owned()));
    }
    if matches!(scope, Scope::Fault(_)) {
        let help = "take the window away".to_owned();
        return Err(ParseError::new(span, "a fault is judged from its begin to its undoing", help));
    }
    if slope && every {
        let help = "judge it `in the last DURATION`, or over the whole".to_owned();
        return Err(ParseError::new(span, "a slope is not judged in every window", help));
    }
    Ok(if every { Window::Every(length_us) } else { Window::Last(length_us) })
}

fn window_length(token: &Token, scope: &Scope, vocabulary: &Vocabulary) -> Result<u64, ParseError> {
    let length_us = units::parse(token.text, "us").map_err(|_| {
        let help = "write a time such as `10s`, `1m`, `1h`".to_owned();
        ParseError::new(
            token.span.clone(),
            format!("`{}` is not a time", shortened(token.text)),
            help,
        )
    })?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates, and both ends are refused below"
    )]
    let length_us = length_us.round() as u64;
    if length_us < mallard_protocol::INTERVAL_US {
        let help = "intervals are 1 s long; no window can be shorter".to_owned();
        let message = format!("a window of {} is too short", token.text);
        return Err(ParseError::new(token.span.clone(), message, help));
    }
    // How long a phase lasts is not known here; the judge finds no full window if it is too short.
    let limit_us = vocabulary.measured_us;
    if length_us > limit_us && !matches!(scope, Scope::Phase(_)) {
        #[expect(clippy::cast_precision_loss, reason = "times are below 2^53 µs")]
        let measured = units::human(limit_us as f64, "us");
        let message = format!(
            "a window of {} is longer than the measured phases, which last {measured}",
            token.text
        );
        let help = "shorten the window, or lengthen the load".to_owned();
        return Err(ParseError::new(token.span.clone(), message, help));
    }
    Ok(length_us)
}

pub(crate) fn check_needs(
    metric: &Metric,
    span: &Range<usize>,
    vocabulary: &Vocabulary,
) -> Result<(), ParseError> {
    let Some((reason, help)) = why_not(metric.needs, vocabulary) else { return Ok(()) };
    let message = format!("this scenario cannot produce `{}`: {reason}", metric.name);
    let instead = metric.name.replace("produce.response.", "produce.service.");
    let help = if metric.needs == Needs::Schedule && instead != metric.name {
        format!("{help}, or judge `{instead}`")
    } else {
        help.to_owned()
    };
    Err(ParseError::new(span.clone(), message, help))
}

/// Why a scenario cannot produce a metric, and what to do.
fn why_not(needs: Needs, vocabulary: &Vocabulary) -> Option<(&'static str, &'static str)> {
    let producers = !vocabulary.producers.is_empty();
    let consumers = !vocabulary.consumers.is_empty();
    let no_producers = ("it has no producers", "add one under `producers:`");
    let no_consumers = ("it has no consumers", "add one under `consumers:`");
    match needs {
        Needs::Nothing => None,
        Needs::Producers => (!producers).then_some(no_producers),
        Needs::Pipelines => (!vocabulary.has_pipelines)
            .then_some(("no consumer has a pipeline", "give a consumer `process: {decode: json}`")),
        Needs::Consumers => (!consumers).then_some(no_consumers),
        Needs::Schedule | Needs::Transactions | Needs::Both | Needs::EndToEnd if !producers => {
            Some(no_producers)
        }
        Needs::Both | Needs::EndToEnd if !consumers => Some(no_consumers),
        Needs::Both => None,
        Needs::EndToEnd => (!vocabulary.has_end_to_end).then_some((
            "no consumer reads a topic to which stamped records are sent",
            "have a consumer read the producers' topic, and let records carry a stamp",
        )),
        Needs::Schedule => vocabulary.closed_loop_only.then_some((
            "with `rate: max` no record is due at a time, so nothing can be late and response \
             would only be service under a name that promises more",
            "give the load a rate",
        )),
        Needs::Through => (!vocabulary.has_through).then_some((
            "no consumer is measured through a pipeline",
            "add `through:` to the consumer that reads its output",
        )),
        Needs::Faults => {
            vocabulary.faults.is_empty().then_some(("it has no faults", "add one under `faults:`"))
        }
        Needs::Integrity => (!vocabulary.has_integrity).then_some((
            "records' integrity is not checked",
            "add `integrity: at-least-once`, or another guarantee, to the scenario",
        )),
        Needs::Groups => vocabulary.groups.is_empty().then_some((
            "it observes no consumer group",
            "name the group under `observe: {groups: […]}`",
        )),
        Needs::Transactions => (!vocabulary.has_transactions)
            .then_some(("no producer uses transactions", "add `transactions:` to a producer")),
    }
}

/// Whether a scenario can produce a metric.
#[must_use]
pub fn is_produced(metric: &Metric, vocabulary: &Vocabulary) -> bool {
    why_not(metric.needs, vocabulary).is_none()
}
