//! What Apache's own tools say about a cluster: witnesses that know nothing of Mallard.
//!
//! Each question starts a JVM and takes about a second.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::Duration;

use super::cluster::KafkaCluster;
use super::parse::{self, GroupPartition, PerfResult, TopicDescription};
use crate::java;
use crate::process::{self, Finished};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const PERF: &str = "org.apache.kafka.tools.ProducerPerformance";

/// Which records a reader is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// All of them, also those of open and aborted transactions.
    ReadUncommitted,
    /// Only those outside transactions and of committed ones.
    ReadCommitted,
}

/// A run of `kafka-producer-perf-test`.
#[derive(Debug, Clone, Copy)]
pub struct PerfRun<'a> {
    /// The topic to write to.
    pub topic: &'a str,
    /// How many records.
    pub records: u64,
    /// The size of each value; keys are null.
    pub record_bytes: u32,
    /// The rate it aims at, or `None` for as fast as it goes.
    pub rate_per_s: Option<u64>,
    /// Properties of the producer, such as `("acks", "all")`.
    pub client: &'a [(&'a str, &'a str)],
}

/// What a consumer of Apache's found in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicContent {
    /// Records that can be read, by partition.
    pub counts: BTreeMap<i32, u64>,
    /// The first of them, as many as were asked for, in the order in which they arrived.
    pub records: Vec<Record>,
}

impl TopicContent {
    /// Records that can be read, in all partitions.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// A record as Apache's consumer saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Every question panics, showing the tool's output, when its tool fails or takes longer than
/// [`java::WITHIN`].
impl KafkaCluster {
    /// Creates a topic with settings such as `("min.insync.replicas", "2")`.
    #[track_caller]
    pub fn create_topic(
        &self,
        topic: &str,
        partitions: usize,
        replication: usize,
        config: &[(&str, &str)],
    ) {
        let (partitions, replication) = (partitions.to_string(), replication.to_string());
        let config: Vec<String> =
            config.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut args = vec!["--create", "--topic", topic, "--partitions", &partitions];
        args.extend(["--replication-factor", &replication]);
        args.extend(config.iter().flat_map(|setting| ["--config", setting]));
        self.tool(TOPICS, &args).assert_code(0);
    }

    /// Deletes a topic.
    #[track_caller]
    pub fn delete_topic(&self, topic: &str) {
        self.tool(TOPICS, &["--delete", "--topic", topic]).assert_code(0);
    }

    /// The names of all topics, but for Kafka's internal ones.
    #[track_caller]
    #[must_use]
    pub fn list_topics(&self) -> Vec<String> {
        lines(&self.tool(TOPICS, &["--list", "--exclude-internal"]).expect_code(0))
    }

    /// A topic with its partitions and what was set for it, or `None` when there is no such topic.
    #[track_caller]
    #[must_use]
    pub fn describe_topic(&self, topic: &str) -> Option<TopicDescription> {
        let answer = self.tool(TOPICS, &["--describe", "--topic", topic]);
        let missing = answer.code() != Some(0)
            && (answer.stdout.clone() + &answer.stderr).contains("does not exist");
        (!missing).then(|| {
            answer.assert_code(0);
            parse::topic(&answer.stdout).unwrap_or_else(|| panic!("no topic in\n{answer}"))
        })
    }

    /// The end offset of each partition of a topic; empty when there is no such topic. Without
    /// transactions and compaction, these are the records that were ever written.
    #[track_caller]
    #[must_use]
    pub fn end_offsets(&self, topic: &str) -> BTreeMap<i32, i64> {
        let answer = self.tool(OFFSETS, &["--topic", topic]);
        let missing = answer.stderr.contains("Could not match any topic-partitions");
        if missing {
            return BTreeMap::new();
        }
        parse::offsets(&answer.expect_code(0).stdout, topic)
    }

    /// The first offset of each partition of a topic that can still be read: what lies before it was removed
    /// by retention. Empty when there is no such topic.
    #[track_caller]
    #[must_use]
    pub fn start_offsets(&self, topic: &str) -> BTreeMap<i32, i64> {
        let answer = self.tool(OFFSETS, &["--topic", topic, "--time", "earliest"]);
        if answer.stderr.contains("Could not match any topic-partitions") {
            return BTreeMap::new();
        }
        parse::offsets(&answer.expect_code(0).stdout, topic)
    }

    /// Has every client that has no quota of its own throttled to this many bytes a second, or no longer.
    #[track_caller]
    pub fn throttle_producers(&self, bytes_per_s: Option<u64>) {
        let change = match bytes_per_s {
            Some(bytes) => ["--add-config".to_owned(), format!("producer_byte_rate={bytes}")],
            None => ["--delete-config".to_owned(), "producer_byte_rate".to_owned()],
        };
        let mut args = vec!["--alter".to_owned()];
        args.extend(change);
        args.extend(["--entity-type", "clients", "--entity-default"].map(str::to_owned));
        self.tool("kafka.admin.ConfigCommand", &args).assert_code(0);
    }

    /// The names of all consumer groups.
    #[track_caller]
    #[must_use]
    pub fn list_groups(&self) -> Vec<String> {
        lines(&self.tool(GROUPS, &["--list"]).expect_code(0))
    }

    /// How a consumer group stands to each partition that it has committed or is assigned to; empty
    /// when there is no such group.
    #[track_caller]
    #[must_use]
    pub fn group_lag(&self, group: &str) -> Vec<GroupPartition> {
        let answer = self.tool(GROUPS, &["--describe", "--group", group]);
        if (answer.stdout.clone() + &answer.stderr).contains("does not exist") {
            return Vec::new();
        }
        parse::group(&answer.expect_code(0).stdout)
    }

