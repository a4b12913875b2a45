//! Numbers, times and names as text, appended to bytes without a detour over `String`.

use jiff::{Timestamp, tz::TimeZone};

const DAY_MS: i64 = 86_400_000;

/// Appends a number with at least `width` digits.
pub(crate) fn padded(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

/// Appends a number of tenths: `72`, `36.6`, `-0.5`.
pub(crate) fn tenths(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    let size = number.unsigned_abs();
    padded(out, size / 10, 1);
    if !size.is_multiple_of(10) {
        out.push(b'.');
        padded(out, size % 10, 1);
    }
}

/// Appends the lowest `width` hexadecimal digits.
pub(crate) fn hex(out: &mut Vec<u8>, number: u64, width: u32) {
    for place in (0..width).rev() {
        out.push(b"0123456789abcdef"[(number >> (4 * place) & 0xf) as usize]);
    }
}

/// Writes times as RFC 3339 with milliseconds. It remembers the day, since the next time is nearly
/// always on the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    day: Option<i64>,
    date: [u8; 10],
}

impl Times {
    /// Appends a time in milliseconds since 1970: `2025-11-15T10:00:00.000Z`.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, epoch_ms: i64) {
        let day = epoch_ms.div_euclid(DAY_MS);
        if self.day != Some(day) {
            self.date = date(epoch_ms);
            self.day = Some(day);
        }
        let of_day = epoch_ms.rem_euclid(DAY_MS).unsigned_abs();
        let seconds = of_day / 1_000;
        out.extend_from_slice(&self.date);
        for (mark, part) in
            [(b'T', seconds / 3_600), (b':', seconds / 60 % 60), (b':', seconds % 60)]
        {
            out.push(mark);
            padded(out, part, 2);
        }
        out.push(b'.');
        padded(out, of_day % 1_000, 3);
        out.push(b'Z');
    }
}

/// The calendar's part of a time: `2025-11-15`.
fn date(epoch_ms: i64) -> [u8; 10] {
    // Beyond the years -9999 to 9999 there is no time to write; only steps of many days get there.
    let time = Timestamp::from_millisecond(epoch_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = time.to_zoned(TimeZone::UTC).date();
    let mut text = Vec::with_capacity(10);
    padded(&mut text, date.year().unsigned_abs().into(), 4);
    text.push(b'-');
    padded(&mut text, date.month().unsigned_abs().into(), 2);
    text.push(b'-');
    padded(&mut text, date.day().unsigned_abs().into(), 2);
    text.try_into().unwrap_or(*b"1970-01-01")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_read_like_this() {
        assert_eq!(written(|out| padded(out, 0, 1)), "0");
        assert_eq!(written(|out| padded(out, 42, 4)), "0042");
        assert_eq!(written(|out| padded(out, 1_234_567, 4)), "1234567");
        assert_eq!(written(|out| padded(out, u64::MAX, 1)), u64::MAX.to_string());
        assert_eq!(written(|out| tenths(out, 720)), "72");
        assert_eq!(written(|out| tenths(out, 366)), "36.6");
        assert_eq!(written(|out| tenths(out, -5)), "-0.5");
        assert_eq!(written(|out| hex(out, 0x1f, 4)), "001f");
    }

    proptest! {
        #[test]
        fn times_read_back(epoch_ms in 0_i64..4_000_000_000_000, later in 0_i64..200_000_000) {
            let mut times = Times::default();
            for ms in [epoch_ms, epoch_ms + later] {
                let text = written(|out| times.write(out, ms));
                prop_assert_eq!(text.parse::<Timestamp>().unwrap().as_millisecond(), ms);
            }
        }
    }
}
