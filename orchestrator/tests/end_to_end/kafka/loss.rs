//! What became of acknowledged records, whatever happens to brokers and logs: a matrix of what happens and of
//! ways to read. Each cell is held against where the log starts and ends by Kafka's own tools.
//!
//! One run tries all ways at once, each on a topic of its own. Runs share two clusters, one after another on each.

use crate::world::{
    PATIENCE, RUN, assert_accounts_add_up, cluster_file, codes, count, intervals_of, sandbox,
    wait_for_intervals,
};
use serde_json::Value;
use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use testkit::{
    kafka::{Isolation, KafkaCluster},
    mallard::{Run, Sandbox},
    process::{Finished, Running},
    wait,
};

/// A way to read: the topic's name in the scenario, what its producer has, how it is read.
pub(crate) type Way = (&'static str, &'static str, &'static str);

pub(crate) const WAYS: [Way; 4] = [
    ("grouped", "", "group: grouped, instances: 2"),
    ("assigned", "", "assign: all"),
    ("working", "", "group: working, work: 1ms"),
    ("transacted", ", transactions: {every: 20}", "group: transacted"),
];

/// Long enough for a broker to be missed, to come back and to be read.
pub(crate) const LONG: Duration = Duration::from_secs(180);

/// A cluster of these tests, started by the first that asks.
pub(crate) type Cluster = OnceLock<Mutex<KafkaCluster>>;

/// Brokers are stopped, killed and throttled here.
pub(crate) static HINDERED: Cluster = OnceLock::new();

/// Logs are truncated here, of topics that have the same names in every test.
pub(crate) static TRUNCATED: Cluster = OnceLock::new();

/// Whoever has a cluster is alone with it, and leaves it whole.
pub(crate) fn take(cluster: &'static Cluster) -> MutexGuard<'static, KafkaCluster> {
    let settings = [
        ("log.retention.check.interval.ms", "500"),
        ("log.initial.task.delay.ms", "500"),
        ("log.cleaner.backoff.ms", "200"),
        ("broker.session.timeout.ms", "3000"),
        ("broker.heartbeat.interval.ms", "500"),
        ("replica.lag.time.max.ms", "2000"),
    ];
    let cluster = cluster.get_or_init(|| Mutex::new(KafkaCluster::start_with(3, &settings)));
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a run is made of.
pub(crate) struct Row {
    pub(crate) ways: &'static [Way],
    pub(crate) integrity: &'static str,
    pub(crate) load: &'static str,
    pub(crate) topic: &'static str,
    pub(crate) producer: &'static str,
    pub(crate) consumer: &'static str,
}

/// What the loss of one broker does no harm to.
pub(crate) const REPLICATED: Row = Row {
    ways: &WAYS,
    integrity: "none",
    load: "[{hold: {rate: 800/s, for: 10s}}, {drain: {within: 40s}}]",
    topic: "partitions: 3, replication: 3, config: {min.insync.replicas: \"2\"}",
    producer: "payload: {size: 200B}, client: {acks: all}",
    consumer: "",
};

/// What goes on through an unclean election, and loses what the old leader alone had.
pub(crate) const UNCLEAN: Row = Row {
    ways: WAYS.split_at(3).0,
    integrity: "none",
    load: "[{hold: {rate: 400/s, for: 25s}}, {drain: {within: 40s}}]",
    topic: "existing: true, partitions: 1",
    // An idempotent one refuses to go on: see the test of it.
    producer: "payload: {size: 200B}, client: {enable.idempotence: \"false\"}",
    consumer: "",
};

/// What retention removes while slow readers read.
pub(crate) const EXPIRING: Row = Row {
    ways: &WAYS,
    integrity: "none",
    load: "[{hold: {rate: 1200/s, for: 8s}}, {drain: {within: 3s}}]",
    topic: "partitions: 2, replication: 1, config: {retention.ms: \"1000\", segment.ms: \"500\"}",
    producer: "payload: {size: 200B}",
    consumer: ", work: 20ms, client: {queued.min.messages: 1}",
};

impl Row {
    fn sandbox(&self, kafka: &KafkaCluster) -> Sandbox {
        let mut text =
            format!("name: fate\nintegrity: {}\nload: {}\ntopics:\n", self.integrity, self.load);
        for (way, ..) in self.ways {
            text += &format!("  {way}: {{{}}}\n", self.topic);
        }
        text += "producers:\n";
        for (way, transactions, _) in self.ways {
            let options = self.producer;
            text += &format!("  to-{way}: {{topic: {way}, {options}{transactions}}}\n");
        }
        text += "consumers:\n";
        for (way, _, reading) in self.ways {
            // A row's work is instead of the way's own.
            let own = if self.consumer.contains("work:") { "work: 1ms" } else { "-" };
            let reading = reading.replace(&format!(", {own}"), "");
            text += &format!("  of-{way}: {{topics: [{way}], {reading}{}}}\n", self.consumer);
        }
        text += "expect: [records.lost == 0]\n";
        sandbox(&text, &cluster_file(kafka, 2, "deadlines: {finish: 6s}"))
    }

    pub(crate) fn start(&self, kafka: &KafkaCluster) -> (Sandbox, Running) {
        let sandbox = self.sandbox(kafka);
        let mut running = sandbox.spawn([&RUN[..], &["--keep"]].concat());
        running.wait_for_output("load starts", PATIENCE);
        (sandbox, running)
    }
}

/// A partition's part of a result, with what Kafka's own tools say of it.
pub(crate) struct Cell<'a> {
    pub(crate) place: String,
    pub(crate) result: &'a Value,
    start: i64,
    pub(crate) end: i64,
}

impl Cell<'_> {
    #[track_caller]
    pub(crate) fn number(&self, path: &str) -> i64 {
        let value = self.result.pointer(path).and_then(Value::as_i64);
        value.unwrap_or_else(|| panic!("{}: no {path} in {:#}", self.place, self.result))
    }

    pub(crate) fn fate(&self, part: &str) -> i64 {
        self.number(&format!("/fate/{part}"))
    }

    /// Whether the fate of this partition's records is told. A reader that never sees aborted records is
    /// told of by topic where a transaction was not committed: which partition they lay in is not counted.
    fn has_fate(&self) -> bool {
        let is_told = !self.result["fate"].is_null();
        assert!(
            is_told || self.place.starts_with("transacted"),
            "{}: {:#}",
            self.place,
            self.result
        );
        is_told
    }

    /// What has to hold in every cell, whatever happened.
    #[track_caller]
    fn check(&self) {
        let place = &self.place;
        assert_eq!(self.number("/end_offset"), self.end, "{place}: where the log ends");
        if !self.has_fate() {
            return;
        }
        let explained = ["lost_unread", "not_read", "expired", "compacted", "unaccounted"];
        let explained: i64 = explained.iter().map(|part| self.fate(part)).sum();
        let acked = self.fate("acked");
        assert_eq!(
            acked + self.fate("unexpected"),
            self.fate("received") + explained,
            "{place}: {:#}",
            self.result
        );
        // Retention may have gone on since.
        assert!(self.fate("log_start_offset") <= self.start, "{place}: where the log starts");
        let gone = (acked - (self.end - self.number("/start_offset"))).max(0);
        let lost = self.fate("lost_unread") + self.fate("lost_read");
        assert!(lost >= gone, "{place}: {gone} are gone by the tool, {lost} lost");
        let unread = self.end - self.fate("position").max(self.fate("log_start_offset"));
        assert!(self.fate("not_read") <= unread.max(0), "{place}: {unread} are unread");
        assert_eq!(self.fate("unaccounted"), 0, "{place}: {:#}", self.result);
    }
}

/// The cells of a run, checked. `topic` gives a topic's name on the broker.
#[track_caller]
pub(crate) fn cells<'a>(
    kafka: &KafkaCluster,
    row: &Row,
    result: &'a Value,
    topic: impl Fn(&str) -> String,
) -> Vec<Cell<'a>> {
    let partitions = result["partitions"].as_array().expect("partitions");
    let mut cells = Vec::new();
    for &(way, ..) in row.ways {
        let name = topic(way);
        let (starts, ends) = (kafka.start_offsets(&name), kafka.end_offsets(&name));
        let of_way = partitions.iter().filter(|partition| partition["topic"] == way);
        // Records that failed before they had a partition are in none.
        for partition in of_way.filter(|partition| partition["partition"] != -1) {
            let number =
                partition["partition"].as_i64().and_then(|number| i32::try_from(number).ok());
            let number = number.expect("a partition's number");
            let (start, end) = (starts[&number], ends[&number]);
            cells.push(Cell { place: format!("{way}/{number}"), result: partition, start, end });
        }
    }
    assert!(cells.len() >= row.ways.len(), "every way has a partition");
    cells.iter().for_each(Cell::check);
    cells
}

