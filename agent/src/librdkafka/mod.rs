//! librdkafka's C interface, as little of it as the load engine needs, behind safe types.
//!
//! The engine does not go through rdkafka's producers and consumers: they take records one at a time
//! and call back for each delivery report, and a plain loop over them reaches little more than half of
//! what the C library can do. Here records go out by `rd_kafka_produce_batch`, delivery reports come
//! back a batch at a time as events, and records are fetched by `rd_kafka_consume_batch_queue`.
//!
//! The load engine's `unsafe` lives here, and in `engine::sys` for the clock. Elsewhere in the agent there
//! is some for calls that the crate rdkafka lacks (`admin::native`, one in `broker`) and that the standard
//! library lacks (`sys`). What this module promises to safe code:
//!
//! - Handles own what they point at and free it once; a queue keeps its client alive.
//! - librdkafka's handles may be used from any thread, so they are `Send` and `Sync`.
//! - Bytes handed to the client are copied by it before the call returns, or lie in memory that it was lent ([`Lent`])
//!   and that outlives it.
//! - Callbacks run only inside [`Consumer::consume`] and [`Consumer::close`], on the calling thread.

mod client;
mod config;
mod consumer;
mod event;
mod lent;
mod partitions;
mod producer;
mod queue;
mod received;
#[cfg(test)]
mod tests;
mod tokens;

pub(crate) use client::{Client, TransactionError};
pub use config::Kind;
pub(crate) use config::{Config, PropertyError, contradiction, is_secret, redact};
pub(crate) use consumer::{Batch, Consumer, ConsumerEvent};
pub(crate) use event::{Event, Incident, Report};
pub(crate) use lent::{Lender, Lent};
pub(crate) use partitions::{OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, PartitionList};
pub(crate) use producer::{Arguments, Message, Outbox, Producer};
pub(crate) use queue::Queue;
pub(crate) use received::{Received, header_name};
pub(crate) use tokens::LoggedIn;

use rdkafka::bindings::{self as rd, rd_kafka_resp_err_t as RawCode};
use std::ffi::{CStr, c_char};

/// One of librdkafka's error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Code(RawCode);

impl Code {
    pub(crate) const OK: Self = Self(RawCode::RD_KAFKA_RESP_ERR_NO_ERROR);
    pub(crate) const QUEUE_FULL: Self = Self(RawCode::RD_KAFKA_RESP_ERR__QUEUE_FULL);
    pub(crate) const STATE: Self = Self(RawCode::RD_KAFKA_RESP_ERR__STATE);
    pub(crate) const TIMED_OUT: Self = Self(RawCode::RD_KAFKA_RESP_ERR__TIMED_OUT);
    pub(crate) const TRANSPORT: Self = Self(RawCode::RD_KAFKA_RESP_ERR__TRANSPORT);
    pub(crate) const ALL_BROKERS_DOWN: Self = Self(RawCode::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN);
    pub(crate) const AUTHENTICATION: Self = Self(RawCode::RD_KAFKA_RESP_ERR__AUTHENTICATION);
    pub(crate) const PARTITION_EOF: Self = Self(RawCode::RD_KAFKA_RESP_ERR__PARTITION_EOF);
    pub(crate) const NO_OFFSET: Self = Self(RawCode::RD_KAFKA_RESP_ERR__NO_OFFSET);
    pub(crate) const LEADER_NOT_AVAILABLE: Self =
        Self(RawCode::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
    pub(crate) const TOPIC_DENIED: Self =
        Self(RawCode::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    pub(crate) const GROUP_DENIED: Self =
        Self(RawCode::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    #[cfg(test)]
    pub(crate) const TOO_LARGE: Self = Self(RawCode::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);

    /// librdkafka's name for it, as accounts and reports use it: `_MSG_TIMED_OUT`.
    pub(crate) fn name(self) -> String {
        // SAFETY: librdkafka returns a pointer to a static or thread-local string.
        text(unsafe { rd::rd_kafka_err2name(self.0) })
    }

    /// librdkafka's description of it.
    pub(crate) fn describe(self) -> String {
        // SAFETY: as above.
        text(unsafe { rd::rd_kafka_err2str(self.0) })
    }

    /// What a user lacks whom brokers refuse something, and how to change that.
    pub(crate) fn missing_right(self) -> Option<&'static str> {
        Some(match self.0 {
            RawCode::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
                "give this user the right to it: Write on topics that it produces to, Read on those that it consumes"
            }
            RawCode::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED => {
                "give this user the right to Read on the group"
            }
            RawCode::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED => {
                "give this user the right to Write on the transactional id, which begins with `mallard-`"
            }
            _ => return None,
        })
    }

    /// Whether it is no error at all.
    #[inline]
    pub(crate) fn is_ok(self) -> bool {
        self == Self::OK
    }

    /// `Ok` or itself.
    pub(crate) fn check(self) -> Result<(), Self> {
        if self.is_ok() { Ok(()) } else { Err(self) }
    }
}

/// A copy of a C string; empty for a null pointer.
fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: not null, and librdkafka's strings end with a zero byte.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// Version of the librdkafka that is linked in.
#[must_use]
pub fn version() -> String {
    // SAFETY: returns a static string.
    text(unsafe { rd::rd_kafka_version_str() })
}
