//! Random numbers that are the same on every machine for the same seed.

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// The generator of an instance: PCG, whose output is specified, unlike that of `StdRng`.
pub(crate) type Random = Pcg64Mcg;

/// A generator for one purpose of an instance. Purposes have streams of their own, so that, say,
/// another key distribution does not change the payloads.
pub(crate) fn random(seed: u64, purpose: u64) -> Random {
    // 2^64 divided by the golden ratio spreads neighbouring purposes (Knuth, TAOCP 3, 6.4).
    Random::seed_from_u64(seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Whether something of this probability happens.
pub(crate) fn happens(random: &mut Random, probability: f64) -> bool {
    random.random::<f64>() < probability
}

/// A number in `0..bound`; 0 for a bound of 0.
#[inline]
pub(crate) fn below(random: &mut Random, bound: u64) -> u64 {
    // Lemire's multiplication; its bias, bound / 2^64, is of no account here.
    ((u128::from(random.next_u64()) * u128::from(bound)) >> 64) as u64
}
