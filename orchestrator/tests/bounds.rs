//! Which bounds a case is judged by: files, keys, clusters, what is said from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use mallard::{
    bounds::{MetricsBounds, Outside},
    cli::validate,
    config,
    config::render::render,
    plan::{CasePlan, PlanOptions, plan},
    scenario,
};
use std::{env, fs, path::Path, process::Command};
use tempfile::TempDir;

fn bounds_json(p95_ms: u32) -> String {
    format!(
        r#"{{"min_throughput_msg_per_sec": 10, "max_p95_latency_ms": {p95_ms}, "max_error_rate": 0.5,
            "min_success_rate": 0.5, "max_p99_latency_ms": 3000, "max_memory_growth_mb": 600,
            "max_buffer_full_rate": 0.5, "min_messages_per_poll": 1}}"#
    )
}

/// A folder with a scenario of two cases and a cluster file, both with these additions.
fn folder(scenario: &str, cluster: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "name: x\nmatrix: {{codec: [none, gzip]}}\ntopics: {{t: {{}}}}\n\
         load: [hold: {{rate: 10/s, for: 2s}}]\n\
         producers: {{p: {{topic: t, payload: {{size: 50B}}, client: {{compression.type: $codec}}}}}}\n\
         {scenario}\n"
    );
    fs::write(folder.path().join("x.yaml"), text).unwrap();
    let text = format!("kafka: embedded\nhosts: [local: {{agents: 2}}]\n{cluster}\n");
    fs::write(folder.path().join("c.yaml"), text).unwrap();
    folder
}

fn planned(folder: &Path, outside: Outside) -> Result<Vec<CasePlan>, String> {
    let told = |mistakes: Vec<config::Diagnostic>| render(&mistakes, false);
    let nothing = |_: &str| None;
    let cluster = scenario::cluster_file(&folder.join("c.yaml"), &nothing).map_err(told)?;
    let (scenarios, _) =
        scenario::scenario_files(&[folder.join("x.yaml")], &nothing).map_err(told)?;
    let options = PlanOptions { bounds: outside, ..PlanOptions::new("r") };
    plan(&scenarios, &cluster, &options).map(|plan| plan.cases).map_err(told)
}

/// The limits on p95 of both cases, in milliseconds.
fn p95_ms(folder: &Path, outside: Outside) -> Vec<Option<f64>> {
    let cases = planned(folder, outside).unwrap_or_else(|told| panic!("{told}"));
    let limit = |case: &CasePlan| {
        let of = case.expectations.iter().find(|e| e.metric.name == "produce.service.p95");
        of.map(|expectation| expectation.limit / 1000.0)
    };
    cases.iter().map(limit).collect()
}

#[test]
fn the_file_beside_the_scenario_is_taken_where_none_is_named() {
    let folder = folder("", "");
    assert_eq!(p95_ms(folder.path(), Outside::default()), [None, None]);
    fs::write(folder.path().join("benchmark_bounds.json"), bounds_json(700)).unwrap();
    assert_eq!(p95_ms(folder.path(), Outside::default()), [Some(700.0), Some(700.0)]);
}

#[test]
fn a_file_that_the_scenario_names_goes_before_the_one_beside_it() {
    let folder = folder("bounds: mine.json", "");
    fs::write(folder.path().join("benchmark_bounds.json"), bounds_json(700)).unwrap();
    fs::write(folder.path().join("mine.json"), bounds_json(600)).unwrap();
    assert_eq!(p95_ms(folder.path(), Outside::default()), [Some(600.0), Some(600.0)]);
}

#[test]
fn keys_are_laid_over_files_clusters_over_scenarios_and_cases_over_all() {
    let scenario =
        "bounds: {max_p95_latency_ms: 500, cases: {'x@*=gzip': {max_p95_latency_ms: 900}}}";
    let folder = folder(scenario, "");
    fs::write(folder.path().join("benchmark_bounds.json"), bounds_json(700)).unwrap();
    assert_eq!(p95_ms(folder.path(), Outside::default()), [Some(500.0), Some(900.0)]);
    let cases = planned(folder.path(), Outside::default()).unwrap();
    assert_eq!(cases[0].expectations.len(), 8, "the file's other keys are judged, too");
    let cluster = fs::read_to_string(folder.path().join("c.yaml")).unwrap();
    let cluster = format!("{cluster}bounds: {{max_p95_latency_ms: 400}}\n");
    fs::write(folder.path().join("c.yaml"), cluster).unwrap();
    assert_eq!(p95_ms(folder.path(), Outside::default()), [Some(400.0), Some(900.0)]);
}

#[test]
fn what_is_said_from_outside_takes_the_place_of_scenario_and_cluster() {
    let folder = folder("bounds: {max_p95_latency_ms: 500}", "bounds: {max_p95_latency_ms: 400}");
    let (flag, variable) = (folder.path().join("flag.json"), folder.path().join("variable.json"));
    fs::write(&flag, bounds_json(100)).unwrap();
    fs::write(&variable, bounds_json(200)).unwrap();
    let environment = |name: &str| {
        (name == "BENCHMARK_BOUNDS_CONFIG").then(|| variable.to_str().unwrap().to_owned())
    };
    let outside = Outside::new(None, &environment);
    assert_eq!(p95_ms(folder.path(), outside), [Some(200.0), Some(200.0)]);
    let outside = Outside::new(Some(&flag), &environment);
    assert_eq!(p95_ms(folder.path(), outside), [Some(100.0), Some(100.0)]);
}

