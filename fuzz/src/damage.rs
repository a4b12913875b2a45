//! What happens to bytes on a bad day.

use proptest::prelude::*;

/// One thing that happens to some bytes. Places are shares of their length, so that they stay inside.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Bits of a byte turn.
    Flip(f64, u8),
    /// A byte becomes one that means something in a length or a variant: 0, 1, 0x7f, 0x80, 0xff.
    Set(f64, u8),
    /// A stretch is missing.
    Remove(f64, usize),
    /// Bytes from nowhere.
    Insert(f64, Vec<u8>),
    /// A stretch comes again.
    Repeat(f64, usize),
    /// Nothing comes after.
    Cut(f64),
}

/// Some edits; now and then none, because what is whole must work.
pub fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let telling = prop::sample::select(vec![0, 1, 0x7f, 0x80, 0xff]);
    let edit = prop_oneof![
        4 => (0.0..1.0, 1..=u8::MAX).prop_map(|(at, bits)| Edit::Flip(at, bits)),
        4 => (0.0..1.0, telling).prop_map(|(at, byte)| Edit::Set(at, byte)),
        2 => (0.0..1.0, 1_usize..64).prop_map(|(at, bytes)| Edit::Remove(at, bytes)),
        2 => (0.0..1.0, prop::collection::vec(any::<u8>(), 1..16)).prop_map(|(at, b)| Edit::Insert(at, b)),
        1 => (0.0..1.0, 1_usize..256).prop_map(|(at, bytes)| Edit::Repeat(at, bytes)),
        1 => (0.0..1.0).prop_map(Edit::Cut),
    ];
    prop::collection::vec(edit, 0..6)
}

/// The bytes after all that.
#[must_use]
pub fn damaged(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for edit in edits {
        edit.befall(&mut bytes);
    }
    bytes
}

impl Edit {
    fn befall(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip(at, bits) => {
                let at = place(*at, bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Self::Set(at, value) => {
                let at = place(*at, bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *value;
                }
            }
            Self::Remove(at, count) => {
                let from = place(*at, bytes.len());
                let to = bytes.len().min(from + count);
                bytes.drain(from..to);
            }
            Self::Insert(at, new) => {
                let from = place(*at, bytes.len());
                bytes.splice(from..from, new.iter().copied());
            }
            Self::Repeat(at, count) => {
                let from = place(*at, bytes.len());
                let to = bytes.len().min(from + count);
                let again = bytes[from..to].to_vec();
                bytes.splice(to..to, again);
            }
            Self::Cut(at) => bytes.truncate(place(*at, bytes.len())),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a length of some megabytes at most"
)]
fn place(share: f64, length: usize) -> usize {
    (share * length as f64) as usize
}
