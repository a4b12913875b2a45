//! What the agent's threads share: the spool, and a bell for writers that wait.

use crate::spool::Spool;
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The spool and the bell.
pub(super) struct Shared {
    spool: Mutex<Spool>,
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Shared {
    /// Around a spool.
    pub(super) fn new(spool: Spool) -> Self {
        Self { spool: Mutex::new(spool), rings: Mutex::new(0), rung: Condvar::new() }
    }

    /// The spool, for a short time.
    pub(super) fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
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
