//! Health payloads end to end: made, sent, decoded, validated, flattened, and turned away where they
//! are invalid, each of them counted.

use crate::world::{RUN, assert_accounts_add_up, cluster_file, metric, sandbox};
use mallard_health::{Defect, InvalidShares};
use serde_json::Value;
use std::{
    fs,
    io::Read,
    process::Stdio,
    time::{Duration, Instant},
};
use testkit::{
    kafka::{self, Isolation},
    mallard::Sandbox,
    process::Signal,
};

/// Payloads of the runs on Kafka.
const PAYLOADS: u64 = 1_000;

/// Millionths of them that are invalid: a hundred, ten of each class.
const INVALID: u32 = 100_000;

fn scenario(format: &str) -> String {
    format!(
        "name: health\n\
         topics:\n  raw: {{partitions: 6}}\n  rows: {{partitions: 2}}\n  dlq: {{partitions: 3}}\n\
         load:\n  - hold: {{rate: 500/s, for: 2s}}\n  - drain: {{within: 30s}}\n\
         producers:\n  wearables:\n    topic: raw\n    \
         payload: {{health: {{users: 50, samples: 5, invalid: 10%, format: {format}}}}}\n    \
         key: {{field: userId}}\n\
         consumers:\n  flink:\n    topics: [raw]\n    instances: 2\n    \
         process: {{decode: {format}, parallelism: 2, dead_letter: dlq, rows: {{to: {{topic: rows}}}}}}\n\
         expect:\n  - records.lost == 0\n  - pipeline.messages == {PAYLOADS}\n  \
         - pipeline.payload.p95 < 10s\n"
    )
}

/// Rows that are left: four classes take all five samples of a payload, six take one.
fn rows_left() -> u64 {
    let shares = InvalidShares::evenly(INVALID, &Defect::ALL).expect("sound shares");
    let counts = shares.count(PAYLOADS);
    assert!(counts.iter().all(|(_, count)| *count == 10), "{counts:?}");
    (PAYLOADS - 40) * 5 - 60
}

fn pipeline_on_kafka(format: &str) {
    let kafka = kafka::shared(3);
    let sandbox = sandbox(&scenario(format), &cluster_file(kafka, 2, ""));
    let outcome = sandbox.mallard([&RUN[..], &["--keep"]].concat());
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    let is = |name: &str, expected: u64| {
        assert_eq!(metric(&result, name) as u64, expected, "{name}");
    };
    is("pipeline.messages", PAYLOADS);
    is("pipeline.rejected", 40);
    is("pipeline.dropped", 60);
    is("pipeline.samples", (PAYLOADS - 40) * 5);
    is("pipeline.rows", rows_left());
    // The last of them are delivered in the drain.
    is("pipeline.rows_written", rows_left());
    is("pipeline.dead_letters", 40);
    for defect in Defect::ALL {
        let side = if defect.is_of_sample() { "dropped" } else { "rejected" };
        is(&format!("pipeline.{side}.{}", defect.name().replace('-', "_")), 10);
    }

    let topic = |name: &str| {
        let found = kafka
            .list_topics()
            .into_iter()
            .find(|topic| topic.contains(&run.id()) && topic.contains(name));
        found.unwrap_or_else(|| panic!("--keep leaves {name}"))
    };
    let stored = |name: &str| kafka.end_offsets(&topic(name)).values().sum::<i64>() as u64;
    assert_eq!(stored("rows"), rows_left());
    assert_eq!(stored("dlq"), 40);
    let letters = kafka.read_topic(&topic("dlq"), Isolation::ReadUncommitted, 40);
    for defect in Defect::ALL.iter().filter(|defect| !defect.is_of_sample()) {
        let named = letters.records.iter().filter(|letter| {
            letter.headers.iter().any(|(key, value)| {
                key == "mallard-reason" && value.as_deref() == Some(defect.name().as_bytes())
            })
        });
        assert_eq!(named.count(), 10, "{defect}");
    }
    let rows = kafka.read_topic(&topic("rows"), Isolation::ReadUncommitted, 1);
    let row: Value =
        serde_json::from_slice(rows.records[0].value.as_deref().expect("a value")).expect("JSON");
    assert!(row["sample_id"].is_string() && row["start_date"].is_i64(), "{row}");
}

