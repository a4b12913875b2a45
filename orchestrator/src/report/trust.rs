//! "Can I trust it": what the archive itself says about the measurement, as questions with findings.
//!
//! Whether a doubt spoils the verdict was decided when the case was judged; here it is shown. A finding
//! is doubtful when the verdict's reasons or warnings say so, or when the archive contradicts itself.

use super::{
    charts::{Band, bands},
    column::figure,
};
use crate::{
    archive::{hlog::TAGS, read::CaseArchive},
    model::result::{Accounts, CaseResult, MetricValue, Reason, SeriesRow},
    text::format::{count, duration, percent, quantity},
};
use mallard_protocol::{counters::Counter, histogram::Histogram};
use serde::Serialize;

/// A share of records sent late that needs an explanation.
const LATE_SHARE: f64 = 0.01;

/// A question about the measurement, answered from the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The question.
    pub question: &'static str,
    /// The answer, with numbers.
    pub finding: String,
    /// `good`, `doubt` or `unknown`.
    pub state: &'static str,
    /// The answer in a word.
    pub word: &'static str,
    /// How the answer was found.
    pub how: &'static str,
}

/// Answers all questions that can be asked of this case.
#[must_use]
pub fn findings(case: &CaseArchive, totals: &[Histogram; 4]) -> Vec<Finding> {
    let Some(result) = &case.result else {
        return vec![intervals(case)];
    };
    let mut all = vec![audit(result, &case.series), intervals(case)];
    all.extend(slip(result, &case.series, totals));
    all.extend([cpu(result, case), clocks(result, totals), own_time(result)]);
    all
}

/// Whether a reason or warning is about this.
fn is_blamed(result: &CaseResult, words: &[&str]) -> bool {
    blamed(result, words).next().is_some()
}

/// Reasons and warnings whose code has one of these words.
fn blamed<'a>(result: &'a CaseResult, words: &[&str]) -> impl Iterator<Item = &'a Reason> {
    let all = result.reasons.iter().chain(&result.warnings);
    all.filter(move |reason| words.iter().any(|word| reason.code.contains(word)))
}

/// An answer, from what was found.
fn answer(question: &'static str, how: &'static str, good: Option<bool>, text: String) -> Finding {
    let (state, word) = match good {
        Some(true) => ("good", "yes"),
        Some(false) => ("doubt", "doubtful"),
        None => ("unknown", "no answer"),
    };
    Finding { question, finding: text, state, word, how }
}

fn metric<'a>(result: &'a CaseResult, name: &str) -> Option<&'a MetricValue> {
    result.metrics.get(name).filter(|metric| metric.value.is_some())
}

fn shown(metric: &MetricValue) -> String {
    metric.value.map_or_else(|| "–".to_owned(), |value| quantity(value, &metric.unit))
}

/// Every identity of the accounts that does not hold, in words.
#[must_use]
pub fn contradictions(accounts: &Accounts) -> Vec<String> {
    let by_code = accounts.failed_by_code.values().sum::<u64>();
    let fates = accounts.acked + accounts.failed + accounts.outstanding;
    let sums = [
        ("scheduled", accounts.scheduled, "sent + not sent", accounts.sent + accounts.not_sent),
        ("sent", accounts.sent, "acked + failed + outstanding", fates),
        ("failed", accounts.failed, "the sum over its codes", by_code),
    ];
    let wrong = sums.into_iter().filter(|(_, left, _, right)| left != right);
    wrong
        .map(|(name, left, other, right)| {
            format!("{name} is {}, and {other} is {}", count(left), count(right))
        })
        .collect()
}

fn audit(result: &CaseResult, series: &[SeriesRow]) -> Finding {
    let mut wrong = contradictions(&result.accounts);
    wrong.extend(contradictions(&result.accounts_whole));
    let acked: u64 = series.iter().map(|row| row.acked).sum();
    if acked != result.accounts_whole.acked {
        wrong.push(format!(
            "series.csv has {} acknowledged records, the accounts have {}",
            count(acked),
            count(result.accounts_whole.acked)
        ));
    }
    let good = wrong.is_empty() && !is_blamed(result, &["audit", "account"]);
    let audited = metric(result, "accounts.audited_intervals")
        .map(|m| format!(" {} interval reports were checked one by one.", shown(m)))
        .unwrap_or_default();
    let text = if wrong.is_empty() {
        format!("Every sum holds, over {} records due.{audited}", count(result.accounts.scheduled))
    } else {
        format!("{}.{audited}", wrong.join("; "))
    };
    let how = "scheduled = sent + not sent; sent = acked + failed + outstanding; failed = sum over \
               codes; the series' sum = the accounts";
    answer("Do the accounts add up?", how, Some(good), text)
}

fn intervals(case: &CaseArchive) -> Finding {
    let question = "Is every interval there?";
    let how = "series.csv has a row for every second of the load, and every agent is in it";
    if case.series.is_empty() {
        let text = "No interval was reported: the load never started, or the series is lost.";
        return answer(question, how, Some(false), text.into());
    }
    let bands = bands(case);
    let length = |kind: &str| {
        let of = bands.iter().filter(|band| band.kind == kind);
        of.map(|Band { from, to, .. }| (to - from) * 1000).sum::<u64>()
    };
    let (missing, thin) = (length("gap"), length("thin"));
    let mut text = format!("{} intervals", count(case.series.len() as u64));
    match missing {
        0 => text.push_str(", without a gap"),
        _ => text.push_str(&format!("; nothing was reported for {}", duration(missing))),
    }
    match thin {
        0 => text.push_str(", each from all agents."),
        _ => text.push_str(&format!("; for {} not all agents reported.", duration(thin))),
    }
    let blamed = case.result.as_ref().is_some_and(|r| is_blamed(r, &["interval", "agent_lost"]));
    answer(question, how, Some(missing == 0 && thin == 0 && !blamed), text)
}

