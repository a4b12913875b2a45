//! Shapes of numbers with units.

use super::{
    scalar::{ScalarShape, scalar},
    units::{self, Rate, Wrong},
};
use serde_json::json;
use std::{ops::RangeInclusive, time::Duration};

/// A rate. A step may run at `max` only where `closed` says so.
#[must_use]
pub fn rate(closed: bool) -> ScalarShape<Rate> {
    let pattern = if closed { units::RATE_OR_MAX_PATTERN } else { units::RATE_PATTERN };
    let schema = json!({"type": "string", "pattern": pattern});
    scalar("a rate such as `5000/s` or `50MB/s`", schema, move |s| {
        let rate = units::rate(&s.text)?;
        if rate == Rate::Max && !closed {
            let help = "`max` is a closed loop, which has no shape over time; give a number here";
            return Err(Wrong::new("`max` is not possible here", help));
        }
        Ok(rate)
    })
}

/// A duration, possibly of no length.
#[must_use]
pub fn duration() -> ScalarShape<Duration> {
    let schema = json!({"type": "string", "pattern": units::DURATION_PATTERN});
    scalar("a duration such as `30s`", schema, |s| units::duration(&s.text))
}

/// A duration above zero.
#[must_use]
pub fn some_time() -> ScalarShape<Duration> {
    let schema = json!({"type": "string", "pattern": units::DURATION_PATTERN});
    scalar("a duration such as `30s`", schema, |s| {
        let duration = units::duration(&s.text)?;
        if duration.is_zero() {
            return Err(Wrong::new(format!("`{}` is no time at all", s.text), "give it some time"));
        }
        Ok(duration)
    })
}

/// A size in bytes.
#[must_use]
pub fn size(range: RangeInclusive<u64>) -> ScalarShape<u64> {
    let (low, high) = (*range.start(), *range.end());
    let schema = json!({"anyOf": [
        {"type": "string", "pattern": units::SIZE_PATTERN},
        {"type": "integer", "minimum": low, "maximum": high},
    ]});
    scalar("a size such as `1KiB`", schema, move |s| {
        let bytes = units::size(&s.text)?;
        if !range.contains(&bytes) {
            let text = crate::text::figures::bytes_text;
            let help = format!("allowed: from {} to {}", text(low), text(high));
            return Err(Wrong::new(format!("`{}` is out of range", s.text), help));
        }
        Ok(bytes)
    })
}

/// A share of the whole.
#[must_use]
pub fn share() -> ScalarShape<f64> {
    let schema = json!({"anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "string", "pattern": units::SHARE_PATTERN},
    ]});
    scalar("a share such as `0.5` or `50%`", schema, |s| units::share(&s.text))
}
