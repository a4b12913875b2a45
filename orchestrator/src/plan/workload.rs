//! Workloads by the names of their instances.

use mallard_protocol::workload::{ClientProperties, TopicSpec};

/// The configuration of a topic that says what removes its records.
pub const CLEANUP_POLICY: &str = "cleanup.policy";

/// The name of the scenario's producer or consumer that an instance belongs to: its own name without
/// the number, `gateway` for `gateway-2`.
#[must_use]
pub fn workload_of(instance: &str) -> &str {
    match instance.rsplit_once('-') {
        Some((name, number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            name
        }
        _ => instance,
    }
}

/// Whether a consumer never sees records of aborted transactions. What is set last counts, the consumer's own
/// properties after those of the connection; librdkafka's `isolation.level` is `read_committed` unless it is
/// set.
#[must_use]
pub fn reads_committed(client: &ClientProperties, connection: &[(String, String)]) -> bool {
    let mut levels = client.iter().rev().chain(connection.iter().rev());
    let level = levels.find(|(name, _)| name == "isolation.level");
    level.is_none_or(|(_, level)| level != "read_uncommitted")
}

/// Whether compaction removes records of a topic, by its configuration as far as it is known.
#[must_use]
pub fn is_compacted(topic: &TopicSpec) -> bool {
    let policies = topic.config.iter().filter(|(key, _)| key == CLEANUP_POLICY);
    policies.flat_map(|(_, value)| value.split(',')).any(|policy| policy.trim() == "compact")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn isolation_is_what_is_set_last_and_the_consumers_own_word_counts() {
        let level = |level| property("isolation.level", level);
        let other = property("fetch.wait.max.ms", "5");
        let (committed, uncommitted) = (level("read_committed"), level("read_uncommitted"));
        assert!(reads_committed(&vec![], &[]));
        assert!(!reads_committed(&vec![other.clone()], std::slice::from_ref(&uncommitted)));
        assert!(reads_committed(&vec![committed.clone()], std::slice::from_ref(&uncommitted)));
        assert!(!reads_committed(&vec![committed, uncommitted, other], &[]));
    }

    #[test]
    fn a_topic_is_compacted_if_compact_is_one_of_its_policies() {
        let topic = |policy: &str| TopicSpec {
            name: "t".into(),
            alias: "t".into(),
            partitions: 1,
            replication: None,
            config: vec![property("retention.ms", "5"), property(CLEANUP_POLICY, policy)],
            existing: false,
        };
        assert!(is_compacted(&topic("compact")) && is_compacted(&topic("delete, compact")));
        assert!(!is_compacted(&topic("delete")));
    }
}
