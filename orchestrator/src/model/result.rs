//! What stands in the archive's files.
//!
//! Units stand last in names; `null` or an empty CSV field means "no sample", which is not zero.

use crate::model::{
    fault::FaultResult,
    fingerprint::Fingerprint,
    outage::Outage,
    shard::{MergedShard, Shard},
};
use mallard_protocol::counters::{Counter, Counters};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use std::collections::BTreeMap;

/// Version of `run.json` and `result.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// Outcome of a case or a run, from best to worst. The order of the variants is the one order of
/// severity: whatever has several parts is as bad as its worst one ([`Verdict::worst`]).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every expectation held, and the measurement can be trusted.
    Pass,
    /// An expectation did not hold.
    Fail,
    /// The measurement cannot be trusted.
    Invalid,
    /// Somebody stopped it.
    Interrupted,
    /// The harness or the infrastructure broke. Worse than [`Verdict::Interrupted`]: what broke stays
    /// broken whether or not somebody then stopped the run.
    Error,
}

impl Verdict {
    /// The worst of verdicts; pass if there are none.
    #[must_use]
    pub fn worst(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max().unwrap_or(Self::Pass)
    }

    /// The word for people and files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
            Self::Error => "error",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Why a verdict is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// Stable code: `expectation_failed`, `generator_slip`, `agent_lost`.
    pub code: String,
    /// What it means, with numbers.
    pub text: String,
    /// Likely cause and what to do.
    pub remedy: String,
}

/// A metric's value. Units: `us`, `bytes`, `per_s`, `bytes_per_s`, `ratio`, `count`, `records`,
/// `records_per_poll`, `bytes_per_hour`…
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricValue {
    /// The value; null if there were no samples.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: String,
    /// Half the width of its uncertainty, in the same unit, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<f64>,
}

/// A stretch of the load in which an agent, or all of them, went on without the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    /// Whose channel was down; none if the controller itself was gone.
    pub agent: Option<String>,
    /// When it broke, on the run's clock.
    pub from_us: u64,
    /// When it was back; none if it never was.
    pub until_us: Option<u64>,
}

/// Records, counted. `scheduled = sent + not_sent`, `sent = acked + failed + outstanding`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accounts {
    /// Due by the schedule in the measured phases.
    pub scheduled: u64,
    /// Due and never handed to a client.
    pub not_sent: u64,
    /// Handed to a client.
    pub sent: u64,
    /// Acknowledged.
    pub acked: u64,
    /// Failed for good.
    pub failed: u64,
    /// Failed, by librdkafka's code name.
    pub failed_by_code: BTreeMap<String, u64>,
    /// Neither acknowledged nor failed when the case ended.
    pub outstanding: u64,
    /// Received by consumers, summed over groups.
    pub received: u64,
    /// Sent late.
    pub late: u64,
}

/// An expectation, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectationResult {
    /// As written.
    pub text: String,
    /// The metric's name.
    pub metric: String,
    /// Whom it is about, if not the whole: `partition health-data-raw/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The value judged: the worst window's, or the worst member's of an `every` scope.
    pub value: Option<f64>,
    /// The limit, in the metric's unit.
    pub limit: f64,
    /// How far the value is on the good side of the limit, as a share of the limit; negative when it
    /// failed. Null without a value, and where the limit is zero.
    pub margin: Option<f64>,
    /// The metric's unit.
    pub unit: String,
    /// Whether it held.
    pub passed: bool,
    /// Whether the load was stopped before it could be judged. Then it has neither held nor failed, and
    /// `passed` is false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_reached: bool,
    /// Whether its figure cannot be known, so that it neither holds nor fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unknown: bool,
    /// The first window that failed: start and end on the run's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failing_window_us: Option<(u64, u64)>,
    /// Stretches of windows that failed, in order: start and end on the run's clock. Windows without a
    /// gap between them are one stretch; at most 500 are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing_us: Vec<(u64, u64)>,
    /// Windows judged and windows failed, for a windowed expectation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<(u64, u64)>,
    /// The file it stands in, where that is not the scenario: a bounds file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Line in that file.
    pub line: Option<usize>,
    /// One sentence with numbers: "produce.response.p99 was 312 ms in 14:03:00–14:04:00, limit 250 ms".
    pub sentence: String,
}

