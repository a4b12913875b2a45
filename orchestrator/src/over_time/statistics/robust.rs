//! Location and spread that a few odd values do not move.

/// Makes the median absolute deviation of normal values their standard deviation: 1 / Φ⁻¹(3/4).
const NORMAL: f64 = 1.482_602_218_505_602;

/// The median; `None` without values.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values.get(middle.checked_sub(1)?).map(|lower| 0.5 * (lower + upper))
}

/// The standard deviation by the median absolute deviation around 0, for residuals. Source: Hampel, *The
/// influence curve and its role in robust estimation*, 1974.
#[must_use]
pub fn deviation(residuals: &[f64]) -> Option<f64> {
    median(residuals.iter().map(|r| r.abs()).collect()).map(|mad| NORMAL * mad)
}

/// Values less their median.
#[must_use]
pub fn residuals(values: &[f64]) -> Vec<f64> {
    let middle = median(values.to_vec()).unwrap_or(0.0);
    values.iter().map(|value| value - middle).collect()
}

/// The value at a share of a sorted list, by linear interpolation between neighbours (type 7 of Hyndman and
/// Fan, *Sample quantiles in statistical packages*, 1996); `None` without values.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(last);
    Some(sorted[low] + (at - low as f64) * (sorted[high] - sorted[low]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::over_time::statistics::Dice;

    #[test]
    fn medians_and_quantiles_are_those_of_small_lists() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.25), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0], 0.75), Some(1.75));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn the_deviation_of_normal_residuals_is_theirs_and_outliers_do_not_move_it() {
        let mut dice = Dice::from_texts(["mad"]);
        let mut values: Vec<f64> = (0..10_000).map(|_| 7.0 + 0.3 * dice.normal()).collect();
        values.extend([1e6; 50]);
        let deviation = deviation(&residuals(&values)).unwrap();
        assert!((deviation - 0.3).abs() < 0.012, "{deviation}");
    }
}
