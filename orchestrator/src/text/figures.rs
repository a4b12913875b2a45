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

/// A number of bytes for people, in the largest binary unit that keeps it above one.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    #[expect(clippy::cast_precision_loss, reason = "for people, to three digits")]
    let mut value = bytes as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value.fract() == 0.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else if value < 10.0 {
        format!("{value:.2} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Microseconds as `412 µs`, `12.3 ms`, `4.81 s`.
#[must_use]
pub fn latency(us: u64) -> String {
    units::human(us as f64, "us")
}

/// Microseconds as `20 s`, `2 min 5 s`, `1 h 3 min`.
#[must_use]
pub fn duration(us: u64) -> String {
    let seconds = us / 1_000_000;
    match seconds {
        0..10 => format!("{:.1} s", us as f64 / 1e6),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// Bytes as `3.9 MiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    units::human(bytes as f64, "bytes")
}

/// A rate as `4,998/s`: whole numbers from a hundred on, so that a live view does not flicker.
#[must_use]
pub fn rate(per_s: f64) -> String {
    units::human(if per_s < 100.0 { per_s } else { per_s.round() }, "per_s")
}
