//! The mark that a record carries in a field of its value: who sent it and which one it is, as text.
//!
//! Headers are lost in many pipelines; fields of the value seldom are. A mark reads
//! `run-producer-sequence` or `run-producer-sequence-part`, in lower-case hexadecimal of 8, 4, 12 and 4
//! digits: `0c5be2d1-0002-00000000001a-0003`. The part tells the pieces of one record from each other;
//! the ids of samples in health payloads are such marks. When the record was due does not stand in a
//! mark: the sequence and the producer's schedule say it.

use crate::ids::InstanceId;
use std::fmt;

/// Who sent a record, which one it is, and which piece of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Fingerprint of run and case, as in [`crate::stamp::Stamp::run`].
    pub run: u32,
    /// The producer instance.
    pub instance: InstanceId,
    /// The instance's own count of records, from 0.
    pub sequence: u64,
    /// The piece of the record, from 0; 0 where the mark names none.
    pub part: u16,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:04x}", self.whole(), self.part)
    }
}

impl Mark {
    /// The mark of the whole record, which names no part.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{:08x}-{:04x}-{:012x}", self.run, self.instance.0, self.sequence)
    }

    /// Reads a mark; `None` if the text is none.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut pieces = text.split('-');
        let mut next = |digits: usize| number(pieces.next()?, digits);
        let run = u32::try_from(next(8)?).ok()?;
        let instance = InstanceId(u16::try_from(next(4)?).ok()?);
        let sequence = next(12)?;
        let part = match pieces.next() {
            None => 0,
            Some(piece) => u16::try_from(number(piece, 4)?).ok()?,
        };
        pieces.next().is_none().then_some(Self { run, instance, sequence, part })
    }
}

/// Exactly so many hexadecimal digits, without a sign.
fn number(text: &str, digits: usize) -> Option<u64> {
    let sound = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    sound.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mark_is_read_as_it_was_written(run: u32, instance: u16, sequence in 0_u64..1 << 48, part: u16) {
            let mark = Mark { run, instance: InstanceId(instance), sequence, part };
            prop_assert_eq!(Mark::from_text(&mark.to_string()), Some(mark));
            prop_assert_eq!(Mark::from_text(&mark.whole()), Some(Mark { part: 0, ..mark }));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _ = Mark::from_text(&text);
        }
    }

    #[test]
    fn what_is_not_quite_a_mark_is_none() {
        let whole = Mark::from_text("0c5be2d1-0002-00000000001a");
        assert_eq!(whole.map(|mark| (mark.sequence, mark.part)), Some((26, 0)));
        for wrong in [
            "",
            "0c5be2d1-0002",
            "0c5be2d1-0002-1a",
            "0c5be2d1-0002-00000000001a-0003-1",
            "+c5be2d1-0002-00000000001a",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert_eq!(Mark::from_text(wrong), None, "{wrong}");
        }
    }
}
