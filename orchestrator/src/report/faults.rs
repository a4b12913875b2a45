//! Faults in words: what was broken on purpose, what proves it, and how it was undone.

use crate::{
    model::fault::FaultResult,
    text::format::{clock, duration},
};
use serde::Serialize;

/// Most faults of a case on its page.
const SHOWN: usize = 200;

/// A fault, as the page shows it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FaultView {
    name: String,
    what: String,
    victim: String,
    begun: String,
    effect: String,
    has_effect: bool,
    lasted: String,
    undone: String,
    is_undone: bool,
}

/// Faults in words, and how many are left out.
#[must_use]
pub fn views(faults: &[FaultResult]) -> (Vec<FaultView>, usize) {
    let views: Vec<_> = faults.iter().take(SHOWN).map(view).collect();
    let left_out = faults.len() - views.len();
    (views, left_out)
}

fn view(fault: &FaultResult) -> FaultView {
    let begun = match (fault.begun_us, fault.missed) {
        (Some(at_us), _) => clock(at_us),
        (None, true) => "missed: no controller was running the case".to_owned(),
        (None, false) => "not begun".to_owned(),
    };
    let held = fault.begun_us.zip(fault.ended_us).map(|(from, to)| to.saturating_sub(from));
    FaultView {
        name: fault.name.clone(),
        what: format!("{} of {}", fault.kind, fault.node),
        victim: victim(fault),
        begun,
        effect: effect(fault),
        has_effect: fault.effect_us.is_some(),
        lasted: held.map(duration).unwrap_or_default(),
        undone: undone(fault),
        is_undone: fault.undone_us.is_some(),
    }
}

fn victim(fault: &FaultResult) -> String {
    match (fault.broker, &fault.victim) {
        (Some(broker), Some(victim)) => format!("broker {broker}: {victim}"),
        (Some(broker), None) => format!("broker {broker}"),
        _ => String::new(),
    }
}

fn effect(fault: &FaultResult) -> String {
    let proof = fault.effect.clone().unwrap_or_default();
    match fault.begun_us.zip(fault.effect_us) {
        Some((from_us, to_us)) => {
            format!("after {}: {proof}", duration(to_us.saturating_sub(from_us)))
        }
        None => proof,
    }
}

fn undone(fault: &FaultResult) -> String {
    let trouble = || fault.trouble.clone().unwrap_or_default();
    let Some(undone_us) = fault.undone_us else { return trouble() };
    let took = duration(undone_us.saturating_sub(fault.ended_us.unwrap_or(undone_us)));
    let (proof, by) = (fault.undone.as_deref(), fault.undone_by.as_deref());
    let revived = if fault.revived {
        "; it had ended because of the fault and was started again"
    } else {
        ""
    };
    format!(
        "{}, {took} after the end of the fault: {}, by {}{revived}",
        clock(undone_us),
        proof.unwrap_or_default(),
        by.unwrap_or_default()
    )
}

/// A line for a chart.
#[must_use]
pub fn line(fault: &FaultResult) -> String {
    format!("fault {}: {} of {}, {}", fault.name, fault.kind, fault.node, victim(fault))
}
