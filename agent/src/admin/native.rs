//! librdkafka's calls that the `rdkafka` crate lacks: creating topics with the broker's own reason for a
//! refusal, listing offsets of many partitions at once, looking at consumer groups, and reading a
//! client's log.
//!
//! Ownership: queues, events, options and new topics belong to the wrappers below, which give them back
//! on drop. Whatever hangs on an event is copied before the event goes. Every wrapper's client outlives
//! it, by a borrow.

mod groups;
#[cfg(test)]
mod tests;

use super::{Deadline, client::Quiet};
pub(super) use groups::{GroupFound, committed_offsets, describe_groups};
use mallard_protocol::workload::TopicSpec;
use rdkafka::{
    Offset, TopicPartitionList,
    bindings::{self as c, rd_kafka_resp_err_t as RespErr},
    client::Client,
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{
    ffi::{CStr, CString, c_char},
    marker::PhantomData,
    ptr,
    time::Duration,
};

/// How much longer than a request's own deadline its answer is waited for: librdkafka gives one always,
/// on its own timers.
const GRACE: Duration = Duration::from_millis(500);

/// Bytes for an error text of librdkafka; longer ones it cuts.
const ERROR_TEXT_BYTES: usize = 512;

/// What came of creating a topic: its name, and the broker's refusal.
pub(super) type Created = (String, Option<(RDKafkaErrorCode, String)>);

/// Creates topics.
pub(super) fn create_topics(
    client: &Client<Quiet>,
    specs: &[&TopicSpec],
    deadline: &Deadline,
) -> Result<Vec<Created>, KafkaError> {
    let topics = specs.iter().map(|spec| NewTopic::of(spec)).collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<_> = topics.iter().map(|topic| topic.0).collect();
    let (list, count) = (pointers.as_mut_ptr(), pointers.len());
    // SAFETY: the topics live until after the call, which copies what it needs.
    let answer = ask(client, deadline, |client, options, queue| unsafe {
        c::rd_kafka_CreateTopics(client, list, count, options, queue);
    })?;
    // SAFETY: the answer lives until the end of this function; the result and what hangs on it are
    // copied within; a null result (another kind of event) is checked for.
    unsafe {
        let result = c::rd_kafka_event_CreateTopics_result(answer.event.pointer);
        if result.is_null() {
            return Err(unexpected_event());
        }
        let mut count = 0;
        let topics = c::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
        let created = (0..count).map(|at| {
            let topic = *topics.add(at);
            let error = c::rd_kafka_topic_result_error(topic);
            let refusal = (error != RespErr::RD_KAFKA_RESP_ERR_NO_ERROR)
                .then(|| (error.into(), text(c::rd_kafka_topic_result_error_string(topic))));
            (text(c::rd_kafka_topic_result_name(topic)), refusal)
        });
        Ok(created.collect())
    }
}

/// An end offset, or why there is none.
pub(super) type EndOffset = (String, i32, Result<i64, RDKafkaErrorCode>);

/// The end offsets of partitions, by one request to each broker that leads some of them.
pub(super) fn list_end_offsets<'a>(
    client: &Client<Quiet>,
    partitions: impl Iterator<Item = (&'a str, i32)>,
    deadline: &Deadline,
) -> Result<Vec<EndOffset>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, partition, Offset::End)?;
    }
    // SAFETY: the list lives until after the call, which copies it. `Offset::End` is -1, which this call
    // knows as OFFSET_SPEC_LATEST.
    let answer = ask(client, deadline, |client, options, queue| unsafe {
        c::rd_kafka_ListOffsets(client, list.ptr(), options, queue);
    })?;
    // SAFETY: as in `create_topics`.
    unsafe {
        let result = c::rd_kafka_event_ListOffsets_result(answer.event.pointer);
        if result.is_null() {
            return Err(unexpected_event());
        }
        let mut count = 0;
        let infos = c::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        let offsets = (0..count).map(|at| {
            let found = &*c::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(at));
            let offset = match found.err {
                RespErr::RD_KAFKA_RESP_ERR_NO_ERROR if found.offset >= 0 => Ok(found.offset),
                // When a leader does not answer in time, librdkafka 2.12 says neither an error nor an
                // offset of its partitions.
                RespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Err(RDKafkaErrorCode::OperationTimedOut),
                error => Err(error.into()),
            };
            (text(found.topic), found.partition, offset)
        });
        Ok(offsets.collect())
    }
}

