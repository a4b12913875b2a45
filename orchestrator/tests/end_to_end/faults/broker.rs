//! A broker dies, and comes back: the result says so by itself, and holds against what the test did.

use crate::world::{
    PATIENCE, RUN, assert_accounts_add_up, cluster_file, count, metric, sandbox, steady, under_load,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};
use testkit::kafka::KafkaCluster;

const VICTIM: usize = 2;

#[test]
fn a_killed_broker_is_an_outage_with_its_times_causes_and_counts() {
    testkit::require!(kafka);
    let kafka = KafkaCluster::start(3);
    let scenario = steady("600/s", "40s", "expect: [produce.response.max < 2s in every 3s]")
        .replace("replication: 1", "replication: 3");
    let sandbox = sandbox(&scenario, &cluster_file(&kafka, 1, ""));
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let started = Instant::now();
    let led = led_by_victim(&kafka);
    thread::sleep(Duration::from_secs(6).saturating_sub(started.elapsed()));
    let killed_s = started.elapsed().as_secs_f64();
    kafka.kill_broker(VICTIM);
    thread::sleep(Duration::from_secs(12));
    let restarted_s = started.elapsed().as_secs_f64();
    kafka.restart_broker(VICTIM);
    let ready_s = started.elapsed().as_secs_f64();
    let _ = running.wait(2 * PATIENCE);
    let run = sandbox.latest_run();
    let result = run.only_result();
    assert_accounts_add_up(&result);

    let outages = result["outages"].as_array().expect("outages");
    // Brokers that have only just started may be silent for a moment, too: that is none of a broker's absence.
    let of_brokers =
        |outage: &&Value| outage["brokers"].as_array().is_some_and(|of| !of.is_empty());
    let outages: Vec<_> = outages.iter().filter(of_brokers).collect();
    let [outage] = outages.as_slice() else { panic!("{outages:#?}") };
    let brokers = outage["brokers"].as_array().expect("brokers").iter();
    let (gone, others): (Vec<_>, Vec<_>) = brokers.partition(|broker| broker["broker"] == VICTIM);
    let [broker] = gone.as_slice() else { panic!("{outage:#}") };
    assert_eq!(broker["cause"], "connection refused");
    // On two cores those that elect leaders may not answer for a moment; nobody refuses a connection.
    assert!(others.iter().all(|other| other["cause"] == "no answer"), "{outage:#}");
    // Samples are a second apart; what the test calls the start is when it read so.
    let (gone_s, back_s) = (seconds(&broker["from_us"]), seconds(&broker["to_us"]));
    within(gone_s, killed_s - 1.0, killed_s + 2.5);
    within(back_s, restarted_s, ready_s + 4.0);

    let silences = outage["silences"].as_array().expect("silences");
    let silent: BTreeSet<&str> = silences.iter().flat_map(|of| texts(&of["partitions"])).collect();
    assert!(led.iter().all(|partition| silent.contains(partition.as_str())), "{led:?} {outage:#}");
    let longest = silences.first().expect("a silence");
    let (from_s, to_s) = (seconds(&longest["from_us"]), seconds(&longest["to_us"]));
    within(from_s, killed_s - 1.5, killed_s + 2.0);
    within(to_s, from_s + 2.0, ready_s + 5.0);
    let wait_s = seconds(&outage["longest_wait_us"]);
    within(wait_s, to_s - from_s - 1.0, to_s - from_s + 3.0);
    let late = count(outage, "late");
    assert!(late > 100 && late < 600 * 40, "{outage:#}");

    let moved: BTreeSet<&str> = outage["leaders"]
        .as_array()
        .expect("moves")
        .iter()
        .filter(|moved| moved["from"] == 2)
        .flat_map(|moved| texts(&moved["partitions"]))
        .collect();
    assert_eq!(moved, led.iter().map(String::as_str).collect(), "{outage:#}");
    assert_eq!(count(outage, "under_replicated"), 6);
    assert_eq!(metric(&result, "partitions.under_replicated.max"), 6.0);
    let unreachable_s = metric(&result, "brokers.unreachable.time") / 1e6;
    within(unreachable_s, back_s - gone_s - 2.0, back_s - gone_s + 2.0);
    metric(&result, "partitions.without_leader.time");

    assert_no_window_is_without_a_sample(&result);
    assert_page_tells_it(&run.text("report.html"));
    let journal = run.text("events.jsonl");
    for event in ["broker_unreachable", "broker_back", "leader_moved", "under_replicated"] {
        assert!(
            journal.contains(&format!("\"event\":\"{event}\"")),
            "{event} is not in the journal"
        );
    }
}

