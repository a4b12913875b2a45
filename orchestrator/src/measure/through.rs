//! What became of records that went into a foreign pipeline: matched, lost, multiplied.
//!
//! Consumers tell which inputs their records come from; all of them are put together here, since the
//! pieces of one input may come out of different partitions. Sets of sequence numbers keep this exact,
//! and as small as the numbers are dense: an hour at 10,000/s takes a few MB.
//!
//! Identity, audited in every interval: `received = matched outputs + unmatched`. And at the end:
//! `inputs = matched + lost`, as long as no input that failed for its producer came out all the same.

use crate::metrics::tally::ThroughOutcome;
use mallard_protocol::{
    ids::InstanceId,
    interval::ThroughInterval,
    workload::{Matching, ThroughSpec},
};
use roaring::RoaringTreemap;
use std::collections::BTreeMap;

/// How a reader's records are matched with inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThroughPlan {
    /// Producer instances whose records go into the pipeline.
    pub sources: Vec<InstanceId>,
    /// Outputs that each input should have; `None` if that is open.
    pub outputs: Option<u32>,
    /// Whether each output of an input has a mark of its own.
    pub has_parts: bool,
}

impl From<&ThroughSpec> for ThroughPlan {
    fn from(spec: &ThroughSpec) -> Self {
        Self {
            sources: spec.sources.iter().map(|source| source.instance).collect(),
            outputs: spec.outputs,
            has_parts: matches!(spec.matching, Matching::Field(_)),
        }
    }
}

impl ThroughPlan {
    /// Times that an output with the same mark may come, and whether more are duplicates.
    fn layers(&self) -> (usize, bool) {
        match (self.has_parts, self.outputs) {
            (true, _) => (1, true),
            (false, Some(outputs)) => (outputs.max(1) as usize, true),
            (false, None) => (1, false),
        }
    }
}

/// Inputs seen by one reader.
#[derive(Clone, Debug, Default)]
pub(super) struct ThroughBook {
    /// By producer and part: sequences seen at least once, at least twice, and so on.
    layers: BTreeMap<(InstanceId, u16), Vec<RoaringTreemap>>,
    outputs: u64,
    beyond: u64,
    unmatched: u64,
}

impl ThroughBook {
    /// Takes in what a consumer saw in an interval.
    pub(super) fn add(&mut self, interval: &ThroughInterval, plan: &ThroughPlan) {
        let (count, _) = plan.layers();
        self.unmatched += interval.unmatched;
        for of in &interval.sightings {
            let layers = self.layers.entry((of.instance, of.part)).or_default();
            layers.resize_with(count, RoaringTreemap::new);
            for &(first, length, times) in &of.runs {
                self.outputs += length * u64::from(times);
                for sequence in first..first.saturating_add(length) {
                    let mut left = times;
                    for layer in layers.iter_mut() {
                        left -= u32::from(left > 0 && layer.insert(sequence));
                    }
                    self.beyond += u64::from(left);
                }
            }
        }
    }

    /// What became of so many inputs.
    pub(super) fn outcome(&self, inputs: u64, plan: &ThroughPlan) -> ThroughOutcome {
        let (_, tells_duplicates) = plan.layers();
        let (mut matched, mut complete) = (0, 0);
        for source in &plan.sources {
            let parts = self.layers.range((*source, 0)..=(*source, u16::MAX));
            let parts: Vec<_> = parts.map(|(_, layers)| layers).collect();
            let seen = parts.iter().filter_map(|layers| layers.first());
            let seen = seen.fold(RoaringTreemap::new(), |all, part| all | part);
            matched += seen.len();
            complete += complete_of(&parts, plan);
        }
        ThroughOutcome {
            inputs,
            matched,
            lost: inputs.saturating_sub(matched),
            incomplete: plan.outputs.map(|_| matched - complete),
            outputs: self.outputs,
            duplicates: tells_duplicates.then_some(self.beyond),
            unmatched: self.unmatched,
        }
    }
}

