//! A client handle and what producers and consumers have in common.

use super::{
    Code,
    config::{Config, Kind, PropertyError, nothing, property, topic_default},
    rd, text,
    tokens::{Tokens, give},
};
use std::{any::Any, ptr::NonNull};

/// A librdkafka client. Dropping it ends its threads, which waits for them.
pub(crate) struct Client {
    pub(super) handle: NonNull<rd::rd_kafka_t>,
    /// What callbacks refer to; freed after the client has ended.
    pub(super) context: Option<Box<dyn Any + Send + Sync>>,
    /// Its place among the clients that are given tokens.
    tokens: Tokens,
}

// SAFETY: librdkafka's handles are documented to be thread safe.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

/// Why a transactional call failed, by what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransactionError {
    /// It goes on in the background: the same call picks it up again.
    NotYet,
    /// The client says that its state is another one. Nothing was done. A commit or an abort that is
    /// called again before the client has looked at an earlier call may take that call's answer for
    /// its own and go a step too far: the next call puts it right.
    OutOfStep(String),
    /// The transaction must be aborted; the producer can go on after that.
    MustAbort(String),
    /// The producer can do nothing more.
    Fatal(String),
}

impl Client {
    /// Makes a client. One that logs in by tokens has its first one then.
    pub(super) fn new(mut config: Config, kind: Kind) -> Result<Self, PropertyError> {
        let login = config.take_login();
        let in_words = |reason: &str| match &login {
            Some(login) => login.words(reason),
            None => reason.to_owned(),
        };
        let handle = config
            .create(kind)
            .map_err(|error| PropertyError { reason: in_words(&error.reason), key: error.key })?;
        let mut client = Self { handle, context: None, tokens: Tokens::default() };
        if let Some(login) = &login {
            // SAFETY: the handle is valid, and `drop` gives the tokens up before it ends the client.
            let tokens = unsafe { give(login, client.as_ptr()) };
            client.tokens =
                tokens.map_err(|reason| PropertyError { key: String::new(), reason })?;
        }
        Ok(client)
    }

    /// A handle that another one owns, for a callback; it must not be dropped.
    pub(super) fn borrowed(handle: NonNull<rd::rd_kafka_t>) -> Self {
        Self { handle, context: None, tokens: Tokens::default() }
    }

    pub(super) fn as_ptr(&self) -> *mut rd::rd_kafka_t {
        self.handle.as_ptr()
    }

    /// A property as the client has it: what was set, what follows from that, or the default.
    pub(crate) fn property(&self, key: &str) -> Option<String> {
        // SAFETY: the handle is valid, and its configuration lives as long as it does.
        let known = unsafe { property(rd::rd_kafka_conf(self.as_ptr()), key) };
        known.or_else(|| topic_default(key))
    }

    /// Sends log lines to the queue of events instead of the standard error.
    pub(super) fn log_to_queue(&self) {
        // SAFETY: the handle is valid; null stands for the main queue.
        unsafe { rd::rd_kafka_set_log_queue(self.as_ptr(), nothing()) };
    }

    /// Records that the client still holds, and events that nobody has served yet, by its own count.
    pub(crate) fn queue_length(&self) -> u64 {
        // SAFETY: the handle is valid.
        u64::try_from(unsafe { rd::rd_kafka_outq_len(self.as_ptr()) }).unwrap_or(0)
    }

    /// Why the client can do nothing more, if that is so.
    pub(crate) fn fatal_error(&self) -> Option<String> {
        let mut reason = [0; super::config::REASON_BYTES];
        // SAFETY: the handle is valid, and the buffer's true size is given.
        let code = Code(unsafe {
            rd::rd_kafka_fatal_error(self.as_ptr(), reason.as_mut_ptr(), reason.len())
        });
        let remedy = code.missing_right().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        (!code.is_ok()).then(|| text(reason.as_ptr()) + &remedy)
    }

    /// Waits until all records have their reports, at most this long.
    pub(crate) fn flush(&self, timeout_ms: i32) -> Result<(), Code> {
        // SAFETY: the handle is valid. Reports are taken from the queue by another thread.
        Code(unsafe { rd::rd_kafka_flush(self.as_ptr(), timeout_ms) }).check()
    }

    /// Gives up everything that waits or is on its way: it fails as `_PURGE_QUEUE` or `_PURGE_INFLIGHT`.
    pub(crate) fn purge(&self) {
        // SAFETY: the handle is valid.
        unsafe {
            rd::rd_kafka_purge(
                self.as_ptr(),
                rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT,
            );
        }
    }

    /// Registers with the transaction coordinator.
    pub(crate) fn init_transactions(&self, timeout_ms: i32) -> Result<(), TransactionError> {
        // SAFETY: the handle is valid.
        outcome(unsafe { rd::rd_kafka_init_transactions(self.as_ptr(), timeout_ms) })
    }

    /// Begins a transaction.
    pub(crate) fn begin_transaction(&self) -> Result<(), TransactionError> {
        // SAFETY: the handle is valid.
        outcome(unsafe { rd::rd_kafka_begin_transaction(self.as_ptr()) })
    }

    /// Flushes and commits. `NotYet` after the timeout: call again.
    pub(crate) fn commit_transaction(&self, timeout_ms: i32) -> Result<(), TransactionError> {
        // SAFETY: the handle is valid.
        outcome(unsafe { rd::rd_kafka_commit_transaction(self.as_ptr(), timeout_ms) })
    }

    /// Purges and aborts. `NotYet` after the timeout: call again.
    pub(crate) fn abort_transaction(&self, timeout_ms: i32) -> Result<(), TransactionError> {
        // SAFETY: the handle is valid.
        outcome(unsafe { rd::rd_kafka_abort_transaction(self.as_ptr(), timeout_ms) })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Nobody hands it a token from here on.
        self.tokens = Tokens::default();
        // A consumer that was closed in time has nothing left to close; one that was not must not
        // block here.
        // SAFETY: owned; queues hold a reference to this client, so none is left.
        unsafe {
            rd::rd_kafka_destroy_flags(self.as_ptr(), rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        }
    }
}

/// Sorts a transactional call's error, and frees it.
fn outcome(error: *mut rd::rd_kafka_error_t) -> Result<(), TransactionError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null, owned by us, freed once, and not used after that.
    let (code, reason, fatal, abort, retriable) = unsafe {
        let facts = (
            Code(rd::rd_kafka_error_code(error)),
            format!(
                "{} ({})",
                text(rd::rd_kafka_error_string(error)),
                text(rd::rd_kafka_error_name(error))
            ),
            rd::rd_kafka_error_is_fatal(error) != 0,
            rd::rd_kafka_error_txn_requires_abort(error) != 0,
            rd::rd_kafka_error_is_retriable(error) != 0,
        );
        rd::rd_kafka_error_destroy(error);
        facts
    };
    let reason = match code.missing_right() {
        Some(remedy) => format!("{reason}; {remedy}"),
        None => reason,
    };
    Err(match (fatal, abort, retriable) {
        (true, _, _) => TransactionError::Fatal(reason),
        (_, true, _) => TransactionError::MustAbort(reason),
        (_, _, true) => TransactionError::NotYet,
        _ if code == Code::STATE => TransactionError::OutOfStep(reason),
        _ => TransactionError::Fatal(reason),
    })
}
