//! Probes: one record to every partition, so that consumers can show that they see it before the load
//! begins. They travel on a client of their own and are counted nowhere.

use super::notes::failure_kind;
use crate::librdkafka::{Arguments, Code, Config, Message, Producer, header_name};
use mallard_protocol::{
    ids::TopicId,
    message::{AgentFailure, FailureKind},
    stamp::PROBE_HEADER,
    workload::{Assignment, TopicSpec},
};
use std::time::{Duration, Instant};

/// How long a probe may take, in milliseconds.
const PROBE_MS: u64 = 10_000;

/// Sends probes and waits for them.
pub(crate) fn probe(assignment: &Assignment, topics: &[TopicId]) -> Result<(), AgentFailure> {
    // All are sent before the first is waited for.
    let specs = topics.iter().filter_map(|topic| assignment.topics.get(topic.index()));
    let sent =
        specs.map(|topic| Ok((topic, send(assignment, topic)?))).collect::<Result<Vec<_>, _>>()?;
    sent.into_iter().try_for_each(|(topic, producer)| wait(&producer, topic))
}

fn send(assignment: &Assignment, topic: &TopicSpec) -> Result<Producer, AgentFailure> {
    let mut properties = assignment.connection.clone();
    properties.push(("client.id".to_owned(), "mallard-probe".to_owned()));
    properties.push(("message.timeout.ms".to_owned(), PROBE_MS.to_string()));
    let refused = |error: crate::librdkafka::PropertyError| AgentFailure {
        kind: FailureKind::Property,
        text: format!("a probe of topic {}: {error}", topic.name),
    };
    let config = Config::with(&properties).map_err(refused)?;
    let producer = Producer::new(config, &topic.name).map_err(refused)?;
    let headers = [(header_name(PROBE_HEADER), assignment.run.to_be_bytes().to_vec())];
    let mut arguments = Arguments::default();
    for partition in 0..topic.partitions {
        let message = Message { partition, key_len: Message::NO_KEY, ..Message::default() };
        producer
            .send_with_headers((&[], &[]), &message, &headers, None, 0, &mut arguments)
            .map_err(|code| failed(topic, partition, code, None))?;
    }
    Ok(producer)
}

fn wait(producer: &Producer, topic: &TopicSpec) -> Result<(), AgentFailure> {
    let queue = producer.client().main_queue();
    let deadline = Instant::now() + Duration::from_millis(PROBE_MS + 2_000);
    let mut missing = topic.partitions;
    let mut failure = None;
    // The reason why probes fail comes as an error of its own, before they time out.
    let mut why = None;
    while missing > 0 && Instant::now() < deadline {
        let Some(mut event) = queue.poll(100) else { continue };
        why = event.incident().filter(|i| !i.code.is_ok()).map(|i| (i.code, i.text)).or(why);
        event.for_each_report(|report| {
            missing -= 1;
            if !report.code.is_ok() {
                failure.get_or_insert((report.partition, report.code));
            }
        });
    }
    match failure {
        Some((partition, code)) => Err(failed(topic, partition, code, why)),
        None if missing > 0 => Err(failed(topic, -1, Code::TIMED_OUT, why)),
        None => Ok(()),
    }
}

fn failed(
    topic: &TopicSpec,
    partition: i32,
    code: Code,
    why: Option<(Code, String)>,
) -> AgentFailure {
    let kind = why.as_ref().map_or(failure_kind(code), |(code, _)| failure_kind(*code));
    let why_code = why.as_ref().map(|(code, _)| *code);
    let reason = why.map_or_else(String::new, |(_, text)| format!(": {text}"));
    let denied = why_code.unwrap_or(code).missing_right();
    let remedy = denied.map_or_else(String::new, |remedy| format!("; {remedy}"));
    let (name, what) = (&topic.name, code.describe());
    AgentFailure {
        kind,
        text: format!(
            "the probe of topic {name}, partition {partition} failed: {what}{reason}{remedy}"
        ),
    }
}
