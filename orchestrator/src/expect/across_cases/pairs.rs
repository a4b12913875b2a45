//! Which case is held against which.

use super::{Across, Side};
use std::collections::BTreeMap;

/// A case of the plan that belongs to the scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    /// Its index in the plan.
    pub(crate) index: usize,
    /// Its values by parameter, as written.
    pub(crate) parameters: &'a BTreeMap<String, String>,
}

/// Judged case and reference, for every combination of the axes that neither side names. Of repeated
/// cases the first is held against the first, the second against the second.
pub(crate) fn pairs(across: &Across, cases: &[Candidate<'_>]) -> Vec<(usize, usize)> {
    let has = |case: &Candidate<'_>, values: &[(String, String)]| {
        values.iter().all(|(axis, value)| case.parameters.get(axis) == Some(value))
    };
    let named: Vec<&str> = across.right.iter().map(|(axis, _)| axis.as_str()).collect();
    let is_left = |case: &&Candidate<'_>| match &across.left {
        Side::At(values) => has(case, values),
        Side::Every(_) => !has(case, &across.right),
    };
    let mut pairs = Vec::new();
    for left in cases.iter().filter(is_left) {
        let twins = cases.iter().filter(|case| case.parameters == left.parameters);
        let round = twins.take_while(|case| case.index != left.index).count();
        let alike = |case: &&Candidate<'_>| {
            let rest = left.parameters.iter().filter(|(axis, _)| !named.contains(&axis.as_str()));
            has(case, &across.right)
                && rest.clone().all(|(axis, value)| case.parameters.get(axis) == Some(value))
        };
        if let Some(right) = cases.iter().filter(alike).nth(round) {
            pairs.push((left.index, right.index));
        }
    }
    pairs
}
