//! `mallard run --detach`: the same command once more, in a session of its own, without a terminal.

use super::{Outcome, args::RunArgs};
use crate::{
    archive,
    model::exit_code,
    text::error_chain::{chain, error_text},
};
use std::{
    io::{self, Read},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// Between two looks whether the run has begun.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Starts the run and returns once it has its folder; how it ends is in the archive. What is wrong with
/// files has been said by then.
pub(super) fn detach(args: &RunArgs, run_id: &str, warnings: &str) -> Outcome {
    let run = args.results.join(run_id);
    if run.exists() {
        let taken = archive::ArchiveError::Exists { path: run };
        return Outcome::failed(exit_code::ERROR, error_text(&taken));
    }
    match spawn(args, run_id).and_then(|mut child| begun(&mut child, &run)) {
        Ok(Begun::Running(pid)) => Outcome {
            stderr: warnings.to_owned(),
            ..Outcome::ok(format!(
                "{run_id} runs in the background, process {pid}\n\
                 mallard status {run_id} --follow   shows what happens\n\
                 mallard stop {run_id}   ends it early: what was measured until then is judged\n"
            ))
        },
        Ok(Begun::Ended { code, said }) => {
            Outcome { stderr: format!("{warnings}{said}"), code, ..Outcome::default() }
        }
        Err(cause) => {
            let text = format!("error: start mallard in the background: {}\n", chain(&cause));
            Outcome::failed(exit_code::ERROR, text)
        }
    }
}

/// How a run in the background begins.
enum Begun {
    /// It has its folder.
    Running(u32),
    /// It has ended before that.
    Ended { code: i32, said: String },
}

/// Starts this program again, with the same arguments but for what sends it to the background.
fn spawn(args: &RunArgs, run_id: &str) -> io::Result<Child> {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).filter(|a| a != "--detach").collect();
    arguments.push("--detached".into());
    if args.id.is_none() {
        arguments.extend(["--id".into(), run_id.into()]);
    }
    Command::new(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

fn begun(child: &mut Child, run: &std::path::Path) -> io::Result<Begun> {
    loop {
        if archive::holder(run).is_some() {
            return Ok(Begun::Running(child.id()));
        }
        if let Some(status) = child.try_wait()? {
            let mut said = String::new();
            if let Some(stderr) = &mut child.stderr {
                stderr.read_to_string(&mut said)?;
            }
            return Ok(Begun::Ended { code: status.code().unwrap_or(exit_code::ERROR), said });
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Leaves the terminal's session, so that closing the terminal is nothing to this process.
pub(super) fn leave_session() {
    // It fails for the leader of a process group only, and a process that was just started is none.
    let _ = rustix::process::setsid();
}
