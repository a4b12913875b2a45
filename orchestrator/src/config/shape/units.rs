//! Numbers with units: rates, durations, sizes, shares. Each has one spelling for each unit.

use super::shortened;
use crate::text::nearest::nearest;
use std::{ops::Range, time::Duration};

/// Longest number with a unit. Longer ones lose digits or become infinite, and nobody wrote them by hand.
const LONGEST: usize = 64;

/// Refuses what is too long to be a number with a unit.
fn check_length(text: &str, help: &str) -> Result<(), Wrong> {
    if text.len() <= LONGEST {
        return Ok(());
    }
    let message = format!("`{}` is too long for a number with a unit", shortened(text));
    Err(Wrong::new(message, help))
}

/// Why a scalar is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong.
    pub message: String,
    /// What is allowed.
    pub help: String,
    /// Which bytes of the scalar are meant; all if `None`.
    pub part: Option<Range<usize>>,
}

impl Wrong {
    /// About the whole scalar.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), part: None }
    }

    fn at(mut self, part: Range<usize>) -> Self {
        self.part = Some(part);
        self
    }
}

/// How fast records are to be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Records per second.
    Records(f64),
    /// Bytes of keys and values per second.
    Bytes(f64),
    /// As fast as the client takes them: a closed loop.
    Max,
}

impl Rate {
    /// Whether nothing is sent at this rate.
    #[must_use]
    pub fn is_zero(self) -> bool {
        matches!(self, Self::Records(rate) | Self::Bytes(rate) if rate <= 0.0)
    }
}

/// Highest rate in records per second: far above what one cluster takes, far below where sums of
/// 40 days leave the whole numbers of a double.
pub const RATE_LIMIT_PER_S: f64 = 1e9;

/// Units of time with their length in microseconds, and what people write instead.
const TIMES: [(&str, u64, &[&str]); 6] = [
    ("us", 1, &["microseconds", "micros", "usec"]),
    ("ms", 1_000, &["milliseconds", "millis", "msec"]),
    ("s", 1_000_000, &["seconds", "second", "secs", "sec"]),
    ("m", 60_000_000, &["minutes", "minute", "mins", "min"]),
    ("h", 3_600_000_000, &["hours", "hour", "hrs", "hr"]),
    ("d", 86_400_000_000, &["days", "day"]),
];

const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

const PERIODS: [(&str, f64, &[&str]); 3] = [
    ("s", 1.0, &["sec", "second", "seconds", "secs", "psec"]),
    ("min", 60.0, &["minute", "minutes", "m", "mins"]),
    ("h", 3_600.0, &["hour", "hours", "hr"]),
];

/// Regular expression of durations.
pub const DURATION_PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(us|ms|s|m|h|d))+$";
/// Regular expression of sizes.
pub const SIZE_PATTERN: &str = r"^[0-9]+(\.[0-9]+)?(B|KB|KiB|MB|MiB|GB|GiB)$";
/// Regular expression of rates.
pub const RATE_PATTERN: &str = r"^[0-9]+(\.[0-9]+)?(B|KB|KiB|MB|MiB|GB|GiB)?/(s|min|h)$";
/// Regular expression of rates where a closed loop is possible.
pub const RATE_OR_MAX_PATTERN: &str =
    r"^([0-9]+(\.[0-9]+)?(B|KB|KiB|MB|MiB|GB|GiB)?/(s|min|h)|max)$";
/// Regular expression of shares.
pub const SHARE_PATTERN: &str = r"^[0-9]+(\.[0-9]+)?%$";

const TIME_HELP: &str =
    "units of time: `us`, `ms`, `s`, `m`, `h`, `d`, as in `500ms`, `10m`, `1h30m`";
const SIZE_HELP: &str = "units of size: `B`, `KB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, as in `1KiB`";
const RATE_HELP: &str =
    "a rate is records or bytes per `s`, `min` or `h`: `5000/s`, `300/min`, `50MB/s`; or `max`";

/// A number at the start of a text, and what follows it.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let mut end = whole;
    if text[whole..].starts_with('.') {
        let fraction = digits(&text[whole + 1..]);
        end += if fraction > 0 { fraction + 1 } else { 0 };
    }
    let number = text[..end].parse::<f64>().ok().filter(|_| whole > 0)?;
    Some((number, &text[end..]))
}

