//! What `integrity` asks of a case: what must hold, and what it cannot be held to yet.

use super::case::Building;
use crate::expect::{self, Expectation};

/// Properties by which a client would choose partitions, which are needed before it has the record.
const PARTITIONERS: [&str; 1] = ["partitioner"];

impl Building<'_> {
    /// Notes producers and topics whose records cannot be followed.
    pub(super) fn check_integrity(&mut self) {
        let scenario = self.scenario;
        let Some(integrity) = &scenario.integrity else { return };
        if scenario.producers.is_empty() || scenario.consumers.is_empty() {
            let help =
                "records are followed from producers to consumers: add both, or remove `integrity`";
            self.reader.error(&integrity.anchor, "nothing can be followed", help);
        }
        for (name, producer) in &scenario.producers {
            if let Some(transactions) = &producer.transactions {
                let message = format!("records of `{}` are sent in transactions", name.value);
                let help =
                    "`integrity` does not follow transactions yet: remove one of the two keys";
                self.reader.error(&transactions.at, message, help);
            }
            let chosen =
                producer.client.iter().find(|p| PARTITIONERS.contains(&p.key.value.as_str()));
            if let Some(property) = chosen {
                let help = "with `integrity` the agent chooses partitions, keyed ones by murmur2 as Java's clients \
                            do: remove the property, or use `partitioning`";
                self.reader.error(&property.key.at, "the client cannot choose partitions", help);
            }
        }
        let by_cluster = self
            .cluster
            .connection_places
            .iter()
            .find(|(key, _)| PARTITIONERS.contains(&key.as_str()));
        if let Some((_, at)) = by_cluster {
            let help = "the scenario has `integrity`, for which the agent chooses partitions: remove the property";
            self.reader.error(at, "the client cannot choose partitions", help);
        }
        for (_, topic) in &scenario.topics {
            let compacts = |value: &str| value.split(',').any(|policy| policy.trim() == "compact");
            let policy = topic.config.iter().find(|p| p.key.value == "cleanup.policy");
            if let Some(policy) = policy.filter(|policy| compacts(&policy.value.value)) {
                let help =
                    "compaction removes records on purpose: remove `integrity` or the policy";
                self.reader.error(
                    &policy.value.at,
                    "a compacted topic cannot keep the guarantee",
                    help,
                );
            }
        }
    }

    /// What the guarantee says must hold.
    pub(super) fn guaranteed(&self, vocabulary: &expect::Vocabulary) -> Vec<Expectation> {
        let Some(integrity) = &self.scenario.integrity else { return Vec::new() };
        let source = (integrity.at.source.path.clone(), Some(integrity.at.line()));
        let parsed =
            integrity.value.expectations().iter().map(|text| expect::parse(text, vocabulary));
        // What cannot be read here has its reason in a mistake that was noted.
        let read = parsed.filter_map(Result::ok);
        read.map(|expectation| Expectation { source: source.clone(), ..expectation }).collect()
    }
}
