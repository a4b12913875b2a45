//! The shipped scenarios, schemas and documents: they load, they agree, they are current.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use mallard::{
    bounds::{KEYS, MetricsBounds},
    cli::schema::{SchemaOf, schema_text},
    config,
    config::{render::render, source::Source, yaml},
    hosts::deploy::elf::{self, Glibc},
    plan::{Plan, PlanOptions, plan, show},
    scenario,
    scenario::cluster::Cluster,
};
use serde_json::Value as Json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::snapshot;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cluster() -> Cluster {
    scenario::cluster_file(&root().join("cluster.yaml"), &|_| None)
        .unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)))
}

fn planned(scenario: impl AsRef<Path>) -> Plan {
    let path = root().join("scenarios").join(scenario);
    scenario::scenario_files(&[path], &|_| None)
        .and_then(|(scenarios, _)| plan(&scenarios, &cluster(), &PlanOptions::new("run-1")))
        .unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)))
}

fn shipped() -> Vec<PathBuf> {
    let folders = [
        root().join("scenarios"),
        root().join("scenarios/producer"),
        root().join("scenarios/health"),
    ];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// A tree as JSON, plain scalars resolved as YAML 1.2's core schema does, for the schema's eyes.
fn as_json(node: &yaml::Node) -> Json {
    match &node.kind {
        yaml::Kind::Scalar(scalar) if !scalar.plain => Json::String(scalar.text.clone()),
        yaml::Kind::Scalar(scalar) => {
            let number = || serde_json::from_str::<Json>(&scalar.text).ok().filter(Json::is_number);
            match &*scalar.text {
                "" | "~" | "null" => Json::Null,
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                text => number().unwrap_or_else(|| Json::String(text.to_owned())),
            }
        }
        yaml::Kind::List(items) => items.iter().map(as_json).collect(),
        yaml::Kind::Map(entries) => Json::Object(
            entries.iter().map(|entry| (entry.key.clone(), as_json(&entry.value))).collect(),
        ),
        yaml::Kind::Invalid => Json::Null,
    }
}

fn schema_mistakes(of: SchemaOf, text: &str) -> Vec<String> {
    let schema: Json = serde_json::from_str(&schema_text(of)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let root = yaml::parse(&Source::new("x.yaml", text)).unwrap();
    validator.iter_errors(&as_json(&root)).map(|error| error.to_string()).collect()
}

#[test]
fn the_quickstart_takes_about_twenty_seconds() {
    let plan = planned("quickstart.yaml");
    assert_eq!(plan.warnings, []);
    assert_eq!(plan.name, "quickstart");
    let [case] = &plan.cases[..] else { panic!("one case") };
    assert_eq!(case.name, "quickstart");
    let phases: Vec<_> = case.timeline.0.iter().map(|p| (&*p.name, p.end_us)).collect();
    let expected = [
        ("warm-up", 2_000_000),
        ("hold", 10_000_000),
        ("burst", 16_000_000),
        ("drain", 26_000_000),
    ];
    assert_eq!(phases, expected);
    let producers: Vec<_> = case.agents.iter().flat_map(|a| &a.producers).collect();
    assert_eq!(producers.len(), 2);
    assert_eq!(producers[0].schedule.total(), 2_000 * 16 + 2_000 * 2);
    assert_eq!(case.topics[0].name, "orders-run-1-1");
    assert_eq!(case.expectations.len(), 5);
}

#[test]
fn every_shipped_scenario_is_sound_and_runs_on_the_default_cluster() {
    let files = shipped();
    assert!(files.len() >= 9);
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let plan = planned(&file);
        // Those of a suite carry its name, which is the folder's.
        let suite = file.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap();
        let suite = if suite == "scenarios" { String::new() } else { format!("{suite}.") };
        assert_eq!(plan.name, format!("{suite}{}", name.trim_end_matches(".yaml")));
        let serious = plan.warnings.iter().filter(|w| !w.message.contains("embedded broker"));
        assert_eq!(serious.collect::<Vec<_>>(), Vec::<&config::Diagnostic>::new(), "{name}");
        assert!(show::text(&plan).contains("expectations"), "{name}");
    }
}

#[test]
fn every_shipped_fault_is_sound_on_three_brokers_and_on_none_without_consent() {
    let folder = root().join("scenarios/faults");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 4);
    let planned = |file: &Path, kafka: &str| {
        let text = format!("kafka: {kafka}\nhosts: [local: {{}}]\n");
        let cluster = scenario::cluster::from_source(&Source::new("c.yaml", &text), &|_| None);
        let cluster = cluster.unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)));
        scenario::scenario_files(&[file.to_owned()], &|_| None)
            .and_then(|(scenarios, _)| plan(&scenarios, &cluster, &PlanOptions::new("run-1")))
    };
    for file in files {
        let plan = planned(&file, "{container: {image: 'apache/kafka:4.1.1', brokers: 3}}");
        let plan = plan.unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)));
        assert_eq!(plan.warnings, []);
        assert!(!plan.cases[0].faults.is_empty());
        let shown = show::text(&plan);
        let held =
            ["a guard and its twin on this machine", "the kernel, for as long as its guard lives"];
        assert!(held.iter().any(|by| shown.contains(by)), "{shown}");
        let none = "{container: {image: 'apache/kafka:4.1.1', brokers: 3, faults: {allow: []}}}";
        for refused in [none, "embedded", "{bootstrap: 'b:9092'}"] {
            let mistakes = planned(&file, refused).expect_err(refused);
            assert!(mistakes.iter().all(|mistake| mistake.location.is_some()), "{mistakes:?}");
        }
    }
}

