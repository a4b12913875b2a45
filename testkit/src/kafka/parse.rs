//! The answers of Kafka's tools as Rust types. Pure: text in, values out.

use std::collections::BTreeMap;

/// One partition as a consumer group stands to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPartition {
    /// The topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// The committed offset; `None` when nothing was committed.
    pub committed: Option<i64>,
    /// The end of the partition's log.
    pub end: Option<i64>,
    /// What lies between the two; `None` when nothing was committed.
    pub lag: Option<i64>,
    /// The client that the partition is assigned to, by its client id.
    pub client_id: Option<String>,
}

/// A topic as `kafka-topics --describe` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// The name.
    pub name: String,
    /// The number of replicas of each partition.
    pub replication: usize,
    /// What was set for this topic, on creation or later.
    pub config: BTreeMap<String, String>,
    /// Its partitions in order.
    pub partitions: Vec<TopicPartition>,
}

/// A partition of a described topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPartition {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it, if one does.
    pub leader: Option<usize>,
    /// The brokers that hold it.
    pub replicas: Vec<usize>,
    /// Those of them that are in sync.
    pub in_sync: Vec<usize>,
}

/// What `kafka-producer-perf-test` says in its last line.
#[derive(Debug, Clone, PartialEq)]
pub struct PerfResult {
    /// Records that were acknowledged.
    pub records: u64,
    /// Records a second, over the whole time.
    pub rate_per_s: f64,
    /// Megabytes (2^20 bytes) a second, over the whole time.
    pub mib_per_s: f64,
    /// Mean latency from send to acknowledgement.
    pub mean_ms: f64,
    /// Largest latency.
    pub max_ms: f64,
    /// Median latency.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
}

/// `topic:partition:offset`, a line each, for one topic. The tool takes a name for a pattern, so
/// others may stand among them.
pub(super) fn offsets(text: &str, topic: &str) -> BTreeMap<i32, i64> {
    let parse = |line: &str| {
        let (rest, offset) = line.rsplit_once(':')?;
        let (name, partition) = rest.rsplit_once(':')?;
        (name == topic).then_some((partition.parse().ok()?, offset.parse().ok()?))
    };
    text.lines().filter_map(parse).collect()
}

/// The table of `kafka-consumer-groups --describe`, found by its heading.
pub(super) fn group(text: &str) -> Vec<GroupPartition> {
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut heading: Vec<&str> = Vec::new();
    let mut partitions = Vec::new();
    for row in rows {
        if row.first() == Some(&"GROUP") {
            heading = row;
        } else if row.len() == heading.len() {
            partitions.extend(group_row(&heading, &row));
        }
    }
    partitions
}

fn group_row(heading: &[&str], row: &[&str]) -> Option<GroupPartition> {
    let cell = |name: &str| {
        let column = heading.iter().position(|heading| *heading == name)?;
        (row[column] != "-").then_some(row[column])
    };
    let offset = |name: &str| cell(name)?.parse().ok();
    Some(GroupPartition {
        topic: cell("TOPIC")?.to_owned(),
        partition: cell("PARTITION")?.parse().ok()?,
        committed: offset("CURRENT-OFFSET"),
        end: offset("LOG-END-OFFSET"),
        lag: offset("LAG"),
        client_id: cell("CLIENT-ID").map(str::to_owned),
    })
}

/// The answer of `kafka-topics --describe` for one topic: a line of the topic, then a line for each
/// partition; fields are apart by tabs.
pub(super) fn topic(text: &str) -> Option<TopicDescription> {
    let mut lines = text.lines().filter(|line| line.trim_start().starts_with("Topic: "));
    let first = fields(lines.next()?);
    Some(TopicDescription {
        name: first.get("Topic")?.clone(),
        replication: first.get("ReplicationFactor")?.parse().ok()?,
        config: config(first.get("Configs")?),
        partitions: lines.map(|line| partition(&fields(line))).collect::<Option<_>>()?,
    })
}

fn partition(fields: &BTreeMap<&str, String>) -> Option<TopicPartition> {
    let brokers = |name: &str| {
        let listed = fields.get(name)?.split(',').filter(|id| !id.is_empty());
        listed.map(|id| id.trim().parse().ok()).collect::<Option<Vec<usize>>>()
    };
    Some(TopicPartition {
        partition: fields.get("Partition")?.parse().ok()?,
        leader: fields.get("Leader")?.parse().ok(),
        replicas: brokers("Replicas")?,
        in_sync: brokers("Isr")?,
    })
}