/// The first screen says it, a chart marks it, and the journal is linked.
#[track_caller]
fn assert_page_tells_it(page: &str) {
    for words in [
        "No acknowledgements from",
        "Broker 2 (",
        "connection refused",
        "Leaders moved: ",
        "lacked a replica in sync",
        "\"kind\":\"outage\"",
        "-journal\">journal</a>",
    ] {
        assert!(page.contains(words), "{words:?} is not on the page");
    }
    let first = |words: &str| page.find(words).expect("it is there");
    assert!(first("No acknowledgements from") < first("Did it pass?"), "it stands far down");
}

#[track_caller]
fn assert_no_window_is_without_a_sample(result: &Value) {
    let expectation = &result["expectations"][0];
    let sentence = expectation["sentence"].as_str().expect("a sentence");
    assert!(!sentence.contains("no samples"), "{sentence}");
    assert!(expectation["value"].as_f64().is_some_and(|us| us > 2e6), "{expectation:#}");
}

/// The partitions of the run's topic that the victim leads, as Kafka's own tools say.
fn led_by_victim(kafka: &KafkaCluster) -> BTreeSet<String> {
    let topics = kafka.list_topics();
    let topic = topics.iter().find(|name| name.starts_with("orders")).expect("the run's topic");
    let found = kafka.describe_topic(topic).expect("the topic");
    let led = found.partitions.iter().filter(|partition| partition.leader == Some(VICTIM));
    led.map(|partition| format!("orders/{}", partition.partition)).collect()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[track_caller]
fn seconds(us: &Value) -> f64 {
    us.as_f64().expect("a time") / 1e6
}

#[track_caller]
fn within(value: f64, low: f64, high: f64) {
    assert!((low..=high).contains(&value), "{value:.2} is not from {low:.2} to {high:.2}");
}

#[test]
fn no_broker_exits_3_within_15_s_and_names_host_broker_and_reason() {
    let cluster = "kafka: {bootstrap: \"127.0.0.1:1\"}\nhosts: [{local: {agents: 2}}]\n";
    let sandbox = sandbox(&steady("100/s", "2s", ""), cluster);
    let outcome = sandbox.mallard(RUN);
    outcome.assert_code(3);
    assert!(outcome.took < Duration::from_secs(15), "{:?}", outcome.took);
    for word in ["local: inspect: it does not reach 127.0.0.1:1", "refused"] {
        assert!(outcome.stdout.contains(word), "{word} is not in: {}", outcome.stdout);
    }
    sandbox.latest_run().wait_for_no_orphans(PATIENCE);
}

#[test]
fn a_killed_broker_is_visible_and_the_accounts_still_add_up() {
    testkit::require!(kafka);
    let kafka = KafkaCluster::start(3);
    let scenario = steady("500/s", "18s", "expect: [records.lost == 0]")
        .replace("replication: 1", "replication: 3");
    let sandbox = sandbox(&scenario, &cluster_file(&kafka, 2, ""));
    let (running, _) = under_load(&sandbox, 3);
    // Requests that it has not answered when it dies must be sent again, to whoever leads then.
    kafka.stop_broker(2);
    thread::sleep(Duration::from_millis(500));
    kafka.kill_broker(2);
    let outcome = running.wait(PATIENCE);
    assert!(outcome.code().is_some(), "it ends by itself");
    let result = sandbox.latest_run().only_result();
    assert_accounts_add_up(&result);
    assert_eq!(count(&result, "accounts/scheduled"), 9_000, "the schedule went on");
    let again = metric(&result, "produce.client.retries");
    println!("sent again: {again}");
    assert!((1.0..500.0).contains(&again), "{again} records sent again");
    let max = metric(&result, "produce.response.max");
    assert!(max > 100_000.0, "a leader died, and nothing took longer than {max} µs");
}