#[test]
fn plans_are_shown_as_they_should_be() {
    for name in ["quickstart", "codecs", "soak", "closed-loop"] {
        let shown = show::text(&planned(format!("{name}.yaml")));
        snapshot::hold(&Path::new("tests/plans").join(format!("{name}.txt")), &shown);
    }
}

#[test]
fn plans_show_what_is_judged_across_cases() {
    let plan = planned("health/scaling.yaml");
    let shown = show::text(&plan);
    let (_, across) = shown.split_once("across cases, after the last one\n").unwrap();
    assert_eq!(
        across,
        "  pipeline.samples.rate at parallelism=2 >= 80% of linear from parallelism=1\n    \
         health.scaling@parallelism=2 against health.scaling@parallelism=1\n  \
         pipeline.samples.rate at parallelism=4 >= 80% of linear from parallelism=1\n    \
         health.scaling@parallelism=4 against health.scaling@parallelism=1\n"
    );
}

#[test]
fn the_folder_of_scenarios_has_every_case_once() {
    let folder = root().join("scenarios");
    let (scenarios, warnings) = scenario::scenario_files(&[folder], &|_| None).unwrap();
    assert_eq!(warnings, []);
    let plan = plan(&scenarios, &cluster(), &PlanOptions::new("run-1")).unwrap();
    assert_eq!(plan.name, "scenarios");
    let mut names: Vec<_> = plan.cases.iter().map(|case| &case.name).collect();
    assert!(names.iter().any(|name| *name == "codecs@codec=zstd,size=16KiB"), "{names:?}");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), plan.cases.len());
}

