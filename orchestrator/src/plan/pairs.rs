//! Two plans in turns: `--against`.
//!
//! Invariants: both sides of a pair run one after the other; of every two pairs of a case each side goes first once, so that
//! a drift of the lab is in both. Who begins is drawn from the seed alone.

use super::{CasePlan, Plan};
use crate::{
    config::Diagnostic,
    expect::across_cases::AcrossPlan,
    over_time::{
        compare::{PairOf, Pairing},
        observation::key,
        statistics::Dice,
    },
    text::nearest::listed,
};
use std::collections::{BTreeMap, BTreeSet};

/// Before the names of cases that are held against.
const BASE: &str = "base.";

/// Longest name of a case: it is a folder's name.
const NAME_LIMIT: usize = 160;

/// One plan of two: the cases of `base` and `new`, of which each has its repetitions, pair by pair.
///
/// # Errors
///
/// Cases that have no partner, and names that are too long.
pub fn interleave(
    (base, base_name): (Plan, &str),
    (new, new_name): (Plan, &str),
    seed: u64,
) -> Result<Plan, Diagnostic> {
    let partners = partners((&base.cases, base_name), (&new.cases, new_name))?;
    let mut order: Vec<(bool, usize)> = Vec::new();
    let mut pairs = Vec::new();
    let rounds = partners.iter().map(|(_, of_base, _)| of_base.len()).max().unwrap_or(0);
    for round in 0..rounds {
        for (name, of_base, of_new) in &partners {
            let (Some(a), Some(b)) = (of_base.get(round), of_new.get(round)) else { continue };
            let base_first = base_first(seed, name, round);
            let mut sides = [(true, *a), (false, *b)];
            if !base_first {
                sides.reverse();
            }
            order.extend(sides);
            pairs.push(PairOf {
                name: name.clone(),
                number: u32::try_from(round + 1).unwrap_or(u32::MAX),
                base: format!("{BASE}{}", base.cases[*a].name),
                new: new.cases[*b].name.clone(),
                base_first,
            });
        }
    }
    check_names(&pairs)?;
    let place = |is_base: bool, at: usize| order.iter().position(|of| *of == (is_base, at));
    let across = |of: &[AcrossPlan], is_base: bool| -> Vec<AcrossPlan> {
        let moved = |(left, right): &(usize, usize)| {
            Some((place(is_base, *left)?, place(is_base, *right)?))
        };
        let plan = |of: &AcrossPlan| AcrossPlan {
            pairs: of.pairs.iter().filter_map(moved).collect(),
            ..of.clone()
        };
        of.iter().map(plan).collect()
    };
    let across = [across(&new.across, false), across(&base.across, true)].concat();
    let cases = order.iter().map(|(is_base, at)| match is_base {
        true => as_base(&base.cases[*at]),
        false => new.cases[*at].clone(),
    });
    Ok(Plan {
        cases: cases.collect(),
        across,
        pairs: Some(Pairing { base: base_name.to_owned(), new: new_name.to_owned(), seed, pairs }),
        warnings: [new.warnings, base.warnings].concat(),
        name: new.name,
        shard: None,
    })
}

/// A case that is held against. What it expects of baselines is not asked here.
fn as_base(case: &CasePlan) -> CasePlan {
    CasePlan {
        name: format!("{BASE}{}", case.name),
        against: Vec::new(),
        compare: None,
        ..case.clone()
    }
}

/// Of every two pairs of a case each side goes first once: ABBA or BAAB.
fn base_first(seed: u64, name: &str, round: usize) -> bool {
    let (seed, block) = (seed.to_string(), (round / 2).to_string());
    let coin = Dice::from_texts(["pairs", &seed, name, &block]).number() & 1 == 0;
    coin != (round % 2 == 1)
}

/// What cases are called together, with the places of their repetitions on both sides.
type Partners = Vec<(String, Vec<usize>, Vec<usize>)>;

