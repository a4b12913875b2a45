//! Sentences that explain figures.

use super::column::figure;
use crate::{
    archive::hlog::TAGS,
    metrics,
    model::result::{CaseResult, CaseSummary, RunResult, SeriesRow, Verdict},
    text::format::{clock, count, duration, quantity},
};
use mallard_protocol::{counters::Counter, histogram::Histogram};

/// Service and response are told apart in words when response is this many times longer…
const GAP_FACTOR: f64 = 1.5;

/// …and longer by this many microseconds.
const GAP_US: f64 = 1_000.0;

/// Where they are compared, first things first.
const GAP_QUANTILES: [(f64, &str); 3] = [(0.99, "99th"), (0.9, "90th"), (0.999, "99.9th")];

/// Stalls named in the explanation.
const STALLS_NAMED: usize = 3;

/// A verdict's sign: the word is always beside it.
#[must_use]
pub fn sign(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Pass) => "✓",
        Some(Verdict::Fail) => "✗",
        Some(Verdict::Invalid) => "?",
        Some(Verdict::Error) => "!",
        Some(Verdict::Interrupted) => "■",
        None => "…",
    }
}

/// A verdict's word.
#[must_use]
pub fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("unfinished", Verdict::as_str)
}

/// A run's or case's word: its verdict, or how far it came without one.
#[must_use]
pub fn state(verdict: Option<Verdict>, is_running: bool) -> &'static str {
    if verdict.is_none() && is_running { "running" } else { word(verdict) }
}

/// A case's word and sign: its verdict's, or `flaky` where it passed after it had failed.
#[must_use]
pub fn of_case(summary: &CaseSummary) -> (&'static str, &'static str) {
    match summary.is_flaky() {
        true => ("flaky", "≈"),
        false => (word(Some(summary.verdict)), sign(Some(summary.verdict))),
    }
}

/// A run's word and sign: its verdict's, or `flaky` where it passed and a case of it is.
#[must_use]
pub fn of_run(result: &RunResult) -> (&'static str, &'static str) {
    let flaky = result.verdict == Verdict::Pass && result.cases.iter().any(CaseSummary::is_flaky);
    match flaky {
        true => ("flaky", "≈"),
        false => (word(Some(result.verdict)), sign(Some(result.verdict))),
    }
}

/// What a metric means, how it is computed and where it comes from.
#[must_use]
pub fn explain(metric: &str) -> String {
    metrics::find(metric).map_or_else(String::new, |of| {
        format!("{}\n= {}\nfrom {}", of.meaning, of.formula, of.source)
    })
}

/// Why response is longer than service, with numbers; none where they hardly differ.
#[must_use]
pub fn service_and_response(
    totals: &[Histogram; 4],
    series: &[SeriesRow],
    result: Option<&CaseResult>,
) -> Option<String> {
    let at = |tag: &str, quantile: f64| {
        let at = TAGS.iter().position(|known| *known == tag)?;
        totals[at].value_at_quantile(quantile).map(figure)
    };
    // Where one producer's client waits and another's generator, the gap may show at one of them only.
    let mut gaps = GAP_QUANTILES.into_iter().filter_map(|(quantile, name)| {
        let (service, response) = (at("service", quantile)?, at("response", quantile)?);
        let is_gap = response >= service * GAP_FACTOR && response - service >= GAP_US;
        is_gap.then_some((name, service, response))
    });
    let (name, service, response) = gaps.next()?;
    let mut text = format!(
        "At the {name} percentile the client took {} to have a record acknowledged (service), but \
         {} had passed since the record was due (response): the difference is time that records \
         waited to be sent.",
        quantity(service, "us"),
        quantity(response, "us"),
    );
    let sum = |counter| series.iter().map(|row| row.counters.get(counter)).sum();
    let (refused, times): (u64, u64) = (sum(Counter::BackpressureUs), sum(Counter::QueueFull));
    if refused > 0 {
        text += &format!(
            " The client was refused room for {} ({} times its queue was full){}.",
            duration(refused),
            count(times),
            stalls(series),
        );
    }
    if let Some(late) = result.map(|r| r.accounts.late).filter(|late| *late > 0) {
        text += &format!(" {} records were sent late.", count(late));
    }
    text += " Somebody who wants a record out at its time feels the response; a benchmark that \
             stops its clock while it waits would have shown the service.";
    Some(text)
}

/// When the client refused room, as the longest stretches of intervals.
fn stalls(series: &[SeriesRow]) -> String {
    let mut stretches: Vec<(u64, u64, u64)> = Vec::new();
    let refused = |row: &SeriesRow| row.counters.get(Counter::BackpressureUs);
    for row in series.iter().filter(|row| refused(row) > 0) {
        let refused_us = refused(row);
        match stretches.last_mut().filter(|(_, end, _)| *end == row.start_us) {
            Some((_, end, sum)) => (*end, *sum) = (row.end_us, *sum + refused_us),
            None => stretches.push((row.start_us, row.end_us, refused_us)),
        }
    }
    stretches.sort_by_key(|(start, _, sum)| (std::cmp::Reverse(*sum), *start));
    let all = stretches.len();
    stretches.truncate(STALLS_NAMED);
    stretches.sort_unstable();
    let named: Vec<_> =
        stretches.iter().map(|(from, to, _)| format!("{}–{}", clock(*from), clock(*to))).collect();
    match all {
        0 => String::new(),
        _ if all > STALLS_NAMED => format!(", most of it in {}", named.join(", ")),
        _ => format!(", in {}", named.join(", ")),
    }
}
