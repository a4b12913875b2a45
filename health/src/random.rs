//! Random numbers that are the same on every machine and with every release of every library, because
//! they are made here, of integers alone.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014). One
/// addition and one mixing a number, and any number seeds it: a payload starts a stream of its own.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

/// 2^64 divided by the golden ratio, odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Uniform numbers that are summed for one of a bell curve: their sum has a variance of 1.
const BELL_TERMS: u64 = 12;

impl Random {
    /// A stream that belongs to these numbers.
    pub(crate) fn of(numbers: &[u64]) -> Self {
        Self(numbers.iter().fold(0, |state, number| mix(state.wrapping_add(GOLDEN) ^ number)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `0..bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiplication; its bias, bound / 2^64, is of no account here.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low.wrapping_add_unsigned(self.below(high.abs_diff(low) + 1))
    }

    /// A number from a bell curve around a mean, cut off at both ends.
    ///
    /// The sum of twelve uniform numbers (Irwin–Hall) is close to a normal distribution up to three
    /// standard deviations, and needs no logarithm, of which every platform has its own.
    pub(crate) fn bell(&mut self, mean: i64, deviation: i64, (low, high): (i64, i64)) -> i64 {
        const UNIT: i64 = 1 << 16;
        // Four uniform numbers of 16 bits in each of three draws.
        let mut sum = 0;
        for _ in 0..BELL_TERMS / 4 {
            let draw = self.next();
            sum += (0..4).map(|part| (draw >> (16 * part)) & 0xffff).sum::<u64>();
        }
        // Twelve times a mean of 65,535 / 2.
        let centred = sum.cast_signed() - 6 * (UNIT - 1);
        (mean + (deviation * centred + UNIT / 2).div_euclid(UNIT)).clamp(low, high)
    }
}

/// SplitMix64's output function: Stafford's variant 13 of the mixer of MurmurHash3.
pub(crate) fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for a state of 1234567, as the reference implementation gives them.
        let mut random = Random(1_234_567);
        let first: Vec<_> = (0..3).map(|_| random.next()).collect();
        assert_eq!(first, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn a_bell_has_its_mean_and_its_deviation() {
        let mut random = Random::of(&[1]);
        let (count, limits) = (200_000, (i64::MIN / 4, i64::MAX / 4));
        let draws: Vec<_> = (0..count).map(|_| random.bell(720, 80, limits) as f64).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(count);
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(count);
        let beyond_two = draws.iter().filter(|x| (*x - 720.0).abs() > 160.0).count();
        assert!((mean - 720.0).abs() < 1.0, "{mean}");
        assert!((variance.sqrt() - 80.0).abs() < 1.0, "{}", variance.sqrt());
        // 4.55 % of a normal distribution lie beyond two standard deviations.
        assert!((8_600..9_600).contains(&beyond_two), "{beyond_two}");
    }

    #[test]
    fn bounds_hold() {
        let mut random = Random::of(&[2]);
        for _ in 0..10_000 {
            assert!((-3..=4).contains(&random.between(-3, 4)));
            assert!((90..=100).contains(&random.bell(97, 15, (90, 100))));
            assert_eq!(random.below(0), 0);
        }
    }
}
