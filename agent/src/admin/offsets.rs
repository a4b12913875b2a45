//! End offsets of partitions, once or again and again.

use super::{Deadline, client::Admin, native};
use crate::logfile;
use mallard_protocol::{
    ids::TopicId,
    interval::PartitionOffset,
    message::{AgentFailure, FailureKind},
    workload::{Assignment, ClientProperties, TopicSpec},
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::{
    collections::HashMap,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// How long an interval waits for end offsets: less than an interval, so that nothing piles up.
const PATIENCE: Duration = Duration::from_millis(800);

/// How long one reading may take inside of librdkafka. When a leader does not answer, what the others
/// say comes only then; so it must come before patience ends.
const READING: Duration = Duration::from_millis(600);

/// How long the first connection may take before the first reading.
const CONNECTING: Duration = Duration::from_secs(10);

/// How long one try of many may take where a deadline leaves time for more.
const TRYING: Duration = Duration::from_secs(2);

/// Least time between two lines in the log about readings that failed.
const CALM: Duration = Duration::from_secs(30);

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
            format!("read end offsets: {first}: {code} (and {more} more partitions)")
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
            match self.read(admin, &Deadline::within(deadline.remaining().min(TRYING))) {
                Ok((offsets, failed)) if failed.is_empty() => return Ok(offsets),
                Ok((_, failed)) if patient && failed.iter().all(|(_, code)| may_pass(*code)) => {}
                Ok((_, failed)) => return Err(admin.fail(FailureKind::Other, &complaint(&failed))),
                Err(error) if patient && error.rdkafka_error_code().is_some_and(may_pass) => {}
                Err(error) => return Err(admin.failure("read end offsets", &error, deadline)),
            }
            thread::sleep(TRY_AGAIN);
        }
    }

    /// The offsets, and the partitions without one.
    fn read(
        &self,
        admin: &Admin,
        deadline: &Deadline,
    ) -> Result<(Vec<PartitionOffset>, Vec<Failed>), KafkaError> {
        let ids: HashMap<&str, TopicId> =
            self.0.iter().map(|(id, spec)| (spec.name.as_str(), *id)).collect();
        let partitions = self.0.iter().flat_map(|(_, spec)| {
            (0..spec.partitions).map(move |partition| (spec.name.as_str(), partition))
        });
        let found = native::list_end_offsets(admin.inner().inner(), partitions, deadline)?;
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

/// Reads end offsets whenever it is asked to, on a thread of its own, with a client of its own that
/// stays. Whoever asks waits for [`PATIENCE`] at most, and an answer that comes later is thrown away: it
/// would be taken for an offset of another moment.
pub struct EndOffsetsWatch {
    ask: SyncSender<()>,
    answers: Receiver<Vec<PartitionOffset>>,
    asked: bool,
}

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
        let connection = assignment.connection.clone();
        // One question and one answer can be under way, never more.
        let (ask, questions) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        thread::Builder::new()
            .name("end-offsets".into())
            .spawn(move || watch(&topics, &connection, &questions, &answer))
            .map_err(|error| AgentFailure {
                kind: FailureKind::Other,
                text: format!("start a thread for end offsets: {error}"),
            })?;
        Ok(Some(Self { ask, answers, asked: false }))
    }

    /// End offsets as of now; none if they do not come in time.
    pub fn read(&mut self) -> Vec<PartitionOffset> {
        if self.answers.try_recv().is_ok() {
            self.asked = false;
        }
        if !self.asked {
            self.asked = self.ask.try_send(()).is_ok();
        }
        match self.answers.recv_timeout(PATIENCE) {
            Ok(offsets) => {
                self.asked = false;
                offsets
            }
            Err(_) => Vec::new(),
        }
    }
}

fn watch(
    topics: &Topics,
    connection: &ClientProperties,
    questions: &Receiver<()>,
    answers: &SyncSender<Vec<PartitionOffset>>,
) {
    let mut complaints = Complaints { quiet_until: None, unsaid: 0 };
    let admin = match Admin::new(connection) {
        Ok(admin) => admin,
        Err(failure) => return complaints.hear(&failure.text),
    };
    // Connects, so that the first reading is as fast as the others.
    let _ = admin.metadata(&Deadline::within(CONNECTING));
    while questions.recv().is_ok() {
        let reading = Deadline::within(READING);
        let (offsets, complaint) = match topics.read(&admin, &reading) {
            Ok((offsets, failed)) if failed.is_empty() => (offsets, None),
            Ok((offsets, failed)) => (offsets, Some(complaint(&failed))),
            Err(error) => {
                (Vec::new(), Some(admin.failure("read end offsets", &error, &reading).text))
            }
        };
        if answers.send(offsets).is_err() {
            return;
        }
        if let Some(complaint) = complaint {
            complaints.hear(&complaint);
            // Leaders may have moved: the next reading must know where to.
            let _ = admin.metadata(&Deadline::within(READING));
        }
        // The client's log must not pile up in its queue.
        admin.reasons();
    }
}

/// Says things at a calm pace.
struct Complaints {
    quiet_until: Option<Instant>,
    unsaid: u64,
}

impl Complaints {
    fn hear(&mut self, text: &str) {
        if self.quiet_until.is_some_and(|until| Instant::now() < until) {
            self.unsaid += 1;
            return;
        }
        let unsaid = match self.unsaid {
            0 => String::new(),
            n => format!(" (and {n} times since the last such line)"),
        };
        logfile::warn(format!("{text}{unsaid}"));
        *self = Self { quiet_until: Some(Instant::now() + CALM), unsaid: 0 };
    }
}
