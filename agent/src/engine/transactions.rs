//! The life of a producer's transactions: when one begins, when it ends, and how.
//!
//! Ending takes several turns, since each call to the client waits only a few milliseconds, so that
//! intervals are cut in time. Until it is over no record is sent; that time is explained slip, like
//! that behind a full queue.

use super::{clock::NEVER, outlet::Outlet, random::random};
use crate::librdkafka::TransactionError;
use mallard_protocol::{interval::Transactions, workload::TransactionSpec};
use rand::RngExt;

/// Time between two looks at whether the reports of an aborted transaction have all come.
const SETTLE_US: u64 = 1_000;

/// Calls in a row that the client may say are not for its state. One more call is enough, as a rule.
const MOST_OUT_OF_STEP: u32 = 100;

/// A producer's transactions.
pub(crate) struct TransactionLoop {
    spec: TransactionSpec,
    /// The part of an abort on purpose that is due: a transaction that makes it whole is aborted, so
    /// that few transactions have the share that was asked for, too. Where it begins differs from
    /// producer to producer.
    abort_due: f64,
    out_of_step: u32,
    state: State,
    ended: Transactions,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    None,
    Open(Open),
    /// Flushing before an abort on purpose, so that its records are on the broker.
    Flushing(Open),
    Committing {
        open: Open,
        since_us: u64,
    },
    Aborting {
        open: Open,
        failed: bool,
    },
    /// Waiting for the reports of an aborted transaction.
    Settling {
        open: Open,
        failed: bool,
    },
    /// The client can do nothing more.
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Open {
    since_us: u64,
    records: u64,
    acked_before: u64,
    abort: bool,
}

/// What the sender may do now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Turn {
    /// Send up to this many records.
    Send(usize),
    /// Nothing; come back at this moment.
    Wait(u64),
    /// Nothing ever again, for this reason.
    Dead(String),
}

impl TransactionLoop {
    /// Transactions of a producer.
    pub(crate) fn new(spec: &TransactionSpec, seed: u64) -> Self {
        Self {
            spec: spec.clone(),
            abort_due: random(seed, 5).random(),
            out_of_step: 0,
            state: State::None,
            ended: Transactions::default(),
        }
    }

    /// Moves on, and says whether records may be sent. With `wanted`, there are some to be sent.
    pub(crate) fn turn(&mut self, outlet: &mut impl Outlet, now_us: u64, wanted: bool) -> Turn {
        match self.state {
            State::None if !wanted => Turn::Send(0),
            State::None => self.begin(outlet, now_us),
            State::Open(open) => match self.room(open) {
                0 => self.end(outlet, now_us),
                _ if now_us >= self.ends_by(open) => self.end(outlet, now_us),
                room => Turn::Send(usize::try_from(room).unwrap_or(usize::MAX)),
            },
            State::Flushing(open) => match outlet.flush() {
                true => self.enter(outlet, State::Aborting { open, failed: false }, now_us),
                false => Turn::Wait(now_us),
            },
            State::Committing { open, since_us } => self.commit(outlet, open, since_us, now_us),
            State::Aborting { open, failed } => self.abort(outlet, open, failed, now_us),
            State::Settling { open, failed } => self.settle(outlet, open, failed, now_us),
            State::Dead => Turn::Wait(NEVER),
        }
    }

    /// Counts records that the client took.
    pub(crate) fn sent(&mut self, records: u64) {
        if let State::Open(open) = &mut self.state {
            open.records += records;
        }
    }

    /// When the open transaction must end, at the latest.
    pub(crate) fn wake_us(&self) -> u64 {
        match self.state {
            State::Open(open) => self.ends_by(open),
            _ => NEVER,
        }
    }

    /// Ends the open transaction before its time, because the load is over.
    pub(crate) fn end(&mut self, outlet: &mut impl Outlet, now_us: u64) -> Turn {
        let State::Open(open) = self.state else { return Turn::Wait(now_us) };
        let next = if open.abort {
            State::Flushing(open)
        } else {
            State::Committing { open, since_us: now_us }
        };
        self.enter(outlet, next, now_us)
    }

    /// The client refused records because the transaction has failed.
    pub(crate) fn refused(&mut self) {
        if let State::Open(open) = self.state {
            self.state = State::Aborting { open, failed: true };
        }
    }

