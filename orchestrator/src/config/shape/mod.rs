//! Shapes: what a node should be, said once, and used twice: to read it and to write its JSON Schema.
//!
//! A shape reads a node into the best value that it can make of it, and notes every mistake on the way.
//! `None` means that nothing could be made; a value says nothing about mistakes, the notes do. So a file's
//! mistakes come out all at once, and what belongs together is checked as far as it is there.

mod choice;
mod collection;
pub mod quantity;
mod record;
mod scalar;
mod shown;
pub mod units;

pub use choice::{Tagged, either, tagged, words};
pub use collection::{Property, entries, list, list_of_some, mapping, properties};
pub use record::{Fields, Record, record};
pub use scalar::{ScalarShape, check_name, flag, integer, name, number, part_of, scalar, text};
pub use shown::Shown;

use super::{
    Diagnostic, Severity,
    source::Place,
    yaml::{Kind, Node},
};
use serde_json::{Value as Json, json};

/// What a node should be.
pub trait Shape {
    /// What it is read into.
    type Value;

    /// Reads a node and notes its mistakes; `None` if nothing could be made of it.
    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Self::Value>;

    /// The shape as JSON Schema.
    fn schema(&self) -> Json;

    /// The kinds of nodes that can be right.
    fn takes(&self) -> Takes;

    /// What is expected, for messages: "a rate such as `5000/s`".
    fn expected(&self) -> String;

    /// The same shape, with another value.
    fn map<U, F: Fn(Self::Value) -> U>(self, change: F) -> Mapped<Self, F>
    where
        Self: Sized,
    {
        Mapped { shape: self, change }
    }

    /// The same shape, with something to go on with in the place of what cannot be read.
    fn or_stand_in(self, stand_in: fn(&Node) -> Self::Value) -> StandIn<Self>
    where
        Self: Sized,
    {
        StandIn { shape: self, stand_in }
    }

    /// The same shape, for what reports show: no secrets, and nothing that steers a terminal.
    fn shown(self) -> Shown<Self>
    where
        Self: Sized,
    {
        Shown(self)
    }

    /// The same shape, with the place of its value.
    fn located(self) -> WithPlace<Self>
    where
        Self: Sized,
    {
        WithPlace(self)
    }
}

/// Kinds of nodes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Takes {
    /// Scalars.
    pub scalar: bool,
    /// Sequences.
    pub list: bool,
    /// Mappings.
    pub map: bool,
}

impl Takes {
    pub(super) const SCALAR: Self = Self { scalar: true, list: false, map: false };
    pub(super) const LIST: Self = Self { scalar: false, list: true, map: false };
    pub(super) const MAP: Self = Self { scalar: false, list: false, map: true };

    fn fits(self, node: &Node) -> bool {
        match node.kind {
            Kind::Scalar(_) => self.scalar,
            Kind::List(_) => self.list,
            Kind::Map(_) => self.map,
            Kind::Invalid => true,
        }
    }
}

/// Collects mistakes while nodes are read.
#[derive(Debug, Default)]
pub struct Reader {
    /// What was noted.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reader {
    /// Notes a mistake.
    pub fn error(&mut self, at: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.note(Severity::Error, at, message.into(), help.into());
    }

    /// Notes something that is allowed and probably not meant.
    pub fn warn(&mut self, at: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.note(Severity::Warning, at, message.into(), help.into());
    }

    fn note(&mut self, severity: Severity, at: &Place, message: String, help: String) {
        let help = (!help.is_empty()).then_some(help);
        self.diagnostics.push(at.diagnostic(severity, message, help));
    }

    /// Notes that a node is of another kind than expected.
    pub fn mismatch(&mut self, node: &Node, expected: &str) {
        if node.kind != Kind::Invalid {
            self.error(&node.at, format!("expected {expected}, found {}", found(node)), "");
        }
    }

    /// How many of the notes prevent a run.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count()
    }

    /// Whether anything noted prevents a run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Longest value that a message repeats, in characters.
const SHOWN: usize = 60;