fn slip(result: &CaseResult, series: &[SeriesRow], totals: &[Histogram; 4]) -> Option<Finding> {
    let question = "Did the generator keep to the schedule?";
    let how = "slip: from when a record was due to handing it to the client; late is more than 5 ms. \
               Lateness while the client refused records is the client's, and part of the response";
    let accounts = &result.accounts;
    if result.closed_loop && accounts.not_sent == 0 && accounts.late == 0 {
        let text = "Closed loop: there is no schedule that a record could be late for.";
        return Some(answer(question, how, None, text.into()));
    }
    if accounts.scheduled == 0 {
        return None;
    }
    let late = figure(accounts.late) / figure(accounts.sent.max(1));
    let refused: u64 = series.iter().map(|row| row.counters.get(Counter::BackpressureUs)).sum();
    let blamed = is_blamed(result, &["slip"]);
    let mut text = slip_figures(result, totals);
    if let Some(behind) = metric(result, "produce.behind_max") {
        text += &format!(" At worst, an instance was {} behind its curve.", shown(behind));
    }
    text += &format!(" {} of the records were sent late", percent(late));
    let is_late = late > LATE_SHARE;
    text += &match refused {
        0 => ".".to_owned(),
        _ => format!("; clients had no room for records for {}.", duration(refused)),
    };
    let mut finding = answer(question, how, Some(!blamed && (!is_late || refused > 0)), text);
    if is_late && finding.state == "good" {
        finding.word = "explained";
        finding.finding +=
            " That is the client's doing, not the generator's, and the response shows it.";
    }
    Some(finding)
}

fn slip_figures(result: &CaseResult, totals: &[Histogram; 4]) -> String {
    let histogram = TAGS.iter().position(|tag| *tag == "slip").map(|at| &totals[at]);
    let quantile = |q| histogram?.value_at_quantile(q).map(|us| quantity(figure(us), "us"));
    match (quantile(0.99), quantile(0.999), quantile(1.0)) {
        (Some(p99), Some(p999), Some(max)) => {
            format!("Slip p99 {p99}, p99.9 {p999}, largest {max}.")
        }
        _ => metric(result, "produce.slip.p99")
            .map_or_else(|| "Slip was not measured.".into(), |m| format!("Slip p99 {}.", shown(m))),
    }
}

fn cpu(result: &CaseResult, case: &CaseArchive) -> Finding {
    let question = "Had the generator room to spare?";
    let how = "the kernel's CPU times: the busiest thread of each agent, and its whole host, judged over \
               the measured intervals";
    let highest = |of: fn(&crate::model::result::ResourceRow) -> f64| {
        case.resources.iter().max_by(|a, b| of(a).total_cmp(&of(b)))
    };
    let threads = highest(|row| row.busiest_thread_cpu);
    let hosts = highest(|row| row.host_cpu);
    let (Some(thread), Some(host)) = (threads, hosts) else {
        return answer(question, how, None, "No resources were reported.".into());
    };
    let mut text = format!(
        "At most {} of a core in the busiest thread ({}), {} of a whole host ({}).",
        percent(thread.busiest_thread_cpu),
        thread.agent,
        percent(host.host_cpu),
        host.agent,
    );
    for reason in blamed(result, &["cpu"]) {
        text += &format!(" {}.", sentence(&reason.text));
    }
    answer(question, how, Some(!is_blamed(result, &["cpu"])), text)
}

/// A reason's text as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn clocks(result: &CaseResult, totals: &[Histogram; 4]) -> Finding {
    let question = "Do the clocks agree?";
    let how = "agents of one kernel share its clock; others are compared by probes with four times";
    let trusted = Some(!is_blamed(result, &["clock"]));
    let uncertain = metric(result, "end_to_end.p99").and_then(|m| m.uncertainty);
    let mut kernels: Vec<_> =
        result.agents.iter().filter_map(|agent| agent.host.get("boot_id")).collect();
    kernels.sort();
    kernels.dedup();
    let at = TAGS.iter().position(|tag| *tag == "end_to_end");
    let has_samples = at.is_some_and(|at| !totals[at].is_empty());
    let (text, good) = match uncertain {
        Some(us) => (format!("End-to-end times are exact to ± {}.", quantity(us, "us")), trusted),
        None if !has_samples => ("No time was taken between two agents.".into(), None),
        None if kernels.len() == 1 => (
            "All agents run on one kernel and share its clock: end-to-end times have no clock error."
                .into(),
            trusted,
        ),
        None => {
            ("Agents run on different kernels, and no clock error is stated.".into(), Some(false))
        }
    };
    answer(question, how, good, text)
}

fn own_time(result: &CaseResult) -> Finding {
    let question = "What part of the time is the client's own?";
    let how = "librdkafka's statistics: from taking a record to sending its request, and the \
               request's round trip; linger.ms is part of the first";
    let part = |name: &str| metric(result, name).map(shown);
    let (queue, trip) = (part("produce.client.queue_time"), part("produce.client.round_trip"));
    let text = match (queue, trip) {
        (Some(queue), Some(trip)) => format!(
            "A record lay {queue} in the client before its request went out (linger included), and \
             a request took {trip} to the broker and back."
        ),
        (Some(queue), None) => {
            format!("A record lay {queue} in the client before its request went out.")
        }
        _ => {
            let text = "Not measured: the client gave no statistics.";
            return answer(question, how, None, text.into());
        }
    };
    Finding { word: "measured", ..answer(question, how, Some(true), text) }
}
