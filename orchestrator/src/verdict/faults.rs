//! What became of faults, as reasons: a case in which a fault was not what it should be answers another question.

use super::{
    Doubt, Kind,
    checks::{Case, us},
    clock::Clock,
};
use crate::model::{
    fault::FaultResult,
    result::{ExpectationResult, Verdict},
};

/// Most faults that one reason names.
const NAMED: usize = 5;

/// Doubts about faults.
pub(super) fn doubts(case: &Case) -> Vec<Doubt> {
    let faults = &case.facts.faults;
    let mut doubts: Vec<_> = faults.iter().filter_map(doubt).collect();
    let missed: Vec<_> = faults.iter().filter(|fault| fault.missed).collect();
    if !missed.is_empty() {
        let named: Vec<_> = missed.iter().take(NAMED).map(|fault| fault.name.as_str()).collect();
        let text = format!(
            "{} of {} faults were missed, because no controller ran the case: {}",
            missed.len(),
            faults.len(),
            named.join(", ")
        );
        doubts.push(Doubt::reason(Kind::FaultsMissed, Verdict::Invalid, text));
    }
    doubts
}

/// Which fault, or the recovery from it, lies in the first window in which an expectation failed: `, while fault kill
/// was there (kill of broker 2, 14:03:10-14:03:42 UTC)`; nothing where none does.
pub(super) fn beside(
    expectation: &ExpectationResult,
    faults: &[FaultResult],
    clock: &Clock,
) -> String {
    let Some((start_us, end_us)) = expectation.first_failing_window_us else {
        return String::new();
    };
    let meets = |fault: &&FaultResult| {
        let Some((from_us, undone_us)) = fault.window_us() else { return false };
        let recovery_us = fault.did.as_ref().and_then(|did| did.recovered_after_us).unwrap_or(0);
        let to_us = undone_us.map_or(u64::MAX, |undone_us| undone_us + recovery_us);
        from_us < end_us && start_us < to_us
    };
    let Some(fault) = faults.iter().find(meets) else { return String::new() };
    let Some((from_us, undone_us)) = fault.window_us() else { return String::new() };
    let whom = fault.broker.map_or_else(|| fault.node.clone(), |broker| format!("broker {broker}"));
    let when = match undone_us {
        Some(undone_us) => clock.stretch(from_us, undone_us),
        None => "to the end".to_owned(),
    };
    format!(", while fault {} was there ({} of {whom}, {when})", fault.name, fault.kind)
}

fn doubt(fault: &FaultResult) -> Option<Doubt> {
    let of = match fault.broker {
        Some(broker) => format!("{} ({} of broker {broker})", fault.name, fault.kind),
        None => format!("{} ({} of {})", fault.name, fault.kind, fault.node),
    };
    match (fault.begun_us, &fault.trouble, fault.undone_us) {
        (Some(_), Some(cause), _) => {
            let by_hand = fault.by_hand.as_ref();
            let by_hand =
                by_hand.map(|by_hand| format!("; by hand: {by_hand}")).unwrap_or_default();
            let victim = fault.victim.as_deref().unwrap_or("its victim");
            let text = format!("fault {of} was not undone, {victim}: {cause}{by_hand}");
            Some(Doubt::reason(Kind::FaultNotUndone, Verdict::Error, text))
        }
        (None, Some(cause), _) => {
            let text = format!("fault {of} was not begun: {cause}");
            Some(Doubt::reason(Kind::FaultNotBegun, Verdict::Error, text))
        }
        (Some(_), None, _) if fault.effect_us.is_none() => {
            let seen = fault.effect.as_deref().unwrap_or("none was observed");
            let text = format!("fault {of} had no effect: {seen}");
            Some(Doubt::reason(Kind::FaultWithoutEffect, Verdict::Invalid, text))
        }
        (Some(_), None, Some(undone_us)) => {
            let took_us = undone_us.saturating_sub(fault.ended_us?);
            (took_us > fault.undo_us).then(|| {
                let text = format!(
                    "undoing fault {of} took {}, expected were at most {}",
                    us(took_us),
                    us(fault.undo_us)
                );
                Doubt::warning(Kind::UndoLate, text)
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone() -> FaultResult {
        FaultResult {
            name: "kill".into(),
            kind: "kill".into(),
            broker: Some(2),
            undo_us: 15_000_000,
            armed_us: Some(9),
            begun_us: Some(10),
            effect_us: Some(20),
            ended_us: Some(30),
            undone_us: Some(15_000_030),
            ..FaultResult::default()
        }
    }

    #[track_caller]
    fn code(fault: &FaultResult) -> (Option<&'static str>, Option<Verdict>) {
        let doubt = doubt(fault);
        let verdict = doubt.as_ref().and_then(|doubt| doubt.verdict);
        (doubt.map(|doubt| doubt.kind.code()), verdict)
    }

    #[test]
    fn a_broken_expectation_names_the_fault_in_its_window() {
        let clock = Clock::new(None);
        let fault =
            FaultResult { begun_us: Some(70_000_000), undone_us: Some(105_000_000), ..undone() };
        let mut expectation = ExpectationResult {
            text: String::new(),
            metric: String::new(),
            scope: None,
            value: None,
            limit: 0.0,
            margin: None,
            unit: String::new(),
            passed: false,
            not_reached: false,
            is_unknown: false,
            first_failing_window_us: Some((60_000_000, 90_000_000)),
            failing_us: Vec::new(),
            windows: None,
            source: None,
            line: None,
            sentence: String::new(),
        };
        let faults = [fault];
        let text = beside(&expectation, &faults, &clock);
        assert!(text.starts_with(", while fault kill was there (kill of broker 2, "), "{text}");
        for window in [None, Some((0, 70_000_000)), Some((105_000_000, 120_000_000))] {
            expectation.first_failing_window_us = window;
            assert_eq!(beside(&expectation, &faults, &clock), "", "{window:?}");
        }
    }

    #[test]
    fn only_a_fault_that_was_proved_and_undone_is_none_of_a_verdict() {
        assert_eq!(code(&undone()), (None, None));
        let late = FaultResult { undone_us: Some(15_000_031), ..undone() };
        assert_eq!(code(&late), (Some("undo_late"), None));
        let unseen = FaultResult { effect_us: None, ..undone() };
        assert_eq!(code(&unseen), (Some("fault_without_effect"), Some(Verdict::Invalid)));
        let stuck = FaultResult { undone_us: None, trouble: Some("x".into()), ..undone() };
        assert_eq!(code(&stuck), (Some("fault_not_undone"), Some(Verdict::Error)));
        let refused = FaultResult { begun_us: None, ..stuck };
        assert_eq!(code(&refused), (Some("fault_not_begun"), Some(Verdict::Error)));
        // A load that ended before it was due needs no word.
        assert_eq!(code(&FaultResult::default()), (None, None));
    }
}
