//! Expectations against baselines, as the page shows them.

use crate::{
    model::result::{ComparedResult, Standing},
    text::format::{percent, quantity},
};
use serde::Serialize;

/// An expectation against a baseline.
#[derive(Serialize)]
pub(super) struct ComparedView<'a> {
    tone: &'static str,
    sign: &'static str,
    word: &'static str,
    text: &'a str,
    case: &'a str,
    line: usize,
    sentence: &'a str,
    value: String,
    base: String,
    allowed: String,
}

/// What the page shows of one.
pub(super) fn view(of: &ComparedResult) -> ComparedView<'_> {
    let (tone, sign) = match of.standing {
        Standing::Held => ("pass", "✓"),
        Standing::Failed => ("fail", "✗"),
        Standing::Unclear => ("invalid", "?"),
        Standing::NotJudged => ("unfinished", "–"),
    };
    let figure = |value: Option<f64>| {
        value.map_or_else(|| "–".into(), |of_unit| quantity(of_unit, &of.unit))
    };
    ComparedView {
        tone,
        sign,
        word: of.standing.as_str(),
        text: &of.text,
        case: &of.case,
        line: of.line,
        sentence: &of.sentence,
        value: figure(of.value),
        base: figure(of.base),
        allowed: percent(of.by),
    }
}