    /// Whether no transaction is open or ending.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::None | State::Dead)
    }

    /// Whether one is ending, which holds up records.
    pub(crate) fn is_ending(&self) -> bool {
        !matches!(self.state, State::None | State::Open(_))
    }

    /// What ended since the last call.
    pub(crate) fn take_ended(&mut self) -> Transactions {
        std::mem::take(&mut self.ended)
    }

    fn begin(&mut self, outlet: &mut impl Outlet, now_us: u64) -> Turn {
        match outlet.begin() {
            Ok(()) => {
                self.abort_due += self.spec.abort_share;
                let abort = self.abort_due >= 1.0;
                self.abort_due -= f64::from(u8::from(abort));
                self.out_of_step = 0;
                let acked_before = outlet.acked();
                let open = Open { since_us: now_us, records: 0, acked_before, abort };
                self.state = State::Open(open);
                Turn::Send(usize::try_from(self.room(open)).unwrap_or(usize::MAX))
            }
            Err(TransactionError::NotYet) => Turn::Wait(now_us + SETTLE_US),
            Err(
                TransactionError::MustAbort(reason)
                | TransactionError::Fatal(reason)
                | TransactionError::OutOfStep(reason),
            ) => self.die(reason),
        }
    }

    fn commit(&mut self, outlet: &mut impl Outlet, open: Open, since_us: u64, now_us: u64) -> Turn {
        match outlet.commit() {
            Ok(()) => {
                self.ended.committed += 1;
                self.ended.committed_records += open.records;
                self.ended.commit.record(outlet.now_us().saturating_sub(since_us));
                self.state = State::None;
                Turn::Wait(now_us)
            }
            Err(TransactionError::NotYet) => Turn::Wait(now_us),
            Err(TransactionError::OutOfStep(reason)) => self.again(reason, now_us),
            Err(TransactionError::MustAbort(_)) => {
                self.enter(outlet, State::Aborting { open, failed: true }, now_us)
            }
            Err(TransactionError::Fatal(reason)) => self.die(reason),
        }
    }

    fn abort(&mut self, outlet: &mut impl Outlet, open: Open, failed: bool, now_us: u64) -> Turn {
        match outlet.abort() {
            Ok(()) => self.enter(outlet, State::Settling { open, failed }, now_us),
            Err(TransactionError::NotYet | TransactionError::MustAbort(_)) => Turn::Wait(now_us),
            Err(TransactionError::OutOfStep(reason)) => self.again(reason, now_us),
            Err(TransactionError::Fatal(reason)) => self.die(reason),
        }
    }

    /// Counts an aborted transaction's records once all their reports are in: those that were
    /// acknowledged are on the broker, and no read_committed consumer will ever see them.
    fn settle(&mut self, outlet: &mut impl Outlet, open: Open, failed: bool, now_us: u64) -> Turn {
        if outlet.in_flight() > 0 {
            return Turn::Wait(now_us + SETTLE_US);
        }
        *(if failed { &mut self.ended.failed } else { &mut self.ended.aborted }) += 1;
        self.ended.aborted_records += outlet.acked() - open.acked_before;
        self.state = State::None;
        Turn::Wait(now_us)
    }

    fn enter(&mut self, outlet: &mut impl Outlet, state: State, now_us: u64) -> Turn {
        self.state = state;
        self.turn(outlet, now_us, false)
    }

    /// Lets the same call be made again, unless that never helps.
    fn again(&mut self, reason: String, now_us: u64) -> Turn {
        self.out_of_step += 1;
        if self.out_of_step > MOST_OUT_OF_STEP {
            return self.die(reason);
        }
        Turn::Wait(now_us + SETTLE_US)
    }

    fn die(&mut self, reason: String) -> Turn {
        self.state = State::Dead;
        self.ended.failed += 1;
        Turn::Dead(reason)
    }

    fn room(&self, open: Open) -> u64 {
        self.spec.every_records.map_or(u64::MAX, |every| every.max(1).saturating_sub(open.records))
    }

    fn ends_by(&self, open: Open) -> u64 {
        self.spec.every_us.map_or(NEVER, |every| open.since_us.saturating_add(every))
    }
}
