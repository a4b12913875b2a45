//! What became of faults, as reasons: a case in which a fault was not what it should be answers another question.

use super::{
    Doubt, Kind,
    checks::{Case, us},
};
use crate::model::{fault::FaultResult, result::Verdict};

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
