//! A consumer: batches of records in, everything else through one handler.

use super::{
    Code, Incident,
    client::Client,
    config::{Config, Kind, PropertyError},
    event::WARNING,
    partitions::PartitionList,
    queue::Queue,
    rd,
    received::Received,
    text,
};
use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    sync::{Arc, Mutex, PoisonError},
};

/// What happens to a consumer beside receiving records.
pub(crate) enum ConsumerEvent<'a> {
    /// The group gave it partitions: the handler must assign.
    Assign(PartitionList),
    /// The group takes partitions away: the handler must unassign.
    Revoke(PartitionList),
    /// Joining the group failed. librdkafka tries again.
    JoinFailed(Code),
    /// The client's statistics, as JSON.
    Statistics(&'a str),
    /// Something went wrong.
    Incident(Incident),
    /// A commit ended. The token is what was given to [`Client::commit`].
    Committed(Code, u64),
}

/// Is told what happens, on the thread that consumes or closes.
pub(crate) type Handler = Box<dyn FnMut(&Client, ConsumerEvent<'_>) + Send>;

/// What librdkafka's callbacks get: a place that stays where it is.
struct Context(Mutex<Handler>);

/// A consumer.
pub(crate) struct Consumer {
    queue: Arc<Queue>,
    client: Arc<Client>,
}

impl Consumer {
    /// Makes a consumer. Its queue brings records and calls the handler; it must be consumed from.
    pub(crate) fn new(mut config: Config, handler: Handler) -> Result<Self, PropertyError> {
        config.set("log.queue", "true")?;
        let context = Box::new(Context(Mutex::new(handler)));
        let place = ptr::from_ref::<Context>(&context).cast_mut().cast();
        // SAFETY: the configuration is valid; the context belongs to the client and outlives it.
        unsafe {
            let conf = config.as_ptr();
            rd::rd_kafka_conf_set_opaque(conf, place);
            rd::rd_kafka_conf_set_rebalance_cb(conf, Some(on_rebalance));
            rd::rd_kafka_conf_set_stats_cb(conf, Some(on_statistics));
            rd::rd_kafka_conf_set_error_cb(conf, Some(on_error));
            rd::rd_kafka_conf_set_log_cb(conf, Some(on_log));
        }
        let mut client = Client::new(config, Kind::Consumer)?;
        client.context = Some(context);
        let client = Arc::new(client);
        // SAFETY: the handle is valid. All events join the consumer's queue, so that one call serves
        // everything; `Queue` owns the reference.
        let queue = unsafe {
            rd::rd_kafka_poll_set_consumer(client.as_ptr());
            rd::rd_kafka_queue_get_consumer(client.as_ptr())
        };
        client.log_to_queue();
        let queue = Arc::new(Queue::new(queue, Arc::clone(&client)));
        Ok(Self { queue, client })
    }

    /// The client.
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The queue that [`Consumer::consume`] waits at.
    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Room for this many records of this consumer.
    pub(crate) fn batch(&self, records: usize) -> Batch {
        let client = Arc::clone(&self.client);
        Batch { messages: vec![ptr::null_mut(); records], len: 0, _client: client }
    }

    /// Adds what has arrived to a batch, and waits for at most this long if that is nothing. Returns
    /// how many records came. Calls the handler for all that is no record.
    ///
    /// librdkafka's own batch call waits until its array is full or the time is over, which would
    /// hold back a record for the sake of those to come. So only the first one is waited for.
    pub(crate) fn consume(&self, batch: &mut Batch, timeout_ms: i32) -> usize {
        let before = batch.len;
        batch.len += self.fetch(&mut batch.messages[batch.len..], 0);
        if batch.len == before && timeout_ms > 0 && batch.len < batch.messages.len() {
            batch.len += self.fetch(&mut batch.messages[before..=before], timeout_ms);
            if batch.len > before {
                batch.len += self.fetch(&mut batch.messages[batch.len..], 0);
            }
        }
        batch.len - before
    }

    fn fetch(&self, room: &mut [*mut rd::rd_kafka_message_t], timeout_ms: i32) -> usize {
        if room.is_empty() {
            return 0;
        }
        // SAFETY: the queue is valid, and the array's true size is given. The messages are owned by
        // the batch from here on.
        let count = unsafe {
            rd::rd_kafka_consume_batch_queue(
                self.queue.queue.as_ptr(),
                timeout_ms,
                room.as_mut_ptr(),
                room.len(),
            )
        };
        usize::try_from(count).unwrap_or(0)
    }

    /// Leaves the group. Calls the handler for what is revoked.
    pub(crate) fn close(&self) -> Result<(), Code> {
        // SAFETY: the handle is valid.
        Code(unsafe { rd::rd_kafka_consumer_close(self.client.as_ptr()) }).check()
    }
}

impl Client {
    /// Joins a group for these topics.
    pub(crate) fn subscribe(&self, topics: &PartitionList) -> Result<(), Code> {
        // SAFETY: handle and list are valid; the list is copied.
        Code(unsafe { rd::rd_kafka_subscribe(self.as_ptr(), topics.as_ptr()) }).check()
    }

    /// Replaces the assignment; with `None`, ends it.
    pub(crate) fn assign(&self, partitions: Option<&PartitionList>) -> Result<(), Code> {
        let list = partitions.map_or(ptr::null_mut(), PartitionList::as_ptr);
        // SAFETY: handle and list are valid; the list is copied.
        Code(unsafe { rd::rd_kafka_assign(self.as_ptr(), list) }).check()
    }

    /// Adds to the assignment, or takes from it.
    pub(crate) fn change_assignment(
        &self,
        partitions: &PartitionList,
        gained: bool,
    ) -> Result<(), Code> {
        // SAFETY: handle and list are valid; the error is owned by us and freed once.
        unsafe {
            let error = if gained {
                rd::rd_kafka_incremental_assign(self.as_ptr(), partitions.as_ptr())
            } else {
                rd::rd_kafka_incremental_unassign(self.as_ptr(), partitions.as_ptr())
            };
            if error.is_null() {
                return Ok(());
            }
            let code = Code(rd::rd_kafka_error_code(error));
            rd::rd_kafka_error_destroy(error);
            Err(code)
        }
    }

    /// Whether the group hands partitions over one by one instead of all at once.
    pub(crate) fn is_cooperative(&self) -> bool {
        // SAFETY: the handle is valid; returns a static string or null.
        text(unsafe { rd::rd_kafka_rebalance_protocol(self.as_ptr()) }) == "COOPERATIVE"
    }

    /// Stops or goes on fetching these partitions.
    pub(crate) fn pause(&self, partitions: &PartitionList, paused: bool) -> Result<(), Code> {
        // SAFETY: handle and list are valid.
        Code(unsafe {
            if paused {
                rd::rd_kafka_pause_partitions(self.as_ptr(), partitions.as_ptr())
            } else {
                rd::rd_kafka_resume_partitions(self.as_ptr(), partitions.as_ptr())
            }
        })
        .check()
    }

    /// Reads on from these offsets. Does not wait for it to happen.
    pub(crate) fn seek(&self, partitions: &PartitionList) {
        // SAFETY: handle and list are valid; with no timeout nothing is waited for.
        unsafe {
            let error = rd::rd_kafka_seek_partitions(self.as_ptr(), partitions.as_ptr(), 0);
            if !error.is_null() {
                rd::rd_kafka_error_destroy(error);
            }
        }
    }

    /// Fills in the next offset that the application will be given of each partition.
    pub(crate) fn positions(&self, partitions: &mut PartitionList) {
        // SAFETY: handle and list are valid. Without an answer offsets stay invalid.
        unsafe { rd::rd_kafka_position(self.as_ptr(), partitions.as_ptr()) };
    }

    /// Whether a leader has answered a fetch of a partition: with the answer comes where it ends.
    pub(crate) fn is_fetched(&self, topic: &str, partition: i32) -> bool {
        let Ok(topic) = CString::new(topic) else { return false };
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the handle is valid, the name ends with a zero byte, and both places are valid.
        let code = unsafe {
            rd::rd_kafka_get_watermark_offsets(
                self.as_ptr(),
                topic.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
            )
        };
        Code(code).is_ok() && high >= 0
    }

    /// Fills in what the group has committed.
    pub(crate) fn committed(
        &self,
        partitions: &mut PartitionList,
        timeout_ms: i32,
    ) -> Result<(), Code> {
        // SAFETY: handle and list are valid.
        Code(unsafe { rd::rd_kafka_committed(self.as_ptr(), partitions.as_ptr(), timeout_ms) })
            .check()
    }

    /// Fills in the end offsets of partitions, one request a broker.
    pub(crate) fn end_offsets(
        &self,
        partitions: &mut PartitionList,
        timeout_ms: i32,
    ) -> Result<(), Code> {
        // The time -1 stands for "the end" in the request that this call sends.
        partitions.set_offsets(|_, _, _| super::OFFSET_END);
        // SAFETY: handle and list are valid.
        let code = unsafe {
            rd::rd_kafka_offsets_for_times(self.as_ptr(), partitions.as_ptr(), timeout_ms)
        };
        Code(code).check()
    }

    /// Marks offsets for the client's own commits in the background.
    pub(crate) fn store_offsets(&self, partitions: &PartitionList) {
        // SAFETY: handle and list are valid. A partition that was just revoked is refused, rightly.
        unsafe { rd::rd_kafka_offsets_store(self.as_ptr(), partitions.as_ptr()) };
    }

    /// Commits offsets; the handler gets [`ConsumerEvent::Committed`] with the token.
    pub(crate) fn commit(
        &self,
        partitions: &PartitionList,
        queue: &Queue,
        token: u64,
    ) -> Result<(), Code> {
        #[expect(clippy::cast_possible_truncation, reason = "64-bit targets only")]
        let token = ptr::without_provenance_mut(token as usize);
        // SAFETY: handle, list and queue are valid; the list is copied; the token is never read as a
        // pointer.
        Code(unsafe {
            rd::rd_kafka_commit_queue(
                self.as_ptr(),
                partitions.as_ptr(),
                queue.queue.as_ptr(),
                Some(on_commit),
                token,
            )
        })
        .check()
    }
}

/// Records that were received together.
pub(crate) struct Batch {
    messages: Vec<*mut rd::rd_kafka_message_t>,
    len: usize,
    // A client that ends while somebody holds records of it waits for them for ever.
    _client: Arc<Client>,
}

// SAFETY: the messages are owned by the batch.
unsafe impl Send for Batch {}

impl Batch {
    /// The records.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Received<'_>> {
        // SAFETY: librdkafka filled the first `len` entries, and the batch owns them.
        self.messages[..self.len].iter().map(|message| Received(unsafe { &**message }))
    }

    /// Gives all records back to librdkafka.
    pub(crate) fn clear(&mut self) {
        for message in &self.messages[..self.len] {
            // SAFETY: owned, and forgotten below.
            unsafe { rd::rd_kafka_message_destroy(*message) }
        }
        self.len = 0;
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Calls the handler with a borrowed client.
///
/// # Safety
/// `client` must be a live consumer made by [`Consumer::new`].
unsafe fn tell(client: *mut rd::rd_kafka_t, happening: ConsumerEvent<'_>) {
    // SAFETY: the opaque is the context that `Consumer::new` set, which outlives the client.
    let context = unsafe { rd::rd_kafka_opaque(client).cast::<Context>().as_ref() };
    let (Some(context), Some(handle)) = (context, NonNull::new(client)) else { return };
    // Borrowed: it must not end the client when it goes out of scope.
    let client = ManuallyDrop::new(Client::borrowed(handle));
    let mut handler = context.0.lock().unwrap_or_else(PoisonError::into_inner);
    handler(&client, happening);
}

unsafe extern "C" fn on_rebalance(
    client: *mut rd::rd_kafka_t,
    code: rd::rd_kafka_resp_err_t,
    partitions: *mut rd::rd_kafka_topic_partition_list_t,
    _: *mut c_void,
) {
    let list = PartitionList::copy_of(partitions);
    let happening = match code {
        rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
            ConsumerEvent::Assign(list)
        }
        rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
            ConsumerEvent::Revoke(list)
        }
        code => ConsumerEvent::JoinFailed(Code(code)),
    };
    // SAFETY: librdkafka calls back with the consumer that the callback was set for.
    unsafe { tell(client, happening) }
}

