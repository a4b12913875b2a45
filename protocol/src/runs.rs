//! Sets of numbers that mostly follow each other, as runs: what was received of a numbered stream.
//!
//! A stream that arrives whole and in order is one run, however long. [`Runs`] grows with its holes; [`Window`] does
//! not: it closes its oldest hole when it has too many, and says of numbers there that it does not know.

use serde::{Deserialize, Serialize};

/// A set of numbers. Runs are in order, and neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, u64)>")]
pub struct Runs(Vec<(u64, u64)>);

impl TryFrom<Vec<(u64, u64)>> for Runs {
    type Error = &'static str;

    fn try_from(runs: Vec<(u64, u64)>) -> Result<Self, Self::Error> {
        let runs = Self(runs);
        if runs.is_sound() { Ok(runs) } else { Err("runs that touch, overlap or are out of order") }
    }
}

impl Runs {
    /// Adds a number; whether it is new.
    #[inline]
    pub fn insert(&mut self, number: u64) -> bool {
        match self.0.last_mut() {
            Some((_, end)) if *end == number => {
                *end += 1;
                true
            }
            _ => self.insert_run(number, number + 1) == 0,
        }
    }

    /// Adds a number unless that takes a run more than so many; whether it is new, or `None` if it was not added.
    #[inline]
    pub fn insert_within(&mut self, number: u64, runs_max: usize) -> Option<bool> {
        let follows = self.0.last().is_some_and(|run| run.1 == number);
        if !follows && self.0.len() >= runs_max && !self.touches(number, number + 1) {
            return None;
        }
        Some(self.insert(number))
    }

    /// Whether numbers from `first` up to and without `end` are in a run or next to one.
    fn touches(&self, first: u64, end: u64) -> bool {
        let at = self.0.partition_point(|run| run.1 < first);
        self.0.get(at).is_some_and(|run| run.0 <= end)
    }

    /// As [`Runs::insert_run`], unless that takes a run more than so many; `None` if nothing was added.
    pub fn insert_run_within(&mut self, first: u64, end: u64, runs_max: usize) -> Option<u64> {
        if self.0.len() >= runs_max && !self.touches(first, end) {
            return None;
        }
        Some(self.insert_run(first, end))
    }

    /// Adds the numbers from `first` up to and without `end`; how many of them were there already.
    pub fn insert_run(&mut self, first: u64, end: u64) -> u64 {
        if first >= end {
            return 0;
        }
        // The runs that it touches or overlaps.
        let from = self.0.partition_point(|run| run.1 < first);
        let to = self.0.partition_point(|run| run.0 <= end);
        let common = |run: &(u64, u64)| run.1.min(end).saturating_sub(run.0.max(first));
        let touched = &self.0[from..to];
        let again = touched.iter().map(common).sum();
        let merged = match (touched.first(), touched.last()) {
            (Some(low), Some(high)) => (low.0.min(first), high.1.max(end)),
            _ => (first, end),
        };
        self.0.splice(from..to, [merged]);
        again
    }

    /// Whether a number is in the set.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        let at = self.0.partition_point(|run| run.1 <= number);
        self.0.get(at).is_some_and(|run| run.0 <= number)
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(first, end)| end - first).sum()
    }

    /// How many numbers both sets have.
    #[must_use]
    pub fn common(&self, other: &Self) -> u64 {
        let of_run = |&(first, end): &(u64, u64)| {
            let from = other.0.partition_point(|run| run.1 <= first);
            let touched = other.0[from..].iter().take_while(|run| run.0 < end);
            touched.map(|run| run.1.min(end) - run.0.max(first)).sum::<u64>()
        };
        self.0.iter().map(of_run).sum()
    }

    /// The numbers below a limit that are not in the set.
    #[must_use]
    pub fn missing_from(&self, first: u64, limit: u64) -> Self {
        let mut missing = Vec::new();
        let mut at = first;
        for &(first, end) in self.0.iter().take_while(|run| run.0 < limit) {
            if first > at {
                missing.push((at, first));
            }
            at = at.max(end);
        }
        if at < limit {
            missing.push((at, limit));
        }
        Self(missing)
    }

    /// The numbers that another set does not have.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let left = self.0.iter().flat_map(|(first, end)| other.missing_from(*first, *end).0);
        Self(left.collect())
    }

    /// First number and end of each run, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// One beyond the largest number, 0 for none.
    #[inline]
    #[must_use]
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |run| run.1)
    }

    /// Whether there is nothing in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are runs as this type has them: what came over a channel may not be.
    fn is_sound(&self) -> bool {
        self.0.iter().all(|(first, end)| first < end)
            && self.0.windows(2).all(|pair| pair[0].1 < pair[1].0)
    }
}

