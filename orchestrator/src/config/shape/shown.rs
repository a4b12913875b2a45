//! What reports show.

use super::{Reader, Shape, Takes};
use crate::{
    config::{source::Place, yaml::Node},
    text::untrusted,
};
use serde_json::Value as Json;

/// See [`Shape::shown`].
#[derive(Clone, Debug)]
pub struct Shown<S>(pub(super) S);

impl<S: Shape> Shape for Shown<S> {
    type Value = S::Value;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<S::Value> {
        let Some(scalar) = node.scalar() else { return self.0.read(node, reader) };
        if scalar.secret {
            let help = "what the environment gives is a secret, and reports show this; take a parameter, and give it with `--set name=value`";
            reader.error(&node.at, "a value from the environment cannot stand here", help);
            return None;
        }
        check_characters(&scalar.text, &node.at, reader)?;
        self.0.read(node, reader)
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

/// Notes characters that would not be seen but do something. Tabs and line ends are how texts are laid out.
pub(super) fn check_characters(text: &str, at: &Place, reader: &mut Reader) -> Option<()> {
    let steers = |c: char| !matches!(c, '\t' | '\r' | '\n') && untrusted::steers(c);
    let Some(found) = text.chars().find(|c| steers(*c)) else { return Some(()) };
    let message = format!("this has the character U+{:04X}, which is not shown", u32::from(found));
    let help = "control characters and those that change the direction of writing would mislead who reads a report; remove it";
    reader.error(at, message, help);
    None
}
