//! Whether a topic is what was asked for.

use mallard_protocol::{message::TopicFacts, workload::TopicSpec};

/// What differs, one text each.
pub(super) fn differences(spec: &TopicSpec, facts: &TopicFacts) -> Vec<String> {
    let name = &spec.name;
    let mut differences = Vec::new();
    if usize::try_from(spec.partitions) != Ok(facts.partitions.len()) {
        let (has, asked) = (facts.partitions.len(), spec.partitions);
        differences.push(format!("topic {name} has {has} partitions, asked for were {asked}"));
    }
    if let Some(asked) = spec.replication {
        let other = |(_, replicas): &(i32, Vec<i32>)| usize::try_from(asked) != Ok(replicas.len());
        if let Some(at) = facts.partitions.iter().position(other) {
            let has = facts.partitions[at].1.len();
            differences.push(format!(
                "partition {at} of topic {name} has {has} replicas, asked for were {asked}"
            ));
        }
    }
    for (key, asked) in &spec.config {
        match facts.config.iter().find(|(known, _)| known == key) {
            None => differences.push(format!("topic {name}: the broker does not report {key}")),
            Some((_, has)) if !same_value(asked, has) => {
                differences.push(format!("topic {name} has {key}={has}, asked for was {asked}"));
            }
            Some(_) => {}
        }
    }
    differences
}

/// Whether two values of a setting mean the same: brokers write truth values in lower case, and lists
/// without blanks.
fn same_value(asked: &str, has: &str) -> bool {
    let plain = |value: &str| {
        value.split(',').map(|item| item.trim().to_ascii_lowercase()).collect::<Vec<_>>()
    };
    plain(asked) == plain(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> TopicSpec {
        TopicSpec {
            name: "t".into(),
            alias: "t".into(),
            partitions: 2,
            replication: Some(3),
            config: vec![
                ("cleanup.policy".into(), "compact, delete".into()),
                ("preallocate".into(), "True".into()),
            ],
            existing: false,
        }
    }

    fn facts() -> TopicFacts {
        TopicFacts {
            name: "t".into(),
            partitions: vec![(1, vec![1, 2, 3]), (2, vec![2, 3, 1])],
            config: vec![
                ("cleanup.policy".into(), "compact,delete".into()),
                ("preallocate".into(), "true".into()),
            ],
        }
    }

    #[test]
    fn the_same_written_otherwise_is_no_difference() {
        assert_eq!(differences(&spec(), &facts()), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_named() {
        let mut facts = facts();
        facts.partitions = vec![(1, vec![1])];
        facts.config = vec![("cleanup.policy".into(), "delete".into())];
        assert_eq!(
            differences(&spec(), &facts),
            [
                "topic t has 1 partitions, asked for were 2",
                "partition 0 of topic t has 1 replicas, asked for were 3",
                "topic t has cleanup.policy=delete, asked for was compact, delete",
                "topic t: the broker does not report preallocate",
            ]
        );
    }
}
