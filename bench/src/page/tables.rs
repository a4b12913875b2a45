//! Tables of outcomes.

use super::{NOT_SAID, Table};
use crate::{
    arithmetic::Standstill,
    experiments::{Kind, Outcome},
    latency::Latency,
    sample::Sample,
    summary::{self, Spread, spread},
    tools::{JAVA_LOOP, MALLARD},
};

/// The table of an experiment.
pub(crate) fn table(outcome: &Outcome) -> Table {
    match outcome.kind {
        Kind::Speed => speed(outcome),
        Kind::Pacing { rate_per_s } => pacing(outcome, rate_per_s),
        Kind::Latency => latency(outcome),
        Kind::Stall(standstill) => stall(outcome, standstill),
    }
}

fn speed(outcome: &Outcome) -> Table {
    let columns = [
        "tool",
        "records/s",
        "MB/s",
        "Mallard is … × as fast",
        "CPU s a million",
        "broker's CPU s a million",
    ];
    let row = |tool: &&'static str| {
        let samples = summary::of(&outcome.rounds, tool);
        let of = |figure: fn(&Sample) -> f64| spread(samples.iter().map(|sample| figure(sample)));
        vec![
            (*tool).to_owned(),
            cell(of(|s| s.rate_per_s), thousands),
            cell(of(Sample::megabytes_per_s), |v| format!("{v:.0}")),
            cell(summary::ratio(&outcome.rounds, (MALLARD, tool), |s| s.rate_per_s), ratio),
            cell(of(Sample::cpu_s_per_million), hundredths),
            cell(of(Sample::broker_cpu_s_per_million), hundredths),
        ]
    };
    Table {
        title: outcome.title.clone(),
        columns: columns.map(str::to_owned).into(),
        rows: outcome.tools.iter().map(row).collect(),
        notes: notes(outcome),
    }
}

fn pacing(outcome: &Outcome, rate_per_s: u64) -> Table {
    let columns = [
        "tool",
        "records/s",
        "off by",
        "CPU s a million",
        "its CPU ÷ Mallard's",
        "p50 ms",
        "p99 ms",
        "max ms",
    ];
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let target = rate_per_s as f64;
    let row = |tool: &&'static str| {
        let samples = summary::of(&outcome.rounds, tool);
        let of =
            |figure: &dyn Fn(&Sample) -> f64| spread(samples.iter().map(|sample| figure(sample)));
        let mut row = vec![
            (*tool).to_owned(),
            cell(of(&|s| s.rate_per_s), |v| format!("{v:.1}")),
            cell(of(&|s| 100.0 * (s.rate_per_s / target - 1.0)), |v| format!("{v:+.3} %")),
            cell(of(&Sample::cpu_s_per_million), hundredths),
            cell(
                summary::ratio(&outcome.rounds, (tool, MALLARD), Sample::cpu_s_per_million),
                ratio,
            ),
        ];
        let first = |sample: &Sample| sample.latencies.first().cloned();
        row.extend(latency_cells(&samples, first, &[|l| l.p50_us, |l| l.p99_us, |l| l.max_us]));
        row
    };
    let mut notes = notes(outcome);
    notes.insert(0, "Latencies are each tool's own: Mallard's begin when a record was due, the others' when it was handed to the client.".to_owned());
    Table {
        title: outcome.title.clone(),
        columns: columns.map(str::to_owned).into(),
        rows: outcome.tools.iter().map(row).collect(),
        notes,
    }
}

fn latency(outcome: &Outcome) -> Table {
    let columns = [
        "tool",
        "response p50 ms",
        "p50 ÷ Java's",
        "response p99 ms",
        "service p50 ms",
        "service p99 ms",
        "records/s",
        "CPU s a million",
    ];
    let row = |tool: &&'static str| {
        let samples = summary::of(&outcome.rounds, tool);
        let of = |kind: &'static str| move |sample: &Sample| of_kind(sample, kind);
        let [response_p50, response_p99] =
            latency_cells(&samples, of("response"), &[|l| l.p50_us, |l| l.p99_us]);
        let [service_p50, service_p99] =
            latency_cells(&samples, of("service"), &[|l| l.p50_us, |l| l.p99_us]);
        // Who knows no times at which records are due has no response.
        let p50 = |s: &Sample| of_kind(s, "response").and_then(|l| l.p50_us).unwrap_or(f64::NAN);
        let to_java = summary::ratio(&outcome.rounds, (tool, JAVA_LOOP), p50);
        let to_java = to_java.filter(|spread| !spread.median.is_nan());
        let rates = spread(samples.iter().map(|s| s.rate_per_s));
        let cpu = spread(samples.iter().map(|s| s.cpu_s_per_million()));
        vec![
            (*tool).to_owned(),
            response_p50,
            cell(to_java, ratio),
            response_p99,
            service_p50,
            service_p99,
            cell(rates, |v| format!("{v:.0}")),
            cell(cpu, hundredths),
        ]
    };
    let mut notes = notes(outcome);
    notes.insert(
        0,
        "`response` begins when a record was due, `service` when it was handed to the client; kafka-producer-perf-test knows \
         the second alone, in whole milliseconds, its start included. The others leave out a warm-up."
            .to_owned(),
    );
    Table {
        title: outcome.title.clone(),
        columns: columns.map(str::to_owned).into(),
        rows: outcome.tools.iter().map(row).collect(),
        notes,
    }
}

