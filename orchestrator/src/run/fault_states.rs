//! How far each fault of a case is.

use crate::{clock::micros, model::fault::FaultResult, plan::FaultPlan};
use std::{collections::BTreeSet, time::Duration};

/// What is known of a case's faults, in the plan's order.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) of: Vec<FaultResult>,
    /// Those that are due.
    pub(super) due: BTreeSet<usize>,
    /// Those whose victim is being looked for, or whose guard has its order.
    pub(super) ordered: BTreeSet<usize>,
    /// Guards were told to end what goes on.
    pub(super) are_ended: bool,
    /// Until when undoing is waited for, on this machine's clock.
    pub(super) patience_us: Option<u64>,
}

impl Faults {
    /// Nothing has begun yet.
    pub(super) fn of(plan: &[FaultPlan], undo: Duration) -> Self {
        let of = |fault: &FaultPlan| FaultResult {
            name: fault.name.clone(),
            kind: fault.act.word().to_owned(),
            node: fault.wire.whom(&fault.node),
            planned_us: fault.at_us,
            for_us: fault.for_us,
            undo_us: micros(undo),
            ..FaultResult::default()
        };
        Self { of: plan.iter().map(of).collect(), ..Self::default() }
    }

    /// Those that go on.
    pub(super) fn active(&self) -> impl Iterator<Item = usize> {
        let active = self.of.iter().enumerate().filter(|(_, fault)| fault.is_active());
        active.map(|(at, _)| at)
    }

    /// The fault that a broker suffers now, if one does.
    pub(super) fn suffered_by(&self, broker: i32) -> Option<&FaultResult> {
        self.of.iter().find(|fault| fault.broker == Some(broker) && fault.is_active())
    }
}
