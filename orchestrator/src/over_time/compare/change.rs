//! Changes in words.

use crate::text::format::{percent, quantity};

/// From this ratio on a change is told as a factor.
const AS_FACTOR: f64 = 3.0;

/// Beyond this ratio a change is only told to be beyond it.
const BEYOND: f64 = 9_999.0;

/// A share below this reads as none.
const NONE: f64 = 5e-5;

/// A ratio as a change: `+12.3 %`, `4.20 ×`.
#[must_use]
pub fn change(ratio: f64) -> String {
    if ratio > BEYOND {
        return format!("> {}", quantity(BEYOND, "factor"));
    }
    if ratio >= AS_FACTOR {
        return quantity(ratio, "factor");
    }
    let share = ratio - 1.0;
    let sign = if share >= NONE { "+" } else { "" };
    format!("{sign}{}", of_share(share))
}

/// A share as a percentage, none where it is next to nothing.
#[must_use]
pub(super) fn of_share(share: f64) -> String {
    percent(if share.abs() < NONE { 0.0 } else { share })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_read_like_a_report() {
        let cases = [
            (1.0, "0 %"),
            (1.0 + 1e-9, "0 %"),
            (1.123, "+12.3 %"),
            (0.877, "−12.3 %"),
            (4.2, "4.20 ×"),
            (952.1, "952 ×"),
            (1e19, "> 9,999 ×"),
        ];
        for (ratio, expected) in cases {
            assert_eq!(change(ratio).replace('\u{a0}', " "), expected, "{ratio}");
        }
    }
}