/// An expectation across cases, judged for two of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AcrossResult {
    /// As written.
    pub text: String,
    /// The scenario.
    pub scenario: String,
    /// The metric's name.
    pub metric: String,
    /// The case that is judged.
    pub case: String,
    /// The case it is held against.
    pub reference: String,
    /// The metric's value in the case.
    pub value: Option<f64>,
    /// Its value in the reference.
    pub reference_value: Option<f64>,
    /// The limit that follows from the reference, in the metric's unit.
    pub limit: Option<f64>,
    /// How far the value is on the good side of the limit, as a share of the limit.
    pub margin: Option<f64>,
    /// The metric's unit.
    pub unit: String,
    /// Whether it held.
    pub passed: bool,
    /// Of a scaling: the share of linear scaling that was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<f64>,
    /// Of a scaling: its tier, which never changes the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Line in the scenario.
    pub line: Option<usize>,
    /// One sentence with numbers.
    pub sentence: String,
}

/// An expectation against a baseline, judged for a case with all its repetitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedResult {
    /// As written.
    pub text: String,
    /// The scenario.
    pub scenario: String,
    /// The case, without the number of a repetition.
    pub case: String,
    /// The metric's name.
    pub metric: String,
    /// The metric's unit.
    pub unit: String,
    /// The baseline.
    pub with: String,
    /// How much worse it may be, as a share.
    pub by: f64,
    /// The metric's value over all repetitions.
    pub value: Option<f64>,
    /// Its value in the baseline.
    pub base: Option<f64>,
    /// Value over base.
    pub ratio: Option<f64>,
    /// Lower end of the ratio's interval.
    pub low: Option<f64>,
    /// Upper end of the ratio's interval.
    pub high: Option<f64>,
    /// What a comparison with this tolerance says: `worse`, `better`, `same`, `unclear`.
    pub word: Option<String>,
    /// Runs a side that would decide it, where it is unclear.
    pub repeats: Option<u32>,
    /// What came out.
    pub standing: Standing,
    /// Line in the scenario.
    pub line: usize,
    /// One sentence with numbers.
    pub sentence: String,
}

/// What came out of an expectation against a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Shown not to be worse by more than is allowed.
    Held,
    /// Shown to be worse by more, or there is no value.
    Failed,
    /// These runs do not decide it.
    Unclear,
    /// There is nothing to hold it against: the baseline is not set, or has no such figure.
    NotJudged,
}

impl Standing {
    /// The words for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Unclear => "unclear",
            Self::NotJudged => "not judged",
        }
    }

    /// What it means for the run.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Held | Self::NotJudged => Verdict::Pass,
            Self::Failed => Verdict::Fail,
            Self::Unclear => Verdict::Invalid,
        }
    }
}

/// A comparison that a scenario asked for, and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparisonMade {
    /// The baseline.
    pub with: String,
    /// The page, beside `run.json`.
    pub file: String,
    /// `worse`, `better`, `same` or `unclear`.
    pub word: String,
    /// One sentence with numbers.
    pub sentence: String,
}

/// Totals of one topic-partition over the measured phases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartitionResult {
    /// Topic, by its name in the scenario.
    pub topic: String,
    /// Partition; -1 for records that failed before they had one.
    pub partition: i32,
    /// Records acknowledged.
    pub acked: u64,
    /// Key and value bytes acknowledged.
    pub acked_bytes: u64,
    /// Records failed.
    pub failed: u64,
    /// Records received, summed over groups.
    pub received: u64,
    /// Key and value bytes received.
    pub received_bytes: u64,
    /// Acknowledged in the whole run, warm-up included, and lost by the brokers' own offsets, in the group
    /// that misses most. Null where no consumer reads it, and where `fate` is.
    pub lost: Option<u64>,
    /// What became of all that was acknowledged, in the same group. Null where no consumer reads it, and where
    /// a transaction of the topic was not committed, for a consumer with `read_committed`: which partitions
    /// held what it never sees is not counted, so only the topic's metrics show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fate: Option<PartitionFate>,
    /// End offset on the broker at the start and at the end.
    pub start_offset: Option<i64>,
    /// End offset on the broker after the drain.
    pub end_offset: Option<i64>,
    /// Largest lag of any group in an interval.
    pub lag_max: Option<u64>,
    /// Lag after the drain.
    pub lag_end: Option<u64>,
    /// Service latency percentiles.
    pub service: Percentiles,
    /// Response latency percentiles.
    pub response: Percentiles,
    /// End-to-end latency percentiles.
    pub end_to_end: Percentiles,
}

