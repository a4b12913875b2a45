//! Figures of a run while it goes on: fetched by a real Prometheus, and pushed by OpenTelemetry's protocol.

use crate::world::{EMBEDDED, PATIENCE, RUN, count, metric, sandbox};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
};
use testkit::{
    http::{self, Mailbox},
    java, paths,
    prometheus::Prometheus,
    wait,
};

/// Without a warm-up, so that what is counted from the start and what is measured are the same records.
const SCENARIO: &str = "name: live\n\
     topics: {orders: {partitions: 6}, audits: {partitions: 2}}\n\
     load: [{hold: {rate: 1000/s, for: 6s}}, {drain: {within: 15s}}]\n\
     producers:\n  shop: {topic: orders, instances: 2, share: 4, payload: {size: 200B}}\n  \
     audit: {topic: audits, share: 1, payload: {size: 100B}}\n\
     consumers:\n  billing: {topics: [orders, audits], group: billing, instances: 2}\n\
     expect: [records.lost == 0]\n";

/// A bucket of the native histograms is so much wider than the one before.
const BUCKET: f64 = 1.022;

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[test]
fn prometheus_counts_what_the_result_counts_and_its_percentiles_are_those_of_the_histogram() {
    testkit::require!(prometheus);
    testkit::alone!();
    let port = http::free_port();
    let native = Prometheus::scraping(port, true);
    let classic = Prometheus::scraping(port, false);
    let sandbox = sandbox(SCENARIO, EMBEDDED);
    let at = format!("127.0.0.1:{port}");
    let outcome = sandbox.mallard([&RUN[..], &["--metrics", &at]].concat());
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    for prometheus in [&native, &classic] {
        assert_same_counts(prometheus, &result);
    }
    for (name, of) in [
        ("mallard_produce_response_seconds", "produce.response"),
        ("mallard_produce_service_seconds", "produce.service"),
        ("mallard_end_to_end_seconds", "end_to_end"),
    ] {
        for (quantile, percentile) in [("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99")] {
            let told = metric(&result, &format!("{of}.{percentile}")) / 1e6;
            // From the first scrape, which saw no record, to the last: the whole distribution.
            let asked = format!("histogram_quantile({quantile}, sum(rate({name}[10m])))");
            let seen = native.value(&asked).expect("a percentile");
            let ratio = seen / told;
            assert!(
                (1.0 / BUCKET..BUCKET).contains(&ratio),
                "{name} {percentile}: {seen} and {told}"
            );
            let asked =
                format!("histogram_quantile({quantile}, sum by (le) (rate({name}_bucket[10m])))");
            let seen = classic.value(&asked).expect("a percentile");
            let (below, above) = classic_bucket(told);
            assert!((below..=above).contains(&seen), "{name} {percentile}: {seen} and {told}");
        }
    }
    assert_every_panel_shows_something(&native, &run.json("run.json"));
    assert_every_panel_shows_something(&classic, &run.json("run.json"));
}

/// The bounds between which a latency in seconds lies, by 1, 2 and 5.
fn classic_bucket(seconds: f64) -> (f64, f64) {
    let bounds = [0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
    // The cell that a percentile lies in reaches over a bound by 0.1 % at most.
    let above = bounds.iter().position(|bound| *bound * 1.001 >= seconds).expect("below 5 s");
    let from = bounds.iter().rposition(|bound| *bound <= seconds * 1.001).expect("above zero");
    (bounds[from.min(above - 1)], bounds[above.max(from)])
}

#[track_caller]
fn assert_same_counts(prometheus: &Prometheus, result: &Value) {
    let value = |expression: &str| prometheus.value(expression);
    for fate in ["scheduled", "sent", "acked", "failed", "received"] {
        let of = format!("mallard_records_total{{fate=\"{fate}\"}}[10m]");
        let told = count(result, &format!("accounts_whole/{fate}"));
        let last = value(&format!("sum(last_over_time({of}))")).expect("a count");
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let told = told as f64;
        assert!((last - told).abs() < 0.5, "{fate}: {last} and {told}");
        // The first scrape saw zero, so what came since is all.
        let first = value(&format!("sum(min_over_time({of}))")).expect("a count");
        assert!(first.abs() < 0.5, "{fate} began with {first}");
    }
    let shop = value(
        "last_over_time(mallard_records_total{fate=\"sent\",producer=\"shop\",topic=\"orders\"}[10m])",
    );
    assert_eq!(shop, Some(4_800.0));
    let bytes = value("sum(last_over_time(mallard_bytes_total{fate=\"acked\"}[10m]))");
    assert!(bytes.is_some_and(|bytes| bytes >= 6_000.0 * 100.0), "{bytes:?}");
    let judged = format!(
        "last_over_time(mallard_verdict_info{{verdict=\"{}\"}}[10m])",
        result["verdict"].as_str().expect("a verdict")
    );
    assert_eq!(value(&judged), Some(1.0));
    let held = "last_over_time(mallard_expectation_holds{expectation=\"records.lost == 0\"}[10m])";
    assert_eq!(value(held), Some(1.0));
}

/// Asks every query of the dashboard, as Grafana would.
#[track_caller]
fn assert_every_panel_shows_something(prometheus: &Prometheus, run: &Value) {
    let file = paths::workspace().join("examples/grafana/mallard.json");
    let dashboard = std::fs::read(file).expect("a dashboard");
    let dashboard: Value = serde_json::from_slice(&dashboard).expect("JSON");
    let seconds = |name: &str| seconds_of(run[name].as_str().expect("a time"));
    let (from, to) = (seconds("started_at"), seconds("ended_at") + 2.0);
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("a query");
            let expression = expression
                .replace("$__rate_interval", "4s")
                .replace("$run", ".*")
                .replace("$case", "live");
            let series = prometheus.series(&expression, from, to);
            let title = panel["title"].as_str().expect("a title");
            let may_be_empty = title == "Errors";
            assert!(may_be_empty || !series.is_empty(), "{title} is empty: {expression}");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked} queries");
}

