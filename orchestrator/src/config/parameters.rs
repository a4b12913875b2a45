//! `${NAME}` from the environment and `$name` from parameters, put into the tree as typed nodes.
//!
//! `$name` stands for a parameter only where it is the whole value; the parameter's node then takes its
//! place, whatever it is. Inside of a longer text it would be ambiguous, so it is a mistake there.
//! `${NAME}` is text from the environment, also inside of a longer text, and makes the value a secret.
//! `$$` is a `$`.

use super::{
    Diagnostic, Environment, Severity,
    shape::{Reader, shortened},
    source::{Place, Source},
    yaml::{self, Entry, Kind, Node, Scalar, Size},
};
use crate::text::{figures::bytes_text, nearest::suggest};
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// Secrets shorter than this are too common as parts of other words to be looked for in texts. They
/// are masked where they stand all the same.
const SECRET_MIN_BYTES: usize = 4;

/// Puts environment variables into the tree, and collects their values.
pub fn substitute_environment(
    root: &mut Node,
    environment: Environment<'_>,
    secrets: &mut Vec<String>,
    reader: &mut Reader,
) {
    for_each_scalar(root, &mut |scalar, at| match expand_variables(
        &scalar.text,
        environment,
        secrets,
    ) {
        Ok(None) => None,
        Ok(Some(text)) => {
            *scalar = Scalar { text, secret: true, ..scalar.clone() };
            None
        }
        Err(Unset::Variable(name)) => {
            let help = format!("set it (`export {name}=…`), or write `$$` for a `$`");
            reader.error(at, format!("the environment variable `{name}` is not set"), help);
            Some(Kind::Invalid)
        }
        Err(Unset::Malformed) => {
            let help = "write `${NAME}` for an environment variable, or `$$` for a `$`";
            reader.error(at, "`${` begins no variable's name", help);
            Some(Kind::Invalid)
        }
    });
    secrets.retain(|secret| secret.len() >= SECRET_MIN_BYTES);
    secrets.sort();
    secrets.dedup();
}

enum Unset {
    Variable(String),
    Malformed,
}

/// The text with its variables' values and without escapes, or `None` if it has no variable.
fn expand_variables(
    text: &str,
    environment: Environment<'_>,
    secrets: &mut Vec<String>,
) -> Result<Option<String>, Unset> {
    let places = yaml::variables(text);
    let mut expanded = String::new();
    let mut any = false;
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$').map(|offset| at + offset) {
        expanded.push_str(&text[at..dollar]);
        if text[dollar..].starts_with("$$") {
            expanded.push('$');
            at = dollar + 2;
        } else if let Some((start, end)) = places.iter().find(|(start, _)| *start == dollar) {
            let name = &text[start + 2..end - 1];
            let value = environment(name).ok_or_else(|| Unset::Variable(name.to_owned()))?;
            expanded.push_str(&value);
            secrets.push(value);
            any = true;
            at = *end;
        } else if text[dollar..].starts_with("${") {
            return Err(Unset::Malformed);
        } else {
            expanded.push('$');
            at = dollar + 1;
        }
    }
    expanded.push_str(&text[at..]);
    Ok(any.then_some(expanded))
}

/// Calls a function for every scalar of a tree; it may put something else into its place.
fn for_each_scalar(node: &mut Node, change: &mut dyn FnMut(&mut Scalar, &Place) -> Option<Kind>) {
    match &mut node.kind {
        Kind::Scalar(scalar) => {
            if let Some(kind) = change(scalar, &node.at) {
                node.kind = kind;
            }
        }
        Kind::List(items) => items.iter_mut().for_each(|item| for_each_scalar(item, change)),
        Kind::Map(entries) => {
            entries.iter_mut().for_each(|entry| for_each_scalar(&mut entry.value, change));
        }
        Kind::Invalid => {}
    }
}

/// Parameters with their values, and which of them have been used.
#[derive(Clone, Debug, Default)]
pub struct Values {
    values: Vec<(String, Node)>,
    used: BTreeSet<String>,
    /// How much has been put into trees.
    put: Size,
}

impl Values {
    /// Adds or replaces a value.
    pub fn set(&mut self, name: &str, value: Node) {
        self.values.retain(|(other, _)| other != name);
        self.values.push((name.to_owned(), value));
    }

    /// The values by name.
    #[must_use]
    pub fn all(&self) -> &[(String, Node)] {
        &self.values
    }