/// What became of the records of a partition that were acknowledged in the whole run, warm-up included, at the
/// reader that misses most: `acked + unexpected = received + lost_unread + not_read + expired + compacted +
/// unaccounted`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartitionFate {
    /// The reader.
    pub consumer: String,
    /// Records acknowledged.
    pub acked: u64,
    /// Records received.
    pub received: u64,
    /// Received beyond those acknowledged.
    pub unexpected: u64,
    /// Lost, and never received.
    pub lost_unread: u64,
    /// Lost after they had been received: the log ends below what was acknowledged.
    pub lost_read: u64,
    /// In the log, and not read when the reader was closed.
    pub not_read: u64,
    /// Removed by retention before they were read.
    pub expired: u64,
    /// Removed by compaction before they were read.
    pub compacted: u64,
    /// Not received, for an unknown reason.
    pub unaccounted: u64,
    /// The reader's next offset.
    pub position: Option<i64>,
    /// The first offset in the log when the reader was closed.
    pub log_start_offset: Option<i64>,
}

/// Totals of one topic over the measured phases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TopicResult {
    /// Topic, by its name in the scenario.
    pub topic: String,
    /// Number of partitions.
    pub partitions: u32,
    /// Records acknowledged.
    pub acked: u64,
    /// Key and value bytes acknowledged.
    pub acked_bytes: u64,
    /// Records failed.
    pub failed: u64,
    /// Records received, summed over groups.
    pub received: u64,
    /// Key and value bytes received.
    pub received_bytes: u64,
    /// Service latency percentiles.
    pub service: Percentiles,
    /// Response latency percentiles.
    pub response: Percentiles,
    /// End-to-end latency percentiles.
    pub end_to_end: Percentiles,
}

/// Percentiles of a histogram, in its unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentiles {
    /// Values recorded.
    pub count: u64,
    /// Smallest.
    pub min: Option<u64>,
    /// Exact mean.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 95th percentile.
    pub p95: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// 99.9th percentile.
    pub p999: Option<u64>,
    /// 99.99th percentile.
    pub p9999: Option<u64>,
    /// Largest.
    pub max: Option<u64>,
}

/// An agent, as the report shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentResult {
    /// Its name.
    pub name: String,
    /// Facts of its host: `hostname`, `kernel`, `cpu`, `cores`, `memory_bytes`, `librdkafka`…
    pub host: BTreeMap<String, String>,
    /// Its instances by name.
    pub instances: Vec<String>,
    /// Resident memory when the load started.
    pub memory_start_bytes: Option<u64>,
    /// Largest resident memory.
    pub memory_peak_bytes: Option<u64>,
    /// CPU share of its busiest thread in its busiest interval, 0 to 1.
    pub busiest_thread_cpu_max: Option<f64>,
    /// CPU of the process, in cores, mean over the measured phases.
    pub cpu_cores_mean: Option<f64>,
    /// How long after the common start it started, in microseconds.
    pub start_late_us: Option<u64>,
    /// Half the width of what its clock may be off the controller's, in microseconds: 0 where both are one
    /// clock, null where it was not measured.
    #[serde(default)]
    pub clock_error_us: Option<u64>,
    /// When it was lost, if it was, on the run's clock.
    pub lost_at_us: Option<u64>,
    /// End of the last interval that it reported, if it was lost.
    #[serde(default)]
    pub last_report_us: Option<u64>,
    /// From when on others sent what it had to send, if it was lost and they did.
    #[serde(default)]
    pub taken_over_at_us: Option<u64>,
}

/// A phase of the timeline, as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseResult {
    /// Its name.
    pub name: String,
    /// Its kind: `warm-up`, `hold`, `ramp`, `burst`, `pause`, `drain`.
    pub kind: String,
    /// First microsecond on the run's clock.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// Whether it enters results and verdict.
    pub measured: bool,
}

/// How good a figure is by fixed marks. A tier never changes a verdict.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Good.
    Good,
    /// Neither good nor poor.
    Acceptable,
    /// Poor.
    Poor,
}

impl Tier {
    /// The word for people and files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Acceptable => "acceptable",
            Self::Poor => "poor",
        }
    }
}

