//! A record's two numbers.

/// The two numbers of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The instance's own count, which tells the record from all others of the run.
    pub(crate) sequence: u64,
    /// Its number in the schedule that all instances share: what counts, counts by it.
    pub(crate) number: u64,
}
