//! `mallard validate`: every mistake of scenario, cluster and bounds files; nothing is touched.

use super::{
    Outcome, against,
    args::ValidateArgs,
    files,
    properties::{refused_by_cluster, refused_properties},
};
use crate::{
    bounds::{self, Outside},
    config::{
        Diagnostic, process_environment, render::render, shape::Reader, source::Source, tidy, yaml,
    },
    hosts::deploy::agent_binary,
    model::exit_code,
    plan::{Plan, PlanOptions, plan},
    scenario::{
        LoadedScenario,
        cluster::Cluster,
        cluster_file,
        file_kind::{FileKind, kind_of},
        files::{DEFAULT_CLUSTER, fitting_cluster},
        scenario_files,
    },
    text::{error_chain::error_text, plural::noun},
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Stands for a run's id; as long as one with a short name.
const NO_RUN: &str = "00000000-000000-validate-0000";

/// What was found, and what it was found in.
#[derive(Debug, Default)]
pub struct Validated {
    /// Mistakes and warnings, in order.
    pub diagnostics: Vec<Diagnostic>,
    /// The plan, if nothing prevents one and there is a scenario.
    pub plan: Option<Plan>,
    /// The sound cluster files.
    pub clusters: Vec<Cluster>,
    /// A line for each file that is right.
    pub sound: Vec<String>,
}

/// Validates files and prints what was found.
#[must_use]
pub fn validate(args: &ValidateArgs) -> Outcome {
    let mut validated = check_with(args);
    if let (Some(plan), Some(results)) = (&validated.plan, &args.results) {
        match against::unset(plan, results, Reader::error) {
            Ok(unset) => validated.diagnostics.extend(unset),
            Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
        }
    }
    let note = check_properties(&mut validated, args.agent.as_deref());
    let mut outcome = outcome(validated);
    outcome.stderr.push_str(&note);
    outcome
}

/// Has the agent's program check client properties. Without one beside this program that is left out,
/// and said; with `--agent` it is a mistake.
fn check_properties(validated: &mut Validated, asked_for: Option<&Path>) -> String {
    let (plan, clusters) = (&validated.plan, &validated.clusters);
    if plan.is_none() && clusters.is_empty() {
        return String::new();
    }
    let told = |cause: io::Error| crate::text::error_chain::chain(&cause);
    let refused = match agent_binary::find(asked_for) {
        Ok(agent) => {
            let by_plan = plan.iter().map(|plan| refused_properties(plan, &agent));
            let by_clusters = clusters.iter().map(|cluster| refused_by_cluster(cluster, &agent));
            let all: io::Result<Vec<_>> = by_plan.chain(by_clusters).collect();
            all.map(|all| all.concat()).map_err(told)
        }
        Err(cause) => Err(crate::text::error_chain::chain(&cause)),
    };
    match refused {
        Ok(refused) => {
            validated.diagnostics.extend(refused);
            String::new()
        }
        Err(cause) if asked_for.is_some() => {
            validated.diagnostics.push(Diagnostic::error("", cause));
            String::new()
        }
        Err(cause) => format!("note: client properties were not checked: {cause}\n"),
    }
}

/// What validation ends with.
#[must_use]
pub fn outcome(mut validated: Validated) -> Outcome {
    tidy(&mut validated.diagnostics);
    let wrong = validated.diagnostics.iter().any(Diagnostic::is_error);
    let lines = validated.sound.iter().map(|line| format!("{line}\n")).collect();
    Outcome {
        stdout: if wrong { String::new() } else { lines },
        stderr: render(&validated.diagnostics, files::colour()),
        code: if wrong { exit_code::USAGE } else { exit_code::PASS },
    }
}

/// Validates files, as `mallard validate` without options.
#[must_use]
pub fn check(paths: &[PathBuf]) -> Validated {
    check_with(&ValidateArgs { files: paths.to_vec(), ..ValidateArgs::default() })
}

/// Validates files. Scenarios are checked against the cluster file that is named or is among them, else
/// against none.
#[must_use]
pub fn check_with(args: &ValidateArgs) -> Validated {
    let mut found = Validated::default();
    let settings = files::settings(&args.set).unwrap_or_else(|mistakes| {
        found.diagnostics.extend(mistakes);
        Vec::new()
    });
    let (bounds_paths, paths): (Vec<_>, Vec<_>) =
        args.files.iter().cloned().partition(|path| is_bounds_file(path));
    bounds_paths.iter().for_each(|path| check_bounds(path, &mut found));
    let (cluster_paths, scenario_paths): (Vec<_>, Vec<_>) =
        paths.into_iter().partition(|path| kind_of_file(path) == Some(FileKind::Cluster));
    let mut scenarios = Vec::new();
    // File by file, so that the syntax of one does not hide the mistakes of another.
    for path in &scenario_paths {
        match scenario_files(std::slice::from_ref(path), &process_environment) {
            Ok((loaded, warnings)) => {
                found.diagnostics.extend(warnings);
                scenarios.extend(loaded);
            }
            Err(mistakes) => found.diagnostics.extend(mistakes),
        }
    }
    let clusters = args.cluster.iter().chain(&cluster_paths);
    let clusters: Vec<_> = clusters.filter_map(|path| check_cluster(path, &mut found)).collect();
    found.clusters.clone_from(&clusters);
    if !scenarios.is_empty() {
        let options = PlanOptions {
            set: settings,
            bounds: Outside::new(args.bounds.as_deref(), &process_environment),
            ..PlanOptions::new(NO_RUN)
        };
        let known = args.cluster.is_some() || !cluster_paths.is_empty();
        let cluster = match clusters.into_iter().next() {
            Some(cluster) => Some(cluster),
            None if known => None,
            None => cluster_here(&mut found),
        };
        against(&scenarios, cluster.as_ref(), &options, &mut found);
    }
    found
}

/// A cluster file, if it is sound.
fn check_cluster(path: &Path, found: &mut Validated) -> Option<Cluster> {
    match cluster_file(path, &process_environment) {
        Ok(cluster) => {
            found.diagnostics.extend(cluster.warnings.iter().cloned());
            found.sound.push(format!("{}: a sound cluster file", path.display()));
            Some(cluster)
        }
        Err(mistakes) => {
            found.diagnostics.extend(mistakes);
            None
        }
    }
}

/// What a file is by its keys; `None` if it cannot be read.
fn kind_of_file(path: &Path) -> Option<FileKind> {
    let tree = Source::read(path).ok().and_then(|source| yaml::parse_leniently(&source).0);
    tree.map(|root| kind_of(&root))
}

/// Scenarios and cluster files may be JSON as well, and are known by their keys: any other JSON is meant
/// to be bounds, however its keys are spelt.
fn is_bounds_file(path: &Path) -> bool {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    is_json && !matches!(kind_of_file(path), Some(FileKind::Scenario | FileKind::Cluster))
}

fn check_bounds(path: &Path, found: &mut Validated) {
    let mistakes = bounds::mistakes(path, &process_environment);
    if mistakes.is_empty() {
        found.sound.push(format!("{}: a sound bounds file", path.display()));
    }
    found.diagnostics.extend(mistakes);
}

/// The cluster file of the working directory, if a broker is behind it that stays. What an embedded broker
/// lacks says nothing about a scenario.
fn cluster_here(found: &mut Validated) -> Option<Cluster> {
    let path = Path::new(DEFAULT_CLUSTER);
    if !path.exists() {
        return None;
    }
    let cluster = cluster_file(path, &process_environment);
    let cluster = cluster.map_err(|mistakes| found.diagnostics.extend(mistakes)).ok()?;
    (!cluster.kafka.is_embedded()).then_some(cluster)
}

/// Plans scenarios with a cluster, or with one that has whatever they ask for.
fn against(
    scenarios: &[LoadedScenario],
    cluster: Option<&Cluster>,
    options: &PlanOptions,
    found: &mut Validated,
) {
    let fitting;
    let used = match cluster {
        Some(cluster) => cluster,
        None => match fitting_cluster(scenarios, &options.set) {
            Ok(cluster) => {
                fitting = cluster;
                &fitting
            }
            Err(mistakes) => return found.diagnostics.extend(mistakes),
        },
    };
    match plan(scenarios, used, options) {
        Ok(plan) => {
            for scenario in scenarios {
                let cases = plan.cases.iter().filter(|case| case.file == scenario.source.path);
                let count = cases.count();
                let cases = noun(count, "case");
                let file = scenario.source.path.display();
                let by = cluster.map_or_else(
                    || "; no cluster file to judge it by".to_owned(),
                    |cluster| format!(", with {}", cluster.source.path.display()),
                );
                found.sound.push(format!("{file}: a sound scenario, {count} {cases}{by}"));
            }
            found.diagnostics.extend(plan.warnings.iter().cloned());
            found.plan = Some(plan);
        }
        Err(mistakes) => found.diagnostics.extend(mistakes),
    }
}
