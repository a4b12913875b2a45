//! Lists, and mappings whose keys the user chooses.

use super::{Located, Reader, Shape, Takes, or_parameter, text};
use crate::config::{
    source::Place,
    yaml::{Kind, Node},
};
use serde_json::{Value as Json, json};

/// A list of one shape.
pub struct List<S> {
    shape: S,
    at_least_one: bool,
}

/// A list, possibly empty.
pub fn list<S: Shape>(shape: S) -> List<S> {
    List { shape, at_least_one: false }
}

/// A list with at least one item.
pub fn list_of_some<S: Shape>(shape: S) -> List<S> {
    List { shape, at_least_one: true }
}

impl<S: Shape> Shape for List<S> {
    type Value = Vec<S::Value>;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Self::Value> {
        let Kind::List(items) = &node.kind else {
            if node.kind != Kind::Invalid {
                let scalar = node.scalar().filter(|s| !s.secret && !node.is_null());
                let help = scalar.map(|s| format!("write `[{}]`", super::shortened(&s.text)));
                let message = format!("expected {}, found {}", self.expected(), super::found(node));
                reader.error(&node.at, message, help.unwrap_or_default());
            }
            return None;
        };
        if items.is_empty() && self.at_least_one {
            reader.error(
                node.anchor(),
                format!("expected {}, found an empty list", self.expected()),
                "",
            );
            return None;
        }
        Some(items.iter().filter_map(|item| self.shape.read(item, reader)).collect())
    }

    fn schema(&self) -> Json {
        let mut schema = json!({"type": "array", "items": or_parameter(self.shape.schema())});
        if self.at_least_one {
            schema["minItems"] = json!(1);
        }
        schema
    }

    fn takes(&self) -> Takes {
        Takes::LIST
    }

    fn expected(&self) -> String {
        format!("a list, each item {}", self.shape.expected())
    }
}

/// A mapping whose keys the user chooses.
pub struct Mapping<S> {
    what: &'static str,
    shape: S,
    longest: Option<usize>,
}

/// A mapping from names to one shape: name, its place, value.
pub fn mapping<S: Shape>(what: &'static str, longest: usize, shape: S) -> Mapping<S> {
    Mapping { what, shape, longest: Some(longest) }
}

/// A mapping from any text to one shape: patterns, say.
pub fn entries<S: Shape>(what: &'static str, shape: S) -> Mapping<S> {
    Mapping { what, shape, longest: None }
}

impl<S: Shape> Shape for Mapping<S> {
    type Value = Vec<(Located<String>, S::Value)>;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Self::Value> {
        let Kind::Map(entries) = &node.kind else {
            reader.mismatch(node, &self.expected());
            return None;
        };
        let mut read = Vec::new();
        for entry in entries {
            if let Some(longest) = self.longest
                && let Err(wrong) = super::scalar::check_name(&entry.key, longest)
            {
                reader.error(&entry.at, wrong.message, wrong.help);
            } else if super::shown::check_characters(&entry.key, &entry.at, reader).is_none() {
                continue;
            }
            let key = located(&entry.key, &entry.at);
            read.extend(self.shape.read(&entry.value, reader).map(|value| (key, value)));
        }
        Some(read)
    }

    fn schema(&self) -> Json {
        let mut schema =
            json!({"type": "object", "additionalProperties": or_parameter(self.shape.schema())});
        if let Some(longest) = self.longest {
            let pattern = format!("^[A-Za-z0-9][A-Za-z0-9._-]{{0,{}}}$", longest - 1);
            schema["propertyNames"] = json!({"pattern": pattern});
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

fn located(key: &str, at: &Place) -> Located<String> {
    Located { value: key.to_owned(), at: at.clone(), anchor: at.clone() }
}

/// A property: text under a name of the user's.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its name.
    pub key: Located<String>,
    /// Its value.
    pub value: Located<String>,
}

/// A mapping of properties: client properties, topic configuration, headers.
pub fn properties(what: &'static str) -> impl Shape<Value = Vec<Property>> {
    let mapping = Mapping { what, shape: text().located(), longest: None };
    mapping.map(|pairs| pairs.into_iter().map(|(key, value)| Property { key, value }).collect())
}
