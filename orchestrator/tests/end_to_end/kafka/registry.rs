//! Schemas' ids from a schema registry: in every record that is sent, and asked of every record that is
//! decoded.

use crate::world::{RUN, cluster_file, metric, sandbox};
use mallard_health::encode::avro::SCHEMA;
use serde_json::Value;
use std::{collections::BTreeMap, fs, net::TcpListener};
use testkit::{
    kafka::{self, Isolation, Record},
    mallard::Sandbox,
    process::Finished,
    registry::{Behaviour, Certificate, SchemaRegistry},
};

/// Payloads of a run.
const PAYLOADS: u64 = 400;

/// What `mallard` with the password `wonderland` says to be alice: `alice:wonderland` in Base64.
const ALICE: &str = "Basic YWxpY2U6d29uZGVybGFuZA==";

fn scenario(format: &str, decode: &str) -> String {
    format!(
        "name: registered\n\
         topics:\n  raw: {{partitions: 3}}\n\
         load:\n  - hold: {{rate: 400/s, for: 1s}}\n  - drain: {{within: 30s}}\n\
         producers:\n  wearables:\n    topic: raw\n    instances: 2\n    \
         payload: {{health: {{samples: 3, headers: true, format: {format}}}}}\n    \
         headers: {{source: test}}\n\
         consumers:\n  flink: {{topics: [raw], process: {{decode: {decode}}}}}\n"
    )
}

fn registry(ids: &[(&str, u32)], taken: &[&str], authorization: Option<&str>) -> SchemaRegistry {
    SchemaRegistry::start(Behaviour {
        ids: ids.iter().map(|(subject, id)| ((*subject).to_owned(), *id)).collect(),
        taken: taken.iter().map(|subject| (*subject).to_owned()).collect(),
        authorization: authorization.map(str::to_owned),
    })
}

fn header<'a>(record: &'a Record, name: &str) -> &'a [u8] {
    let found = record.headers.iter().find(|(key, _)| key == name);
    found.and_then(|(_, value)| value.as_deref()).unwrap_or_else(|| panic!("no header {name}"))
}

#[test]
fn records_carry_the_registered_id_and_headers_and_are_decoded_by_it() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let registry = registry(&[("raw-value", 77)], &[], Some(ALICE));
    let format = format!(
        "{{registry: {{url: \"{}/\", user: alice, password: \"${{REGISTRY_PASSWORD}}\"}}}}",
        registry.url()
    );
    let mut sandbox = sandbox(&scenario(&format, &format), &cluster_file(kafka, 2, ""));
    sandbox.set("REGISTRY_PASSWORD", "wonderland");
    let outcome = sandbox.mallard([&RUN[..], &["--keep"]].concat());
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_eq!(metric(&result, "pipeline.messages") as u64, PAYLOADS);
    assert_eq!(metric(&result, "pipeline.rejected"), 0.0);
    assert_eq!(metric(&result, "pipeline.rows") as u64, PAYLOADS * 3);

    let requests = registry.requests();
    assert!(
        !requests.is_empty() && requests.len() <= 3,
        "{}: one for each workload",
        requests.len()
    );
    for request in &requests {
        assert_eq!(request.line, "POST /subjects/raw-value/versions");
        assert_eq!(request.body["schema"], SCHEMA);
        assert_eq!(request.headers["content-type"], "application/vnd.schemaregistry.v1+json");
    }
    for file in sandbox.files_below("results") {
        let bytes = fs::read(sandbox.path("results").join(&file)).unwrap_or_default();
        let told = bytes.windows(10).any(|part| part == b"wonderland");
        assert!(!told, "the password stands in {}", file.display());
    }

    let topic = kafka.list_topics().into_iter().find(|topic| topic.contains(&run.id()));
    let content =
        kafka.read_topic(&topic.expect("--keep leaves it"), Isolation::ReadUncommitted, 1_000);
    let mut seen = BTreeMap::new();
    for record in
        content.records.iter().filter(|r| r.headers.iter().any(|(key, _)| key == "source"))
    {
        let value = record.value.as_deref().expect("a value");
        assert_eq!(value[..5], [0, 0, 0, 0, 77]);
        assert_eq!(header(record, "sample-count"), b"3");
        assert_eq!(header(record, "app-version"), b"1.0.0");
        assert!(header(record, "device-id").starts_with(b"device-"));
        // Avro's body begins with the device's id, behind its length.
        let device = header(record, "device-id");
        assert!(value.windows(device.len()).any(|part| part == device), "another device's header");
        *seen.entry(header(record, "request-id").to_vec()).or_insert(0) += 1;
    }
    assert_eq!(seen.len() as u64, PAYLOADS, "request ids are unique");
}

