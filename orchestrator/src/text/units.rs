//! Units of metrics: how limits are written, and how values read.

/// Ways to write a value of a unit: suffix and factor to the metric's own unit. The first that are
/// listed are those that messages name.
type Suffix = (&'static str, f64);

const TIMES: &[Suffix] = &[
    ("us", 1.0),
    ("ms", 1e3),
    ("s", 1e6),
    ("min", 6e7),
    ("m", 6e7),
    ("h", 3.6e9),
    ("µs", 1.0),
    ("μs", 1.0),
];

const BYTES: &[Suffix] = &[
    ("B", 1.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("kB", 1e3),
];

const PER: &[Suffix] = &[("/s", 1.0), ("/min", 1.0 / 60.0), ("/h", 1.0 / 3_600.0)];
const PER_HOUR: &[Suffix] = &[("/h", 1.0), ("/min", 60.0), ("/s", 3_600.0)];
const SHARE: &[Suffix] = &[("%", 0.01), ("", 1.0)];
const PLAIN: &[Suffix] = &[("", 1.0)];
const TIMES_AS_MUCH: &[Suffix] = &[("", 1.0), ("x", 1.0), ("×", 1.0)];
const CORES: &[Suffix] = &[("", 1.0), ("cores", 1.0)];

/// The unit of a metric's slope.
#[must_use]
pub fn per_hour(unit: &str) -> String {
    format!("{unit}_per_hour")
}

/// Suffixes that fit a unit, an empty one for a plain number; empty for a unit that does not exist.
#[must_use]
pub fn fitting(unit: &str) -> Vec<String> {
    suffixes(unit).into_iter().map(|(suffix, _)| suffix).collect()
}

/// Every suffix of a unit with its factor.
fn suffixes(unit: &str) -> Vec<(String, f64)> {
    let owned = |list: &[Suffix]| list.iter().map(|(s, f)| ((*s).to_owned(), *f)).collect();
    if let Some(base) = unit.strip_suffix("_per_hour") {
        return slope_suffixes(base);
    }
    match unit {
        "us" => owned(TIMES),
        "bytes" => owned(BYTES),
        "per_s" => owned(PER),
        "bytes_per_s" => product(BYTES, PER),
        "ratio" => owned(SHARE),
        "factor" => owned(TIMES_AS_MUCH),
        "count" | "records" | "records_per_poll" => owned(PLAIN),
        "cores" => owned(CORES),
        _ => Vec::new(),
    }
}

/// A slope is written with `/h`, or as the metric itself: `slope per hour` has said it.
fn slope_suffixes(base: &str) -> Vec<(String, f64)> {
    let plain = suffixes(base);
    let rates = plain.iter().flat_map(|(suffix, factor)| {
        PER_HOUR.iter().map(move |(per, times)| (format!("{suffix}{per}"), factor * times))
    });
    let rates: Vec<_> = rates.collect();
    if base == "bytes" { rates } else { plain.into_iter().chain(rates).collect() }
}

fn product(left: &[Suffix], right: &[Suffix]) -> Vec<(String, f64)> {
    let pairs = right.iter().flat_map(|(per, times)| {
        left.iter().map(move |(suffix, factor)| (format!("{suffix}{per}"), factor * times))
    });
    pairs.collect()
}

/// Why a quantity could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuantityError {
    /// There is no number at its start.
    NoNumber,
    /// It is beyond what a number can hold.
    TooLarge,
    /// The suffix does not belong to the unit, or a suffix is needed.
    Unit {
        /// The suffix as written; empty if there was none.
        suffix: String,
        /// Suffixes that fit; an empty one means a plain number.
        fitting: Vec<String>,
    },
}

/// Reads `250ms`, `4950/s`, `1%`, `600 MiB`, `0` as a value in a metric's unit. A zero needs no
/// suffix.
///
/// # Errors
///
/// If there is no finite number, or if its suffix does not fit the unit.
pub fn parse(text: &str, unit: &str) -> Result<f64, QuantityError> {
    let text = text.trim();
    let (number, suffix) = text.split_at(number_length(text));
    let digits = number.replace('_', "");
    let number: f64 = digits.parse().map_err(|_| QuantityError::NoNumber)?;
    let suffix = suffix.trim();
    let all = suffixes(unit);
    if let Some((_, factor)) = all.iter().find(|(known, _)| known == suffix) {
        let value = times(&digits, number, *factor);
        return if value.is_finite() { Ok(value) } else { Err(QuantityError::TooLarge) };
    }
    if suffix.is_empty() && number == 0.0 {
        return Ok(0.0);
    }
    let fitting = all.into_iter().map(|(suffix, _)| suffix).collect();
    Err(QuantityError::Unit { suffix: suffix.to_owned(), fitting })
}

/// Number times factor. A power of ten moves the decimal point instead, so that 99.9 % is read as the
/// same number as 0.999, to the last bit.
fn times(digits: &str, number: f64, factor: f64) -> f64 {
    let exponent = factor.log10().round();
    let is_power_of_ten = (10_f64.powf(exponent) / factor - 1.0).abs() < 1e-12;
    let shifted = (is_power_of_ten && !digits.contains(['e', 'E']))
        .then(|| format!("{digits}e{exponent}").parse().ok())
        .flatten();
    shifted.unwrap_or(number * factor)
}

/// Bytes of the number at the start: sign, digits with underscores, fraction, exponent.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        from + bytes[from..].iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count()
    };
    let mut end = usize::from(bytes.first().is_some_and(|b| b"+-".contains(b)));
    end = digits(end);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if bytes.get(end).is_some_and(|b| b"eE".contains(b)) {
        let signed = end + 1 + usize::from(bytes.get(end + 1).is_some_and(|b| b"+-".contains(b)));
        if digits(signed.min(bytes.len())) > signed {
            end = digits(signed);
        }
    }
    end
}

