//! Reading something from the brokers once an interval.

use super::{Deadline, client::Admin};
use crate::logfile;
use mallard_protocol::{
    message::{AgentFailure, FailureKind},
    workload::ClientProperties,
};
use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// How long an interval waits for an answer: less than an interval, so that nothing piles up.
const PATIENCE: Duration = Duration::from_millis(800);

/// How long one reading may take inside of librdkafka. When a leader does not answer, what the others
/// say comes only then; so it must come before patience ends.
const READING: Duration = Duration::from_millis(600);

/// How long the first connection may take before the first reading.
const CONNECTING: Duration = Duration::from_secs(10);

/// Least time between two lines in the log about readings that failed.
const CALM: Duration = Duration::from_secs(30);

/// What was read, and what is to be said about what was not.
pub(super) type Reading<T> = (T, Option<String>);

/// Reads something whenever it is asked to, on a thread of its own, with a client of its own that stays.
/// Whoever asks waits for [`PATIENCE`] at most, and an answer that comes later is thrown away: it would
/// be taken for one of another moment.
pub struct Watch<T> {
    ask: SyncSender<()>,
    answers: Receiver<T>,
    asked: bool,
}

impl<T: Default + Send + 'static> Watch<T> {
    /// A watch with a thread of this name.
    pub(super) fn over(
        name: &str,
        connection: ClientProperties,
        read: impl FnMut(&Admin, &Deadline) -> Reading<T> + Send + 'static,
    ) -> Result<Self, AgentFailure> {
        // One question and one answer can be under way, never more.
        let (ask, questions) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        thread::Builder::new()
            .name(name.into())
            .spawn(move || watch(read, &connection, &questions, &answer))
            .map_err(|error| AgentFailure {
                kind: FailureKind::Other,
                text: format!("start the thread {name}: {error}"),
            })?;
        Ok(Self { ask, answers, asked: false })
    }

    /// Asks for what is true now, without waiting for it.
    pub fn ask(&mut self) {
        if self.answers.try_recv().is_ok() {
            self.asked = false;
        }
        if !self.asked {
            self.asked = self.ask.try_send(()).is_ok();
        }
    }

    /// The answer to the last question; nothing if it does not come in time.
    pub fn answer(&mut self) -> T {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) => {
                self.asked = false;
                answer
            }
            Err(_) => T::default(),
        }
    }
}

fn watch<T>(
    mut read: impl FnMut(&Admin, &Deadline) -> Reading<T>,
    connection: &ClientProperties,
    questions: &Receiver<()>,
    answers: &SyncSender<T>,
) {
    let mut complaints = Complaints { quiet_until: None, unsaid: 0 };
    let admin = match Admin::new(connection) {
        Ok(admin) => admin,
        Err(failure) => return complaints.hear(&failure.text),
    };
    // Connects, so that the first reading is as fast as the others.
    let _ = admin.metadata(&Deadline::within(CONNECTING));
    while questions.recv().is_ok() {
        let (answer, complaint) = read(&admin, &Deadline::within(READING));
        if answers.send(answer).is_err() {
            return;
        }
        if let Some(complaint) = complaint {
            complaints.hear(&complaint);
            // Leaders may have moved: the next reading must know where to.
            let _ = admin.metadata(&Deadline::within(READING));
        }
        // The client's log must not pile up in its queue.
        admin.reasons();
    }
}

/// Says things at a calm pace.
struct Complaints {
    quiet_until: Option<Instant>,
    unsaid: u64,
}

impl Complaints {
    fn hear(&mut self, text: &str) {
        if self.quiet_until.is_some_and(|until| Instant::now() < until) {
            self.unsaid += 1;
            return;
        }
        let unsaid = match self.unsaid {
            0 => String::new(),
            n => format!(" (and {n} times since the last such line)"),
        };
        logfile::warn(format!("{text}{unsaid}"));
        *self = Self { quiet_until: Some(Instant::now() + CALM), unsaid: 0 };
    }
}
