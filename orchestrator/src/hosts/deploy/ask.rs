//! Asking a program of this machine something: one question, one answer, an end to both.
//!
//! Whatever file somebody names by `--agent` is started here. So its answer has a deadline and a size,
//! and what it said on stderr is part of the message if it fails.

use crate::text::untrusted;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io::{self, Read, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread,
    time::{Duration, Instant},
};

/// What an answer may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time from its start to its end.
    pub within: Duration,
    /// Bytes on stdout.
    pub stdout_bytes: u64,
}

/// Bytes of stderr that are kept. What is more is read and dropped, up to as many as stdout may have.
const STDERR_BYTES: usize = 4_096;

/// Between two looks whether a program that has closed its output has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It cannot be started, or its answer cannot be read.
    #[error("it cannot be started")]
    Start(#[source] io::Error),
    /// The pipes to it broke.
    #[error("it cannot be talked to")]
    Talk(#[source] io::Error),
    /// It took too long, and was ended.
    #[error("it has not answered within {} s{}", .within.as_secs(), also(.stderr))]
    Late {
        /// What it had.
        within: Duration,
        /// What it said on stderr.
        stderr: String,
    },
    /// It said too much, and was ended.
    #[error("it goes on saying things: more than {limit_bytes} bytes")]
    Endless {
        /// What it may say.
        limit_bytes: u64,
    },
    /// It ended with another code than 0.
    #[error("it ended with {status}{}", also(.stderr))]
    Failed {
        /// How.
        status: ExitStatus,
        /// What it said on stderr.
        stderr: String,
    },
}

fn also(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}

/// Starts a program, gives it its question on stdin, and returns what it said on stdout once it has ended
/// well. A program that does not keep within the limits is ended, with all that it has started.
///
/// # Errors
/// There is no answer within the limits, or its exit code is not 0.
pub fn ask(command: &mut Command, question: &[u8], limits: Limits) -> Result<Vec<u8>, AskError> {
    let deadline = Instant::now() + limits.within;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, which can be ended whole: a script would leave what it waits for.
    let mut child = command.process_group(0).spawn().map_err(AskError::Start)?;
    let said = listen(&mut child, question, limits.stdout_bytes);
    let answer = hear(&said, deadline, limits);
    let answer = answer.and_then(|said| Ok((said, end_of(&mut child, deadline)?)));
    if answer.is_err() {
        end(&mut child);
    }
    match answer {
        Ok((said, Some(status))) if status.success() => Ok(said.stdout),
        Ok((said, Some(status))) => Err(AskError::Failed { status, stderr: words(&said.stderr) }),
        Ok((said, None)) => {
            end(&mut child);
            Err(AskError::Late { within: limits.within, stderr: words(&said.stderr) })
        }
        Err(cause) => Err(cause),
    }
}

/// What a program says, as it comes.
enum Heard {
    Stdout(io::Result<Vec<u8>>),
    Stderr(Vec<u8>),
}

#[derive(Default)]
struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Threads that talk to the program. They end with its pipes; nobody waits for them.
fn listen(child: &mut Child, question: &[u8], limit_bytes: u64) -> Receiver<Heard> {
    let (tell, heard) = mpsc::sync_channel(1);
    if let Some(mut stdin) = child.stdin.take() {
        let question = question.to_vec();
        // A program that does not read its question says by its exit code what it makes of that.
        thread::spawn(move || drop(stdin.write_all(&question)));
    }
    if let Some(stdout) = child.stdout.take() {
        let tell: SyncSender<Heard> = tell.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(limit_bytes + 1).read_to_end(&mut bytes);
            drop(tell.send(Heard::Stdout(read.map(|_| bytes))));
        });
    }
    if let Some(mut stderr) = child.stderr.take() {
        thread::spawn(move || {
            let mut piece = [0; STDERR_BYTES];
            let mut read_bytes = 0;
            // Told piece by piece, so that it is known of a program that hangs, too.
            while let Ok(length @ 1..) = stderr.read(&mut piece)
                && read_bytes <= limit_bytes
            {
                read_bytes += length as u64;
                drop(tell.send(Heard::Stderr(piece[..length].to_vec())));
            }
        });
    }
    heard
}

/// Collects what is said until both pipes are closed.
fn hear(heard: &Receiver<Heard>, deadline: Instant, limits: Limits) -> Result<Said, AskError> {
    let mut said = Said::default();
    loop {
        match heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Heard::Stdout(bytes)) => said.stdout = bytes.map_err(AskError::Talk)?,
            Ok(Heard::Stderr(bytes)) => {
                let room = STDERR_BYTES.saturating_sub(said.stderr.len());
                said.stderr.extend(bytes.iter().take(room));
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(said),
            Err(RecvTimeoutError::Timeout) => {
                let stderr = words(&said.stderr);
                return Err(AskError::Late { within: limits.within, stderr });
            }
        }
        if said.stdout.len() as u64 > limits.stdout_bytes {
            return Err(AskError::Endless { limit_bytes: limits.stdout_bytes });
        }
    }
}

/// How it ended; `None` if it has not by the deadline.
fn end_of(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>, AskError> {
    loop {
        if let Some(status) = child.try_wait().map_err(AskError::Talk)? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It fails where all of them are gone already.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

fn words(stderr: &[u8]) -> String {
    untrusted::bytes(stderr).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Limits = Limits { within: Duration::from_millis(500), stdout_bytes: 1_000 };
    const PATIENT: Limits = Limits { within: Duration::from_secs(60), ..SOON };

    fn shell(script: &str, limits: Limits) -> Result<String, String> {
        let answer = ask(Command::new("sh").args(["-c", script]), b"question", limits);
        answer.map(|said| String::from_utf8(said).unwrap()).map_err(|cause| cause.to_string())
    }

    #[test]
    fn an_answer_comes_back() {
        assert_eq!(shell("cat; echo aside >&2", PATIENT), Ok("question".to_owned()));
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let said = shell("printf 'no \\033[31mlibrary\\n' >&2; exit 3", PATIENT).unwrap_err();
        assert_eq!(said, "it ended with exit status: 3: no \\u{1b}[31mlibrary");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_started() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let script =
            format!("echo busy >&2; sleep 1000 & echo $! >{}; wait", file.path().display());
        assert_eq!(shell(&script, SOON).unwrap_err(), "it has not answered within 0 s: busy");
        let pid = std::fs::read_to_string(file.path()).unwrap().trim().to_owned();
        let gone = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !gone() {
            assert!(Instant::now() < deadline, "{pid} still runs");
            thread::sleep(LOOK_AGAIN);
        }
    }

    #[test]
    fn a_program_that_closes_its_output_and_stays_is_ended() {
        let said = shell("exec >&- 2>&-; exec sleep 1000", SOON).unwrap_err();
        assert_eq!(said, "it has not answered within 0 s");
    }

    #[test]
    fn endless_output_is_cut_off() {
        let said = shell("yes", PATIENT).unwrap_err();
        assert_eq!(said, "it goes on saying things: more than 1000 bytes");
        // And one that only complains, for ever.
        let said = shell("exec yes >&2", PATIENT).unwrap_err();
        assert!(said.starts_with("it ended with signal: 13") && said.len() < 10_000, "{said}");
    }
}