#[test]
fn rows_rejects_and_dead_letters_are_what_the_generator_made() {
    testkit::require!(kafka);
    pipeline_on_kafka("json");
}

#[test]
fn the_same_holds_in_confluents_wire_format() {
    testkit::require!(kafka);
    pipeline_on_kafka("{confluent: 7}");
}

#[test]
fn a_pipeline_is_fed_from_memory_with_and_without_its_stages() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "s.yaml",
        "name: memory\n\
         load:\n  - warm-up: {for: 1s}\n  - hold: {for: 2s}\n\
         consumers:\n  \
           all:\n    source: {memory: {payloads: 500, health: {samples: 5, invalid: 10%}}}\n    \
             process: {decode: json, parallelism: 2}\n  \
           validation:\n    source: {memory: {payloads: 500, health: {samples: 3, format: avro}}}\n    \
             process: {decode: none, flatten: false}\n\
         expect:\n  - pipeline.samples.rate of consumer all > 0/s\n  \
         - pipeline.messages.rate of consumer validation > 0/s\n  \
         - pipeline.rows of consumer validation == 0\n  \
         - pipeline.rejected.no_user_id of consumer all > 0\n  \
         - pipeline.rejected of consumer validation == 0\n  \
         - pipeline.flatten.p95 of consumer all > 0us\n",
    );
    let outcome = sandbox.mallard(["run", "s.yaml"]);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    let expectations = result["expectations"].as_array().expect("a list");
    assert!(expectations.iter().all(|e| e["passed"] == true), "{expectations:#?}");
    assert!(metric(&result, "pipeline.decode.mean") > 0.0);
    let rows_and_dropped = metric(&result, "pipeline.rows") + metric(&result, "pipeline.dropped");
    assert!(rows_and_dropped <= metric(&result, "pipeline.samples"));
}

#[test]
fn rows_come_to_files_in_batches() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("rows");
    let scenario = format!(
        "name: files\n\
         load:\n  - hold: {{for: 1s}}\n\
         consumers:\n  flink:\n    source: {{memory: {{payloads: 100, health: {{samples: 5}}}}}}\n    \
         process: {{decode: none, rows: {{to: {{files: {{folder: {}, batch: 50000}}}}}}}}\n",
        folder.display()
    );
    sandbox.file("s.yaml", scenario);
    let outcome = sandbox.mallard(["run", "s.yaml"]);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert!(metric(&result, "pipeline.rows") > 0.0);
    // With the last file, which has fewer rows and is closed at the very end.
    assert_eq!(metric(&result, "pipeline.rows_written"), metric(&result, "pipeline.rows"));
    let files = sandbox.files_below("rows");
    assert!(!files.is_empty());
    for file in files {
        let bytes = fs::read(sandbox.path("rows").join(&file)).expect("a file");
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{}", file.display());
        assert!(file.to_string_lossy().ends_with(".parquet"), "{}", file.display());
    }
}

#[test]
fn a_stage_that_is_slow_on_purpose_is_named_with_its_share_and_remedy() {
    let sandbox = Sandbox::new();
    let scenario = format!(
        "name: slow\n\
         load:\n  - hold: {{for: 2s}}\n\
         consumers:\n  flink:\n    source: {{memory: {{payloads: 100, health: {{samples: 5}}}}}}\n    \
         process: {{decode: json, rows: {{to: {{files: {{folder: {}, batch: 1}}}}}}}}\n",
        sandbox.path("rows").display()
    );
    sandbox.file("s.yaml", scenario);
    let outcome = sandbox.mallard(["run", "s.yaml"]);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    let told = result["interpretation"]["diagnoses"].as_array().expect("a list");
    let told = told.iter().find(|diagnosis| diagnosis["code"] == "pipeline_stage");
    let told = told.unwrap_or_else(|| panic!("{:#}", result["interpretation"]));
    let text = told["text"].as_str().expect("a text");
    // A file for every payload takes far longer than decoding five samples.
    assert!(text.contains("flink spends most of its time in the stage write"), "{text}");
    assert!(text.contains("pipeline.write.mean") && text.contains("beside it decode"), "{text}");
    assert!(told["remedy"].as_str().is_some_and(|remedy| remedy.contains("`batch` (now 1 rows)")));
    let page = run.text("report.html");
    assert!(page.contains("in the stage write"), "the page tells it");
}

