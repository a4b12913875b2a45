//! Questions to Kafka: the embedded broker, and no broker at all.

mod support;

use mallard_protocol::{
    ids::TopicId,
    message::{Answer, ClusterFacts, FailureKind, FromAgent, Question, ToAgent},
    workload::{Assignment, ClientProperties},
};
use std::{
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};
use support::{Place, Talk, topic};

fn start_broker(talk: &mut Talk, brokers: u16) -> String {
    let topics = vec![topic("readings", 6), topic("alerts", 1)];
    let question = Question::StartBroker { brokers, topics, round_trip_ms: 0 };
    match talk.ask(question) {
        Ok(Answer::Bootstrap(servers)) => servers,
        other => panic!("{other:?}"),
    }
}

fn connection(servers: &str) -> ClientProperties {
    vec![("bootstrap.servers".into(), servers.into())]
}

fn describe(
    talk: &mut Talk,
    servers: &str,
    within_ms: u64,
) -> Result<ClusterFacts, (FailureKind, String)> {
    let question = Question::DescribeCluster { connection: connection(servers), within_ms };
    match talk.ask(question) {
        Ok(Answer::Cluster(facts)) => Ok(facts),
        Err(failure) => Err((failure.kind, failure.text)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_embedded_broker_serves_other_processes() {
    let (place, other_place) = (Place::new(), Place::new());
    let mut talk = place.greeted(30, 0);
    let servers = start_broker(&mut talk, 3);
    assert_eq!(servers.split(',').count(), 3);
    for server in servers.split(',') {
        assert!(server.starts_with("127.0.0.1:"), "{servers}");
        TcpStream::connect(server).unwrap();
    }
    let mut other = other_place.greeted(30, 0);
    let facts = describe(&mut other, &servers, 5000).unwrap();
    assert_eq!(facts.brokers.len(), 3, "{facts:?}");
    let names = vec!["readings".to_owned()];
    let question =
        Question::DescribeTopics { connection: connection(&servers), names, within_ms: 5000 };
    let topics = match other.ask(question) {
        Ok(Answer::Topics(topics)) => topics,
        other => panic!("{other:?}"),
    };
    assert_eq!((topics.len(), topics[0].partitions.len()), (1, 6));
    // Asked again, as after a lost answer, it is the same broker.
    assert_eq!(start_broker(&mut talk, 3), servers);
}

#[test]
fn the_embedded_broker_says_at_once_what_it_cannot_do() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    let servers = start_broker(&mut talk, 1);
    let (connection, within_ms) = (connection(&servers), 10_000);
    let topics = vec![topic("more", 1)];
    let create = Question::CreateTopics {
        connection: connection.clone(),
        topics,
        may_exist: false,
        within_ms,
    };
    let failure = talk.ask(create).unwrap_err();
    assert!(failure.text.contains("embedded broker cannot"), "{}", failure.text);
    let (topics, groups) = (vec!["readings".into()], vec!["flink".into()]);
    let left = match talk.ask(Question::Delete { connection, topics, groups, within_ms }) {
        Ok(Answer::Deleted(left)) => left,
        other => panic!("{other:?}"),
    };
    let what: Vec<_> = left.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(what, ["topic readings", "consumer group flink"]);
}

#[test]
fn a_topic_that_does_not_exist_is_not_created_by_asking() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    let servers = start_broker(&mut talk, 1);
    for _ in 0..2 {
        let names = vec!["readings".into(), "nowhere".into()];
        let question =
            Question::DescribeTopics { connection: connection(&servers), names, within_ms: 5000 };
        let failure = talk.ask(question).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Topic);
        assert!(
            failure.text.contains("nowhere") && !failure.text.contains("readings"),
            "{}",
            failure.text
        );
    }
}

#[test]
fn a_closed_port_fails_within_the_deadline_and_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let servers = format!("127.0.0.1:{port}");
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    let started = Instant::now();
    let (kind, text) = describe(&mut talk, &servers, 2000).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(kind, FailureKind::Unreachable, "{text}");
    assert!(text.contains(&servers) && text.contains("Connection refused"), "{text}");
}

#[test]
fn a_name_that_nobody_knows_is_unreachable() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    let (kind, text) = describe(&mut talk, "no-such-host.invalid:9092", 12_000).unwrap_err();
    assert_eq!(kind, FailureKind::Unreachable, "{text}");
    assert!(text.contains("no-such-host.invalid") && text.contains("resolve"), "{text}");
}

#[test]
fn a_wrong_property_is_named_and_its_secret_is_not() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    let mut connection = connection("127.0.0.1:1");
    connection.push(("ssl.key.password".into(), "hunter2".into()));
    connection.push(("security.protocol".into(), "hunter2".into()));
    let failure = talk.ask(Question::DescribeCluster { connection, within_ms: 2000 }).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Property);
    assert!(failure.text.contains("security.protocol"), "{}", failure.text);
    assert!(!failure.text.contains("hunter2"), "{}", failure.text);
    assert!(!place.log().contains("hunter2"));
}

#[test]
fn end_offsets_are_answered_and_observed_in_every_interval() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    let servers = start_broker(&mut talk, 2);
    let question = Question::EndOffsets { topics: vec![TopicId(0)], within_ms: 5000 };
    assert!(talk.ask(question.clone()).is_err(), "nothing is prepared");
    let assignment = Assignment {
        connection: connection(&servers),
        topics: vec![topic("readings", 6), topic("alerts", 1)],
        observes: vec![TopicId(0), TopicId(1)],
        ..Assignment::default()
    };
    talk.say(&ToAgent::Prepare(Box::new(assignment)));
    talk.hear_until("Prepared", |m| matches!(m, FromAgent::Prepared).then_some(()));
    let Ok(Answer::EndOffsets(offsets)) = talk.ask(question) else { panic!() };
    assert_eq!(offsets.len(), 6);
    assert!(offsets.iter().all(|at| at.offset == 0), "{offsets:?}");
    talk.say(&ToAgent::Start { at_clock_us: 1 });
    talk.hear_until("an interval with offsets", |message| match message {
        FromAgent::Interval(report) => (report.end_offsets.len() == 7).then_some(()),
        _ => None,
    });
}