/// The name that a run has given a topic that it created.
pub(crate) fn created(kafka: &KafkaCluster, run: &Run) -> impl Fn(&str) -> String {
    let (names, id) = (kafka.list_topics(), run.id());
    move |way| {
        let found = names.iter().find(|name| name.contains(&id) && name.contains(way));
        found.unwrap_or_else(|| panic!("no topic {way} of {id} in {names:?}")).clone()
    }
}

pub(crate) fn sum(cells: &[Cell], part: &str) -> i64 {
    cells.iter().filter(|cell| cell.has_fate()).map(|cell| cell.fate(part)).sum()
}

/// A metric of the whole case.
#[track_caller]
fn metric(result: &Value, name: &str) -> f64 {
    let value = &result["metrics"][name]["value"];
    value.as_f64().unwrap_or_else(|| panic!("no {name} in {:#}", result["metrics"]))
}

/// Nothing is lost, and nothing but what retention or compaction took is missing.
#[track_caller]
fn assert_nothing_is_lost(result: &Value, outcome: &Finished) {
    assert_accounts_add_up(result);
    let codes = codes(result);
    for code in ["records_lost", "records_unaccounted", "offsets_disagree"] {
        assert!(!codes.contains(&code), "{codes:?}: {}", outcome.stdout);
    }
    for name in ["records.lost", "records.unaccounted"] {
        assert_eq!(metric(result, name), 0.0, "{name}: {}", outcome.stdout);
    }
}

