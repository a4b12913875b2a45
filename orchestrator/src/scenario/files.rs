//! Which files are meant, and what kind each one is.
//!
//! A file says itself what it is: a mapping with `kafka` or `hosts` is a cluster file, one with any of
//! a scenario's own keys is a scenario. In a folder, files that are neither are passed over with
//! a warning; a file that is named is taken for a scenario, so that its mistakes are reported.

use super::cluster::{self, Cluster};
use crate::{
    config::{
        Diagnostic, Environment, Severity,
        parameters::substitute_environment,
        shape::Reader,
        source::Source,
        tidy,
        yaml::{self, Kind, Node},
    },
    scenario::file_kind::{FileKind, kind_of},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The cluster file that is taken when none is named.
pub const DEFAULT_CLUSTER: &str = "cluster.yaml";

/// A cluster of this machine, for when there is no file at all.
const BUILT_IN_CLUSTER: &str = "kafka: embedded\nhosts:\n  - local: {agents: 2}\n";

/// A scenario file, read, with the environment's values in it.
#[derive(Clone, Debug)]
pub struct LoadedScenario {
    /// The file.
    pub source: Arc<Source>,
    /// Its tree.
    pub root: Node,
    /// Its name, or the file's if it has none that could be one.
    pub name: String,
    /// Values that came from the environment.
    pub secrets: Vec<String>,
    /// Mistakes that do not prevent reading on; a plan tells them with its own.
    pub mistakes: Vec<Diagnostic>,
}

impl LoadedScenario {
    /// Takes text for a scenario.
    ///
    /// # Errors
    ///
    /// When it is not YAML.
    pub fn from_source(
        source: &Arc<Source>,
        environment: Environment<'_>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let (root, mistakes) = yaml::parse_leniently(source);
        let Some(mut root) = root else { return Err(mistakes) };
        let mut reader = Reader { diagnostics: mistakes };
        let mut secrets = Vec::new();
        substitute_environment(&mut root, environment, &mut secrets, &mut reader);
        let stem = source.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        // A name from the environment is a secret, and refused as a name.
        let name = root.get("name").and_then(Node::scalar).filter(|scalar| !scalar.secret);
        let name = name.map(|scalar| scalar.text.clone());
        let name = name.or(stem).unwrap_or_default();
        let mistakes = reader.diagnostics;
        Ok(Self { source: Arc::clone(source), root, name, secrets, mistakes })
    }
}

/// Reads scenario files, and the scenarios of folders. Warnings come with the result.
///
/// # Errors
///
/// Every mistake that shows before parameters are known, of all files.
pub fn scenario_files(
    paths: &[PathBuf],
    environment: Environment<'_>,
) -> Result<(Vec<LoadedScenario>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut scenarios = Vec::new();
    let mut diagnostics = Vec::new();
    for path in paths {
        if path.is_dir() {
            folder(path, environment, &mut scenarios, &mut diagnostics);
        } else {
            match Source::read(path) {
                Ok(source) => named(&source, environment, &mut scenarios, &mut diagnostics),
                Err(mistake) => diagnostics.push(mistake),
            }
        }
    }
    one_of_each_name(&scenarios, &mut diagnostics);
    tidy(&mut diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        Err(diagnostics)
    } else {
        Ok((scenarios, diagnostics))
    }
}

fn named(
    source: &Arc<Source>,
    environment: Environment<'_>,
    scenarios: &mut Vec<LoadedScenario>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    match LoadedScenario::from_source(source, environment) {
        Ok(scenario) if kind_of(&scenario.root) == FileKind::Cluster => diagnostics.push(
            Diagnostic::error(&source.path, "is a cluster file, not a scenario")
                .with_help("give it with `--cluster`"),
        ),
        Ok(scenario) => scenarios.push(scenario),
        Err(mistakes) => diagnostics.extend(mistakes),
    }
}

fn folder(
    path: &Path,
    environment: Environment<'_>,
    scenarios: &mut Vec<LoadedScenario>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let before = (scenarios.len(), diagnostics.len());
    for file in yaml_files(path, diagnostics) {
        let source = match Source::read(&file) {
            Ok(source) => source,
            Err(mistake) => {
                diagnostics.push(mistake);
                continue;
            }
        };
        match yaml::parse_leniently(&source).0.as_ref().map(kind_of) {
            Some(FileKind::Cluster) => {}
            Some(FileKind::Unknown) => diagnostics.push(Diagnostic {
                severity: Severity::Warning,
                ..Diagnostic::error(
                    &file,
                    "is neither a scenario nor a cluster file, and is passed over",
                )
            }),
            _ => named(&source, environment, scenarios, diagnostics),
        }
    }
    if (scenarios.len(), diagnostics.len()) == before {
        let help = "a scenario is a `.yaml` or `.yml` file with `load`; folders inside of it are not looked into";
        diagnostics.push(Diagnostic::error(path, "holds no scenario").with_help(help));
    }
}

/// The YAML files of a folder, by name.
fn yaml_files(path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => {
            diagnostics.push(Diagnostic::error(path, format!("cannot be listed: {error}")));
            return Vec::new();
        }
    };
    let is_yaml = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("yaml" | "yml")) && path.is_file()
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_yaml).collect();
    files.sort();
    files
}

