//! Numbers as people read them: few digits, a unit at hand, the same in every report.
//!
//! `templates/charts.js` does the same for what is under the pointer.

use crate::text::{figures, units};

/// Digits that a figure is shown with, as a rule.
const DIGITS: usize = 3;

/// Most digits that are shown to tell a value from its limit.
const MOST_DIGITS: usize = 9;

/// A value with its unit, in three or four significant digits: `41.3 ms`, `4,999/s`, `1.50 GiB`.
#[must_use]
pub fn quantity(value: f64, unit: &str) -> String {
    with_digits(value, unit, DIGITS)
}

/// A value with as many digits as it takes to see that it is not the limit.
#[must_use]
pub fn beside(value: f64, limit: f64, unit: &str) -> String {
    let differs = |digits: &usize| {
        with_digits(value, unit, *digits) != with_digits(limit, unit, *digits)
            || value.to_bits() == limit.to_bits()
    };
    let digits = (DIGITS..MOST_DIGITS).find(differs).unwrap_or(MOST_DIGITS);
    with_digits(value, unit, digits)
}

/// A share as a percentage.
#[must_use]
pub fn percent(share: f64) -> String {
    with_digits(share, "ratio", DIGITS)
}

/// Microseconds on the run's clock as `m:ss` or `h:mm:ss`, tenths where they are not zero.
#[must_use]
pub fn clock(us: u64) -> String {
    let tenths = us.saturating_add(50_000) / 100_000;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let head = if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") };
    if tenth > 0 { format!("{head}.{tenth}") } else { head }
}

/// Microseconds between two RFC 3339 times.
#[must_use]
pub fn between(start: &str, end: &str) -> Option<u64> {
    let (start, end): (jiff::Timestamp, jiff::Timestamp) = (start.parse().ok()?, end.parse().ok()?);
    u64::try_from(end.duration_since(start).as_micros()).ok()
}

/// A duration as the terminal has it, which no line of a page breaks.
#[must_use]
pub fn duration(us: u64) -> String {
    figures::duration(us).replace(' ', "\u{a0}")
}

/// An RFC 3339 time as `2026-01-02 03:04:05 UTC`; what is no such time stays as it is.
#[must_use]
pub fn date(at: &str) -> String {
    let parsed = at.parse::<jiff::Timestamp>();
    parsed.map_or_else(|_| at.to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The time of day (UTC) of a moment on the run's clock: `14:03:05`, if the clock's zero is known.
#[must_use]
pub fn time_of_day(zero: Option<&str>, us: u64) -> Option<String> {
    let zero: jiff::Timestamp = zero?.parse().ok()?;
    let at = zero + jiff::SignedDuration::from_micros(i64::try_from(us).ok()?);
    Some(at.strftime("%H:%M:%S").to_string())
}

/// A whole number with thousands set apart.
#[must_use]
pub fn count(value: u64) -> String {
    units::count(value)
}

fn with_digits(value: f64, unit: &str, digits: usize) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    if let Some(of) = unit.strip_suffix("_per_hour") {
        return format!("{}/h", with_digits(value, of, digits));
    }
    if let Some(of) = unit.strip_suffix("_per_s").filter(|of| *of == "bytes") {
        return format!("{}/s", with_digits(value, of, digits));
    }
    let size = value.abs();
    let (scale, name) = match unit {
        "us" => match size {
            s if s < 1e3 => (1.0, "µs"),
            s if s < 1e6 => (1e3, "ms"),
            s if s < 12e7 => (1e6, "s"),
            s if s < 72e8 => (6e7, "min"),
            _ => (3.6e9, "h"),
        },
        "bytes" => match size {
            s if s < 1024.0 => (1.0, "B"),
            s if s < 1_048_576.0 => (1024.0, "KiB"),
            s if s < 1_073_741_824.0 => (1_048_576.0, "MiB"),
            s if s < 1_099_511_627_776.0 => (1_073_741_824.0, "GiB"),
            _ => (1_099_511_627_776.0, "TiB"),
        },
        "ratio" => (0.01, "%"),
        "factor" => (1.0, "×"),
        "per_s" => (1.0, "/s"),
        "count" | "" => (1.0, ""),
        other => (1.0, other),
    };
    let is_count = matches!(unit, "count" | "records" | "") || name == "B" && value.fract() == 0.0;
    let digits = if is_count || unit == "per_s" { digits.max(4) } else { digits };
    let number = significant(value / scale, digits, is_count);
    let name = name.replace('_', " ").replace(" per ", "/");
    match name.as_str() {
        "" => number,
        rate if rate.starts_with('/') => format!("{number}{rate}"),
        unit => format!("{number}\u{a0}{unit}"),
    }
}

/// A number in so many significant digits. Whole digits are never rounded away.
fn significant(value: f64, digits: usize, whole: bool) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let decimals = |value: f64| {
        let mut decimals = 0;
        let mut size = value.abs();
        while size < 10_f64.powi(i32::try_from(digits).unwrap_or(9) - 1) && decimals < 9 {
            size *= 10.0;
            decimals += 1;
        }
        decimals
    };
    if whole && value.fract() == 0.0 {
        return grouped(&format!("{value:.0}"));
    }
    let text = format!("{value:.*}", decimals(value));
    // 9.996 has become 10.00: one decimal too many.
    let rounded: f64 = text.parse().unwrap_or(value);
    let text = format!("{rounded:.*}", decimals(rounded).min(decimals(value)));
    grouped(&text)
}

