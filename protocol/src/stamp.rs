//! The mark that a record carries from its producer to its consumer.
//!
//! A stamp stands in the first bytes of a payload that Mallard makes up itself, or in the header
//! [`HEADER`] where the payload belongs to the user. It says which run and which instance sent the
//! record, its sequence number there, and when it was due: all that end-to-end latency, and the finding
//! of lost, duplicate and reordered records, need.
//!
//! Layout, 32 bytes, big-endian: magic (4), run (4), instance (2), reserved (2), checksum (4), sequence
//! (8), due time (8, microseconds on the run's clock).
//!
//! Where integrity is checked, the same 32 bytes also say the record's place ([`Placed`]): the partition's low bits in
//! the reserved bytes, and in the last 16, from the highest bit, the record's number among those that its instance sent
//! to its partition (42 bits), its sequence (42) and its due time (44). The checksum may then cover key and value, too.

use crate::ids::InstanceId;

/// Name of the header that carries a stamp.
pub const HEADER: &str = "mallard";

/// Bytes of a stamp.
pub const STAMP_BYTES: usize = 32;

const MAGIC: [u8; 4] = *b"\xd7Mal";

/// Of a stamp with a place.
const MAGIC_PLACED: [u8; 4] = *b"\xd7Map";

/// 2^64 divided by the golden ratio (Knuth, TAOCP 3, 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes whose words are summed side by side.
const STRIPE_BYTES: usize = 32;

/// Fewer stripes are summed word by word.
const STRIPES_MIN: usize = 4;

/// Bits of a number or a sequence in a stamp with a place: at a million records a second, 50 days.
const COUNT_BITS: u32 = 42;

/// Bits of a due time there: 203 days.
const DUE_BITS: u32 = 44;

/// Who sent a record, which one it is, and when it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Fingerprint of run and case, so that another run's records are not taken for this one's.
    pub run: u32,
    /// The producer instance.
    pub instance: InstanceId,
    /// The instance's own count of records, from 0.
    pub sequence: u64,
    /// When the record was due, in microseconds on the run's clock. In a closed loop, when it was sent.
    pub due_us: u64,
}

impl Stamp {
    /// The stamp's bytes.
    #[must_use]
    #[inline]
    pub fn to_bytes(self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.run.to_be_bytes());
        bytes[8..10].copy_from_slice(&self.instance.0.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.checksum().to_be_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.due_us.to_be_bytes());
        bytes
    }

    /// Reads a stamp from the start of a payload or from a header's value; `None` if there is none.
    #[must_use]
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; STAMP_BYTES] = bytes.first_chunk()?;
        if bytes[0..4] != MAGIC {
            return None;
        }
        let stamp = Self {
            run: u32::from_be_bytes(bytes[4..8].try_into().ok()?),
            instance: InstanceId(u16::from_be_bytes(bytes[8..10].try_into().ok()?)),
            sequence: u64::from_be_bytes(bytes[16..24].try_into().ok()?),
            due_us: u64::from_be_bytes(bytes[24..32].try_into().ok()?),
        };
        (bytes[12..16] == stamp.checksum().to_be_bytes()).then_some(stamp)
    }

    /// A mix of all fields, so that a user's payload that begins with the magic by chance is not read as
    /// a stamp.
    #[inline]
    fn checksum(self) -> u32 {
        let head = u64::from(self.run) << 16 | u64::from(self.instance.0);
        let mixed = (head.wrapping_mul(GOLDEN) ^ self.sequence).wrapping_mul(GOLDEN) ^ self.due_us;
        (mixed.wrapping_mul(GOLDEN) >> 32) as u32
    }
}

/// A stamp that also says where its record belongs, so that a lost, repeated, reordered, changed or misplaced one can
/// be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Who, which, when.
    pub stamp: Stamp,
    /// The partition that it was sent to: its low 16 bits.
    pub partition: u16,
    /// The instance's own count of records to that partition, from 0, without holes.
    pub number: u64,
}