/// Seconds since 1970 of an RFC 3339 time in UTC.
fn seconds_of(time: &str) -> f64 {
    let output = std::process::Command::new("date").args(["-u", "+%s.%N", "-d", time]).output();
    let output = output.expect("date is everywhere");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("seconds")
}

#[test]
fn a_reader_that_never_reads_and_nobody_at_all_hold_no_run_up() {
    let port = http::free_port();
    let scenario = SCENARIO.replace("6s", "3s");
    let sandbox = sandbox(&scenario, EMBEDDED);
    let at = port.to_string();
    let running = sandbox.spawn([&RUN[..], &["--metrics", &at, "--linger", "0s"]].concat());
    let mut silent = Vec::new();
    for ask in ["", "GET /metrics HTTP/1.1\r\n", "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"] {
        let mut stream =
            wait::until("the endpoint", PATIENCE, || TcpStream::connect(address(port)).ok());
        stream.write_all(ask.as_bytes()).expect("a request");
        silent.push(stream);
    }
    let text = wait::until("records", PATIENCE, || {
        let answer = http::get(address(port), "/metrics", &[]).ok()?;
        answer.text().contains("fate=\"received\"").then_some(answer)
    });
    assert_eq!(text.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(http::get(address(port), "/", &[]).map(|answer| answer.status).ok(), Some(200));
    assert_eq!(http::get(address(port), "/x", &[]).map(|answer| answer.status).ok(), Some(404));
    assert_eq!(
        http::send(address(port), "POST /metrics", &[], "x").map(|a| a.status).ok(),
        Some(405)
    );
    let outcome = running.wait(PATIENCE);
    sandbox.latest_run().assert_went_well(&outcome);
    drop(silent);
}

#[test]
fn a_collector_that_comes_late_gets_everything() {
    testkit::require!(kafka);
    let port = http::free_port();
    let sandbox = sandbox(SCENARIO, EMBEDDED);
    let url = format!("http://127.0.0.1:{port}");
    let mut running = sandbox.spawn([&RUN[..], &["--otlp", &url]].concat());
    // Nobody is there when the run begins, and then it refuses twice.
    running.wait_for_output("figures do not reach", PATIENCE);
    let mailbox = Mailbox::open(port, 2, "503 Service Unavailable");
    running.wait_for_output("figures reach", PATIENCE);
    let outcome = running.wait(PATIENCE);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    let posted = mailbox.posted();
    let last = posted.last().expect("figures");
    assert_eq!(last.line, "POST /v1/metrics");
    assert_eq!(last.headers["content-type"], "application/x-protobuf");
    let points = java::read_otlp(&last.body);
    let sums = |metric: &str, label: &str| -> f64 {
        let of_label =
            points.iter().filter(|point| point.name == metric && point.labels.contains(label));
        of_label.map(|point| point.value).sum()
    };
    let mut counts = BTreeMap::new();
    for fate in ["scheduled", "sent", "acked", "failed", "received"] {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let told = count(&result, &format!("accounts_whole/{fate}")) as f64;
        counts.insert(fate, (sums("mallard.records", &format!("fate={fate}")), told));
    }
    assert!(counts.values().all(|(seen, told)| (seen - told).abs() < 0.5), "{counts:?}");
    for (name, of) in
        [("mallard.produce.response", "produce.response"), ("mallard.end_to_end", "end_to_end")]
    {
        let all: Vec<_> = points.iter().filter(|point| point.name == name).collect();
        assert_eq!(all.len(), 2, "{name}");
        assert!(all.iter().all(|point| point.unit == "s" && point.is_cumulative()), "{all:?}");
        let records: f64 = all.iter().map(|point| point.value).sum();
        assert!((records - 6_000.0).abs() < 0.5, "{name}: {records}");
        let p99 = metric(&result, &format!("{of}.p99")) / 1e6;
        // Of two topics the whole's percentile lies between theirs.
        let of_each = all.iter().map(|point| point.p99_s.expect("a percentile"));
        let (low, high) =
            of_each.fold((f64::MAX, 0.0_f64), |(low, high), of| (low.min(of), high.max(of)));
        assert!(low / BUCKET <= p99 && p99 <= high * BUCKET, "{name}: {p99}, {low} to {high}");
    }
    assert!(points.iter().all(|point| point.name == "resource" || point.end_ns > point.start_ns));
}

#[test]
fn an_address_that_is_taken_and_one_that_is_none_are_told_before_anything_runs() {
    let taken = Mailbox::open(0, 0, "");
    let taken = taken.url().replace("http://", "");
    let sandbox = sandbox(SCENARIO, EMBEDDED);
    for (words, says) in [
        (["--metrics", &*taken], "error: give out metrics at 127.0.0.1:"),
        (["--metrics", "example.org:80"], "expected an address with a port"),
        (["--otlp", "https://127.0.0.1:4318"], "TLS is not spoken here"),
        (["--otlp", "127.0.0.1:4318"], "expected a URL that begins with http://"),
    ] {
        let outcome = sandbox.mallard([&RUN[..], &words].concat());
        outcome.assert_code(2);
        assert!(outcome.stderr.contains(says), "{outcome}");
    }
    assert!(!sandbox.path("results").exists());
}
