//! Tests of merging: laws that hold for every order and every split.

mod audit;
mod clients;
mod laws;
mod soak;
mod windows;

use super::{
    AgentIndex, Collector, Measured, MergedInterval,
    simulate::{End, Fate, Shape, mix, reports},
};
use mallard_protocol::interval::IntervalReport;

/// A load with a bit of everything: slips, failures, records without a fate, losses.
pub(super) fn lively(record: u64, _: u64) -> Fate {
    let bits = mix(record);
    let end = match bits % 100 {
        0 => End::Failed("_MSG_TIMED_OUT"),
        1 => End::Failed("NOT_ENOUGH_REPLICAS"),
        2 => End::Outstanding,
        _ => End::Acked,
    };
    let service_us = 500 + bits / 7 % 2_000_000;
    let received = end == End::Acked && bits % 1_000 != 505;
    Fate {
        slip_us: bits / 11 % 20_000,
        is_held_up: bits.is_multiple_of(3),
        service_us,
        end,
        received_us: received.then_some(service_us + bits / 13 % 50_000),
    }
}

pub(super) fn feed(
    collector: &mut Collector,
    reports: &[(AgentIndex, IntervalReport)],
) -> Vec<MergedInterval> {
    let mut merged = Vec::new();
    for (agent, report) in reports {
        merged.extend(collector.interval(*agent, report).unwrap());
    }
    merged
}

/// Everything of a case: merged intervals and what was measured.
pub(super) fn run(shape: &Shape, model: fn(u64, u64) -> Fate) -> (Vec<MergedInterval>, Measured) {
    let plan = shape.plan();
    let mut collector = Collector::new(&plan);
    let mut merged = feed(&mut collector, &reports(&plan, model));
    merged.extend(collector.flush());
    (merged, collector.conclude(&Default::default()))
}
