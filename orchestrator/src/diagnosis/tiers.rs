//! Tiers: good, acceptable or poor by fixed marks, or said to be neither.
//!
//! The marks are those that performance tests of stream consumers commonly print: more than 5,000
//! records a second and a 95th percentile below 100 ms are good, less than 1,000 or above 500 ms is
//! poor; memory should be stable, and throughput should grow with parallelism.

use super::Facts;
use crate::{
    metrics::resources::MEMORY_SLOPE_SPAN_US,
    model::result::{Tier, TierResult},
    text::units::human,
};

/// Above this many records a second, throughput is good.
const THROUGHPUT_GOOD_PER_S: f64 = 5_000.0;
/// Below this many, it is poor.
const THROUGHPUT_POOR_PER_S: f64 = 1_000.0;
/// Share of the scheduled rate from which on the schedule, not the system, set the rate.
const MET: f64 = 0.99;

/// Below this 95th percentile, latency is good.
const LATENCY_GOOD_US: f64 = 100_000.0;
/// Above this one, it is poor.
const LATENCY_POOR_US: f64 = 500_000.0;

/// Growth over the measured phases as a share of the memory at the start: below it, memory is stable.
const MEMORY_GOOD: f64 = 0.05;
/// Above it, memory grows.
const MEMORY_POOR: f64 = 0.2;

/// Share of linear scaling from which on scaling is good.
pub const SCALING_GOOD: f64 = 0.8;
/// Share of linear scaling below which there is as good as none.
pub const SCALING_ACCEPTABLE: f64 = 0.5;

/// The tiers of a case: those indicators that it has figures for.
pub(super) fn tiers(facts: &Facts) -> Vec<TierResult> {
    [throughput(facts), latency(facts), memory(facts)].into_iter().flatten().collect()
}

fn result(indicator: &str, tier: Option<Tier>, text: String) -> TierResult {
    TierResult { indicator: indicator.to_owned(), tier, text }
}

fn throughput(facts: &Facts) -> Option<TierResult> {
    let names = ["pipeline.samples.rate", "produce.acked.rate", "consume.received.rate"];
    let (name, rate) = names.iter().find_map(|name| Some((*name, facts.metric(name)?)))?;
    let reached = human(rate, "per_s");
    let asked = facts.metric("produce.scheduled.rate").filter(|_| !facts.closed_loop);
    // A schedule asks for payloads, of which each has several samples.
    let of_schedule = facts.metric("pipeline.messages.rate").unwrap_or(rate);
    let is_met = asked.is_some_and(|asked| of_schedule >= asked * MET);
    let tier = if rate > THROUGHPUT_GOOD_PER_S {
        Some(Tier::Good)
    } else if is_met {
        None
    } else if rate < THROUGHPUT_POOR_PER_S {
        Some(Tier::Poor)
    } else {
        Some(Tier::Acceptable)
    };
    let text = match asked.filter(|_| tier.is_none()) {
        Some(asked) => format!(
            "{name} was {reached}; the schedule asked for {} and got it, so this says nothing about \
             what is possible",
            human(asked, "per_s")
        ),
        None => format!("{name} was {reached} (good above 5,000/s, poor below 1,000/s)"),
    };
    Some(result("throughput", tier, text))
}

fn latency(facts: &Facts) -> Option<TierResult> {
    let names =
        ["end_to_end.p95", "pipeline.payload.p95", "produce.response.p95", "produce.service.p95"];
    let (name, us) = names.iter().find_map(|name| Some((*name, facts.metric(name)?)))?;
    let tier = if us < LATENCY_GOOD_US {
        Tier::Good
    } else if us > LATENCY_POOR_US {
        Tier::Poor
    } else {
        Tier::Acceptable
    };
    let text = format!("{name} was {} (good below 100 ms, poor above 500 ms)", human(us, "us"));
    Some(result("latency", Some(tier), text))
}

/// The tier of memory, by its slope.
pub(super) fn memory(facts: &Facts) -> Option<TierResult> {
    let start = facts.metric("agent.memory.start").filter(|bytes| *bytes > 0.0)?;
    let Some(slope) = facts.metric("agent.memory.slope") else {
        let text = format!(
            "less than {} min was measured, in which buffers that fill look like growth",
            MEMORY_SLOPE_SPAN_US / 60_000_000
        );
        return Some(result("memory", None, text));
    };
    #[expect(clippy::cast_precision_loss, reason = "a load lasts at most 40 days")]
    let hours = facts.measured_us as f64 / 3.6e9;
    let growth = slope * hours / start;
    let tier = if growth < MEMORY_GOOD {
        Tier::Good
    } else if growth > MEMORY_POOR {
        Tier::Poor
    } else {
        Tier::Acceptable
    };
    let text = format!(
        "agent.memory.slope was {}, which over the measured phases is {} of the {} at the start \
         (good below 5 %, poor above 20 %)",
        human(slope, "bytes_per_hour"),
        human(growth, "ratio"),
        human(start, "bytes")
    );
    Some(result("memory", Some(tier), text))
}

/// The tier of scaling, from the share of linear scaling that was reached.
#[must_use]
pub fn of_scaling(share: f64) -> Tier {
    if share >= SCALING_GOOD {
        Tier::Good
    } else if share >= SCALING_ACCEPTABLE {
        Tier::Acceptable
    } else {
        Tier::Poor
    }
}
