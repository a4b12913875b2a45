//! A record as the client gives it: to a consumer as received, to a producer with its delivery report.

use super::{Code, rd, text};
use mallard_protocol::stamp::{HEADER, Placed};
use std::{
    ffi::{CStr, CString},
    ptr,
};

/// A received record, or an error in the place of one.
#[derive(Clone, Copy)]
pub(crate) struct Received<'a>(pub(super) &'a rd::rd_kafka_message_t);

impl<'a> Received<'a> {
    /// What is wrong, or [`Code::OK`].
    #[inline]
    pub(crate) fn code(self) -> Code {
        Code(self.0.err)
    }

    /// librdkafka's words for what is wrong.
    pub(crate) fn describe(self) -> String {
        // SAFETY: the message is valid.
        text(unsafe { rd::rd_kafka_message_errstr(self.0) })
    }

    /// Something that is the same for all records of a topic of one client, and nothing else.
    #[inline]
    pub(crate) fn topic_key(self) -> usize {
        self.0.rkt.addr()
    }

    /// The topic's name.
    pub(crate) fn topic(self) -> String {
        if self.0.rkt.is_null() {
            return String::new();
        }
        // SAFETY: the topic is valid while the message is.
        text(unsafe { rd::rd_kafka_topic_name(self.0.rkt) })
    }

    /// The partition.
    #[inline]
    pub(crate) fn partition(self) -> i32 {
        self.0.partition
    }

    /// The offset.
    #[inline]
    pub(crate) fn offset(self) -> i64 {
        self.0.offset
    }

    /// Key and value bytes.
    #[inline]
    pub(crate) fn bytes(self) -> u64 {
        (self.0.len + self.0.key_len) as u64
    }

    /// The value.
    #[inline]
    pub(crate) fn payload(self) -> &'a [u8] {
        if self.0.payload.is_null() {
            return &[];
        }
        // SAFETY: not null, `len` bytes long, and valid while the message is.
        unsafe { std::slice::from_raw_parts(self.0.payload.cast(), self.0.len) }
    }

    /// The key; `None` without one.
    pub(crate) fn key(self) -> Option<&'a [u8]> {
        if self.0.key.is_null() {
            return None;
        }
        // SAFETY: not null, `key_len` bytes long, and valid while the message is.
        Some(unsafe { std::slice::from_raw_parts(self.0.key.cast(), self.0.key_len) })
    }

    /// The number in its stamp, in its value or in its header; `None` if it has none.
    #[cold]
    pub(crate) fn number(self) -> Option<u64> {
        let in_header = || self.header(&header_name(HEADER)).and_then(Placed::from_bytes);
        let (placed, _) = Placed::from_bytes(self.payload()).or_else(in_header)?;
        Some(placed.number)
    }

    /// The last header of this name.
    pub(crate) fn header(self, name: &CStr) -> Option<&'a [u8]> {
        let mut headers = ptr::null_mut();
        let (mut value, mut size) = (ptr::null(), 0);
        // SAFETY: the message is valid; headers and their values belong to it and live as long.
        unsafe {
            Code(rd::rd_kafka_message_headers(self.0, &raw mut headers)).check().ok()?;
            let code =
                rd::rd_kafka_header_get_last(headers, name.as_ptr(), &raw mut value, &raw mut size);
            Code(code).check().ok()?;
            Some(if value.is_null() { &[] } else { std::slice::from_raw_parts(value.cast(), size) })
        }
    }
}

/// A header's name for C.
pub(crate) fn header_name(name: &str) -> CString {
    CString::new(name).unwrap_or_default()
}
