//! The one order of verdicts, from the least to the worst.

use crate::model::result::Verdict;

/// How bad a verdict is: a higher number is worse.
#[must_use]
pub fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Fail => 1,
        Verdict::Invalid => 2,
        Verdict::Interrupted => 3,
        Verdict::Error => 4,
    }
}

/// The worst of verdicts; pass if there are none.
#[must_use]
pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().max_by_key(|verdict| severity(*verdict)).unwrap_or(Verdict::Pass)
}
