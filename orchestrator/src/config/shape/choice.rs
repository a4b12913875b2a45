//! One of several.

use super::{Reader, Shape, Takes, or_parameter};
use crate::{
    config::yaml::{Kind, Node},
    text::nearest::{listed, nearest, suggest},
};
use serde_json::{Value as Json, json};

/// Fixed words, and perhaps another kind of scalar beside them.
pub struct Words<T> {
    words: Vec<(&'static str, T)>,
    other: Option<Box<dyn Shape<Value = T>>>,
}

/// One of some words.
pub fn words<T: Clone>(words: impl IntoIterator<Item = (&'static str, T)>) -> Words<T> {
    Words { words: words.into_iter().collect(), other: None }
}

impl<T: Clone> Words<T> {
    /// One of the words, or something else: a number.
    #[must_use]
    pub fn or(mut self, other: impl Shape<Value = T> + 'static) -> Self {
        self.other = Some(Box::new(other));
        self
    }

    fn names(&self) -> Vec<&'static str> {
        self.words.iter().map(|(word, _)| *word).collect()
    }
}

impl<T: Clone> Shape for Words<T> {
    type Value = T;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<T> {
        let text = node.scalar().filter(|_| !node.is_null()).map(|scalar| &scalar.text);
        if let Some((_, value)) =
            self.words.iter().find(|(word, _)| text.is_some_and(|t| t == word))
        {
            return Some(value.clone());
        }
        let numeric = text.is_some_and(|t| t.starts_with(|c: char| c.is_ascii_digit()));
        match (&self.other, text) {
            (Some(other), Some(_)) if numeric => other.read(node, reader),
            (Some(other), None)
                if other.takes().fits(node) && text.is_none() && !node.is_null() =>
            {
                other.read(node, reader)
            }
            (_, Some(text)) => {
                let message = format!("expected {}, found {}", self.expected(), super::found(node));
                let near = nearest(text, self.names());
                let help = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
                reader.error(&node.at, message, help);
                None
            }
            _ => {
                reader.mismatch(node, &self.expected());
                None
            }
        }
    }

    fn schema(&self) -> Json {
        let words = json!({"enum": self.names()});
        match &self.other {
            Some(other) => json!({"anyOf": [words, other.schema()]}),
            None => words,
        }
    }

    fn takes(&self) -> Takes {
        let other = self.other.as_ref().map_or(Takes::default(), |other| other.takes());
        Takes { scalar: true, ..other }
    }

    fn expected(&self) -> String {
        let names = self.names();
        match &self.other {
            Some(other) => format!("{} or {}", listed(&names), other.expected()),
            None if names.len() == 1 => listed(&names),
            None => format!("one of {}", listed(&names)),
        }
    }
}

/// One of two shapes, distinguished by the kind of node.
pub struct Either<A, B>(A, B);

/// The first shape, or the second one for nodes of a kind that the first does not take.
pub fn either<A: Shape, B: Shape<Value = A::Value>>(a: A, b: B) -> Either<A, B> {
    Either(a, b)
}

impl<A: Shape, B: Shape<Value = A::Value>> Either<A, B> {
    /// What the first shape expected of a node that it could not read, the second one might have taken.
    fn widen(&self, failed: bool, reader: &mut Reader) {
        let narrow = format!("expected {},", self.0.expected());
        if let Some(last) = reader.diagnostics.last_mut().filter(|_| failed)
            && let Some(rest) = last.message.strip_prefix(&narrow)
        {
            last.message = format!("expected {},{rest}", self.expected());
        }
    }
}

impl<A: Shape, B: Shape<Value = A::Value>> Shape for Either<A, B> {
    type Value = A::Value;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<A::Value> {
        if node.is_null() || !(self.0.takes().fits(node) || self.1.takes().fits(node)) {
            reader.mismatch(node, &self.expected());
            None
        } else if self.0.takes().fits(node) {
            let value = self.0.read(node, reader);
            self.widen(value.is_none(), reader);
            value
        } else {
            self.1.read(node, reader)
        }
    }

    fn schema(&self) -> Json {
        json!({"anyOf": [self.0.schema(), self.1.schema()]})
    }