fn fields(line: &str) -> BTreeMap<&str, String> {
    let split = |field: &'_ str| {
        field.split_once(':').map(|(key, value)| (key.len(), value.trim().to_owned()))
    };
    line.split('\t')
        .map(str::trim)
        .filter_map(|field| split(field).map(|(key, value)| (&field[..key], value)))
        .collect()
}

/// `a=1,b=x,y,c=2`: a comma also stands inside values, so a part without `=` goes on with the one
/// before.
fn config(text: &str) -> BTreeMap<String, String> {
    let mut config: Vec<(String, String)> = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        match (part.split_once('='), config.last_mut()) {
            (Some((key, value)), _) => config.push((key.to_owned(), value.to_owned())),
            (None, Some((_, value))) => *value += &format!(",{part}"),
            (None, None) => {}
        }
    }
    config.into_iter().collect()
}

/// The last line of `kafka-producer-perf-test`. Its numbers stand in a fixed order; the words
/// between them have changed with versions.
pub(super) fn perf(text: &str) -> Option<PerfResult> {
    let line =
        text.lines().rfind(|line| line.contains("records sent") && line.contains("99.9th"))?;
    let numbers: Vec<f64> = line
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .filter_map(|word| word.parse().ok())
        .collect();
    // Each percentile's value is followed by its name, which is read as a number, too.
    let [records, rate, mib, mean, max, p50, _, p95, _, p99, _, p999, ..] = numbers.as_slice()
    else {
        return None;
    };
    Some(PerfResult {
        records: records.to_string().parse().ok()?,
        rate_per_s: *rate,
        mib_per_s: *mib,
        mean_ms: *mean,
        max_ms: *max,
        p50_ms: *p50,
        p95_ms: *p95,
        p99_ms: *p99,
        p999_ms: *p999,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_other_topics_are_left_out() {
        let text = "a.b:0:17\na.b:1:0\naxb:0:5\nSome warning: no:thing\n";
        assert_eq!(offsets(text, "a.b"), BTreeMap::from([(0, 17), (1, 0)]));
    }

    #[test]
    fn a_group_is_read_by_its_heading() {
        let text = "
GROUP  TOPIC  PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG  CONSUMER-ID  HOST        CLIENT-ID
g      t      0          10              12              2    c-1-aa       /127.0.0.1  c-1
g      t      1          -               7               -    -            -           -
";
        let rows = group(text);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].committed, rows[0].end, rows[0].lag), (Some(10), Some(12), Some(2)));
        assert_eq!(rows[0].client_id.as_deref(), Some("c-1"));
        assert_eq!((rows[1].committed, rows[1].end, rows[1].lag), (None, Some(7), None));
    }

    #[test]
    fn a_topic_keeps_commas_inside_its_settings() {
        let text = "Topic: t\tTopicId: x\tPartitionCount: 2\tReplicationFactor: 2\tConfigs: \
                    cleanup.policy=compact,delete,retention.ms=5\n\
                    \tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1\tElr: \tLastKnownElr: \n\
                    \tTopic: t\tPartition: 1\tLeader: none\tReplicas: 2,1\tIsr: \tElr: 2\tLastKnownElr: \n";
        let topic = topic(text).expect("a topic");
        assert_eq!((topic.name.as_str(), topic.replication), ("t", 2));
        assert_eq!(topic.config["cleanup.policy"], "compact,delete");
        assert_eq!(topic.config["retention.ms"], "5");
        assert_eq!(topic.partitions[0].in_sync, [1]);
        assert_eq!(topic.partitions[1].leader, None);
    }

    #[test]
    fn the_last_line_of_a_perf_run_is_its_result() {
        let text = "500 records sent, 100.0 records/sec (0.01 MB/sec), 2.0 ms avg latency, 9.0 ms max latency.\n\
                    1000 records sent, 999.0 records/sec (0.95 MB/sec), 2.51 ms avg latency, 300.00 ms max \
                    latency, 2 ms 50th, 5 ms 95th, 10 ms 99th, 12 ms 99.9th.\n";
        let perf = perf(text).expect("a result");
        assert_eq!((perf.records, perf.p50_ms, perf.p999_ms), (1000, 2.0, 12.0));
        assert_eq!((perf.p95_ms, perf.p99_ms, perf.max_ms), (5.0, 10.0, 300.0));
    }
}
