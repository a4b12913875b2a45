//! A producer: batches of records out, delivery reports back as events.

use super::{
    Code,
    client::Client,
    config::{Config, Kind, PropertyError, nothing},
    lent::{Lender, Lent},
    rd,
};
use std::{
    ffi::{CStr, CString, c_void},
    ptr::{self, NonNull},
    slice,
    sync::Arc,
    time::Duration,
};

/// A producer for one topic.
pub(crate) struct Producer {
    client: Arc<Client>,
    topic: NonNull<rd::rd_kafka_topic_t>,
    lent: Option<Arc<Lent>>,
}

// SAFETY: librdkafka's topic handles are documented to be thread safe.
unsafe impl Send for Producer {}

/// A record to be sent. Its bytes lie in arenas that are lent to each call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// When it was due, in microseconds on the run's clock.
    pub(crate) due_us: u64,
    /// The instance's own count.
    pub(crate) sequence: u64,
    /// Its number among the instance's records to its partition, where these are counted.
    pub(crate) number: u64,
    /// First byte of its value in the arena of values.
    pub(crate) value_at: u32,
    /// Length of its value.
    pub(crate) value_len: u32,
    /// First byte of its key in the arena of keys.
    pub(crate) key_at: u32,
    /// Length of its key; `u32::MAX` for none.
    pub(crate) key_len: u32,
    /// Its partition; -1 lets the client's partitioner choose.
    pub(crate) partition: i32,
}

impl Message {
    /// [`Message::key_len`] of a record without a key.
    pub(crate) const NO_KEY: u32 = u32::MAX;

    /// Key and value bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        let key = if self.key_len == Self::NO_KEY { 0 } else { self.key_len };
        u64::from(self.value_len) + u64::from(key)
    }

    /// The value, in the arena of values.
    #[inline]
    pub(crate) fn value<'a>(&self, values: &'a [u8]) -> &'a [u8] {
        &values[self.value_at as usize..][..self.value_len as usize]
    }

    /// The key, in the arena of keys.
    #[inline]
    pub(crate) fn key<'a>(&self, keys: &'a [u8]) -> Option<&'a [u8]> {
        (self.key_len != Self::NO_KEY)
            .then(|| &keys[self.key_at as usize..][..self.key_len as usize])
    }
}

/// The array that a batch is handed over in, kept to be used again.
#[derive(Default)]
pub(crate) struct Outbox(Vec<rd::rd_kafka_message_t>);

// SAFETY: the pointers in it are only read during the call that wrote them.
unsafe impl Send for Outbox {}

impl Producer {
    /// Makes a producer for a topic. Its main queue brings delivery reports, errors, statistics and
    /// log lines, and must be polled.
    pub(crate) fn new(mut config: Config, topic: &str) -> Result<Self, PropertyError> {
        config.set("log.queue", "true")?;
        // Without the reports of success there would be no accounts.
        config.set("delivery.report.only.error", "false")?;
        // SAFETY: the configuration is valid.
        unsafe {
            rd::rd_kafka_conf_set_events(
                config.as_ptr(),
                rd::RD_KAFKA_EVENT_DR
                    | rd::RD_KAFKA_EVENT_STATS
                    | rd::RD_KAFKA_EVENT_ERROR
                    | rd::RD_KAFKA_EVENT_LOG,
            );
        }
        let client = Arc::new(Client::new(config, Kind::Producer)?);
        client.log_to_queue();
        let refused =
            |reason: &str| PropertyError { key: String::new(), reason: reason.to_owned() };
        let name = CString::new(topic).map_err(|_| refused("the topic's name has a zero byte"))?;
        // SAFETY: the handle is valid, the name ends with a zero byte, null takes the defaults.
        let topic = unsafe { rd::rd_kafka_topic_new(client.as_ptr(), name.as_ptr(), nothing()) };
        let topic = NonNull::new(topic).ok_or_else(|| refused("the topic's name is not valid"))?;
        Ok(Self { client, topic, lent: None })
    }

