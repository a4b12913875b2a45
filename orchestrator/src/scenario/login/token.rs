//! `token` of a cluster file: a program that gives OAUTHBEARER tokens.

use crate::config::{
    shape::{Located, Reader, Shape, Takes, list_of_some, record, text},
    source::Place,
    yaml::Node,
};
use serde_json::Value as Json;

/// A program and its arguments, and where they are written.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct TokenCommand {
    /// What is started, as it is.
    pub(in crate::scenario) words: Vec<String>,
    /// Where it is written.
    pub(in crate::scenario) at: Place,
}

/// The shape of `token`.
pub(in crate::scenario) fn token() -> impl Shape<Value = TokenCommand> {
    record("a way to tokens", |fields| {
        let doc = "A program that prints a token, and its arguments. It is started on the agents' hosts, without a shell.";
        let command = fields.required("command", doc, list_of_some(Word).located())?;
        let Located { value: words, at, .. } = command;
        if let Some(program) = words.first().filter(|word| !is_found(word)) {
            let help = "it is started on every agent's host: take a name that is found by `PATH` there, or an absolute path";
            fields.error(&program.at, "this program is not found from everywhere", help);
        }
        Some(TokenCommand { words: words.into_iter().map(|word| word.value).collect(), at })
    })
}

/// Whether a program is found whatever folder it is started from.
fn is_found(word: &Located<String>) -> bool {
    let name = word.value.as_str();
    !name.is_empty() && (name.starts_with('/') || !name.contains('/'))
}

/// A word of a command line, which everybody on a host can read.
struct Word;

impl Shape for Word {
    type Value = Located<String>;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Located<String>> {
        if node.scalar().is_some_and(|scalar| scalar.secret) {
            let help = "a command line can be read by everybody on a host; let the program read its secret from a file or from its environment there";
            reader.error(&node.at, "a value from the environment cannot stand here", help);
            return None;
        }
        text().shown().located().read(node, reader)
    }

    fn schema(&self) -> Json {
        text().schema()
    }

    fn takes(&self) -> Takes {
        text().takes()
    }

    fn expected(&self) -> String {
        text().expected()
    }
}
