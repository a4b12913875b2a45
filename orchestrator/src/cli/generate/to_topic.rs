//! Payloads to a topic: a run of one producer, planned and archived like any other, since only agents
//! talk to Kafka.

use crate::{
    cli::{
        Outcome,
        args::{Cli, Command, Format, HealthArgs, WHOLE},
        run,
    },
    model::exit_code,
};
use clap::Parser;
use serde_json::{Value, json};
use std::{ffi::OsString, fs, io, path::Path, process};

/// Payloads a second to a topic, unless asked for otherwise.
const DEFAULT_RATE: u32 = 1_000;

/// Holds the password of a schema registry.
const PASSWORD_VARIABLE: &str = "MALLARD_REGISTRY_PASSWORD";

/// How long what was sent may take to be acknowledged.
const DRAIN: &str = "1m";

pub(super) fn generate(args: &HealthArgs) -> Outcome {
    let scenario = match scenario(args) {
        Ok(scenario) => scenario,
        Err(reason) => return Outcome::failed(exit_code::USAGE, format!("error: {reason}\n")),
    };
    let folder = std::env::temp_dir().join(format!("mallard-generate-{}", process::id()));
    let outcome = with_folder(&folder, &scenario, |file| {
        let mut words: Vec<OsString> = vec!["mallard".into(), "run".into(), file.into()];
        words.extend(["--results".into(), args.results.clone().into_os_string()]);
        if let Some(cluster) = &args.cluster {
            words.extend(["--cluster".into(), cluster.clone().into_os_string()]);
        }
        match Cli::try_parse_from(words).map(|cli| cli.command) {
            Ok(Command::Run(args)) => run::run(&args),
            Ok(_) | Err(_) => Outcome::failed(exit_code::ERROR, "error: no run\n".to_owned()),
        }
    });
    let failed = |cause: io::Error| {
        Outcome::failed(exit_code::ERROR, format!("error: {}: {cause}\n", folder.display()))
    };
    outcome.unwrap_or_else(failed)
}

/// Puts the scenario into a folder of its own while something is done with it. Its name is that of the
/// run.
fn with_folder<T>(
    folder: &Path,
    scenario: &Value,
    action: impl FnOnce(&Path) -> T,
) -> io::Result<T> {
    fs::create_dir(folder)?;
    // JSON is YAML.
    let file = folder.join("generate.yaml");
    let outcome = fs::write(&file, format!("{scenario:#}\n")).map(|()| action(&file));
    let _ = fs::remove_dir_all(folder);
    outcome
}

/// The payload's format as a scenario says it. A password stays in the environment.
fn format(args: &HealthArgs) -> Result<Value, String> {
    match (&args.registry, args.format) {
        (None, Format::Avro) => Ok(json!("avro")),
        (None, Format::Json | Format::Ndjson) => Ok(json!("json")),
        (Some(_), Format::Json | Format::Ndjson) => {
            Err("`--registry` needs `--format avro`: the schema is one of Avro".to_owned())
        }
        (Some(url), Format::Avro) => {
            let mut registry = json!({"url": url});
            if let Some(user) = &args.registry_user {
                registry["user"] = json!(user);
                registry["password"] = json!(format!("${{{PASSWORD_VARIABLE}}}"));
            }
            Ok(json!({"registry": registry}))
        }
    }
}

