//! What can be wrong with a payload, and how often it shall be.

use std::fmt;

/// A payload's defect, named as validation names its reason for refusing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Defect {
    /// The payload is cut off in the middle: nothing can be decoded.
    Undecodable,
    /// The payload has no device.
    NoDeviceId,
    /// The payload has no user.
    NoUserId,
    /// The payload's time is not RFC 3339.
    BadTimestamp,
    /// A sample has no id.
    NoSampleId,
    /// A sample has no type.
    NoType,
    /// A sample has no value.
    NoValue,
    /// A sample's start is not RFC 3339.
    BadDate,
    /// A sample starts after its end.
    StartAfterEnd,
    /// A sample's value is beyond the range of its type.
    OutOfRange,
}

impl Defect {
    /// All of them: those of the whole payload, then those of one sample.
    pub const ALL: [Self; 10] = [
        Self::Undecodable,
        Self::NoDeviceId,
        Self::NoUserId,
        Self::BadTimestamp,
        Self::NoSampleId,
        Self::NoType,
        Self::NoValue,
        Self::BadDate,
        Self::StartAfterEnd,
        Self::OutOfRange,
    ];

    /// Its name: `no-user-id`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::NoDeviceId => "no-device-id",
            Self::NoUserId => "no-user-id",
            Self::BadTimestamp => "bad-timestamp",
            Self::NoSampleId => "no-sample-id",
            Self::NoType => "no-type",
            Self::NoValue => "no-value",
            Self::BadDate => "bad-date",
            Self::StartAfterEnd => "start-after-end",
            Self::OutOfRange => "out-of-range",
        }
    }

    /// The defect of a name; `None` for one that is not known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|defect| defect.name() == name)
    }

    /// Whether one sample has it, and the rest of the payload is sound.
    #[must_use]
    pub fn is_of_sample(self) -> bool {
        self >= Self::NoSampleId
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Millionths, in which shares are counted: `10_000` are one percent.
pub const WHOLE: u32 = 1_000_000;

/// Which share of payloads has which defect.
///
/// Defects are not drawn but dealt: of the first `n` payloads of a producer exactly
/// `n × share / 1,000,000` are invalid, rounded down, evenly spread. So a test knows what it has sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvalidShares {
    parts: Vec<(Defect, u32)>,
    total: u32,
    /// Parts divided by what all have in common, cumulated: the k-th invalid payload has the defect in
    /// whose part k, scattered, lies.
    cycle: Vec<(u64, Defect)>,
    stride: u64,
}

impl InvalidShares {
    /// Millionths of all payloads, by defect. Shares of 0 are left out.
    ///
    /// # Errors
    /// Shares sum to more than the whole, as a sentence.
    pub fn new(parts: impl IntoIterator<Item = (Defect, u32)>) -> Result<Self, String> {
        let parts: Vec<_> = parts.into_iter().filter(|(_, part)| *part > 0).collect();
        let total: u64 = parts.iter().map(|(_, part)| u64::from(*part)).sum();
        let total = u32::try_from(total).ok().filter(|total| *total <= WHOLE);
        let total = total.ok_or("the shares of invalid payloads sum to more than 100 %")?;
        let common = parts.iter().fold(0, |divisor, (_, part)| divide(divisor, u64::from(*part)));
        let mut end = 0;
        let cycle: Vec<_> = parts
            .iter()
            .map(|(defect, part)| {
                end += u64::from(*part) / common;
                (end, *defect)
            })
            .collect();
        Ok(Self { stride: stride(end), parts, total, cycle })
    }

    /// A share of all payloads, in millionths, dealt evenly to these defects.
    ///
    /// # Errors
    /// The share is more than the whole.
    pub fn evenly(share: u32, defects: &[Defect]) -> Result<Self, String> {
        let count = u32::try_from(defects.len().max(1)).unwrap_or(u32::MAX);
        // What does not divide goes to the first ones.
        let part = |index: u32| share / count + u32::from(index < share % count);
        Self::new((0..).zip(defects).map(|(index, defect)| (*defect, part(index))))
    }

    /// Millionths of all payloads that are invalid.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Every defect with its share in millionths.
    pub fn parts(&self) -> impl Iterator<Item = (Defect, u32)> {
        self.parts.iter().copied()
    }

    /// Whether a defect of a sample may come: payloads then need samples.
    #[must_use]
    pub fn needs_samples(&self) -> bool {
        self.cycle.iter().any(|(_, defect)| defect.is_of_sample())
    }

    /// The defect of a producer's payload, by its sequence number.
    #[must_use]
    pub fn of(&self, sequence: u64) -> Option<Defect> {
        let before = |n: u64| u128::from(n) * u128::from(self.total) / u128::from(WHOLE);
        let nth = before(sequence);
        if self.total == 0 || before(sequence + 1) == nth {
            return None;
        }
        let length = self.cycle.last().map_or(1, |(end, _)| *end);
        let place = (nth * u128::from(self.stride) % u128::from(length)) as u64;
        self.cycle.iter().find(|(end, _)| place < *end).map(|(_, defect)| *defect)
    }

    /// How many of a producer's first payloads have each defect, in the order of [`Defect::ALL`].
    #[must_use]
    pub fn count(&self, payloads: u64) -> Vec<(Defect, u64)> {
        let mut counts: Vec<_> = Defect::ALL.iter().map(|defect| (*defect, 0)).collect();
        for defect in (0..payloads).filter_map(|sequence| self.of(sequence)) {
            counts[defect as usize].1 += 1;
        }
        counts
    }
}

/// Greatest common divisor.
fn divide(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A stride that visits every place of a cycle and keeps neighbours apart: coprime to its length, and
/// near its golden section.
fn stride(length: u64) -> u64 {
    (length * 618 / 1_000..).find(|stride| divide(*stride, length.max(1)) == 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_defect_comes_equally_often() {
        let shares = InvalidShares::evenly(10_000, &Defect::ALL).unwrap();
        assert!(shares.count(10_000).iter().all(|(_, n)| *n == 10), "{:?}", shares.count(10_000));
    }

    #[test]
    fn shares_of_their_own_are_kept() {
        let parts = [(Defect::NoUserId, 20_000), (Defect::OutOfRange, 5_000)];
        let shares = InvalidShares::new(parts).unwrap();
        let counts: Vec<_> = shares.count(10_000).into_iter().filter(|(_, n)| *n > 0).collect();
        assert_eq!(counts, [(Defect::NoUserId, 200), (Defect::OutOfRange, 50)]);
    }

    #[test]
    fn more_than_all_is_refused() {
        assert!(InvalidShares::evenly(WHOLE + 1, &Defect::ALL).is_err());
        assert!(InvalidShares::new([(Defect::NoType, WHOLE), (Defect::NoValue, 1)]).is_err());
    }

    #[test]
    fn all_and_none_are_possible() {
        let all = InvalidShares::evenly(WHOLE, &[Defect::NoType]).unwrap();
        assert!((0..100).all(|sequence| all.of(sequence) == Some(Defect::NoType)));
        assert!((0..100).all(|sequence| InvalidShares::default().of(sequence).is_none()));
    }

    proptest! {
        #[test]
        fn the_invalid_are_counted_beforehand(share in 0..=WHOLE, payloads in 0_u64..5_000) {
            let shares = InvalidShares::evenly(share, &Defect::ALL).unwrap();
            let total: u64 = shares.count(payloads).iter().map(|(_, n)| n).sum();
            prop_assert_eq!(total, payloads * u64::from(share) / u64::from(WHOLE));
        }
    }
}