#[track_caller]
fn assert_all_was_read(result: &Value, cells: &[Cell], outcome: &Finished) {
    assert_nothing_is_lost(result, outcome);
    for name in ["records.not_read", "records.expired", "records.compacted"] {
        assert_eq!(metric(result, name), 0.0, "{name}: {}", outcome.stdout);
    }
    assert!(!codes(result).contains(&"never_caught_up"), "{}", outcome.stdout);
    for cell in cells {
        assert_eq!(cell.number("/lag_end"), 0, "{}: markers are no lag", cell.place);
    }
}

/// Acknowledged in intervals that begin at or after a moment of the load.
fn acked_from(run: &Run, from_us: u64) -> u64 {
    let text = run.text("cases/fate/series.csv");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let column = |name: &str| header.iter().position(|column| *column == name).expect("a column");
    let (start, acked) = (column("start_us"), column("acked"));
    let late = lines.filter(|row| row[start].parse::<u64>().is_ok_and(|at_us| at_us >= from_us));
    late.map(|row| row[acked].parse::<u64>().unwrap_or(0)).sum()
}

#[test]
fn what_is_acknowledged_in_the_flush_after_the_drain_is_read_and_not_lost() {
    testkit::require!(kafka);
    let kafka = take(&HINDERED);
    kafka.throttle_producers(Some(30_000));
    let row = Row {
        ways: &WAYS,
        integrity: "none",
        load: "[{hold: {rate: 800/s, for: 4s}}, {drain: {within: 3s}}]",
        topic: "partitions: 2, replication: 1",
        producer: "payload: {size: 1000B}",
        consumer: "",
    };
    let (sandbox, running) = row.start(&kafka);
    let outcome = running.wait(LONG);
    kafka.throttle_producers(None);
    let run = sandbox.latest_run();
    let result = run.only_result();
    assert!(acked_from(&run, 8_000_000) > 0, "the quota holds back what the drain waited for");
    let cells = cells(&kafka, &row, &result, created(&kafka, &run));
    assert_all_was_read(&result, &cells, &outcome);
}

#[test]
fn a_broker_that_is_stopped_and_goes_on_loses_nothing() {
    testkit::require!(kafka);
    let kafka = take(&HINDERED);
    let (sandbox, running) = REPLICATED.start(&kafka);
    wait_for_intervals(&sandbox.latest_run(), 3);
    kafka.stop_broker(2);
    // The standstill itself, not a wait for anything.
    std::thread::sleep(Duration::from_secs(5));
    kafka.cont_broker(2);
    let outcome = running.wait(LONG);
    let run = sandbox.latest_run();
    let result = run.only_result();
    let cells = cells(&kafka, &REPLICATED, &result, created(&kafka, &run));
    assert_all_was_read(&result, &cells, &outcome);
}