/// An indicator with its tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TierResult {
    /// What is looked at: `throughput`, `latency`, `memory`.
    pub indicator: String,
    /// The tier; null where the figures do not decide it.
    pub tier: Option<Tier>,
    /// The figure and the marks, or why there is no tier.
    pub text: String,
}

/// A stage of a record's way from when it was due to the consumer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Mean time in it, in microseconds.
    pub mean_us: f64,
    /// Share of all stages' time.
    pub share: f64,
}

/// What limits, by the figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// Stable code: `consumer_limits`, `hot_partition`, `small_batches`.
    pub code: String,
    /// What it is, with the figures that say so.
    pub text: String,
    /// What to do.
    pub remedy: String,
}

/// What the figures of a case mean. Nothing in it changes a verdict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interpretation {
    /// Indicators with their tiers.
    pub tiers: Vec<TierResult>,
    /// Where a record's time goes, in order.
    pub stages: Vec<Stage>,
    /// What stands out, the weightiest first.
    pub diagnoses: Vec<Diagnosis>,
    /// Whether anything stands out, in a sentence.
    pub summary: String,
}

/// A record with which something is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceRow {
    /// What: `duplicated`, `reordered`, `corrupt`, `misplaced`, or `missing` for one that did not come.
    pub anomaly: String,
    /// Topic, by its name in the scenario.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Its offset; null if it did not come.
    pub offset: Option<i64>,
    /// The producer instance.
    pub producer: String,
    /// Its number among that instance's records to the partition, from 0.
    pub number: u64,
    /// Its number among all of that instance's records; null if it did not come.
    pub sequence: Option<u64>,
    /// When it was due, in microseconds on the run's clock.
    pub due_us: Option<u64>,
    /// When it was received, likewise.
    pub received_us: Option<u64>,
}

/// `result.json`: a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run.
    pub run_id: String,
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario says of itself.
    pub description: String,
    /// The case's name.
    pub case: String,
    /// Parameters and matrix axes.
    pub parameters: BTreeMap<String, String>,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// RFC 3339, UTC.
    pub ended_at: String,
    /// RFC 3339, UTC, of 0 on the run's clock; null if the load never started.
    pub load_started_at: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, worst first.
    pub reasons: Vec<Reason>,
    /// Doubts that do not change the verdict.
    pub warnings: Vec<Reason>,
    /// Records, counted, over the measured phases.
    pub accounts: Accounts,
    /// Records, counted, over the whole load, warm-up included.
    pub accounts_whole: Accounts,
    /// Every metric that an expectation could name, by that name.
    pub metrics: BTreeMap<String, MetricValue>,
    /// Expectations, judged.
    pub expectations: Vec<ExpectationResult>,
    /// Phases.
    pub phases: Vec<PhaseResult>,
    /// Topic-partitions.
    pub partitions: Vec<PartitionResult>,
    /// Topics.
    #[serde(default)]
    pub topics: Vec<TopicResult>,
    /// Per producer and consumer, by name: the same metrics, where they exist.
    pub workloads: BTreeMap<String, BTreeMap<String, MetricValue>>,
    /// Agents.
    pub agents: Vec<AgentResult>,
    /// Stretches of the load in which agents went on without the controller. Nothing is missing for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<Cut>,
    /// Stretches of the load in which brokers could not be reached, or partitions acknowledged nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// What was broken on purpose, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultResult>,
    /// Versions: `mallard`, `librdkafka`, `kafka`, `protocol`.
    pub versions: BTreeMap<String, String>,
    /// The cluster's brokers, by id.
    pub brokers: BTreeMap<String, String>,
    /// Client properties of each workload, as scenario and cluster give them, secrets removed.
    pub client_properties: BTreeMap<String, BTreeMap<String, String>>,
    /// Client properties of each workload as its first client had them: what was given, what Mallard
    /// sets, and the client's defaults of what matters; secrets removed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clients_in_effect: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether any producer runs closed loop (`rate: max`).
    pub closed_loop: bool,
    /// What the figures mean: tiers, stages, diagnoses.
    #[serde(default)]
    pub interpretation: Interpretation,
    /// Where integrity is checked: the first 20 records of each kind with which something is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceRow>,
}

