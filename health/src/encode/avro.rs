//! Payloads as Avro.
//!
//! The encoding of one fixed schema is a few varints and strings, so it is written here, straight into
//! the bytes of a record, without a tree of values in between. The `apache-avro` crate is the tests'
//! witness that both agree.

use super::fixed::{APP_VERSION, NO_TIME, SOURCE_BUNDLE};
use crate::{Defect, Payload, text::Times};

/// The schema of payloads. Texts are never null: one that is missing is empty.
pub const SCHEMA: &str = include_str!("payload.avsc");

/// First byte of Confluent's wire format.
pub const CONFLUENT_MAGIC: u8 = 0;

/// Bytes before the body in Confluent's wire format: the magic byte and the schema's id.
pub const CONFLUENT_PREFIX_BYTES: usize = 5;

/// Appends a payload's body.
pub(super) fn write(payload: &Payload, times: &mut Times, out: &mut Vec<u8>) {
    let defect = payload.own_defect();
    let written = |missing| defect != Some(missing);
    string(out, |out| {
        if written(Defect::NoDeviceId) {
            payload.write_device_id(out);
        }
    });
    string(out, |out| {
        if written(Defect::NoUserId) {
            payload.write_user_id(out);
        }
    });
    string(out, |out| match defect {
        Some(Defect::BadTimestamp) => out.extend_from_slice(NO_TIME),
        _ => times.write(out, payload.timestamp_ms),
    });
    string(out, |out| out.extend_from_slice(APP_VERSION));
    if !payload.samples.is_empty() {
        long(out, payload.samples.len() as i64);
        for index in 0..payload.samples.len() {
            write_sample(payload, index, times, out);
        }
    }
    long(out, 0);
}

#[expect(clippy::cast_precision_loss, reason = "values are far below 2^53")]
fn write_sample(payload: &Payload, index: usize, times: &mut Times, out: &mut Vec<u8>) {
    let sample = &payload.samples[index];
    let defect = payload.defect_of(index);
    let written = |missing| defect != Some(missing);
    string(out, |out| {
        if written(Defect::NoSampleId) {
            payload.write_sample_id(index, out);
        }
    });
    string(out, |out| {
        if written(Defect::NoType) {
            out.extend_from_slice(sample.data_type.name().as_bytes());
        }
    });
    // A union: the branch's index, then its value.
    if written(Defect::NoValue) {
        long(out, 1);
        // A division of doubles is exact to the last bit on every machine (IEEE 754).
        out.extend_from_slice(&(sample.value_tenths as f64 / 10.0).to_le_bytes());
    } else {
        long(out, 0);
    }
    string(out, |out| out.extend_from_slice(sample.data_type.unit().as_bytes()));
    string(out, |out| match defect {
        Some(Defect::BadDate) => out.extend_from_slice(NO_TIME),
        Some(Defect::StartAfterEnd) => times.write(out, sample.end_ms + 1_000),
        _ => times.write(out, sample.start_ms),
    });
    string(out, |out| times.write(out, sample.end_ms));
    string(out, |out| out.extend_from_slice(SOURCE_BUNDLE));
    // No metadata: a map without blocks.
    long(out, 0);
    // Is synced.
    out.push(1);
    string(out, |out| times.write(out, sample.end_ms));
}

/// A long: zigzag, then seven bits a byte, the lowest first.
pub(super) fn long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A string of less than 64 bytes, which is what all of ours are: one byte of length, then its bytes.
fn string(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    debug_assert!(length < 64, "the length takes one byte");
    out[at] = (length as u8) << 1;
}