fn of_kind(sample: &Sample, kind: &str) -> Option<Latency> {
    sample.latencies.iter().find(|latency| latency.kind == kind).cloned()
}

fn stall(outcome: &Outcome, standstill: Standstill) -> Table {
    let columns =
        ["who says so", "p50 ms", "p90 ms", "p99 ms", "max ms", "p99 off the truth", "records/s"];
    let mut rows = vec![truth(standstill)];
    for tool in &outcome.tools {
        let samples = summary::of(&outcome.rounds, tool);
        let kinds = samples.first().map(|sample| sample.latencies.iter().map(|l| l.kind));
        for kind in kinds.into_iter().flatten() {
            rows.push(reported(tool, kind, &samples, standstill));
        }
    }
    let mut notes = notes(outcome);
    notes.insert(0, explanation(standstill));
    Table { title: outcome.title.clone(), columns: columns.map(str::to_owned).into(), rows, notes }
}

fn truth(standstill: Standstill) -> Vec<String> {
    let wait = |share: f64| format!("{:.0}", 1000.0 * standstill.wait_s(share));
    let mut row = vec!["arithmetic".to_owned()];
    row.extend([0.5, 0.9, 0.99, 1.0].map(wait));
    row.extend([NOT_SAID.to_owned(), format!("{:.0}", standstill.rate_per_s)]);
    row
}

fn reported(tool: &str, kind: &str, samples: &[&Sample], standstill: Standstill) -> Vec<String> {
    let find = |sample: &Sample| of_kind(sample, kind);
    let mut row = vec![format!("{tool}, {kind}")];
    row.extend(latency_cells(
        samples,
        find,
        &[|l| l.p50_us, |l| l.p90_us, |l| l.p99_us, |l| l.max_us],
    ));
    let off = |us: f64| 100.0 * (us / 1e6 / standstill.wait_s(0.99) - 1.0);
    let p99s = samples.iter().filter_map(|sample| find(sample)?.p99_us).map(off);
    row.push(cell(spread(p99s), |v| format!("{v:+.1} %")));
    row.push(cell(spread(samples.iter().map(|s| s.rate_per_s)), |v| format!("{v:.0}")));
    row
}

fn explanation(standstill: Standstill) -> String {
    format!(
        "Arithmetic: the client catches up at {}/s (measured with rdkafka_performance and the same buffer), so \
         records that were due in {:.2} s wait, from {:.0} s down to nothing. `response` begins when a record was \
         due, `service` when it was handed to the client.",
        thousands(standstill.capacity_per_s),
        standstill.affected_s(),
        standstill.stopped_s
    )
}

fn latency_cells<const N: usize>(
    samples: &[&Sample],
    find: impl Fn(&Sample) -> Option<Latency>,
    figures: &[fn(&Latency) -> Option<f64>; N],
) -> [String; N] {
    let cell_of = |figure: &fn(&Latency) -> Option<f64>| {
        cell(spread(samples.iter().filter_map(|sample| figure(&find(sample)?))), milliseconds)
    };
    std::array::from_fn(|place| cell_of(&figures[place]))
}

/// What tools have to say to their figures, each thing once.
fn notes(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    for tool in &outcome.tools {
        for (round, sample) in (1..).zip(summary::of(&outcome.rounds, tool)) {
            notes.extend(sample.note.iter().map(|note| format!("{tool}, round {round}: {note}")));
        }
    }
    notes
}

fn cell(spread: Option<Spread>, show: impl Fn(f64) -> String) -> String {
    let Some(Spread { median, min, max }) = spread else { return NOT_SAID.to_owned() };
    let (median, min, max) = (show(median), show(min), show(max));
    if min == max { median } else { format!("{median} ({min}–{max})") }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn hundredths(value: f64) -> String {
    format!("{value:.2}")
}

fn ratio(value: f64) -> String {
    format!("{value:.2} ×")
}

fn milliseconds(us: f64) -> String {
    let ms = us / 1000.0;
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_show_the_spread_only_where_there_is_one() {
        assert_eq!(cell(spread([1_234_567.4]), thousands), "1,234,567");
        assert_eq!(cell(spread([999.0, 1000.0, 1001.0]), thousands), "1,000 (999–1,001)");
        assert_eq!(cell(None, ratio), NOT_SAID);
    }

    #[test]
    fn the_truth_has_every_figure() {
        let standstill =
            Standstill { rate_per_s: 2e4, capacity_per_s: 2e5, stopped_s: 5.0, load_s: 20.0 };
        assert_eq!(
            truth(standstill),
            ["arithmetic", "0", "3200", "4820", "5000", NOT_SAID, "20000"]
        );
    }
}
