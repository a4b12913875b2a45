//! From loaded files to a plan, with every mistake in them.

use super::{CasePlan, Plan, PlanOptions, across, case, shard};
use crate::{
    config::{
        Diagnostic,
        shape::{Reader, check_name},
        tidy,
    },
    scenario::{self, LoadedScenario, Scenario, cluster::Cluster, matrix},
    text::nearest::{listed, nearest, suggest},
};

/// Longest run id: it is a folder's name and part of topic names.
const RUN_ID_LIMIT: usize = 128;

/// A case by name, as `mallard list` shows it and `--only` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseName {
    /// Its name.
    pub name: String,
    /// Its scenario's name.
    pub scenario: String,
}

/// Plans all cases. Files that a scenario names (lines, templates) are read; nothing else is touched.
///
/// # Errors
///
/// Every mistake of all files, and warnings with them.
pub fn plan(
    scenarios: &[LoadedScenario],
    cluster: &Cluster,
    options: &PlanOptions,
) -> Result<Plan, Vec<Diagnostic>> {
    let mut reader = Reader { diagnostics: cluster.warnings.clone() };
    check_options(options, &mut reader);
    reader.diagnostics.extend(scenarios.iter().flat_map(|loaded| loaded.mistakes.clone()));
    let (expanded, names) = expand(scenarios, options, &mut reader);
    let mut cases = Vec::new();
    let mut first_of_each: Vec<(&LoadedScenario, Scenario)> = Vec::new();
    for (loaded, one) in &expanded {
        // Values in messages are right for one case at a time; repetitions are dropped in the end.
        let before = reader.diagnostics.len();
        let Some(read) = scenario::read(&one.root, &mut reader) else { continue };
        check_patterns(&read, &names, &mut reader);
        let sound = !reader.diagnostics[before..].iter().any(Diagnostic::is_error);
        let told = reader.diagnostics.len();
        for round in 1..=options.repeat.max(1) {
            let name = case_name(&one.name, round, options.repeat);
            // Which part a case falls to must not depend on what is left out of that.
            if options.shard.is_none() && options.leave_out.contains(&name) {
                continue;
            }
            let identity = case::Identity {
                run_id: &options.run_id,
                number: options.first_number + cases.len() + 1,
                name: &name,
                parameters: &one.parameters,
                bounds: &options.bounds,
            };
            let planned =
                case::build(loaded, &read, &one.resolved, cluster, &identity, &mut reader);
            cases.extend(planned);
        }
        if !first_of_each.iter().any(|(other, _)| other.name == loaded.name) {
            first_of_each.push((*loaded, read));
        }
        if !sound {
            // What stands in for a mistake may look odd, but nobody wrote it.
            let later = reader.diagnostics.split_off(told);
            reader.diagnostics.extend(later.into_iter().filter(Diagnostic::is_error));
        }
    }
    let across = first_of_each.iter();
    let across =
        across.flat_map(|(loaded, read)| across::across(loaded, read, &cases, &mut reader));
    let across: Vec<_> = across.collect();
    let mut diagnostics = reader.diagnostics;
    tidy(&mut diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    let plan = Plan {
        name: run_name(scenarios, &cases),
        cases,
        across,
        shard: None,
        pairs: None,
        warnings: diagnostics,
    };
    Ok(match options.shard {
        Some(slice) => shard::take(plan, slice, &options.leave_out),
        None => plan,
    })
}

/// The names of all cases that `--only` leaves, without reading the scenarios further than that.
///
/// # Errors
///
/// Every mistake in parameters and matrices.
pub fn case_names(
    scenarios: &[LoadedScenario],
    options: &PlanOptions,
) -> Result<Vec<CaseName>, Vec<Diagnostic>> {
    let mut reader = Reader::default();
    reader.diagnostics.extend(scenarios.iter().flat_map(|loaded| loaded.mistakes.clone()));
    let (expanded, _) = expand(scenarios, options, &mut reader);
    let rounds = 1..=options.repeat.max(1);
    let names = expanded.iter().flat_map(|(loaded, one)| {
        rounds.clone().map(|round| CaseName {
            name: case_name(&one.name, round, options.repeat),
            scenario: loaded.name.clone(),
        })
    });
    let names = names.collect();
    tidy(&mut reader.diagnostics);
    if reader.has_errors() { Err(reader.diagnostics) } else { Ok(names) }
}

fn case_name(name: &str, round: u32, rounds: u32) -> String {
    if rounds > 1 { format!("{name}+{round}") } else { name.to_owned() }
}

fn check_options(options: &PlanOptions, reader: &mut Reader) {
    if let Err(wrong) = check_name(&options.run_id, RUN_ID_LIMIT) {
        let message = format!("the run's id: {}", wrong.message);
        reader.diagnostics.push(Diagnostic::error("", message).with_help(wrong.help));
    }
}

/// Patterns over case names that mean none of the scenario's cases, whatever `--only` leaves.
fn check_patterns(scenario: &Scenario, names: &[(String, String)], reader: &mut Reader) {
    let of_scenario = names.iter().filter(|(_, of)| *of == scenario.name.value);
    let names: Vec<_> = of_scenario.map(|(case, _)| case.as_str()).collect();
    for (pattern, _) in scenario.bounds.iter().flat_map(|bounds| &bounds.cases) {
        let wanted = std::slice::from_ref(&pattern.value);
        if !names.iter().any(|case| matrix::is_wanted(case, &scenario.name.value, wanted)) {
            let message = format!("`{}` is no case of this scenario", pattern.value);
            reader.error(&pattern.at, message, suggest(&pattern.value, &names, "cases"));
        }
    }
}

/// Cases with their scenarios.
type Expansion<'a> = Vec<(&'a LoadedScenario, matrix::Expanded)>;

