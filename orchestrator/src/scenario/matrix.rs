//! From a scenario with parameters and a matrix to cases with values and names.

use crate::{
    config::{
        emit,
        parameters::{Values, set_value},
        shape::Reader,
        source::Place,
        yaml::{Entry, Kind, Node, Size},
    },
    scenario::LoadedScenario,
};
use std::collections::BTreeMap;

/// Most cases of one scenario. A longer matrix is a slip, and would run for weeks.
const CASE_LIMIT: usize = 1_000;

/// Most values of all cases of one scenario together, and bytes of text in them: a thousand cases of five
/// hundred values each. All of them are planned before the first one runs.
const ALL_CASES_NODES: usize = 500_000;
const ALL_CASES_TEXT_BYTES: usize = 128 << 20;

/// Longest label of a value, and longest name of a case, in bytes. A case is a folder's name, of which
/// file systems take 255.
const LABEL_LIMIT: usize = 40;
const NAME_LIMIT: usize = 160;

/// A case before it is read: its name, its values, its tree.
#[derive(Clone, Debug)]
pub(crate) struct Expanded {
    /// Its name.
    pub(crate) name: String,
    /// Values by name, as written.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The tree, values substituted; `parameters` and `matrix` are still in it.
    pub(crate) root: Node,
    /// The tree as it is archived.
    pub(crate) resolved: Node,
}

/// An axis of the matrix: values with their labels.
struct Axis<'a> {
    name: &'a str,
    at: &'a Place,
    values: Vec<(String, Node)>,
}

/// Expands a scenario. `used` collects the settings that the scenario knows.
pub(crate) fn expand(
    loaded: &LoadedScenario,
    set: &[(String, String)],
    used: &mut Vec<String>,
    reader: &mut Reader,
) -> Vec<Expanded> {
    if !matches!(loaded.root.kind, Kind::Map(_)) {
        reader.mismatch(&loaded.root, "a mapping (a scenario)");
        return Vec::new();
    }
    let parameters = entries_of(loaded.root.get("parameters"));
    let matrix = entries_of(loaded.root.get("matrix"));
    let mut settings: Vec<(String, Node)> = Vec::new();
    for (name, text) in set {
        if !parameters.iter().chain(matrix).any(|entry| entry.key == *name) {
            continue;
        }
        used.push(name.clone());
        match set_value(name, text) {
            Ok(value) => settings.push((name.clone(), value)),
            Err(mistake) => reader.diagnostics.push(mistake),
        }
    }
    let axes: Vec<_> = matrix.iter().map(|entry| axis(entry, &settings)).collect();
    let count = axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.values.len()));
    if count.is_none_or(|count| count > CASE_LIMIT) {
        let at = loaded
            .root
            .get("matrix")
            .map_or_else(|| loaded.root.at.clone(), |n| n.anchor().clone());
        let message = format!("the matrix has more than {CASE_LIMIT} cases");
        reader.error(&at, message, "shorten its lists, or split the scenario");
        return Vec::new();
    }
    let mut whole = Size::default();
    let mut cases = Vec::new();
    for index in 0..count.unwrap_or(0) {
        let case = one(loaded, &axes, index, parameters, &settings, reader);
        whole = whole.plus(case.root.size());
        cases.push(case);
        if whole.nodes > ALL_CASES_NODES || whole.text_bytes > ALL_CASES_TEXT_BYTES {
            let at = loaded.root.get("matrix").map_or(&loaded.root.at, Node::anchor);
            let message = "all cases together have too many values to be planned";
            reader.error(at, message, "shorten the lists of the matrix, or split the scenario");
            return Vec::new();
        }
    }
    warn_of_idle_axes(&axes, reader);
    cases
}

fn entries_of(node: Option<&Node>) -> &[Entry] {
    match node.map(|node| &node.kind) {
        Some(Kind::Map(entries)) => entries,
        _ => &[],
    }
}

fn axis<'a>(entry: &'a Entry, settings: &[(String, Node)]) -> Axis<'a> {
    let pinned = settings.iter().rev().find(|(name, _)| *name == entry.key);
    let nodes = match (pinned, &entry.value.kind) {
        (Some((_, value)), _) => vec![value.clone()],
        (None, Kind::List(items)) if !items.is_empty() => items.clone(),
        // The mistake is reported where the scenario is read; what uses the axis is not to blame.
        _ => vec![Node { kind: Kind::Invalid, ..entry.value.clone() }],
    };
    let mut values: Vec<(String, Node)> = Vec::new();
    for (index, node) in nodes.into_iter().enumerate() {
        let mut wanted = label(&node);
        if wanted.is_empty() {
            wanted = (index + 1).to_string();
        }
        let taken = |label: &str| values.iter().any(|(other, _)| other.eq_ignore_ascii_case(label));
        let free = (2..).map(|n| format!("{wanted}-{n}")).find(|label| !taken(label));
        let name = if taken(&wanted) { free.unwrap_or_default() } else { wanted };
        values.push((name, node));
    }
    Axis { name: &entry.key, at: &entry.at, values }
}

/// The matrix as it is written: axes with their values on one line each, whatever `--set` leaves.
pub(crate) fn axes(loaded: &LoadedScenario) -> Vec<(String, Vec<String>)> {
    let values = |entry: &Entry| match &entry.value.kind {
        Kind::List(items) => items.iter().map(emit::one_line).collect(),
        _ => Vec::new(),
    };
    let matrix = entries_of(loaded.root.get("matrix"));
    matrix.iter().map(|entry| (entry.key.clone(), values(entry))).collect()
}