    fn takes(&self) -> Takes {
        let (a, b) = (self.0.takes(), self.1.takes());
        Takes { scalar: a.scalar || b.scalar, list: a.list || b.list, map: a.map || b.map }
    }

    fn expected(&self) -> String {
        format!("{}, or {}", self.0.expected(), self.1.expected())
    }
}

/// A mapping with one key, which says what its value is: `hold: {…}`.
pub struct Tagged<T> {
    what: &'static str,
    variants: Vec<Variant<T>>,
    later: Vec<(&'static str, &'static str)>,
    beside: Option<&'static str>,
}

struct Variant<T> {
    tag: &'static str,
    doc: &'static str,
    shape: Box<dyn Shape<Value = T>>,
}

/// A mapping with one key out of several; `what` names the thing in messages.
#[must_use]
pub fn tagged<T>(what: &'static str) -> Tagged<T> {
    Tagged { what, variants: Vec::new(), later: Vec::new(), beside: None }
}

impl<T> Tagged<T> {
    /// Adds a key.
    #[must_use]
    pub fn variant(
        mut self,
        tag: &'static str,
        doc: &'static str,
        shape: impl Shape<Value = T> + 'static,
    ) -> Self {
        self.variants.push(Variant { tag, doc, shape: Box::new(shape) });
        self
    }

    /// Adds a key that is known and not there yet in this version.
    #[must_use]
    pub fn later(mut self, tag: &'static str, what: &'static str) -> Self {
        self.later.push((tag, what));
        self
    }

    /// Adds a key that another shape reads in this one's place, for messages.
    #[must_use]
    pub fn beside(mut self, tag: &'static str) -> Self {
        self.beside = Some(tag);
        self
    }

    fn tags(&self) -> Vec<&'static str> {
        self.beside.into_iter().chain(self.variants.iter().map(|variant| variant.tag)).collect()
    }
}

impl<T> Shape for Tagged<T> {
    type Value = T;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<T> {
        let tags = self.tags();
        let Kind::Map(entries) = &node.kind else {
            if node.kind != Kind::Invalid {
                let word = node.scalar().filter(|s| tags.contains(&&*s.text));
                let help = word.map(|s| format!("write `{}: …`", s.text)).unwrap_or_default();
                let message = format!("expected {}, found {}", self.expected(), super::found(node));
                reader.error(&node.at, message, help);
            }
            return None;
        };
        let Some(entry) = entries.first() else {
            reader.error(
                node.anchor(),
                format!("expected {}, found an empty mapping", self.expected()),
                "",
            );
            return None;
        };
        if let Some(second) = entries.get(1) {
            let message = format!("{} has one key, and this is its second", self.what);
            let help = format!("indent `{}` if it belongs to `{}`", second.key, entry.key);
            reader.error(&second.at, message, help);
        }
        if let Some((tag, what)) = self.later.iter().find(|(tag, _)| *tag == entry.key) {
            let message = format!("`{tag}` ({what}) is not in this version of mallard");
            reader.error(&entry.at, message, format!("in this version: {}", listed(&tags)));
            return None;
        }
        let Some(variant) = self.variants.iter().find(|variant| variant.tag == entry.key) else {
            let message = format!("unknown key `{}` for {}", entry.key, self.what);
            reader.error(&entry.at, message, suggest(&entry.key, &tags, "allowed"));
            return None;
        };
        variant.shape.read(&entry.value, reader)
    }

    fn schema(&self) -> Json {
        let variants = self.variants.iter().map(|variant| {
            let mut schema = or_parameter(variant.shape.schema());
            if let Json::Object(object) = &mut schema {
                object.insert("description".into(), json!(variant.doc));
            }
            json!({
                "type": "object",
                "properties": {variant.tag: schema},
                "required": [variant.tag],
                "additionalProperties": false,
            })
        });
        json!({"oneOf": variants.collect::<Vec<_>>()})
    }

    fn takes(&self) -> Takes {
        Takes::MAP
    }

    fn expected(&self) -> String {
        format!("{} ({})", self.what, listed(&self.tags()))
    }
}
