//! Where a sender hands its records.

use crate::librdkafka::{Code, Message, TransactionError};

/// Where records go: the client, or a test's stand-in.
pub(crate) trait Outlet {
    /// Offers records in order. What was refused for good is named in `refused`.
    fn offer(
        &mut self,
        arenas: (&[u8], &[u8]),
        messages: &[Message],
        now_us: u64,
        refused: &mut Vec<(usize, Code)>,
    ) -> Offer;
    /// The run's clock.
    fn now_us(&self) -> u64;
    /// Records acknowledged so far.
    fn acked(&self) -> u64;
    /// Records handed over and not yet reported on.
    fn in_flight(&self) -> u64;
    /// Waits a little for reports; whether all are in.
    fn flush(&mut self) -> bool;
    /// Begins a transaction.
    fn begin(&mut self) -> Result<(), TransactionError>;
    /// Commits it, or goes on doing so.
    fn commit(&mut self) -> Result<(), TransactionError>;
    /// Aborts it, or goes on doing so.
    fn abort(&mut self) -> Result<(), TransactionError>;
}

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Records before this index were taken or refused for good; the others have to wait.
    pub(crate) handled: usize,
    /// How many the client took, by its own word.
    pub(crate) taken: u64,
    /// Why the others have to wait, if there are any.
    pub(crate) held_up: Option<HeldUp>,
}

/// Why records have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldUp {
    /// The client's queue is full.
    Full,
    /// The transaction has failed and must be aborted first.
    Transaction,
}
