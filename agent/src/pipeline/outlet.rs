//! Where rows and dead letters go: topics, by one client that all workers share.

use crate::{
    engine::{Control, Item, Topics},
    librdkafka::LoggedIn,
    login::Login,
};
use mallard_health::{flatten::Row, validate::Reason};
use mallard_protocol::{
    message::{AgentFailure, FailureKind, FromAgent},
    pipeline::{ProcessSpec, RowsSpec},
    workload::Assignment,
};
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::Sender,
    },
    time::Duration,
};

/// Wait for a place in the client's queue.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(2);

/// Records that the client takes to a batch may wait so long for each other, in milliseconds.
const LINGER_MS: &str = "10";

/// The headers of a dead letter.
const REASON: &str = "mallard-reason";
const TOPIC: &str = "mallard-topic";
const PARTITION: &str = "mallard-partition";
const OFFSET: &str = "mallard-offset";

/// A payload that was rejected, as it came.
pub(super) struct DeadLetter<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) reason: Reason,
    /// The phase in which it was due.
    pub(super) phase: usize,
    pub(super) item: &'a Item,
}

/// Where rows and dead letters go.
pub(crate) struct Outlet {
    client: Option<LoggedIn<ThreadedProducer<Counting>>>,
    rows: Option<String>,
    dead_letters: Option<String>,
    /// For the names of the topics that letters came from.
    topics: Arc<Topics>,
    counted: Arc<Counted>,
}

/// What was delivered. The first failure fails the case: rows that vanish must not look like rows.
struct Counted {
    /// By the phase in which payloads were due.
    phases: Vec<Delivered>,
    failed: AtomicBool,
    name: String,
    sink: Mutex<Sender<FromAgent>>,
}

/// Counts of one phase.
#[derive(Default)]
struct Delivered {
    rows: AtomicU64,
    dead_letters: AtomicU64,
}

/// What was delivered of the payloads that were due in one phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) dead_letters: u64,
}

/// What a record is, as its delivery report says it: a row or a dead letter, and the phase in which its
/// payload was due.
#[derive(Clone, Copy)]
enum Kind {
    Row(usize),
    DeadLetter(usize),
}

impl Kind {
    fn to_opaque(self) -> usize {
        match self {
            Self::Row(phase) => phase << 1,
            Self::DeadLetter(phase) => phase << 1 | 1,
        }
    }

    fn from_opaque(opaque: usize) -> Self {
        if opaque & 1 == 0 { Self::Row(opaque >> 1) } else { Self::DeadLetter(opaque >> 1) }
    }
}

