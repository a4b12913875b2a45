//! Sizes of payloads.

use super::random::{Random, below, random};
use mallard_protocol::workload::SizeSpec;
use rand_distr::{Distribution, LogNormal, Normal};

/// Draws sizes in bytes.
pub(crate) struct Sizes {
    draw: Draw,
    min: u32,
    max: u32,
    random: Random,
}

enum Draw {
    Fixed,
    Uniform,
    Normal(Normal<f64>),
    LogNormal(LogNormal<f64>),
}

impl Sizes {
    /// Sizes of a producer; the reason if the distribution is not possible.
    pub(crate) fn new(spec: &SizeSpec, seed: u64) -> Result<Self, String> {
        let refused = |error| format!("a distribution of payload sizes: {error}");
        let (draw, min, max) = match *spec {
            SizeSpec::Fixed(size) => (Draw::Fixed, size, size),
            SizeSpec::Uniform { min, max } => (Draw::Uniform, min, max),
            SizeSpec::Normal { mean, deviation, min, max } => {
                (Draw::Normal(Normal::new(mean, deviation).map_err(refused)?), min, max)
            }
            SizeSpec::LogNormal { median, sigma, min, max } => {
                let draw = LogNormal::new(median.ln(), sigma).map_err(refused)?;
                (Draw::LogNormal(draw), min, max)
            }
        };
        if min > max {
            return Err(format!("payload sizes from {min} to {max} bytes: the first is larger"));
        }
        Ok(Self { draw, min, max, random: random(seed, 3) })
    }

    /// The smallest that may come.
    pub(crate) fn smallest(&self) -> u32 {
        self.min
    }

    /// The largest that may come.
    pub(crate) fn largest(&self) -> u32 {
        self.max
    }

    /// The next size. What a distribution draws beyond its limits is cut off at them.
    #[inline(always)]
    pub(crate) fn draw(&mut self) -> u32 {
        match self.draw {
            Draw::Fixed => self.max,
            _ => self.draw_any(),
        }
    }

    #[inline(never)]
    fn draw_any(&mut self) -> u32 {
        let real = match &self.draw {
            Draw::Fixed => return self.max,
            Draw::Uniform => {
                let width = u64::from(self.max - self.min) + 1;
                #[expect(clippy::cast_possible_truncation, reason = "below the largest size")]
                return self.min + below(&mut self.random, width) as u32;
            }
            Draw::Normal(normal) => normal.sample(&mut self.random),
            Draw::LogNormal(normal) => normal.sample(&mut self.random),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a range of u32"
        )]
        let size = real.round().clamp(f64::from(self.min), f64::from(self.max)) as u32;
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(spec: &SizeSpec) -> (f64, u32, u32) {
        let mut sizes = Sizes::new(spec, 5).unwrap();
        let drawn: Vec<_> = (0..50_000).map(|_| sizes.draw()).collect();
        let sum: u64 = drawn.iter().map(|size| u64::from(*size)).sum();
        (sum as f64 / 50_000.0, *drawn.iter().min().unwrap(), *drawn.iter().max().unwrap())
    }

    #[test]
    fn sizes_follow_their_distribution_within_their_limits() {
        assert_eq!(mean_of(&SizeSpec::Fixed(100)), (100.0, 100, 100));
        let (mean, min, max) = mean_of(&SizeSpec::Uniform { min: 50, max: 149 });
        assert!((mean - 99.5).abs() < 1.0 && min == 50 && max == 149);
        let (mean, min, max) =
            mean_of(&SizeSpec::Normal { mean: 500.0, deviation: 50.0, min: 400, max: 600 });
        assert!((mean - 500.0).abs() < 2.0 && min == 400 && max == 600, "{mean} {min} {max}");
        let spec = SizeSpec::LogNormal { median: 1_000.0, sigma: 0.5, min: 32, max: 100_000 };
        let (mean, ..) = mean_of(&spec);
        // The mean of a log-normal distribution is median * exp(sigma² / 2).
        assert!((mean / (1_000.0 * 0.125_f64.exp()) - 1.0).abs() < 0.02, "{mean}");
    }

    #[test]
    fn limits_the_wrong_way_round_are_refused() {
        assert!(Sizes::new(&SizeSpec::Uniform { min: 2, max: 1 }, 0).is_err());
    }
}
