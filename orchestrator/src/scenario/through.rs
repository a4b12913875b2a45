//! How a consumer's records are matched with what went into a pipeline of others.

use super::payload::mention;
use crate::config::shape::{
    Fields, Located, Shape, either, integer, list_of_some, record, scalar, tagged, units::Wrong,
    words,
};
use mallard_protocol::workload::Matching;
use serde_json::json;

/// Most outputs of an input that are counted one by one.
const OUTPUTS_LIMIT: u64 = 1_000;

/// A pipeline between producers and a consumer.
#[derive(Clone, Debug)]
pub struct Through {
    /// The topics that go in.
    pub from: Vec<Located<String>>,
    /// How records are matched.
    pub matching: Located<Matching>,
    /// Outputs of each input; `None` if that is open.
    pub outputs: Option<u32>,
}

/// The shape of `through`.
pub(super) fn shape() -> impl Shape<Value = Through> {
    record("a pipeline that is measured through", through)
}

fn through(fields: &mut Fields<'_>) -> Option<Through> {
    let from = fields.required(
        "from",
        "The topics that go in. This scenario's producers write to them.",
        list_of_some(mention()),
    );
    let matching = fields.required(
        "match",
        "How records are matched: by the header `mallard`, or by a field with a mark where headers are lost.",
        either(
            words([("header", Matching::Header)]),
            tagged("a match").variant(
                "field",
                "Name of a field of JSON values, `a.b` for one inside of another.",
                field().map(Matching::Field),
            ),
        )
        .located(),
    );
    let outputs = fields.optional(
        "outputs",
        "Outputs of each input, or `some`: one at least. 1 with `match: header`, else `some`.",
        words([("some", None)])
            .or(integer(1..=OUTPUTS_LIMIT).map(|n| Some(u32::try_from(n).unwrap_or(u32::MAX)))),
    );
    let (from, matching) = (from?, matching?);
    let default = match matching.value {
        Matching::Header => Some(1),
        Matching::Field(_) => None,
    };
    Some(Through { from, matching, outputs: outputs.flatten().unwrap_or(default) })
}

fn field() -> impl Shape<Value = String> {
    scalar("a field's name", json!({"type": "string"}), |s| {
        if s.text.is_empty() || s.text.split('.').any(str::is_empty) {
            let help = "write `sample_id`, or `row.sample_id` for a field inside of another";
            return Err(Wrong::new("this cannot be a field's name", help));
        }
        Ok(s.text.clone())
    })
}