/// Inputs of one producer of which all outputs came.
fn complete_of(parts: &[&Vec<RoaringTreemap>], plan: &ThroughPlan) -> u64 {
    let Some(outputs) = plan.outputs else { return 0 };
    if !plan.has_parts {
        return parts.iter().filter_map(|layers| layers.last()).map(RoaringTreemap::len).sum();
    }
    let outputs = outputs as usize;
    let firsts: Vec<_> = parts.iter().filter_map(|layers| layers.first()).collect();
    if firsts.len() < outputs {
        return 0;
    }
    let wanted = firsts[..outputs].iter();
    wanted.copied().cloned().reduce(|all, part| all & part).map_or(0, |all| all.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::interval::Sightings;
    use proptest::prelude::*;

    const PRODUCER: InstanceId = InstanceId(3);

    fn plan(outputs: Option<u32>, has_parts: bool) -> ThroughPlan {
        ThroughPlan { sources: vec![PRODUCER], outputs, has_parts }
    }

    fn seen(part: u16, runs: &[(u64, u64, u32)]) -> ThroughInterval {
        let of = Sightings { instance: PRODUCER, part, runs: runs.to_vec() };
        ThroughInterval { sightings: vec![of], unmatched: 1 }
    }

    #[test]
    fn what_one_input_became_is_counted_by_how_many_there_should_be() {
        let plan = plan(Some(2), false);
        let mut book = ThroughBook::default();
        // Two consumers: 0 to 9 once each by both, 5 once more, 20 by one alone.
        book.add(&seen(0, &[(0, 10, 1), (20, 1, 1)]), &plan);
        book.add(&seen(0, &[(0, 5, 1), (5, 1, 2), (6, 4, 1)]), &plan);
        let outcome = book.outcome(12, &plan);
        assert_eq!((outcome.inputs, outcome.matched, outcome.lost), (12, 11, 1));
        assert_eq!((outcome.incomplete, outcome.duplicates), (Some(1), Some(1)));
        assert_eq!((outcome.outputs, outcome.unmatched), (22, 2));
    }

    #[test]
    fn outputs_with_marks_of_their_own_are_duplicates_when_seen_twice() {
        let plan = plan(Some(3), true);
        let mut book = ThroughBook::default();
        for part in 0..3 {
            book.add(&seen(part, &[(0, 100, 1)]), &plan);
        }
        assert_eq!(book.outcome(100, &plan).incomplete, Some(0));
        book.add(&seen(1, &[(7, 1, 1)]), &plan);
        book.add(&seen(2, &[(100, 1, 1)]), &plan);
        let outcome = book.outcome(101, &plan);
        assert_eq!((outcome.lost, outcome.incomplete), (0, Some(1)));
        assert_eq!((outcome.outputs, outcome.duplicates), (302, Some(1)));
    }

    #[test]
    fn where_the_number_is_open_more_outputs_are_no_duplicates() {
        let plan = plan(None, false);
        let mut book = ThroughBook::default();
        book.add(&seen(0, &[(0, 2, 4)]), &plan);
        let outcome = book.outcome(3, &plan);
        assert_eq!((outcome.matched, outcome.lost, outcome.outputs), (2, 1, 8));
        assert_eq!((outcome.duplicates, outcome.incomplete), (None, None));
    }

    proptest! {
        #[test]
        fn the_order_of_intervals_changes_nothing(
            runs in proptest::collection::vec((0_u64..40, 1_u64..10, 1_u32..4), 0..20),
            outputs in 1_u32..5,
        ) {
            let plan = plan(Some(outputs), false);
            let (mut there, mut back) = (ThroughBook::default(), ThroughBook::default());
            runs.iter().for_each(|run| there.add(&seen(0, &[*run]), &plan));
            runs.iter().rev().for_each(|run| back.add(&seen(0, &[*run]), &plan));
            prop_assert_eq!(there.outcome(40, &plan), back.outcome(40, &plan));
            let outcome = there.outcome(40, &plan);
            let mut times = std::collections::BTreeMap::new();
            for (first, length, seen) in runs {
                (first..first + length).for_each(|s| *times.entry(s).or_insert(0) += u64::from(seen));
            }
            let beyond: u64 = times.values().map(|n: &u64| n.saturating_sub(outputs.into())).sum();
            prop_assert_eq!(outcome.duplicates, Some(beyond));
            prop_assert_eq!(outcome.matched, times.len() as u64);
        }
    }
}
