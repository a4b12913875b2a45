//! What a run has made on the brokers goes, also when nobody came back to delete it.
//!
//! The controller tells one agent of a run what that is. When the lease has ended that agent, and every
//! other one has had the time to end as well, it deletes it, unless somebody has taken the run over. What
//! was measured stays in the agents' folders, and can be collected as before.

use super::event::Event;
use crate::{
    admin::{self, Deadline},
    daemon::command::Made,
    folder, logfile,
};
use std::{
    path::Path,
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

/// How long deleting may take.
const DELETING: Duration = Duration::from_secs(30);

/// Waits until other agents have ended, too, and deletes what the run has made. `here` was this agent's
/// folder, and `is_kept` says whether it still was when the agent ended. A signal ends the wait, and
/// nothing is deleted.
pub(super) fn tidy_up(
    made: &Made,
    (here, is_kept): (&Path, bool),
    until: Instant,
    events: &Receiver<Event>,
) {
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if let Ok(Event::Signal(_)) = events.recv_timeout(left) {
            return;
        }
    }
    // Who collects what was measured owns the folder, and removes it in the end; who runs a case anew
    // makes it again.
    if folder::is_owned(here) || here.exists() != is_kept {
        return;
    }
    logfile::info(format!("deletes {}, which no controller came back for", made.topics.join(", ")));
    let deadline = Deadline::within(DELETING);
    match admin::delete(&made.connection, &made.topics, &made.groups, &deadline) {
        Ok(left) => left
            .iter()
            .for_each(|(name, cause)| logfile::warn(format!("{name} is left behind: {cause}"))),
        Err(failure) => logfile::warn(format!("topics are left behind: {}", failure.text)),
    }
}
