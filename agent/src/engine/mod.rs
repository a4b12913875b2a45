//! The load engine: producers and consumers that are paced, measured and accounted for.
//!
//! Every instance has a client and two threads of its own, and one more for ending transactions, if it
//! has any. Threads do not talk to each other while the
//! load runs: each cuts its intervals by its own clock reading at boundaries that follow from the
//! timeline, and hands its part to the reporter, which puts intervals together. See [`clock`] for who
//! tells whom what, [`sender`] for pacing, [`reporter`] for the accounts.
//!
//! Architecture invariants:
//! - A thread whose clock reading is at or beyond a boundary hands its part over first and only then
//!   records. A record's report is read from the clock after its sending, so what is acknowledged in an
//!   interval was sent in it or before: accounts add up in every interval, without stopping the load.
//! - Nothing is allocated, locked or hashed for a single record in the steady state.
//! - The poll loop of a consumer waits for nothing but records.

mod clock;
mod commit;
mod control;
mod counts;
mod dealing;
mod deliveries;
mod intake;
mod keys;
mod maker;
mod membership;
mod notes;
mod opaque;
mod pacer;
mod parts;
mod payload;
mod probe;
mod producer;
mod properties;
mod random;
mod receipts;
mod reporter;
mod sender;
mod setup;
mod sizes;
mod stats;
mod sys;
mod template;
mod through;
mod topics;
mod transactions;
mod transactor;
mod work;

#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod sender_tests;
#[cfg(test)]
mod tests;

pub use crate::librdkafka::{Kind, version as librdkafka_version};
pub use properties::check_properties;
pub use sys::monotonic_us;

pub(crate) use clock::{Cutter, Interval, NEVER, PhaseFinder};
pub(crate) use commit::Committer;
pub(crate) use control::Control;
pub(crate) use counts::phase_id;
pub(crate) use parts::{Part, PolledPart, ProcessedPart};
pub(crate) use receipts::{Item, Receipts};
pub(crate) use topics::{Place, Topics};

use crate::librdkafka::{Client, Queue};
use mallard_protocol::{
    ids::{InstanceId, TopicId},
    interval::{GroupSample, PartitionOffset, Resources},
    message::{AgentFailure, FromAgent},
    schedule::Share,
    workload::Assignment,
};
use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long consumers may take to leave their groups. They are abandoned after that: the broker notices
/// by itself.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Producers get this much longer than they were told, to report what was purged.
const PURGE_WITHIN: Duration = Duration::from_secs(3);

/// How long clients' own counts are read again while they are above zero: long enough for events to be served.
const SERVED_WITHIN: Duration = Duration::from_millis(300);

/// Between two such readings.
const READ_AGAIN: Duration = Duration::from_millis(5);

/// How long threads may take to leave their loops.
const PARK_WITHIN: Duration = Duration::from_secs(5);

/// What the engine asks of its surroundings.
pub struct Hooks {
    /// What the process and the host used since the last call. Called at every interval's end.
    pub sample_resources: Box<dyn FnMut() -> Resources + Send>,
    /// What this agent observes on the brokers. May block; intervals wait for it a moment.
    pub observe: Option<Box<dyn FnMut() -> Observed + Send>>,
}

/// What an agent sees on the brokers at an interval's end.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// End offsets of the topics that it observes.
    pub end_offsets: Vec<PartitionOffset>,
    /// Groups that are not the case's own.
    pub groups: Vec<GroupSample>,
}

/// All producers and consumers of one agent in one case.
pub struct Engine {
    assignment: Arc<Assignment>,
    control: Arc<Control>,
    sink: mpsc::Sender<FromAgent>,
    parts: mpsc::Sender<Part>,
    threads: Vec<JoinHandle<()>>,
    reporter: Option<JoinHandle<()>>,
    /// Queues that threads may be waiting at.
    queues: Vec<Arc<Queue>>,
    /// Clients of producers, for the last cross-check.
    producers: Vec<Arc<Client>>,
    consumers: usize,
    is_finished: bool,
}

