//! Positions that may be committed.

use super::sys::monotonic_us;
use crate::librdkafka::{Client, Code, PartitionList, Queue};
use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicBool, Ordering},
};

/// Commits of a consumer: one at a time.
#[derive(Default)]
pub(crate) struct Commits {
    /// Where answers come; weak, because the queue's client owns what refers to this.
    queue: OnceLock<Weak<Queue>>,
    in_flight: AtomicBool,
}

impl Commits {
    /// Says where answers come.
    pub(crate) fn answer_to(&self, queue: &Arc<Queue>) {
        let _ = self.queue.set(Arc::downgrade(queue));
    }

    /// Whether an answer is still to come.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Commits; the time is taken until the answer comes.
    pub(crate) fn commit(&self, client: &Client, list: &PartitionList) -> Result<(), Code> {
        let Some(queue) = self.queue.get().and_then(Weak::upgrade) else { return Ok(()) };
        self.in_flight.store(true, Ordering::Release);
        client.commit(list, &queue, monotonic_us()).inspect_err(|_| self.answered())
    }

    pub(super) fn answered(&self) {
        self.in_flight.store(false, Ordering::Release);
    }
}