/// What a node is, for messages.
fn found(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(_) if node.is_null() => "nothing".to_owned(),
        Kind::Scalar(scalar) if scalar.secret => "a value from the environment".to_owned(),
        Kind::Scalar(scalar) => format!("`{}`", shortened(&scalar.text)),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a mapping".to_owned(),
        Kind::Invalid => "a mistake".to_owned(),
    }
}

/// A value short enough for a message.
#[must_use]
pub fn shortened(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub at: Place,
    /// Where to show what is wrong with it as a whole: its key, if it has one.
    pub anchor: Place,
}

/// See [`Shape::located`].
#[derive(Clone, Debug)]
pub struct WithPlace<S>(S);

impl<S: Shape> Shape for WithPlace<S> {
    type Value = Located<S::Value>;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Self::Value> {
        let value = self.0.read(node, reader)?;
        Some(Located { value, at: node.at.clone(), anchor: node.anchor().clone() })
    }

    fn schema(&self) -> Json {
        self.0.schema()
    }

    fn takes(&self) -> Takes {
        self.0.takes()
    }

    fn expected(&self) -> String {
        self.0.expected()
    }
}

/// See [`Shape::or_stand_in`].
#[derive(Clone, Copy, Debug)]
pub struct StandIn<S: Shape> {
    shape: S,
    stand_in: fn(&Node) -> S::Value,
}

impl<S: Shape> Shape for StandIn<S> {
    type Value = S::Value;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<S::Value> {
        Some(self.shape.read(node, reader).unwrap_or_else(|| (self.stand_in)(node)))
    }

    fn schema(&self) -> Json {
        self.shape.schema()
    }

    fn takes(&self) -> Takes {
        self.shape.takes()
    }

    fn expected(&self) -> String {
        self.shape.expected()
    }
}

/// See [`Shape::map`].
#[derive(Clone, Debug)]
pub struct Mapped<S, F> {
    shape: S,
    change: F,
}

impl<S: Shape, U, F: Fn(S::Value) -> U> Shape for Mapped<S, F> {
    type Value = U;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<U> {
        self.shape.read(node, reader).map(&self.change)
    }

    fn schema(&self) -> Json {
        self.shape.schema()
    }

    fn takes(&self) -> Takes {
        self.shape.takes()
    }

    fn expected(&self) -> String {
        self.shape.expected()
    }
}

/// Any node at all, for values whose shape shows only where they are used: parameters.
#[derive(Clone, Copy, Debug)]
pub struct Anything;

impl Shape for Anything {
    type Value = Node;

    fn read(&self, node: &Node, _reader: &mut Reader) -> Option<Node> {
        (node.kind != Kind::Invalid).then(|| node.clone())
    }

    fn schema(&self) -> Json {
        json!({})
    }

    fn takes(&self) -> Takes {
        Takes { scalar: true, list: true, map: true }
    }

    fn expected(&self) -> String {
        "a value".to_owned()
    }
}

/// The schema of a place in a file, where a `$parameter` may stand for any value.
fn or_parameter(schema: Json) -> Json {
    let takes_any_text = schema.get("type") == Some(&json!("string"))
        && schema.get("pattern").is_none()
        && schema.get("enum").is_none();
    if takes_any_text || schema == json!({}) {
        return schema;
    }
    json!({"anyOf": [schema, {"$ref": "#/$defs/parameter"}]})
}

/// A whole file's schema.
#[must_use]
pub fn file_schema(title: &str, id: &str, shape: &dyn Shape<Value = impl Sized>) -> Json {
    let mut schema = shape.schema();
    if let Json::Object(object) = &mut schema {
        object.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("$id".into(), json!(id));
        object.insert("title".into(), json!(title));
        let parameter = json!({
            "type": "string",
            "pattern": r"^\$[A-Za-z_{]",
            "description": "`$name`: a parameter's value. `${NAME}`: a secret from the environment.",
        });
        object.insert("$defs".into(), json!({"parameter": parameter}));
    }
    schema
}