#[test]
fn an_environment_is_chosen_from_outside() {
    let folder = folder("bounds: both.json", "");
    let both = format!(
        r#"{{"_default_environment": "local", "local": {}, "ci": {}}}"#,
        bounds_json(700),
        bounds_json(5000)
    );
    fs::write(folder.path().join("both.json"), both).unwrap();
    assert_eq!(p95_ms(folder.path(), Outside::default())[0], Some(700.0));
    let ci = |name: &str| (name == "BENCHMARK_ENVIRONMENT").then(|| "ci".to_owned());
    assert_eq!(p95_ms(folder.path(), Outside::new(None, &ci))[0], Some(5000.0));
}

#[test]
fn bounds_know_the_file_and_line_they_come_from_and_the_archive_holds_them() {
    let folder = folder("bounds: mine.json", "");
    fs::write(folder.path().join("mine.json"), bounds_json(600)).unwrap();
    let cases = planned(folder.path(), Outside::default()).unwrap();
    let p99 = cases[0].expectations.iter().find(|e| e.text == "max_p99_latency_ms: 3000").unwrap();
    assert_eq!(p99.source, (folder.path().join("mine.json"), Some(2)));
    assert!(cases[0].scenario_yaml.contains("max_p99_latency_ms: 3000"));
    assert!(!cases[0].scenario_yaml.contains("mine.json"));
}

#[test]
fn a_mistake_in_a_bounds_file_is_told_once_with_its_place() {
    let folder = folder("bounds: mine.json", "");
    let text = bounds_json(600).replace("max_error_rate", "max_error_rte");
    fs::write(folder.path().join("mine.json"), text).unwrap();
    let told = planned(folder.path(), Outside::default()).unwrap_err();
    assert!(told.contains("mine.json:1:"), "{told}");
    assert!(told.contains("did you mean `max_error_rate`?"), "{told}");
    // Both cases have them.
    assert!(told.contains("2 errors"), "{told}");
}

#[test]
fn a_pattern_that_means_no_case_is_a_mistake() {
    let folder = folder("bounds: {cases: {'x@codec=gzib': {max_p95_latency_ms: 9}}}", "");
    let told = planned(folder.path(), Outside::default()).unwrap_err();
    assert!(told.contains("`x@codec=gzib` is no case"), "{told}");
    assert!(told.contains("did you mean `x@codec=gzip`?"), "{told}");
}

#[test]
fn bounds_files_are_validated_with_the_place_of_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let (sound, wrong) = (folder.path().join("ci_bounds.json"), folder.path().join("mine.json"));
    fs::write(&sound, bounds_json(700)).unwrap();
    let text =
        bounds_json(700).replace("max_error_rate", "max_eror_rate").replace("600", "\"600\"");
    fs::write(&wrong, text).unwrap();
    let told = validate::outcome(validate::check(std::slice::from_ref(&sound)));
    assert_eq!((told.code, &*told.stderr), (0, ""));
    assert!(told.stdout.ends_with("ci_bounds.json: a sound bounds file\n"), "{}", told.stdout);
    let told = validate::outcome(validate::check(&[sound, wrong]));
    assert_eq!((told.code, &*told.stdout), (2, ""));
    for part in ["mine.json:1:", "did you mean `max_error_rate`?", "mine.json:2:"] {
        assert!(told.stderr.contains(part), "{part} is not in {}", told.stderr);
    }
    assert!(!told.stderr.contains("ci_bounds.json"), "{}", told.stderr);
}

#[test]
fn json_that_cannot_be_read_is_taken_for_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bounds.json");
    fs::write(&path, bounds_json(700).replace('}', "")).unwrap();
    let told = validate::outcome(validate::check(&[path]));
    assert!(told.code == 2 && told.stderr.contains("not valid JSON"), "{}", told.stderr);
}

/// Says to this program that it is a Rust program with bounds, and what it should find.
const EXPECTED_P95_MS: &str = "MALLARD_TEST_EXPECTED_P95_MS";

#[test]
fn a_rust_program_gets_the_bounds_that_its_environment_names() {
    if let Ok(expected) = env::var(EXPECTED_P95_MS) {
        let bounds = MetricsBounds::new().unwrap();
        assert_eq!(bounds.max_p95_latency_ms.to_string(), expected);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let both = format!(r#"{{"local": {}, "ci": {}}}"#, bounds_json(100), bounds_json(5000));
    let files = [("benchmark_bounds.json", bounds_json(700)), ("mine.json", bounds_json(200))];
    for (name, text) in files.into_iter().chain([("both.json", both)]) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    // A variable is set safely for another process only, so this test is the program, too.
    let finds = |variables: &[(&str, &str)], expected: &str| {
        let mut program = Command::new(env::current_exe().unwrap());
        program.args(["--exact", "a_rust_program_gets_the_bounds_that_its_environment_names"]);
        program.env_remove("BENCHMARK_BOUNDS_CONFIG").env_remove("BENCHMARK_ENVIRONMENT");
        program.envs(variables.iter().copied()).env(EXPECTED_P95_MS, expected);
        let output = program.current_dir(folder.path()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{variables:?}: {told}");
    };
    finds(&[], "700");
    finds(&[("BENCHMARK_BOUNDS_CONFIG", "")], "700");
    finds(&[("BENCHMARK_BOUNDS_CONFIG", "mine.json")], "200");
    finds(&[("BENCHMARK_BOUNDS_CONFIG", "both.json"), ("BENCHMARK_ENVIRONMENT", "ci")], "5000");
}