/// Cases of one name; where each side has one case only, these, whatever they are called.
fn partners(
    (base, base_name): (&[CasePlan], &str),
    (new, new_name): (&[CasePlan], &str),
) -> Result<Partners, Diagnostic> {
    let (mut of_base, of_new) = (by_key(base), by_key(new));
    if let ([(a, at_a)], [(b, at_b)]) = (of_base.as_slice(), of_new.as_slice()) {
        let name = if a == b { (*a).to_owned() } else { format!("{a} → {b}") };
        return Ok(vec![(name, at_a.clone(), at_b.clone())]);
    }
    let names_base: BTreeSet<&str> = of_base.iter().map(|(name, _)| *name).collect();
    let names_new: BTreeSet<&str> = of_new.iter().map(|(name, _)| *name).collect();
    let alone: Vec<&str> = names_base.symmetric_difference(&names_new).copied().collect();
    if !alone.is_empty() {
        let message = format!(
            "{base_name} and {new_name} do not have the same cases: {} on one side only",
            listed(&alone)
        );
        let help = "cases of one name are pairs; `--only` leaves out others, and two scenarios of one case each are a \
                    pair whatever they are called";
        return Err(Diagnostic::error("", message).with_help(help));
    }
    let mut by_name: BTreeMap<&str, Vec<usize>> = of_base.drain(..).collect();
    let pair = |(name, at): (&str, Vec<usize>)| {
        (name.to_owned(), by_name.remove(name).unwrap_or_default(), at)
    };
    Ok(of_new.into_iter().map(pair).collect())
}

fn by_key(cases: &[CasePlan]) -> Vec<(&str, Vec<usize>)> {
    let mut by_key: Vec<(&str, Vec<usize>)> = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let name = key(&case.name);
        match by_key.iter_mut().find(|(known, _)| *known == name) {
            Some((_, places)) => places.push(at),
            None => by_key.push((name, vec![at])),
        }
    }
    by_key
}

fn check_names(pairs: &[PairOf]) -> Result<(), Diagnostic> {
    let names: BTreeSet<&str> = pairs.iter().map(|pair| pair.new.as_str()).collect();
    for pair in pairs {
        if pair.base.len() > NAME_LIMIT {
            let message = format!("`{}` is too long for the name of a case", pair.base);
            let help = format!("shorten the scenario's name: {NAME_LIMIT} characters are allowed");
            return Err(Diagnostic::error("", message).with_help(help));
        }
        if names.contains(pair.base.as_str()) {
            let message = format!("two cases would be called `{}`", pair.base);
            return Err(Diagnostic::error("", message).with_help("give a scenario another name"));
        }
    }
    Ok(())
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

    fn names(plan: &Plan) -> Vec<&str> {
        plan.cases.iter().map(|case| &*case.name).collect()
    }

    #[test]
    fn of_every_two_pairs_each_side_goes_first_once_and_the_seed_decides() {
        let rounds: Vec<String> = (1..=20).map(|round| format!("a+{round}")).collect();
        let rounds: Vec<&str> = rounds.iter().map(String::as_str).collect();
        let of = |seed: u64| {
            let both = interleave((plan(&rounds), "b.yaml"), (plan(&rounds), "a.yaml"), seed);
            let both = both.unwrap();
            let pairs = both.pairs.clone().unwrap().pairs;
            for (at, pair) in pairs.iter().enumerate() {
                let mut expected = [pair.base.as_str(), pair.new.as_str()];
                if !pair.base_first {
                    expected.reverse();
                }
                assert_eq!(names(&both)[2 * at..2 * at + 2], expected);
                assert_eq!((pair.name.as_str(), pair.number as usize), ("a", at + 1));
            }
            pairs.iter().map(|pair| pair.base_first).collect::<Vec<_>>()
        };
        let first = of(1);
        assert!(first.chunks(2).all(|two| two[0] != two[1]), "{first:?}");
        assert_eq!(first, of(1));
        assert!((2..10).any(|seed| of(seed) != first));
    }

    #[test]
    fn cases_of_one_name_are_pairs_and_one_without_a_partner_is_refused() {
        let both = interleave((plan(&["a", "b"]), "x"), (plan(&["b", "a"]), "y"), 1).unwrap();
        let pairs = both.pairs.clone().unwrap().pairs;
        assert_eq!(pairs[0].base, "base.b");
        assert_eq!((both.cases.len(), pairs.len()), (4, 2));
        let single = interleave((plan(&["old"]), "x"), (plan(&["new"]), "y"), 1).unwrap();
        assert_eq!(single.pairs.unwrap().pairs[0].name, "old → new");
        let refused =
            interleave((plan(&["a", "b"]), "x"), (plan(&["a", "c"]), "y"), 1).unwrap_err();
        assert!(refused.message.contains("`b`, `c` on one side only"), "{refused:?}");
    }
}