/// What of a value goes into a case's name: its text with everything but letters, digits and `.+%_-`
/// made a dash. Empty where nothing readable is left, and for secrets.
fn label(node: &Node) -> String {
    if node.scalar().is_some_and(|scalar| scalar.secret) {
        return String::new();
    }
    let safe = |c: char| if c.is_ascii_alphanumeric() || ".+%_-".contains(c) { c } else { '-' };
    let text: String = emit::one_line(node).chars().map(safe).collect();
    let mut words: String = String::new();
    for word in text.split('-').filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push('-');
        }
        words.push_str(word);
    }
    words.truncate(LABEL_LIMIT);
    words.trim_matches(['.', '-']).to_owned()
}

fn one(
    loaded: &LoadedScenario,
    axes: &[Axis<'_>],
    index: usize,
    parameters: &[Entry],
    settings: &[(String, Node)],
    reader: &mut Reader,
) -> Expanded {
    let mut values = Values::default();
    let mut labels = Vec::new();
    // The last axis turns fastest, as the digits of a number do.
    let mut rest = index;
    for axis in axes.iter().rev() {
        let (label, value) = &axis.values[rest % axis.values.len()];
        rest /= axis.values.len();
        labels.push(format!("{}={label}", axis.name));
        values.set(axis.name, value.clone());
    }
    labels.reverse();
    for entry in parameters.iter().filter(|entry| !axes.iter().any(|axis| axis.name == entry.key)) {
        let set = settings.iter().rev().find(|(name, _)| *name == entry.key);
        let mut value = set.map_or_else(|| entry.value.clone(), |(_, value)| value.clone());
        values.substitute(&mut value, reader);
        values.set(&entry.key, value);
    }
    let mut root = loaded.root.clone();
    if let Kind::Map(entries) = &mut root.kind {
        let own = |entry: &&mut Entry| !matches!(&*entry.key, "parameters" | "matrix");
        entries.iter_mut().filter(own).for_each(|e| values.substitute(&mut e.value, reader));
    }
    warn_of_unused(&values, parameters, axes, reader);
    let parameters =
        values.all().iter().map(|(name, node)| (name.clone(), emit::one_line(node))).collect();
    let name = case_name(&loaded.name, &labels);
    Expanded { name, parameters, resolved: resolved(&root), root }
}

fn case_name(scenario: &str, labels: &[String]) -> String {
    if labels.is_empty() {
        return scenario.to_owned();
    }
    let name = format!("{scenario}@{}", labels.join(","));
    if name.len() <= NAME_LIMIT {
        return name;
    }
    let hash = mallard_protocol::stamp::run_fingerprint("", &name);
    let end = (0..=NAME_LIMIT - 9).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    format!("{}-{hash:08x}", &name[..end])
}

/// The tree without what has been substituted, and without what is said of several cases.
fn resolved(root: &Node) -> Node {
    let mut root = root.clone();
    if let Kind::Map(entries) = &mut root.kind {
        entries.retain(|entry| !matches!(&*entry.key, "parameters" | "matrix" | "across"));
    }
    root
}

fn warn_of_unused(values: &Values, parameters: &[Entry], axes: &[Axis<'_>], reader: &mut Reader) {
    for entry in parameters.iter().filter(|entry| !values.is_used(&entry.key)) {
        let message = format!("the parameter `{}` is never used", entry.key);
        reader.warn(&entry.at, message, format!("write `${}` where its value belongs", entry.key));
    }
    let declared = |axis: &&Axis<'_>| parameters.iter().any(|entry| entry.key == axis.name);
    for axis in axes.iter().filter(|axis| !values.is_used(axis.name) && !declared(axis)) {
        let message = format!("the axis `{}` is never used: its cases are all the same", axis.name);
        reader.warn(axis.at, message, format!("write `${}` where its value belongs", axis.name));
    }
}

/// Warns of a list with the same value twice: its cases are the same but for their names.
fn warn_of_idle_axes(axes: &[Axis<'_>], reader: &mut Reader) {
    for axis in axes {
        for (index, (_, value)) in axis.values.iter().enumerate() {
            let same = |(_, other): &&(String, Node)| {
                other.kind == value.kind && value.kind != Kind::Invalid
            };
            if axis.values[..index].iter().any(|other| same(&other)) {
                let message = format!("the axis `{}` has this value twice", axis.name);
                reader.warn(&value.at, message, "remove one; `--repeat` runs cases again");
            }
        }
    }
}

/// Which cases `--only` means: a case's or a scenario's name, or a pattern with `*` and `?` over case
/// names.
pub(crate) fn is_wanted(case: &str, scenario: &str, only: &[String]) -> bool {
    only.is_empty()
        || only.iter().any(|pattern| {
            if pattern.contains(['*', '?']) {
                glob(pattern.as_bytes(), case.as_bytes())
            } else {
                pattern == case || pattern == scenario
            }
        })
}

/// Matches `*` (any text) and `?` (one byte). Linear but for one point to go back to.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let only = |pattern: &str| is_wanted("steady@codec=gzip", "steady", &[pattern.to_owned()]);
        assert!(only("steady@codec=gzip") && only("steady") && only("*gzip") && only("st*@*=g?ip"));
        assert!(!only("gzip") && !only("*codec") && !only("stead?"));
        assert!(is_wanted("a", "a", &[]));
    }
}
