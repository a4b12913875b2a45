//! Avro's object container files: a header with the schema, then blocks of payloads.
//!
//! The marker between blocks follows from the first payload and not from chance, so that the same
//! payloads make the same file.

use super::avro::{self, SCHEMA};
use crate::{Payload, random::mix, text::Times};

/// Payloads in a block.
const BLOCK_PAYLOADS: usize = 1_000;

const MAGIC: &[u8; 4] = b"Obj\x01";

/// Writes a container file into bytes that the caller takes away as they come.
#[derive(Debug)]
pub struct Container {
    times: Times,
    marker: [u8; 16],
    block: Vec<u8>,
    payloads: usize,
}

impl Container {
    /// Begins a file: appends its header.
    #[must_use]
    pub fn begin(seed: u64, out: &mut Vec<u8>) -> Self {
        let mut marker = [0; 16];
        marker[..8].copy_from_slice(&mix(seed).to_be_bytes());
        marker[8..].copy_from_slice(&mix(!seed).to_be_bytes());
        out.extend_from_slice(MAGIC);
        // The metadata: a map of one block with two entries.
        let entries: [(&[u8], &[u8]); 2] =
            [(b"avro.schema", SCHEMA.as_bytes()), (b"avro.codec", b"null")];
        avro::long(out, 2);
        for (key, value) in entries {
            for bytes in [key, value] {
                avro::long(out, bytes.len() as i64);
                out.extend_from_slice(bytes);
            }
        }
        avro::long(out, 0);
        out.extend_from_slice(&marker);
        Self { times: Times::default(), marker, block: Vec::new(), payloads: 0 }
    }

    /// Adds a payload, and appends a block if that is full.
    pub fn push(&mut self, payload: &Payload, out: &mut Vec<u8>) {
        avro::write(payload, &mut self.times, &mut self.block);
        self.payloads += 1;
        if self.payloads == BLOCK_PAYLOADS {
            self.end_block(out);
        }
    }

    /// Ends the file: appends what is left.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.end_block(out);
    }

    fn end_block(&mut self, out: &mut Vec<u8>) {
        if self.payloads == 0 {
            return;
        }
        avro::long(out, self.payloads as i64);
        avro::long(out, self.block.len() as i64);
        out.append(&mut self.block);
        out.extend_from_slice(&self.marker);
        self.payloads = 0;
    }
}
