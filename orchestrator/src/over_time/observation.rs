//! A case of a run as comparisons see it: its figures, what determined them, and its noise over time.

use super::{
    fingerprint,
    statistics::{
        Dice,
        autocorrelation::{Memory, memory},
        bootstrap::{Merged, Stretches, means},
        mean::Sample,
    },
};
use crate::{
    archive::{
        hlog::{LogLine, TAGS},
        read::CaseArchive,
    },
    model::{
        fingerprint::Fingerprint,
        result::{CaseResult, PhaseResult, RunResult, SCHEMA_VERSION, Verdict},
    },
    report::rollup::{Level, Roller, step_for},
};
use mallard_protocol::histogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};

/// Most stretches that a run is cut into for its own noise; longer runs have longer stretches.
const STRETCHES: usize = 240;

/// Fewer independent stretches than this do not tell a run's own noise.
const FEWEST: f64 = 10.0;

/// Times that a run is drawn again.
pub const DRAWS: usize = 999;

/// Rows of a run over time that a page draws.
const ROWS: u64 = 600;

/// The log's times are rounded to the millisecond; half of one is the tolerance.
const ROUNDING_US: u64 = 500;

/// Percentiles that metrics have, by the end of the metric's name.
pub const PERCENTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999)];

/// Which latency a metric is a percentile of: the place of its tag in [`TAGS`] and the share.
#[must_use]
pub fn percentile_of(metric: &str) -> Option<(usize, f64)> {
    let (latency, end) = metric.rsplit_once('.')?;
    let share = PERCENTILES.iter().find(|(name, _)| *name == end)?.1;
    let tag = latency.strip_prefix("produce.").unwrap_or(latency);
    Some((TAGS.iter().position(|known| *known == tag)?, share))
}

/// A case of one run.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The run.
    pub run_id: String,
    /// The case, as it is called in its run.
    pub case: String,
    /// `result.json`.
    pub result: CaseResult,
    /// What determined its figures.
    pub fingerprint: Fingerprint,
    /// Its latencies in the order of [`TAGS`].
    pub latencies: [Noise; 4],
    /// Records acknowledged and received a second, by the metric's name, in stretches.
    pub rates: BTreeMap<&'static str, Vec<f64>>,
    /// Its figures over time, from the load's start.
    pub level: Level,
    /// CPU of all agents together over time, in rows of `level`, in cores.
    pub cpu: Vec<Option<f64>>,
}

/// A latency of a run in stretches.
#[derive(Clone, Debug, Default)]
pub struct Noise {
    /// The stretches.
    pub stretches: Stretches,
    /// How long they remember.
    pub memory: Option<Memory>,
}

impl Noise {
    fn of(histograms: &[Histogram]) -> Self {
        // The tail remembers longer than the middle, or the other way round: the longer one counts.
        let memory_of = |share: f64| {
            let series = histograms.iter().filter_map(|h| h.value_at_quantile(share));
            memory(&series.map(|us| (us.max(1) as f64).ln()).collect::<Vec<_>>())
        };
        let (middle, tail) = (memory_of(0.5), memory_of(0.99));
        let longer = if middle.tau > tail.tau { middle } else { tail };
        let memory = (!histograms.is_empty()).then_some(longer);
        Self { stretches: Stretches::new(histograms), memory }
    }

    /// Whether it is long enough to know its own noise.
    #[must_use]
    pub fn tells(&self) -> bool {
        self.memory.is_some_and(|memory| memory.effective >= FEWEST)
    }

    /// All records.
    #[must_use]
    pub fn whole(&self) -> Merged {
        self.stretches.whole()
    }

    /// One drawing of the run.
    #[must_use]
    pub fn draw(&self, dice: &mut Dice) -> Merged {
        self.stretches.draw(self.memory.map_or(1, |memory| memory.block), dice)
    }

    /// Logarithms of quantiles in so many drawings; none if the run is too short to know its own noise.
    #[must_use]
    pub fn drawn(&self, shares: &[f64], times: usize, dice: &mut Dice) -> Vec<Vec<f64>> {
        if !self.tells() {
            return Vec::new();
        }
        let mut once = || -> Vec<f64> {
            let quantiles = self.draw(dice).quantiles(shares);
            quantiles.into_iter().map(|us| us.max(1.0).ln()).collect()
        };
        (0..times).map(|_| once()).filter(|of| of.len() == shares.len()).collect()
    }
}

