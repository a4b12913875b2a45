//! What became of acknowledged records that a reader did not receive, by offsets.
//!
//! Four things can have happened, and only one of them is a loss. The rest of the log may not have been
//! read yet; retention may have deleted records before they were read; compaction may have removed them
//! because of newer ones with the same key; or they are gone. *Lost* is what the brokers' own offsets prove:
//! the log's end lies below what was acknowledged, or the reader's position has passed a record that it was
//! never given although retention and compaction did not remove it. What cannot be told is said to be so.
//!
//! Invariant: `acked + unexpected = received + lost_unread + not_read + expired + compacted + unaccounted`.
//!
//! Counts bound what can be told: a record that was received twice hides one that is missing in the same
//! partition. They never make a loss out of nothing, since duplicates only lower what is missing.

use std::ops::Add;

/// A reader and a partition (or all partitions of a topic together) when all is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Records acknowledged that the reader should receive: without those of aborted transactions, if it
    /// never sees these.
    pub acked: u64,
    /// Records received.
    pub received: u64,
    /// Records acknowledged, those of aborted transactions among them, that cannot be in the log because it
    /// did not grow by as many: see [`gone`]. Zero where the log's end is not known.
    pub gone: u64,
    /// Whether the brokers said where the log ends after the last acknowledgement.
    pub is_settled: bool,
    /// Offsets that can be read and that the reader has not come to; `None` where that is not known.
    pub unread: Option<u64>,
    /// Offsets of the load that lie below the start of the log: removed by retention, read or not.
    pub removed: u64,
    /// Whether the topic is compacted.
    pub is_compacted: bool,
    /// Whether all that the reader received has been reported: not if one of its agents was lost.
    pub is_told: bool,
}

/// What became of acknowledged records, by count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Received beyond those acknowledged.
    pub unexpected: u64,
    /// Gone, and never received.
    pub lost_unread: u64,
    /// Gone from the log after they had been received.
    pub lost_read: u64,
    /// Still in the log, and not read when the reader was closed.
    pub not_read: u64,
    /// Removed by retention before they were read.
    pub expired: u64,
    /// Removed by compaction before they were read.
    pub compacted: u64,
    /// Not received, and nobody can say why: offsets could not be read, or a lost agent did not report what
    /// it had received.
    pub unaccounted: u64,
}

impl Standing {
    /// What became of the records.
    #[must_use]
    pub fn fate(&self) -> Fate {
        let mut missing = self.acked.saturating_sub(self.received);
        let mut take = |most: u64| {
            let taken = missing.min(most);
            missing -= taken;
            taken
        };
        let lost_unread = take(self.gone);
        let not_read = take(self.unread.unwrap_or(0));
        let expired = take(self.removed);
        let compacted = take(if self.is_compacted { u64::MAX } else { 0 });
        // All that the log holds lies behind the reader's position, and it was never given these.
        let is_proven = self.is_told && self.is_settled && self.unread.is_some();
        let passed_over = take(if is_proven { u64::MAX } else { 0 });
        Fate {
            unexpected: self.received.saturating_sub(self.acked),
            lost_unread: lost_unread + passed_over,
            lost_read: self.gone - lost_unread,
            not_read,
            expired,
            compacted,
            unaccounted: take(u64::MAX),
        }
    }
}

/// Records that were acknowledged and cannot be in a log that grew by so many offsets. Markers of
/// transactions, records of others and those that were stored without an acknowledgement only make it fewer.
#[must_use]
pub fn gone(acked: u64, (start, end): (i64, i64)) -> u64 {
    acked.saturating_sub(u64::try_from(end.saturating_sub(start)).unwrap_or(0))
}

impl Fate {
    /// Records that the brokers' offsets prove to be lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost_unread + self.lost_read
    }

    /// Records that were acknowledged and not received, for whatever reason.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.lost_unread + self.not_read + self.expired + self.compacted + self.unaccounted
    }
}

