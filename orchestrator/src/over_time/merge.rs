//! Whether runs with `--shard` belong together, so that one run can be made of them.
//!
//! They do if they are all parts of one division of one plan, each once, and if Kafka, hosts and tools were the same, as far as
//! fingerprints tell. What differs is named.

use super::{compare::covers, fingerprint};
use crate::model::{
    fingerprint::Fingerprint,
    result::{RunResult, Verdict},
    shard::Shard,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Parts of a fingerprint that are the same for all cases of a plan.
const COMMON: [&str; 3] = ["kafka", "hosts", "tools"];

/// Numbers of agents and hosts: a case may have work for some of them only.
const COUNTS: [&str; 2] = ["agents", "hosts"];

/// Most values that are named of a place.
const NAMED: usize = 4;

/// Why runs do not belong together, each in words; else what differs although it may.
///
/// # Errors
///
/// Every reason.
pub fn belong_together(
    parts: &[RunResult],
    may_differ: &[String],
) -> Result<Vec<String>, Vec<String>> {
    let mut mistakes: Vec<String> = parts
        .iter()
        .filter(|run| run.shard.is_none())
        .map(|run| format!("{} is no shard: it was not started with `--shard`", run.run_id))
        .collect();
    let shards: Vec<(&RunResult, &Shard)> =
        parts.iter().filter_map(|run| Some((run, run.shard.as_ref()?))).collect();
    mistakes.extend(of_other_plans(&shards));
    if mistakes.is_empty() {
        mistakes.extend(twice(&shards));
        mistakes.extend(missing(&shards));
        mistakes.extend(incomplete(&shards));
    }
    let mut varied = Vec::new();
    for (path, text) in differences(parts) {
        match may_differ.iter().any(|named| covers(named, &path)) {
            true => varied.push(text),
            false => mistakes.push(format!("{text}; `--across {path}` merges them all the same")),
        }
    }
    if mistakes.is_empty() { Ok(varied) } else { Err(mistakes) }
}

/// Cases of a shard that were not started: whoever stopped it, or what broke, is in its verdict.
pub fn not_started(run: &RunResult) -> usize {
    let own = run.shard.iter().flat_map(|shard| &shard.own);
    own.filter(|name| !has(run, name)).count()
}

fn has(run: &RunResult, case: &str) -> bool {
    run.cases.iter().any(|of| of.name == case)
}

fn of_other_plans(shards: &[(&RunResult, &Shard)]) -> Vec<String> {
    let Some(((first, a), others)) = shards.split_first() else { return Vec::new() };
    let mut mistakes = Vec::new();
    for (other, b) in others {
        let (one, two) = (&first.run_id, &other.run_id);
        if (a.of, a.balanced) != (b.of, b.balanced) {
            let (how, other_how) = (division(a), division(b));
            mistakes.push(format!("{one} is {how}, {two} is {other_how}"));
            continue;
        }
        let keys: BTreeSet<&String> = a.plan.keys().chain(b.plan.keys()).collect();
        let differ = keys.into_iter().filter(|key| a.plan.get(*key) != b.plan.get(*key));
        let mut differ: Vec<String> = differ.map(|key| format!("`{key}`")).collect();
        // With other cases every key differs.
        if a.cases != b.cases {
            differ = vec!["the list of cases (scenarios, --only, --repeat, matrix)".to_owned()];
        }
        if !differ.is_empty() {
            let differ = differ.join(", ");
            mistakes.push(format!("{one} and {two} are of different plans: {differ} differs"));
        }
    }
    mistakes
}

fn division(of: &Shard) -> String {
    let balanced = if of.balanced { " with --balance" } else { "" };
    format!("shard {}/{}{balanced}", of.number, of.of)
}

fn twice(shards: &[(&RunResult, &Shard)]) -> Vec<String> {
    let mut by_number: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for (run, shard) in shards {
        by_number.entry(shard.number).or_default().push(&run.run_id);
    }
    let several = by_number.into_iter().filter(|(_, runs)| runs.len() > 1);
    several
        .map(|(number, runs)| {
            format!("shard {number} is there {} times: {}", runs.len(), runs.join(", "))
        })
        .collect()
}

fn missing(shards: &[(&RunResult, &Shard)]) -> Option<String> {
    let of = shards.first()?.1.of;
    let there: BTreeSet<u32> = shards.iter().map(|(_, shard)| shard.number).collect();
    let missing: Vec<String> = (1..=of)
        .filter(|number| !there.contains(number))
        .map(|number| number.to_string())
        .collect();
    match missing.as_slice() {
        [] => None,
        [one] => Some(format!("shard {one} of {of} is missing")),
        several => Some(format!("shards {} of {of} are missing", several.join(", "))),
    }
}

/// Runs that were brought to their end without all of their cases: those of `--rerun`.
fn incomplete(shards: &[(&RunResult, &Shard)]) -> Vec<String> {
    let ended = |run: &RunResult| !matches!(run.verdict, Verdict::Interrupted | Verdict::Error);
    let is_short = |run: &RunResult| not_started(run) > 0;
    let short = shards.iter().filter(|(run, _)| ended(run) && is_short(run));
    short
        .map(|(run, shard)| {
            format!(
                "{} has {} of the {} cases of shard {}: merge the run that it repeats, and run again what \
                 did not pass in the merged one",
                run.run_id,
                run.cases.len(),
                shard.own.len(),
                shard.number
            )
        })
        .collect()
}

/// Places that differ between runs, with their values in words.
fn differences(parts: &[RunResult]) -> Vec<(String, String)> {
    let known: Vec<(&str, BTreeMap<String, BTreeSet<String>>)> =
        parts.iter().map(|run| (&*run.run_id, common(run))).collect();
    let paths: BTreeSet<&String> = known.iter().flat_map(|(_, of)| of.keys()).collect();
    let mut found = Vec::new();
    for path in paths {
        // Values with the first run that had them.
        let mut values: Vec<(String, &str)> = Vec::new();
        for (run, of) in &known {
            let Some(here) = of.get(path) else { continue };
            let here = here.iter().cloned().collect::<Vec<_>>().join(" and ");
            if !values.iter().any(|(value, _)| *value == here) {
                values.push((here, run));
            }
        }
        if values.len() > 1 {
            let named = values.iter().take(NAMED).map(|(value, run)| format!("{value} in {run}"));
            let named: Vec<String> = named.collect();
            found.push((path.clone(), format!("{path} differs: {}", named.join(", "))));
        }
    }
    found
}

/// What is the same for all cases of a run: the values of each place.
fn common(run: &RunResult) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for print in run.cases.iter().filter_map(|case| case.fingerprint.as_ref()) {
        for (path, value) in leaves(print) {
            all.entry(path).or_default().insert(value);
        }
    }
    all
}

