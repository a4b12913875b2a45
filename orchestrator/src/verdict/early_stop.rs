//! A load that was ended in order before its planned end: judged by what was measured until then.

use super::{
    Doubt, Kind,
    checks::{Case, us},
};
use crate::model::result::{ExpectationResult, Verdict};

/// Says that the load was stopped early. It makes the case `interrupted` where it keeps it from being
/// judged: nothing was measured yet, or an expectation is about a time that did not come. What has
/// failed by then has failed; so `others`, the doubts that there are already, come first.
pub(super) fn doubt(
    case: &Case,
    expectations: &[ExpectationResult],
    others: &[Doubt],
) -> Option<Doubt> {
    let stop = case.facts.early_stop.as_ref()?;
    let text = format!(
        "stopped early: {} ended the load at {} of {}",
        stop.by,
        us(stop.at_us),
        us(stop.planned_us)
    );
    if case.measured.quality.measured_intervals == 0 {
        let text = format!("{text}, before anything was measured");
        return Some(Doubt::reason(Kind::Interrupted, Verdict::Interrupted, text));
    }
    let mut open = expectations.iter().filter(|expectation| expectation.not_reached);
    let Some(first) = open.next() else {
        return Some(Doubt::warning(Kind::StoppedEarly, text));
    };
    let text = format!(
        "{text}, before {} of {} expectations could be judged: {}",
        1 + open.count(),
        expectations.len(),
        first.text
    );
    Some(match others.iter().all(|doubt| doubt.verdict.is_none()) {
        true => Doubt::reason(Kind::Interrupted, Verdict::Interrupted, text),
        false => Doubt::warning(Kind::StoppedEarly, text),
    })
}
