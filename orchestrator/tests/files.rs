//! Files that are not what they should be, and trees that grow when nobody looks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use mallard::{
    config::{parameters::set_value, render::render, source::Source, yaml},
    plan::{PlanOptions, plan},
    scenario,
    scenario::{LoadedScenario, cluster},
};
use mallard_protocol::{private_file, workload::TOKEN_COMMAND};
use proptest::prelude::*;
use std::{fs, path::Path, process::Command};

fn nothing(_: &str) -> Option<String> {
    None
}

fn told(path: &Path) -> String {
    let mistakes = scenario::scenario_files(&[path.to_owned()], &nothing).unwrap_err();
    render(&mistakes, false).replace(&path.display().to_string(), "FILE")
}

#[test]
fn a_file_of_a_gibibyte_is_refused_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.yaml");
    fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let before = read_bytes();
    assert_eq!(
        told(&path),
        "error: FILE is too large: 1 MiB is the limit\n  = help: the file has 1 GiB or more\n\n"
    );
    assert!(read_bytes() - before < 1 << 24);
}

/// Bytes that this thread has read from files, as the kernel counts them.
fn read_bytes() -> u64 {
    let counted = fs::read_to_string("/proc/thread-self/io").unwrap();
    counted.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[test]
fn an_endless_file_and_a_pipe_that_nobody_writes_to_are_refused_at_once() {
    let text = told(Path::new("/dev/zero"));
    assert!(text.contains("FILE is a device, not a regular file"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = told(&pipe);
    assert!(text.contains("FILE is a pipe, not a regular file"), "{text}");
    let mistakes = scenario::cluster_file(&pipe, &nothing).unwrap_err();
    assert!(render(&mistakes, false).contains("is a pipe, not a regular file"));
}

#[test]
fn a_missing_file_and_a_folder_in_its_place_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = told(&folder.path().join("nowhere.yaml"));
    assert_eq!(missing, "error: FILE cannot be read: there is no such file\n\n");
    let mistakes = scenario::cluster_file(folder.path(), &nothing).unwrap_err();
    assert!(render(&mistakes, false).contains("is a folder, not a file"));
}

#[test]
fn a_folder_without_scenarios_says_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "load: x").unwrap();
    fs::create_dir(folder.path().join("more.yaml")).unwrap();
    assert!(told(folder.path()).contains("FILE holds no scenario"));
}

#[test]
fn a_folder_means_its_scenarios_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("b.yaml", "name: b\nload: []\n");
    write("a.yml", "name: a\nload: []\n");
    write("cluster.yaml", "kafka: embedded\nhosts: []\n");
    write("compose.yaml", "services: {}\n");
    write("bounds.json", "{}");
    let paths = [folder.path().to_owned()];
    let (scenarios, warnings) = scenario::scenario_files(&paths, &nothing).unwrap();
    assert_eq!(scenarios.iter().map(|s| &*s.name).collect::<Vec<_>>(), ["a", "b"]);
    let text = render(&warnings, false);
    assert!(text.contains("compose.yaml is neither a scenario nor a cluster file"), "{text}");
}

#[test]
fn two_scenarios_of_one_name_are_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.yaml", "b.yaml"] {
        fs::write(folder.path().join(name), "name: same\nload: []\n").unwrap();
    }
    assert!(told(folder.path()).contains("a second scenario has the name `same`"));
}

#[test]
fn a_cluster_file_is_no_scenario_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    fs::write(&path, "kafka: embedded\nhosts: []\n").unwrap();
    assert!(told(&path).contains("is a cluster file, not a scenario"));
    fs::write(&path, "name: x\nload: []\n").unwrap();
    let mistakes = scenario::cluster_file(&path, &nothing).unwrap_err();
    assert!(render(&mistakes, false).contains("is a scenario, not a cluster file"));
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_first_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    fs::write(&path, "\u{feff}name: x\nload: []\n").unwrap();
    let (scenarios, _) = scenario::scenario_files(&[path], &nothing).unwrap();
    assert_eq!(scenarios[0].name, "x");
}

#[test]
fn anchors_aliases_and_merges_are_what_they_stand_for() {
    let text = "base: &b {x: 1, y: 2}\nother: {<<: *b, y: 3}\nlist: [*b, *b]\n";
    let root = yaml::parse(&Source::new("x", text)).unwrap();
    let other = root.get("other").unwrap();
    assert_eq!(other.get("x").unwrap().scalar().unwrap().text, "1");
    assert_eq!(other.get("y").unwrap().scalar().unwrap().text, "3");
    assert_eq!(root.get("list").unwrap().size().nodes, 11);
}

