//! A series as a drawing: places of points, bands, breaks and changes, in the units of an SVG.

use super::model::{Direction, Series, Standing};
use serde::Serialize;
use std::fmt::Write;

/// What a template draws.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spark {
    /// Size of the drawing.
    pub size: (f64, f64),
    /// A line through the points of each regime.
    pub paths: Vec<String>,
    /// The band of each level: x, y, width, height. Its middle is the level's median.
    pub bands: Vec<(f64, f64, f64, f64)>,
    /// The middle of each band: x from, x to, y.
    pub middles: Vec<(f64, f64, f64)>,
    /// Where regimes begin: x.
    pub breaks: Vec<f64>,
    /// Points: x, y, whether the run passed, and what is said of it.
    pub points: Vec<(f64, f64, bool, String)>,
    /// Changes: x, y, `worse`, `better` or `changed`, and `confirmed`, `suspect` or `accepted`.
    pub changes: Vec<(f64, f64, &'static str, &'static str)>,
    /// The newest point.
    pub end: (f64, f64),
    /// The smallest value drawn and the largest.
    pub range: (f64, f64),
}

/// Room around the points.
const MARGIN: f64 = 6.0;

/// Draws the newest `last` runs of a series into so much room.
#[must_use]
pub fn spark(of: &Series, last: usize, size: (f64, f64), say: impl Fn(usize) -> String) -> Spark {
    let first = of.points.len().saturating_sub(last);
    let shown = &of.points[first..];
    let scale = Scale::of(of, first, size);
    let paths = of.regimes.iter().map(|regime| {
        let mut path = String::new();
        for at in regime.points.iter().filter(|at| **at >= first) {
            let (x, y) = scale.place(*at, of.points[*at].value);
            let _ = write!(path, "{}{x} {y}", if path.is_empty() { "M" } else { "L" });
        }
        path
    });
    let levels = || {
        let all = of.regimes.iter().flat_map(|regime| {
            regime.levels.iter().map(move |level| (level, regime.sigma.unwrap_or(0.0)))
        });
        all.filter(|(level, _)| level.to >= first)
    };
    let ends = |from: usize, to: usize| (scale.x(from.max(first)), scale.x(to));
    let bands = levels().map(|(level, sigma)| {
        let (left, right) = ends(level.from, level.to);
        let top = scale.y(level.median * sigma.exp());
        let bottom = scale.y(level.median * (-sigma).exp());
        (left, top, tenth(right - left), tenth(bottom - top))
    });
    let middles = levels().map(|(level, _)| {
        let (left, right) = ends(level.from, level.to);
        (left, right, scale.y(level.median))
    });
    let point = |(at, point): (usize, &super::model::Point)| {
        let (x, y) = scale.place(first + at, point.value);
        (x, y, point.passed, say(first + at))
    };
    let changes = of.changes.iter().filter(|change| change.at >= first).map(|change| {
        let (x, y) = scale.place(change.at, of.points[change.at].value);
        (x, y, change.direction.as_str(), change.standing.as_str())
    });
    let suspects = of.suspects.iter().filter(|of| of.at >= first).map(|suspect| {
        let (x, y) = scale.place(suspect.at, of.points[suspect.at].value);
        (x, y, Direction::as_str(suspect.direction), Standing::Suspect.as_str())
    });
    let newest = of.points.len().saturating_sub(1);
    Spark {
        size,
        paths: paths.filter(|path| !path.is_empty()).collect(),
        bands: bands.collect(),
        middles: middles.collect(),
        breaks: of.breaks.iter().filter(|of| of.at > first).map(|of| scale.before(of.at)).collect(),
        points: shown.iter().enumerate().map(point).collect(),
        changes: changes.chain(suspects).collect(),
        end: of.points.last().map_or((0.0, 0.0), |point| scale.place(newest, point.value)),
        range: (scale.low, scale.high),
    }
}

/// From runs and values to places.
struct Scale {
    first: usize,
    steps: f64,
    low: f64,
    high: f64,
    size: (f64, f64),
}

impl Scale {
    fn of(of: &Series, first: usize, size: (f64, f64)) -> Self {
        let values = || of.points[first..].iter().map(|point| point.value);
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let steps = (of.points.len() - first).saturating_sub(1).max(1) as f64;
        Self { first, steps, low, high, size }
    }

    fn x(&self, at: usize) -> f64 {
        let share = (at - self.first) as f64 / self.steps;
        tenth(MARGIN + (self.size.0 - 2.0 * MARGIN) * share)
    }

    /// Half way from the run before.
    fn before(&self, at: usize) -> f64 {
        tenth(0.5 * (self.x(at) + self.x(at - 1)))
    }

    /// Values beyond the range, as the ends of bands, end at the drawing's edge.
    fn y(&self, value: f64) -> f64 {
        let share =
            if self.high > self.low { (value - self.low) / (self.high - self.low) } else { 0.5 };
        let y = self.size.1 - MARGIN - (self.size.1 - 2.0 * MARGIN) * share;
        tenth(y.clamp(0.0, self.size.1))
    }

    fn place(&self, at: usize, value: f64) -> (f64, f64) {
        (self.x(at), self.y(value))
    }
}

fn tenth(of: f64) -> f64 {
    (of * 10.0).round() / 10.0
}