#[test]
fn the_producer_suite_is_judged_by_the_bounds_beside_it() {
    let plan = planned("producer");
    let names: Vec<_> = plan.cases.iter().map(|case| &*case.name).collect();
    for name in ["producer.basic", "producer.batches@hold=10s", "producer.compression@codec=gzip"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for case in &plan.cases {
        let named = |text: &str| KEYS.iter().any(|key| text.split(':').next() == Some(key.name));
        let bounds: Vec<_> = case.expectations.iter().filter(|e| named(&e.text)).collect();
        assert_eq!(bounds.len(), 8, "{}", case.name);
        let beside = bounds.iter().filter(|e| e.source.0.ends_with("benchmark_bounds.json"));
        // One case has a bound of its own.
        let own = usize::from(case.name == "producer.transactions");
        assert_eq!(beside.count(), 8 - own, "{}", case.name);
        assert!(
            case.scenario_yaml.contains("max_p95_latency_ms: 1500.0"),
            "{}",
            case.scenario_yaml
        );
    }
}

#[test]
fn the_shipped_bounds_are_sound() {
    for name in ["benchmark_bounds", "ci_bounds", "production_bounds"] {
        let path = root().join("scenarios/producer").join(format!("{name}.json"));
        MetricsBounds::from_config_file(&path).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    }
}

#[test]
fn what_is_archived_of_a_scenario_is_a_scenario() {
    for file in shipped() {
        let plan = planned(&file);
        for case in &plan.cases {
            let source = Source::new("scenario.yaml", &*case.scenario_yaml);
            let loaded = scenario::LoadedScenario::from_source(&source, &|_| None).unwrap();
            let again = mallard::plan::plan(&[loaded], &cluster(), &PlanOptions::new("run-1"))
                .unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)));
            assert_eq!(again.cases[0].agents.len(), case.agents.len());
            assert_eq!(again.cases[0].timeline, case.timeline);
            let specs = |case: &mallard::plan::CasePlan| {
                let agents = case.agents.iter().map(|a| (a.producers.clone(), a.consumers.len()));
                agents.collect::<Vec<_>>()
            };
            assert_eq!(specs(&again.cases[0]), specs(case), "{}", case.name);
        }
    }
}

#[test]
fn the_checked_in_schemas_are_current() {
    for (of, name) in
        [(SchemaOf::Scenario, "scenario.schema.json"), (SchemaOf::Cluster, "cluster.schema.json")]
    {
        snapshot::hold(&root().join("schemas").join(name), &schema_text(of));
    }
}

#[test]
fn shipped_files_obey_their_schemas_and_name_them() {
    let cluster = root().join("cluster.yaml");
    for (file, of) in shipped()
        .into_iter()
        .map(|file| (file, SchemaOf::Scenario))
        .chain([(cluster, SchemaOf::Cluster)])
    {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap();
        let schema = first.strip_prefix("# yaml-language-server: $schema=").expect("a schema");
        assert!(file.parent().unwrap().join(schema).is_file(), "{first}");
        assert_eq!(schema_mistakes(of, &text), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn schemas_refuse_what_the_loader_refuses() {
    let sound = "name: x\nload: [hold: {rate: 5/s, for: 1s}]\n";
    assert_eq!(schema_mistakes(SchemaOf::Scenario, sound), Vec::<String>::new());
    for wrong in [
        "name: x\n",
        "name: x y\nload: [hold: {rate: 5/s, for: 1s}]\n",
        "name: x\nload: [hold: {rate: 5/sec, for: 1s}]\n",
        "name: x\nload: [hold: {rate: 5/s, for: 10 minuts}]\n",
        "name: x\nload: [holds: {rate: 5/s, for: 1s}]\n",
        "name: x\nlaod: []\nload: [hold: {rate: 5/s, for: 1s}]\n",
        "name: x\nload: [ramp: {from: max, to: 5/s, for: 1s}]\n",
        "name: x\nload: []\n",
        "name: x\nload: [pause: {for: 1s}]\ntopics: {t: {partitions: 0}}\n",
    ] {
        assert_ne!(schema_mistakes(SchemaOf::Scenario, wrong), Vec::<String>::new(), "{wrong}");
    }
}

/// Every YAML block of a document: the line it begins on, and its text.
fn yaml_blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim()) {
            (None, "```yaml") => open = Some((number + 2, String::new())),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some((_, block)), _) => block.push_str(&format!("{line}\n")),
            _ => {}
        }
    }
    blocks
}

/// A block of a document is a whole file, or some top-level keys of a scenario: then the rest is added.
fn completed(block: &str) -> String {
    let mut text = block.to_owned();
    for (key, rest) in [
        ("name:", "name: example\n"),
        ("topics:", "topics: {orders: {partitions: 6}}\n"),
        ("load:", "load: [hold: {rate: 100/s, for: 1m}]\n"),
        ("producers:", "producers: {shop: {topic: orders, payload: {size: 1KiB}}}\n"),
    ] {
        if !text.lines().any(|line| line.starts_with(key)) {
            text.push_str(rest);
        }
    }
    text
}