#[test]
fn variables_need_no_quotes_in_a_flow_mapping() {
    let root = yaml::parse(&Source::new("x", "{a: ${NAME}, b: \"${NAME}-$(NAME)\"}")).unwrap();
    assert_eq!(root.get("a").unwrap().scalar().unwrap().text, "${NAME}");
}

#[test]
fn deep_nesting_is_a_mistake_and_not_the_end_of_the_stack() {
    for open in ["[", "{a: ", "- "] {
        let text = open.repeat(100_000);
        assert!(yaml::parse(&Source::new("x", text)).is_err());
    }
}

#[test]
fn secrets_stay_out_of_archive_names_and_messages() {
    let environment = |name: &str| Some(format!("secret-of-{name}"));
    let text = "name: s\nparameters: {password: '${PW}'}\nmatrix: {user: ['${USER}', plain]}\n\
        topics: {t: {}}\nload: [hold: {rate: 1/s, for: 1s}]\nproducers:\n  p:\n    topic: t\n    \
        payload: {size: 1KiB}\n    headers: {auth: 'Basic ${TOKEN}'}\n    \
        client: {sasl.username: $user, sasl.password: $password, ssl.key.password: literal-password}\n";
    let source = Source::new("s.yaml", text);
    let loaded = LoadedScenario::from_source(&source, &environment).unwrap();
    let cluster_text = "kafka: {bootstrap: \"b:1\", client: {sasl.password: '${PW2}', ssl.key.pem: inline-key}}\nhosts: [local: {}]\n";
    let cluster = cluster::from_source(&Source::new("c.yaml", cluster_text), &environment).unwrap();
    let plan = plan(&[loaded], &cluster, &PlanOptions::new("r")).unwrap();
    let case = &plan.cases[0];
    assert_eq!(case.name, "s@user=1");
    assert_eq!(plan.cases[1].name, "s@user=plain");
    for secret in
        ["secret-of-PW", "secret-of-TOKEN", "secret-of-PW2", "literal-password", "inline-key"]
    {
        assert!(case.secrets.iter().any(|s| s == secret), "{secret}: {:?}", case.secrets);
        assert!(!case.scenario_yaml.contains(secret) && !case.cluster_yaml.contains(secret));
        assert!(!case.parameters.values().any(|value| value.contains(secret)));
    }
    let producer = case.agents.iter().flat_map(|agent| &agent.producers).next().unwrap();
    assert_eq!(producer.headers, [("auth".to_owned(), "Basic secret-of-TOKEN".to_owned())]);
    assert!(producer.client.contains(&("sasl.password".to_owned(), "secret-of-PW".to_owned())));
}

#[test]
fn files_that_a_cluster_file_names_go_along_from_its_folder_and_are_secret() {
    let folder = tempfile::tempdir().unwrap();
    let pem = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n";
    fs::create_dir_all(folder.path().join("lab/certs")).unwrap();
    fs::write(folder.path().join("lab/certs/ca.pem"), pem).unwrap();
    let file = folder.path().join("lab/c.yaml");
    let text = "kafka:\n  bootstrap: \"b:1\"\n  client: {security.protocol: SASL_SSL, sasl.mechanism: OAUTHBEARER, \
        ssl.ca.location: certs/ca.pem}\n  token: {command: [signer, --region, x]}\nhosts: [local: {}]\n";
    fs::write(&file, text).unwrap();
    let cluster = scenario::cluster_file(&file, &nothing).unwrap();
    let connection = cluster.kafka.connection().unwrap();
    let value = |key: &str| {
        connection.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str()).unwrap()
    };
    let carried = value("ssl.ca.location");
    assert_eq!(private_file::decode(carried), Some(("certs/ca.pem", pem.as_bytes().to_vec())));
    assert!(cluster.secrets.iter().any(|secret| secret == carried));
    assert!(cluster.yaml.contains("ssl.ca.location: certs/ca.pem"), "{}", cluster.yaml);
    assert_eq!(value(TOKEN_COMMAND), r#"["signer","--region","x"]"#);
    assert!(cluster.yaml.contains("- --region") || cluster.yaml.contains("- \"--region\""));
}

