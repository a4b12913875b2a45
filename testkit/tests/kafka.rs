//! The test cluster is a real one, its witnesses agree with each other, and it leaves nothing
//! behind.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::kafka::{Isolation, KafkaCluster, PerfRun, shared};
use testkit::process::{self, Signal};
use testkit::wait;

const SOON: Duration = Duration::from_secs(30);

/// Set for the process that a test starts in order to kill it.
const VICTIM: &str = "MALLARD_TEST_VICTIM";

#[test]
fn witnesses_agree_on_what_a_producer_wrote() {
    testkit::require!(kafka);
    let kafka = shared(3);
    kafka.create_topic(
        "wit.ness",
        4,
        3,
        &[("min.insync.replicas", "2"), ("cleanup.policy", "delete")],
    );

    let topic = kafka.describe_topic("wit.ness").expect("the topic");
    assert_eq!(
        (topic.name.as_str(), topic.partitions.len(), topic.replication),
        ("wit.ness", 4, 3)
    );
    assert_eq!(topic.config["min.insync.replicas"], "2");
    assert!(topic.partitions.iter().all(|partition| partition.in_sync.len() == 3), "{topic:?}");
    assert!(kafka.list_topics().contains(&"wit.ness".to_owned()));

    let perf = kafka.producer_perf(PerfRun {
        topic: "wit.ness",
        records: 2000,
        record_bytes: 100,
        rate_per_s: Some(1000),
        client: &[("acks", "all")],
    });
    assert_eq!(perf.records, 2000);
    assert!((800.0..1100.0).contains(&perf.rate_per_s), "{perf:?}");

    let ends = kafka.end_offsets("wit.ness");
    assert_eq!((ends.len(), ends.values().sum::<i64>()), (4, 2000), "{ends:?}");
    let content = kafka.read_topic("wit.ness", Isolation::ReadCommitted, 3);
    let counts: BTreeMap<i32, i64> = content
        .counts
        .iter()
        .map(|(partition, count)| (*partition, i64::try_from(*count).unwrap()))
        .collect();
    assert_eq!(counts, ends);
    assert_eq!(content.records.len(), 3);
    assert!(
        content
            .records
            .iter()
            .all(|record| record.value.as_ref().is_some_and(|value| value.len() == 100))
    );
}

#[test]
fn lag_is_what_a_group_has_not_committed() {
    testkit::require!(kafka);
    let kafka = shared(3);
    kafka.create_topic("lagging", 1, 1, &[]);
    let run =
        PerfRun { topic: "lagging", records: 50, record_bytes: 10, rate_per_s: None, client: &[] };
    assert_eq!(kafka.producer_perf(run).records, 50);
    let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let args =
        ["--topic", "lagging", "--group", "slow", "--from-beginning", "--max-messages", "20"];
    kafka.tool(consumer, &args).assert_code(0);

    assert_eq!(kafka.list_groups(), ["slow"]);
    let lag = kafka.group_lag("slow");
    let [partition] = lag.as_slice() else { panic!("{lag:?}") };
    assert_eq!((partition.topic.as_str(), partition.partition), ("lagging", 0));
    assert_eq!((partition.committed, partition.end, partition.lag), (Some(20), Some(50), Some(30)));
}

#[test]
fn what_is_not_there_is_said_to_be_not_there() {
    testkit::require!(kafka);
    let kafka = shared(3);
    assert_eq!(kafka.describe_topic("no-such-topic"), None);
    assert!(kafka.end_offsets("no-such-topic").is_empty());
    assert!(kafka.group_lag("no-such-group").is_empty());
    kafka.create_topic("short-lived", 1, 1, &[]);
    kafka.delete_topic("short-lived");
    wait::until("the topic to go", SOON, || {
        (!kafka.list_topics().contains(&"short-lived".to_owned())).then_some(())
    });
}

#[test]
fn a_broker_can_be_stopped_killed_and_started_again() {
    testkit::require!(kafka);
    let kafka = KafkaCluster::start_with(1, &[("log.retention.ms", "-1")]);
    kafka.create_topic("survivor", 1, 1, &[]);
    let first = kafka.broker_pid(1);

    kafka.stop_broker(1);
    wait::until("the stop", SOON, || {
        process::look_up(first).filter(|process| process.state == 'T')
    });
    kafka.cont_broker(1);
    kafka.kill_broker(1);
    assert!(!process::is_alive(first));

    kafka.restart_broker(1);
    assert_ne!(kafka.broker_pid(1), first);
    assert!(kafka.list_topics().contains(&"survivor".to_owned()));

    let second = kafka.broker_pid(1);
    drop(kafka);
    assert!(!process::is_alive(second));
}

#[test]
fn no_jvm_outlives_a_test_process_that_is_killed() {
    testkit::require!(kafka);
    // The victim is this very test in another process.
    if std::env::var_os(VICTIM).is_some() {
        let kafka = KafkaCluster::start(1);
        println!("\nbroker is {}", kafka.broker_pid(1));
        std::thread::sleep(Duration::from_secs(600));
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "no_jvm_outlives_a_test_process_that_is_killed", "--nocapture"])
        .env(VICTIM, "yes")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let said = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("broker is ").map(str::to_owned));
    let broker: u32 = said.expect("a broker").parse().unwrap();
    assert!(process::is_alive(broker));
    let folder = format!("mallard-test-kafka-{}-", victim.id());
    assert!(leftovers(&folder) > 0);

    process::send(victim.id(), Signal::KILL);
    victim.wait().unwrap();
    wait::until("the end of the broker", SOON, || (!process::is_alive(broker)).then_some(()));
    wait::until("its files to go", SOON, || (leftovers(&folder) == 0).then_some(()));
}

fn leftovers(prefix: &str) -> usize {
    let entries =
        std::fs::read_dir(std::env::temp_dir()).expect("a folder of temporary files").flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)).count()
}
