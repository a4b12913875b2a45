//! Bounds files: JSON with the eight keys, or with such a mapping for each of several environments.
//!
//! Keys that begin with `_` are comments, but for `_default_environment`. The loader's own parser reads
//! them, since JSON is YAML, so that a mistake has its line, column and caret.

use super::limits::{Limits, all};
use crate::{
    config::{
        Diagnostic,
        shape::{Reader, Shape, record},
        source::Source,
        yaml::{self, Entry, Kind, Node},
    },
    text::nearest::suggest,
};
use std::{path::Path, sync::Arc};

/// The variable that chooses an environment of a file that has several.
pub const ENVIRONMENT_VARIABLE: &str = "BENCHMARK_ENVIRONMENT";

/// The key of such a file that says which environment is meant where nobody chooses.
pub const DEFAULT_ENVIRONMENT_KEY: &str = "_default_environment";

/// Reads a bounds file, noting every mistake in it.
pub(crate) fn read(path: &Path, environment: Option<&str>, reader: &mut Reader) -> Option<Limits> {
    match Source::read(path) {
        Ok(source) => from_source(&source, environment, reader),
        Err(mistake) => {
            reader.diagnostics.push(mistake);
            None
        }
    }
}

/// Reads bounds from text, noting every mistake in it.
pub(crate) fn from_source(
    source: &Arc<Source>,
    environment: Option<&str>,
    reader: &mut Reader,
) -> Option<Limits> {
    let (root, mistakes) = yaml::parse_leniently(source);
    reader.diagnostics.extend(mistakes.into_iter().map(as_json));
    let root = root?;
    let Kind::Map(entries) = &root.kind else {
        reader.mismatch(&root, "a mapping (bounds)");
        return None;
    };
    let named: Vec<&Entry> = entries.iter().filter(|entry| !entry.key.starts_with('_')).collect();
    let nested = named.iter().any(|entry| matches!(entry.value.kind, Kind::Map(_)));
    if nested {
        of_environment(&root, &named, environment, reader)
    } else {
        of_mapping(&root, reader)
    }
}

/// The parser speaks of YAML, and these files are JSON.
fn as_json(mistake: Diagnostic) -> Diagnostic {
    Diagnostic { message: mistake.message.replace("not valid YAML", "not valid JSON"), ..mistake }
}

fn of_mapping(node: &Node, reader: &mut Reader) -> Option<Limits> {
    let mut node = node.clone();
    if let Kind::Map(entries) = &mut node.kind {
        entries.retain(|entry| !entry.key.starts_with('_'));
    }
    record("bounds", all).read(&node, reader)
}

/// Reads every environment, so that a mistake in one is found whichever is chosen; returns the chosen.
fn of_environment(
    root: &Node,
    named: &[&Entry],
    asked_for: Option<&str>,
    reader: &mut Reader,
) -> Option<Limits> {
    let read: Vec<(&str, Option<Limits>)> =
        named.iter().map(|entry| (entry.key.as_str(), of_mapping(&entry.value, reader))).collect();
    let names: Vec<&str> = read.iter().map(|(name, _)| *name).collect();
    let default = root.get(DEFAULT_ENVIRONMENT_KEY);
    let default_name = default.and_then(Node::scalar).map(|scalar| scalar.text.as_str());
    if let (Some(node), None) = (default, default_name) {
        reader.mismatch(node, "the name of an environment");
    }
    let place = default.map_or_else(|| root.at.clone(), |node| node.at.clone());
    let (chosen, said_by) = match (asked_for, default_name, &names[..]) {
        (Some(name), ..) => (name, format!("`{name}` comes from {ENVIRONMENT_VARIABLE}; ")),
        (None, Some(name), _) => (name, String::new()),
        (None, None, [only]) => (*only, String::new()),
        (None, None, _) => {
            let help = format!(
                "set {ENVIRONMENT_VARIABLE}, or add `{DEFAULT_ENVIRONMENT_KEY}`; {}",
                suggest("", &names, "environments")
            );
            reader.error(
                &place,
                "there are bounds for several environments, and none is chosen",
                help,
            );
            return None;
        }
    };
    match read.iter().position(|(name, _)| *name == chosen) {
        Some(at) => read.into_iter().nth(at).and_then(|(_, limits)| limits),
        None => {
            let message = format!("there are no bounds for the environment `{chosen}`");
            let help = format!("{said_by}{}", suggest(chosen, &names, "environments"));
            reader.error(&place, message, help);
            None
        }
    }
}
