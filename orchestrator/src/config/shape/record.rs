//! Mappings with known keys.

use super::{Reader, Shape, Takes, or_parameter};
use crate::{
    config::{
        source::{Place, Source},
        yaml::{Entry, Kind, Node},
    },
    text::nearest::suggest,
};
use serde_json::{Map, Value as Json, json};

/// A mapping with known keys.
pub struct Record<T> {
    what: &'static str,
    fields: fn(&mut Fields<'_>) -> Option<T>,
}

/// A mapping whose keys a function asks for. It must ask for all of them whatever it finds, and only
/// then give up: every key asked for is an allowed key, in messages and in the schema.
pub fn record<T>(what: &'static str, fields: fn(&mut Fields<'_>) -> Option<T>) -> Record<T> {
    Record { what, fields }
}

impl<T> Shape for Record<T> {
    type Value = T;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<T> {
        let Kind::Map(entries) = &node.kind else {
            reader.mismatch(node, &self.expected());
            return None;
        };
        let before = reader.errors();
        let mode = Mode::Read { node, entries, reader };
        let mut fields = Fields { mode, known: Vec::new(), before, explain: |_| None };
        let value = (self.fields)(&mut fields);
        let (known, explain) = (std::mem::take(&mut fields.known), fields.explain);
        for entry in entries.iter().filter(|entry| !known.contains(&&*entry.key)) {
            let message = format!("unknown key `{}` in {}", entry.key, self.what);
            let help = explain(&entry.key);
            let help = help.unwrap_or_else(|| suggest(&entry.key, &known, "allowed"));
            reader.error(&entry.at, message, help);
        }
        value
    }

    fn schema(&self) -> Json {
        let mut mode = Mode::Describe { properties: Map::new(), required: Vec::new() };
        let mut fields = Fields { mode, known: Vec::new(), before: 0, explain: |_| None };
        let _ = (self.fields)(&mut fields);
        mode = fields.mode;
        let Mode::Describe { properties, required } = mode else { return json!({}) };
        let mut schema = json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    fn takes(&self) -> Takes {
        Takes::MAP
    }

    fn expected(&self) -> String {
        format!("a mapping ({})", self.what)
    }
}

/// The keys of a mapping, asked for one by one.
pub struct Fields<'a> {
    mode: Mode<'a>,
    known: Vec<&'static str>,
    /// Errors before the mapping was read.
    before: usize,
    /// What is known about keys that belong elsewhere.
    explain: fn(&str) -> Option<String>,
}

enum Mode<'a> {
    Read { node: &'a Node, entries: &'a [Entry], reader: &'a mut Reader },
    Describe { properties: Map<String, Json>, required: Vec<&'static str> },
}

impl Fields<'_> {
    /// A key that must be there.
    pub fn required<S: Shape>(
        &mut self,
        key: &'static str,
        doc: &str,
        shape: S,
    ) -> Option<S::Value> {
        self.describe(key, doc, &shape, None, true);
        match self.value(key) {
            Some(node) => self.read(&node, &shape),
            None => {
                if let Mode::Read { node, reader, .. } = &mut self.mode {
                    let message = format!("the key `{key}` is missing");
                    let mut doc = doc.trim_end_matches('.').to_owned();
                    doc[..1].make_ascii_lowercase();
                    let help = format!("`{key}` is {}: {doc}", shape.expected());
                    reader.error(node.anchor(), message, help);
                }
                None
            }
        }
    }

    /// A key that may be left out.
    pub fn optional<S: Shape>(
        &mut self,
        key: &'static str,
        doc: &str,
        shape: S,
    ) -> Option<Option<S::Value>> {
        self.describe(key, doc, &shape, None, false);
        match self.value(key) {
            Some(node) => self.read(&node, &shape).map(Some),
            None => Some(None),
        }
    }

    /// A key with a default, as the schema shows it and as it is.
    pub fn default<S: Shape>(
        &mut self,
        key: &'static str,
        doc: &str,
        shape: S,
        shown: impl Into<Json>,
        default: S::Value,
    ) -> Option<S::Value> {
        self.describe(key, doc, &shape, Some(shown.into()), false);
        match self.value(key) {
            Some(node) => self.read(&node, &shape),
            None => Some(default),
        }
    }

    /// A key that is known and not there yet in this version.
    pub fn later(&mut self, key: &'static str, what: &str) {
        if let Some(node) = self.value(key) {
            self.known.push(key);
            if let Mode::Read { reader, .. } = &mut self.mode {
                let message = format!("`{key}` ({what}) is not in this version of mallard");
                reader.error(node.anchor(), message, "remove it, or take a newer version");
            }
        }
    }

    /// A key that another shape of the same mapping reads: allowed in messages, absent from the schema.
    pub fn elsewhere(&mut self, key: &'static str) {
        self.known.push(key);
    }

    /// Says what is known about keys that belong elsewhere, for the help on unknown ones.
    pub fn explain_unknown(&mut self, explain: fn(&str) -> Option<String>) {
        self.explain = explain;
    }

    /// Whether no mistake has been noted in the mapping so far.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match &self.mode {
            Mode::Read { reader, .. } => reader.errors() == self.before,
            Mode::Describe { .. } => true,
        }
    }

    /// The place of the mapping: its key, if it has one.
    #[must_use]
    pub fn at(&self) -> Place {
        match &self.mode {
            Mode::Read { node, .. } => node.anchor().clone(),
            Mode::Describe { .. } => Source::new("", "").whole(),
        }
    }

    /// Notes a mistake about the mapping's keys together.
    pub fn error(&mut self, at: &Place, message: impl Into<String>, help: impl Into<String>) {
        if let Mode::Read { reader, .. } = &mut self.mode {
            reader.error(at, message, help);
        }
    }

    /// The place of a key, if it is there.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Option<Place> {
        let Mode::Read { entries, .. } = &self.mode else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| entry.at.clone())
    }

    fn value(&self, key: &str) -> Option<Node> {
        let Mode::Read { entries, .. } = &self.mode else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone())
    }

    fn read<S: Shape>(&mut self, node: &Node, shape: &S) -> Option<S::Value> {
        match &mut self.mode {
            Mode::Read { reader, .. } => shape.read(node, reader),
            Mode::Describe { .. } => None,
        }
    }

    fn describe<S: Shape>(
        &mut self,
        key: &'static str,
        doc: &str,
        shape: &S,
        default: Option<Json>,
        must: bool,
    ) {
        self.known.push(key);
        let Mode::Describe { properties, required } = &mut self.mode else { return };
        let mut schema = or_parameter(shape.schema());
        if let Json::Object(object) = &mut schema {
            object.insert("description".into(), json!(doc));
            if let Some(default) = default {
                object.insert("default".into(), default);
            }
        }
        properties.insert(key.into(), schema);
        if must {
            required.push(key);
        }
    }
}
