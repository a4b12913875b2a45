//! librdkafka's calls that the `rdkafka` crate lacks: creating topics with the broker's own reason for a
//! refusal, listing offsets of many partitions at once, looking at consumer groups, and reading a
//! client's log.
//!
//! Ownership: queues, events, options and new topics belong to the wrappers below, which give them back
//! on drop. Whatever hangs on an event is copied before the event goes. Every wrapper's client outlives
//! it, by a borrow.

mod cluster;
mod groups;
mod request;
use self::request::{ask, text, unexpected_event};
use super::{Deadline, quiet::Quiet};
use crate::admin::native::request::{ERROR_TEXT_BYTES, Queue};
use mallard_protocol::workload::TopicSpec;
use rdkafka::{
    Offset, TopicPartitionList,
    bindings::{self as c, rd_kafka_resp_err_t as RespErr},
    client::Client,
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{ffi::CString, marker::PhantomData, ptr};

#[cfg(test)]
mod tests;

pub(super) use cluster::{Calls, PartitionFound, describe_partitions};
pub(super) use groups::{GroupFound, committed_offsets, describe_groups};

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

/// An offset of a partition, or why there is none.
pub(super) type FoundOffset = (String, i32, Result<i64, RDKafkaErrorCode>);

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The first one that can be read.
    LogStart,
    /// One beyond the last.
    End,
}

/// The offsets at one edge of partitions, by one request to each broker that leads some of them.
pub(super) fn list_offsets<'a>(
    client: &Client<Quiet>,
    partitions: impl Iterator<Item = (&'a str, i32)>,
    edge: Edge,
    deadline: &Deadline,
) -> Result<Vec<FoundOffset>, KafkaError> {
    let edge = match edge {
        Edge::LogStart => Offset::Beginning,
        Edge::End => Offset::End,
    };
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, partition, edge)?;
    }
    // SAFETY: the list lives until after the call, which copies it. `Offset::End` is -1 and
    // `Offset::Beginning` -2, which this call knows as OFFSET_SPEC_LATEST and OFFSET_SPEC_EARLIEST.
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
