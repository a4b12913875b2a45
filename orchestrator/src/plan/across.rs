//! Expectations across cases: read once a scenario, and given the cases that they are about.

use super::{CasePlan, case::vocabulary};
use crate::{
    config::shape::{Reader, part_of},
    expect::across_cases::{AcrossPlan, Axis, Candidate, check_produced, pairs, parse},
    scenario::{LoadedScenario, Scenario, matrix},
};

/// The expectations across a scenario's cases, as far as they can be judged with the cases there are.
pub(super) fn across(
    loaded: &LoadedScenario,
    scenario: &Scenario,
    cases: &[CasePlan],
    reader: &mut Reader,
) -> Vec<AcrossPlan> {
    let axes = matrix::axes(loaded).into_iter().map(|(name, values)| Axis { name, values });
    let axes: Vec<Axis> = axes.collect();
    let own = cases.iter().enumerate().filter(|(_, case)| case.file == loaded.source.path);
    let own = own.map(|(index, case)| Candidate { index, parameters: &case.parameters });
    let own: Vec<_> = own.collect();
    let mut plans = Vec::new();
    for written in &scenario.across {
        let read = parse(&written.value, &axes).and_then(|expectation| {
            let pairs = pairs(&expectation, &own);
            // Only those that are compared: in others the metric may well be missing.
            for index in pairs.iter().flat_map(|(left, right)| [*left, *right]) {
                let CasePlan { topics, timeline, agents, .. } = &cases[index];
                let vocabulary = vocabulary(scenario, topics, timeline, agents, scenario.broken);
                check_produced(&written.value, &vocabulary)?;
            }
            Ok((expectation, pairs))
        });
        match read {
            Ok((mut expectation, pairs)) => {
                let file = written.at.source.path.clone();
                expectation.source = (file, Some(written.at.line()));
                if pairs.is_empty() && !own.is_empty() {
                    let help = "`--only` or `--set` leaves out cases that it compares";
                    reader.warn(&written.at, "this is not judged in this run", help);
                }
                let scenario = scenario.name.value.clone();
                plans.push(AcrossPlan { scenario, expectation, pairs });
            }
            Err(wrong) => {
                let at = part_of(&written.at, &written.value, wrong.span);
                reader.error(&at, wrong.message, wrong.help.unwrap_or_default());
            }
        }
    }
    plans
}
