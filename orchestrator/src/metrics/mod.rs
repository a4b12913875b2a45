//! The registry of metrics: every name that an expectation may use, with unit, meaning and formula.
//!
//! Invariant: a metric is a pure function of a [`Tally`], so the same name means the same over the
//! whole run, over a window and over one producer.

mod agent;
mod consume;
mod latency;
mod listing;
mod observe;
mod pipeline;
mod produce;
mod records;
pub mod resources;
pub mod slope;
pub mod tally;
mod through;

use crate::{metrics::tally::Tally, text::nearest};
use std::sync::LazyLock;

pub use listing::{json, table};

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
}

impl Metric {
    /// Why a metric may have no value although something was measured, as a predicate; `None` where
    /// only a lack of samples can be the reason.
    #[must_use]
    pub fn why_no_value(&self) -> Option<&'static str> {
        (self.name == "agent.memory.slope").then_some("has no value below 5 min of measured load")
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

    /// What a producer does: everything but partitions and consumers.
    pub(crate) const SENDING: Self =
        Self::TOPIC.and(Self::PRODUCER).and(Self::AGENT).and(Self::PHASE);
    /// What delivery reports say.
    pub(crate) const DELIVERED: Self = Self::SENDING.and(Self::PARTITION);
    /// What a consumer does, whatever the topic.
    pub(crate) const READING: Self = Self::CONSUMER.and(Self::AGENT).and(Self::PHASE);
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
        ];
        all.into_iter().filter(|(scope, _)| self.has(*scope)).map(|(_, word)| word).collect()
    }
}

/// All metrics, in the order in which they are shown.
#[must_use]
pub fn registry() -> &'static [Metric] {
    static REGISTRY: LazyLock<Vec<Metric>> = LazyLock::new(|| {
        let groups = [
            latency::produce(),
            latency::end_to_end(),
            produce::flow(),
            produce::client(),
            latency::sizes_and_commits(),
            consume::metrics(),
            records::metrics(),
            through::metrics(),
            observe::metrics(),
            pipeline::metrics(),
            agent::metrics(),
        ];
        groups.into_iter().flatten().collect()
    });
    &REGISTRY
}

/// The metric of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    registry().iter().find(|metric| metric.name == name)
}

/// The metric whose name is nearest to a name that does not exist, if one is near.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static Metric> {
    let best = nearest::nearest(name, registry().iter().map(|metric| metric.name))?;
    find(best)
}

/// A ratio of counts; `None` without a denominator.
#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A count a second of time; `None` without time.
fn per_second(count: u64, time_us: u64) -> Option<f64> {
    ratio(count, time_us).map(|per_us| per_us * 1e6)
}

/// A count as a value.
#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
#[expect(clippy::unnecessary_wraps, reason = "the form that metrics have")]
fn count(count: u64) -> Option<f64> {
    Some(count as f64)
}

/// A metric's row.
macro_rules! metric {
    ($name:expr, $unit:literal, $series:expr, $needs:ident, $scopes:expr, $meaning:expr,
     $formula:expr, $source:expr, $value:expr) => {
        $crate::metrics::Metric {
            name: $name,
            unit: $unit,
            meaning: $meaning,
            formula: $formula,
            source: $source,
            series: $series,
            needs: $crate::metrics::Needs::$needs,
            scopes: $scopes,
            value: $value,
        }
    };
}
use metric;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_well_formed() {
        let names: Vec<_> = registry().iter().map(|metric| metric.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for metric in registry() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
            assert!(metric.name.chars().all(plain), "{}", metric.name);
            for text in [metric.meaning, metric.formula, metric.source] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text}", metric.name);
            }
        }
    }

    #[test]
    fn every_unit_can_be_written_in_an_expectation() {
        for metric in registry() {
            assert!(!crate::text::units::fitting(metric.unit).is_empty(), "{}", metric.name);
        }
    }

    #[test]
    fn an_empty_tally_has_no_latency_and_no_rate() {
        for metric in registry().iter().filter(|metric| metric.unit != "records") {
            let value = (metric.value)(&Tally::default());
            assert!(value.is_none_or(|value| value == 0.0), "{} {value:?}", metric.name);
            assert!(!metric.name.ends_with(".rate") || value.is_none(), "{}", metric.name);
            assert!(!metric.name.ends_with(".p99") || value.is_none(), "{}", metric.name);
        }
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        assert_eq!(nearest("produce.respnse.p99").unwrap().name, "produce.response.p99");
        assert_eq!(nearest("produce.ack.rate").unwrap().name, "produce.acked.rate");
        assert!(nearest("xyzzy").is_none());
    }

    #[test]
    fn the_registry_reads_like_this() {
        insta::assert_snapshot!(table());
    }
}
