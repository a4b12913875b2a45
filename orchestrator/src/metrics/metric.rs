//! What a metric is, and what its formulae are made of.

use crate::metrics::tally::Tally;

/// A metric.
pub struct Metric {
    /// Its name: `produce.response.p99`.
    pub name: &'static str,
    /// Its unit, as in `result.json`.
    pub unit: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// How it is computed.
    pub formula: &'static str,
    /// Where the raw figures come from.
    pub source: &'static str,
    /// Whether it has a value in every interval, so that windows and slopes of it can be judged.
    pub series: bool,
    /// What a scenario must have to produce it.
    pub needs: Needs,
    /// Whom it can be about, beside the whole.
    pub scopes: Scopes,
    /// Its value in a tally; `None` without samples.
    pub value: fn(&Tally) -> Option<f64>,
    /// Under which subject and label a case's page lists it, beside the table of all metrics.
    pub listed: Option<(Subject, &'static str)>,
}

impl Metric {
    /// The same metric, listed on a case's page.
    pub(super) fn listed(self, subject: Subject, label: &'static str) -> Self {
        Self { listed: Some((subject, label)), ..self }
    }

    /// Why a metric may have no value although something was measured, as a predicate; `None` where
    /// only a lack of samples can be the reason.
    #[must_use]
    pub fn why_no_value(&self) -> Option<&'static str> {
        match self.name {
            "agent.memory.slope" => Some("has no value below 5 min of measured load"),
            "fault.detected.max" => {
                Some("is not known: no record of the broker's partitions was late or failed")
            }
            "fault.recovery.max" => Some(
                "is not known: no 10 s followed that were as good as the 60 s before, while nothing else was broken",
            ),
            "fault.shortfall" => Some("is not known: a part of the fault's time was not measured"),
            "produce.unavailable.max" | "produce.unavailable.total" => {
                Some("is not known: records were still out when the case ended")
            }
            _ => None,
        }
    }

    /// Whether no value means that it cannot be known, and not that nothing happened: what is expected of it can
    /// then neither hold nor fail.
    #[must_use]
    pub fn is_unknown_without_value(&self) -> bool {
        self.name.starts_with("fault.") || self.name.starts_with("produce.unavailable.")
    }
}

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Metric {}

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metric({}, {})", self.name, self.unit)
    }
}

/// What the figures of a case's page are about, in the order in which it lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Rates of records and bytes.
    Throughput,
    /// From sent to acknowledged.
    Service,
    /// Failures and what was tried again.
    Reliability,
    /// Records by their own numbers.
    Integrity,
    /// What clients make of records.
    Batches,
    /// Bytes of a record.
    Sizes,
    /// Bytes on the wire.
    Wire,
    /// What an agent's memory did.
    Memory,
    /// What consumers' groups did.
    Polls,
    /// What pipelines did.
    Pipeline,
    /// How far consumers were behind.
    Consumers,
    /// Commits and aborts.
    Transactions,
}

impl Subject {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::Throughput,
        Self::Service,
        Self::Reliability,
        Self::Integrity,
        Self::Batches,
        Self::Sizes,
        Self::Wire,
        Self::Memory,
        Self::Polls,
        Self::Pipeline,
        Self::Consumers,
        Self::Transactions,
    ];

    /// Its title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Throughput => "Throughput",
            Self::Service => "Latency, sent to acknowledged",
            Self::Reliability => "Reliability",
            Self::Integrity => "Integrity, whole load",
            Self::Batches => "Batches and buffers",
            Self::Sizes => "Message sizes",
            Self::Wire => "On the wire",
            Self::Memory => "Memory of an agent",
            Self::Polls => "Polls and rebalances",
            Self::Pipeline => "Pipeline",
            Self::Consumers => "Consumers under load",
            Self::Transactions => "Transactions",
        }
    }
}