unsafe extern "C" fn on_statistics(
    client: *mut rd::rd_kafka_t,
    json: *mut c_char,
    _: usize,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the string ends with a zero byte and lives during the callback; the client as above.
    unsafe {
        if let Ok(json) = CStr::from_ptr(json).to_str() {
            tell(client, ConsumerEvent::Statistics(json));
        }
    }
    // Zero: librdkafka frees the string.
    0
}

unsafe extern "C" fn on_error(
    client: *mut rd::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    _: *mut c_void,
) {
    use rd::rd_kafka_resp_err_t as RawCode;
    let code = RawCode::try_from(code).unwrap_or(RawCode::RD_KAFKA_RESP_ERR_UNKNOWN);
    let fatal = code == RawCode::RD_KAFKA_RESP_ERR__FATAL;
    let incident = Incident { code: Code(code), fatal, text: text(reason) };
    // SAFETY: as above.
    unsafe { tell(client, ConsumerEvent::Incident(incident)) }
}

unsafe extern "C" fn on_log(
    client: *const rd::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    if level > WARNING {
        return;
    }
    let text = format!("{}: {}", text(facility), text(line));
    let incident = Incident { code: Code::OK, fatal: false, text };
    // SAFETY: as above; log lines go through the queue, so this is the consuming thread.
    unsafe { tell(client.cast_mut(), ConsumerEvent::Incident(incident)) }
}

unsafe extern "C" fn on_commit(
    client: *mut rd::rd_kafka_t,
    code: rd::rd_kafka_resp_err_t,
    _: *mut rd::rd_kafka_topic_partition_list_t,
    token: *mut c_void,
) {
    // SAFETY: as above.
    unsafe { tell(client, ConsumerEvent::Committed(Code(code), token.addr() as u64)) }
}
