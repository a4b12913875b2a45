//! Figures as people read them.

use crate::text::units;
use std::time::Duration;

/// A duration for people: `1h30m`, `2.5s`.
#[must_use]
pub fn humanly(duration: Duration) -> String {
    let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let (minute, hour, day) = (60_000_000, 3_600_000_000, 86_400_000_000);
    let pair = |unit: u64, name: &str, part: u64, part_name: &str| match (us % unit) / part {
        0 => format!("{}{name}", us / unit),
        rest => format!("{}{name}{rest}{part_name}", us / unit),
    };
    match us {
        0 => "0s".to_owned(),
        us if us >= day => pair(day, "d", hour, "h"),
        us if us >= hour => pair(hour, "h", minute, "m"),
        us if us >= minute => pair(minute, "m", 1_000_000, "s"),
        us if us >= 1_000_000 => format!("{}s", trimmed(us, 1_000_000)),
        us if us >= 1_000 => format!("{}ms", trimmed(us, 1_000)),
        us => format!("{us}us"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people, to three digits")]
pub(super) fn trimmed(us: u64, unit: u64) -> String {
    let text = format!("{:.3}", us as f64 / unit as f64);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Microseconds as `412 µs`, `12.3 ms`, `4.81 s`.
#[must_use]
pub fn latency(us: u64) -> String {
    units::human(us as f64, "us")
}

/// A time that something takes or took, in three digits or two units: `412 ms`, `1.5 s`, `18.2 s`, `2 min 5 s`, `24 h`.
#[must_use]
pub fn duration(us: u64) -> String {
    if us == 0 {
        return "0 s".to_owned();
    }
    if us < 60_000_000 {
        return units::rough(us as f64, "us");
    }
    let seconds = us.saturating_add(500_000) / 1_000_000;
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let shown = parts.iter().skip_while(|(n, _)| *n == 0).take(2).filter(|(n, _)| *n > 0);
    shown.map(|(n, unit)| format!("{n} {unit}")).collect::<Vec<_>>().join(" ")
}

/// Bytes in three digits and the largest binary unit of which there is at least one: `3.9 MiB`.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    units::rough(bytes as f64, "bytes")
}

/// A rate as `4,998/s`: whole numbers from a hundred on, so that a live view does not flicker.
#[must_use]
pub fn rate(per_s: f64) -> String {
    units::human(if per_s < 100.0 { per_s } else { per_s.round() }, "per_s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_or_two_units() {
        let cases = [
            (0, "0 s"),
            (412_345, "412 ms"),
            (1_500_000, "1.5 s"),
            (9_996_000, "10 s"),
            (18_249_000, "18.2 s"),
            (20_000_000, "20 s"),
            (60_000_000, "1 min"),
            (125_400_000, "2 min 5 s"),
            (3_900_000_000, "1 h 5 min"),
            (86_400_000_000, "24 h"),
        ];
        for (us, text) in cases {
            assert_eq!(duration(us), text, "{us}");
        }
    }
}
