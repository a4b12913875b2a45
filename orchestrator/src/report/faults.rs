//! Faults in words: what was broken on purpose, what proves it, and how it was undone.

use crate::{
    model::fault::{FaultEffect, FaultResult, SilentPartition},
    text::{
        format::{clock, duration},
        units::count,
    },
};
use serde::Serialize;

/// Most faults of a case on its page.
const SHOWN: usize = 200;

/// Most partitions that a fault names.
const PARTITIONS: usize = 12;

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
    /// What it did to the load, once that is known.
    did: Option<DidView>,
}

/// What a fault did to the load.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct DidView {
    felt: String,
    silent: String,
    late: String,
    retried: String,
    failed: String,
    shortfall: String,
    recovered: String,
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
        did: fault.did.as_ref().map(|did| did_view(fault, did)),
    }
}

fn did_view(fault: &FaultResult, did: &FaultEffect) -> DidView {
    let unknown = || "not known".to_owned();
    let recovered = match (fault.undone_us, did.recovered_after_us) {
        (_, Some(us)) => duration(us),
        (Some(_), None) => "not seen".to_owned(),
        (None, None) => String::new(),
    };
    DidView {
        felt: did.detected_after_us.map_or_else(|| "not seen".to_owned(), duration),
        silent: silent(&did.silent),
        late: count(did.late),
        retried: count(did.retried),
        failed: count(did.failed),
        shortfall: did.shortfall.map_or_else(unknown, count),
        recovered,
    }
}

/// Partitions that acknowledged nothing, those of one stretch together, the longest first: `orders/1, orders/4: 9.2 s`.
fn silent(silent: &[SilentPartition]) -> String {
    if silent.is_empty() {
        return "none".to_owned();
    }
    let mut longest: Vec<_> = silent.iter().map(|of| (of.to_us - of.from_us, of)).collect();
    longest.sort_by_key(|(us, of)| (std::cmp::Reverse(*us), of.partition.as_str()));
    let left_out = longest.len().saturating_sub(PARTITIONS);
    longest.truncate(PARTITIONS);
    let mut words: Vec<(String, Vec<&str>)> = Vec::new();
    for (us, of) in longest {
        let text = duration(us);
        match words.last_mut().filter(|(last, _)| *last == text) {
            Some((_, partitions)) => partitions.push(&of.partition),
            None => words.push((text, vec![&of.partition])),
        }
    }
    let words = words.into_iter().map(|(text, of)| format!("{}: {text}", of.join(", ")));
    let words = words.collect::<Vec<_>>().join("; ");
    if left_out > 0 { format!("{words}; and {left_out} more") } else { words }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(partition: &str, from_us: u64, to_us: u64) -> SilentPartition {
        SilentPartition { partition: partition.to_owned(), from_us, to_us }
    }

    #[test]
    fn partitions_that_were_silent_for_as_long_stand_together_the_longest_first() {
        let all =
            [of("a/0", 0, 2_000_000), of("a/1", 1_000_000, 9_000_000), of("a/2", 0, 2_000_000)];
        let (long, short) = (duration(8_000_000), duration(2_000_000));
        assert_eq!(silent(&all), format!("a/1: {long}; a/0, a/2: {short}"));
        assert_eq!(silent(&[]), "none");
        let many: Vec<_> = (0..14).map(|n| of(&format!("a/{n:02}"), 0, 2_000_000)).collect();
        let end = format!("a/11: {short}; and 2 more");
        assert!(silent(&many).ends_with(&end), "{}", silent(&many));
    }
}
