//! `integrity`: which guarantee every record of a scenario is held to.

use crate::config::shape::{Fields, Located, Shape, words};

/// A guarantee of delivery, from a producer to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Records may be lost and come once at most.
    AtMostOnce,
    /// No record is lost; some may come more than once.
    AtLeastOnce,
    /// No record is lost, and the log holds each once.
    ExactlyOnce,
}

impl Guarantee {
    /// What must hold. What an idempotent producer promises beyond that, the order of its records, is promised with
    /// `exactly-once` alone.
    #[must_use]
    pub const fn expectations(self) -> &'static [&'static str] {
        match self {
            Self::AtMostOnce => &[
                "records.duplicated == 0",
                "records.redelivered == 0",
                "records.corrupt == 0",
                "records.misplaced == 0",
            ],
            Self::AtLeastOnce => &[
                "records.lost == 0",
                "records.not_read == 0",
                "records.corrupt == 0",
                "records.misplaced == 0",
            ],
            Self::ExactlyOnce => &[
                "records.lost == 0",
                "records.not_read == 0",
                "records.duplicated == 0",
                "records.reordered == 0",
                "records.corrupt == 0",
                "records.misplaced == 0",
            ],
        }
    }
}

/// The key, or `None` where it is not set or `none`.
pub(super) fn integrity(fields: &mut Fields<'_>) -> Option<Located<Guarantee>> {
    let guarantees = words([
        ("none", None),
        ("at-most-once", Some(Guarantee::AtMostOnce)),
        ("at-least-once", Some(Guarantee::AtLeastOnce)),
        ("exactly-once", Some(Guarantee::ExactlyOnce)),
    ]);
    let written = fields.optional(
        "integrity",
        "Follows every record by a number of its own, and fails the case if one breaks this guarantee: lost, \
         duplicated, reordered, changed or in another partition. `none` if not given.",
        guarantees.located(),
    );
    let Located { value, at, anchor } = written.flatten()?;
    Some(Located { value: value?, at, anchor })
}