/// `run.json`: a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run's id: `<yyyymmdd-hhmmss>-<name>-<4 hex>`.
    pub run_id: String,
    /// The scenario's or folder's name.
    pub name: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// RFC 3339, UTC.
    pub ended_at: String,
    /// The worst of its cases.
    pub verdict: Verdict,
    /// One sentence: the verdict with numbers.
    pub sentence: String,
    /// Why it ended before its cases did, where it did.
    pub reasons: Vec<Reason>,
    /// Its cases in order.
    pub cases: Vec<CaseSummary>,
    /// Expectations across cases, judged.
    #[serde(default)]
    pub across: Vec<AcrossResult>,
    /// Expectations against baselines, judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<ComparedResult>,
    /// Comparisons with baselines that scenarios asked for. They change no verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<ComparisonMade>,
    /// What a reader should know of the whole run. Warnings change no verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Reason>,
    /// The run of which this one repeats what did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Of a run with `--shard`: what it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Of a merged run: the runs that it was put together from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<MergedShard>,
    /// Versions.
    pub versions: BTreeMap<String, String>,
    /// The command line, secrets removed.
    pub command_line: Vec<String>,
    /// Where the time went.
    #[serde(default)]
    pub time: TimeSpent,
}

/// Where a run's or case's time went, in microseconds. What is not load is the harness's own, but for a
/// drain that waited for slow consumers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeSpent {
    /// From the first agent's start to the load's.
    pub setup_us: u64,
    /// The load, drain aside.
    pub load_us: u64,
    /// From the end of the load until everything had arrived.
    pub drain_us: u64,
    /// Flushing, closing, collecting, judging and writing results.
    pub results_us: u64,
    /// Deleting topics and groups, ending agents.
    pub teardown_us: u64,
    /// Making the pages.
    pub report_us: u64,
}

impl TimeSpent {
    /// Adds another case's.
    pub fn add(&mut self, other: &Self) {
        self.setup_us += other.setup_us;
        self.load_us += other.load_us;
        self.drain_us += other.drain_us;
        self.results_us += other.results_us;
        self.teardown_us += other.teardown_us;
        self.report_us += other.report_us;
    }
}

/// A case in `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseSummary {
    /// Its name, which is also its folder under `cases/`.
    pub name: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// One sentence: the verdict with numbers.
    pub sentence: String,
    /// How long it took, everything included, in microseconds.
    pub duration_us: u64,
    /// A few metrics for tables and trends.
    pub headline: BTreeMap<String, MetricValue>,
    /// What determined its figures; not there in archives of Mallard 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// What came of it in the runs that this one repeats, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Attempt>,
}

impl CaseSummary {
    /// The attempts that failed before it passed: a case that has any is flaky, and has not simply passed.
    pub fn failed_before(&self) -> impl Iterator<Item = &Attempt> {
        let passed = self.verdict == Verdict::Pass;
        self.earlier.iter().filter(move |of| passed && of.verdict == Verdict::Fail)
    }

    /// Whether it passed after it had failed.
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        self.failed_before().next().is_some()
    }
}

/// An earlier attempt at a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// The run.
    pub run_id: String,
    /// What came of it.
    pub verdict: Verdict,
    /// One sentence.
    pub sentence: String,
}

