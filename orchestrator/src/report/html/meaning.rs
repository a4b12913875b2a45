//! What the figures mean, as the template of a case gets it.

use crate::{
    model::result::{Diagnosis, Interpretation, TierResult},
    text::format::{percent, quantity},
};
use serde::Serialize;

/// Tiers, stages and diagnoses.
#[derive(Serialize)]
pub(super) struct MeaningView<'a> {
    tiers: Vec<TierView<'a>>,
    stages: Vec<StageView<'a>>,
    diagnoses: &'a [Diagnosis],
    summary: &'a str,
}

/// An indicator.
#[derive(Serialize)]
struct TierView<'a> {
    indicator: &'a str,
    /// `good`, `acceptable`, `poor`, or `unknown`.
    word: &'static str,
    sign: &'static str,
    text: &'a str,
}

/// A stage of a record's way.
#[derive(Serialize)]
struct StageView<'a> {
    name: &'a str,
    mean: String,
    share: String,
    /// Share for the drawing, in percent.
    width: f64,
}

/// The interpretation of a case; none of archives that have none.
pub(super) fn view(of: &Interpretation) -> Option<MeaningView<'_>> {
    if of.summary.is_empty() {
        return None;
    }
    let tiers = of.tiers.iter().map(tier).collect();
    let stages = of.stages.iter().map(|stage| StageView {
        name: &stage.name,
        mean: quantity(stage.mean_us, "us"),
        share: percent(stage.share),
        width: (stage.share * 1e5).round() / 1e3,
    });
    let stages = stages.collect();
    Some(MeaningView { tiers, stages, diagnoses: &of.diagnoses, summary: &of.summary })
}

fn tier(of: &TierResult) -> TierView<'_> {
    use crate::model::result::Tier;
    let word = of.tier.map_or("no tier", Tier::as_str);
    let sign = match of.tier {
        Some(Tier::Good) => "●",
        Some(Tier::Acceptable) => "◐",
        Some(Tier::Poor) => "○",
        None => "–",
    };
    TierView { indicator: &of.indicator, word, sign, text: &of.text }
}
