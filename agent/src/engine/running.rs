//! An engine that runs: started, told things, finished.

use crate::{
    engine::{Control, Part},
    librdkafka::{Client, Queue},
};
use mallard_protocol::{
    ids::InstanceId, message::FromAgent, schedule::Share, workload::Assignment,
};
use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// All producers and consumers of one agent in one case.
pub struct Engine {
    pub(super) assignment: Arc<Assignment>,
    pub(super) control: Arc<Control>,
    pub(super) sink: mpsc::Sender<FromAgent>,
    pub(super) parts: mpsc::Sender<Part>,
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) reporter: Option<JoinHandle<()>>,
    /// Queues that threads may be waiting at.
    pub(super) queues: Vec<Arc<Queue>>,
    /// Clients of producers, for the last cross-check.
    pub(super) producers: Vec<Arc<Client>>,
    pub(super) consumers: usize,
    pub(super) is_finished: bool,
}

impl Engine {
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

    /// Ends the schedule and flushes producers within this time, giving up what is left then; consumers go
    /// on reading. Returns when every record has been acknowledged or has failed; whether all have.
    pub fn flush(&self, within: Duration) -> bool {
        self.control.stop_load();
        self.control.finish(within);
        self.wake();
        self.control.wait_settled(self.producers.len(), within.saturating_add(PURGE_WITHIN))
    }

    /// Flushes producers, then closes consumers. Returns how many records clients still hold.
    fn settle(&self, within: Duration) -> u64 {
        let producers = self.producers.len();
        let flushed = self.flush(within);
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

    /// Has consumers leave their groups where nothing was to be flushed: the engine was never whole.
    fn leave_groups(&self) {
        self.control.close_consumers();
        self.wake();
        if self.consumers > 0 {
            self.control.wait_settled(self.consumers, CLOSE_WITHIN);
        }
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

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.is_finished {
            // A member that does not leave keeps its group busy until its session times out.
            self.leave_groups();
            self.end();
        }
    }
}

/// How long consumers may take to leave their groups. They are abandoned after that: the broker notices
/// by itself.
pub(super) const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Producers get this much longer than they were told, to report what was purged.
pub(super) const PURGE_WITHIN: Duration = Duration::from_secs(3);

/// How long clients' own counts are read again while they are above zero: long enough for events to be served.
pub(super) const SERVED_WITHIN: Duration = Duration::from_millis(300);

/// Between two such readings.
pub(super) const READ_AGAIN: Duration = Duration::from_millis(5);

/// How long threads may take to leave their loops.
pub(super) const PARK_WITHIN: Duration = Duration::from_secs(5);

/// The least of several readings. Of a client's own count only records stay: statistics, errors and log lines are in
/// it as well until they are served, which takes a moment, and a few hundred clients always have some.
pub(super) fn least_of(mut count: impl FnMut() -> u64, within: Duration) -> u64 {
    let until = Instant::now() + within;
    let mut least = count();
    while least > 0 && Instant::now() < until {
        thread::sleep(READ_AGAIN);
        least = least.min(count());
    }
    least
}
