//! What the figures of a case mean: tiers, where the time goes, and what limits.
//!
//! Tiers say good, acceptable or poor by fixed marks, and never change a verdict. A diagnosis names what
//! limits, the figures that say so, and what to do about it.
//!
//! Invariant: everything here follows from [`Facts`] that were measured or planned. A rule without its
//! figures says nothing, and where no rule speaks, that is said.

mod bottleneck;
mod facts;
mod finding;
#[cfg(test)]
mod hindrances;
mod pipeline;
mod rules;
mod stages;
#[cfg(test)]
mod tests;
mod tiers;

pub use facts::{Facts, Group, Partition, Pipeline, Sender, Sink};
pub use tiers::{SCALING_ACCEPTABLE, SCALING_GOOD, of_scaling};

use crate::model::result::Interpretation;

/// Interprets a case.
#[must_use]
pub fn interpret(facts: &Facts) -> Interpretation {
    let stages = stages::stages(facts);
    let diagnoses = rules::diagnoses(facts, &stages);
    let summary = match diagnoses.len() {
        0 if facts.is_slow() => {
            "Records took long, and no figure says why: no witness names a client setting, the host, \
             the network or a broker."
        }
        0 if facts.has_load() => {
            "Nothing stands out: no stage, partition, consumer, broker or agent limited this case \
             by the figures it left."
        }
        0 => "There is nothing to go by: no record was acknowledged or received.",
        1 => "One thing stands out.",
        _ => "These stand out, the weightiest first.",
    };
    Interpretation { tiers: tiers::tiers(facts), stages, diagnoses, summary: summary.to_owned() }
}
