//! How far a value is from its limit, as people read it.

use super::{
    format::percent,
    units::{digits, human},
};

/// From this many times the limit on, a percentage says less than how many times the limit it is.
const TIMES_FROM: f64 = 10.0;

/// A margin for a line of text: `+61.0 %`, `-25.0 %`, `3,559 × the limit`.
#[must_use]
pub fn plain(margin: f64, value: Option<f64>, limit: Option<f64>) -> String {
    far(margin, value, limit).unwrap_or_else(|| format!("{:+.1} %", margin * 100.0))
}

/// The same inside a sentence: `margin 1.01 %`, `3,559 × the limit`.
#[must_use]
pub fn in_sentence(margin: f64, value: Option<f64>, limit: Option<f64>) -> String {
    far(margin, value, limit).unwrap_or_else(|| format!("margin {}", human(margin, "ratio")))
}

/// The same for a page: `+61.0 %`, `−25.0 %`, with a minus sign that is as wide as a digit.
#[must_use]
pub fn typeset(margin: f64, value: Option<f64>, limit: Option<f64>) -> String {
    let sign = if margin < 0.0 { "−" } else { "+" };
    far(margin, value, limit).unwrap_or_else(|| format!("{sign}{}", percent(margin.abs())))
}

/// A margin that is far beyond the limit, or far below it, in times of the limit.
fn far(margin: f64, value: Option<f64>, limit: Option<f64>) -> Option<String> {
    if margin.abs() < TIMES_FROM {
        return None;
    }
    let times = value.zip(limit).map(|(value, limit)| value / limit);
    Some(match times.filter(|times| times.is_finite() && *times > 0.0) {
        Some(times) => format!("{} × the limit", digits(times.round())),
        None if margin < 0.0 => "below −1,000 %".to_owned(),
        None => "above +1,000 %".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_a_percentage_until_it_is_many_times_the_limit() {
        let at_most =
            |value: f64, limit: f64| plain((limit - value) / limit, Some(value), Some(limit));
        assert_eq!(at_most(100.0, 250.0), "+60.0 %");
        assert_eq!(at_most(312.5, 250.0), "-25.0 %");
        assert_eq!(at_most(2_749.0, 250.0), "-999.6 %");
        assert_eq!(at_most(889_855.0, 250.0), "3,559 × the limit");
        let at_least = |value: f64| plain(value - 1.0, Some(value), Some(1.0));
        assert_eq!(at_least(0.0), "-100.0 %");
        assert_eq!(at_least(5_000.0), "5,000 × the limit");
        // A slope may fall where the limit lets it rise.
        assert_eq!(plain(31.0, Some(-30.0), Some(1.0)), "above +1,000 %");
        assert_eq!(typeset(-0.25, Some(1.0), Some(0.8)).replace('\u{a0}', " "), "−25.0 %");
        assert_eq!(in_sentence(0.0101, Some(200.0), Some(198.0)), "margin 1.01 %");
        assert_eq!(in_sentence(49.0, Some(50.0), Some(1.0)), "50 × the limit");
    }
}