/// Digits of a value that was measured, and of one that is estimated or needs no more.
const DIGITS: i32 = 4;
const ROUGH_DIGITS: i32 = 3;

/// A value for people: `312 ms`, `4,998.7/s`, `1.2 MiB`, `0.5 %`.
#[must_use]
pub fn human(value: f64, unit: &str) -> String {
    in_digits(value, unit, DIGITS)
}

/// The same in three digits.
#[must_use]
pub fn rough(value: f64, unit: &str) -> String {
    in_digits(value, unit, ROUGH_DIGITS)
}

fn in_digits(value: f64, unit: &str, most: i32) -> String {
    if let Some(base) = unit.strip_suffix("_per_hour") {
        return format!("{}/h", in_digits(value, base, most));
    }
    let digits = |value: f64| significant(value, most);
    match unit {
        "us" => scaled(value, &[(" s", 1e6), (" ms", 1e3), (" µs", 1.0)], most),
        "bytes" => scaled(value, BINARY, most),
        "bytes_per_s" => format!("{}/s", scaled(value, BINARY, most)),
        "per_s" => format!("{}/s", digits(value)),
        "ratio" => format!("{} %", digits(value * 100.0)),
        "factor" => format!("{} ×", digits(value)),
        "records" => {
            format!("{} {}", digits(value), if value == 1.0 { "record" } else { "records" })
        }
        "records_per_poll" => format!("{} records/poll", digits(value)),
        "cores" => format!("{} {}", digits(value), if value == 1.0 { "core" } else { "cores" }),
        _ => digits(value),
    }
}

/// Value and limit for people, with as many digits as it takes to distinguish them: a value that misses
/// its limit is never shown as equal to it.
#[must_use]
pub fn human_pair(value: f64, limit: f64, unit: &str) -> (String, String) {
    let short = (human(value, unit), human(limit, unit));
    if short.0 != short.1 || value == limit {
        return short;
    }
    let exact = |v: f64| format!("{} ({v} {unit})", human(v, unit));
    (exact(value), exact(limit))
}

