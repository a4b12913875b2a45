//! `mallard stop`: ends a run early and in order, by a signal to the controller that holds its lock.

use super::{Outcome, args::StopArgs};
use crate::{
    archive::{ArchiveError, Holder, holder, journal::Journal, read},
    model::{exit_code, result::RunResult},
    terminal::Follower,
    text::error_chain::error_text,
};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{fs, io::Write as _, path::Path, thread, time::Duration};

/// Between two looks at whether the controller has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Why a run cannot be stopped.
#[derive(Debug, thiserror::Error)]
enum StopError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("stop {run}: it is over; its report is {report}")]
    Over { run: String, report: String },
    #[error(
        "stop {run}: no controller runs it; take it over with `mallard resume {run}`, or see what it \
         left with `mallard clean`"
    )]
    NoController { run: String },
    #[error("stop {run}: {holder} runs it; stop it there")]
    Elsewhere { run: String, holder: Holder },
    #[error("stop {run}: signal {holder}")]
    Signal {
        run: String,
        holder: Holder,
        #[source]
        source: Errno,
    },
}

/// Stops a run, and waits until its results and report are written.
pub(super) fn stop(args: &StopArgs) -> Outcome {
    let stopped = read::find_run(&args.results, &args.run)
        .map_err(StopError::from)
        .and_then(|run| stop_run(&run, args.no_wait));
    match stopped {
        Ok(code) => Outcome { code, ..Outcome::default() },
        Err(cause @ StopError::Signal { .. }) => {
            Outcome::failed(exit_code::ERROR, error_text(&cause))
        }
        Err(cause) => Outcome::failed(exit_code::USAGE, error_text(&cause)),
    }
}

/// Returns the exit code: the verdict's, if it was waited for.
fn stop_run(run: &Path, no_wait: bool) -> Result<i32, StopError> {
    let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (holder, process) = controller(run, &name)?;
    // What was told before is not told again.
    let mut journal = Journal::open(run)?;
    while journal.next_event()?.is_some() {}
    pidfd_send_signal(&process, Signal::TERM).map_err(|source| StopError::Signal {
        run: name.clone(),
        holder: holder.clone(),
        source,
    })?;
    let more = if no_wait { "; `mallard status` shows how far it is" } else { "" };
    say(&format!(
        "{name}: {holder} ends the load, judges what was measured and writes the report{more}\n"
    ));
    if no_wait { Ok(exit_code::PASS) } else { follow_to_its_end(run, &mut journal) }
}

/// The process that runs a run on this machine. A handle, not a number: a process that ends meanwhile
/// is never mistaken for another one that got its number.
fn controller(run: &Path, name: &str) -> Result<(Holder, OwnedFd), StopError> {
    let held_by = || {
        holder(run).ok_or_else(|| match run.join("run.json").is_file() {
            true => StopError::Over {
                run: name.to_owned(),
                report: run.join("report.html").display().to_string(),
            },
            false => StopError::NoController { run: name.to_owned() },
        })
    };
    let first = held_by()?;
    if !first.is_here() {
        return Err(StopError::Elsewhere { run: name.to_owned(), holder: first });
    }
    let pid = i32::try_from(first.pid).ok().and_then(Pid::from_raw);
    let opened = pid.ok_or(Errno::SRCH).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()));
    // It still holds the run now that its handle is open, so the handle is its.
    let still = held_by()?;
    match opened {
        Ok(process) if still == first => Ok((first, process)),
        Ok(_) => Err(StopError::Elsewhere { run: name.to_owned(), holder: still }),
        Err(source) => Err(StopError::Signal { run: name.to_owned(), holder: first, source }),
    }
}

/// Shows what happens until the controller has ended, and returns the exit code of the verdict.
fn follow_to_its_end(run: &Path, journal: &mut Journal) -> Result<i32, StopError> {
    let mut follower = Follower::new();
    loop {
        // Looked at first: what a controller wrote before it went is read after that.
        let alive = holder(run).is_some();
        while let Some(timed) = journal.next_event()? {
            follower.show(&timed.event);
        }
        if !alive {
            break;
        }
        thread::sleep(LOOK_AGAIN);
    }
    let result = fs::read(run.join("run.json")).ok();
    let result = result.and_then(|text| serde_json::from_slice::<RunResult>(&text).ok());
    Ok(result.map_or(exit_code::ERROR, |result| exit_code::of(result.verdict)))
}

/// Says it at once: the rest may take as long as the drain.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away is no error.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
