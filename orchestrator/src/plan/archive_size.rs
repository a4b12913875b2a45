//! How large a case's folder in the archive gets: what `mallard plan` says before a soak fills a disk.
//!
//! Rules of thumb, taken from runs of the shipped scenarios; an estimate within a factor of two.

use super::{CasePlan, producers::instance_total};

/// Pages, results and what else does not grow with time.
const CASE_BYTES: u64 = 256 << 10;

/// A partition in the result, the tables and the page.
const PARTITION_BYTES: u64 = 2 << 10;

/// A point of a partition's series, of which there are at most [`PARTITION_POINTS`].
const PARTITION_POINT_BYTES: u64 = 45;
const PARTITION_POINTS: u64 = 120;

/// A second's rows, event and merged histograms; histograms are added up after two hours.
const SECOND_BYTES: u64 = 5 << 10;
const LATER_SECOND_BYTES: u64 = 2 << 10;
const FINE_SECONDS: u64 = 7_200;

/// An agent's row of resources: one a second, and one in ten seconds after two hours.
const AGENT_ROW_BYTES: u64 = 110;
const LATER_ROW_SECONDS: u64 = 10;

/// An agent's raw interval without its instances.
const AGENT_SECOND_BYTES: u64 = 290;

/// An instance's part of a raw interval without its partitions.
const INSTANCE_SECOND_BYTES: u64 = 200;

/// A partition's part of an instance's raw interval, its histograms aside.
const INSTANCE_PARTITION_SECOND_BYTES: u64 = 24;

/// Of a histogram in a raw interval: bytes for each record, as long as records are few enough to have
/// cells of their own. A producer has two of a partition, a consumer one.
const CELL_BYTES: f64 = 2.0;
const CELLS_MAX: f64 = 512.0;

/// Raw intervals are deflated, mostly to between a quarter and three fifths: taken as half.
const DEFLATED: u64 = 2;

/// Bytes in the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ArchiveBytes {
    /// Once the case is judged.
    pub(super) kept: u64,
    /// What comes on top until then: raw intervals that take more than the scenario keeps.
    pub(super) passing: u64,
}

/// Bytes in the archive.
#[must_use]
pub(super) fn archive_bytes(case: &CasePlan) -> ArchiveBytes {
    let seconds = case.timeline.load_end_us().div_ceil(1_000_000);
    let partitions: u64 = case.topics.iter().map(|topic| count(topic.partitions)).sum();
    let points = PARTITION_POINT_BYTES * seconds.min(PARTITION_POINTS);
    let fine = seconds.min(FINE_SECONDS);
    let rows = case.agents.len() as u64 * (fine + (seconds - fine) / LATER_ROW_SECONDS);
    let derived = CASE_BYTES
        + partitions * (PARTITION_BYTES + points)
        + fine * SECOND_BYTES
        + (seconds - fine) * LATER_SECOND_BYTES
        + rows * AGENT_ROW_BYTES;
    let raw = intervals_bytes(case, seconds);
    if raw > case.keep_intervals_bytes {
        ArchiveBytes { kept: derived, passing: raw }
    } else {
        ArchiveBytes { kept: derived + raw, passing: 0 }
    }
}

/// Bytes of raw intervals.
fn intervals_bytes(case: &CasePlan, seconds: u64) -> u64 {
    let rates = topic_rates(case, seconds);
    let agents = case.agents.iter().map(|agent| {
        let mut second = AGENT_SECOND_BYTES;
        for producer in &agent.producers {
            let partitions = count(case.topics[producer.topic.index()].partitions);
            let records = instance_total(&producer.schedule, producer.stride, producer.offset);
            let closed = producer.schedule.has_closed_loop();
            let rate = if closed { f64::MAX } else { real(records) / real(seconds.max(1)) };
            second += INSTANCE_SECOND_BYTES + histograms(partitions, rate, 2.0);
        }
        for consumer in &agent.consumers {
            let members = members_of(case, &consumer.topics);
            second += INSTANCE_SECOND_BYTES;
            for topic in &consumer.topics {
                let partitions = count(case.topics[topic.index()].partitions).div_ceil(members);
                let rate = rates[topic.index()] / real(members);
                second += histograms(partitions, rate, 1.0);
            }
        }
        second * seconds / DEFLATED
    });
    agents.sum()
}

/// Histograms of some partitions among which so many records a second are spread.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and below 10^9"
)]
fn histograms(partitions: u64, rate_per_s: f64, each: f64) -> u64 {
    let records = (rate_per_s / real(partitions)).min(CELLS_MAX);
    partitions * (INSTANCE_PARTITION_SECOND_BYTES + (each * CELL_BYTES * records) as u64)
}

/// Records a second that each topic gets in the mean.
fn topic_rates(case: &CasePlan, seconds: u64) -> Vec<f64> {
    let mut rates = vec![0.0; case.topics.len()];
    for producer in case.agents.iter().flat_map(|agent| &agent.producers) {
        let records = instance_total(&producer.schedule, producer.stride, producer.offset);
        let closed = producer.schedule.has_closed_loop();
        rates[producer.topic.index()] +=
            if closed { f64::MAX / 1e9 } else { real(records) / real(seconds.max(1)) };
    }
    rates
}

/// Consumer instances that read the same topics: as a rule the members of one group.
fn members_of(case: &CasePlan, topics: &[mallard_protocol::ids::TopicId]) -> u64 {
    let consumers = case.agents.iter().flat_map(|agent| &agent.consumers);
    (consumers.filter(|consumer| consumer.topics == topics).count() as u64).max(1)
}

fn count(partitions: i32) -> u64 {
    u64::try_from(partitions).unwrap_or(0).max(1)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate, to three digits")]
fn real(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::simulate::Shape,
        plan::{Plan, show},
        scenario::KEEP_INTERVALS_BYTES,
    };
    use mallard_protocol::schedule::PhaseKind;

    /// A day of a hundred agents, a thousand partitions and a million records a second.
    fn large() -> CasePlan {
        let shape = Shape {
            agents: 100,
            partitions: 1_000,
            rate_per_s: Some(1e6),
            phases: vec![
                ("hold", PhaseKind::Hold, 86_400_000_000),
                ("drain", PhaseKind::Drain, 60_000_000),
            ],
            expect: Vec::new(),
        };
        CasePlan { keep_intervals_bytes: KEEP_INTERVALS_BYTES, ..shape.plan() }
    }

    #[test]
    fn a_large_day_keeps_an_archive_of_sane_size_and_says_what_it_takes_until_it_is_judged() {
        let case = large();
        let bytes = archive_bytes(&case);
        assert!(bytes.kept < 1 << 30 && bytes.passing > 100 << 30, "{bytes:?}");
        let keeping = CasePlan { keep_intervals_bytes: u64::MAX, ..case.clone() };
        let all = ArchiveBytes { kept: bytes.kept + bytes.passing, passing: 0 };
        assert_eq!(archive_bytes(&keeping), all);
        let plan = Plan { name: "large".into(), cases: vec![case], ..Plan::default() };
        let text = show::text(&plan);
        let said = "more until it is judged, because `keep_intervals` is 4 GiB";
        assert!(text.contains(said), "{text}");
    }
}