#[test]
fn generated_files_are_whole_and_the_same_again() {
    let sandbox = Sandbox::new();
    let make = |out: &str, format: &str| {
        let words =
            ["generate", "health", "--payloads", "1000", "--samples", "2", "--invalid", "2%"];
        let rest = ["--seed", "9", "--format", format, "--out", out];
        sandbox.mallard([&words[..], &rest[..]].concat()).assert_code(0);
        fs::read(sandbox.path(out)).expect("the file")
    };
    let lines = make("a.ndjson", "ndjson");
    assert_eq!(lines, make("b.ndjson", "ndjson"));
    let text = String::from_utf8(lines).expect("UTF-8");
    assert_eq!(text.lines().count(), 1_000);
    let cut_off = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
    // 2 % of 1,000 are dealt to ten classes, of which one is cut off.
    assert_eq!(cut_off, 2);
    let array: Value = serde_json::from_slice(&make("c.json", "json")).expect("one JSON array");
    assert_eq!(array.as_array().map(Vec::len), Some(1_000));
    assert!(make("d.avro", "avro").starts_with(b"Obj\x01"));
    let refused = sandbox.mallard([
        "generate",
        "health",
        "--payloads",
        "1",
        "--format",
        "json",
        "--invalid",
        "undecodable=1%",
    ]);
    refused.assert_code(2);
    assert!(refused.stderr.contains("ndjson"), "{}", refused.stderr);
}

#[test]
fn an_interrupted_file_is_not_there() {
    let sandbox = Sandbox::new();
    let words = ["generate", "health", "--payloads", "100000000", "--out", "big.ndjson"];
    let running = sandbox.spawn(words);
    let until = Instant::now() + Duration::from_secs(60);
    while sandbox.files_below(".").iter().all(|file| !file.to_string_lossy().ends_with(".part")) {
        assert!(Instant::now() < until, "nothing is being written");
        std::thread::yield_now();
    }
    running.signal(Signal::INT);
    running.wait(Duration::from_secs(60)).assert_code(130);
    let left = sandbox.files_below(".");
    assert!(left.iter().all(|file| !file.to_string_lossy().contains("big")), "{left:?}");
}

#[test]
fn a_reader_that_has_had_enough_ends_it_quietly() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("mallard");
    command.args(["generate", "health", "--payloads", "10000000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut first = [0; 100];
    child.stdout.take().expect("a pipe").read_exact(&mut first).expect("payloads");
    assert!(first.starts_with(b"{\"deviceId\":"));
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn payloads_are_generated_to_a_topic() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    kafka.create_topic("health-generated", 3, 1, &[]);
    let sandbox = sandbox("", &cluster_file(kafka, 1, ""));
    let words = ["generate", "health", "--payloads", "777", "--rate", "500", "--topic"];
    let rest = ["health-generated", "--cluster", "c.yaml", "--invalid", "no-user-id=10%"];
    let outcome = sandbox.mallard([&words[..], &rest[..]].concat());
    sandbox.latest_run().assert_went_well(&outcome);
    let content = kafka.read_topic("health-generated", Isolation::ReadUncommitted, 777);
    assert_eq!(content.total(), 777);
    let names_its_user = |record: &&kafka::Record| {
        let value = record.value.as_deref().unwrap_or_default();
        serde_json::from_slice::<Value>(value).is_ok_and(|value| value["userId"].is_string())
    };
    assert_eq!(content.records.iter().filter(names_its_user).count(), 700);
    assert!(
        content.records.iter().all(|r| r.key.as_deref().is_some_and(|k| k.starts_with(b"user-")))
    );
    kafka.delete_topic("health-generated");
}