impl Observation {
    /// Reads what comparisons need of a case.
    ///
    /// # Errors
    ///
    /// Why it cannot be compared, in words.
    pub fn read(run: Option<&RunResult>, run_id: &str, case: &CaseArchive) -> Result<Self, String> {
        let result = comparable(case)?.clone();
        let stored = run.and_then(|run| run.cases.iter().find(|summary| summary.name == case.name));
        let stored = stored.and_then(|summary| summary.fingerprint.clone());
        let made = || {
            let yaml = (case.scenario_yaml.as_deref(), case.cluster_yaml.as_deref());
            fingerprint::of(&result, yaml.0, yaml.1)
        };
        let fingerprint = stored.unwrap_or_else(made);
        let end_us = case.series.iter().map(|row| row.end_us).max().unwrap_or(0);
        let mut roller = Roller::new(step_for(end_us, ROWS), &case.series);
        let mut groups: [Groups; 4] = Default::default();
        // What is damaged in the log is on the run's own page; what comes before is whole.
        let _ = case.latencies(|line| {
            if roller.wants_log() {
                roller.add(&line);
            }
            if is_measured(&result.phases, line.start_us, line.end_us) {
                groups[line.tag].add(&line);
            }
        });
        let level = roller.finish();
        Ok(Self {
            run_id: run_id.to_owned(),
            case: case.name.clone(),
            latencies: groups.map(|groups| Noise::of(&groups.finish())),
            rates: rates(case, &result.phases),
            cpu: cpu(case, &level),
            result,
            fingerprint,
            level,
        })
    }

    /// A metric's value.
    #[must_use]
    pub fn value(&self, metric: &str) -> Option<f64> {
        self.result.metrics.get(metric)?.value
    }

    /// The case's name without the number of its repetition: `steady+3` is a run of `steady`.
    #[must_use]
    pub fn key(&self) -> &str {
        key(&self.case)
    }

    /// Variance of the logarithm of a rate within the run; `None` where it is not known.
    #[must_use]
    pub fn rate_variance(&self, metric: &str, dice: &mut Dice) -> Option<f64> {
        let series = self.rates.get(metric)?;
        let memory = memory(series);
        if memory.effective < FEWEST {
            return None;
        }
        let means = means(series, memory.block, DRAWS, dice);
        let logs: Vec<f64> = means.into_iter().filter(|mean| *mean > 0.0).map(f64::ln).collect();
        Sample::of(&logs).map(|sample| sample.variance)
    }
}

/// A case's name without the number of its repetition.
#[must_use]
pub fn key(case: &str) -> &str {
    match case.rsplit_once('+') {
        Some((name, round)) if round.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => case,
    }
}

/// The result, if figures of it may be compared.
fn comparable(case: &CaseArchive) -> Result<&CaseResult, String> {
    let Some(result) = &case.result else { return Err("it was not judged".to_owned()) };
    if result.schema_version > SCHEMA_VERSION {
        let known = format!("this Mallard knows {SCHEMA_VERSION}");
        return Err(format!("its metrics are of version {}; {known}", result.schema_version));
    }
    match result.verdict {
        Verdict::Pass | Verdict::Fail => Ok(result),
        verdict => {
            let why = result.reasons.first().map(|reason| format!(": {}", reason.text));
            Err(format!("its verdict is {}{}", verdict.as_str(), why.unwrap_or_default()))
        }
    }
}

fn is_measured(phases: &[PhaseResult], start_us: u64, end_us: u64) -> bool {
    phases.iter().any(|phase| {
        let inside = phase.start_us <= start_us + ROUNDING_US
            && end_us <= phase.end_us.saturating_add(ROUNDING_US);
        phase.measured && inside
    })
}

/// Histograms by stretches of equal length, of which the length doubles when there are too many.
#[derive(Debug, Default)]
struct Groups {
    unit_us: u64,
    groups: BTreeMap<u64, Histogram>,
}

impl Groups {
    fn add(&mut self, line: &LogLine) {
        if self.unit_us == 0 {
            self.unit_us = mallard_protocol::INTERVAL_US;
        }
        let at = (line.start_us + ROUNDING_US) / self.unit_us;
        self.groups.entry(at).or_default().add(&line.histogram);
        while self.groups.len() > STRETCHES {
            self.unit_us *= 2;
            for (at, histogram) in std::mem::take(&mut self.groups) {
                self.groups.entry(at / 2).or_default().add(&histogram);
            }
        }
    }

    fn finish(self) -> Vec<Histogram> {
        self.groups.into_values().collect()
    }
}

