//! A sink that pushes to a collector by OpenTelemetry's protocol: HTTP with protocol buffers.
//!
//! Invariant: the run never waits for the collector. A thread of its own pushes what stands on the board, once a
//! second at most; what could not be pushed is in what is pushed next.

mod message;

use super::board::Board;
use crate::{
    http::{Target, post},
    model::{events::TimedEvent, figures::IntervalFigures, sink::EventSink},
    text::error_chain::chain,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};

/// From one push to the next.
const PUSH_EVERY: Duration = Duration::from_secs(1);

/// How long a collector may take for an answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Where collectors expect metrics.
const PATH: &str = "/v1/metrics";

/// Pushes figures of a run.
#[derive(Debug)]
pub(super) struct OtlpPush {
    board: Arc<Mutex<Board>>,
    /// Warnings about the collector.
    warnings: Arc<Mutex<Vec<String>>>,
    /// Dropped at the end of the run.
    run: Option<mpsc::Sender<()>>,
    /// Answered once the last push is done.
    done: Option<oneshot::Receiver<()>>,
}

impl OtlpPush {
    /// Pushes to a collector from now on.
    ///
    /// # Errors
    ///
    /// When there is no thread for it.
    pub(super) fn open(target: Target) -> io::Result<Self> {
        let board = Arc::<Mutex<Board>>::default();
        let (run, over) = mpsc::channel();
        let (tell, done) = oneshot::channel();
        let warnings = Arc::<Mutex<Vec<String>>>::default();
        let mut pusher = Pusher {
            target: target.or_path(PATH),
            board: Arc::clone(&board),
            warnings: Arc::clone(&warnings),
            fails: false,
        };
        thread::Builder::new().name("otlp".into()).spawn(move || {
            pusher.push_until(&over);
            let _ = tell.send(());
        })?;
        Ok(Self { board, warnings, run: Some(run), done: Some(done) })
    }
}

#[async_trait(?Send)]
impl EventSink for OtlpPush {
    fn take(&mut self, event: &TimedEvent) {
        lock(&self.board).take(event);
    }

    fn figures(&mut self, interval: IntervalFigures<'_>) {
        lock(&self.board).figures(interval);
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut lock(&self.warnings))
    }

    async fn end(&mut self) {
        self.run = None;
        if let Some(done) = self.done.take() {
            // A push that is under way, and the last one.
            let _ = timeout(ANSWERED_WITHIN * 2, done).await;
        }
    }
}

/// What pushes, in a thread of its own.
struct Pusher {
    target: Target,
    board: Arc<Mutex<Board>>,
    warnings: Arc<Mutex<Vec<String>>>,
    /// Whether the last push failed.
    fails: bool,
}

impl Pusher {
    /// Pushes once a second, and once more when the other side of the channel is gone.
    fn push_until(&mut self, over: &mpsc::Receiver<()>) {
        loop {
            let is_over =
                over.recv_timeout(PUSH_EVERY) == Err(mpsc::RecvTimeoutError::Disconnected);
            self.push();
            if is_over {
                return;
            }
        }
    }

    fn push(&mut self) {
        let body = {
            let board = lock(&self.board);
            let families = board.families();
            if families.is_empty() {
                return;
            }
            message::write(board.run(), &families, now_ns())
        };
        let pushed = post(&self.target, message::CONTENT_TYPE, &body, ANSWERED_WITHIN);
        let warning = match (&pushed, self.fails) {
            (Err(cause), false) => {
                let (target, cause) = (&self.target, chain(cause));
                format!(
                    "figures do not reach {target}: {cause}; they are pushed again every second"
                )
            }
            (Ok(()), true) => format!("figures reach {} again", self.target),
            _ => return,
        };
        self.fails = pushed.is_err();
        lock(&self.warnings).push(warning);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ns() -> u64 {
    u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(0)
}