/// Reads a duration: `500ms`, `10m`, `1h30m`.
///
/// # Errors
///
/// When there is no number, no unit, or an unknown one.
pub fn duration(text: &str) -> Result<Duration, Wrong> {
    check_length(text, TIME_HELP)?;
    let mut rest = text;
    let mut total_us = 0.0;
    if rest.is_empty() {
        return Err(Wrong::new("expected a duration, found nothing", TIME_HELP));
    }
    while !rest.is_empty() {
        let Some((number, after)) = leading_number(rest) else {
            return Err(Wrong::new(format!("`{text}` is not a duration"), TIME_HELP));
        };
        let word = after.bytes().take_while(|b| !b.is_ascii_digit()).count();
        let (unit, next) = after.split_at(word);
        let start = text.len() - after.len();
        let Some((_, us, _)) = TIMES.iter().find(|(name, ..)| *name == unit) else {
            return Err(wrong_time_unit(text, number, unit, start));
        };
        total_us += number * to_real(*us);
        rest = next;
    }
    // 100 years: whatever is meant, it is not that.
    if total_us > 3.2e15 {
        return Err(Wrong::new(format!("`{text}` is longer than a hundred years"), TIME_HELP));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..3.2e15")]
    Ok(Duration::from_micros(total_us.round() as u64))
}

fn wrong_time_unit(text: &str, number: f64, unit: &str, start: usize) -> Wrong {
    if unit.is_empty() {
        return Wrong::new(
            format!("`{text}` has no unit"),
            format!("write `{number}s` for seconds; {TIME_HELP}"),
        );
    }
    let names = TIMES.iter().flat_map(|(name, _, others)| {
        others.iter().chain([name]).map(|other| (*other, *name)).collect::<Vec<_>>()
    });
    let names: Vec<_> = names.collect();
    let near = nearest(unit.trim(), names.iter().map(|(word, _)| *word));
    let meant = near.and_then(|near| names.iter().find(|(word, _)| *word == near));
    let help = meant.map_or(TIME_HELP.to_owned(), |(_, unit)| {
        format!("did you mean `{number}{unit}`? {TIME_HELP}")
    });
    Wrong::new(format!("`{}` is not a unit of time", unit.trim()), help)
        .at(start + (unit.len() - unit.trim_start().len())..start + unit.trim_end().len())
}

/// Reads a size in bytes: `1KiB`, `1.5MB`, `512`.
///
/// # Errors
///
/// When there is no number, an unknown unit, or a fraction of a byte.
pub fn size(text: &str) -> Result<u64, Wrong> {
    check_length(text, SIZE_HELP)?;
    let Some((number, unit)) = leading_number(text) else {
        return Err(Wrong::new(format!("`{text}` is not a size"), SIZE_HELP));
    };
    let factor = size_factor(unit, text.len() - unit.len(), number)?;
    let bytes = number * factor;
    if bytes.fract() != 0.0 || bytes > 1e15 {
        return Err(Wrong::new(format!("`{text}` is not a whole number of bytes"), SIZE_HELP));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..1e15")]
    Ok(bytes as u64)
}

fn size_factor(unit: &str, start: usize, number: f64) -> Result<f64, Wrong> {
    if unit.is_empty() {
        return Ok(1.0);
    }
    if let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == unit) {
        return Ok(to_real(*bytes));
    }
    let word = unit.trim();
    let same = SIZES.iter().map(|(name, _)| *name).find(|name| name.eq_ignore_ascii_case(word));
    let near = same.or_else(|| match word.to_ascii_lowercase().as_str() {
        "k" | "kbyte" | "kbytes" => Some("KiB"),
        "m" | "mbyte" | "mbytes" => Some("MiB"),
        "g" | "gbyte" | "gbytes" => Some("GiB"),
        "bytes" | "byte" => Some("B"),
        _ => None,
    });
    let help = near
        .map_or(SIZE_HELP.to_owned(), |near| format!("did you mean `{number}{near}`? {SIZE_HELP}"));
    let lead = unit.len() - unit.trim_start().len();
    Err(Wrong::new(format!("`{word}` is not a unit of size"), help)
        .at(start + lead..start + unit.trim_end().len()))
}

/// Reads a rate: `5000/s`, `300/min`, `50MB/s`, `max`.
///
/// # Errors
///
/// When there is no number, no unit, an unknown one, or too high a rate.
pub fn rate(text: &str) -> Result<Rate, Wrong> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    check_length(text, RATE_HELP)?;
    if let Some(joined) = without_space(text) {
        let message = format!("`{text}` has a space in it");
        return Err(Wrong::new(message, format!("write `{joined}`; {RATE_HELP}")));
    }
    let Some((number, rest)) = leading_number(text) else {
        return Err(Wrong::new(format!("`{text}` is not a rate"), RATE_HELP));
    };
    if rest.is_empty() {
        let help = format!("write `{text}/s` for records per second; {RATE_HELP}");
        return Err(Wrong::new(format!("`{text}` has no unit"), help));
    }
    let start = text.len() - rest.len();
    let Some((unit, period)) = rest.split_once('/') else {
        let lead = rest.len() - rest.trim_start().len();
        let wrong = Wrong::new(format!("`{}` is not a unit of rate", rest.trim()), RATE_HELP);
        return Err(wrong.at(start + lead..start + rest.trim_end().len()));
    };
    let Some((_, seconds, _)) = PERIODS.iter().find(|(name, ..)| *name == period) else {
        return Err(wrong_period(text, number, unit, period));
    };
    let rate = number / seconds;
    let rate = if unit.is_empty() {
        Rate::Records(rate)
    } else {
        Rate::Bytes(rate * size_factor(unit, start, number)?)
    };
    match rate {
        Rate::Records(rate) if rate > RATE_LIMIT_PER_S => {
            Err(Wrong::new(format!("`{text}` is more than 1000000000/s"), RATE_HELP))
        }
        Rate::Bytes(rate) if rate > 1e12 => {
            Err(Wrong::new(format!("`{text}` is more than 1000GB/s"), RATE_HELP))
        }
        rate => Ok(rate),
    }
}