struct Counting(Arc<Counted>);

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        if let Err((error, _)) = result {
            return self.0.fail(error);
        }
        let counter = match Kind::from_opaque(opaque) {
            Kind::Row(phase) => self.0.phases.get(phase).map(|of| &of.rows),
            Kind::DeadLetter(phase) => self.0.phases.get(phase).map(|of| &of.dead_letters),
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Counted {
    fn fail(&self, error: &dyn std::error::Error) {
        if self.failed.swap(true, Ordering::AcqRel) {
            return;
        }
        let text = format!("{} could not pass on what it made: {error}", self.name);
        let failure = AgentFailure { kind: FailureKind::Other, text };
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sink.send(FromAgent::Failed(failure));
    }
}

impl Outlet {
    /// An outlet; without a client if nothing goes anywhere.
    pub(crate) fn new(
        assignment: &Assignment,
        spec: &ProcessSpec,
        name: &str,
        topics: Arc<Topics>,
        sink: Sender<FromAgent>,
    ) -> Result<Self, String> {
        let named = |id: mallard_protocol::ids::TopicId| {
            assignment.topics.get(id.index()).map(|topic| topic.name.clone())
        };
        let rows = match &spec.rows {
            RowsSpec::Nowhere | RowsSpec::Files { .. } => None,
            RowsSpec::Topic(topic) => named(*topic),
        };
        let dead_letters = spec.dead_letter.and_then(named);
        let counted = Arc::new(Counted {
            phases: assignment.timeline.0.iter().map(|_| Delivered::default()).collect(),
            failed: AtomicBool::new(false),
            name: name.to_owned(),
            sink: Mutex::new(sink),
        });
        let client = if rows.is_some() || dead_letters.is_some() {
            let mut config = ClientConfig::new();
            config
                .set("client.id", format!("{name}-out"))
                .set("linger.ms", LINGER_MS)
                .set("enable.idempotence", "true")
                .set_log_level(RDKafkaLogLevel::Error);
            let refused = |reason: String| format!("its client for rows: {reason}");
            let login = Login::of(&assignment.connection).map_err(|it| refused(it.reason))?;
            for (key, value) in login.properties() {
                config.set(key, value);
            }
            let made: ThreadedProducer<_> = config
                .create_with_context(Counting(Arc::clone(&counted)))
                .map_err(|error| refused(login.words(&error.to_string())))?;
            Some(LoggedIn::new(&login, made).map_err(refused)?)
        } else {
            None
        };
        Ok(Self { client, rows, dead_letters, topics, counted })
    }

    /// Whether rows go to a topic.
    pub(super) fn takes_rows(&self) -> bool {
        self.rows.is_some()
    }

    /// Counts rows that were written to a file, by phase, or fails the case.
    pub(super) fn filed(&self, outcome: std::io::Result<Vec<u64>>) {
        match outcome {
            Ok(rows) => {
                for (phase, rows) in self.counted.phases.iter().zip(rows) {
                    phase.rows.fetch_add(rows, Ordering::Relaxed);
                }
            }
            Err(error) => self.counted.fail(&error),
        }
    }

    /// Passes rows on. Waits where the client's queue is full.
    pub(super) fn write(&self, rows: &[Row<'_>], phase: usize, control: &Control) {
        let Some(topic) = &self.rows else { return };
        for row in rows {
            // A row of texts and finite numbers can always be written.
            let Ok(json) = serde_json::to_vec(row) else { continue };
            let record = BaseRecord::with_opaque_to(topic, Kind::Row(phase).to_opaque())
                .key(row.user_id.unwrap_or_default())
                .payload(&json);
            self.send(record, control);
        }
    }

    /// Puts a payload to the dead letters; whether there are any.
    pub(super) fn send_to_dead_letter_queue(
        &self,
        letter: &DeadLetter<'_>,
        control: &Control,
    ) -> bool {
        let Some(topic) = &self.dead_letters else { return false };
        let (partition, offset) = (letter.item.place.1.to_string(), letter.item.offset.to_string());
        let origin = self.topics.name(letter.item.place.0);
        let headers = [
            (REASON, letter.reason.name()),
            (TOPIC, origin),
            (PARTITION, &*partition),
            (OFFSET, &*offset),
        ];
        let headers = headers.into_iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value) })
        });
        let mut record =
            BaseRecord::with_opaque_to(topic, Kind::DeadLetter(letter.phase).to_opaque())
                .payload(letter.value)
                .headers(headers);
        if !letter.key.is_empty() {
            record = record.key(letter.key);
        }
        self.send(record, control);
        true
    }

    fn send<K: rdkafka::message::ToBytes + ?Sized, V: rdkafka::message::ToBytes + ?Sized>(
        &self,
        mut record: BaseRecord<'_, K, V, usize>,
        control: &Control,
    ) {
        let Some(client) = &self.client else { return };
        loop {
            match client.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if !control.has_ended() =>
                {
                    record = back;
                    std::thread::sleep(QUEUE_FULL_WAIT);
                }
                Err((error, _)) => return self.counted.fail(&error),
            }
        }
    }

    /// Waits until everything is delivered, at most this long.
    pub(super) fn flush(&self, within: Duration) {
        if let Some(client) = &self.client
            && let Err(error) = client.flush(within)
        {
            self.counted.fail(&error);
        }
    }

    /// What was delivered since the last time of payloads that were due in a phase.
    pub(super) fn written(&self, phase: usize) -> Written {
        let of = self.counted.phases.get(phase);
        let taken =
            |counter: Option<&AtomicU64>| counter.map_or(0, |n| n.swap(0, Ordering::Relaxed));
        Written {
            rows: taken(of.map(|of| &of.rows)),
            dead_letters: taken(of.map(|of| &of.dead_letters)),
        }
    }
}