/// What a scenario must have to produce a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: every agent has it.
    Nothing,
    /// Producers.
    Producers,
    /// Producers that follow a schedule: at least one that is not closed loop.
    Schedule,
    /// Consumers.
    Consumers,
    /// Consumers that read topics to which stamped records are sent.
    EndToEnd,
    /// Consumers and producers.
    Both,
    /// Producers with transactions.
    Transactions,
    /// Consumers behind pipelines of others.
    Through,
    /// Observed groups.
    Groups,
    /// Consumers with a pipeline.
    Pipelines,
    /// `integrity`.
    Integrity,
    /// Faults.
    Faults,
}

/// A set of kinds of scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// No scope but the whole.
    pub const NONE: Self = Self(0);
    /// `of topic orders`
    pub const TOPIC: Self = Self(1);
    /// `of partition orders/3`, `of every partition`
    pub const PARTITION: Self = Self(2);
    /// `of producer gateway`
    pub const PRODUCER: Self = Self(4);
    /// `of consumer flink`
    pub const CONSUMER: Self = Self(8);
    /// `of agent local-1`, `of every agent`
    pub const AGENT: Self = Self(16);
    /// `of phase burst`
    pub const PHASE: Self = Self(32);
    /// `of group flink-job`
    pub const GROUP: Self = Self(64);
    /// `of fault kill`, `outside faults`
    pub const FAULT: Self = Self(128);

    /// What a producer does: everything but partitions and consumers.
    pub(crate) const SENDING: Self =
        Self::TOPIC.and(Self::PRODUCER).and(Self::AGENT).and(Self::PHASE).and(Self::FAULT);
    /// What delivery reports say.
    pub(crate) const DELIVERED: Self = Self::SENDING.and(Self::PARTITION);
    /// What a consumer does, whatever the topic.
    pub(crate) const READING: Self =
        Self::CONSUMER.and(Self::AGENT).and(Self::PHASE).and(Self::FAULT);
    /// What is known of each record received.
    pub(crate) const RECEIVED: Self = Self::READING.and(Self::TOPIC).and(Self::PARTITION);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a kind of scope is in the set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The kinds in the set, as words.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        let all = [
            (Self::TOPIC, "topic"),
            (Self::PARTITION, "partition"),
            (Self::PRODUCER, "producer"),
            (Self::CONSUMER, "consumer"),
            (Self::GROUP, "group"),
            (Self::AGENT, "agent"),
            (Self::PHASE, "phase"),
            (Self::FAULT, "fault"),
        ];
        all.into_iter().filter(|(scope, _)| self.has(*scope)).map(|(_, word)| word).collect()
    }
}

/// Lists some metrics of a family on a case's page: the last part of each one's name, and its label.
pub(super) fn listed(
    family: Vec<Metric>,
    subject: Subject,
    labels: &[(&str, &'static str)],
) -> Vec<Metric> {
    let list = |metric: Metric| {
        let last = metric.name.rsplit('.').next();
        match labels.iter().find(|(statistic, _)| Some(*statistic) == last) {
            Some((_, label)) => metric.listed(subject, label),
            None => metric,
        }
    };
    family.into_iter().map(list).collect()
}

/// A ratio of counts; `None` without a denominator.
#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A count a second of time; `None` without time.
pub(super) fn per_second(count: u64, time_us: u64) -> Option<f64> {
    ratio(count, time_us).map(|per_us| per_us * 1e6)
}

/// A count as a value.
#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
#[expect(clippy::unnecessary_wraps, reason = "the form that metrics have")]
pub(super) fn count(count: u64) -> Option<f64> {
    Some(count as f64)
}

/// A metric's row.
macro_rules! metric {
    ($name:expr, $unit:literal, $series:expr, $needs:ident, $scopes:expr, $meaning:expr,
     $formula:expr, $source:expr, $value:expr) => {
        $crate::metrics::metric::Metric {
            name: $name,
            unit: $unit,
            meaning: $meaning,
            formula: $formula,
            source: $source,
            series: $series,
            needs: $crate::metrics::metric::Needs::$needs,
            scopes: $scopes,
            value: $value,
            listed: None,
        }
    };
}
pub(super) use metric;
