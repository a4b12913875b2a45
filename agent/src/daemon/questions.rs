//! Answers questions, each on a thread of its own: some take as long as Kafka takes.

use super::{outbox::Outbox, shared::Shared};
use crate::{admin, admin::Deadline, broker::EmbeddedBroker, folder, logfile};
use mallard_protocol::{
    message::{AgentFailure, Answer, FailureKind, FromAgent, Question},
    workload::{Assignment, TopicSpec},
};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Most questions that are being answered at the same time. A controller asks one or two.
const MOST_QUESTIONS: usize = 16;

/// Bytes of a log in one message.
const LOG_PIECE_BYTES: usize = 256 * 1024;

/// What outlasts a question.
#[derive(Default)]
pub(super) struct Services {
    broker: Mutex<Option<EmbeddedBroker>>,
    creation: admin::Creation,
    assignment: Mutex<Option<Arc<Assignment>>>,
    under_way: AtomicUsize,
}

impl Services {
    /// Remembers where Kafka is and which topics the case has. The instances are left out: their
    /// payloads may be large.
    pub(super) fn remember(&self, assignment: &Assignment) {
        let facts = Assignment {
            run: assignment.run,
            connection: assignment.connection.clone(),
            topics: assignment.topics.clone(),
            observes: assignment.observes.clone(),
            ..Assignment::default()
        };
        *lock(&self.assignment) = Some(Arc::new(facts));
    }

    fn answer(&self, question: Question) -> Result<Answer, AgentFailure> {
        match question {
            Question::StartBroker { brokers, topics, round_trip_ms } => {
                let round_trip = Duration::from_millis(round_trip_ms.into());
                self.start_broker(brokers, &topics, round_trip).map(Answer::Bootstrap)
            }
            Question::DescribeCluster { connection, within_ms } => {
                admin::describe_cluster(&connection, &Deadline::within_ms(within_ms))
                    .map(Answer::Cluster)
            }
            Question::CreateTopics { connection, topics, may_exist, within_ms } => {
                let deadline = Deadline::within_ms(within_ms);
                let creation = (&self.creation, may_exist);
                admin::create_topics(&connection, &topics, creation, &deadline).map(Answer::Topics)
            }
            Question::DescribeTopics { connection, names, within_ms } => {
                admin::describe_topics(&connection, &names, &Deadline::within_ms(within_ms))
                    .map(Answer::Topics)
            }
            Question::Delete { connection, topics, groups, within_ms } => {
                let deadline = Deadline::within_ms(within_ms);
                if !topics.is_empty() {
                    self.creation.end();
                }
                admin::delete(&connection, &topics, &groups, &deadline).map(Answer::Deleted)
            }
            Question::EndOffsets { topics, within_ms } => {
                let assignment = lock(&self.assignment).clone();
                let assignment = assignment
                    .ok_or_else(|| failure("read end offsets: nothing is prepared".into()))?;
                let deadline = Deadline::within_ms(within_ms);
                admin::end_offsets(&assignment, &topics, &deadline).map(Answer::EndOffsets)
            }
            Question::Offsets { topics, within_ms } => {
                let assignment = lock(&self.assignment).clone();
                let assignment = assignment
                    .ok_or_else(|| failure("read offsets: nothing is prepared".into()))?;
                let deadline = Deadline::within_ms(within_ms);
                admin::log_bounds(&assignment, &topics, &deadline).map(Answer::Offsets)
            }
            Question::Clock => {
                let now_us = crate::sys::monotonic_us();
                Ok(Answer::Clock { received_us: now_us, sent_us: now_us })
            }
        }
    }

    /// Starts the broker, or finds it running: an answer may have been lost with its channel.
    fn start_broker(
        &self,
        brokers: u16,
        topics: &[TopicSpec],
        round_trip: Duration,
    ) -> Result<String, AgentFailure> {
        let mut broker = lock(&self.broker);
        let broker = match &mut *broker {
            Some(broker) => broker,
            none => none.insert(EmbeddedBroker::start(brokers, round_trip)?),
        };
        broker.create_topics(topics)?;
        let servers = broker.bootstrap_servers()?;
        logfile::info(format!("the embedded broker listens on {servers}"));
        Ok(servers)
    }
}

/// One of the questions that are being answered; also of one whose thread panics.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers a question on a thread; the answer goes to the connection that asked.
pub(super) fn ask(
    services: &Arc<Services>,
    (shared, outbox): (&Arc<Shared>, &Arc<Outbox>),
    request: u32,
    question: Question,
) {
    let (services, shared, outbox) = (Arc::clone(services), Arc::clone(shared), Arc::clone(outbox));
    let answer = {
        let (services, shared, outbox) =
            (Arc::clone(&services), Arc::clone(&shared), Arc::clone(&outbox));
        move || {
            let under_way = UnderWay(&services.under_way);
            let result = services.answer(question);
            drop(under_way);
            if let Err(failure) = &result {
                logfile::warn(format!("question {request}: {}", failure.text));
            }
            outbox.push(&FromAgent::Answer { request, result });
            shared.ring();
        }
    };
    let refusal = if services.under_way.fetch_add(1, Ordering::Relaxed) < MOST_QUESTIONS {
        let thread = thread::Builder::new().name(format!("ask-{request}")).spawn(answer);
        thread.err().map(|error| format!("start a thread for a question: {error}"))
    } else {
        Some(format!("answer more than {MOST_QUESTIONS} questions at the same time"))
    };
    if let Some(text) = refusal {
        services.under_way.fetch_sub(1, Ordering::Relaxed);
        outbox.push(&FromAgent::Answer { request, result: Err(failure(text)) });
        shared.ring();
    }
}

/// Sends the log in pieces.
pub(super) fn send_log(shared: &Arc<Shared>, outbox: &Arc<Outbox>, limit_bytes: u64) {
    let limit_bytes = limit_bytes.min(logfile::LOG_CAP_BYTES);
    let log = logfile::head_and_tail(&PathBuf::from(folder::LOG), limit_bytes);
    let log = log.unwrap_or_else(|error| format!("read the agent's log: {error}\n").into_bytes());
    let pieces = log.chunks(LOG_PIECE_BYTES).collect::<Vec<_>>();
    for (at, piece) in pieces.iter().enumerate() {
        let last = at + 1 == pieces.len();
        outbox.push(&FromAgent::Log { bytes: piece.to_vec(), last });
    }
    if pieces.is_empty() {
        outbox.push(&FromAgent::Log { bytes: Vec::new(), last: true });
    }
    shared.ring();
}

fn failure(text: String) -> AgentFailure {
    AgentFailure { kind: FailureKind::Other, text }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
