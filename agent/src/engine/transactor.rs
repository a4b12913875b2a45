//! Ends a producer's transactions on a thread of its own.
//!
//! librdkafka commits and aborts in steps, and keeps one place for the outcome of a step. Whoever calls
//! again after a time-out that came before the first step was answered may find there what belongs to
//! an earlier call, go a step too far, and be told of a commit that never was. So a call is given more
//! time than it needs, on a thread that has nothing else to do, while the sending thread looks in now
//! and then and cuts its intervals in time.

use crate::librdkafka::{Client, TransactionError};
use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

/// How long a call may wait, in milliseconds. A broker that does not answer is asked again after it.
const CALL_MS: i32 = 5_000;

/// How long [`Transactor::end`] waits for an outcome.
const LOOK: Duration = Duration::from_millis(10);

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Commit,
    Abort,
}

/// The other end of the thread.
pub(crate) struct Transactor {
    calls: mpsc::Sender<Ending>,
    outcomes: mpsc::Receiver<Result<(), TransactionError>>,
    under_way: Option<Ending>,
}

impl Transactor {
    /// A transactor and what its thread is to do; that ends after the transactor, as soon as the client
    /// lets go of the last call.
    pub(crate) fn new(client: Arc<Client>) -> (Self, impl FnOnce() + Send + 'static) {
        let (calls, asked) = mpsc::channel();
        let (answers, outcomes) = mpsc::channel();
        let body = move || {
            for ending in asked {
                let outcome = match ending {
                    Ending::Commit => client.commit_transaction(CALL_MS),
                    Ending::Abort => client.abort_transaction(CALL_MS),
                };
                if answers.send(outcome).is_err() {
                    return;
                }
            }
        };
        (Self { calls, outcomes, under_way: None }, body)
    }

    /// Ends the open transaction. Waits a few milliseconds.
    ///
    /// # Errors
    /// `NotYet` while that goes on: call again. Otherwise what the client said.
    pub(crate) fn end(&mut self, ending: Ending) -> Result<(), TransactionError> {
        let gone = || TransactionError::Fatal("its transactions' thread has ended".to_owned());
        if self.under_way.is_none() {
            self.calls.send(ending).map_err(|_| gone())?;
            self.under_way = Some(ending);
        }
        debug_assert_eq!(self.under_way, Some(ending), "one ends before another one begins");
        match self.outcomes.recv_timeout(LOOK) {
            Err(mpsc::RecvTimeoutError::Timeout) => Err(TransactionError::NotYet),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(gone()),
            Ok(outcome) => {
                self.under_way = None;
                outcome
            }
        }
    }
}