#[test]
fn dollars_are_escaped_by_doubling() {
    let text = "name: d\ntopics: {t: {}}\nload: [hold: {rate: 1/s, for: 1s}]\nproducers:\n  p:\n    \
        topic: t\n    payload: {size: 1KiB}\n    headers: {a: $$name, b: \"$${NAME}\", c: cost $5, d: \"100$\"}\n";
    let loaded = LoadedScenario::from_source(&Source::new("d.yaml", text), &nothing).unwrap();
    let cluster = scenario::default_cluster(Path::new("/nowhere"), &nothing).unwrap();
    let plan = plan(&[loaded], &cluster, &PlanOptions::new("r")).unwrap();
    let producer = plan.cases[0].agents.iter().flat_map(|agent| &agent.producers).next().unwrap();
    let values: Vec<_> = producer.headers.iter().map(|(_, value)| &**value).collect();
    assert_eq!(values, ["$name", "${NAME}", "cost $5", "100$"]);
}

#[test]
fn settings_are_typed_and_their_mistakes_name_them() {
    assert!(set_value("x", "[1, 2]").unwrap().size().nodes == 3);
    let mistake = set_value("x", "[1").unwrap_err();
    assert!(mistake.message.contains("`--set x=[1`"), "{}", mistake.message);
    let text = "name: s\nparameters: {rate: 5/s}\ntopics: {t: {}}\nload: [hold: {rate: $rate, for: 1s}]\n\
        producers: {p: {topic: t, payload: {size: 1KiB}}}\n";
    let loaded = LoadedScenario::from_source(&Source::new("s.yaml", text), &nothing).unwrap();
    let cluster = scenario::default_cluster(Path::new("/nowhere"), &nothing).unwrap();
    let set = |name: &str, value: &str| PlanOptions {
        set: vec![(name.to_owned(), value.to_owned())],
        ..PlanOptions::new("r")
    };
    let planned = plan(std::slice::from_ref(&loaded), &cluster, &set("rate", "7/s")).unwrap();
    assert_eq!(planned.cases[0].parameters["rate"], "7/s");
    let text = render(
        &plan(std::slice::from_ref(&loaded), &cluster, &set("rate", "7")).unwrap_err(),
        false,
    );
    assert!(
        text.contains("`7` has no unit") && text.contains("the value comes from `--set rate=7`"),
        "{text}"
    );
    let text = render(&plan(&[loaded], &cluster, &set("rat", "7/s")).unwrap_err(), false);
    assert!(
        text.contains("there is no parameter `rat`") && text.contains("did you mean `rate`"),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_makes_the_loader_panic(text in "\\PC{0,200}") {
        load_anything(&text);
    }

    #[test]
    fn no_yaml_makes_the_loader_panic(
        text in prop::collection::vec(
            prop::sample::select(vec![
                "name", "load", "topics", "producers", "consumers", "matrix", "parameters", "expect",
                "hold", "drain", "rate", "for", "within", "topic", "payload", "size", "instances", "kafka",
                "hosts", "local", "agents", ": ", ":\n  ", "\n", "\n- ", "- ", "  ", "    ", "[", "]", "{",
                "}", ", ", "&a ", "*a ", "<<", "$rate", "${X}", "$$", "5/s", "1m", "max", "1KiB", "\"", "'",
                "|", ">", "#", "é", "\t", "!t ", "~", "-", "5", "é: é", "18446744073709551616", "1e999",
            ]),
            0..60,
        )
    ) {
        load_anything(&text.concat());
    }

    #[test]
    fn places_lie_in_the_file(text in "[a-z:\\[\\]{} \\-\n&*é$]{0,80}") {
        if let Err(mistakes) = yaml::parse(&Source::new("x", &*text)) {
            for location in mistakes.iter().filter_map(|mistake| mistake.location.as_ref()) {
                prop_assert!(location.span.0 <= location.span.1 && location.span.1 <= text.len());
                prop_assert!(location.line <= text.lines().count() + 1);
            }
            prop_assert!(!render(&mistakes, true).is_empty());
        }
    }
}

fn load_anything(text: &str) {
    let source = Source::new("x.yaml", text);
    let cluster = scenario::default_cluster(Path::new("/nowhere"), &nothing).unwrap();
    if let Ok(loaded) = LoadedScenario::from_source(&source, &nothing) {
        match plan(&[loaded], &cluster, &PlanOptions::new("r")) {
            Ok(plan) => drop(mallard::plan::show::text(&plan)),
            Err(mistakes) => drop(render(&mistakes, false)),
        }
    }
    if let Err(mistakes) = cluster::from_source(&source, &nothing) {
        assert!(!render(&mistakes, true).is_empty());
    }
}
