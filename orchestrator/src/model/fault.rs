//! Faults, as results, the archive's `faults.jsonl` and pages have them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fault of a case: what was planned, and what became of it. Times are microseconds on the run's clock; what did
/// not happen is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultResult {
    /// Its name in the scenario.
    pub name: String,
    /// What is done: `kill`, `pause`, `cut`, `loss`, `limit`.
    pub kind: String,
    /// To whom, as the scenario says it: `leader of orders/0`, `the wire between broker 1 and agents`.
    pub node: String,
    /// When it was to begin.
    pub planned_us: u64,
    /// How long it was to last.
    pub for_us: u64,
    /// How long undoing may take before it is late.
    pub undo_us: u64,
    /// The broker that it came to be about.
    pub broker: Option<i32>,
    /// The process or container that this broker was: `process 4711 (java)`.
    pub victim: Option<String>,
    /// Who holds the undo.
    pub held_by: Option<String>,
    /// When the undo was held.
    pub armed_us: Option<u64>,
    /// When it was done.
    pub begun_us: Option<u64>,
    /// When it was first seen to have its effect.
    pub effect_us: Option<u64>,
    /// What proves the effect; what was seen instead where `effect_us` is null.
    pub effect: Option<String>,
    /// When undoing began.
    pub ended_us: Option<u64>,
    /// Why then.
    pub ended_because: Option<String>,
    /// When it was seen to be undone.
    pub undone_us: Option<u64>,
    /// What proves that.
    pub undone: Option<String>,
    /// Who undid it: `the guard`, `its twin`.
    pub undone_by: Option<String>,
    /// The victim ended because of the fault, and was started again.
    pub revived: bool,
    /// Why it was not begun, or not undone.
    pub trouble: Option<String>,
    /// What undoes it by hand, where it was not undone.
    pub by_hand: Option<String>,
    /// Nobody ran the case when it was due.
    pub missed: bool,
    /// What it did to the load; known once the case is over, and not in `faults.jsonl`.
    #[serde(default)]
    pub did: Option<FaultEffect>,
}

/// What a fault did to the load. Counts are of the fault and the recovery from it; what cannot be known is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultEffect {
    /// From its begin to the first record that was late or failed on a partition that its broker led, in microseconds.
    pub detected_after_us: Option<u64>,
    /// From its undoing until all was as before it, in microseconds.
    pub recovered_after_us: Option<u64>,
    /// Records that were due in it and not acknowledged in it.
    pub shortfall: Option<u64>,
    /// Records acknowledged more than 1 s late.
    pub late: u64,
    /// Records failed for good.
    pub failed: u64,
    /// Records that clients sent again.
    pub retried: u64,
    /// Partitions that acknowledged nothing that was due.
    pub silent: Vec<SilentPartition>,
}

/// A partition that acknowledged nothing that was due, on the run's clock in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilentPartition {
    /// The partition: `orders/3`.
    pub partition: String,
    /// Since when.
    pub from_us: u64,
    /// Until when.
    pub to_us: u64,
}

impl FaultResult {
    /// Whether it was done, whatever became of it.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun_us.is_some()
    }

    /// Its guard stood ready and was not needed.
    pub fn unready(&mut self) {
        (self.armed_us, self.victim, self.held_by, self.broker) = (None, None, None, None);
    }

    /// Whether its undo is held and it is neither undone nor given up.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.armed_us.is_some() && !self.is_over()
    }

    /// Whether nothing more will become of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.undone_us.is_some() || self.trouble.is_some() || self.missed
    }

    /// Texts that quote programs or hosts, and may hold a secret.
    pub fn free_texts(&mut self) -> impl Iterator<Item = &mut String> {
        let texts = [
            &mut self.victim,
            &mut self.held_by,
            &mut self.effect,
            &mut self.ended_because,
            &mut self.undone,
            &mut self.undone_by,
            &mut self.trouble,
            &mut self.by_hand,
        ];
        texts.into_iter().flatten()
    }

    /// From when until when it was there, as far as that is known: undoing belongs to it.
    #[must_use]
    pub fn window_us(&self) -> Option<(u64, Option<u64>)> {
        Some((self.begun_us?, self.undone_us))
    }
}