impl Placed {
    /// The bytes. `content` is [`content_sum`] of key and value, or 0 where content is not checked. Counts and times
    /// beyond their bits are cut off.
    #[must_use]
    #[inline]
    pub fn to_bytes(self, content: u32) -> [u8; STAMP_BYTES] {
        let Stamp { run, instance, sequence, due_us } = self.stamp;
        let low = |value: u64, bits: u32| value & ((1 << bits) - 1);
        let sequence = low(sequence, COUNT_BITS);
        // The sequence lies across the middle.
        let first = self.number << (64 - COUNT_BITS) | sequence >> (64 - DUE_BITS);
        let second = sequence << DUE_BITS | low(due_us, DUE_BITS);
        let mut bytes = [0; STAMP_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC_PLACED);
        bytes[4..8].copy_from_slice(&run.to_be_bytes());
        bytes[8..10].copy_from_slice(&instance.0.to_be_bytes());
        bytes[10..12].copy_from_slice(&self.partition.to_be_bytes());
        bytes[12..16].copy_from_slice(&(self.checksum() ^ content).to_be_bytes());
        bytes[16..24].copy_from_slice(&first.to_be_bytes());
        bytes[24..32].copy_from_slice(&second.to_be_bytes());
        bytes
    }

    /// Reads a stamp with a place, and the sum of the content that it was made for; `None` if there is none. A stamp
    /// that was changed gives another sum.
    #[must_use]
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Option<(Self, u32)> {
        let bytes: &[u8; STAMP_BYTES] = bytes.first_chunk()?;
        if bytes[0..4] != MAGIC_PLACED {
            return None;
        }
        let first = u64::from_be_bytes(bytes[16..24].try_into().ok()?);
        let second = u64::from_be_bytes(bytes[24..32].try_into().ok()?);
        let low = |value: u64, bits: u32| value & ((1 << bits) - 1);
        let sequence = low(first, 64 - COUNT_BITS) << (64 - DUE_BITS) | second >> DUE_BITS;
        let placed = Self {
            stamp: Stamp {
                run: u32::from_be_bytes(bytes[4..8].try_into().ok()?),
                instance: InstanceId(u16::from_be_bytes(bytes[8..10].try_into().ok()?)),
                sequence,
                due_us: low(second, DUE_BITS),
            },
            partition: u16::from_be_bytes(bytes[10..12].try_into().ok()?),
            number: first >> (64 - COUNT_BITS),
        };
        let stored = u32::from_be_bytes(bytes[12..16].try_into().ok()?);
        Some((placed, stored ^ placed.checksum()))
    }

    #[inline]
    fn checksum(self) -> u32 {
        let place = self.number << 16 | u64::from(self.partition);
        self.stamp.checksum() ^ (place.wrapping_mul(GOLDEN) >> 32) as u32
    }
}

/// A sum of a record's key and of its value without the stamp, of which one changed bit makes another. Each word is
/// mixed in by an invertible step (add, multiply by an odd number, rotate), so that no single change can cancel itself;
/// what differs in more places has the same sum once in 2^32 times.
#[must_use]
#[inline]
pub fn content_sum(key: Option<&[u8]>, value: &[u8]) -> u32 {
    content_sum_of(key, value_sum(value))
}

/// As [`content_sum`], of a value whose own sum is known.
#[must_use]
#[inline]
pub fn content_sum_of(key: Option<&[u8]>, value_sum: u64) -> u32 {
    let key_sum = match key {
        None => 1,
        Some(key) => mix(3, key),
    };
    let sum = step(key_sum, value_sum);
    ((sum ^ sum << 32) >> 32) as u32
}

/// A value's part of its record's [`content_sum`].
#[must_use]
#[inline]
pub fn value_sum(value: &[u8]) -> u64 {
    mix(5, value)
}

