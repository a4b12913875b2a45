//! Small requests to the brokers beside the load, on a client of their own: how long a broker takes to
//! answer while the load runs, and for how long it does not answer at all.
//!
//! Each broker that leads a partition of the case is asked for the offsets of one such partition, a few
//! times a second. The request waits in the same queues of the broker as the load's and takes it no work
//! worth mentioning, so its round trip is the broker's and the wire's alone: whatever the load's requests
//! take beyond it, they take for what they carry, or in their clients.

use super::{Deadline, client::Admin};
use mallard_protocol::{histogram::Histogram, interval::Witness, workload::Assignment};
use rdkafka::error::RDKafkaErrorCode as Code;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

/// Between two probes of a broker.
const PERIOD: Duration = Duration::from_millis(250);

/// From when on a broker that does not answer is called silent.
const SILENT_AFTER: Duration = Duration::from_secs(1);

/// How long one request may take. An answer that comes within it is taken, however late.
const PATIENCE: Duration = Duration::from_secs(20);

/// Brokers that one agent probes: each takes a thread.
const BROKERS: usize = 8;

/// How long the first look at the cluster may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// Pause after an answer that says that the probe is not to be had, such as a missing right.
const REFUSED: Duration = Duration::from_secs(10);

/// Probes that go on until this is dropped.
#[derive(Debug)]
pub struct BrokerProbe {
    brokers: Arc<Mutex<Vec<Shared>>>,
}

/// What a broker's thread and whoever samples share.
type Shared = Arc<Mutex<Broker>>;

impl BrokerProbe {
    /// Starts probing the brokers that lead partitions of a case. It never fails: where nothing can be
    /// asked, nothing is known.
    #[must_use]
    pub fn start(assignment: &Assignment) -> Self {
        let brokers: Arc<Mutex<Vec<Shared>>> = Arc::default();
        let topics = assignment.topics.iter().map(|topic| topic.name.clone()).collect::<Vec<_>>();
        if !topics.is_empty() {
            let (known, connection) = (Arc::downgrade(&brokers), assignment.connection.clone());
            let look = move || {
                if let Ok(admin) = Admin::new(&connection) {
                    look(&Arc::new(admin), &topics, &known);
                }
            };
            // Without a thread nothing is known, as without an answer.
            let _ = thread::Builder::new().name("probe".to_owned()).spawn(look);
        }
        Self { brokers }
    }

    /// Adds what was seen since the last sample.
    pub fn sample(&self, into: &mut Witness) {
        let now = Instant::now();
        let brokers = lock(&self.brokers);
        let silent: Vec<Duration> = brokers
            .iter()
            .map(|broker| {
                let (round_trip, silent) = lock(broker).take(now);
                into.round_trip.add(&round_trip);
                silent
            })
            .collect();
        // Brokers that fall silent together do so at the same time, so the shortest silence is common.
        into.broker_silent_us = micros(silent.iter().max().copied().unwrap_or_default());
        into.all_silent_us = micros(silent.iter().min().copied().unwrap_or_default());
    }
}

/// Finds out who leads what, and starts a thread for each broker.
fn look(admin: &Arc<Admin>, topics: &[String], known: &Weak<Mutex<Vec<Shared>>>) {
    let deadline = Deadline::within(CONNECTING);
    let metadata = loop {
        match admin.metadata(&deadline) {
            Ok(metadata) => break metadata,
            Err(_) if deadline.is_over() || known.strong_count() == 0 => return,
            Err(_) => thread::sleep(PERIOD),
        }
    };
    let mut led: BTreeMap<i32, (String, i32)> = BTreeMap::new();
    for topic in metadata.topics().iter().filter(|topic| topics.iter().any(|t| t == topic.name())) {
        for partition in topic.partitions().iter().filter(|partition| partition.leader() >= 0) {
            led.entry(partition.leader())
                .or_insert_with(|| (topic.name().to_owned(), partition.id()));
        }
    }
    for (id, place) in led.into_iter().take(BROKERS) {
        let Some(brokers) = known.upgrade() else { return };
        let broker = Shared::default();
        lock(&brokers).push(Arc::clone(&broker));
        let (admin, broker) = (Arc::clone(admin), Arc::downgrade(&broker));
        let ask = move || ask(&admin, &place, &broker);
        let _ = thread::Builder::new().name(format!("probe {id}")).spawn(ask);
    }
}

