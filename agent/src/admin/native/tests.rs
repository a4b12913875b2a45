//! What the mock cluster knows of these calls. `librdkafka::tests` runs it once more under valgrind: what
//! crosses to C and back is given back once, also where a request fails.

use super::*;
use crate::{admin::client::Admin, broker::EmbeddedBroker};
use std::time::Duration;

/// Nothing here takes seconds, but for valgrind, which makes everything many times as slow.
const WITHIN: Duration = Duration::from_secs(60);

fn topic(name: &str, partitions: i32) -> TopicSpec {
    TopicSpec {
        name: name.to_owned(),
        alias: name.to_owned(),
        partitions,
        replication: None,
        config: vec![("retention.ms".to_owned(), "60000".to_owned())],
        existing: false,
    }
}

fn broker_and_admin() -> (EmbeddedBroker, Admin) {
    let broker = EmbeddedBroker::start(2, Duration::ZERO).unwrap();
    broker.create_topics(&[topic("orders", 3)]).unwrap();
    let servers = broker.bootstrap_servers().unwrap();
    let admin = Admin::new(&vec![("bootstrap.servers".to_owned(), servers)]).unwrap();
    admin.metadata(&Deadline::within(WITHIN)).unwrap();
    (broker, admin)
}

#[test]
fn end_offsets_of_many_partitions_come_from_all_their_leaders() {
    let (_broker, admin) = broker_and_admin();
    let client = admin.inner().inner();
    for edge in [Edge::LogStart, Edge::End] {
        let asked = (0..3).map(|partition| ("orders", partition));
        let mut found = list_offsets(client, asked, edge, &Deadline::within(WITHIN)).unwrap();
        found.sort_by_key(|(_, partition, _)| *partition);
        let empty = (0..3).map(|partition| ("orders".to_owned(), partition, Ok(0)));
        assert_eq!(found, empty.collect::<Vec<FoundOffset>>(), "{edge:?}");
    }
}

#[test]
fn a_request_that_nobody_answers_ends_by_its_deadline() {
    let (_broker, admin) = broker_and_admin();
    let client = admin.inner().inner();
    let wanted = topic("wanted", 1);
    // The mock cluster has no controller that this could go to.
    let deadline = Deadline::within(Duration::from_millis(300));
    assert!(create_topics(client, &[&wanted], &deadline).is_err());
    let impossible = topic("impossible", -5);
    let refused = create_topics(client, &[&wanted, &impossible], &Deadline::within(WITHIN));
    assert!(matches!(refused, Err(KafkaError::AdminOpCreation(_))), "{refused:?}");
    drain_log(client, |_| ());
}