impl Engine {
    /// Creates all clients and starts their threads: from here on consumers join their groups and poll.
    /// Blocks until all exist, and until producers are registered for transactions.
    ///
    /// # Errors
    /// A property that librdkafka refuses, a workload that is not possible, or a broker that cannot be
    /// reached where the start needs one.
    pub fn prepare(
        assignment: Assignment,
        sink: mpsc::Sender<FromAgent>,
        hooks: Hooks,
    ) -> Result<Self, AgentFailure> {
        setup::prepare(assignment, sink, hooks)
    }

    /// Sends one probe record to every partition of these topics and waits until they are acknowledged.
    ///
    /// # Errors
    /// The first partition whose probe failed, with librdkafka's reason.
    pub fn probe(&self, topics: &[TopicId]) -> Result<(), AgentFailure> {
        probe::probe(&self.assignment, topics)
    }

    /// Starts the schedule: this reading of `CLOCK_MONOTONIC` in microseconds is 0 of the run's clock.
    pub fn start(&self, at_clock_us: u64) {
        self.control.start(at_clock_us);
        self.wake();
    }

    /// Has producers send, beside their own records, shares of others that are lost. Shares of instances
    /// that this engine does not have are left out.
    pub fn take_over(&self, shares: &[(InstanceId, Share)]) {
        let slot = |instance: InstanceId| {
            self.assignment.producers.iter().position(|spec| spec.instance == instance)
        };
        let mine = shares.iter().filter_map(|(instance, share)| Some((slot(*instance)?, *share)));
        self.control.take_over(mine);
    }

    /// Ends the schedule now: nothing more is due. What is due and not sent yet is still sent.
    pub fn stop_load(&self) {
        self.control.stop_load();
    }

    /// Flushes producers within this time and gives up what is left, closes consumers, sends the last
    /// interval and then `Finished`. Does nothing the second time.
    pub fn finish(&mut self, within: Duration) {
        if self.is_finished {
            return;
        }
        self.is_finished = true;
        let client_queue = self.settle(within);
        self.end();
        let _ = self.sink.send(FromAgent::Finished { client_queue });
    }

    /// Flushes producers, then closes consumers. Returns how many records clients still hold.
    fn settle(&self, within: Duration) -> u64 {
        self.control.stop_load();
        self.control.finish(within);
        self.wake();
        let producers = self.producers.len();
        let flushed = self.control.wait_settled(producers, within.saturating_add(PURGE_WITHIN));
        let count = || self.producers.iter().map(|client| client.queue_length()).sum();
        let client_queue = least_of(count, SERVED_WITHIN);
        self.control.close_consumers();
        self.wake();
        if self.consumers > 0 {
            let all = if flushed { producers + self.consumers } else { usize::MAX };
            self.control.wait_settled(all, CLOSE_WITHIN);
        }
        client_queue
    }

    /// Ends all threads, and the run with them.
    fn end(&mut self) {
        self.control.end();
        self.wake();
        self.control.wait_parked(self.threads.len(), PARK_WITHIN);
        // One beyond every reading that any thread has made.
        let end_us = self.control.now_us().map(|now_us| now_us + 1);
        self.control.set_end(end_us);
        for thread in self.threads.drain(..) {
            // A panic was told when it happened.
            let _ = thread.join();
        }
        let _ = self.parts.send(Part::End(end_us));
        if let Some(reporter) = self.reporter.take() {
            let _ = reporter.join();
        }
    }

    fn wake(&self) {
        self.queues.iter().for_each(|queue| queue.wake());
    }
}

/// The least of several readings. Of a client's own count only records stay: statistics, errors and log lines are in
/// it as well until they are served, which takes a moment, and a few hundred clients always have some.
fn least_of(mut count: impl FnMut() -> u64, within: Duration) -> u64 {
    let until = Instant::now() + within;
    let mut least = count();
    while least > 0 && Instant::now() < until {
        thread::sleep(READ_AGAIN);
        least = least.min(count());
    }
    least
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.is_finished {
            self.end();
        }
    }
}