/// The id of the cluster's controller.
pub(super) fn controller(client: &Client<Quiet>, deadline: &Deadline) -> Option<i32> {
    // SAFETY: the client is alive; the call takes nothing else by pointer.
    let id = unsafe { c::rd_kafka_controllerid(client.native_ptr(), deadline.remaining_ms()) };
    (id >= 0).then_some(id)
}

/// Takes the lines out of a client's log.
pub(super) fn drain_log(client: &Client<Quiet>, mut each: impl FnMut(&str)) {
    let main = Queue {
        // SAFETY: the client is alive; the reference that this returns is given back on drop.
        pointer: unsafe { c::rd_kafka_queue_get_main(client.native_ptr()) },
        client: PhantomData,
    };
    while let Some(event) = main.poll(0) {
        let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the event is alive; the three pointers are to live values; the line is copied before
        // the event goes, and null unless the call returns 0.
        let line = unsafe {
            let result = c::rd_kafka_event_log(
                event.pointer,
                &raw mut facility,
                &raw mut line,
                &raw mut level,
            );
            (result == 0).then(|| text(line))
        };
        if let Some(line) = line {
            each(line.trim());
        }
    }
}

/// What was answered, with the queue that it came by.
struct Answer<'a> {
    // Before the queue, since fields are dropped in order.
    event: Event,
    _queue: Queue<'a>,
}

/// Makes one request and waits for its answer. The request is handed the client, the options and the
/// queue for the answer; all three are alive until it returns.
fn ask<'a>(
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

struct Queue<'a> {
    pointer: *mut c::rd_kafka_queue_t,
    client: PhantomData<&'a Client<Quiet>>,
}

impl<'a> Queue<'a> {
    fn new(client: &'a Client<Quiet>) -> Self {
        // SAFETY: the client is alive; librdkafka aborts rather than return null.
        let pointer = unsafe { c::rd_kafka_queue_new(client.native_ptr()) };
        Self { pointer, client: PhantomData }
    }

    fn poll(&self, timeout_ms: i32) -> Option<Event> {
        // SAFETY: the queue is alive.
        let pointer = unsafe { c::rd_kafka_queue_poll(self.pointer, timeout_ms) };
        (!pointer.is_null()).then_some(Event { pointer })
    }

    /// The answer to the one request of this queue.
    fn wait(&self, deadline: &Deadline) -> Result<Event, KafkaError> {
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

struct Event {
    pointer: *mut c::rd_kafka_event_t,
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and given back once.
        unsafe { c::rd_kafka_event_destroy(self.pointer) }
    }
}

struct Options<'a> {
    pointer: *mut c::rd_kafka_AdminOptions_t,
    client: PhantomData<&'a Client<Quiet>>,
}

impl<'a> Options<'a> {
    fn new(client: &'a Client<Quiet>, deadline: &Deadline) -> Self {
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

struct NewTopic(*mut c::rd_kafka_NewTopic_t);

impl NewTopic {
    fn of(spec: &TopicSpec) -> Result<Self, KafkaError> {
        let name = CString::new(spec.name.as_str())?;
        let replication = spec.replication.map_or(-1, i32::from);
        let mut error = [0; ERROR_TEXT_BYTES];
        // SAFETY: name and error buffer outlive the call, and the buffer's size is told.
        let pointer = unsafe {
            c::rd_kafka_NewTopic_new(
                name.as_ptr(),
                spec.partitions,
                replication,
                error.as_mut_ptr(),
                error.len(),
            )
        };
        if pointer.is_null() {
            // SAFETY: librdkafka has written a text that ends with a zero.
            return Err(KafkaError::AdminOpCreation(unsafe { text(error.as_ptr()) }));
        }
        let topic = Self(pointer);
        for (key, value) in &spec.config {
            let (key, value) = (CString::new(key.as_str())?, CString::new(value.as_str())?);
            // SAFETY: the topic is alive, and both texts outlive the call, which copies them. It fails
            // for an empty key only, and the broker then lacks the setting, which is verified.
            unsafe { c::rd_kafka_NewTopic_set_config(topic.0, key.as_ptr(), value.as_ptr()) };
        }
        Ok(topic)
    }
}

impl Drop for NewTopic {
    fn drop(&mut self) {
        // SAFETY: the topic is ours, and given back once.
        unsafe { c::rd_kafka_NewTopic_destroy(self.0) }
    }
}

fn unexpected_event() -> KafkaError {
    KafkaError::AdminOp(RDKafkaErrorCode::BadMessage)
}

/// Copies a text of librdkafka; none is empty.
///
/// # Safety
/// The pointer is null, or to a text that ends with a zero and lives until this returns.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: by this function's own condition.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
