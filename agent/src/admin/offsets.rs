//! Where partitions' logs start and end, once or again and again.

use super::{
    Deadline,
    client::Admin,
    native::{self, Edge},
    watch::{Reading, Watch},
};
use mallard_protocol::{
    ids::TopicId,
    interval::PartitionOffset,
    message::{AgentFailure, FailureKind, LogBounds},
    workload::{Assignment, TopicSpec},
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::{
    collections::{BTreeMap, HashMap},
    thread,
    time::Duration,
};

/// How long one try of many may take where a deadline leaves time for more.
const TRYING: Duration = Duration::from_secs(2);

/// Pause before partitions without a leader are read again.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Reads the end offsets of all partitions of some of an assignment's topics. Partitions whose leader is
/// changing are read again until the deadline.
///
/// # Errors
/// Any partition that has none makes the whole answer a failure.
pub fn end_offsets(
    assignment: &Assignment,
    topics: &[TopicId],
    deadline: &Deadline,
) -> Result<Vec<PartitionOffset>, AgentFailure> {
    let topics = Topics::of(assignment, topics)?;
    let admin = Admin::new(&assignment.connection)?;
    topics.read_all(&admin, deadline)
}

/// Reads where the logs of all partitions of some of an assignment's topics start and end. Partitions whose
/// leader is changing are read again until the deadline, and those that still have none are left out: what a
/// test does to one broker is no reason to know nothing of the others.
///
/// # Errors
/// A topic that is not in the assignment, or no client.
pub fn log_bounds(
    assignment: &Assignment,
    topics: &[TopicId],
    deadline: &Deadline,
) -> Result<LogBounds, AgentFailure> {
    let topics = Topics::of(assignment, topics)?;
    let admin = Admin::new(&assignment.connection)?;
    // Half of the time for either, so that brokers that do not answer the first leave time for the other.
    let (ends, no_end) = topics.read_most(&admin, Edge::End, &deadline.half());
    let (starts, no_start) = topics.read_most(&admin, Edge::LogStart, deadline);
    Ok(LogBounds { starts, ends, missing: no_end.or(no_start) })
}

/// Waits until the leader of every partition of some topics knows that it is the leader: a broker may
/// hear of a new topic later than the one that was asked about it, and refuses requests until then.
pub(super) fn wait_until_served(
    admin: &Admin,
    specs: &[&TopicSpec],
    deadline: &Deadline,
) -> Result<(), AgentFailure> {
    let topics = specs.iter().zip(0..).map(|(spec, id)| (TopicId(id), (*spec).clone()));
    Topics(topics.collect()).read_all(admin, deadline).map(drop)
}

/// A partition without an end offset, and why.
type Failed = (String, RDKafkaErrorCode);

/// Whether a refusal may pass by itself: leaders are elected, and move.
fn may_pass(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::OffsetNotAvailable
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::OperationTimedOut
            // No leader is known for any partition: another broker has heard of the topic.
            | RDKafkaErrorCode::NoEnt
            | RDKafkaErrorCode::FencedLeaderEpoch
            | RDKafkaErrorCode::UnknownLeaderEpoch
    )
}

fn complaint(failed: &[Failed]) -> String {
    let more = failed.len().saturating_sub(1);
    match failed.first() {
        Some((first, code)) => {
            format!("read offsets: {first}: {code} (and {more} more partitions)")
        }
        None => String::new(),
    }
}

/// Topics to read, and their ids.
struct Topics(Vec<(TopicId, TopicSpec)>);

impl Topics {
    fn of(assignment: &Assignment, ids: &[TopicId]) -> Result<Self, AgentFailure> {
        let topic = |id: &TopicId| match assignment.topics.get(id.index()) {
            Some(spec) => Ok((*id, spec.clone())),
            None => Err(AgentFailure {
                kind: FailureKind::Other,
                text: format!("find topic {id} in the assignment"),
            }),
        };
        Ok(Self(ids.iter().map(topic).collect::<Result<_, _>>()?))
    }

