//! Tests of reading expectations.

use super::{Comparison, Expectation, Scope, Vocabulary, Window, parse};
use proptest::prelude::*;

fn vocabulary() -> Vocabulary {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    Vocabulary {
        topics: vec![("orders".into(), 6), ("order-events".into(), 3)],
        producers: names(&["gateway"]),
        consumers: names(&["flink"]),
        groups: names(&["flink-job"]),
        agents: names(&["local-1", "local-2"]),
        phases: names(&["warm-up", "hold", "burst"]),
        faults: names(&["kill", "kill-1", "kill-2", "freeze"]),
        has_end_to_end: true,
        has_through: false,
        has_transactions: false,
        has_pipelines: false,
        has_integrity: true,
        closed_loop_only: false,
        measured_us: 600_000_000,
    }
}

fn ok(text: &str) -> Expectation {
    parse(text, &vocabulary()).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// The mistake as a reader sees it: the text, carets under it, message and help.
fn mistake(text: &str, vocabulary: &Vocabulary) -> String {
    let error = parse(text, vocabulary).expect_err(text);
    let carets = " ".repeat(text[..error.span.start].chars().count())
        + &"^".repeat(text[error.span].chars().count().max(1));
    let help = error.help.map_or(String::new(), |help| format!("\n  help: {help}"));
    format!("{text}\n{carets} {}{help}\n", error.message)
}

#[test]
fn the_forms_of_the_grammar_are_read() {
    let plain = ok("produce.acked.rate >= 4950/s");
    assert_eq!((plain.metric.name, plain.limit), ("produce.acked.rate", 4_950.0));
    assert_eq!((plain.scope, plain.window), (Scope::Whole, Window::Whole));
    assert_eq!(plain.comparison, Comparison::AtLeast);

    let window = ok("produce.response.p99 < 250 ms in every 1m");
    assert_eq!((window.limit, window.window), (250_000.0, Window::Every(60_000_000)));
    assert_eq!(ok("end_to_end.p95<100ms in the last 5 min").window, Window::Last(300_000_000));

    let partition = ok("produce.response.p99 of partition orders/3 < 1s");
    assert_eq!(partition.scope, Scope::Partition(Some(("orders".into(), 3))));
    assert_eq!(ok("end_to_end.max of every partition < 1s").scope, Scope::Partition(None));
    assert_eq!(ok("agent.memory.peak of every agent < 1GiB").scope, Scope::Agent(None));
    assert_eq!(ok("produce.acked.rate of phase burst > 1/s").scope, Scope::Phase("burst".into()));

    let slope = ok("produce.response.p50 of topic orders slope per hour <= 1ms in the last 5m");
    assert!(slope.slope);
    assert_eq!((slope.limit, slope.window), (1_000.0, Window::Last(300_000_000)));
    assert_eq!(ok("records.lost == 0").comparison, Comparison::Equal);

    let fault = ok("produce.client.retries of fault kill-2 < 100");
    assert_eq!((fault.scope, fault.outside_faults), (Scope::Fault("kill-2".into()), false));
    let outside = ok("produce.response.p99 of topic orders outside faults < 250ms in every 1m");
    assert_eq!((outside.scope, outside.outside_faults), (Scope::Topic("orders".into()), true));
    assert_eq!(ok("fault.recovery.max < 30s").scope, Scope::Whole);
    assert_eq!(ok("agent.memory.slope <= 10MiB/h").limit, 10_485_760.0);
}

#[test]
fn every_mistake_has_its_place_and_its_help() {
    let mistakes: String = [
        "",
        "produce.respnse.p99 < 250ms",
        "xyzzy < 1",
        "produce.response.p99",
        "produce.response.p99 = 250ms",
        "produce.response.p99 <",
        "produce.response.p99 < fast",
        "produce.response.p99 < 250",
        "produce.response.p99 < 250/s",
        "produce.acked.rate >= 5000/sec",
        "records.lost == 1%",
        "agent.memory.growth <= 600",
        "produce.response.p99 of",
        "produce.response.p99 of thing x < 1s",
        "produce.response.p99 of topic ordres < 1s",
        "produce.response.p99 of partition orders < 1s",
        "produce.response.p99 of partition orders/6 < 1s",
        "produce.response.p99 of consumer flink < 1s",
        "produce.response.p99 of every producer < 1s",
        "accounts.audited_intervals of agent local-1 > 1",
        "consume.lag.max of consumer flnk < 1000",
        "records.lost slope per hour < 1",
        "produce.response.p99 slope per day < 1ms",
        "produce.response.p99 slope per hour < 1ms in every 1m",
        "produce.response.p99 < 250ms in each 1m",
        "produce.response.p99 < 250ms in every",
        "produce.response.p99 < 250ms in every 100ms",
        "produce.response.p99 < 250ms in every 11m",
        "records.lost == 0 in every 1m",
        "produce.response.p99 < 250ms please",
        "produce.transactions.failed == 0",
        "produce.response.p99 of fault kil < 1s",
        "produce.response.p99 of every fault < 1s",
        "produce.response.p99 of fault kill < 1s in every 10s",
        "produce.response.p99 of fault kill slope per hour < 1ms",
        "produce.response.p99 of fault kill outside faults < 1s",
        "produce.response.p99 outside < 1s",
        "records.lost outside faults == 0",
        "agent.cpu.mean of fault kill < 1",
    ]
    .iter()
    .map(|text| mistake(text, &vocabulary()) + "\n")
    .collect();
    testkit::snapshot!("expect/every_mistake_has_its_place_and_its_help", mistakes);
}

#[test]
fn a_metric_that_the_scenario_cannot_produce_is_refused_with_the_reason() {
    let no_consumers = Vocabulary { consumers: vec![], has_end_to_end: false, ..vocabulary() };
    let no_producers = Vocabulary { producers: vec![], has_end_to_end: false, ..vocabulary() };
    let no_stamps = Vocabulary { has_end_to_end: false, ..vocabulary() };
    let no_faults = Vocabulary { faults: vec![], ..vocabulary() };
    let closed = Vocabulary { closed_loop_only: true, ..vocabulary() };
    let mistakes: String = [
        ("end_to_end.p95 < 1s", no_consumers.clone()),
        ("records.lost == 0", no_consumers),
        ("produce.acked.rate > 1/s", no_producers.clone()),
        ("end_to_end.p95 < 1s", no_producers),
        ("end_to_end.p95 < 1s", no_stamps),
        ("produce.response.p99 < 1s", closed.clone()),
        ("produce.slip.max < 1s", closed),
        ("produce.response.p99 of fault kill < 1s", no_faults.clone()),
        ("produce.response.p99 outside faults < 1s", no_faults.clone()),
        ("fault.recovery.max < 1s", no_faults),
    ]
    .iter()
    .map(|(text, vocabulary)| mistake(text, vocabulary) + "\n")
    .collect();
    testkit::snapshot!(
        "expect/a_metric_that_the_scenario_cannot_produce_is_refused_with_the_reason",
        mistakes
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
        let _ = parse(&text, &vocabulary());
    }

    #[test]
    fn words_of_the_grammar_in_any_order_never_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "produce.response.p99", "agent.memory.peak", "of", "every", "partition", "orders/3", "slope",
            "per", "hour", "<", "<=", "250", "ms", "250ms", "in", "the", "last", "1m", "µs", "1e", "-",
        ]), 0..12)
    ) {
        let text = words.join(" ");
        if let Err(error) = parse(&text, &vocabulary()) {
            prop_assert!(text.get(error.span).is_some());
        }
    }
}