#[test]
fn a_broker_that_is_killed_loses_nothing_of_what_three_replicas_hold() {
    testkit::require!(kafka);
    let kafka = take(&HINDERED);
    let (sandbox, running) = REPLICATED.start(&kafka);
    wait_for_intervals(&sandbox.latest_run(), 3);
    kafka.kill_broker(2);
    let outcome = running.wait(LONG);
    kafka.restart_broker(2);
    let run = sandbox.latest_run();
    let result = run.only_result();
    let cells = cells(&kafka, &REPLICATED, &result, created(&kafka, &run));
    assert_all_was_read(&result, &cells, &outcome);
}

#[test]
fn what_retention_removes_before_a_slow_reader_is_expired_and_not_lost() {
    testkit::require!(kafka);
    let kafka = take(&HINDERED);
    let row = EXPIRING;
    let (sandbox, running) = row.start(&kafka);
    let outcome = running.wait(LONG);
    let run = sandbox.latest_run();
    let result = run.only_result();
    let cells = cells(&kafka, &row, &result, created(&kafka, &run));
    assert_nothing_is_lost(&result, &outcome);
    for (way, ..) in WAYS {
        let of_way = cells.iter().filter(|cell| cell.place.starts_with(way));
        let expired: i64 = of_way.map(|cell| cell.fate("expired")).sum();
        assert!(expired > 0, "{way}: {}", outcome.stdout);
    }
    assert!(codes(&result).contains(&"records_expired"), "{}", outcome.stdout);
}

/// Creates the topics of all ways with replicas on the first two brokers, of which either may lead.
fn create_with_replicas_on_two(kafka: &KafkaCluster) {
    for (way, ..) in WAYS {
        let args = ["--create", "--topic", way, "--replica-assignment", "1:2"];
        let config = ["unclean.leader.election.enable=true", "min.insync.replicas=1"];
        let config = config.iter().flat_map(|setting| ["--config", setting]);
        let args: Vec<&str> = args.into_iter().chain(config).collect();
        kafka.tool("org.apache.kafka.tools.TopicCommand", &args).assert_code(0);
    }
}

/// Waits until only this broker is in sync in the topics of all ways, and leads them.
fn wait_for_sole_leader(kafka: &KafkaCluster, leader: usize) {
    for (way, ..) in WAYS {
        wait::until(format!("{leader} to lead {way} alone"), PATIENCE, || {
            let described = kafka.describe_topic(way)?;
            let mut partitions = described.partitions.iter();
            partitions.all(|p| p.leader == Some(leader) && p.in_sync == [leader]).then_some(())
        });
    }
}

/// A run during which the leader of every topic goes with what it alone acknowledged, and the follower, which
/// missed that, leads. The brokers are whole again afterwards.
pub(crate) fn truncated(kafka: &KafkaCluster, row: &Row) -> (Sandbox, Finished) {
    create_with_replicas_on_two(kafka);
    let (sandbox, running) = row.start(kafka);
    let run = sandbox.latest_run();
    wait_for_intervals(&run, 2);
    kafka.kill_broker(2);
    wait_for_sole_leader(kafka, 1);
    wait_for_intervals(&run, intervals_of(&run) + 2);
    kafka.kill_broker(1);
    kafka.restart_broker(2);
    wait_for_sole_leader(kafka, 2);
    let outcome = running.wait(LONG);
    kafka.restart_broker(1);
    (sandbox, outcome)
}

pub(crate) fn delete_topics(kafka: &KafkaCluster) {
    for (way, ..) in WAYS {
        kafka.delete_topic(way);
    }
}

