//! End offsets of partitions, once or again and again.

use super::{Deadline, client::Admin, native};
use crate::logfile;
use mallard_protocol::{
    ids::TopicId,
    interval::PartitionOffset,
    message::{AgentFailure, FailureKind},
    workload::{Assignment, ClientProperties, TopicSpec},
};
use rdkafka::error::KafkaError;
use std::{
    collections::HashMap,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// How long an interval waits for end offsets. Lag is worth having, but not worth a late interval.
const PATIENCE: Duration = Duration::from_millis(400);

/// How long one reading may take inside of librdkafka before it is given up.
const READING: Duration = Duration::from_secs(3);

/// Least time between two lines in the log about readings that failed.
const CALM: Duration = Duration::from_secs(30);

/// Reads the end offsets of all partitions of some of an assignment's topics.
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
    // The first request of a client would wait for its first connection without telling why.
    admin.metadata(deadline)?;
    let (offsets, failed) = topics.read(&admin, deadline)?;
    match failed.first() {
        None => Ok(offsets),
        Some(reason) => {
            let more = failed.len() - 1;
            let text = format!("read end offsets: {reason} (and {more} more partitions)");
            Err(admin.fail(FailureKind::Other, &text))
        }
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

    /// The offsets, and one text for each partition without one.
    fn read(
        &self,
        admin: &Admin,
        deadline: &Deadline,
    ) -> Result<(Vec<PartitionOffset>, Vec<String>), AgentFailure> {
        let ids: HashMap<&str, TopicId> =
            self.0.iter().map(|(id, spec)| (spec.name.as_str(), *id)).collect();
        let partitions = self.0.iter().flat_map(|(_, spec)| {
            (0..spec.partitions).map(move |partition| (spec.name.as_str(), partition))
        });
        let found = native::list_end_offsets(admin.inner().inner(), partitions, deadline)
            .map_err(|error: KafkaError| admin.failure("read end offsets", &error, deadline))?;
        let (mut offsets, mut failed) = (Vec::with_capacity(found.len()), Vec::new());
        for (name, partition, result) in found {
            match (result, ids.get(name.as_str())) {
                (Ok(offset), Some(topic)) => {
                    offsets.push(PartitionOffset { topic: *topic, partition, offset });
                }
                (Err(code), _) => failed.push(format!("partition {partition} of {name}: {code}")),
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
    while questions.recv().is_ok() {
        let offsets = match topics.read(&admin, &Deadline::within(READING)) {
            Ok((offsets, failed)) => {
                if let Some(reason) = failed.first() {
                    complaints.hear(&format!("read end offsets: {reason}"));
                }
                offsets
            }
            Err(failure) => {
                complaints.hear(&failure.text);
                Vec::new()
            }
        };
        // The client's log must not pile up in its queue.
        admin.reasons();
        if answers.send(offsets).is_err() {
            return;
        }
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
        logfile::warn(format!("{text} ({} times more since the last such line)", self.unsaid));
        *self = Self { quiet_until: Some(Instant::now() + CALM), unsaid: 0 };
    }
}