    /// Whether a parameter has been used.
    #[must_use]
    pub fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    fn get(&self, name: &str) -> Option<&Node> {
        self.values.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    fn names(&self) -> Vec<&str> {
        self.values.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Puts values into a tree.
    pub fn substitute(&mut self, node: &mut Node, reader: &mut Reader) {
        match &mut node.kind {
            Kind::Scalar(scalar) if !scalar.secret && scalar.text.contains('$') => {
                if let Some(name) = reference(&scalar.text) {
                    let name = name.to_owned();
                    self.put(node, &name, reader);
                } else {
                    self.unescape(scalar, &node.at, reader);
                }
            }
            Kind::List(items) => items.iter_mut().for_each(|item| self.substitute(item, reader)),
            Kind::Map(entries) => {
                entries.iter_mut().for_each(|entry| self.substitute(&mut entry.value, reader));
            }
            Kind::Scalar(_) | Kind::Invalid => {}
        }
    }

    /// Puts a parameter's value into the place of `$name`. The node keeps its key, so that what is
    /// missing is shown where it is used, and takes the value's place, so that what is wrong is shown
    /// where it is written.
    fn put(&mut self, node: &mut Node, name: &str, reader: &mut Reader) {
        let Some(size) = self.get(name).map(Node::size) else {
            let message = format!("unknown parameter `${name}`");
            let help = if self.values.is_empty() {
                "there are no parameters".to_owned()
            } else {
                suggest(name, &self.names(), "parameters")
            };
            let join = if help.ends_with('?') { "" } else { ";" };
            reader.error(&node.at, message, format!("{help}{join} `$$` is a `$`"));
            node.kind = Kind::Invalid;
            return;
        };
        self.used.insert(name.to_owned());
        // Counted before it is copied: parameters of parameters multiply.
        self.put = self.put.plus(size);
        let value = match self.get(name).filter(|_| self.put.fits()).cloned() {
            Some(value) => value,
            None => return self.too_much(node, reader),
        };
        node.kind = value.kind;
        node.at = match &value.at.via {
            Some(via) => Place { via: Some(Arc::clone(via)), ..node.at.clone() },
            None => value.at,
        };
    }

    /// Notes that parameters have multiplied beyond what a scenario may have.
    fn too_much(&self, node: &mut Node, reader: &mut Reader) {
        let (values, text) = (yaml::NODE_LIMIT, bytes_text(yaml::TEXT_LIMIT_BYTES as u64));
        let message = format!("parameters stand for more than {values} values or {text} of text");
        let help = "parameters of parameters multiply; write out what is meant";
        // Once is enough: all that follows is beyond the limit as well.
        if !reader.diagnostics.iter().any(|told| told.message == message) {
            reader.error(&node.at, message, help);
        }
        node.kind = Kind::Invalid;
    }

    fn unescape(&self, scalar: &mut Scalar, at: &Place, reader: &mut Reader) {
        let pieces: Vec<&str> = scalar.text.split("$$").collect();
        for piece in &pieces {
            let names = piece.split('$').skip(1).map(leading_name);
            for name in names.filter(|name| self.get(name).is_some()) {
                let message = format!("`${name}` is not replaced inside of a longer text");
                let help = format!(
                    "a parameter is a whole value: make all of it one; `$${name}` is the text `${name}`"
                );
                reader.error(at, message, help);
            }
        }
        let text = pieces.join("$");
        scalar.text = text;
    }
}

/// The name, if a whole text is `$name`.
fn reference(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (begins && leading_name(name) == name).then_some(name)
}

fn leading_name(text: &str) -> &str {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let end = text.find(|c| !legal(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', '-'])
}

/// Reads the value of `--set name=value`: one YAML value, so `5`, `200/s` and `[1, 2]` are typed as
/// they would be in the file.
///
/// # Errors
///
/// When it is not valid YAML.
pub fn set_value(name: &str, text: &str) -> Result<Node, Diagnostic> {
    let via: Arc<str> = format!("`--set {name}={}`", shortened(text)).into();
    let written = if text.trim().is_empty() { "\"\"" } else { text };
    let source = Source::new(Path::new(""), written);
    let mut node = yaml::parse(&source).map_err(|mistakes| {
        let cause = mistakes.into_iter().next().map(|d| d.message).unwrap_or_default();
        Diagnostic {
            severity: Severity::Error,
            file: "".into(),
            location: None,
            message: format!("{via}: {cause}"),
            help: Some(
                "put the value into quotes that reach mallard: `--set 'name=\"a: b\"'`".into(),
            ),
        }
    })?;
    mark(&mut node, &via);
    Ok(node)
}

fn mark(node: &mut Node, via: &Arc<str>) {
    node.at.via = Some(Arc::clone(via));
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| mark(item, via)),
        Kind::Map(entries) => entries.iter_mut().for_each(|Entry { at, value, .. }| {
            at.via = Some(Arc::clone(via));
            mark(value, via);
        }),
        Kind::Scalar(_) | Kind::Invalid => {}
    }
}