#[test]
fn what_an_unclean_election_truncates_is_lost_by_as_many_as_the_log_is_short_of() {
    testkit::require!(kafka);
    let kafka = take(&TRUNCATED);
    let (sandbox, outcome) = truncated(&kafka, &UNCLEAN);
    let run = sandbox.latest_run();
    let result = run.only_result();
    let cells = cells(&kafka, &UNCLEAN, &result, str::to_owned);
    assert_accounts_add_up(&result);
    for cell in &cells {
        let grown = cell.end - cell.number("/start_offset");
        let gone = (cell.fate("acked") - grown).max(0);
        let lost = cell.fate("lost_unread") + cell.fate("lost_read");
        assert!(lost >= gone, "{}: {lost} lost, {gone} gone", cell.place);
    }
    assert!(sum(&cells, "lost_read") + sum(&cells, "lost_unread") > 0, "{}", outcome.stdout);
    assert!(codes(&result).contains(&"records_lost"), "{}", outcome.stdout);
    assert!(codes(&result).contains(&"expectation_failed"), "{}", outcome.stdout);
    // Brokers that start again may saturate the host, which makes the run invalid on top of it.
    run.assert_ended(&outcome, 1);
    delete_topics(&kafka);
}

#[test]
fn what_is_lost_is_said_beside_an_idempotent_client_that_cannot_go_on_after_it() {
    testkit::require!(kafka);
    let kafka = take(&TRUNCATED);
    let row = Row {
        ways: &WAYS[..2],
        integrity: "none",
        load: "[{hold: {rate: 200/s, for: 60s}}, {drain: {within: 40s}}]",
        topic: "existing: true, partitions: 1",
        producer: "payload: {size: 200B}",
        consumer: "",
    };
    let (sandbox, outcome) = truncated(&kafka, &row);
    let result = sandbox.latest_run().only_result();
    outcome.assert_code(3);
    assert!(outcome.stdout.contains("sequence"), "the client's own words: {}", outcome.stdout);
    let lost: i64 = cells(&kafka, &row, &result, str::to_owned)
        .iter()
        .map(|cell| (cell.fate("acked") - (cell.end - cell.number("/start_offset"))).max(0))
        .sum();
    assert!(lost > 0, "{}", outcome.stdout);
    assert!(metric(&result, "records.lost") >= lost as f64, "{lost}: {}", outcome.stdout);
    delete_topics(&kafka);
}

#[test]
fn markers_of_transactions_are_no_lag_and_aborted_records_add_up_for_who_sees_them() {
    testkit::require!(kafka);
    let kafka = take(&HINDERED);
    let scenario = "name: fate\n\
        topics: {transacted: {partitions: 3, replication: 1}}\n\
        load: [{hold: {rate: 300/s, for: 5s}}, {drain: {within: 30s}}]\n\
        producers: {to: {topic: transacted, instances: 2, payload: {size: 200B}, \
        transactions: {every: 50, abort: 20%}}}\n\
        consumers:\n  \
        working: {topics: [transacted], work: 1ms}\n  \
        seeing-all: {topics: [transacted], isolation: read_uncommitted}\n  \
        seeing-all-at-work: {topics: [transacted], assign: all, isolation: read_uncommitted, work: 1ms}\n\
        expect:\n  \
        - consume.lag.end == 0\n  - records.lost == 0\n  - records.not_read == 0\n  \
        - records.unexpected == 0\n";
    let sandbox = sandbox(scenario, &cluster_file(&kafka, 1, ""));
    let outcome = sandbox.mallard([&RUN[..], &["--keep"]].concat());
    let run = sandbox.latest_run();
    let result = run.only_result();
    assert_nothing_is_lost(&result, &outcome);
    let failed = result["expectations"].as_array().expect("expectations").iter();
    let failed: Vec<_> = failed.filter(|held| held["passed"] == false).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(!codes(&result).contains(&"never_caught_up"), "{}", outcome.stdout);
    let drain_us = count(&run.json("run.json"), "time/drain_us");
    assert!(drain_us < 29_000_000, "the drain of 30 s waited for markers: {drain_us} µs");
    let topic = created(&kafka, &run)("transacted");
    let acked = result["accounts_whole"]["acked"].as_u64().expect("acked");
    let read = |isolation| kafka.consume_count(&topic, isolation);
    assert_eq!(read(Isolation::ReadUncommitted), acked);
    let committed = read(Isolation::ReadCommitted);
    assert!(committed < acked, "some were aborted");
    let received = result["accounts_whole"]["received"].as_u64().expect("received");
    assert_eq!(received, committed + 2 * acked);
}
