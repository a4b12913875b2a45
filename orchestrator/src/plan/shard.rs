//! A part of a plan's cases: `--shard 2/5`.
//!
//! Invariants: each case falls to one part, by the plan alone. Repetitions of a case stay together, because
//! comparisons take them for runs of one lab.

use super::{CasePlan, Plan, ShardPlan};
use crate::{
    expect::across_cases::AcrossPlan,
    model::shard::{Shard, Slice, WrittenAcross},
    over_time::{fingerprint, observation::key},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What a case takes beside its load, by rule of thumb.
const BESIDE_LOAD: Duration = Duration::from_secs(2);

/// The part of a plan, without cases that are left out. What must hold across cases is left to whoever puts the
/// parts together.
pub(super) fn take(plan: Plan, slice: Slice, leave_out: &BTreeSet<String>) -> Plan {
    let units = units(&plan.cases);
    let loads: Vec<Duration> =
        units.iter().map(|unit| unit.clone().map(|at| length(&plan.cases[at])).sum()).collect();
    let parts = assign(&loads, slice);
    let mut lengths = vec![Duration::ZERO; slice.of as usize];
    parts.iter().zip(&loads).for_each(|(part, load)| lengths[*part] += *load);
    let part_of_case: Vec<usize> =
        units.into_iter().zip(&parts).flat_map(|(unit, part)| unit.map(|_| *part)).collect();
    let is_own = |at: usize| part_of_case[at] + 1 == slice.number as usize;
    let names = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        let cases = plan.cases.iter().enumerate().filter(|(at, _)| wanted(*at));
        cases.map(|(_, case)| case.name.clone()).collect()
    };
    let written = plan.across.iter().filter(|of| !of.pairs.is_empty());
    let shard = Shard {
        number: slice.number,
        of: slice.of,
        balanced: slice.balanced,
        cases: names(&|_| true),
        own: names(&is_own),
        plan: fingerprint::of_plan(
            plan.cases.iter().map(|case| (&*case.name, &*case.scenario_yaml)),
        ),
        across: written.map(|of| across(of, &plan.cases)).collect(),
        cores: Default::default(),
    };
    let own = plan.cases.into_iter().enumerate().filter(|(at, _)| is_own(*at));
    let own = own.map(|(_, case)| case).filter(|case| !leave_out.contains(&case.name));
    Plan {
        cases: own.collect(),
        across: Vec::new(),
        shard: Some(ShardPlan { shard, lengths }),
        ..plan
    }
}

/// An expectation across cases with all that it takes to judge it elsewhere.
fn across(of: &AcrossPlan, cases: &[CasePlan]) -> WrittenAcross {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let own = cases.iter().filter(|case| case.scenario == of.scenario);
    for (name, value) in own.flat_map(|case| &case.parameters) {
        let known = values.entry(name.clone()).or_default();
        if !known.contains(value) {
            known.push(value.clone());
        }
    }
    let name = |at: usize| cases[at].name.clone();
    WrittenAcross {
        scenario: of.scenario.clone(),
        text: of.expectation.text.clone(),
        line: of.expectation.source.1,
        values,
        pairs: of.pairs.iter().map(|(left, right)| (name(*left), name(*right))).collect(),
    }
}

/// Cases that stay together: each with its repetitions, which follow each other.
fn units(cases: &[CasePlan]) -> Vec<std::ops::Range<usize>> {
    let mut units: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        match units.last_mut() {
            Some(unit) if key(&cases[unit.start].name) == key(&case.name) => unit.end = at + 1,
            _ => units.push(at..at + 1),
        }
    }
    units
}

/// How long a case takes by plan. Drains are over when everything has arrived, mostly at once.
fn length(case: &CasePlan) -> Duration {
    Duration::from_micros(case.timeline.load_end_us()) + BESIDE_LOAD
}

/// The part that each falls to, from 0: in turn; balanced, the longest first to the part that has least. Source:
/// Graham, *Bounds on multiprocessing timing anomalies*, 1969: no part is longer than 4/3 of what is possible.
fn assign(loads: &[Duration], slice: Slice) -> Vec<usize> {
    let of = slice.of as usize;
    if !slice.balanced {
        return (0..loads.len()).map(|at| at % of).collect();
    }
    let mut longest_first: Vec<usize> = (0..loads.len()).collect();
    longest_first.sort_by_key(|at| std::cmp::Reverse(loads[*at]));
    let (mut parts, mut sums) = (vec![0; loads.len()], vec![Duration::ZERO; of]);
    for at in longest_first {
        let least = (0..of).min_by_key(|part| sums[*part]).unwrap_or(0);
        parts[at] = least;
        sums[least] += loads[at];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::simulate::Shape;

    fn plan(cases: &[&str]) -> Plan {
        let case = Shape::default().plan();
        let named = |name: &&str| CasePlan { name: (*name).to_owned(), ..case.clone() };
        Plan { cases: cases.iter().map(named).collect(), ..Plan::default() }
    }

    fn slice(number: u32, of: u32, balanced: bool) -> Slice {
        Slice { number, of, balanced }
    }

    #[test]
    fn each_case_falls_to_one_part_and_repetitions_stay_together() {
        let names = ["a+1", "a+2", "b+1", "b+2", "c+1", "c+2"];
        for balanced in [false, true] {
            let parts: Vec<Plan> = (1..=4)
                .map(|number| take(plan(&names), slice(number, 4, balanced), &BTreeSet::new()))
                .collect();
            let mut all: Vec<&str> = Vec::new();
            for part in &parts {
                let own: Vec<&str> = part.cases.iter().map(|case| &*case.name).collect();
                assert!(own.is_empty() || own.len() == 2, "{own:?}");
                let shard = &part.shard.as_ref().unwrap().shard;
                assert_eq!(shard.own, own);
                assert_eq!(shard.cases, names);
                all.extend(own);
            }
            all.sort_unstable();
            assert_eq!(all, names);
        }
    }

    #[test]
    fn what_is_left_out_changes_no_part() {
        let out = BTreeSet::from(["a".to_owned(), "c".to_owned()]);
        let part = take(plan(&["a", "b", "c", "d"]), slice(1, 2, false), &out);
        assert!(part.cases.is_empty(), "{:?}", part.cases);
        assert_eq!(part.shard.unwrap().shard.own, ["a", "c"]);
    }

    #[test]
    fn balanced_parts_are_about_equally_long() {
        let loads = [600, 10, 10, 10, 300, 300].map(Duration::from_secs);
        let sum = |balanced: bool| {
            let parts = assign(&loads, slice(1, 2, balanced));
            let mut sums = [Duration::ZERO; 2];
            parts.iter().zip(loads).for_each(|(part, load)| sums[*part] += load);
            sums.map(|sum| sum.as_secs())
        };
        assert_eq!(sum(true), [620, 610]);
        assert_eq!(sum(false), [910, 320]);
    }
}
