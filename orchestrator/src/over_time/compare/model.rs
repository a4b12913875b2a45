//! What stands in `comparison.json`.

use crate::{
    metrics::direction::Better,
    model::exit_code,
    over_time::{
        judge::{Judged, Word},
        judge_pairs::Wolf,
    },
    report::{column::Column, shape::Curve},
};
use serde::Serialize;
use serde_json::Value;

/// Version of `comparison.json`.
pub(super) const COMPARISON_VERSION: u32 = 1;

/// A comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Version of the file.
    pub schema_version: u32,
    /// The word of all: the worst of those that gate; `unclear` if nothing could be compared.
    pub word: Word,
    /// One sentence with numbers.
    pub sentence: String,
    /// What runs are held against.
    pub base: SideOf,
    /// What is held against it.
    pub with: SideOf,
    /// Of pairs of one run: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairsOf>,
    /// Within which share figures count as the same.
    pub tolerance: f64,
    /// What was said to differ on purpose.
    pub across: Vec<String>,
    /// Cases of runs that cannot be compared, and why.
    pub left_out: Vec<LeftOut>,
    /// Cases, compared.
    pub cases: Vec<CaseComparison>,
}

impl Comparison {
    /// The sentence without the word that it may begin with: that stands before it.
    #[must_use]
    pub fn said(&self) -> &str {
        let rest = self.sentence.strip_prefix(self.word.as_str());
        rest.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&self.sentence)
    }

    /// The exit code: 1 where a gating figure is worse, 4 where one is unclear or nothing could be compared.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self.word {
            Word::Worse => exit_code::FAIL,
            Word::Unclear => exit_code::INVALID,
            Word::Same | Word::Better => exit_code::PASS,
        }
    }
}

/// A side.
#[derive(Clone, Debug, Serialize)]
pub struct SideOf {
    /// As it was asked for.
    pub asked: Vec<String>,
    /// Its runs, oldest first.
    pub runs: Vec<RunRef>,
}

/// Pairs of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PairsOf {
    /// The run.
    pub run_id: String,
    /// What drew which side of a pair went first.
    pub seed: u64,
    /// How many pairs were asked for, over all cases.
    pub asked: usize,
    /// How many could be compared.
    pub complete: usize,
}

/// Pairs of a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CasePairs {
    /// Whether nothing that determines figures differs between the sides: an A/A test.
    pub is_same: bool,
    /// In the order of `base_runs` and `with_runs` of the figures.
    pub pairs: Vec<PairRef>,
    /// Of an A/A test: how often this lab cries wolf.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wolves: Vec<Wolf>,
}

/// A pair of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PairRef {
    /// Which, from 1.
    pub number: u32,
    /// Whether the base went first.
    pub base_first: bool,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRef {
    /// Its id.
    pub run_id: String,
    /// RFC 3339, UTC; empty if it did not finish.
    pub started_at: String,
}

/// A case of a run that cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The run.
    pub run_id: String,
    /// The case; none if it is about the whole run.
    pub case: Option<String>,
    /// Why.
    pub why: String,
}

/// A case on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct CaseComparison {
    /// Its name; both names where they differ.
    pub case: String,
    /// The worst word of its figures that gate.
    pub word: Word,
    /// Runs of the base: id, and the case where it is a repetition.
    pub base: Vec<String>,
    /// Runs that are held against it.
    pub with: Vec<String>,
    /// What determined figures and differs.
    pub differences: Vec<Difference>,
    /// What determined figures and is not known on a side.
    pub unknown: Vec<String>,
    /// Metrics that were to decide and are not on both sides.
    pub missing: Vec<String>,
    /// Of pairs: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<CasePairs>,
    /// Figures; those that gate come first.
    pub figures: Vec<Figure>,
    /// Latencies, as wholes.
    pub distributions: Vec<Distribution>,
    /// Topic-partitions that changed most.
    pub partitions: Vec<PartitionChange>,
    /// Figures over time of every run.
    #[serde(skip)]
    pub timelines: Vec<Timeline>,
}

/// Something that determines figures and differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Where: `plan.client.shop.linger.ms`.
    pub path: String,
    /// Values of the base.
    pub base: Vec<Value>,
    /// Values of the runs that are held against it.
    pub with: Vec<Value>,
    /// Whether it was said to differ on purpose.
    pub on_purpose: bool,
}

/// A figure on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Which way it gets better; none if it only describes.
    pub better: Option<Better>,
    /// Whether its word decides.
    pub gates: bool,
    /// Of the base: percentiles of latencies from all runs' histograms merged, else the mean (of ratios'
    /// logarithms, where no value is 0).
    pub base: Option<f64>,
    /// Of the runs that are held against it.
    pub with: Option<f64>,
    /// In each run of the base.
    pub base_runs: Vec<f64>,
    /// In each run that is held against it.
    pub with_runs: Vec<f64>,
    /// What it comes to.
    #[serde(flatten)]
    pub judged: Judged,
    /// Variance of the logarithm within the runs of both sides together; 0 where it is not known.
    #[serde(skip)]
    pub within: f64,
    /// The same in a few words.
    pub says: String,
}

/// A latency on both sides, as a whole.
#[derive(Clone, Debug, Serialize)]
pub struct Distribution {
    /// `service`, `response`, `end_to_end`.
    pub latency: &'static str,
    /// Mean quantile shift: 0.05 is five per cent apart on average.
    pub mean_shift: f64,
    /// Largest difference of the distribution functions (Kolmogorov-Smirnov).
    pub distance: f64,
    /// How often runs dealt out by chance are as far apart; none with fewer than three runs on a side.
    pub distance_p: Option<f64>,
    /// Ratio of quantiles, new over base.
    pub shift: Shift,
    /// Curves of base and new.
    #[serde(skip)]
    pub curves: [Curve; 2],
}

/// The ratio of quantiles with its band.
#[derive(Clone, Debug, Serialize)]
pub struct Shift {
    /// Number of nines, −log10(1 − q).
    pub nines: Column,
    /// `Q_new(q) / Q_base(q)`.
    pub ratio: Column,
    /// Lower end of the 95 % band; null where a run is too short to know its own noise.
    pub low: Column,
    /// Upper end of the band.
    pub high: Column,
}

/// A topic-partition on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartitionChange {
    /// The topic, by its name in the scenario.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What changed: `response.p99`, `end_to_end.p99`, `acked`.
    pub what: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Median over the base's runs.
    pub base: f64,
    /// Median over the runs that are held against it.
    pub with: f64,
    /// New over base.
    pub ratio: f64,
}

/// A run over time, for the page.
#[derive(Clone, Debug, Serialize)]
pub struct Timeline {
    /// The run.
    pub run: String,
    /// Whether it is of the base.
    pub is_base: bool,
    /// Length of a row in milliseconds.
    pub step: u64,
    /// Start of each row, in milliseconds from the load's start.
    pub from: Column,
    /// End of each row.
    pub to: Column,
    /// Records acknowledged a second.
    pub acked: Column,
    /// Lag at the end of each row.
    pub lag: Column,
    /// CPU of all agents, in cores.
    pub cpu: Column,
    /// 99th percentile of response latency, service latency in a closed loop.
    pub p99: Column,
}
