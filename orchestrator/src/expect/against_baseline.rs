//! Expectations against a baseline: a case's figure held against earlier runs with a name.
//!
//! Grammar: `METRIC no worse than BASELINE by SHARE`. They are about a case as a whole, and are judged when all
//! cases are over, so that repetitions of a case count as its runs.

use super::{
    ParseError, Vocabulary,
    parse::{check_needs, parse_metric},
    tokens::Tokens,
};
use crate::{
    config::{
        shape::{check_name, shortened},
        source::Place,
    },
    metrics::{Metric, direction},
    text::units,
};
use std::ops::Range;

/// Smallest share: the cells of the histogram on both sides.
const SMALLEST: f64 = 0.002;

/// Longest name of a baseline.
pub const NAME_LIMIT: usize = 64;

const FORM: &str = "write `METRIC no worse than BASELINE by SHARE`, as in `produce.response.p99 no worse than main by 10%`";

/// An expectation against a baseline.
#[derive(Clone, Debug)]
pub struct AgainstBaseline {
    /// As written.
    pub text: String,
    /// The metric, of which more or less is better.
    pub metric: &'static Metric,
    /// The baseline's name.
    pub baseline: String,
    /// How much worse it may be, as a share.
    pub by: f64,
}

/// An expectation against a baseline with its place.
#[derive(Clone, Debug)]
pub struct WrittenAgainst {
    /// What it says.
    pub expectation: AgainstBaseline,
    /// Where the baseline is named.
    pub baseline_at: Place,
    /// The line that it begins in.
    pub line: usize,
}

/// Whether an expectation is meant to be one against a baseline: `no` stands where others have their comparison.
#[must_use]
pub fn is_meant(text: &str) -> bool {
    text.split_whitespace().any(|word| word == "no")
}

/// Reads an expectation, and where the baseline's name stands in its text.
///
/// # Errors
///
/// The first mistake with its place, what is allowed, and the nearest name.
pub fn parse(
    text: &str,
    vocabulary: &Vocabulary,
) -> Result<(AgainstBaseline, Range<usize>), ParseError> {
    let mut tokens = Tokens::new(text);
    let (metric, metric_span) = parse_metric(&mut tokens)?;
    if let Some(of) = tokens.take("of") {
        let help = "take the scope away: what is held against a baseline is the whole case";
        let message = "a baseline is not held against a part of a case";
        return Err(ParseError::new(of.span, message, help.to_owned()));
    }
    ["no", "worse", "than"].into_iter().try_for_each(|word| tokens.require(word, FORM))?;
    let Some(name) = tokens.next() else {
        return Err(ParseError::new(tokens.end(), "the baseline is missing", FORM.to_owned()));
    };
    check_name(name.text, NAME_LIMIT)
        .map_err(|wrong| ParseError::new(name.span.clone(), wrong.message, wrong.help))?;
    tokens.require("by", FORM)?;
    let by = share(&mut tokens)?;
    if let Some(extra) = tokens.next() {
        let span = extra.span.start..text.len();
        let message = format!("`{}` does not belong here", &text[span.clone()]);
        return Err(ParseError::new(span, message, "the share is the last word".to_owned()));
    }
    check_share(metric, &metric_span)?;
    check_direction(metric, &metric_span)?;
    check_needs(metric, &metric_span, vocabulary)?;
    let baseline = name.text.to_owned();
    let text = text.trim().to_owned();
    Ok((AgainstBaseline { text, metric, baseline, by }, name.span))
}

fn share(tokens: &mut Tokens<'_>) -> Result<f64, ParseError> {
    let help = || Some("write a share from 0.2% to 100%, such as `10%`".to_owned());
    let Some(token) = tokens.next_quantity() else {
        return Err(ParseError::new(tokens.end(), "the share is missing", help()));
    };
    let written = shortened(token.text);
    match units::parse(token.text, "ratio") {
        Ok(share) if (SMALLEST..=1.0).contains(&share) => Ok(share),
        Ok(_) => Err(ParseError::new(token.span, format!("`{written}` is out of range"), help())),
        Err(_) => Err(ParseError::new(token.span, format!("`{written}` is not a share"), help())),
    }
}

/// Checks a metric that a comparison is to decide by.
///
/// # Errors
///
/// When there is no such metric, the scenario cannot produce it, or it only describes.
pub fn check_deciding(name: &str, vocabulary: &Vocabulary) -> Result<(), ParseError> {
    let (metric, span) = parse_metric(&mut Tokens::new(name))?;
    check_direction(metric, &span)?;
    check_needs(metric, &span, vocabulary)
}

/// Refuses metrics that are counted: they do not get worse by a share.
fn check_share(metric: &Metric, span: &Range<usize>) -> Result<(), ParseError> {
    if !direction::is_exact(metric.name) {
        return Ok(());
    }
    let message = format!("`{}` is counted, and one is one too many", metric.name);
    let help = format!("write `{} == 0`", metric.name);
    Err(ParseError::new(span.clone(), message, help))
}

/// Refuses metrics that cannot get worse.
fn check_direction(metric: &Metric, span: &Range<usize>) -> Result<(), ParseError> {
    if direction::better(metric.name).is_none() {
        let message =
            format!("`{}` only describes: neither more nor less of it is worse", metric.name);
        let help = "judge a rate, a latency, a lag or a share of errors";
        return Err(ParseError::new(span.clone(), message, help.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        let producers = vec!["shop".to_owned()];
        Vocabulary { producers, measured_us: 60_000_000, ..Vocabulary::default() }
    }

    #[test]
    fn metric_baseline_and_share_are_read() {
        let text = "produce.response.p99 no worse than kafka-4.1 by 10 %";
        assert!(is_meant(text) && !is_meant("produce.response.p99 < 250ms"));
        let (read, span) = parse(text, &vocabulary()).unwrap();
        assert_eq!(
            (read.metric.name, read.baseline.as_str()),
            ("produce.response.p99", "kafka-4.1")
        );
        assert!((read.by - 0.1).abs() < 1e-12);
        assert_eq!(&text[span], "kafka-4.1");
    }

    #[test]
    fn every_mistake_has_its_place_and_its_help() {
        let cases = [
            ("produce.respnse.p99 no worse than main by 10%", "produce.respnse.p99"),
            ("produce.response.p99 no better than main by 10%", "better"),
            ("produce.response.p99 no worse than", ""),
            ("produce.response.p99 no worse than ../x by 10%", "../x"),
            ("produce.response.p99 no worse than main", ""),
            ("produce.response.p99 no worse than main by 10ms", "10ms"),
            ("produce.response.p99 no worse than main by 0.1%", "0.1%"),
            ("produce.response.p99 no worse than main by 10% in every 1m", "in every 1m"),
            ("produce.response.p99 of topic orders no worse than main by 10%", "of"),
            ("produce.record_size.p50 no worse than main by 10%", "produce.record_size.p50"),
            ("records.lost no worse than main by 10%", "records.lost"),
            ("end_to_end.p99 no worse than main by 10%", "end_to_end.p99"),
        ];
        for (text, at) in cases {
            let wrong = parse(text, &vocabulary()).unwrap_err();
            assert_eq!(&text[wrong.span.clone()], at, "{text}: {wrong:?}");
            assert!(wrong.help.is_some(), "{text}: {wrong:?}");
        }
    }
}
