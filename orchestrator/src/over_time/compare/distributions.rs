//! Latencies as wholes: curves, the shift by quantile with its band, and two figures.

use super::model::{Distribution, Shift};
use crate::{
    archive::hlog::TAGS,
    over_time::{
        judge::ENOUGH_RUNS,
        observation::{DRAWS, Observation},
        statistics::{
            Dice,
            bootstrap::{Merged, merge},
            robust, shape,
        },
    },
    report::{
        column::Column,
        shape::{Curve, curve_of},
    },
};

/// Latencies whose distributions are shown: slip is a matter of the generator.
const SHOWN: usize = 3;

/// The metric without which there is no such latency.
const P99: [&str; SHOWN] = ["produce.service.p99", "produce.response.p99", "end_to_end.p99"];

/// Points of the shift for each halving of the rest.
const POINTS_A_HALVING: u32 = 2;

/// Records beyond the last point, at least: a quantile of less is one record's.
const RECORDS_BEYOND: f64 = 5.0;

/// Drawings of sides of several runs, each of which is drawn in every one.
const DRAWS_OF_SEVERAL: usize = 399;

/// The ends of the band.
const BAND: (f64, f64) = (0.025, 0.975);

/// Every latency that both sides have.
#[must_use]
pub(super) fn distributions(
    base: &[&Observation],
    with: &[&Observation],
    dice: &mut Dice,
) -> Vec<Distribution> {
    (0..SHOWN).filter_map(|tag| distribution(tag, base, with, dice)).collect()
}

fn distribution(
    tag: usize,
    base: &[&Observation],
    with: &[&Observation],
    dice: &mut Dice,
) -> Option<Distribution> {
    // A closed loop has no response latency: its log has the service's in that place.
    let has = |of: &&Observation| of.value(P99[tag]).is_some();
    let runs = |side: &[&Observation]| -> Vec<Merged> {
        side.iter()
            .filter(|of| has(of))
            .map(|of| of.latencies[tag].whole())
            .filter(|of| of.count() > 0)
            .collect()
    };
    let (of_base, of_with) = (runs(base), runs(with));
    let (a, b) = (merge(&of_base), merge(&of_with));
    let mean_shift = shape::mean_shift(&a, &b)?;
    let distance = shape::smirnov(&a, &b)?;
    let distance_p = shape::smirnov_p(&of_base, &of_with, dice);
    let nines = nines(a.count().min(b.count()));
    let shares: Vec<f64> = nines.iter().map(|nines| 1.0 - 10_f64.powf(-nines)).collect();
    let ratios: Vec<f64> = ratio(&a.quantiles(&shares), &b.quantiles(&shares));
    let (low, high) = band(tag, base, with, &shares, dice);
    let column = |values: Vec<f64>| values.into_iter().map(Some).collect::<Column>();
    let shift = Shift { nines: column(nines), ratio: column(ratios), low, high };
    let curves = [curve("base", &a), curve("new", &b)];
    Some(Distribution { latency: TAGS[tag], mean_shift, distance, distance_p, shift, curves })
}

fn curve(name: &'static str, of: &Merged) -> Curve {
    let cells = of.values.iter().copied().zip(of.counts.iter().copied());
    curve_of(name, of.count(), cells)
}

fn ratio(base: &[f64], with: &[f64]) -> Vec<f64> {
    base.iter().zip(with).map(|(a, b)| b.max(1.0) / a.max(1.0)).collect()
}

/// Points on the axis of nines, as far as there are records.
fn nines(records: u64) -> Vec<f64> {
    let rest = |step: u32| 0.5_f64.powf(f64::from(step) / f64::from(POINTS_A_HALVING));
    let steps = (1_u32..).take_while(|step| rest(*step) * records as f64 >= RECORDS_BEYOND);
    steps.map(|step| -rest(step).log10()).collect()
}

/// The band of the ratio of quantiles: runs are drawn, where a side has enough of them, and blocks of
/// each run. Empty if a run is too short to know its own noise.
fn band(
    tag: usize,
    base: &[&Observation],
    with: &[&Observation],
    shares: &[f64],
    dice: &mut Dice,
) -> (Column, Column) {
    let noise = |of: &&Observation| of.latencies[tag].tells();
    if shares.is_empty() || !base.iter().chain(with).all(noise) {
        return (Column::default(), Column::default());
    }
    let single = base.len() == 1 && with.len() == 1;
    let times = if single { DRAWS } else { DRAWS_OF_SEVERAL };
    let mut by_share: Vec<Vec<f64>> = vec![Vec::with_capacity(times); shares.len()];
    for _ in 0..times {
        let a = draw(tag, base, dice).quantiles(shares);
        let b = draw(tag, with, dice).quantiles(shares);
        by_share.iter_mut().zip(ratio(&a, &b)).for_each(|(all, ratio)| all.push(ratio));
    }
    by_share.iter_mut().for_each(|ratios| ratios.sort_by(f64::total_cmp));
    let end = |share: f64| by_share.iter().map(|of| robust::quantile(of, share)).collect();
    (end(BAND.0), end(BAND.1))
}

fn draw(tag: usize, side: &[&Observation], dice: &mut Dice) -> Merged {
    let enough = side.len() >= ENOUGH_RUNS;
    let drawn = (0..side.len()).map(|at| {
        let run = if enough { dice.below(side.len()) } else { at };
        side[run].latencies[tag].draw(dice)
    });
    merge(&drawn.collect::<Vec<_>>())
}
