//! What is known of faults once all intervals are decided.

use super::{shortfall::Shortfall, unavailable::Stretch};
use crate::{
    measure::spans::Spans,
    metrics::tally::{FaultOutcome, Unavailable},
};

/// A fault's time on the run's clock, as far as its guard has told it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultTimes {
    /// When it began.
    pub begun_us: Option<u64>,
    /// When it was undone.
    pub undone_us: Option<u64>,
    /// The broker that suffers it.
    pub broker: Option<i32>,
    /// Nobody knows whether and when it was there.
    pub is_unknown: bool,
}

/// Which part of the time is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::measure) enum When {
    /// All of it.
    Any,
    /// These faults, by their place in the plan.
    Of(Vec<usize>),
    /// Outside faults and the recovery from them.
    Outside,
}

/// A partition without acknowledgements, beside a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The partition.
    pub slot: usize,
    /// Since when.
    pub from_us: u64,
    /// Until when.
    pub to_us: u64,
}

/// What one fault did.
#[derive(Clone, Debug, Default)]
pub(in crate::measure) struct Finding {
    pub(super) times: FaultTimes,
    /// When the first record was late or failed.
    pub(super) detected_us: Option<u64>,
    /// Since when all was as before.
    pub(super) recovered_us: Option<u64>,
    pub(super) shortfall: Option<Shortfall>,
    /// Acknowledged late, in the fault and the recovery from it.
    pub(in crate::measure) late: u64,
    /// Failed for good, then.
    pub(in crate::measure) failed: u64,
    /// Sent again, then.
    pub(in crate::measure) retried: u64,
}

impl Finding {
    /// From its begin until producers felt it.
    pub(in crate::measure) fn detected_after_us(&self) -> Option<u64> {
        Some(self.detected_us?.saturating_sub(self.times.begun_us?))
    }

    /// From its undoing until all was as before.
    pub(in crate::measure) fn recovered_after_us(&self) -> Option<u64> {
        Some(self.recovered_us?.saturating_sub(self.times.undone_us?))
    }

    /// Records due in it that were not acknowledged in it.
    pub(in crate::measure) fn shortfall(&self) -> Option<u64> {
        self.times.undone_us?;
        self.shortfall.as_ref()?.records()
    }

    fn meets(&self, stretch: &Stretch) -> bool {
        let to_us = self.times.undone_us.unwrap_or(u64::MAX);
        self.times
            .begun_us
            .is_some_and(|from_us| from_us < stretch.to_us && stretch.from_us < to_us)
    }

    /// Whether a stretch lies in it or in the recovery from it.
    fn explains(&self, stretch: &Stretch) -> bool {
        let to_us = self.recovered_us.unwrap_or(u64::MAX);
        self.times
            .begun_us
            .is_some_and(|from_us| from_us < stretch.to_us && stretch.from_us < to_us)
    }
}

/// What all faults did.
#[derive(Clone, Debug, Default)]
pub(in crate::measure) struct Findings {
    /// In the plan's order.
    pub(in crate::measure) of: Vec<Finding>,
    /// Of all times in which something was broken; `None` where a part is not known.
    pub(super) shortfall: Option<u64>,
    /// `None` where they cannot be told.
    pub(super) stretches: Option<Vec<Stretch>>,
}

impl Findings {
    /// Whether it is known of all faults when they were there.
    pub(in crate::measure) fn are_known(&self, when: &When) -> bool {
        let is_known = |of: &Finding| !of.times.is_unknown;
        match when {
            When::Any => true,
            When::Outside => self.of.iter().all(is_known),
            When::Of(faults) => faults.iter().all(|fault| {
                let of = &self.of[*fault];
                is_known(of) && of.times.begun_us.is_some() == of.times.undone_us.is_some()
            }),
        }
    }

    /// The metrics of faults. Faults that never began are none.
    pub(in crate::measure) fn outcome(&self, when: &When) -> FaultOutcome {
        let wanted = |at: &usize| match when {
            When::Any => true,
            When::Of(faults) => faults.contains(at),
            When::Outside => false,
        };
        let of = self.of.iter().enumerate().filter(|(at, _)| wanted(at)).map(|(_, of)| of);
        let of: Vec<_> = of.filter(|of| of.times.begun_us.is_some()).collect();
        let all = |pick: fn(&Finding) -> Option<u64>| {
            of.iter().map(|of| pick(of)).collect::<Option<Vec<_>>>()
        };
        let shortfall = match when {
            When::Any => self.shortfall.filter(|_| !of.is_empty()),
            _ => all(Finding::shortfall).filter(|all| !all.is_empty()).map(|all| all.iter().sum()),
        };
        FaultOutcome {
            detected_us: of.iter().filter_map(|of| of.detected_after_us()).max(),
            recovery_us: all(Finding::recovered_after_us).and_then(|all| all.into_iter().max()),
            shortfall,
        }
    }

    /// How long partitions acknowledged nothing.
    pub(in crate::measure) fn unavailable(
        &self,
        when: &When,
        measured: &Spans,
        is_wanted: impl Fn(usize) -> bool,
    ) -> Option<Unavailable> {
        let is_then = |stretch: &Stretch| match when {
            When::Any => measured.meet(stretch.from_us, stretch.to_us),
            When::Of(faults) => faults.iter().any(|fault| self.of[*fault].meets(stretch)),
            When::Outside => {
                measured.meet(stretch.from_us, stretch.to_us)
                    && !self.of.iter().any(|of| of.explains(stretch))
            }
        };
        let stretches = self.stretches.as_ref()?.iter();
        let stretches = stretches.filter(|stretch| is_wanted(stretch.slot) && is_then(stretch));
        Some(stretches.fold(Unavailable::default(), |sum, stretch| Unavailable {
            max_us: sum.max_us.max(stretch.unusual_us),
            total_us: sum.total_us + stretch.unusual_us,
        }))
    }

    /// Partitions that acknowledged nothing while a fault was there.
    pub(in crate::measure) fn silent_in(&self, fault: usize) -> Vec<Span> {
        let stretches = self.stretches.iter().flatten();
        let beside = stretches.filter(|stretch| self.of[fault].meets(stretch));
        let span = |Stretch { slot, from_us, to_us, .. }: &Stretch| Span {
            slot: *slot,
            from_us: *from_us,
            to_us: *to_us,
        };
        beside.map(span).collect()
    }
}
