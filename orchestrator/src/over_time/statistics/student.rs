//! Student's t distribution with any number of degrees of freedom, whole or not.

/// Lanczos coefficients for g = 7 and nine terms. Source: Lanczos, *A precision approximation of the gamma
/// function*, 1964, in the form of Godfrey; relative error below 1e-14 for positive arguments.
const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// Terms of the continued fraction at most. It needs about the square root of its larger parameter.
const TERMS: u32 = 10_000;

/// ln Γ(x) for x > 0.
fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        // Reflection, Abramowitz and Stegun 6.1.17.
        let pi = std::f64::consts::PI;
        return (pi / (pi * x).sin().abs()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let t = x + 7.5;
    let first = LANCZOS[0];
    let sum: f64 = (1_u32..).zip(&LANCZOS[1..]).map(|(i, c)| c / (x + f64::from(i))).sum();
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + (first + sum).ln()
}

/// The regularised incomplete beta function I_x(a, b). Source: NIST DLMF 8.17.22 (continued fraction),
/// evaluated by Lentz's method, and 8.17.4 (symmetry) where that converges faster.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    front.exp() * beta_fraction(x, a, b) / a
}

/// The continued fraction of [`incomplete_beta`].
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    let guard = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

/// The two-sided p-value of t: the probability of a value at least as far from 0, with `df` degrees of
/// freedom. Source: Abramowitz and Stegun 26.7.1.
#[must_use]
pub fn two_sided_p(t: f64, df: f64) -> f64 {
    if !t.is_finite() {
        return 0.0;
    }
    incomplete_beta(df / (df + t * t), df / 2.0, 0.5)
}

/// The t that is exceeded on either side with probability `p` in all: `critical(0.05, 4.0)` is 2.776.
/// By bisection of [`two_sided_p`], which falls with t.
#[must_use]
pub fn critical(p: f64, df: f64) -> f64 {
    if p >= 1.0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided_p(high, df) > p && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if two_sided_p(middle, df) > p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gamma_function_has_its_closed_forms() {
        let mut factorial = 1.0_f64;
        for n in 1..20 {
            let x = f64::from(n);
            assert!((ln_gamma(x) - factorial.ln()).abs() < 1e-12 * (1.0 + factorial.ln()), "{n}");
            factorial *= x;
        }
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-13);
        assert!((ln_gamma(0.25) - 3.625_609_908_221_908_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn one_and_two_degrees_of_freedom_have_their_closed_forms() {
        for t in [0.01, 0.3, 1.0, 2.5, 17.0, 400.0] {
            // Cauchy's distribution.
            let one = 1.0 - 2.0 / std::f64::consts::PI * f64::atan(t);
            assert!((two_sided_p(t, 1.0) - one).abs() < 1e-12, "{t}");
            let two = 1.0 - t / f64::sqrt(2.0 + t * t);
            assert!((two_sided_p(t, 2.0) - two).abs() < 1e-12, "{t}");
        }
        assert!((two_sided_p(0.0, 5.0) - 1.0).abs() < 1e-12);
        assert!(two_sided_p(f64::INFINITY, 5.0).abs() < 1e-300);
    }

    #[test]
    fn critical_values_are_those_of_the_tables() {
        // Two-sided: p, degrees of freedom, t. Fisher and Yates, Statistical Tables, table III.
        let table = [
            (0.05, 1.0, 12.706),
            (0.05, 2.0, 4.303),
            (0.05, 4.0, 2.776),
            (0.10, 4.0, 2.132),
            (0.01, 4.0, 4.604),
            (0.01, 10.0, 3.169),
            (0.002, 8.0, 4.501),
            (0.001, 30.0, 3.646),
            (0.05, 120.0, 1.980),
            (0.05, 1e7, 1.960),
        ];
        for (p, df, t) in table {
            assert!((critical(p, df) - t).abs() < 6e-4, "{p} {df}: {}", critical(p, df));
        }
    }

    #[test]
    fn a_critical_value_gives_its_probability_back_for_broken_degrees_of_freedom_too() {
        for df in [1.0, 2.7, 3.3, 9.5, 44.4] {
            for p in [0.2, 0.05, 0.01, 0.002] {
                let back = two_sided_p(critical(p, df), df);
                assert!((back - p).abs() < 1e-11, "{df} {p}: {back}");
            }
        }
    }
}