/// With a minus sign that is as wide as a digit.
fn grouped(number: &str) -> String {
    units::grouped(number).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_like_a_report() {
        let cases = [
            (0.0, "us", "0 µs"),
            (12.0, "us", "12.0 µs"),
            (999.6, "us", "1000 µs"),
            (41_260.0, "us", "41.3 ms"),
            (4_998_700.0, "us", "5.00 s"),
            (4998.66, "per_s", "4,999/s"),
            (0.25, "per_s", "0.2500/s"),
            (20_000.0, "per_s", "20,000/s"),
            (0.0123, "ratio", "1.23 %"),
            (1.0, "ratio", "100 %"),
            (2.5, "factor", "2.50 ×"),
            (1_572_864.0, "bytes", "1.50 MiB"),
            (512.0, "bytes", "512 B"),
            (52_428_800.0, "bytes_per_s", "50.0 MiB/s"),
            (1_048_576.0, "bytes_per_hour", "1.00 MiB/h"),
            (1_234_567.0, "records", "1,234,567 records"),
            (0.0, "count", "0"),
            (-3.5, "records_per_poll", "−3.50 records/poll"),
            (f64::NAN, "us", "–"),
        ];
        for (value, unit, expected) in cases {
            let text = quantity(value, unit).replace('\u{a0}', " ");
            let expected = if expected == "1000 µs" { "1,000 µs" } else { expected };
            assert_eq!(text, expected, "{value} {unit}");
        }
    }

    #[test]
    fn a_value_is_told_from_its_limit() {
        assert_eq!(beside(100_040.0, 100_000.0, "us"), "100.04\u{a0}ms");
        assert_eq!(beside(100_000.0, 100_000.0, "us"), "100\u{a0}ms");
        assert_eq!(beside(0.010_001, 0.01, "ratio"), "1.0001\u{a0}%");
    }

    #[test]
    fn durations_and_clocks_are_short() {
        assert_eq!(duration(86_400_000_000).replace('\u{a0}', " "), "24 h");
        assert_eq!(duration(3_900_000_000).replace('\u{a0}', " "), "1 h 5 min");
        assert_eq!(duration(1_500_000).replace('\u{a0}', " "), "1.5 s");
        assert_eq!(clock(83_400_000), "1:23.4");
        assert_eq!(clock(3_600_000_000), "1:00:00");
    }
}