    /// Makes memory for values that the client is to send from where they lie, in slots of so many bytes: one for every
    /// record that the client may hold, and `beside` more. To be called before anybody else has the client; `None` if it
    /// cannot be.
    pub(crate) fn lend(
        &mut self,
        value_bytes: u32,
        slot_bytes: u32,
        beside: u64,
    ) -> Option<Lender> {
        let limit = |key| self.client.property(key)?.parse::<u64>().ok();
        let records = limit("queue.buffering.max.messages").filter(|records| *records > 0);
        let bytes = limit("queue.buffering.max.kbytes")?.saturating_mul(1_024);
        let of_bytes = bytes / u64::from(value_bytes.max(1));
        let held = records.map_or(of_bytes, |records| records.min(of_bytes));
        let lender = Lender::new(slot_bytes, held.saturating_add(beside))?;
        // Freed after the client has ended.
        Arc::get_mut(&mut self.client)?.context = Some(Box::new(Arc::clone(lender.lent())));
        self.lent = Some(Arc::clone(lender.lent()));
        Some(lender)
    }

    /// The client, for its queue and its state.
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Asks who leads the partitions of its topic: the first one that nobody does, or `None`.
    pub(crate) fn leaderless(&self, within: Duration) -> Result<Option<i32>, Code> {
        let mut metadata = ptr::null();
        let timeout_ms = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
        let (client, topic) = (self.client.as_ptr(), self.topic.as_ptr());
        // SAFETY: handle and topic are valid, and so is the place for the answer.
        Code(unsafe { rd::rd_kafka_metadata(client, 0, topic, &raw mut metadata, timeout_ms) })
            .check()?;
        // SAFETY: the call went well, so the answer is valid; it is given back once, after its last use.
        unsafe {
            let outcome = leaderless(&*metadata);
            rd::rd_kafka_metadata_destroy(metadata);
            outcome
        }
    }

    /// Hands a batch to the client, which copies it, but for values in memory that it was lent. Returns how many it took; `judge` gets the index
    /// and the code of each of the others, and says whether those behind it may still be offered. After
    /// a `_QUEUE_FULL` all that follow for the same partition are refused as well.
    ///
    /// Records of one partition that stand together are one call: librdkafka then looks their partition
    /// up once. The call that takes a partition from each record would also lose its copy of a record
    /// whose partition is not there, and count it as waiting for ever.
    pub(crate) fn send_batch(
        &self,
        outbox: &mut Outbox,
        (values, keys): (&[u8], &[u8]),
        messages: &[Message],
        mut opaque_of: impl FnMut(&Message) -> u64,
        mut judge: impl FnMut(usize, Code) -> bool,
    ) -> usize {
        outbox.0.clear();
        outbox.0.extend(messages.iter().map(|message| {
            let value = message.value(values);
            let key = message.key(keys);
            rd::rd_kafka_message_t {
                err: Code::OK.0,
                rkt: ptr::null_mut(),
                partition: message.partition,
                payload: value.as_ptr().cast_mut().cast(),
                len: value.len(),
                key: key.map_or(ptr::null_mut(), |key| key.as_ptr().cast_mut().cast()),
                key_len: key.map_or(0, <[u8]>::len),
                offset: 0,
                _private: opaque(opaque_of(message)),
            }
        }));
        let copied = match self.lent.as_ref().is_some_and(|lent| lent.is(values)) {
            true => 0,
            false => rd::RD_KAFKA_MSG_F_COPY,
        };
        let (mut taken, mut from) = (0, 0);
        for run in outbox.0.chunk_by_mut(|a, b| a.partition == b.partition) {
            let took = self.send_run(run, copied);
            taken += took;
            let mut go_on = true;
            if took < run.len() {
                for (at, message) in run.iter().enumerate() {
                    let code = Code(message.err);
                    go_on &= code.is_ok() || judge(from + at, code);
                }
            }
            if !go_on {
                break;
            }
            from += run.len();
        }
        taken
    }

    /// Hands over records of one partition.
    fn send_run(&self, run: &mut [rd::rd_kafka_message_t], copied: i32) -> usize {
        let Some(first) = run.first() else { return 0 };
        let partition = first.partition;
        let count = i32::try_from(run.len()).unwrap_or(i32::MAX);
        // SAFETY: topic and array are valid, payloads and keys are borrowed by the caller for the call.
        // The client copies keys before it returns, and payloads by MSG_F_COPY; without it all of them lie in
        // memory that outlives the client, where their slots are not written until their reports have come.
        let taken = unsafe {
            rd::rd_kafka_produce_batch(
                self.topic.as_ptr(),
                partition,
                copied,
                run.as_mut_ptr(),
                count,
            )
        };
        usize::try_from(taken).unwrap_or(0)
    }