fn leaves(print: &Fingerprint) -> Vec<(String, String)> {
    let is_common = |path: &str| path.split('.').next().is_some_and(|part| COMMON.contains(&part));
    let is_count = |path: &str| path.rsplit('.').next().is_some_and(|end| COUNTS.contains(&end));
    let all = fingerprint::leaves(print).into_iter();
    let wanted = all.filter(|(path, value)| is_common(path) && !is_count(path) && !value.is_null());
    wanted
        .map(|(path, value)| {
            let named = path.split('.').filter(|part| !part.bytes().all(|b| b.is_ascii_digit()));
            let value = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            (named.collect::<Vec<_>>().join("."), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::result::{CaseSummary, SCHEMA_VERSION, TimeSpent},
        over_time::sample,
    };

    fn shard(run_id: &str, number: u32, own: &[&str]) -> RunResult {
        let print = fingerprint::of(&sample::result(run_id, "a"), None, None);
        let case = |name: &&str| CaseSummary {
            name: (*name).to_owned(),
            scenario: "s".into(),
            verdict: Verdict::Pass,
            sentence: "pass".into(),
            duration_us: 1,
            headline: BTreeMap::new(),
            fingerprint: Some(print.clone()),
            earlier: Vec::new(),
        };
        RunResult {
            schema_version: SCHEMA_VERSION,
            run_id: run_id.into(),
            name: "s".into(),
            started_at: String::new(),
            ended_at: String::new(),
            verdict: Verdict::Pass,
            sentence: "pass".into(),
            reasons: Vec::new(),
            cases: own.iter().map(case).collect(),
            across: Vec::new(),
            compared: Vec::new(),
            comparisons: Vec::new(),
            warnings: Vec::new(),
            parent: None,
            shard: Some(Shard {
                number,
                of: 3,
                cases: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
                own: own.iter().map(|name| (*name).to_owned()).collect(),
                plan: BTreeMap::from([("load".to_owned(), "1".to_owned())]),
                ..Shard::default()
            }),
            merged: Vec::new(),
            versions: BTreeMap::new(),
            command_line: Vec::new(),
            time: TimeSpent::default(),
        }
    }

    fn three() -> Vec<RunResult> {
        vec![shard("x", 1, &["a", "d"]), shard("y", 2, &["b"]), shard("z", 3, &["c"])]
    }

    fn refused(parts: &[RunResult]) -> String {
        belong_together(parts, &[]).unwrap_err().join("\n")
    }

    #[test]
    fn all_shards_of_one_plan_belong_together() {
        assert_eq!(belong_together(&three(), &[]), Ok(Vec::new()));
    }

    #[test]
    fn missing_and_doubled_shards_are_named() {
        let parts = three();
        assert_eq!(refused(&parts[..1]), "shards 2, 3 of 3 are missing");
        let doubled = [parts[0].clone(), parts[1].clone(), shard("w", 2, &["b"])];
        assert_eq!(refused(&doubled), "shard 2 is there 2 times: y, w\nshard 3 of 3 is missing");
        let mut whole = three();
        whole[1].shard = None;
        assert_eq!(refused(&whole), "y is no shard: it was not started with `--shard`");
    }

    #[test]
    fn another_plan_is_named_by_what_differs() {
        let mut parts = three();
        parts[2].shard.as_mut().unwrap().plan.insert("load".into(), "2".into());
        assert_eq!(refused(&parts), "x and z are of different plans: `load` differs");
        parts[2].shard.as_mut().unwrap().cases.pop();
        assert!(refused(&parts).contains("the list of cases"));
        parts[2].shard.as_mut().unwrap().of = 2;
        assert_eq!(refused(&parts), "x is shard 1/3, z is shard 3/2");
    }

    #[test]
    fn other_conditions_are_refused_unless_they_are_named() {
        let mut parts = three();
        let mut result = sample::result("z", "c");
        result.versions.insert("kafka".into(), "4.4.0".into());
        result.agents[0].host.insert("cores".into(), "64".into());
        parts[2].cases[0].fingerprint = Some(fingerprint::of(&result, None, None));
        let said = refused(&parts);
        assert!(said.contains("hosts.machines.cores differs: 2 in x, 64 in z"), "{said}");
        // Not known in the others: nothing that differs.
        assert!(!said.contains("kafka.version"), "{said}");
        let varied = belong_together(&parts, &["hosts".to_owned()]).unwrap();
        assert!(varied.len() == 1 && varied[0].starts_with("hosts.machines.cores"), "{varied:?}");
    }

    #[test]
    fn a_shard_that_was_stopped_is_part_of_it_and_one_that_repeats_another_is_not() {
        let mut parts = three();
        parts[0].cases.pop();
        assert!(refused(&parts).contains("x has 1 of the 2 cases of shard 1"));
        parts[0].verdict = Verdict::Interrupted;
        assert_eq!(belong_together(&parts, &[]), Ok(Vec::new()));
        assert_eq!(not_started(&parts[0]), 1);
    }
}
