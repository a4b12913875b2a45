//! What stands in `trend-SCENARIO.json`.

use crate::{metrics::direction::Better, model::exit_code};
use serde::Serialize;
use serde_json::Value;

/// Version of `trend-SCENARIO.json`.
pub(super) const TREND_VERSION: u32 = 1;

/// Runs at either end of a regime in which no change is confirmed.
pub const EDGE: usize = 5;

/// The figures of a scenario over its runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// Version of the file.
    pub schema_version: u32,
    /// The scenario.
    pub scenario: String,
    /// `worse` if a change for the worse stands, else `suspect` or `steady`.
    pub word: &'static str,
    /// One sentence with numbers.
    pub sentence: String,
    /// Below which share a change does not count.
    pub tolerance: f64,
    /// Runs that were looked at.
    pub runs: usize,
    /// The series; those with a change for the worse first.
    pub series: Vec<Series>,
    /// What a reader should know: entries of `accepted.yaml` that no change answers to.
    pub warnings: Vec<String>,
}

impl Trend {
    /// The exit code: 1 where a confirmed change for the worse stands that nobody accepted.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self.series.iter().any(Series::is_worse) {
            true => exit_code::FAIL,
            false => exit_code::PASS,
        }
    }
}

/// A figure of a case over its runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// The case, without the number of a repetition.
    pub case: String,
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Which way it gets better; none if it only describes.
    pub better: Option<Better>,
    /// Its runs, oldest first.
    pub points: Vec<Point>,
    /// Runs of one fingerprint, in the order in which they were first seen.
    pub regimes: Vec<Regime>,
    /// Where a regime begins after another.
    pub breaks: Vec<Break>,
    /// Changes of level within regimes, oldest first.
    pub changes: Vec<Change>,
    /// Newest runs that lie outside of their level.
    pub suspects: Vec<Suspect>,
    /// Why no change was looked for, if none was.
    pub not_analysed: Option<String>,
}

impl Series {
    /// Whether a confirmed change for the worse stands that nobody accepted.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.changes.iter().any(|change| change.standing == Standing::Confirmed && change.stands)
    }

    /// Whether something asks for more runs.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        let at_edge = |change: &Change| change.standing == Standing::Suspect && change.stands;
        !self.suspects.is_empty() || self.changes.iter().any(at_edge)
    }
}

/// A run of a series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The run's id.
    pub run: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// The metric's value: the median of the run's repetitions.
    pub value: f64,
    /// The smallest of them.
    pub low: f64,
    /// The largest of them.
    pub high: f64,
    /// How many.
    pub repeats: usize,
    /// Whether all of them passed.
    pub passed: bool,
    /// Which regime it belongs to: an index.
    pub regime: usize,
}

/// Runs of one fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regime {
    /// Its runs: indices of the series' points.
    pub points: Vec<usize>,
    /// Its levels, oldest first.
    pub levels: Vec<Level>,
    /// How much its runs spread around their levels, as a standard deviation of the logarithm; 1.4826 times the
    /// median absolute deviation.
    pub sigma: Option<f64>,
}

/// Runs of one level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// Its first run: an index of the series' points.
    pub from: usize,
    /// Its last run.
    pub to: usize,
    /// How many runs.
    pub runs: usize,
    /// Their median.
    pub median: f64,
    /// Their geometric mean with its 95 % interval; none of fewer than three runs.
    pub mean: Option<[f64; 3]>,
}

/// The first run of another fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Break {
    /// Index of the series' points.
    pub at: usize,
    /// The run.
    pub run: String,
    /// What differs from the run before: place, value before, value after.
    pub differs: Vec<(String, Value, Value)>,
    /// The level before.
    pub before: Level,
    /// The level after.
    pub after: Level,
}

/// A change of level within a regime.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// First run of the new level: an index of the series' points.
    pub at: usize,
    /// The run.
    pub run: String,
    /// When it was started.
    pub started_at: String,
    /// New level over the one before, of geometric means.
    pub ratio: f64,
    /// Lower end of the ratio's 95 % interval.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
    /// The probability of such a difference where there is none, by Welch's test.
    pub p: f64,
    /// For the worse or the better.
    pub direction: Direction,
    /// How sure it is.
    pub standing: Standing,
    /// Why it was accepted, by `accepted.yaml`.
    pub reason: Option<String>,
    /// Whether it is of the newest regime, and later changes have not taken it back.
    pub stands: bool,
}

/// Which way a level changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// For the worse.
    Worse,
    /// For the better.
    Better,
    /// The metric only describes.
    Changed,
}

impl Direction {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Changed => "changed",
        }
    }
}

/// How sure a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// More than [`EDGE`] runs on both sides.
    Confirmed,
    /// Too near the regime's end or start: more runs would tell.
    Suspect,
    /// Confirmed or not, somebody has written down why it is right.
    Accepted,
}

impl Standing {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Suspect => "suspect",
            Self::Accepted => "accepted",
        }
    }
}

/// A run among the newest that lies outside of its level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suspect {
    /// Index of the series' points.
    pub at: usize,
    /// The run.
    pub run: String,
    /// Its value over the level's median.
    pub ratio: f64,
    /// For the worse or the better.
    pub direction: Direction,
}
