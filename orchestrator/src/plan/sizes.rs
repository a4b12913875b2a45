//! How large records are on average: what turns a rate in bytes into one in records, and what `mallard
//! plan` counts bytes with.

use mallard_health::{Encoding, HealthDataLoadGenerator, Payload, encode::Encoder, headers};
use mallard_protocol::{
    health::HealthSpec,
    stamp::{HEADER, STAMP_BYTES},
    workload::{KeySpec, PayloadSpec, ProducerSpec, SizeSpec, StampPlace},
};

/// Bytes that a record takes in a batch beside key, value and headers, and its part of the batch's own
/// header: lengths and deltas as variable-length integers (Kafka protocol, record batch v2).
const RECORD_OVERHEAD_BYTES: f64 = 10.0;

/// Health payloads that are made to see how large they are.
const HEALTH_TRIALS: u64 = 200;

/// Bytes that the headers of a health payload's own take: names, values and two lengths each.
const OWN_HEADERS_BYTES: usize = 39 + 43 + 2 * headers::NAMES.len();

/// Bytes of a key that comes from a field: as many as a user's id has.
const FIELD_KEY_BYTES: f64 = 11.0;

/// Mean size of a value, in bytes.
#[must_use]
pub fn mean_value_bytes(payload: &PayloadSpec) -> f64 {
    match payload {
        PayloadSpec::Bytes { size, .. } => mean_size(size),
        PayloadSpec::Lines { lines } => {
            real(lines.iter().map(Vec::len).sum::<usize>()) / real(lines.len().max(1))
        }
        PayloadSpec::Template { source } => {
            super::template::trial(source).map_or(real(source.len()), |text| real(text.len()))
        }
        PayloadSpec::Health(spec) => {
            let sizes = health_trial(spec);
            real(sizes.iter().sum::<usize>()) / real(sizes.len().max(1))
        }
    }
}

/// Smallest value that may occur, in bytes.
#[must_use]
pub fn smallest_value_bytes(size: &SizeSpec) -> u32 {
    match size {
        SizeSpec::Fixed(size) => *size,
        SizeSpec::Uniform { min, .. }
        | SizeSpec::Normal { min, .. }
        | SizeSpec::LogNormal { min, .. } => *min,
    }
}

/// Largest value that may occur, in bytes.
#[must_use]
pub fn largest_value_bytes(payload: &PayloadSpec) -> usize {
    match payload {
        PayloadSpec::Bytes { size, .. } => match size {
            SizeSpec::Fixed(max)
            | SizeSpec::Uniform { max, .. }
            | SizeSpec::Normal { max, .. }
            | SizeSpec::LogNormal { max, .. } => *max as usize,
        },
        PayloadSpec::Lines { lines } => lines.iter().map(Vec::len).max().unwrap_or(0),
        PayloadSpec::Template { .. } => 0,
        PayloadSpec::Health(spec) => health_trial(spec).into_iter().max().unwrap_or(0),
    }
}

/// Sizes of the first payloads of some producer. Their mean is within a percent of all payloads'.
fn health_trial(spec: &HealthSpec) -> Vec<usize> {
    let Ok(Ok(generator)) = spec.config(0, 0, 1).map(HealthDataLoadGenerator::with_config) else {
        return Vec::new();
    };
    // Every id is as long as any other.
    let encoding = spec.format.encoding().unwrap_or(Encoding::Confluent { schema_id: 0 });
    let mut encoder = Encoder::new(encoding);
    let (mut payload, mut bytes) = (Payload::default(), Vec::new());
    let mut size = |sequence| {
        generator.generate_into(sequence, &mut payload);
        bytes.clear();
        encoder.encode(&payload, &mut bytes);
        bytes.len()
    };
    (0..HEALTH_TRIALS).map(&mut size).collect()
}

fn mean_size(size: &SizeSpec) -> f64 {
    match *size {
        SizeSpec::Fixed(size) => f64::from(size),
        SizeSpec::Uniform { min, max } => f64::midpoint(f64::from(min), f64::from(max)),
        // What is cut off at the ends is left out of account: with limits around the middle it is little.
        SizeSpec::Normal { mean, min, max, .. } => mean.clamp(f64::from(min), f64::from(max)),
        SizeSpec::LogNormal { median, sigma, min, max } => {
            (median * (sigma * sigma / 2.0).exp()).clamp(f64::from(min), f64::from(max))
        }
    }
}

/// Mean size of a key, in bytes: keys are decimal numbers from 0. Zipf's and hot keys are shorter.
/// What a field holds is not known here and taken to be an id.
#[must_use]
pub fn mean_key_bytes(key: &KeySpec) -> f64 {
    match key {
        KeySpec::None => 0.0,
        KeySpec::Field { .. } => FIELD_KEY_BYTES,
        KeySpec::Sequential { count }
        | KeySpec::Uniform { count }
        | KeySpec::Zipf { count, .. }
        | KeySpec::Hot { count, .. } => mean_digits(*count),
    }
}

/// Mean number of digits of the numbers below `count`.
fn mean_digits(count: u64) -> f64 {
    let mut digits = 0.0;
    let (mut low, mut width) = (0_u64, 1_u32);
    while low < count {
        let high = 10_u64.checked_pow(width).unwrap_or(u64::MAX).min(count);
        digits += f64::from(width) * wide(high - low);
        (low, width) = (high, width + 1);
    }
    digits / wide(count.max(1))
}

/// Mean size of a record's key and value, in bytes: what rates in bytes mean.
#[must_use]
pub fn mean_record_bytes(payload: &PayloadSpec, key: &KeySpec) -> f64 {
    mean_value_bytes(payload) + mean_key_bytes(key)
}

/// Mean size of a record on a broker's disk before compression, in bytes.
#[must_use]
pub fn mean_stored_bytes(producer: &ProducerSpec) -> f64 {
    let pair = |(name, value): &(String, String)| name.len() + value.len() + 2;
    let stamp = match producer.stamp {
        StampPlace::Header => HEADER.len() + STAMP_BYTES + 2,
        StampPlace::Payload | StampPlace::Nowhere => 0,
    };
    let own = match &producer.payload {
        PayloadSpec::Health(health) if health.headers => OWN_HEADERS_BYTES,
        _ => 0,
    };
    let headers = producer.headers.iter().map(pair).sum::<usize>() + stamp + own;
    mean_record_bytes(&producer.payload, &producer.key) + real(headers) + RECORD_OVERHEAD_BYTES
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn real(bytes: usize) -> f64 {
    bytes as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts of keys are far below 2^53")]
fn wide(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_as_many_bytes_as_digits() {
        assert!((mean_key_bytes(&KeySpec::Uniform { count: 10 }) - 1.0).abs() < 1e-9);
        assert!((mean_key_bytes(&KeySpec::Uniform { count: 100 }) - 1.9).abs() < 1e-9);
        assert!((mean_key_bytes(&KeySpec::None)).abs() < 1e-9);
    }
}
