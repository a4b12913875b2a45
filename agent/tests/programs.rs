//! Subcommands that need no agent.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::{io::Write, process::Stdio};
use support::{program, run};

fn properties(request: &str) -> (Option<i32>, String) {
    let mut child = program()
        .arg("properties")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn misspelt_keys_and_wrong_values_are_refused_with_reasons() {
    let (code, said) = properties(
        r#"{"connection": [["bootstrap.servers", "x:1"]], "clients": [
            {"kind": "producer", "name": "gateway", "properties": [["linger.msx", "10"], ["acks", "some"]]},
            {"kind": "consumer", "name": "flink", "properties": [["sasl.password", "hunter2"], ["auto.offset.reset", "hunter2"]]}]}"#,
    );
    assert_eq!(code, Some(0), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(report["librdkafka"].as_str().unwrap().starts_with("2."));
    let keys: Vec<_> = report["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["client"].as_str().unwrap(), r["key"].as_str().unwrap()))
        .collect();
    let expected = [("gateway", "linger.msx"), ("gateway", "acks"), ("flink", "auto.offset.reset")];
    assert_eq!(keys, expected);
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_request_that_is_none_fails_with_its_place() {
    let (code, said) = properties(r#"{"clients": [{"kind": "broker", "name": "x"}]}"#);
    assert_eq!(code, Some(1));
    assert!(said.contains("unknown variant `broker`") && said.contains("line 1"), "{said}");
}

#[test]
fn version_names_build_protocol_and_librdkafka() {
    let output = run(&["version"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(&format!("build: {}\n", mallard_protocol::BUILD_ID)), "{said}");
    assert!(said.contains("protocol: 1\n") && said.contains("librdkafka: 2."), "{said}");
    for feature in ["ssl", "zstd", "lz4", "snappy", "gzip", "sasl_scram"] {
        assert!(said.contains(feature), "{feature}: {said}");
    }
}

#[test]
fn help_teaches_and_mistakes_are_exit_code_2() {
    for task in ["daemon", "connect", "properties"] {
        let output = run(&[task, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains("Example:"));
    }
    assert!(String::from_utf8(run(&["--help"]).stdout).unwrap().contains("Exit codes:"));
    for wrong in [&["daemon"][..], &["daemon", "--lease", "0"], &["fly"], &[]] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    // Some of what starts an agent is none of it.
    let half = run(&["connect", "--dir", "/nowhere", "--lease", "5"]);
    assert_eq!(half.status.code(), Some(2));
}