impl Add for Fate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            unexpected: self.unexpected + other.unexpected,
            lost_unread: self.lost_unread + other.lost_unread,
            lost_read: self.lost_read + other.lost_read,
            not_read: self.not_read + other.not_read,
            expired: self.expired + other.expired,
            compacted: self.compacted + other.compacted,
            unaccounted: self.unaccounted + other.unaccounted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A hundred records in a log that holds them all.
    fn whole(received: u64, unread: u64) -> Standing {
        Standing {
            acked: 100,
            received,
            gone: 0,
            is_settled: true,
            unread: Some(unread),
            removed: 0,
            is_compacted: false,
            is_told: true,
        }
    }

    #[test]
    fn all_received_is_nothing_missing() {
        assert_eq!(whole(100, 0).fate(), Fate::default());
        let twice = whole(103, 0).fate();
        assert_eq!(twice, Fate { unexpected: 3, ..Fate::default() });
    }

    #[test]
    fn what_is_still_in_the_log_is_not_read_and_never_lost() {
        assert_eq!(whole(60, 40).fate(), Fate { not_read: 40, ..Fate::default() });
        // Markers of transactions take offsets, too.
        assert_eq!(whole(60, 45).fate(), Fate { not_read: 40, ..Fate::default() });
    }

    #[test]
    fn a_log_that_ends_below_what_was_acknowledged_has_lost_records() {
        let truncated = Standing { gone: 30, ..whole(70, 0) };
        assert_eq!(truncated.fate(), Fate { lost_unread: 30, ..Fate::default() });
        let read_before = Standing { gone: 30, ..whole(100, 0) };
        assert_eq!(read_before.fate(), Fate { lost_read: 30, ..Fate::default() });
        let some = Standing { gone: 30, ..whole(80, 0) };
        let expected = Fate { lost_unread: 20, lost_read: 10, ..Fate::default() };
        assert_eq!((some.fate(), some.fate().lost()), (expected, 30));
    }

    #[test]
    fn a_position_beyond_a_record_that_was_never_given_is_a_loss() {
        assert_eq!(whole(90, 0).fate(), Fate { lost_unread: 10, ..Fate::default() });
        let both = Fate { lost_unread: 4, not_read: 6, ..Fate::default() };
        assert_eq!(whole(90, 6).fate(), both, "six lie ahead of it, four behind");
    }

    #[test]
    fn what_retention_took_is_expired() {
        let slow = Standing { removed: 70, ..whole(20, 30) };
        assert_eq!(slow.fate(), Fate { not_read: 30, expired: 50, ..Fate::default() });
        let in_time = Standing { removed: 70, ..whole(100, 0) };
        assert_eq!(in_time.fate(), Fate::default(), "all of it had been read");
        let worse = Standing { removed: 10, ..whole(80, 0) };
        assert_eq!(worse.fate(), Fate { expired: 10, lost_unread: 10, ..Fate::default() });
    }

    #[test]
    fn what_compaction_took_is_compacted_and_truncation_is_a_loss_there_too() {
        let compacted = Standing { is_compacted: true, ..whole(60, 0) };
        assert_eq!(compacted.fate(), Fate { compacted: 40, ..Fate::default() });
        let truncated = Standing { gone: 10, ..compacted };
        assert_eq!(truncated.fate(), Fate { compacted: 30, lost_unread: 10, ..Fate::default() });
    }

    #[test]
    fn without_the_brokers_word_nothing_is_lost() {
        let no_end = Standing { is_settled: false, unread: None, ..whole(60, 0) };
        assert_eq!(no_end.fate(), Fate { unaccounted: 40, ..Fate::default() });
        let no_position = Standing { unread: None, ..whole(60, 0) };
        assert_eq!(no_position.fate(), Fate { unaccounted: 40, ..Fate::default() });
        let earlier_end = Standing { is_settled: false, unread: Some(15), ..whole(60, 0) };
        assert_eq!(earlier_end.fate(), Fate { not_read: 15, unaccounted: 25, ..Fate::default() });
        let lost_agent = Standing { is_told: false, ..whole(60, 10) };
        assert_eq!(lost_agent.fate(), Fate { not_read: 10, unaccounted: 30, ..Fate::default() });
        let and_truncated = Standing { is_told: false, gone: 5, ..whole(60, 0) };
        assert_eq!(and_truncated.fate().lost_unread, 5, "the log's end needs no reader");
    }

    #[test]
    fn aborted_records_count_for_the_log_and_not_for_a_reader_that_never_sees_them() {
        let aborted = Standing { acked: 80, gone: gone(100, (7, 111)), ..whole(80, 0) };
        assert_eq!(aborted.fate(), Fate::default());
        let truncated = Standing { gone: gone(100, (7, 97)), ..aborted };
        assert_eq!(truncated.fate(), Fate { lost_read: 10, ..Fate::default() });
    }

    proptest! {
        #[test]
        fn every_record_is_in_one_account(
            (acked, gone, received) in (0..500u64, 0..600u64, 0..500u64),
            unread in proptest::option::of(0..600u64),
            removed in 0..600u64,
            (is_compacted, is_told, is_settled) in any::<(bool, bool, bool)>(),
        ) {
            let of = Standing {
                acked, received, gone, is_settled, unread, removed, is_compacted, is_told,
            };
            let fate = of.fate();
            prop_assert_eq!(acked + fate.unexpected, received + fate.missing());
            prop_assert!(fate.lost() >= gone);
            if !is_settled || !is_told || unread.is_none() || is_compacted {
                prop_assert_eq!(fate.lost(), gone, "nothing proves more");
            }
        }
    }
}
