//! The second process that holds an undo, and what is done where both are gone.

use crate::{
    broker::{Broker, Identity},
    find,
    journal::{self, Journal, Note, say},
    process::ProcessBroker,
    sys, undo,
};
use mallard_protocol::{agent_command, fault::GuardReport};
use std::{
    io,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Between two looks at each other.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a twin may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// How long a process that was killed may take to be gone.
const ENDING_WITHIN: Duration = Duration::from_secs(5);

/// How long the undoing of what others have left is waited for.
const SWEEPING: Duration = Duration::from_secs(3);

/// How long after the latest end a guard that lives and does nothing is waited for.
const HUNG_AFTER_US: u64 = 2_000_000;

/// A guard's twin.
pub(crate) struct Twin {
    child: Child,
}

impl Twin {
    /// Starts one and waits until it watches.
    pub(crate) fn start(journal: &Journal) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(agent_command::GUARD);
        command.arg(agent_command::option::<String>(agent_command::TWIN)).arg(journal.path());
        // Its reports go where the guard's go: the pipe is open for as long as one of both lives.
        command.stdin(Stdio::null());
        let mut twin = Self { child: command.spawn()? };
        let began = Instant::now();
        while !twin.is_ready(journal) {
            if let Some(ended) = twin.child.try_wait()? {
                return Err(io::Error::other(format!("it ended with {ended}")));
            }
            if began.elapsed() > READY_WITHIN {
                let _ = twin.child.kill();
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(twin)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn is_ready(&self, journal: &Journal) -> bool {
        let pid = i32::try_from(self.pid()).ok();
        matches!(journal.twin(), Some(Identity::Process { pid: noted, .. }) if Some(noted) == pid)
    }

    /// Starts another one if it is gone.
    pub(crate) fn keep(&mut self, journal: &Journal) {
        if matches!(self.child.try_wait(), Ok(Some(_)))
            && let Ok(twin) = Self::start(journal)
        {
            *self = twin;
        }
    }
}

/// Is a twin: watches a guard by its note, and undoes what it leaves.
///
/// # Errors
/// The note cannot be read.
pub fn be(note: &Path) -> io::Result<()> {
    sys::outlive_signals();
    let _ = rustix::process::setsid();
    sys::spare_from_oom_killer();
    let journal = Journal::at(note);
    let Some(first) = journal.read()? else { return Ok(()) };
    let guard = held(&first.guard);
    journal.write_twin(&ProcessBroker::this())?;
    loop {
        let lives = guard.as_ref().is_some_and(|guard| guard.lives().unwrap_or(false));
        let Some(note) = journal.read()? else { return Ok(()) };
        let hung = note.is_begun && sys::boot_us() > note.latest_end_boot_us + HUNG_AFTER_US;
        // A guard that is undoing takes its time; one that stands still does not.
        let hung = hung && guard.as_ref().is_some_and(|guard| guard.is_paused().unwrap_or(false));
        if !lives || hung {
            finish(&journal, &note, "its twin", undo::patience(&note.order));
            return Ok(());
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn held(identity: &Identity) -> Option<ProcessBroker> {
    match identity {
        Identity::Process { pid, start_ticks } => {
            Some(ProcessBroker::known("", &[], *pid, *start_ticks))
        }
        Identity::Container { .. } => None,
    }
}

/// Whether a guard or a twin lives that holds a fault, and goes on to for this long.
fn is_held(journal: &Journal, note: &Note, patience: Duration) -> bool {
    let began = Instant::now();
    let lives = || {
        let holders = [Some(note.guard.clone()), journal.twin()];
        holders.iter().flatten().filter_map(held).any(|it| it.lives().unwrap_or(true))
    };
    while lives() {
        if began.elapsed() >= patience {
            return true;
        }
        thread::sleep(LOOK_EVERY);
    }
    false
}

/// Undoes by a note, reports, and removes it if nothing is left to undo.
fn finish(journal: &Journal, note: &Note, by: &str, patience: Duration) -> bool {
    if !note.is_begun {
        say(&GuardReport::NotBegun { cause: "its guard ended before".to_owned() });
        journal.remove();
        return true;
    }
    let last = match find::known(&note.order.victim, &note.identity) {
        Ok(mut broker) => undo::undo(note, &mut *broker, by, patience),
        Err(error) => GuardReport::NotUndone { cause: error.to_string(), by_hand: String::new() },
    };
    say(&last);
    let is_undone = matches!(last, GuardReport::Undone { .. });
    if is_undone {
        journal.remove();
    }
    is_undone
}

/// Undoes what guards and twins that are gone have left in a folder, or of one fault alone, and reports each on
/// stdout. Returns whether nothing is left.
///
/// # Errors
/// The folder cannot be read.
pub fn sweep(folder: &Path, id: Option<&str>) -> io::Result<bool> {
    let notes = match id {
        Some(id) => vec![Journal::of(folder, id)],
        None => Journal::all(folder)?,
    };
    let mut is_clean = true;
    for journal in notes {
        let Some(note) = journal.read()? else { continue };
        if note.boot_id != journal::boot_id() {
            journal.remove();
            continue;
        }
        // Whoever asks for one fault has seen its holders' output end, and they may be ending still.
        let patience = if id.is_some() { ENDING_WITHIN } else { Duration::ZERO };
        if !is_held(&journal, &note, patience) {
            // A run that is about to start does not wait for brokers of others: what it has begun here goes on, and
            // who comes next looks whether it is done.
            let patience = if id.is_some() { undo::patience(&note.order) } else { SWEEPING };
            is_clean &= finish(&journal, &note, "whoever came later", patience);
        }
    }
    Ok(is_clean)
}