/// What a window knows of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was not there before.
    New,
    /// It was there.
    Again,
    /// It lies where holes were closed.
    Unknown,
}

/// A set of numbers in at most so many runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    runs: Runs,
    runs_max: usize,
    /// Of numbers below, nothing is known any more.
    floor: u64,
    /// Numbers that were missing in the holes that were closed.
    closed: u64,
}

impl Window {
    /// An empty one, of so many runs at most.
    #[must_use]
    pub fn new(runs_max: usize) -> Self {
        Self { runs: Runs::default(), runs_max: runs_max.max(1), floor: 0, closed: 0 }
    }

    /// Adds a number.
    #[inline]
    pub fn insert(&mut self, number: u64) -> Seen {
        if number < self.floor {
            return Seen::Unknown;
        }
        let is_new = self.runs.insert(number);
        if self.runs.0.len() > self.runs_max {
            self.close_oldest();
        }
        if is_new { Seen::New } else { Seen::Again }
    }

    /// Adds a run; how many of its numbers were there already, and of how many that is not known.
    pub fn insert_run(&mut self, first: u64, end: u64) -> (u64, u64) {
        let unknown = self.floor.clamp(first, end.max(first)) - first;
        let again = self.runs.insert_run(first + unknown, end);
        while self.runs.0.len() > self.runs_max {
            self.close_oldest();
        }
        (again, unknown)
    }