    /// Runs `kafka-producer-perf-test` with all of Java's compilers: it is a yardstick here.
    #[track_caller]
    #[must_use]
    pub fn producer_perf(&self, run: PerfRun<'_>) -> PerfResult {
        let rate = run.rate_per_s.map_or_else(|| "-1".to_owned(), |rate| rate.to_string());
        let mut tool = java::command();
        tool.args([
            "-XX:TieredStopAtLevel=4",
            QUIET,
            PERF,
            "--topic",
            run.topic,
            "--throughput",
            &rate,
        ]);
        tool.args([
            "--num-records",
            &run.records.to_string(),
            "--record-size",
            &run.record_bytes.to_string(),
        ]);
        tool.args(["--producer-props", &format!("bootstrap.servers={}", self.bootstrap())]);
        tool.args(run.client.iter().map(|(key, value)| format!("{key}={value}")));
        let planned = run.rate_per_s.map_or(0, |rate| run.records / rate.max(1));
        let answer =
            process::run(&mut tool, java::WITHIN + Duration::from_secs(planned)).expect_code(0);
        parse::perf(&answer.stdout).unwrap_or_else(|| panic!("no result in\n{answer}"))
    }

    /// Reads a topic to its present end with Apache's own consumer and counts what can be read.
    #[track_caller]
    #[must_use]
    pub fn consume_count(&self, topic: &str, isolation: Isolation) -> u64 {
        self.read_topic(topic, isolation, 0).total()
    }

    /// Reads a topic to its present end with Apache's own consumer, counts what can be read, and
    /// keeps the first `keep` records.
    #[track_caller]
    #[must_use]
    pub fn read_topic(&self, topic: &str, isolation: Isolation, keep: usize) -> TopicContent {
        let isolation = match isolation {
            Isolation::ReadUncommitted => "read_uncommitted",
            Isolation::ReadCommitted => "read_committed",
        };
        let source = include_str!("../../java/ReadTopic.java");
        let args = [&self.bootstrap(), topic, isolation, &keep.to_string()];
        let answer = java::run_source("ReadTopic.java", source, &args);
        content(&answer.stdout).unwrap_or_else(|| panic!("not understood\n{answer}"))
    }

    /// Writes records of a partition again with Apache's own clients: so many as they are, so many with a changed bit,
    /// so many to the partition after it. Waits until there are as many.
    #[track_caller]
    pub fn meddle(&self, topic: &str, partition: i32, [twice, changed, astray]: [u32; 3]) {
        let source = include_str!("../../java/Meddle.java");
        let numbers = [twice, changed, astray].map(|count| count.to_string());
        let (bootstrap, partition) = (self.bootstrap(), partition.to_string());
        let [twice, changed, astray] = &numbers;
        let args = [bootstrap.as_str(), topic, &partition, twice, changed, astray];
        drop(java::run_source("Meddle.java", source, &args));
    }

    /// Runs any of Apache's tools that take `--bootstrap-server`, by its class; how it ends is for
    /// the caller to judge.
    #[track_caller]
    #[must_use]
    pub fn tool<A: AsRef<OsStr>>(&self, class: &str, args: &[A]) -> Finished {
        let mut tool = java::command();
        tool.args([QUIET, class, "--bootstrap-server", &self.bootstrap()]).args(args);
        process::run(&mut tool, java::WITHIN)
    }
}

/// Only what matters on standard error.
const QUIET: &str = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";

fn lines(answer: &Finished) -> Vec<String> {
    answer
        .stdout
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What `ReadTopic.java` prints.
fn content(text: &str) -> Option<TopicContent> {
    let mut content = TopicContent { counts: BTreeMap::new(), records: Vec::new() };
    for line in text.lines() {
        match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["C", partition, count] => {
                content.counts.insert(partition.parse().ok()?, count.parse().ok()?);
            }
            ["R", partition, offset, timestamp, key, value, headers] => {
                content.records.push(Record {
                    partition: partition.parse().ok()?,
                    offset: offset.parse().ok()?,
                    timestamp_ms: timestamp.parse().ok()?,
                    key: optional_bytes(key)?,
                    value: optional_bytes(value)?,
                    headers: headers
                        .split(',')
                        .filter(|it| !it.is_empty())
                        .map(header)
                        .collect::<Option<_>>()?,
                })
            }
            _ => return None,
        }
    }
    Some(content)
}

fn header(text: &str) -> Option<(String, Option<Vec<u8>>)> {
    let (key, value) = text.split_once('=')?;
    Some((String::from_utf8(bytes(key)?).ok()?, optional_bytes(value)?))
}

/// The outer option says whether the text was understood.
fn optional_bytes(text: &str) -> Option<Option<Vec<u8>>> {
    if text == "-" { Some(None) } else { bytes(text).map(Some) }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_counts_are_read_back() {
        let text = "R\t1\t7\t1700000000000\t-\t6869\t6b=00ff,6c=-\nC\t0\t0\nC\t1\t8\n";
        let content = content(text).expect("understood");
        assert_eq!(content.total(), 8);
        let record = &content.records[0];
        assert_eq!((record.partition, record.offset, &record.key), (1, 7, &None));
        assert_eq!(record.value.as_deref(), Some("hi".as_bytes()));
        assert_eq!(record.headers, [("k".to_owned(), Some(vec![0, 255])), ("l".to_owned(), None)]);
    }
}