/// Probes one broker for as long as somebody wants to know.
fn ask(admin: &Admin, (topic, partition): &(String, i32), broker: &Weak<Mutex<Broker>>) {
    // The first request makes the connection, and its time is not the broker's.
    let _ = admin.watermarks(topic, *partition, CONNECTING);
    loop {
        let started = Instant::now();
        {
            let Some(broker) = broker.upgrade() else { return };
            lock(&broker).asks(started);
        }
        let outcome = admin.watermarks(topic, *partition, PATIENCE);
        let Some(broker) = broker.upgrade() else { return };
        let refused = match outcome {
            Ok(()) => {
                lock(&broker).answers(started, Instant::now());
                false
            }
            Err(code) if is_silence(code) => false,
            Err(_) => {
                lock(&broker).is_unknown();
                true
            }
        };
        drop(broker);
        // The log of a client that nobody reads would pile up.
        admin.reasons();
        thread::sleep(if refused { REFUSED } else { PERIOD.saturating_sub(started.elapsed()) });
        // A request that failed at once is not to be repeated at once.
        if started.elapsed() < PERIOD {
            thread::sleep(PERIOD);
        }
    }
}

/// Whether a failure means that there was no answer.
fn is_silence(code: Option<Code>) -> bool {
    matches!(
        code,
        Some(
            Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::WaitCache
        )
    )
}

/// What is known of a broker.
#[derive(Debug, Default)]
struct Broker {
    round_trip: Histogram,
    /// When the first request went out that has no answer yet.
    waiting_since: Option<Instant>,
    /// Up to when its silence is in [`Self::silent`].
    counted_to: Option<Instant>,
    silent: Duration,
}

impl Broker {
    fn asks(&mut self, at: Instant) {
        self.waiting_since.get_or_insert(at);
    }

    /// The answer to a request: of the time since the first that was not answered, all was silence.
    fn answers(&mut self, asked: Instant, now: Instant) {
        self.count_silence(now);
        self.round_trip.record(micros(now - asked));
        self.is_unknown();
    }

    fn is_unknown(&mut self) {
        self.waiting_since = None;
        self.counted_to = None;
    }

    fn count_silence(&mut self, now: Instant) {
        let Some(since) = self.waiting_since else { return };
        if now.saturating_duration_since(since) >= SILENT_AFTER {
            let from = self.counted_to.map_or(since, |to| to.max(since));
            self.silent += now.saturating_duration_since(from);
            self.counted_to = Some(now);
        }
    }

    /// What was seen since the last time.
    fn take(&mut self, now: Instant) -> (Histogram, Duration) {
        self.count_silence(now);
        (std::mem::take(&mut self.round_trip), std::mem::take(&mut self.silent))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_silent_from_its_first_request_without_an_answer_until_it_answers() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut broker = Broker::default();
        broker.asks(at(0));
        broker.answers(at(0), at(2));
        broker.asks(at(250));
        // Less than a second is a slow answer, not silence.
        assert_eq!(broker.take(at(1_000)).1, Duration::ZERO);
        assert_eq!(broker.take(at(2_000)).1, Duration::from_millis(1_750));
        // A request that was given up, and another one.
        broker.asks(at(2_500));
        assert_eq!(broker.take(at(3_000)).1, Duration::from_secs(1));
        broker.answers(at(2_500), at(3_100));
        let (round_trip, silent) = broker.take(at(4_000));
        assert_eq!((round_trip.count(), silent), (1, Duration::from_millis(100)));
        broker.asks(at(4_000));
        broker.answers(at(4_000), at(4_900));
        assert_eq!(broker.take(at(5_000)).1, Duration::ZERO);
    }
}
