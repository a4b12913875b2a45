use super::*;
use crate::config::source::Source;

const SOUND: &str = r#"{
  "_comment": "what this machine can do",
  "min_throughput_msg_per_sec": 1500.0,
  "max_p95_latency_ms": 1500.0,
  "max_error_rate": 0.01,
  "min_success_rate": 0.99,
  "max_p99_latency_ms": 2.5e3,
  "max_memory_growth_mb": 600,
  "max_buffer_full_rate": 0.03,
  "min_messages_per_poll": 15.0
}
"#;

fn read(text: &str, environment: Option<&str>) -> Result<Limits, String> {
    let mut reader = Reader::default();
    let source = Source::new("bounds.json", text);
    let limits = file::from_source(&source, environment, &mut reader);
    let told = render(&reader.diagnostics, false);
    limits.filter(|_| told.is_empty()).ok_or(told)
}

fn value(limits: &Limits, key: &str) -> f64 {
    limits.get(key).unwrap().value
}

#[test]
fn all_eight_keys_are_read_and_comments_are_not() {
    let limits = read(SOUND, None).unwrap();
    assert_eq!(limits.iter().count(), 8);
    assert_eq!(value(&limits, "max_p99_latency_ms"), 2_500.0);
    assert_eq!(value(&limits, "max_memory_growth_mb"), 600.0);
    assert_eq!(limits.get("max_error_rate").unwrap().at.line(), 5);
}

#[test]
fn every_mistake_of_a_file_is_told_with_its_place() {
    let text = SOUND
        .replace("\"max_error_rate\": 0.01", "\"max_eror_rate\": 0.01")
        .replace("0.99", "\"0.99\"")
        .replace("600", "true")
        .replace("0.03", "-1");
    testkit::snapshot!(
        "bounds/every_mistake_of_a_file_is_told_with_its_place",
        read(&text, None).unwrap_err()
    );
}

#[test]
fn a_file_that_is_no_json_is_told_as_such() {
    let told = read(&SOUND.replace("15.0\n}", "15.0\n"), None).unwrap_err();
    assert!(told.starts_with("error: not valid JSON"), "{told}");
    assert!(read("[1]", None).unwrap_err().contains("a mapping (bounds)"));
}

fn nested(default: &str) -> String {
    let strict = SOUND.replace("1500.0", "9000");
    format!("{{{default} \"local\": {SOUND}, \"ci\": {strict}}}")
}

#[test]
fn an_environment_is_chosen_by_the_variable_else_by_the_file() {
    let text = nested("\"_default_environment\": \"local\",");
    assert_eq!(value(&read(&text, None).unwrap(), "max_p95_latency_ms"), 1_500.0);
    assert_eq!(value(&read(&text, Some("ci")).unwrap(), "max_p95_latency_ms"), 9_000.0);
    // A file without environments is the same in all of them.
    assert_eq!(value(&read(SOUND, Some("ci")).unwrap(), "max_p95_latency_ms"), 1_500.0);
}

#[test]
fn an_environment_that_is_not_there_is_a_mistake() {
    let told = read(&nested("\"_default_environment\": \"local\","), Some("cl")).unwrap_err();
    assert!(told.contains("there are no bounds for the environment `cl`"), "{told}");
    assert!(told.contains("did you mean `ci`?"), "{told}");
    let told = read(&nested("\"_default_environment\": \"lokal\","), None).unwrap_err();
    assert!(told.contains("bounds.json:1:26") && told.contains("did you mean `local`?"), "{told}");
    let told = read(&nested(""), None).unwrap_err();
    assert!(told.contains("none is chosen") && told.contains("BENCHMARK_ENVIRONMENT"), "{told}");
}

#[test]
fn a_mistake_in_an_environment_is_found_whichever_is_chosen() {
    let text = nested("\"_default_environment\": \"local\",").replace("9000", "\"9000\"");
    assert!(read(&text, Some("local")).unwrap_err().contains("2 errors"));
}

#[test]
fn bounds_laid_over_others_count_key_by_key() {
    let mut limits = read(SOUND, None).unwrap();
    let over = read(&SOUND.replace("15.0", "3"), None).unwrap();
    limits.lay_over(&over);
    assert_eq!(value(&limits, "min_messages_per_poll"), 3.0);
    assert_eq!(limits.iter().count(), 8);
    let mut none = Limits::default();
    none.lay_over(&over);
    assert_eq!(none.iter().count(), 8);
}

#[test]
fn only_what_is_strictly_beyond_a_bound_violates_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.json");
    std::fs::write(&path, SOUND).unwrap();
    let bounds = MetricsBounds::from_config_file(&path).unwrap();
    let metrics = |p95_us: f64| {
        let value = MetricValue { value: Some(p95_us), unit: "us".into(), uncertainty: None };
        BTreeMap::from([("produce.service.p95".to_owned(), value)])
    };
    assert_eq!(bounds.violations(&metrics(1_500_000.0)), []);
    assert_eq!(bounds.violations(&metrics(1_500_001.0)).len(), 1);
}

#[test]
fn a_file_that_cannot_be_used_is_an_error_with_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.json");
    let missing = MetricsBounds::from_config_file(&path).unwrap_err().to_string();
    assert!(missing.contains("there is no such file"), "{missing}");
    std::fs::write(&path, "{}").unwrap();
    let empty = MetricsBounds::from_config_file(&path).unwrap_err();
    assert_eq!(empty.0.len(), 8, "{empty}");
}