fn scenario(args: &HealthArgs) -> Result<Value, String> {
    let topic = args.topic.as_deref().unwrap_or_default();
    let rate = args.rate.unwrap_or(DEFAULT_RATE);
    let count = args.count(rate);
    if count == 0 {
        return Err("there is nothing to send: give `--payloads` or `--for`".to_owned());
    }
    let invalid: serde_json::Map<_, _> = args
        .invalid_shares()?
        .parts()
        .map(|(defect, part)| (defect.name().to_owned(), json!(f64::from(part) / WHOLE)))
        .collect();
    let mut health = json!({
        "users": args.users,
        "devices": args.devices.unwrap_or_else(|| args.users.div_ceil(2)),
        "samples": args.samples,
        "seed": args.seed,
        "step": format!("{}us", args.step_us()),
        "format": format(args)?,
        "headers": args.headers,
        "invalid": if invalid.is_empty() { json!(0) } else { json!(invalid) },
    });
    if let Some(start) = args.start {
        health["start"] = json!(start.to_string());
    }
    // A schedule of `rate` a second has its last record within the last microsecond that this adds up to.
    let lasting_us = (u128::from(count) * 1_000_000).div_ceil(u128::from(rate));
    Ok(json!({
        "name": "generate",
        "description": format!("{count} health payloads to {topic}."),
        "topics": {topic: {"existing": true}},
        "load": [
            {"hold": {"rate": format!("{rate}/s"), "for": format!("{lasting_us}us")}},
            {"drain": {"within": DRAIN}},
        ],
        "producers": {"generator": {
            "topic": topic,
            "payload": {"health": health},
            "key": {"field": "userId"},
        }},
        "expect": ["produce.error_rate == 0", format!("records.acked == {count}")],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{
            args::{GenerateArgs, Kind},
            generate::config,
        },
        plan::{PlanOptions, plan},
        scenario,
    };
    use mallard_health::{Config, HealthDataLoadGenerator, Payload};
    use mallard_protocol::workload::PayloadSpec;

    fn args(words: &[&str]) -> HealthArgs {
        let words = ["mallard", "generate", "health", "--payloads", "9"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Generate(GenerateArgs { kind: Kind::Health(args) }) => args,
            other => panic!("{other:?}"),
        }
    }

    /// What the agent is told to make of these words.
    fn sent(words: &[&str]) -> Config {
        let args = args(&[words, &["--topic", "t"][..]].concat());
        let folder = tempfile::tempdir().unwrap();
        let cluster = folder.path().join("cluster.yaml");
        let text = "kafka: {bootstrap: \"localhost:9092\"}\nhosts: [local: {}]\n";
        fs::write(&cluster, text).unwrap();
        let cluster = scenario::cluster_file(&cluster, &|_| None).unwrap();
        let made = folder.path().join("made");
        let plan = with_folder(&made, &scenario(&args).unwrap(), |file| {
            let (scenarios, _) = scenario::scenario_files(&[file.to_owned()], &|_| None).unwrap();
            plan(&scenarios, &cluster, &PlanOptions::new("r")).unwrap()
        });
        match &plan.unwrap().cases[0].agents[0].producers[0].payload {
            PayloadSpec::Health(spec) => spec.config(1, 0, 1).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_class_that_is_named_beside_a_share_of_all_gets_both() {
        let words = ["--invalid", "1%", "--invalid", "no-user-id=5%"];
        let shares = sent(&words).invalid;
        let part = |name: &str| {
            let found = shares.parts().find(|(defect, _)| defect.name() == name);
            found.map(|(_, part)| part)
        };
        assert_eq!((part("no-user-id"), part("no-type")), (Some(51_000), Some(1_000)));
        assert_eq!(shares.total(), 60_000);
        assert_eq!(shares, config(&args(&words)).unwrap().invalid, "the same as to a file");
    }

    #[test]
    fn shares_beyond_the_whole_are_refused_before_a_run() {
        let words = ["--topic", "t", "--invalid", "60%", "--invalid", "no-type=60%"];
        assert!(scenario(&args(&words)).unwrap_err().contains("more than 100 %"));
    }

    #[test]
    fn payloads_have_the_same_times_in_a_file_and_in_a_topic() {
        let times = |config: Config| {
            let generator = HealthDataLoadGenerator::with_config(config).unwrap();
            let mut payload = Payload::default();
            let time = |sequence| {
                generator.generate_into(sequence, &mut payload);
                payload.timestamp_ms
            };
            [0, 1, 2, 1_000, 1_001].map(time)
        };
        let rates: [&[&str]; 3] = [&[], &["--rate", "300"], &["--rate", "10000000"]];
        for words in rates {
            assert_eq!(times(sent(words)), times(config(&args(words)).unwrap()), "{words:?}");
        }
        let fast = times(sent(&["--rate", "100"]));
        assert_eq!((fast[1] - fast[0], fast[3] - fast[0]), (10, 10_000));
    }
}
