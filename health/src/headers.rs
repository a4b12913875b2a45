//! What a record says in headers of the payload that it carries, so that it can be counted, routed and
//! traced by those who do not decode it. Headers stay true where a payload has a defect.

use crate::{Payload, encode::APP_VERSION, text};

/// The headers' names: a request's id, which no two payloads of a cluster share, the device's id, the
/// app's version and the number of samples.
pub const NAMES: [&str; 4] = ["request-id", "device-id", "app-version", "sample-count"];

/// Appends the values in the order of [`NAMES`], each behind a byte with its length.
pub fn write(payload: &Payload, out: &mut Vec<u8>) {
    with_length(out, |out| payload.write_id(out));
    with_length(out, |out| payload.write_device_id(out));
    with_length(out, |out| out.extend_from_slice(APP_VERSION));
    with_length(out, |out| text::padded(out, payload.samples.len() as u64, 1));
}

fn with_length(out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.push(0);
    value(out);
    // None is longer than 31 bytes.
    out[at] = (out.len() - at - 1) as u8;
}

/// The values that [`write()`] has put at the beginning of some bytes; empty ones where it has not.
#[must_use]
pub fn read(mut bytes: &[u8]) -> [&[u8]; NAMES.len()] {
    NAMES.map(|_| {
        let Some((length, rest)) = bytes.split_first() else { return &[][..] };
        let (value, rest) = rest.split_at_checked(usize::from(*length)).unwrap_or_default();
        bytes = rest;
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HealthDataLoadGenerator;

    #[test]
    fn headers_say_what_the_payload_is() {
        let payload = HealthDataLoadGenerator::new(100, 50).generate_payload(7, None);
        let mut bytes = Vec::new();
        write(&payload, &mut bytes);
        // What follows is nobody's business.
        bytes.push(0xff);
        let values = read(&bytes).map(|value| String::from_utf8_lossy(value).into_owned());
        let sample = payload.sample_id(0);
        let request = sample.strip_suffix("-0000").expect("the first sample's id");
        assert_eq!(values, [request, &payload.device_id(), "1.0.0", "7"]);
    }

    #[test]
    fn bytes_that_are_no_headers_are_no_headers() {
        for bytes in [&[][..], &[9, 1, 2]] {
            assert!(read(bytes).iter().all(|value| value.is_empty()), "{bytes:?}");
        }
    }
}
