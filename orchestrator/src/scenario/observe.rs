//! What is watched without being Mallard's.

use super::consumers::group;
use crate::config::shape::{Fields, Located, Shape, list_of_some, record};

/// What a scenario watches.
#[derive(Clone, Debug, Default)]
pub struct Observe {
    /// Consumer groups, by their id on the broker.
    pub groups: Vec<Located<String>>,
}

/// The shape of `observe`.
pub(super) fn shape() -> impl Shape<Value = Observe> {
    record("what is observed", observe)
}

fn observe(fields: &mut Fields<'_>) -> Option<Observe> {
    let groups = fields.required(
        "groups",
        "Consumer groups of others, by their id on the broker: their lag in this scenario's topics, what they commit, their members.",
        list_of_some(group()),
    );
    Some(Observe { groups: groups.unwrap_or_default() })
}