#[test]
fn every_example_in_the_documents_is_sound() {
    let environment = |name: &str| Some(format!("value-of-{name}"));
    let mut blocks = 0;
    for name in ["scenario.md", "cluster.md", "security.md"] {
        let text = fs::read_to_string(root().join("docs").join(name)).unwrap();
        for (line, block) in yaml_blocks(&text) {
            blocks += 1;
            let at = format!("docs/{name}:{line}");
            let is_cluster =
                block.lines().any(|l| l.starts_with("kafka:") || l.starts_with("hosts:"));
            if is_cluster {
                // Certificates are looked for beside examples of mistakes.
                let file = root().join("orchestrator/tests/mistakes").join(at.replace('/', "-"));
                let source = Source::new(file, &*block);
                scenario::cluster::from_source(&source, &environment)
                    .unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)));
                assert_eq!(
                    schema_mistakes(SchemaOf::Cluster, &block),
                    Vec::<String>::new(),
                    "{at}"
                );
            } else {
                let text = completed(&block);
                // Files are looked for as if the example were a shipped scenario.
                let source =
                    Source::new(root().join("scenarios").join(format!("{name}:{line}")), &*text);
                let labelled = "kafka: {bootstrap: \"b:9092\"}\nhosts: [local: {agents: 2, labels: [producer, consumer]}]\n";
                let cluster =
                    scenario::cluster::from_source(&Source::new("c", labelled), &environment)
                        .unwrap();
                scenario::LoadedScenario::from_source(&source, &environment)
                    .and_then(|loaded| plan(&[loaded], &cluster, &PlanOptions::new("run-1")))
                    .unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)));
                assert_eq!(
                    schema_mistakes(SchemaOf::Scenario, &text),
                    Vec::<String>::new(),
                    "{at}"
                );
            }
        }
    }
    assert!(blocks >= 12);
}

#[test]
fn the_documents_name_every_key() {
    // Containers have a page of their own.
    let documents: [(_, &[&str]); 2] = [
        (SchemaOf::Scenario, &["scenario.md", "faults.md"]),
        (SchemaOf::Cluster, &["cluster.md", "containers.md", "security.md", "faults.md"]),
    ];
    for (of, names) in documents {
        let read = |name: &&str| fs::read_to_string(root().join("docs").join(name)).unwrap();
        let text: String = names.iter().map(read).collect();
        let schema: Json = serde_json::from_str(&schema_text(of)).unwrap();
        let mut keys = Vec::new();
        collect_keys(&schema, &mut keys);
        for key in keys {
            let said = [format!("`{key}`"), format!("{{{key}:")];
            assert!(
                said.iter().any(|s| text.contains(s)),
                "{names:?} of docs/ do not explain `{key}`"
            );
        }
    }
}

fn collect_keys(schema: &Json, keys: &mut Vec<String>) {
    match schema {
        Json::Object(object) => {
            if let Some(Json::Object(properties)) = object.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| collect_keys(value, keys));
        }
        Json::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}

#[test]
fn the_script_for_portable_agents_finds_what_a_program_needs_and_refuses_what_is_newer() {
    let agent = testkit::paths::built("mallard-agent");
    let check = |arguments: &[&str]| {
        let mut script = Command::new(root().join("scripts/portable-agent"));
        let ended = script.arg("--check").args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
        (ended.status.code(), text(ended.stdout), text(ended.stderr))
    };
    let path = agent.to_str().unwrap();
    let (code, found, _) = check(&[path]);
    assert_eq!(code, Some(0));
    // What the script reads by objdump is what Mallard itself compares with a host's.
    assert_eq!(Glibc::parse(&found), elf::needs(&fs::read(&agent).unwrap()).unwrap().glibc);

    assert_eq!(check(&[path, "2.999"]).0, Some(0));
    let (code, _, words) = check(&[path, "2.2"]);
    assert_eq!(code, Some(1));
    assert!(words.contains(&format!("needs glibc {found}, which is newer than 2.2")), "{words}");
    let (code, _, words) = check(&["/no/such/program"]);
    assert_eq!((code, words.as_str()), (Some(2), "no program to check: /no/such/program"));
}
