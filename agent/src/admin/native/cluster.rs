//! Partitions as brokers describe them, and calls to brokers that only ask whether they answer.

use super::request::{Options, Queue, ask, text, unexpected_event};
use crate::admin::{Deadline, quiet::Quiet};
use rdkafka::{
    bindings::{self as c, rd_kafka_resp_err_t as RespErr},
    client::Client,
    error::{KafkaError, RDKafkaErrorCode},
};
use std::ffi::{CStr, CString, c_char};

/// The setting that a call asks for: every broker has it, and one value is a small answer.
const ASKED: &CStr = c"broker.id";

/// A partition as a broker describes it.
pub(in crate::admin) struct PartitionFound {
    /// Its topic, by its name on the broker.
    pub(in crate::admin) topic: String,
    /// The partition.
    pub(in crate::admin) partition: i32,
    /// Id of its leader; -1 for none.
    pub(in crate::admin) leader: i32,
    /// Ids of its replicas.
    pub(in crate::admin) replicas: Vec<i32>,
    /// How many of them are in sync.
    pub(in crate::admin) in_sync: usize,
}

/// Describes all partitions of topics. A topic that cannot be described is left out. Unlike a request
/// for metadata by name, this creates no topic.
pub(in crate::admin) fn describe_partitions(
    client: &Client<Quiet>,
    topics: &[String],
    deadline: &Deadline,
) -> Result<Vec<PartitionFound>, KafkaError> {
    let names = topics.iter().map(|name| CString::new(name.as_str()));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the names outlive the call, which copies them; the collection is given back below.
    let collection = unsafe {
        c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len())
    };
    // SAFETY: the collection lives until after the call, which copies it.
    let answer = ask(client, deadline, |client, options, queue| unsafe {
        c::rd_kafka_DescribeTopics(client, collection, options, queue);
    });
    // SAFETY: ours, and given back once.
    unsafe { c::rd_kafka_TopicCollection_destroy(collection) };
    let answer = answer?;
    let mut found = Vec::new();
    // SAFETY: the answer lives until the end of this function; the result and what hangs on it are
    // copied within; a null result (another kind of event) is checked for.
    unsafe {
        let result = c::rd_kafka_event_DescribeTopics_result(answer.event.pointer);
        if result.is_null() {
            return Err(unexpected_event());
        }
        let mut count = 0;
        let topics = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        for at in 0..count {
            let topic = *topics.add(at);
            let error = c::rd_kafka_TopicDescription_error(topic);
            if error.is_null()
                || c::rd_kafka_error_code(error) == RespErr::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                found.extend(partitions_of(topic));
            }
        }
    }
    Ok(found)
}

/// Copies a topic's partitions.
///
/// # Safety
/// The description is alive.
unsafe fn partitions_of(topic: *const c::rd_kafka_TopicDescription_t) -> Vec<PartitionFound> {
    // SAFETY: by this function's own condition; what hangs on the description lives as long, and arrays
    // have as many elements as they say.
    unsafe {
        let name = text(c::rd_kafka_TopicDescription_name(topic));
        let mut count = 0;
        let partitions = c::rd_kafka_TopicDescription_partitions(topic, &raw mut count);
        let found = (0..count).map(|at| {
            let partition = *partitions.add(at);
            let leader = c::rd_kafka_TopicPartitionInfo_leader(partition);
            let (mut replicas, mut in_sync) = (0, 0);
            let nodes = c::rd_kafka_TopicPartitionInfo_replicas(partition, &raw mut replicas);
            c::rd_kafka_TopicPartitionInfo_isr(partition, &raw mut in_sync);
            PartitionFound {
                topic: name.clone(),
                partition: c::rd_kafka_TopicPartitionInfo_partition(partition),
                leader: if leader.is_null() { -1 } else { c::rd_kafka_Node_id(leader) },
                replicas: (0..replicas).map(|at| node_id(*nodes.add(at))).collect(),
                in_sync,
            }
        });
        found.collect()
    }
}

/// A node's id; -1 where there is none.
///
/// # Safety
/// The node is null or alive.
unsafe fn node_id(node: *const c::rd_kafka_Node_t) -> i32 {
    // SAFETY: by this function's own condition.
    if node.is_null() { -1 } else { unsafe { c::rd_kafka_Node_id(node) } }
}

/// Calls to brokers that are under way: each asks one broker for one of its settings.
pub(in crate::admin) struct Calls<'a>(Vec<(i32, Queue<'a>)>);

impl<'a> Calls<'a> {
    /// Calls brokers by id, all at once.
    pub(in crate::admin) fn to(
        client: &'a Client<Quiet>,
        brokers: &[i32],
        deadline: &Deadline,
    ) -> Self {
        let options = Options::new(client, deadline);
        let call = |id: &i32| {
            let queue = Queue::new(client);
            let name = CString::new(id.to_string()).unwrap_or_default();
            let broker = c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER;
            // SAFETY: name and setting outlive the calls, which copy them; client, options and queue are
            // alive; the resource is ours and given back once.
            unsafe {
                let mut resource = c::rd_kafka_ConfigResource_new(broker, name.as_ptr());
                if !resource.is_null() {
                    c::rd_kafka_ConfigResource_set_config(resource, ASKED.as_ptr(), c"".as_ptr());
                    let (client, options) = (client.native_ptr(), options.pointer);
                    c::rd_kafka_DescribeConfigs(
                        client,
                        &raw mut resource,
                        1,
                        options,
                        queue.pointer,
                    );
                    c::rd_kafka_ConfigResource_destroy(resource);
                }
            }
            (*id, queue)
        };
        Self(brokers.iter().map(call).collect())
    }

    /// Whether each broker answered by a deadline; a refusal is an answer.
    pub(in crate::admin) fn answers(self, deadline: &Deadline) -> Vec<(i32, bool)> {
        let answered = |(id, queue): (i32, Queue<'_>)| {
            let event = queue.poll(deadline.remaining_ms());
            // SAFETY: the event is alive.
            let code = event.map(|event| unsafe { c::rd_kafka_event_error(event.pointer) });
            (id, code.is_some_and(|code| is_answer(code.into())))
        };
        self.0.into_iter().map(answered).collect()
    }
}

/// Whether an outcome came from the broker, not from the client that could not reach it.
fn is_answer(code: RDKafkaErrorCode) -> bool {
    !matches!(
        code,
        RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::BrokerDestroy
            | RDKafkaErrorCode::NodeUpdate
    )
}
