//! Payloads as JSON. Nothing that is written needs an escape, but for one unit's dot, which is UTF-8.

use super::fixed::{APP_VERSION, NO_TIME, SOURCE_BUNDLE};
use crate::{Defect, Payload, text, text::Times};

/// Appends a payload. What its defect takes away is left out as a whole.
pub(super) fn write(payload: &Payload, times: &mut Times, out: &mut Vec<u8>) {
    let defect = payload.own_defect();
    out.push(b'{');
    if defect != Some(Defect::NoDeviceId) {
        out.extend_from_slice(b"\"deviceId\":\"");
        payload.write_device_id(out);
        out.extend_from_slice(b"\",");
    }
    if defect != Some(Defect::NoUserId) {
        out.extend_from_slice(b"\"userId\":\"");
        payload.write_user_id(out);
        out.extend_from_slice(b"\",");
    }
    out.extend_from_slice(b"\"timestamp\":\"");
    match defect {
        Some(Defect::BadTimestamp) => out.extend_from_slice(NO_TIME),
        _ => times.write(out, payload.timestamp_ms),
    }
    out.extend_from_slice(b"\",\"appVersion\":\"");
    out.extend_from_slice(APP_VERSION);
    out.extend_from_slice(b"\",\"samples\":[");
    for index in 0..payload.samples.len() {
        if index > 0 {
            out.push(b',');
        }
        write_sample(payload, index, times, out);
    }
    out.extend_from_slice(b"]}");
}

fn write_sample(payload: &Payload, index: usize, times: &mut Times, out: &mut Vec<u8>) {
    let sample = &payload.samples[index];
    let defect = payload.defect_of(index);
    out.push(b'{');
    if defect != Some(Defect::NoSampleId) {
        out.extend_from_slice(b"\"id\":\"");
        payload.write_sample_id(index, out);
        out.extend_from_slice(b"\",");
    }
    if defect != Some(Defect::NoType) {
        out.extend_from_slice(b"\"type\":\"");
        out.extend_from_slice(sample.data_type.name().as_bytes());
        out.extend_from_slice(b"\",");
    }
    if defect != Some(Defect::NoValue) {
        out.extend_from_slice(b"\"value\":");
        text::tenths(out, sample.value_tenths);
        out.push(b',');
    }
    out.extend_from_slice(b"\"unit\":\"");
    out.extend_from_slice(sample.data_type.unit().as_bytes());
    out.extend_from_slice(b"\",\"startDate\":\"");
    match defect {
        Some(Defect::BadDate) => out.extend_from_slice(NO_TIME),
        Some(Defect::StartAfterEnd) => times.write(out, sample.end_ms + 1_000),
        _ => times.write(out, sample.start_ms),
    }
    out.extend_from_slice(b"\",\"endDate\":\"");
    times.write(out, sample.end_ms);
    out.extend_from_slice(b"\",\"sourceBundle\":\"");
    out.extend_from_slice(SOURCE_BUNDLE);
    out.extend_from_slice(b"\",\"metadata\":{},\"isSynced\":true,\"createdAt\":\"");
    times.write(out, sample.end_ms);
    out.extend_from_slice(b"\"}");
}
