//! Shapes of scalars.

use super::{Reader, Shape, Takes, shortened, units::Wrong};
use crate::config::{
    source::Place,
    yaml::{Node, Scalar},
};
use serde_json::{Value as Json, json};
use std::ops::RangeInclusive;

/// A scalar read by a function.
pub struct ScalarShape<T> {
    expected: String,
    schema: Json,
    read: ReadScalar<T>,
}

type ReadScalar<T> = Box<dyn Fn(&Scalar) -> Result<T, Wrong>>;

/// A scalar that a function reads.
pub fn scalar<T>(
    expected: impl Into<String>,
    schema: Json,
    read: impl Fn(&Scalar) -> Result<T, Wrong> + 'static,
) -> ScalarShape<T> {
    ScalarShape { expected: expected.into(), schema, read: Box::new(read) }
}

impl<T> Shape for ScalarShape<T> {
    type Value = T;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<T> {
        let Some(scalar) = node.scalar().filter(|_| !node.is_null()) else {
            reader.mismatch(node, &self.expected);
            return None;
        };
        match (self.read)(scalar) {
            Ok(value) => Some(value),
            Err(wrong) => {
                let at = match wrong.part {
                    Some(part) => part_of(&node.at, &scalar.text, part),
                    None => node.at.clone(),
                };
                let hidden = scalar
                    .secret
                    .then(|| format!("the value from the environment is not {}", self.expected));
                reader.error(&at, hidden.unwrap_or(wrong.message), wrong.help);
                None
            }
        }
    }

    fn schema(&self) -> Json {
        self.schema.clone()
    }

    fn takes(&self) -> Takes {
        Takes::SCALAR
    }

    fn expected(&self) -> String {
        self.expected.clone()
    }
}

/// The place of some bytes of a scalar's text, as far as the file spells them out; else all of it.
#[must_use]
pub fn part_of(at: &Place, text: &str, part: std::ops::Range<usize>) -> Place {
    let written = at.text();
    let quote = usize::from(written.starts_with(['"', '\'']));
    let spelled_out = written.get(quote..).is_some_and(|written| written.starts_with(text));
    if spelled_out && part.end <= text.len() {
        at.part(quote + part.start, quote + part.end.max(part.start))
    } else {
        at.clone()
    }
}

/// Any text.
#[must_use]
pub fn text() -> ScalarShape<String> {
    scalar("text", json!({"type": ["string", "number", "boolean"]}), |s| Ok(s.text.clone()))
}

/// A name: letters, digits, dot, dash and underscore, up to a length.
#[must_use]
pub fn name(longest: usize) -> ScalarShape<String> {
    let pattern = format!("^[A-Za-z0-9][A-Za-z0-9._-]{{0,{}}}$", longest - 1);
    scalar("a name", json!({"type": "string", "pattern": pattern}), move |s| {
        check_name(&s.text, longest).map(|()| s.text.clone())
    })
}

/// Whether a text is a name.
///
/// # Errors
///
/// When it is empty, too long, or has a character that no file or topic may have.
pub fn check_name(text: &str, longest: usize) -> Result<(), Wrong> {
    let help = format!(
        "a name begins with a letter or digit, goes on with letters, digits, `.`, `-` and `_`, and has at most {longest} characters"
    );
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && text.chars().all(legal) && text.len() <= longest {
        return Ok(());
    }
    Err(Wrong::new(format!("`{}` cannot be a name", shortened(text)), help))
}

/// `true` or `false`.
#[must_use]
pub fn flag() -> ScalarShape<bool> {
    scalar("`true` or `false`", json!({"type": "boolean"}), |s| match (&*s.text, s.plain) {
        ("true", true) => Ok(true),
        ("false", true) => Ok(false),
        _ => Err(Wrong::new(
            format!("expected `true` or `false`, found `{}`", shortened(&s.text)),
            if s.plain { "" } else { "leave out the quotes" },
        )),
    })
}

/// A whole number.
#[must_use]
pub fn integer(range: RangeInclusive<u64>) -> ScalarShape<u64> {
    let (low, high) = (*range.start(), *range.end());
    let schema = json!({"type": "integer", "minimum": low, "maximum": high});
    scalar("a whole number", schema, move |s| {
        let allowed = format!("from {low} to {high}");
        let digits = s.text.bytes().all(|b| b.is_ascii_digit()) && s.plain;
        match s.text.parse::<u64>() {
            Ok(value) if digits && range.contains(&value) => Ok(value),
            Ok(_) | Err(_) if digits => Err(Wrong::new(
                format!("{} is out of range", shortened(&s.text)),
                format!("allowed: {allowed}"),
            )),
            _ => Err(Wrong::new(
                format!("expected a whole number, found {}", spelled(s)),
                format!("allowed: {allowed}{}", if s.plain { "" } else { ", without quotes" }),
            )),
        }
    })
}

/// A number, above or equal to a limit and at most another.
#[must_use]
pub fn number(low: f64, high: f64) -> ScalarShape<f64> {
    let schema = json!({"type": "number", "minimum": low, "maximum": high});
    scalar("a number", schema, move |s| {
        let help = format!("allowed: from {low} to {high}");
        let plain = |c: char| c.is_ascii_digit() || ".-".contains(c);
        let value = s.text.parse::<f64>().ok().filter(|_| s.plain && s.text.chars().all(plain));
        match value {
            Some(value) if (low..=high).contains(&value) => Ok(value),
            Some(_) => Err(Wrong::new(format!("{} is out of range", shortened(&s.text)), help)),
            None => Err(Wrong::new(format!("expected a number, found {}", spelled(s)), help)),
        }
    })
}

fn spelled(scalar: &Scalar) -> String {
    let quoted = if scalar.plain { "" } else { "the text " };
    format!("{quoted}`{}`", shortened(&scalar.text))
}
