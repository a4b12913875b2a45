//! The registry of metrics: every name that an expectation may use, with unit, meaning and formula.
//!
//! Invariant: a metric is a pure function of a tally, so the same name means the same over the
//! whole run, over a window and over one producer.

mod agent;
mod anomalies;
mod cluster;
mod consume;
pub mod direction;
mod disruption;
pub mod fate;
pub mod integrity;
mod latency;
mod listing;
mod metric;
mod observe;
mod pipeline;
mod produce;
mod records;
pub mod resources;
pub mod slope;
pub mod tally;
mod through;
mod witness;
pub mod witness_tally;

use crate::text::nearest;
use std::sync::LazyLock;

pub use metric::{Metric, Needs, Scopes, Subject};

pub use listing::{json, table};

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
            anomalies::metrics(),
            through::metrics(),
            observe::metrics(),
            cluster::metrics(),
            disruption::metrics(),
            pipeline::metrics(),
            agent::metrics(),
            witness::metrics(),
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
            let value = (metric.value)(&tally::Tally::default());
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
        testkit::snapshot!("metrics/the_registry_reads_like_this", table());
    }
}
