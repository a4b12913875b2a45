//! Reads one expectation across cases and checks it against the scenario's matrix.

use super::{Across, Side};
use crate::{
    expect::{
        ParseError, Vocabulary,
        parse::{check_needs, parse_comparison, parse_metric},
        tokens::Tokens,
    },
    text::{nearest::suggest, units},
};
use std::{ops::Range, path::PathBuf};

/// An axis of the matrix: its name and its values, as written.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

const FORM: &str =
    "write `METRIC at NAME=VALUE >= 90% of that at NAME=VALUE`, with names of the matrix";

/// Reads an expectation. Its `source` is left empty.
///
/// # Errors
///
/// The first mistake with its place, what is allowed, and the nearest name.
pub(crate) fn parse(text: &str, axes: &[Axis]) -> Result<Across, ParseError> {
    let mut tokens = Tokens::new(text);
    let (metric, _) = parse_metric(&mut tokens)?;
    tokens.require("at", FORM)?;
    let every = tokens.take("every").is_some();
    let left = if every {
        Side::Every(axis(&mut tokens, axes)?.name.clone())
    } else {
        Side::At(values(&mut tokens, axes)?)
    };
    let comparison = parse_comparison(&mut tokens)?;
    let factor = factor(&mut tokens)?;
    tokens.require("of", FORM)?;
    let is_linear = tokens.take("linear").is_some();
    let words: &[&str] = if is_linear { &["from"] } else { &["that", "at"] };
    for expected in words {
        tokens.require(expected, FORM)?;
    }
    let start = tokens.peek().map_or_else(|| tokens.end(), |token| token.span);
    let right = values(&mut tokens, axes)?;
    if let Some(extra) = tokens.next() {
        let span = extra.span.start..text.len();
        let message = format!("`{}` does not belong here", &text[span.clone()]);
        return Err(ParseError { span, message, help: Some(FORM.to_owned()) });
    }
    let span = start.start..text.len();
    let wrong = |message: String, help: &str| {
        Err(ParseError { span: span.clone(), message, help: Some(help.to_owned()) })
    };
    if let Some(name) = difference(&left, &right) {
        let help = "both sides name the same axes, with different values";
        return wrong(format!("the two sides do not belong together: {name}"), help);
    }
    let linear = right.first().filter(|_| is_linear).cloned();
    let numeric = |value: &String| value.parse::<f64>().is_ok_and(|number| number > 0.0);
    if let Some((name, value)) = &linear
        && !(numeric(value) && numbers_of(name, &left, axes).iter().all(numeric))
    {
        let help = "a scaling is over one axis whose values are numbers, such as `parallelism`";
        return wrong(format!("`{name}` does not hold numbers above zero only"), help);
    }
    if is_linear && right.len() != 1 {
        return wrong("a scaling is over one axis".to_owned(), "name a single axis on each side");
    }
    let linear = linear.map(|(name, _)| name);
    let source = (PathBuf::new(), None);
    Ok(Across {
        text: text.trim().to_owned(),
        metric,
        left,
        comparison,
        factor,
        linear,
        right,
        source,
    })
}

/// Checks that a case can produce the metric of an expectation.
///
/// # Errors
///
/// Why it cannot, with the metric's place.
pub(crate) fn check_produced(text: &str, vocabulary: &Vocabulary) -> Result<(), ParseError> {
    let (metric, span) = parse_metric(&mut Tokens::new(text))?;
    check_needs(metric, &span, vocabulary)
}

/// Values of an axis that the left side judges.
fn numbers_of(name: &str, left: &Side, axes: &[Axis]) -> Vec<String> {
    match left {
        Side::Every(_) => {
            axes.iter().filter(|axis| axis.name == name).flat_map(|a| a.values.clone()).collect()
        }
        Side::At(values) => values.iter().map(|(_, value)| value.clone()).collect(),
    }
}

/// What is wrong with the sides together, if anything.
fn difference(left: &Side, right: &[(String, String)]) -> Option<String> {
    match left {
        Side::Every(name) => {
            let same = right.iter().any(|(axis, _)| axis == name);
            (!same || right.len() != 1).then(|| format!("the left one is over `{name}`"))
        }
        Side::At(values) if values == right => Some("they are the same".to_owned()),
        Side::At(values) => {
            let missing = |of: &[(String, String)], others: &[(String, String)]| {
                let one =
                    of.iter().find(|(axis, _)| !others.iter().any(|(other, _)| other == axis));
                one.map(|(axis, _)| format!("only one of them names `{axis}`"))
            };
            missing(values, right).or_else(|| missing(right, values))
        }
    }
}

/// A factor: `90%`, `0.9`, `1.5`.
fn factor(tokens: &mut Tokens<'_>) -> Result<f64, ParseError> {
    let Some(token) = tokens.next() else {
        let help = Some("write a share such as `90%`, or a number such as `1.5`".to_owned());
        return Err(ParseError {
            span: tokens.end(),
            message: "the factor is missing".into(),
            help,
        });
    };
    match units::parse(token.text, "ratio") {
        Ok(factor) if factor > 0.0 => Ok(factor),
        _ => Err(ParseError {
            span: token.span.clone(),
            message: format!("`{}` is not a factor", token.text),
            help: Some("write a share such as `90%`, or a number such as `1.5`".to_owned()),
        }),
    }
}

fn axis<'a>(tokens: &mut Tokens<'_>, axes: &'a [Axis]) -> Result<&'a Axis, ParseError> {
    let names: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
    let (span, name) = next_or_end(tokens);
    axes.iter().find(|axis| axis.name == name).ok_or_else(|| ParseError {
        span,
        message: format!("the matrix has no axis `{name}`"),
        help: Some(suggest(&name, &names, "axes")),
    })
}

/// The next token's place and text; of the end, nothing.
fn next_or_end(tokens: &mut Tokens<'_>) -> (Range<usize>, String) {
    match tokens.next() {
        Some(token) => (token.span.clone(), token.text.to_owned()),
        None => (tokens.end(), String::new()),
    }
}

/// `NAME=VALUE [and NAME=VALUE]…`
fn values(tokens: &mut Tokens<'_>, axes: &[Axis]) -> Result<Vec<(String, String)>, ParseError> {
    let mut values = Vec::new();
    loop {
        let axis = axis(tokens, axes)?;
        tokens.require("=", FORM)?;
        let (span, value) = next_or_end(tokens);
        if !axis.values.contains(&value) {
            let known: Vec<&str> = axis.values.iter().map(String::as_str).collect();
            return Err(ParseError {
                span,
                message: format!("`{}` has no value `{value}`", axis.name),
                help: Some(suggest(&value, &known, "values")),
            });
        }
        values.push((axis.name.clone(), value));
        if tokens.take("and").is_none() {
            return Ok(values);
        }
    }
}
