//! Bounds that are set: read with their places, laid over one another, made into expectations.

use super::keys::{KEYS, Key};
use crate::{
    config::{
        shape::{Fields, Reader, Shape, scalar, shortened, units::Wrong},
        source::Place,
        yaml::{Entry, Kind, Node, Scalar},
    },
    expect::{Expectation, Scope, Vocabulary, Window, is_produced},
    metrics,
};
use serde_json::json;

/// A bound.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its key.
    pub key: &'static Key,
    /// Its value in the key's unit.
    pub value: f64,
    /// The value as it is written.
    pub text: String,
    /// Where it is written.
    pub at: Place,
}

/// Bounds, at most one a key, in the order of [`KEYS`].
#[derive(Clone, Debug, Default)]
pub struct Limits(Vec<Limit>);

impl Limits {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        self.0.iter()
    }

    /// Whether nothing is bounded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bound of a key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Limit> {
        self.0.iter().find(|limit| limit.key.name == name)
    }

    /// Puts other bounds in the place of these, key by key.
    pub(crate) fn lay_over(&mut self, over: &Self) {
        let both = |key: &Key| over.get(key.name).or_else(|| self.get(key.name)).cloned();
        self.0 = KEYS.iter().filter_map(both).collect();
    }

    /// Each bound as an expectation of a case. A bound that the case cannot be judged by is left out,
    /// and that is said.
    pub(crate) fn expectations(
        &self,
        case: &str,
        vocabulary: &Vocabulary,
        reader: &mut Reader,
    ) -> Vec<Expectation> {
        let mut expectations = Vec::new();
        for limit in &self.0 {
            let Some(metric) = metrics::find(limit.key.metric) else { continue };
            if !is_produced(metric, vocabulary) {
                let message = format!("`{}` bounds nothing in `{case}`", limit.key.name);
                let help = format!("the case cannot produce `{}`", metric.name);
                reader.warn(&limit.at, message, help);
                continue;
            }
            expectations.push(Expectation {
                text: format!("{}: {}", limit.key.name, limit.text),
                metric,
                scope: Scope::Whole,
                outside_faults: false,
                slope: false,
                comparison: limit.key.comparison,
                limit: limit.value * limit.key.factor,
                window: Window::Whole,
                source: (limit.at.source.path.clone(), Some(limit.at.line())),
            });
        }
        expectations
    }

    /// The bounds as a mapping, for the archive.
    pub(crate) fn to_node(&self, at: &Place) -> Node {
        let node = |kind| Node { kind, at: at.clone(), key: None };
        let entry = |limit: &Limit| {
            let text = limit.text.clone();
            let value = Kind::Scalar(Scalar { text, plain: true, secret: false });
            Entry { key: limit.key.name.to_owned(), at: at.clone(), value: node(value) }
        };
        node(Kind::Map(self.0.iter().map(entry).collect()))
    }
}

/// Reads bounds of which all must be there.
pub(crate) fn all(fields: &mut Fields<'_>) -> Option<Limits> {
    let read = KEYS.iter().map(|key| fields.required(key.name, key.doc, limit(key)));
    let read: Vec<_> = read.collect();
    read.into_iter().collect::<Option<Vec<_>>>().map(Limits)
}

/// Reads bounds of which any may be there.
pub(crate) fn some(fields: &mut Fields<'_>) -> Option<Limits> {
    let read = KEYS.iter().map(|key| fields.optional(key.name, key.doc, limit(key)));
    let read: Vec<_> = read.collect();
    let read = read.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Limits(read.into_iter().flatten().collect()))
}

fn limit(key: &'static Key) -> impl Shape<Value = Limit> {
    let mut schema = json!({"type": "number", "minimum": 0});
    if key.largest < f64::MAX {
        schema["maximum"] = json!(key.largest);
    }
    let number =
        scalar("a number", schema, |s| number(s, key).map(|value| (value, s.text.clone())));
    number.located().map(move |read| {
        let (value, text) = read.value;
        Limit { key, value, text, at: read.at }
    })
}

/// A number as JSON spells it, not negative and not beyond what makes sense.
fn number(scalar: &Scalar, key: &Key) -> Result<f64, Wrong> {
    let largest = if key.largest < f64::MAX {
        format!("from 0 to {}", key.largest)
    } else {
        "0 or more".to_owned()
    };
    let help = format!("allowed: {largest}");
    let spelled = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    let value = scalar.text.parse::<f64>().ok();
    match value.filter(|v| scalar.plain && v.is_finite() && scalar.text.chars().all(spelled)) {
        Some(value) if (0.0..=key.largest).contains(&value) => Ok(value),
        Some(_) => Err(Wrong::new(format!("{} is out of range", shortened(&scalar.text)), help)),
        None => {
            let what = if scalar.plain { "" } else { "the text " };
            let found = shortened(&scalar.text);
            Err(Wrong::new(format!("expected a number, found {what}`{found}`"), help))
        }
    }
}
