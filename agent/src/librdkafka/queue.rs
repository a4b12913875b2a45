//! Queues of events.

use super::{Client, Event, rd};
use std::{ptr::NonNull, sync::Arc};

/// A queue of a client.
pub(crate) struct Queue {
    pub(super) queue: NonNull<rd::rd_kafka_queue_t>,
    // Dropped after the queue's own reference is given back: a queue must not outlive its client.
    client: Arc<Client>,
}

// SAFETY: librdkafka's queues are documented to be thread safe.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    pub(super) fn new(queue: *mut rd::rd_kafka_queue_t, client: Arc<Client>) -> Self {
        Self { queue: NonNull::new(queue).expect("a client has this queue"), client }
    }

    /// Waits for an event, at most this long.
    pub(crate) fn poll(&self, timeout_ms: i32) -> Option<Event> {
        // SAFETY: the queue is valid; the event is owned by `Event`.
        NonNull::new(unsafe { rd::rd_kafka_queue_poll(self.queue.as_ptr(), timeout_ms) }).map(Event)
    }

    /// Wakes up whoever waits in a poll.
    pub(crate) fn wake(&self) {
        // SAFETY: the queue is valid.
        unsafe { rd::rd_kafka_queue_yield(self.queue.as_ptr()) }
    }

    /// The client that the queue belongs to.
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: owned, given back once.
        unsafe { rd::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

impl Client {
    /// The queue of events: delivery reports, errors, statistics, log lines.
    pub(crate) fn main_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: the handle is valid; the returned reference is owned by `Queue`.
        let queue = unsafe { rd::rd_kafka_queue_get_main(self.as_ptr()) };
        Queue::new(queue, Arc::clone(self))
    }
}
