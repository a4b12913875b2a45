//! Topics, groups and end offsets on a real cluster of three brokers.

mod support;

use mallard_protocol::{
    ids::TopicId,
    message::{AgentFailure, Answer, FailureKind, FromAgent, Question, ToAgent, TopicFacts},
    workload::{Assignment, ClientProperties, TopicSpec},
};
use std::{process, time::Instant};
use support::{Place, Talk, topic};
use testkit::kafka;

const WITHIN_MS: u64 = 20_000;

fn connection() -> ClientProperties {
    vec![("bootstrap.servers".into(), kafka::shared(3).bootstrap())]
}

fn named(name: &str, partitions: i32) -> TopicSpec {
    topic(&format!("{name}-{}", process::id()), partitions)
}

fn create(talk: &mut Talk, topics: &[TopicSpec]) -> Result<Vec<TopicFacts>, AgentFailure> {
    let topics = topics.to_vec();
    let question = Question::CreateTopics {
        connection: connection(),
        topics,
        may_exist: false,
        within_ms: WITHIN_MS,
    };
    match talk.ask(question)? {
        Answer::Topics(facts) => Ok(facts),
        other => panic!("{other:?}"),
    }
}

fn delete(talk: &mut Talk, topics: &[&TopicSpec], groups: &[&str]) -> Vec<(String, String)> {
    let question = Question::Delete {
        connection: connection(),
        topics: topics.iter().map(|spec| spec.name.clone()).collect(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        within_ms: WITHIN_MS,
    };
    match talk.ask(question) {
        Ok(Answer::Deleted(left)) => left,
        other => panic!("{other:?}"),
    }
}

#[test]
fn topics_are_created_as_asked_described_and_deleted() {
    testkit::require!(kafka);
    let place = Place::new();
    let mut talk = place.greeted(60, 0);
    let mut spec = named("asked", 5);
    spec.replication = Some(3);
    spec.config = vec![
        ("min.insync.replicas".into(), "2".into()),
        ("cleanup.policy".into(), "compact, delete".into()),
    ];
    let facts = create(&mut talk, std::slice::from_ref(&spec)).unwrap();
    assert_eq!(facts[0].partitions.len(), 5);
    assert!(
        facts[0].partitions.iter().all(|(leader, replicas)| *leader > 0 && replicas.len() == 3)
    );
    assert!(facts[0].config.contains(&("min.insync.replicas".into(), "2".into())), "{facts:?}");
    // Asked again by the same agent, as after a lost answer.
    assert_eq!(create(&mut talk, std::slice::from_ref(&spec)).unwrap(), facts);
    // Another agent did not make it, and must not take it for its own.
    let other = Place::new();
    let failure = create(&mut other.greeted(60, 0), std::slice::from_ref(&spec)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Topic);
    assert!(failure.text.contains("already exists"), "{}", failure.text);
    let existing = TopicSpec { existing: true, partitions: 0, config: vec![], ..spec.clone() };
    let facts = create(&mut other.greeted(60, 0), &[existing]).unwrap();
    assert_eq!(facts[0].partitions.len(), 5);
    let missing = TopicSpec { existing: true, ..named("nowhere", 1) };
    let failure = create(&mut talk, &[missing, named("never-made", 1)]).unwrap_err();
    assert!(failure.text.contains("find topics: nowhere"), "{}", failure.text);
    assert_eq!(delete(&mut talk, &[&spec], &["no-such-group"]), []);
    assert_eq!(delete(&mut talk, &[&spec], &[]), [], "what is gone is deleted");
}

#[test]
fn refusals_carry_the_brokers_own_reason() {
    testkit::require!(kafka);
    let place = Place::new();
    let mut talk = place.greeted(60, 0);
    let mut wrong_key = named("wrong-key", 1);
    wrong_key.config = vec![("cleanup.polizy".into(), "delete".into())];
    let mut wrong_value = named("wrong-value", 1);
    wrong_value.config = vec![("min.insync.replicas".into(), "many".into())];
    let mut too_many = named("too-many", 1);
    too_many.replication = Some(7);
    for (spec, word) in [
        (wrong_key, "cleanup.polizy"),
        (wrong_value, "min.insync.replicas"),
        (too_many, "replication"),
    ] {
        let failure = create(&mut talk, std::slice::from_ref(&spec)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Topic, "{}", failure.text);
        assert!(
            failure.text.contains(word) && failure.text.contains(&spec.name),
            "{}",
            failure.text
        );
        eprintln!("{}", failure.text);
    }
}

#[test]
fn end_offsets_of_a_thousand_partitions_are_cheap() {
    testkit::require!(kafka);
    let place = Place::new();
    let mut talk = place.greeted(60, 0);
    let wide = named("wide", 1000);
    create(&mut talk, std::slice::from_ref(&wide)).unwrap();
    let assignment = Assignment {
        connection: connection(),
        topics: vec![wide.clone()],
        observes: vec![TopicId(0)],
        ..Assignment::default()
    };
    talk.say(&ToAgent::Prepare(Box::new(assignment)));
    talk.hear_until("Prepared", |m| matches!(m, FromAgent::Prepared).then_some(()));
    let asked = Instant::now();
    let question = Question::EndOffsets { topics: vec![TopicId(0)], within_ms: WITHIN_MS };
    let Ok(Answer::EndOffsets(offsets)) = talk.ask(question) else { panic!() };
    eprintln!("once, with a new client: {:?}", asked.elapsed());
    assert_eq!(offsets.len(), 1000);
    talk.say(&ToAgent::Start { at_clock_us: 1 });
    for _ in 0..5 {
        let (offsets, cpu_us) = talk.hear_until("an interval", |message| match message {
            // Brokers may take longer than a second to answer: such an interval has none.
            FromAgent::Interval(report) if !report.end_offsets.is_empty() => {
                Some((report.end_offsets.len(), report.resources.cpu_us))
            }
            _ => None,
        });
        eprintln!("{offsets} offsets, {cpu_us} µs of CPU");
        assert_eq!(offsets, 1000);
    }
    delete(&mut talk, &[&wide], &[]);
}