#[inline]
fn mix(seed: u64, bytes: &[u8]) -> u64 {
    let (stripes, rest) = bytes.as_chunks::<STRIPE_BYTES>();
    let sum = match stripes.len() < STRIPES_MIN {
        true => stripes.iter().fold(seed, mix_stripe),
        false => mix_stripes(seed, stripes),
    };
    let (words, rest) = rest.as_chunks::<8>();
    let sum = words.iter().fold(sum, |sum, word| step(sum, u64::from_le_bytes(*word)));
    let last = match (rest, bytes.last_chunk()) {
        ([], _) => 0,
        // A word that ends with the rest is read at once, and what is not of the rest shifted out.
        (_, Some(last)) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        (few, None) => few.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    // The length keeps a value apart from the same with zeros behind it.
    step(step(sum, last), bytes.len() as u64)
}

#[inline]
fn step(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(GOLDEN).rotate_left(29)
}

/// Mixes the words of a stripe in, one after the other.
#[inline]
fn mix_stripe(sum: u64, stripe: &[u8; STRIPE_BYTES]) -> u64 {
    stripe.as_chunks::<8>().0.iter().fold(sum, |sum, word| step(sum, u64::from_le_bytes(*word)))
}

/// Words of a stripe have a sum each: a processor multiplies four at a time, and would otherwise wait for
/// every product.
fn mix_stripes(seed: u64, stripes: &[[u8; STRIPE_BYTES]]) -> u64 {
    let mut sums = [seed, seed + 1, seed + 2, seed + 3];
    for stripe in stripes {
        let (words, _) = stripe.as_chunks::<8>();
        for (sum, word) in sums.iter_mut().zip(words) {
            *sum = step(*sum, u64::from_le_bytes(*word));
        }
    }
    sums.into_iter().fold(seed, step)
}

/// Fingerprint of a run and a case, for [`Stamp::run`]: 32-bit FNV-1a.
#[must_use]
pub fn run_fingerprint(run_id: &str, case: &str) -> u32 {
    let bytes = run_id.bytes().chain([0]).chain(case.bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stamp_survives_its_bytes(run: u32, instance: u16, sequence: u64, due_us: u64) {
            let stamp = Stamp { run, instance: InstanceId(instance), sequence, due_us };
            prop_assert_eq!(Stamp::from_bytes(&stamp.to_bytes()), Some(stamp));
        }

        #[test]
        fn a_changed_byte_is_noticed(sequence: u64, at in (0_usize..STAMP_BYTES).prop_filter("reserved", |i| !(10..12).contains(i)), flip in 1_u8..) {
            let stamp = Stamp { run: 7, instance: InstanceId(3), sequence, due_us: 12 };
            let mut bytes = stamp.to_bytes();
            bytes[at] ^= flip;
            prop_assert_ne!(Stamp::from_bytes(&bytes), Some(stamp));
        }
    }

    proptest! {
        #[test]
        fn a_placed_stamp_survives_its_bytes(
            run: u32, instance: u16, partition: u16, content: u32,
            number in 0..1_u64 << COUNT_BITS, sequence in 0..1_u64 << COUNT_BITS, due_us in 0..1_u64 << DUE_BITS,
        ) {
            let stamp = Stamp { run, instance: InstanceId(instance), sequence, due_us };
            let placed = Placed { stamp, partition, number };
            let bytes = placed.to_bytes(content);
            prop_assert_eq!(Placed::from_bytes(&bytes), Some((placed, content)));
            prop_assert_eq!(Stamp::from_bytes(&bytes), None);
            prop_assert_eq!(Placed::from_bytes(&stamp.to_bytes()), None);
        }

        #[test]
        fn a_changed_bit_of_a_placed_stamp_is_noticed(
            number in 0..1_u64 << 20, sequence in 0..1_u64 << 30, bit in 8 * 8..8 * STAMP_BYTES, content: u32,
        ) {
            let stamp = Stamp { run: 7, instance: InstanceId(3), sequence, due_us: 12 };
            let mut bytes = Placed { stamp, partition: 5, number }.to_bytes(content);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(Placed::from_bytes(&bytes).map(|(_, content)| content), Some(content));
        }

        #[test]
        fn a_changed_bit_of_key_or_value_is_noticed(
            key: Option<Vec<u8>>, value in prop::collection::vec(any::<u8>(), 0..400), at: prop::sample::Index,
        ) {
            let sum = content_sum(key.as_deref(), &value);
            prop_assert_ne!(sum, content_sum(key.as_deref(), &[&value[..], &[0]].concat()));
            let mut all = [key.clone().unwrap_or_default(), value.clone()].concat();
            if !all.is_empty() {
                let bit = at.index(all.len() * 8);
                all[bit / 8] ^= 1 << (bit % 8);
                let (other, rest) = all.split_at(key.as_ref().map_or(0, Vec::len));
                prop_assert_ne!(sum, content_sum(key.as_ref().map(|_| other), rest));
            }
        }
    }

    #[test]
    fn foreign_bytes_carry_no_stamp() {
        assert_eq!(Stamp::from_bytes(b"{\"deviceId\":\"device-0042\",\"userId\":1}"), None);
        assert_eq!(Stamp::from_bytes(b"short"), None);
    }
}
