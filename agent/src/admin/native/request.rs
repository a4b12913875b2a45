//! One request to librdkafka's admin interface, and its answer.

use crate::admin::{Deadline, quiet::Quiet};
use rdkafka::{
    bindings::{self as c, rd_kafka_resp_err_t as RespErr},
    client::Client,
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{
    ffi::{CStr, c_char},
    marker::PhantomData,
    time::Duration,
};

/// How much longer than a request's own deadline its answer is waited for: librdkafka gives one always,
/// on its own timers.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// Bytes for an error text of librdkafka; longer ones it cuts.
pub(super) const ERROR_TEXT_BYTES: usize = 512;

/// What was answered, with the queue that it came by.
pub(super) struct Answer<'a> {
    // Before the queue, since fields are dropped in order.
    pub(super) event: Event,
    _queue: Queue<'a>,
}

/// Makes one request and waits for its answer. The request is handed the client, the options and the
/// queue for the answer; all three are alive until it returns.
pub(super) fn ask<'a>(
    client: &'a Client<Quiet>,
    deadline: &Deadline,
    request: impl FnOnce(
        *mut c::rd_kafka_t,
        *const c::rd_kafka_AdminOptions_t,
        *mut c::rd_kafka_queue_t,
    ),
) -> Result<Answer<'a>, KafkaError> {
    let options = Options::new(client, deadline);
    let queue = Queue::new(client);
    request(client.native_ptr(), options.pointer, queue.pointer);
    Ok(Answer { event: queue.wait(deadline)?, _queue: queue })
}

pub(super) struct Queue<'a> {
    pub(super) pointer: *mut c::rd_kafka_queue_t,
    pub(super) client: PhantomData<&'a Client<Quiet>>,
}

impl<'a> Queue<'a> {
    pub(super) fn new(client: &'a Client<Quiet>) -> Self {
        // SAFETY: the client is alive; librdkafka aborts rather than return null.
        let pointer = unsafe { c::rd_kafka_queue_new(client.native_ptr()) };
        Self { pointer, client: PhantomData }
    }

    pub(super) fn poll(&self, timeout_ms: i32) -> Option<Event> {
        // SAFETY: the queue is alive.
        let pointer = unsafe { c::rd_kafka_queue_poll(self.pointer, timeout_ms) };
        (!pointer.is_null()).then_some(Event { pointer })
    }

    /// The answer to the one request of this queue.
    pub(super) fn wait(&self, deadline: &Deadline) -> Result<Event, KafkaError> {
        let patience = Deadline::within(deadline.remaining() + GRACE);
        let timed_out = KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut);
        let event = self.poll(patience.remaining_ms()).ok_or(timed_out)?;
        // SAFETY: the event is alive.
        match unsafe { c::rd_kafka_event_error(event.pointer) } {
            RespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(event),
            error => Err(KafkaError::AdminOp(error.into())),
        }
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        // SAFETY: this reference is ours, and given back once.
        unsafe { c::rd_kafka_queue_destroy(self.pointer) }
    }
}

pub(super) struct Event {
    pub(super) pointer: *mut c::rd_kafka_event_t,
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and given back once.
        unsafe { c::rd_kafka_event_destroy(self.pointer) }
    }
}

pub(super) struct Options<'a> {
    pub(super) pointer: *mut c::rd_kafka_AdminOptions_t,
    pub(super) client: PhantomData<&'a Client<Quiet>>,
}

impl<'a> Options<'a> {
    pub(super) fn new(client: &'a Client<Quiet>, deadline: &Deadline) -> Self {
        // librdkafka takes an hour at most.
        let timeout_ms = deadline.remaining_ms().min(3_600_000);
        let mut error = [0; ERROR_TEXT_BYTES];
        // SAFETY: the client is alive; the error buffer outlives the calls and its size is told. A
        // refused timeout leaves the client's own, which is bounded as well.
        let pointer = unsafe {
            let any = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ANY;
            let options = c::rd_kafka_AdminOptions_new(client.native_ptr(), any);
            let (text, size) = (error.as_mut_ptr(), error.len());
            c::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, size);
            c::rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, text, size);
            options
        };
        Self { pointer, client: PhantomData }
    }
}

impl Drop for Options<'_> {
    fn drop(&mut self) {
        // SAFETY: the options are ours, and given back once.
        unsafe { c::rd_kafka_AdminOptions_destroy(self.pointer) }
    }
}

pub(super) fn unexpected_event() -> KafkaError {
    KafkaError::AdminOp(RDKafkaErrorCode::BadMessage)
}

/// Copies a text of librdkafka; none is empty.
///
/// # Safety
/// The pointer is null, or to a text that ends with a zero and lives until this returns.
pub(super) unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: by this function's own condition.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