    /// Hands over one record with headers.
    pub(crate) fn send_with_headers(
        &self,
        (values, keys): (&[u8], &[u8]),
        message: &Message,
        headers: &[(CString, Vec<u8>)],
        stamp: Option<(&CStr, &[u8])>,
        opaque_bits: u64,
        arguments: &mut Arguments,
    ) -> Result<(), Code> {
        let argument = |vtype, u| rd::rd_kafka_vu_t { vtype, u };
        type Value = rd::rd_kafka_vu_s__bindgen_ty_1;
        let memory = |bytes: &[u8]| Value {
            mem: rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
                ptr: bytes.as_ptr().cast_mut().cast(),
                size: bytes.len(),
            },
        };
        let header = |name: &CStr, value: &[u8]| Value {
            header: rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
                name: name.as_ptr(),
                val: value.as_ptr().cast(),
                size: isize::try_from(value.len()).unwrap_or(0),
            },
        };
        use rd::rd_kafka_vtype_t as V;
        let list = &mut arguments.0;
        list.clear();
        list.push(argument(V::RD_KAFKA_VTYPE_RKT, Value { rkt: self.topic.as_ptr() }));
        list.push(argument(V::RD_KAFKA_VTYPE_PARTITION, Value { i32_: message.partition }));
        list.push(argument(V::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: rd::RD_KAFKA_MSG_F_COPY }));
        list.push(argument(V::RD_KAFKA_VTYPE_VALUE, memory(message.value(values))));
        if let Some(key) = message.key(keys) {
            list.push(argument(V::RD_KAFKA_VTYPE_KEY, memory(key)));
        }
        list.push(argument(V::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: opaque(opaque_bits) }));
        list.extend(
            headers
                .iter()
                .map(|(name, value)| (name.as_c_str(), value.as_slice()))
                .chain(stamp)
                .map(|(name, value)| argument(V::RD_KAFKA_VTYPE_HEADER, header(name, value))),
        );
        // SAFETY: every argument is of the type that its tag says, and all bytes are borrowed for the
        // call, in which the client copies them. The error is owned by us and freed once.
        unsafe {
            let error = rd::rd_kafka_produceva(self.client.as_ptr(), list.as_ptr(), list.len());
            if error.is_null() {
                return Ok(());
            }
            let code = Code(rd::rd_kafka_error_code(error));
            rd::rd_kafka_error_destroy(error);
            Err(code)
        }
    }
}

/// The first partition without a leader in metadata of one topic.
///
/// # Safety
/// The metadata is librdkafka's own, and not given back yet.
unsafe fn leaderless(metadata: &rd::rd_kafka_metadata_t) -> Result<Option<i32>, Code> {
    if metadata.topics.is_null() || metadata.topic_cnt < 1 {
        return Err(Code::LEADER_NOT_AVAILABLE);
    }
    // SAFETY: there is one topic at least.
    let topic = unsafe { &*metadata.topics };
    Code(topic.err).check()?;
    let count = usize::try_from(topic.partition_cnt).unwrap_or(0);
    if topic.partitions.is_null() || count == 0 {
        return Err(Code::LEADER_NOT_AVAILABLE);
    }
    // SAFETY: the array has as many entries as is said.
    let partitions = unsafe { slice::from_raw_parts(topic.partitions, count) };
    Ok(partitions.iter().find(|partition| partition.leader < 0).map(|partition| partition.id))
}

impl Drop for Producer {
    fn drop(&mut self) {
        // SAFETY: owned, given back once, and before the client.
        unsafe { rd::rd_kafka_topic_destroy(self.topic.as_ptr()) }
    }
}

/// The arguments of a record with headers, kept to be used again.
#[derive(Default)]
pub(crate) struct Arguments(Vec<rd::rd_kafka_vu_t>);

// SAFETY: the pointers in it are only read during the call that wrote them.
unsafe impl Send for Arguments {}

/// 64 bits dressed as the pointer that C wants.
#[inline]
fn opaque(bits: u64) -> *mut c_void {
    #[expect(clippy::cast_possible_truncation, reason = "64-bit targets only, asserted below")]
    ptr::without_provenance_mut(bits as usize)
}

const _: () = assert!(usize::BITS == 64, "message opaques carry 64 bits");
