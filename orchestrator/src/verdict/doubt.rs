//! Everything that keeps a case from a plain pass: what it is, and what it does to the verdict.

use crate::model::result::{Reason, Verdict};

pub use crate::model::kind::Kind;

/// A reason for a verdict other than pass, or a warning. Texts carry their numbers already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What it is.
    pub kind: Kind,
    /// What it means here, with numbers.
    pub text: String,
    /// What it does to the verdict; `None` for a warning.
    pub verdict: Option<Verdict>,
}

impl Doubt {
    /// A reason that makes the case `verdict`.
    pub(super) fn reason(kind: Kind, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), verdict: Some(verdict) }
    }

    /// A warning.
    pub(super) fn warning(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), verdict: None }
    }
}

impl From<&Doubt> for Reason {
    fn from(doubt: &Doubt) -> Self {
        doubt.kind.reason(doubt.text.clone())
    }
}
