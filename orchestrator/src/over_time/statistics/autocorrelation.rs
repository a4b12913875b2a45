//! How many independent values a series of dependent ones is worth.

/// What is known of a series' memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Integrated autocorrelation time, in steps of the series: at least 1.
    pub tau: f64,
    /// Effective sample size: values divided by `tau`.
    pub effective: f64,
    /// Length of blocks to draw, in steps: at least 1, at most half of the series.
    pub block: usize,
}

/// The integrated autocorrelation time `1 + 2 Σ ρ_k`, summed over Geyer's initial positive sequence: sums of
/// two neighbouring autocorrelations, as long as they are positive and do not rise. Source: Geyer,
/// *Practical Markov chain Monte Carlo*, Statistical Science 1992, section 3.3.
#[must_use]
pub fn memory(series: &[f64]) -> Memory {
    let n = series.len();
    let tau = tau(series);
    let wanted = (2.0 * tau).ceil().max((n as f64).cbrt().ceil());
    let block = (wanted as usize).clamp(1, (n / 2).max(1));
    Memory { tau, effective: n as f64 / tau, block }
}

fn tau(series: &[f64]) -> f64 {
    let n = series.len();
    let mean = series.iter().sum::<f64>() / n.max(1) as f64;
    let centred: Vec<f64> = series.iter().map(|value| value - mean).collect();
    let covariance =
        |lag: usize| centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b).sum::<f64>();
    let variance = if n > 0 { covariance(0) } else { 0.0 };
    if variance <= 0.0 {
        return 1.0;
    }
    let mut sum = 0.0;
    let mut before = f64::INFINITY;
    for lag in (0..n.saturating_sub(1)).step_by(2) {
        let pair = (covariance(lag) + covariance(lag + 1)) / variance;
        if pair <= 0.0 {
            break;
        }
        before = pair.min(before);
        sum += before;
    }
    (2.0 * sum - 1.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::over_time::statistics::Dice;

    /// An autoregressive series of order 1, of which the autocorrelation time is (1 + φ) / (1 − φ).
    fn autoregressive(phi: f64, n: usize) -> Vec<f64> {
        let mut dice = Dice::from_texts(["ar", &phi.to_string()]);
        let mut value = 0.0;
        let mut step = || {
            value = phi * value + (1.0 - phi * phi).sqrt() * dice.normal();
            value
        };
        (0..n).map(|_| step()).collect()
    }

    #[test]
    fn the_time_of_an_autoregressive_series_is_its_closed_form() {
        for phi in [0.0, 0.5, 0.9_f64] {
            let expected = (1.0 + phi) / (1.0 - phi);
            let found = memory(&autoregressive(phi, 20_000)).tau;
            assert!((found / expected - 1.0).abs() < 0.15, "{phi}: {found}, not {expected}");
        }
    }

    #[test]
    fn short_and_constant_series_are_worth_what_they_have() {
        assert_eq!(memory(&[5.0; 8]), Memory { tau: 1.0, effective: 8.0, block: 2 });
        assert_eq!(memory(&[1.0]).block, 1);
        assert_eq!(memory(&[]).block, 1);
        let swinging: Vec<f64> = (0..40).map(|at| f64::from(at % 2)).collect();
        assert!((memory(&swinging).tau - 1.0).abs() < 0.2);
    }
}