/// A row of `series.csv`: one interval, merged over all agents. Its last columns are the table of counters.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct SeriesRow {
    /// First microsecond on the run's clock.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// Name of the phase.
    pub phase: String,
    /// Agents that reported this interval.
    pub agents: u32,
    /// Target rate in the middle of the interval; empty in a closed loop.
    pub target_per_s: Option<f64>,
    /// Records that became due.
    pub scheduled: u64,
    /// Records handed to clients.
    pub sent: u64,
    /// Records acknowledged.
    pub acked: u64,
    /// Records failed.
    pub failed: u64,
    /// Records received.
    pub received: u64,
    /// Bytes acknowledged.
    pub acked_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Records due and not sent at the interval's end.
    pub not_sent: u64,
    /// Records sent and neither acknowledged nor failed at the interval's end.
    pub outstanding: u64,
    /// Records sent late.
    pub late: u64,
    /// Slip, 99th percentile.
    pub slip_p99_us: Option<u64>,
    /// Largest slip.
    pub slip_max_us: Option<u64>,
    /// Service latency.
    pub service_p50_us: Option<u64>,
    /// Service latency.
    pub service_p95_us: Option<u64>,
    /// Service latency.
    pub service_p99_us: Option<u64>,
    /// Service latency.
    pub service_max_us: Option<u64>,
    /// Response latency.
    pub response_p50_us: Option<u64>,
    /// Response latency.
    pub response_p95_us: Option<u64>,
    /// Response latency.
    pub response_p99_us: Option<u64>,
    /// Response latency.
    pub response_max_us: Option<u64>,
    /// End-to-end latency.
    pub end_to_end_p50_us: Option<u64>,
    /// End-to-end latency.
    pub end_to_end_p95_us: Option<u64>,
    /// End-to-end latency.
    pub end_to_end_p99_us: Option<u64>,
    /// End-to-end latency.
    pub end_to_end_max_us: Option<u64>,
    /// Lag summed over groups and partitions, from the broker's end offsets.
    pub lag: Option<u64>,
    /// Records that consumers had received and not processed at the interval's end.
    #[serde(default)]
    pub queue: Option<u64>,
    /// Rebalances that ended.
    pub rebalances: u64,
    /// What instances counted, each a column of its own. 0 in archives of builds that did not count it.
    #[serde(flatten)]
    pub counters: Counters,
}

/// Writes a struct's fields under their names, and counters after them as if they were fields: tables have no room
/// for a map within a row. The pattern names every field, so that none is forgotten.
macro_rules! serialize_with_counters {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let Self { $($field,)+ counters } = self;
                let fields = [$(stringify!($field)),+].len() + Counter::ALL.len();
                let mut row = to.serialize_struct(stringify!($type), fields)?;
                $(row.serialize_field(stringify!($field), $field)?;)+
                for counter in Counter::ALL {
                    row.serialize_field(counter.row().name, &counters.get(*counter))?;
                }
                row.end()
            }
        }
    };
}

serialize_with_counters!(SeriesRow {
    start_us,
    end_us,
    phase,
    agents,
    target_per_s,
    scheduled,
    sent,
    acked,
    failed,
    received,
    acked_bytes,
    received_bytes,
    not_sent,
    outstanding,
    late,
    slip_p99_us,
    slip_max_us,
    service_p50_us,
    service_p95_us,
    service_p99_us,
    service_max_us,
    response_p50_us,
    response_p95_us,
    response_p99_us,
    response_max_us,
    end_to_end_p50_us,
    end_to_end_p95_us,
    end_to_end_p99_us,
    end_to_end_max_us,
    lag,
    queue,
    rebalances,
});

/// A row of `resources.csv`: one agent, one interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceRow {
    /// First microsecond on the run's clock.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// The agent.
    pub agent: String,
    /// CPU of the process, in cores.
    pub cpu_cores: f64,
    /// CPU share of its busiest thread.
    pub busiest_thread_cpu: f64,
    /// CPU share of the whole host, 0 to 1.
    pub host_cpu: f64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Memory in use on the host.
    pub host_memory_used_bytes: u64,
    /// Bytes received by the host, a second.
    pub host_received_bytes_per_s: f64,
    /// Bytes sent by the host, a second.
    pub host_sent_bytes_per_s: f64,
}

/// A row of `errors.csv`: one interval, one code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRow {
    /// First microsecond on the run's clock.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// `produce` or `consume`.
    pub side: String,
    /// librdkafka's code name.
    pub code: String,
    /// How many.
    pub count: u64,
}

/// A row of `lag.csv`: one consumer workload, one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagRow {
    /// First microsecond on the run's clock.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// The consumer's name in the scenario.
    pub consumer: String,
    /// Lag summed over its partitions.
    pub lag: u64,
    /// Largest lag of one partition.
    pub lag_max: u64,
}

/// A row of `partition_series.csv`: one partition, one of at most 120 stretches of the load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartitionSeriesRow {
    /// First microsecond on the run's clock.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// Topic, by its name in the scenario.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Records acknowledged.
    pub acked: u64,
    /// Records received.
    pub received: u64,
    /// Response latency, 99th percentile over the stretch.
    pub response_p99_us: Option<u64>,
    /// End-to-end latency, 99th percentile over the stretch.
    pub end_to_end_p99_us: Option<u64>,
    /// Lag at the end of the stretch, of the group that lags most.
    pub lag: Option<u64>,
}