const BINARY: &[Suffix] = &[
    (" TiB", 1_099_511_627_776.0),
    (" GiB", 1_073_741_824.0),
    (" MiB", 1_048_576.0),
    (" KiB", 1024.0),
    (" B", 1.0),
];

/// In the largest unit of which the value is at least one.
fn scaled(value: f64, units: &[Suffix], most: i32) -> String {
    let fits = units.iter().find(|(_, size)| value.abs() >= *size);
    let (suffix, size) = fits.or(units.last()).copied().unwrap_or(("", 1.0));
    format!("{}{suffix}", significant(value / size, most))
}

/// Four significant digits and no zeros at the end; whole numbers in full, in groups of three.
#[must_use]
pub fn digits(value: f64) -> String {
    significant(value, DIGITS)
}

fn significant(value: f64, most: i32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm of an f64 is below 400")]
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = usize::try_from((most - 1 - magnitude).clamp(0, 12)).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    grouped(text)
}

/// A count in full: `1,234,567`.
#[must_use]
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A decimal number with its thousands apart.
#[must_use]
pub fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |rest| ("-", rest));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_the_metric_s_unit() {
        for (text, unit, value) in [
            ("250ms", "us", 250_000.0),
            ("1.5 s", "us", 1_500_000.0),
            ("4950/s", "per_s", 4_950.0),
            ("60/min", "per_s", 1.0),
            ("1%", "ratio", 0.01),
            ("0.01", "ratio", 0.01),
            ("1.5", "factor", 1.5),
            ("1.5x", "factor", 1.5),
            ("99.9%", "ratio", 0.999),
            ("600MiB", "bytes", 629_145_600.0),
            ("50MB/s", "bytes_per_s", 5e7),
            ("10MiB/h", "bytes_per_hour", 10_485_760.0),
            ("5ms", "us_per_hour", 5_000.0),
            ("5ms/h", "us_per_hour", 5_000.0),
            ("1_000", "records", 1_000.0),
            ("1e3", "count", 1_000.0),
            ("-5MiB", "bytes", -5_242_880.0),
            ("0", "us", 0.0),
        ] {
            assert_eq!(parse(text, unit), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_unit_that_does_not_fit_is_an_error() {
        for (text, unit) in [
            ("250", "us"),
            ("250/s", "us"),
            ("5000/sec", "per_s"),
            ("1%", "records"),
            ("5h", "bytes"),
        ] {
            assert!(matches!(parse(text, unit), Err(QuantityError::Unit { .. })), "{text}");
        }
        for text in ["", "ms", "nan", "inf", "fast", "1.2.3ms", "--1"] {
            assert!(parse(text, "us").is_err(), "{text}");
        }
    }

    #[test]
    fn values_read_well() {
        for (value, unit, text) in [
            (312_000.0, "us", "312 ms"),
            (4_812_345.0, "us", "4.812 s"),
            (830.0, "us", "830 µs"),
            (4_998.73, "per_s", "4,999/s"),
            (99.87, "per_s", "99.87/s"),
            (0.005, "ratio", "0.5 %"),
            (2.5, "factor", "2.5 ×"),
            (629_145_600.0, "bytes", "600 MiB"),
            (1.0, "records", "1 record"),
            (1_234_567.0, "records", "1,234,567 records"),
            (-2048.0, "bytes_per_hour", "-2 KiB/h"),
            (0.0, "us", "0 µs"),
        ] {
            assert_eq!(human(value, unit), text);
        }
    }

    #[test]
    fn a_value_that_misses_is_never_shown_as_its_limit() {
        let (value, limit) = human_pair(250_001.0, 250_000.0, "us");
        assert_ne!(value, limit);
        assert_eq!(value, "250 ms (250001 us)");
        assert_eq!(human_pair(250_000.0, 250_000.0, "us").0, "250 ms");
    }
}