fn one_of_each_name(scenarios: &[LoadedScenario], diagnostics: &mut Vec<Diagnostic>) {
    for (index, scenario) in scenarios.iter().enumerate() {
        let first = scenarios[..index].iter().find(|other| other.name == scenario.name);
        if let Some(first) = first {
            let at =
                scenario.root.get("name").map_or_else(|| scenario.source.whole(), |n| n.at.clone());
            let message = format!("a second scenario has the name `{}`", scenario.name);
            let help = format!(
                "the first is {}; cases are distinguished by it",
                first.source.path.display()
            );
            diagnostics.push(at.diagnostic(Severity::Error, message, Some(help)));
        }
    }
}

/// Reads a cluster file.
///
/// # Errors
///
/// Every mistake in it.
pub fn cluster_file(path: &Path, environment: Environment<'_>) -> Result<Cluster, Vec<Diagnostic>> {
    let source = Source::read(path).map_err(|mistake| vec![mistake])?;
    let cluster = cluster::from_source(&source, environment)?;
    let missing = cluster::missing_files(&cluster);
    if missing.is_empty() { Ok(cluster) } else { Err(missing) }
}

/// The cluster when no file is named: `cluster.yaml` in a folder if it is there, else an embedded
/// broker and two agents on this machine.
///
/// # Errors
///
/// Every mistake in the file.
pub fn default_cluster(
    folder: &Path,
    environment: Environment<'_>,
) -> Result<Cluster, Vec<Diagnostic>> {
    let path = folder.join(DEFAULT_CLUSTER);
    if path.exists() {
        return cluster_file(&path, environment);
    }
    cluster::from_source(&Source::new("(built-in cluster)", BUILT_IN_CLUSTER), environment)
}

/// A cluster that nothing is known of.
const UNKNOWN_CLUSTER: &str =
    "kafka: {bootstrap: \"localhost:9092\"}\nhosts:\n  - local: {agents: 2}\n";

/// A cluster that has whatever scenarios ask for, to judge them by when no cluster file is at hand: brokers
/// that nothing is known of, and hosts with every label.
///
/// # Errors
///
/// Never in practice: its text is this module's own.
pub fn fitting_cluster(
    scenarios: &[LoadedScenario],
    set: &[(String, String)],
) -> Result<Cluster, Vec<Diagnostic>> {
    let source = Source::new("(no cluster file)", UNKNOWN_CLUSTER);
    let mut cluster = cluster::from_source(&source, &|_| None)?;
    // A label may come from a parameter.
    let mut labels: Vec<String> = set.iter().map(|(_, value)| value.clone()).collect();
    scenarios.iter().for_each(|scenario| collect_labels(&scenario.root, false, &mut labels));
    labels.sort_unstable();
    labels.dedup();
    cluster.hosts.iter_mut().for_each(|host| host.labels.clone_from(&labels));
    Ok(cluster)
}

/// Collects what stands under `on`, `parameters` and `matrix`, at whatever depth.
fn collect_labels(node: &Node, under: bool, labels: &mut Vec<String>) {
    match &node.kind {
        Kind::Scalar(scalar) if under => labels.push(scalar.text.clone()),
        Kind::List(items) => items.iter().for_each(|item| collect_labels(item, under, labels)),
        Kind::Map(entries) => entries.iter().for_each(|entry| {
            let under = under || matches!(&*entry.key, "on" | "parameters" | "matrix");
            collect_labels(&entry.value, under, labels);
        }),
        Kind::Scalar(_) | Kind::Invalid => {}
    }
}
