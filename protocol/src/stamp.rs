//! The mark that a record carries from its producer to its consumer.
//!
//! A stamp stands in the first bytes of a payload that Mallard makes up itself, or in the header
//! [`HEADER`] where the payload belongs to the user. It says which run and which instance sent the
//! record, its sequence number there, and when it was due: all that end-to-end latency, and the finding
//! of lost, duplicate and reordered records, need.
//!
//! Layout, 32 bytes, big-endian: magic (4), run (4), instance (2), reserved (2), checksum (4), sequence
//! (8), due time (8, microseconds on the run's clock).

use crate::ids::InstanceId;

/// Name of the header that carries a stamp.
pub const HEADER: &str = "mallard";

/// Bytes of a stamp.
pub const STAMP_BYTES: usize = 32;

const MAGIC: [u8; 4] = *b"\xd7Mal";

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
    /// a stamp. The multiplier is 2^64 divided by the golden ratio (Knuth, TAOCP 3, 6.4).
    fn checksum(self) -> u32 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let head = u64::from(self.run) << 16 | u64::from(self.instance.0);
        let mixed = (head.wrapping_mul(GOLDEN) ^ self.sequence).wrapping_mul(GOLDEN) ^ self.due_us;
        (mixed.wrapping_mul(GOLDEN) >> 32) as u32
    }
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

    #[test]
    fn foreign_bytes_carry_no_stamp() {
        assert_eq!(Stamp::from_bytes(b"{\"deviceId\":\"device-0042\",\"userId\":1}"), None);
        assert_eq!(Stamp::from_bytes(b"short"), None);
    }
}