/// The cases that `--only` leaves, and the names of all with those of their scenarios.
fn expand<'a>(
    scenarios: &'a [LoadedScenario],
    options: &PlanOptions,
    reader: &mut Reader,
) -> (Expansion<'a>, Vec<(String, String)>) {
    let mut used = Vec::new();
    let mut all = Vec::new();
    for loaded in scenarios {
        let cases = matrix::expand(loaded, &options.set, &mut used, reader);
        all.extend(cases.into_iter().map(|case| (loaded, case)));
    }
    for (name, text) in options.set.iter().filter(|(name, _)| !used.contains(name)) {
        let known = known_parameters(scenarios);
        let known: Vec<_> = known.iter().map(String::as_str).collect();
        let message = format!("`--set {name}={text}`: there is no parameter `{name}`");
        let help = suggest(name, &known, "parameters");
        reader.diagnostics.push(Diagnostic::error("", message).with_help(help));
    }
    let names: Vec<_> =
        all.iter().map(|(loaded, case)| (case.name.clone(), loaded.name.clone())).collect();
    for pattern in &options.only {
        let wanted = std::slice::from_ref(pattern);
        if !names.is_empty() && !names.iter().any(|(case, of)| matrix::is_wanted(case, of, wanted))
        {
            reader.diagnostics.push(no_such_case(pattern, &names));
        }
    }
    all.retain(|(loaded, case)| matrix::is_wanted(&case.name, &loaded.name, &options.only));
    (all, names)
}

fn no_such_case(pattern: &str, names: &[(String, String)]) -> Diagnostic {
    let cases: Vec<_> = names.iter().map(|(case, _)| case.as_str()).collect();
    let near = nearest(pattern, cases.iter().copied());
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    Diagnostic::error("", format!("`--only {pattern}` matches no case"))
        .with_help(format!("{near}cases: {}; `*` stands for any text", listed(&cases)))
}

/// Names of parameters and axes that `--set` may name.
#[must_use]
pub fn known_parameters(scenarios: &[LoadedScenario]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for key in ["parameters", "matrix"] {
        for node in scenarios.iter().filter_map(|scenario| scenario.root.get(key)) {
            if let crate::config::yaml::Kind::Map(entries) = &node.kind {
                names.extend(entries.iter().map(|entry| entry.key.clone()));
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The scenario's name; of several scenarios, the name of the folder of the first.
fn run_name(scenarios: &[LoadedScenario], cases: &[CasePlan]) -> String {
    let folder = || {
        let parent = scenarios.first()?.source.path.parent()?;
        let name = parent.file_name()?.to_string_lossy().into_owned();
        check_name(&name, scenario::NAME_LIMIT).ok().map(|()| name)
    };
    let mut names: Vec<_> = cases.iter().map(|case| case.scenario.as_str()).collect();
    names.dedup();
    match names[..] {
        [one] => one.to_owned(),
        _ => folder().unwrap_or_else(|| "scenarios".to_owned()),
    }
}