/// Rates of the measured phases in at most [`STRETCHES`] stretches of equal length.
fn rates(case: &CaseArchive, phases: &[PhaseResult]) -> BTreeMap<&'static str, Vec<f64>> {
    let measured = case.series.iter().filter(|row| is_measured(phases, row.start_us, row.end_us));
    // An interval that a phase's end cut short says little of a rate.
    let whole = measured
        .filter(|row| row.end_us.saturating_sub(row.start_us) * 2 >= mallard_protocol::INTERVAL_US);
    let per_s = |n: u64, length_us: u64| n as f64 * 1e6 / length_us.max(1) as f64;
    let rows: Vec<(f64, f64)> = whole
        .map(|row| {
            let length_us = row.end_us - row.start_us;
            (per_s(row.acked, length_us), per_s(row.received, length_us))
        })
        .collect();
    let size = rows.len().div_ceil(STRETCHES).max(1);
    let mean = |of: fn(&(f64, f64)) -> f64| -> Vec<f64> {
        rows.chunks(size).map(|rows| rows.iter().map(of).sum::<f64>() / rows.len() as f64).collect()
    };
    BTreeMap::from([
        ("produce.acked.rate", mean(|row| row.0)),
        ("consume.received.rate", mean(|row| row.1)),
    ])
}

/// CPU of all agents in cores, in the rows of a level.
fn cpu(case: &CaseArchive, level: &Level) -> Vec<Option<f64>> {
    let step_ms = level.step.max(1);
    let mut sums: BTreeMap<u64, (f64, u64)> = BTreeMap::new();
    let mut agents: BTreeSet<String> = BTreeSet::new();
    case.each_cpu(|row| {
        let length_us = row.end_us.saturating_sub(row.start_us);
        let sum = sums.entry((row.start_us + ROUNDING_US) / 1000 / step_ms).or_default();
        *sum = (sum.0 + row.cpu_cores * length_us as f64, sum.1 + length_us);
        if !agents.contains(row.agent) {
            agents.insert(row.agent.to_owned());
        }
    });
    let of = |from: &Option<f64>| {
        let at = (*from)?.max(0.0) as u64 / step_ms;
        let (cores, time_us) = sums.get(&at)?;
        (*time_us > 0).then(|| cores / *time_us as f64 * agents.len() as f64)
    };
    level.from.0.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_runs_of_one_case() {
        assert_eq!(key("steady+3"), "steady");
        assert_eq!(key("steady@codec=a+b"), "steady@codec=a+b");
        assert_eq!(key("steady"), "steady");
    }

    #[test]
    fn percentiles_are_those_of_the_log() {
        assert_eq!(percentile_of("produce.response.p99"), Some((1, 0.99)));
        assert_eq!(percentile_of("end_to_end.p50"), Some((2, 0.5)));
        assert_eq!(percentile_of("produce.response.max"), None);
        assert_eq!(percentile_of("produce.record_size.p99"), None);
    }

    #[test]
    fn a_long_run_has_longer_stretches_and_loses_no_record() {
        let mut groups = Groups::default();
        for second in 0..5_000 {
            let mut histogram = Histogram::new();
            histogram.record_n(100 + second, 3);
            let (start_us, end_us) = (second * 1_000_000, (second + 1) * 1_000_000);
            groups.add(&LogLine { tag: 1, start_us, end_us, histogram });
        }
        assert_eq!(groups.unit_us, 32_000_000);
        let stretches = groups.finish();
        assert!(stretches.len() <= STRETCHES && stretches.len() > STRETCHES / 2);
        assert_eq!(stretches.iter().map(Histogram::count).sum::<u64>(), 15_000);
    }

    #[test]
    fn a_run_without_enough_independent_stretches_does_not_know_its_own_noise() {
        let histogram = |us: u64| {
            let mut histogram = Histogram::new();
            histogram.record_n(us, 100);
            histogram
        };
        let short: Vec<_> = (0..9).map(|at| histogram(1_000 + at)).collect();
        assert!(!Noise::of(&short).tells());
        let rising: Vec<_> = (0..60).map(|at| histogram(1_000 + 50 * at)).collect();
        assert!(!Noise::of(&rising).tells(), "{:?}", Noise::of(&rising).memory);
        let even: Vec<_> = (0..60).map(|at| histogram(1_000 + 13 * (at * 7 % 11))).collect();
        assert!(Noise::of(&even).tells(), "{:?}", Noise::of(&even).memory);
        let mut dice = Dice::from_texts(["drawn"]);
        assert_eq!(Noise::of(&even).drawn(&[0.5, 0.99], 7, &mut dice).len(), 7);
    }
}