#[test]
fn records_with_another_schemas_id_are_rejected() {
    let registry = registry(&[("raw-value", 5), ("elsewhere", 6)], &[], None);
    let format = format!("{{registry: \"{}\"}}", registry.url());
    let decode = format!("{{registry: {{url: \"{}\", subject: elsewhere}}}}", registry.url());
    let sandbox = sandbox(&scenario(&format, &decode), "kafka: embedded\nhosts: [local: {}]\n");
    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    assert_eq!(metric(&run.only_result(), "pipeline.rejected.undecodable") as u64, PAYLOADS);
}

/// Runs with a registry that fails, and returns what the verdict says of it.
fn reason(url: &str) -> (Sandbox, Finished, String) {
    let format = format!("{{registry: \"{url}\"}}");
    let sandbox = sandbox(&scenario(&format, "avro"), "kafka: embedded\nhosts: [local: {}]\n");
    let outcome = sandbox.mallard(RUN);
    outcome.assert_code(3);
    let result: Value = sandbox.latest_run().only_result();
    assert_eq!(result["reasons"][0]["code"], "schema_registry_failed", "{result:#}");
    let text = result["reasons"][0]["text"].as_str().expect("a text").to_owned();
    assert!(text.contains("wearables-1") && text.contains(url), "{text}");
    (sandbox, outcome, text)
}

#[test]
fn what_a_registry_refuses_is_told_in_its_own_words() {
    let taken = registry(&[], &["raw-value"], None);
    let (_sandbox, outcome, text) = reason(&taken.url());
    assert!(text.contains("subject raw-value: Schema being registered is incompatible"), "{text}");
    assert!(text.contains("(error code 409)"), "{text}");
    assert!(outcome.stdout.contains("incompatible"), "{outcome}");

    let guarded = registry(&[], &[], Some(ALICE));
    let (_sandbox, _, text) = reason(&guarded.url());
    assert!(text.contains("Unauthorized (error code 401)"), "{text}");
}

#[test]
fn a_registry_that_is_not_there_is_told_with_the_systems_reason() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let (_sandbox, _, text) = reason(&url);
    assert!(text.contains("Connection refused"), "{text}");
}

#[test]
fn a_registry_behind_tls_is_asked_only_if_its_certificate_is_trusted() {
    testkit::require!(java);
    let certificate = Certificate::make();
    let behaviour =
        || Behaviour { ids: [("raw-value".to_owned(), 9)].into(), ..Behaviour::default() };

    let trusted = SchemaRegistry::start_behind(&certificate, behaviour());
    assert!(trusted.url().starts_with("https://"));
    let format = format!("{{registry: \"{}\"}}", trusted.url());
    let embedded = "kafka: embedded\nhosts: [local: {}]\n";
    let mut sandbox = sandbox(&scenario(&format, &format), embedded);
    sandbox.set("SSL_CERT_FILE", certificate.pem().to_string_lossy());
    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    assert_eq!(metric(&run.only_result(), "pipeline.messages") as u64, PAYLOADS);
    assert_eq!(metric(&run.only_result(), "pipeline.rejected"), 0.0);

    let unknown = SchemaRegistry::start_behind(&certificate, behaviour());
    let (_sandbox, _, text) = reason(&unknown.url());
    assert!(text.contains("certificate verify failed"), "{text}");
    assert!(unknown.requests().is_empty(), "nothing was told to somebody unknown");
}

#[test]
fn payloads_are_generated_with_a_registered_id() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    kafka.create_topic("health-registered", 3, 1, &[]);
    let registry = registry(&[("health-registered-value", 300)], &[], Some(ALICE));
    let mut sandbox = sandbox("", &cluster_file(kafka, 1, ""));
    sandbox.set("MALLARD_REGISTRY_PASSWORD", "wonderland");
    let url = registry.url();
    let words = ["generate", "health", "--payloads", "100", "--format", "avro", "--headers"];
    let place = ["--topic", "health-registered", "--cluster", "c.yaml"];
    let rest = ["--registry", &*url, "--registry-user", "alice"];
    let outcome = sandbox.mallard([&words[..], &place[..], &rest[..]].concat());
    sandbox.latest_run().assert_went_well(&outcome);
    let content = kafka.read_topic("health-registered", Isolation::ReadUncommitted, 100);
    assert_eq!(content.total(), 100);
    for record in &content.records {
        assert_eq!(record.value.as_deref().expect("a value")[..5], [0, 0, 0, 1, 44]);
        assert_eq!(header(record, "sample-count"), b"5");
    }
    kafka.delete_topic("health-registered");

    let refused =
        sandbox.mallard([&words[..4], &["--format", "json"], &place[..], &rest[..]].concat());
    refused.assert_code(2);
    assert!(refused.stderr.contains("`--format avro`"), "{}", refused.stderr);
}
