//! The verdict of a run and its sentence, from those of its parts.

use crate::{
    model::{
        kind::Kind,
        result::{AcrossResult, CaseSummary, ComparedResult, Reason, Standing, Verdict},
    },
    text::plural::noun,
};

/// The parts of a run that is over.
#[derive(Clone, Copy, Debug)]
pub struct WholeRun<'a> {
    /// Its cases that were judged.
    pub cases: &'a [CaseSummary],
    /// Its expectations across cases.
    pub across: &'a [AcrossResult],
    /// Its expectations against baselines.
    pub compared: &'a [ComparedResult],
    /// What else there is to say of it.
    pub reasons: &'a [Reason],
    /// Cases that were not started.
    pub skipped: usize,
}

impl WholeRun<'_> {
    /// The worst of its parts.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let broken = [Kind::ArchiveFailed, Kind::HostUnusable, Kind::HarnessFailed];
        let is_broken = |reason: &Reason| broken.iter().any(|kind| kind.is(reason));
        let across = self.across.iter().filter(|across| !across.passed).map(|_| Verdict::Fail);
        let compared = self.compared.iter().map(|of| of.standing.verdict());
        let cases = self.cases.iter().map(|case| case.verdict);
        let worst = Verdict::worst(cases.chain(across).chain(compared));
        match self.cases.is_empty() {
            _ if self.reasons.iter().any(is_broken) => Verdict::Error,
            // What was not started has not passed, however the others ended.
            _ if self.skipped > 0 => worst.max(Verdict::Interrupted),
            true => Verdict::Error,
            false => worst,
        }
    }

    /// The run in one sentence: the only case's, or how many of them ended how.
    #[must_use]
    pub fn sentence(&self, verdict: Verdict) -> String {
        let unusable = self.reasons.iter().filter(|reason| Kind::HostUnusable.is(reason)).count();
        if unusable > 0 && self.cases.is_empty() {
            let hosts = noun(unusable, "host");
            return format!("error: {unusable} {hosts} cannot be used, so nothing was started");
        }
        if let [only] = self.cases {
            return match self.worst_compared().filter(|_| verdict > only.verdict) {
                Some(worst) => format!("{}: {}", verdict.as_str(), worst.sentence),
                None => flaky_or(only),
            };
        }
        let passed = self.cases.iter().filter(|case| case.verdict == Verdict::Pass).count();
        let worst =
            self.cases.iter().find(|case| case.verdict == verdict && verdict != Verdict::Pass);
        let across = || self.across.iter().find(|across| !across.passed).map(|of| &of.sentence);
        let against = || self.worst_compared().map(|of| &of.sentence);
        let detail = match worst {
            Some(case) => format!("; {}: {}", case.name, case.sentence),
            None => across().or_else(against).map_or(String::new(), |said| format!("; {said}")),
        };
        let held = match self.across.len() {
            0 => String::new(),
            all => {
                let held = self.across.iter().filter(|across| across.passed).count();
                format!(", {held} of {all} expectations across cases held")
            }
        };
        let against = self.tally();
        let flaky = self.cases.iter().filter(|case| case.is_flaky()).count();
        let flaky = if flaky > 0 { format!(" ({flaky} flaky)") } else { String::new() };
        format!("{passed} of {} cases passed{flaky}{held}{against}{detail}", self.cases.len())
    }

    /// The expectation against a baseline that decides for the run: the first of the worst.
    fn worst_compared(&self) -> Option<&ComparedResult> {
        let bad = self.compared.iter().filter(|of| of.standing.verdict() != Verdict::Pass);
        bad.rev().max_by_key(|of| of.standing.verdict())
    }

    /// `, 1 of 2 expectations against baselines held`.
    fn tally(&self) -> String {
        let judged = self.compared.iter().filter(|of| of.standing != Standing::NotJudged);
        let held = judged.clone().filter(|of| of.standing == Standing::Held).count();
        match judged.count() {
            0 => String::new(),
            all => format!(", {held} of {all} expectations against baselines held"),
        }
    }
}

/// A case's sentence; of one that passed after it had failed, with where that was.
fn flaky_or(case: &CaseSummary) -> String {
    match case.failed_before().last() {
        Some(before) => {
            let rest = case.sentence.strip_prefix(case.verdict.as_str()).unwrap_or(&case.sentence);
            format!("{}: flaky, it failed in {}{rest}", case.verdict.as_str(), before.run_id)
        }
        None => case.sentence.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: WholeRun<'_> =
        WholeRun { cases: &[], across: &[], compared: &[], reasons: &[], skipped: 0 };

    #[test]
    fn a_run_without_a_case_that_was_judged_has_not_passed() {
        assert_eq!(NOTHING.verdict(), Verdict::Error);
        assert_eq!(WholeRun { skipped: 2, ..NOTHING }.verdict(), Verdict::Interrupted);
        let reasons = [Kind::HostUnusable.reason("load-1: connect: refused".to_owned())];
        let unusable = WholeRun { reasons: &reasons, skipped: 2, ..NOTHING };
        assert_eq!(unusable.verdict(), Verdict::Error);
        let sentence = unusable.sentence(Verdict::Error);
        assert_eq!(sentence, "error: 1 host cannot be used, so nothing was started");
    }
}