    /// The offsets of all partitions, if it takes until the deadline.
    fn read_all(
        &self,
        admin: &Admin,
        deadline: &Deadline,
    ) -> Result<Vec<PartitionOffset>, AgentFailure> {
        loop {
            // Brings the client up to date with the leaders, and says why if there is no connection.
            admin.metadata(deadline)?;
            let patient = deadline.remaining() > TRY_AGAIN;
            match self.read(admin, Edge::End, &Deadline::within(deadline.remaining().min(TRYING))) {
                Ok((offsets, failed)) if failed.is_empty() => return Ok(offsets),
                Ok((_, failed)) if patient && failed.iter().all(|(_, code)| may_pass(*code)) => {}
                Ok((_, failed)) => return Err(admin.fail(FailureKind::Other, &complaint(&failed))),
                Err(error) if patient && error.rdkafka_error_code().is_some_and(may_pass) => {}
                Err(error) => return Err(admin.failure("read end offsets", &error, deadline)),
            }
            thread::sleep(TRY_AGAIN);
        }
    }

    /// The offsets of as many partitions as can be had until the deadline, and why others are left out.
    fn read_most(
        &self,
        admin: &Admin,
        edge: Edge,
        deadline: &Deadline,
    ) -> (Vec<PartitionOffset>, Option<String>) {
        let mut known = BTreeMap::new();
        loop {
            // Brings the client up to date with the leaders.
            let reached = admin.metadata(deadline);
            let trying = Deadline::within(deadline.remaining().min(TRYING));
            let why = match (reached, self.read(admin, edge, &trying)) {
                (Err(failure), _) => failure.text,
                (Ok(_), Err(error)) => admin.failure("read offsets", &error, &trying).text,
                (Ok(_), Ok((offsets, failed))) => {
                    known.extend(offsets.into_iter().map(|at| ((at.topic, at.partition), at)));
                    let text = complaint(&failed);
                    if failed.is_empty() {
                        return (known.into_values().collect(), None);
                    }
                    if !failed.iter().all(|(_, code)| may_pass(*code)) {
                        return (known.into_values().collect(), Some(text));
                    }
                    text
                }
            };
            if deadline.remaining() <= TRY_AGAIN {
                return (known.into_values().collect(), Some(why));
            }
            thread::sleep(TRY_AGAIN);
        }
    }

    /// The offsets, and the partitions without one.
    fn read(
        &self,
        admin: &Admin,
        edge: Edge,
        deadline: &Deadline,
    ) -> Result<(Vec<PartitionOffset>, Vec<Failed>), KafkaError> {
        let ids: HashMap<&str, TopicId> =
            self.0.iter().map(|(id, spec)| (spec.name.as_str(), *id)).collect();
        let partitions = self.0.iter().flat_map(|(_, spec)| {
            (0..spec.partitions).map(move |partition| (spec.name.as_str(), partition))
        });
        let found = native::list_offsets(admin.inner().inner(), partitions, edge, deadline)?;
        let (mut offsets, mut failed) = (Vec::with_capacity(found.len()), Vec::new());
        for (name, partition, result) in found {
            match (result, ids.get(name.as_str())) {
                (Ok(offset), Some(topic)) => {
                    offsets.push(PartitionOffset { topic: *topic, partition, offset });
                }
                (Err(code), _) => failed.push((format!("partition {partition} of {name}"), code)),
                (Ok(_), None) => {}
            }
        }
        offsets.sort_by_key(|offset| (offset.topic, offset.partition));
        Ok((offsets, failed))
    }
}

/// Reads the end offsets of the topics that an assignment says to observe, once an interval.
pub type EndOffsetsWatch = Watch<Vec<PartitionOffset>>;

impl EndOffsetsWatch {
    /// A watch over the topics that an assignment says to observe; `None` if it names none.
    ///
    /// # Errors
    /// A topic that is not in the assignment, or no thread.
    pub fn start(assignment: &Assignment) -> Result<Option<Self>, AgentFailure> {
        if assignment.observes.is_empty() {
            return Ok(None);
        }
        let topics = Topics::of(assignment, &assignment.observes)?;
        let read = move |admin: &Admin, deadline: &Deadline| topics.reading(admin, deadline);
        Watch::over("end-offsets", assignment.connection.clone(), read).map(Some)
    }
}

impl Topics {
    fn reading(&self, admin: &Admin, deadline: &Deadline) -> Reading<Vec<PartitionOffset>> {
        match self.read(admin, Edge::End, deadline) {
            Ok((offsets, failed)) if failed.is_empty() => (offsets, None),
            Ok((offsets, failed)) => (offsets, Some(complaint(&failed))),
            Err(error) => {
                (Vec::new(), Some(admin.failure("read end offsets", &error, deadline).text))
            }
        }
    }
}
