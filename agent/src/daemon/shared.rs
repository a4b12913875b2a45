//! What the agent's threads share: the spool, and a bell for writers that wait.
//!
//! Invariant: of the locks of an outbox and of the spool, the outbox's is taken first. So the spool is
//! lent to a closure and never as a guard: a guard in the middle of an expression lives on to its end,
//! and whoever touches an outbox there waits for a writer that waits for the spool.

use crate::spool::Spool;
use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The spool and the bell.
pub(super) struct Shared {
    spool: Mutex<Spool>,
    rings: Mutex<u64>,
    rung: Condvar,
    /// The end was ordered, perhaps before the engine is made.
    no_engine: AtomicBool,
}

impl Shared {
    /// Around a spool.
    pub(super) fn new(spool: Spool) -> Self {
        Self {
            spool: Mutex::new(spool),
            rings: Mutex::new(0),
            rung: Condvar::new(),
            no_engine: AtomicBool::new(false),
        }
    }

    /// Notes that the engine is to end, so that one which is still being made is given up.
    pub(super) fn want_no_engine(&self) {
        self.no_engine.store(true, Ordering::Release);
    }

    /// Whether the end was not ordered yet.
    pub(super) fn is_engine_wanted(&self) -> bool {
        !self.no_engine.load(Ordering::Acquire)
    }

    /// Does something with the spool, quickly, and touching no outbox.
    pub(super) fn with_spool<T>(&self, act: impl FnOnce(&mut Spool) -> T) -> T {
        act(&mut self.spool.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One beyond the sequence of the last interval.
    pub(super) fn spool_end(&self) -> u64 {
        self.with_spool(|spool| spool.end())
    }

    /// Wakes writers: there is something to send, or an end.
    pub(super) fn ring(&self) {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }

    /// How often the bell has rung. Taken before looking for work, so that no ring is missed.
    pub(super) fn rings(&self) -> u64 {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the bell has rung more often than that, or for `patience`.
    pub(super) fn wait_past(&self, rings: u64, patience: Duration) {
        let guard = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rung.wait_timeout_while(guard, patience, |now| *now == rings);
        drop(waited);
    }
}
