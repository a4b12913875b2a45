//! Reads a histogram of an interval log straight into Mallard's own.
//!
//! HdrHistogram's decoder builds a counter for every cell of an hour, 184 KiB, for each of the
//! hundred thousand lines of a long run. A line holds a few hundred cells; this touches no more.
//!
//! Format, from `encodeIntoByteBuffer` of <https://github.com/HdrHistogram/HdrHistogram>: big-endian
//! cookie, payload length, normalising offset, digits (u32 each), lowest and highest value (u64),
//! ratio (f64), then the counts as zig-zag LEB128 where a negative number is a run of empty cells.

use flate2::read::ZlibDecoder;
use mallard_protocol::histogram::{Histogram, MAX_VALUE_US};
use std::io::Read;

/// V2, deflated.
const DEFLATED: u32 = 0x1c84_9314;
/// V2.
const PLAIN: u32 = 0x1c84_9313;
/// Bytes before the counts.
const HEADER_BYTES: usize = 40;
/// A histogram of an hour with every cell used takes 212 KB; nothing honest is longer.
const LIMIT_BYTES: u64 = 4 << 20;

/// Decodes a histogram; `max` is what its line says of the largest value, in the same unit.
pub(super) fn histogram(bytes: &[u8], max: f64) -> Result<Histogram, String> {
    let (cookie, rest) = bytes.split_first_chunk().ok_or("the histogram is cut short")?;
    if u32::from_be_bytes(*cookie) != DEFLATED {
        return Err("the histogram is not of HdrHistogram's deflated second version".into());
    }
    let deflated = rest.get(4..).ok_or("the histogram is cut short")?;
    let mut plain = Vec::new();
    let mut decoder = ZlibDecoder::new(deflated).take(LIMIT_BYTES);
    decoder
        .read_to_end(&mut plain)
        .map_err(|error| format!("the histogram is damaged: {error}"))?;
    counts(&plain, max)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below an hour")]
fn counts(plain: &[u8], max: f64) -> Result<Histogram, String> {
    let (header, mut rest) =
        plain.split_at_checked(HEADER_BYTES).ok_or("its header is cut short")?;
    let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|i| header[at + i]));
    let long = |at: usize| (u64::from(word(at)) << 32) | u64::from(word(at + 4));
    if word(0) != PLAIN || word(8) != 0 || word(12) != 3 || long(16) != 1 {
        return Err("the histogram has another layout than Mallard's".into());
    }
    let max = (max.max(0.0) as u64).min(MAX_VALUE_US);
    let mut histogram = Histogram::new();
    let mut cell = 0_u64;
    while !rest.is_empty() {
        let number = zig_zag(leb128(&mut rest).ok_or("the histogram's counts are cut short")?);
        if number < 0 {
            cell = cell.saturating_add(number.unsigned_abs());
            continue;
        }
        if number > 0 {
            let (lowest, highest) = range_of(cell).ok_or("the histogram has too many cells")?;
            // The exact maximum lies in the last cell; elsewhere the middle stands for the cell.
            let inside = (lowest..=highest).contains(&max);
            let value = if inside { max } else { lowest + (highest - lowest) / 2 };
            histogram.record_n(value.min(MAX_VALUE_US), number.unsigned_abs());
        }
        cell += 1;
    }
    Ok(histogram)
}

/// Lowest and highest value of a cell: 2,048 linear ones, then 1,024 an octave.
fn range_of(cell: u64) -> Option<(u64, u64)> {
    let octave = (cell >> 10).saturating_sub(1);
    let step = cell - (octave << 10);
    (octave < 32).then(|| (step << octave, ((step + 1) << octave) - 1))
}

fn zig_zag(encoded: u64) -> i64 {
    (encoded >> 1).cast_signed() ^ -(encoded & 1).cast_signed()
}

/// LEB128 of 64 bits in at most nine bytes: the ninth is taken as it is. Nearly all numbers are one byte.
fn leb128(bytes: &mut &[u8]) -> Option<u64> {
    if let [first @ ..0x80, rest @ ..] = *bytes {
        *bytes = rest;
        return Some(u64::from(*first));
    }
    let mut value = 0;
    for at in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if at == 8 {
            return Some(value | u64::from(*byte) << 56);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}
