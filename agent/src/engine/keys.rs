//! Record keys: decimal numbers, drawn as the key's distribution says.

use super::random::{Random, below, happens, random};
use mallard_protocol::workload::KeySpec;
use rand_distr::{Distribution, Zipf};

/// Longest key: the digits of `u64::MAX`.
const KEY_BYTES: usize = 20;

/// Draws keys.
pub(crate) struct Keys {
    draw: Draw,
    random: Random,
}

enum Draw {
    None,
    Sequential { count: u64 },
    Uniform { count: u64 },
    Zipf(Zipf<f64>),
    Hot { count: u64, hot: u64, share: f64 },
}

impl Keys {
    /// Keys of a producer; the reason if the distribution is not possible.
    pub(crate) fn new(spec: &KeySpec, seed: u64) -> Result<Self, String> {
        let draw = match *spec {
            // The maker takes keys from fields itself: it has the values.
            KeySpec::None | KeySpec::Field { .. } => Draw::None,
            KeySpec::Sequential { count } => Draw::Sequential { count: count.max(1) },
            KeySpec::Uniform { count } => Draw::Uniform { count: count.max(1) },
            KeySpec::Zipf { count, exponent } => Draw::Zipf(
                Zipf::new(to_real(count.max(1)), exponent)
                    .map_err(|error| format!("a Zipf distribution of keys: {error}"))?,
            ),
            KeySpec::Hot { count, hot, share } => {
                let count = count.max(1);
                Draw::Hot { count, hot: hot.clamp(1, count), share }
            }
        };
        Ok(Self { draw, random: random(seed, 1) })
    }

    /// Appends the key of a record to the arena; `None` if records have no keys. Keys count from 0, by
    /// the record's number in the schedule.
    #[inline(always)]
    pub(crate) fn push(&mut self, number: u64, arena: &mut Vec<u8>) -> Option<(u32, u32)> {
        match self.draw {
            Draw::None => None,
            _ => self.push_drawn(number, arena),
        }
    }

    #[inline(never)]
    fn push_drawn(&mut self, number: u64, arena: &mut Vec<u8>) -> Option<(u32, u32)> {
        let key = self.key(number)?;
        let at = arena.len();
        write_decimal(arena, key);
        #[expect(clippy::cast_possible_truncation, reason = "a batch of keys is a few KiB")]
        Some((at as u32, (arena.len() - at) as u32))
    }

    #[inline]
    fn key(&mut self, number: u64) -> Option<u64> {
        let random = &mut self.random;
        Some(match self.draw {
            Draw::None => return None,
            Draw::Sequential { count } => number % count,
            Draw::Uniform { count } => below(random, count),
            Draw::Zipf(ref zipf) => from_real(zipf.sample(random)) - 1,
            Draw::Hot { count, hot, share } => match happens(random, share) {
                true => below(random, hot),
                false if count == hot => below(random, hot),
                false => hot + below(random, count - hot),
            },
        })
    }
}

fn write_decimal(arena: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; KEY_BYTES];
    let mut at = KEY_BYTES;
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    arena.extend_from_slice(&digits[at..]);
}

#[expect(clippy::cast_precision_loss, reason = "key counts are below 2^53")]
fn to_real(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number from 1 to the number of keys"
)]
fn from_real(key: f64) -> u64 {
    key.max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How often each key comes in `draws` draws.
    fn counts(spec: &KeySpec, keys: usize, draws: u64) -> Vec<u64> {
        let mut source = Keys::new(spec, 7).unwrap();
        let mut counts = vec![0; keys];
        let mut arena = Vec::new();
        for sequence in 0..draws {
            arena.clear();
            let (at, len) = source.push(sequence, &mut arena).unwrap();
            let text = std::str::from_utf8(&arena[at as usize..][..len as usize]).unwrap();
            counts[text.parse::<usize>().unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn sequential_keys_come_in_turn() {
        assert_eq!(counts(&KeySpec::Sequential { count: 4 }, 4, 10), [3, 3, 2, 2]);
    }

    #[test]
    fn uniform_keys_come_equally_often() {
        let counts = counts(&KeySpec::Uniform { count: 10 }, 10, 100_000);
        assert!(counts.iter().all(|n| (9_500..10_500).contains(n)), "{counts:?}");
    }

    #[test]
    fn zipf_keys_follow_their_exponent() {
        let counts = counts(&KeySpec::Zipf { count: 1_000, exponent: 1.0 }, 1_000, 200_000);
        // P(1)/P(2) = 2 and P(1)/P(10) = 10 for exponent 1.
        let ratio = |n: usize| counts[0] as f64 / counts[n - 1] as f64;
        assert!((1.9..2.1).contains(&ratio(2)), "{}", ratio(2));
        assert!((9.0..11.0).contains(&ratio(10)), "{}", ratio(10));
    }

    #[test]
    fn hot_keys_get_their_share() {
        let counts = counts(&KeySpec::Hot { count: 100, hot: 2, share: 0.9 }, 100, 100_000);
        let hot: u64 = counts[..2].iter().sum();
        assert!((89_000..91_000).contains(&hot), "{hot}");
        assert!(counts[2..].iter().all(|n| *n > 0));
    }

    #[test]
    fn the_same_seed_gives_the_same_keys() {
        let spec = KeySpec::Uniform { count: 1_000_000 };
        let mut arena = Vec::new();
        let mut keys = Keys::new(&spec, 42).unwrap();
        for sequence in 0..3 {
            keys.push(sequence, &mut arena).unwrap();
        }
        let mut again = Vec::new();
        let mut keys = Keys::new(&spec, 42).unwrap();
        for sequence in 0..3 {
            keys.push(sequence, &mut again).unwrap();
        }
        assert_eq!(arena, again);
    }

    proptest! {
        #[test]
        fn decimals_read_back(number: u64) {
            let mut bytes = Vec::new();
            write_decimal(&mut bytes, number);
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), number.to_string());
        }
    }
}