/// A rate without its spaces, if they are all that is wrong with it.
fn without_space(text: &str) -> Option<String> {
    let joined: String = text.split_whitespace().collect();
    (joined != text && rate(&joined).is_ok()).then_some(joined)
}

fn wrong_period(text: &str, number: f64, unit: &str, period: &str) -> Wrong {
    let names = PERIODS.iter().flat_map(|(name, _, others)| {
        others.iter().chain([name]).map(|other| (*other, *name)).collect::<Vec<_>>()
    });
    let names: Vec<_> = names.collect();
    let near = nearest(period.trim(), names.iter().map(|(word, _)| *word));
    let meant = near.and_then(|near| names.iter().find(|(word, _)| *word == near));
    let help = meant.map_or(RATE_HELP.to_owned(), |(_, period)| {
        format!("did you mean `{number}{unit}/{period}`? {RATE_HELP}")
    });
    let message = format!("`/{period}` is not a unit of rate");
    Wrong::new(message, help).at(text.len() - period.len() - 1..text.len())
}

/// Reads a share from 0 to 1: `0.5` or `50%`.
///
/// # Errors
///
/// When it is no number, or outside of 0 to 1.
pub fn share(text: &str) -> Result<f64, Wrong> {
    const HELP: &str = "a share is a number from 0 to 1, or a percentage such as `1%`";
    check_length(text, HELP)?;
    let value = match leading_number(text) {
        Some((number, "")) => number,
        Some((number, "%")) => number / 100.0,
        _ => return Err(Wrong::new(format!("`{text}` is not a share"), HELP)),
    };
    if value > 1.0 {
        return Err(Wrong::new(format!("`{text}` is more than the whole"), HELP));
    }
    Ok(value)
}

#[expect(clippy::cast_precision_loss, reason = "units are far below 2^53")]
fn to_real(units: u64) -> f64 {
    units as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("0.5s"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        assert!(duration("10").unwrap_err().help.contains("`10s`"));
        let wrong = duration("10 minuts").unwrap_err();
        assert_eq!(wrong.part, Some(3..9));
        assert!(wrong.help.contains("did you mean `10m`"), "{}", wrong.help);
        assert!(duration("").is_err() && duration("-5s").is_err() && duration("1e5s").is_err());
    }

    #[test]
    fn rates_are_records_or_bytes() {
        assert_eq!(rate("5000/s"), Ok(Rate::Records(5_000.0)));
        assert_eq!(rate("300/min"), Ok(Rate::Records(5.0)));
        assert_eq!(rate("0.2/s"), Ok(Rate::Records(0.2)));
        assert_eq!(rate("50MB/s"), Ok(Rate::Bytes(5e7)));
        assert_eq!(rate("max"), Ok(Rate::Max));
        let wrong = rate("5000/sec?").unwrap_err();
        assert_eq!(wrong.part, Some(4..9));
        assert!(wrong.help.contains("did you mean `5000/s`"), "{}", wrong.help);
        assert!(rate("5000").unwrap_err().help.contains("`5000/s`"));
        assert!(rate("50mb/s").unwrap_err().help.contains("`50MB`"));
    }

    #[test]
    fn a_space_in_a_rate_is_shown_without_it() {
        for (written, meant) in
            [("3000 /s", "3000/s"), ("3000/ s", "3000/s"), ("5 MB / s", "5MB/s")]
        {
            let wrong = rate(written).unwrap_err();
            assert_eq!(wrong.message, format!("`{written}` has a space in it"));
            assert!(wrong.help.starts_with(&format!("write `{meant}`")), "{}", wrong.help);
        }
        assert!(!rate("3000 / parsec").unwrap_err().message.contains("space"));
    }

    #[test]
    fn numbers_that_no_number_can_hold_are_refused_in_few_words() {
        let digits = "9".repeat(5_000);
        let told = [
            duration(&format!("{digits}s")).unwrap_err(),
            size(&format!("{digits}MB")).unwrap_err(),
            rate(&format!("{digits}/s")).unwrap_err(),
            share(&format!("0.{digits}")).unwrap_err(),
        ];
        for wrong in told {
            assert!(wrong.message.ends_with("is too long for a number with a unit"));
            assert!(wrong.message.len() < 200, "{}", wrong.message);
        }
    }

    #[test]
    fn sizes_are_whole_bytes() {
        assert_eq!(size("1KiB"), Ok(1_024));
        assert_eq!(size("1.5KB"), Ok(1_500));
        assert_eq!(size("512"), Ok(512));
        assert!(size("0.5B").is_err());
        assert!(size("1k").unwrap_err().help.contains("`1KiB`"));
    }

    #[test]
    fn shares_end_at_the_whole() {
        assert_eq!(share("1%"), Ok(0.01));
        assert_eq!(share("0.25"), Ok(0.25));
        assert!(share("101%").is_err() && share("2").is_err() && share("half").is_err());
    }
}