    /// The numbers that are known to be in the set.
    #[inline]
    #[must_use]
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Of numbers below this, nothing is known.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// How many numbers were missing in the holes that were closed: they may have come since.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.closed
    }

    #[cold]
    fn close_oldest(&mut self) {
        let (first, end) = self.runs.0.remove(0);
        self.closed += first - self.floor;
        self.floor = end;
        if let Some((next, _)) = self.runs.0.first() {
            // The hole behind it stays open: what comes there is still told.
            debug_assert!(*next > end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Runs close to each other, so that they touch and overlap.
    fn pieces() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((0..60_u64, 0..8_u64), 0..40)
            .prop_map(|runs| runs.into_iter().map(|(first, len)| (first, first + len)).collect())
    }

    fn runs_of(pieces: &[(u64, u64)]) -> (Runs, BTreeSet<u64>) {
        let (mut runs, mut naive) = (Runs::default(), BTreeSet::new());
        for (first, end) in pieces {
            let again = (*first..*end).filter(|number| !naive.insert(*number)).count() as u64;
            assert_eq!(runs.insert_run(*first, *end), again);
            assert!(runs.is_sound(), "{runs:?}");
        }
        (runs, naive)
    }

    fn numbers(runs: &Runs) -> Vec<u64> {
        runs.as_slice().iter().flat_map(|(first, end)| *first..*end).collect()
    }

    proptest! {
        #[test]
        fn runs_are_the_set_of_their_numbers(a in pieces(), b in pieces(), from in 0..70_u64, to in 0..70_u64) {
            let ((mine, naive), (theirs, other)) = (runs_of(&a), runs_of(&b));
            prop_assert_eq!(numbers(&mine), naive.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(mine.count(), naive.len() as u64);
            prop_assert_eq!(mine.end(), naive.last().map_or(0, |last| last + 1));
            prop_assert!((0..70).all(|number| mine.contains(number) == naive.contains(&number)));
            prop_assert_eq!(mine.common(&theirs), naive.intersection(&other).count() as u64);
            let missing: Vec<_> = (from..to).filter(|number| !naive.contains(number)).collect();
            prop_assert_eq!(numbers(&mine.missing_from(from, to)), missing);
            let left: Vec<_> = naive.difference(&other).copied().collect();
            prop_assert_eq!(numbers(&mine.without(&theirs)), left);
            prop_assert!(mine.without(&theirs).is_sound());
        }

        #[test]
        fn runs_survive_the_wire_and_what_are_none_is_an_error(pieces in pieces(), any in pieces()) {
            let (runs, _) = runs_of(&pieces);
            let bytes = postcard::to_stdvec(&runs).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Runs>(&bytes).unwrap(), runs);
            let read = postcard::from_bytes::<Runs>(&postcard::to_stdvec(&any).unwrap());
            prop_assert!(read.is_err() || read.unwrap().as_slice() == any);
        }

        #[test]
        fn numbers_one_by_one_are_runs(values in prop::collection::vec(0..50_u64, 0..100)) {
            let (mut runs, mut naive) = (Runs::default(), BTreeSet::new());
            for value in values {
                prop_assert_eq!(runs.insert(value), naive.insert(value));
                prop_assert!(runs.is_sound());
            }
        }

        #[test]
        fn numbers_within_a_limit_are_all_told_or_refused(
            values in prop::collection::vec(0..50_u64, 0..100), runs_max in 0..6_usize,
        ) {
            let (mut runs, mut naive) = (Runs::default(), BTreeSet::new());
            for value in values {
                match runs.insert_within(value, runs_max) {
                    Some(is_new) => prop_assert_eq!(is_new, naive.insert(value)),
                    None => prop_assert!(runs.as_slice().len() == runs_max && !naive.contains(&value)),
                }
                prop_assert!(runs.as_slice().len() <= runs_max);
                prop_assert_eq!(numbers(&runs), naive.iter().copied().collect::<Vec<_>>());
            }
        }

        #[test]
        fn a_window_never_says_what_is_wrong_and_never_grows(
            values in prop::collection::vec(0..200_u64, 0..300), runs_max in 1..6_usize,
        ) {
            let (mut window, mut naive) = (Window::new(runs_max), BTreeSet::new());
            let mut unknown = 0;
            for value in values {
                let is_new = naive.insert(value);
                match window.insert(value) {
                    Seen::New => prop_assert!(is_new),
                    Seen::Again => prop_assert!(!is_new),
                    Seen::Unknown => unknown += u64::from(is_new),
                }
                prop_assert!(window.runs().as_slice().len() <= runs_max);
            }
            // What is below the floor is there, or was missing when its hole was closed.
            let below = naive.iter().filter(|number| **number < window.floor()).count() as u64;
            prop_assert_eq!(below, window.floor() - window.closed() + unknown);
            let above: Vec<_> =
                naive.into_iter().filter(|number| *number >= window.floor()).collect();
            prop_assert_eq!(numbers(window.runs()), above);
        }

        #[test]
        fn a_window_takes_runs_as_it_takes_numbers(pieces in pieces(), runs_max in 1..6_usize) {
            let mut window = Window::new(runs_max);
            let mut naive = BTreeSet::new();
            for (first, end) in pieces {
                let floor = window.floor();
                let (again, unknown) = window.insert_run(first, end);
                let below = (first..end).filter(|number| *number < floor).count() as u64;
                prop_assert_eq!(unknown, below);
                let known = (first.max(floor)..end).filter(|number| naive.contains(number)).count();
                prop_assert_eq!(again, known as u64);
                naive.extend(first..end);
                prop_assert!(window.runs().as_slice().len() <= runs_max);
            }
        }
    }
}
