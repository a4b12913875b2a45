//! Carries a conversation between stdin and stdout, and the socket of the agent in a folder.
//!
//! This process decides nothing and keeps nothing, so it may die at any time: the agent sees its socket
//! close, the other side its pipes. It never outlives both: each direction ends the other, within
//! [`PATIENCE`].

use crate::{
    daemon::{Options, StartError},
    exit_code, folder, sys,
};
use mallard_protocol::agent_command;
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// How long the second direction may go on after the first one has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an agent that owns the folder may take until it speaks: one that has just started takes
/// milliseconds; one that is ending may take the longest, and is followed by a new one.
const LISTENING: Duration = Duration::from_secs(25);

/// How long an agent that is known to have run may take until it speaks. It speaks as soon as it is
/// reached; one that takes longer is stopped, or stuck.
const ANSWERING: Duration = Duration::from_secs(2);

/// Pause between two tries to connect.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Bytes carried at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Why there is no conversation.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens, and nothing says how to start an agent.
    #[error(
        "reach an agent in {path}: none runs there; to start one, add --lease, --name and --run"
    )]
    NotRunning {
        /// The folder.
        path: PathBuf,
    },
    /// An agent owns the folder, but does not answer.
    #[error("reach the agent in {path} (pid {pid:?}): it does not answer")]
    Silent {
        /// The folder.
        path: PathBuf,
        /// Its process id, where the folder tells.
        pid: Option<u32>,
    },
    /// None could be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system refuses.
    #[error("reach the agent in {path}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Our stdin.
    Input,
    /// Our stdout does not take any more.
    Output,
    /// The agent's side, and all that it sent is written.
    Agent,
    /// The agent's side; what it sent may still be on its way.
    Hangup,
}

/// Reaches the agent of a folder, starting one if told how, and carries the conversation until it ends.
/// Returns an exit code.
///
/// # Errors
/// There is no conversation.
pub fn connect(dir: &Path, options: Option<&Options>) -> Result<u8, ConnectError> {
    let path = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let opened = reach(&path, options)?;
    bridge(opened).map_err(|source| ConnectError::Io { path, source })
}

/// A conversation that the agent has begun.
struct Opened {
    socket: UnixStream,
    /// What it has said so far.
    first: Vec<u8>,
}

fn reach(path: &Path, options: Option<&Options>) -> Result<Opened, ConnectError> {
    let started = Instant::now();
    loop {
        if let Some(opened) = open(path, options.is_none())? {
            return Ok(opened);
        }
        if started.elapsed() > LISTENING {
            return Err(ConnectError::Silent { path: path.to_path_buf(), pid: folder::pid(path) });
        }
        // Who owns the folder and does not speak is about to listen, or about to end.
        if folder::is_owned(path) {
            thread::sleep(TRY_AGAIN);
            continue;
        }
        match options {
            Some(options) => start_apart(path, options)?,
            None => return Err(ConnectError::NotRunning { path: path.to_path_buf() }),
        }
    }
}

/// A conversation, if an agent listens and speaks. It speaks first; one that hangs up without a word is
/// dying, and no agent any more. The socket is reached from inside the folder: see [`folder::SOCKET`].
fn open(path: &Path, known: bool) -> Result<Option<Opened>, ConnectError> {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, NotFound, TimedOut, WouldBlock};
    let opened = std::env::set_current_dir(path).and_then(|()| {
        let mut socket = UnixStream::connect(folder::SOCKET)?;
        let mut first = vec![0; PIECE_BYTES];
        socket.set_read_timeout(Some(if known { ANSWERING } else { LISTENING }))?;
        let bytes = socket.read(&mut first)?;
        socket.set_read_timeout(None)?;
        first.truncate(bytes);
        Ok(Opened { socket, first })
    });
    match opened {
        Ok(opened) => Ok(Some(opened).filter(|opened| !opened.first.is_empty())),
        Err(source) => match source.kind() {
            TimedOut | WouldBlock if known => {
                Err(ConnectError::Silent { path: path.to_path_buf(), pid: folder::pid(path) })
            }
            NotFound | ConnectionRefused | ConnectionReset | TimedOut | WouldBlock => Ok(None),
            _ => Err(ConnectError::Io { path: path.to_path_buf(), source }),
        },
    }
}

/// Starts the agent through a process in between, which is waited for: the agent is nobody's child then,
/// and leaves no zombie behind, however long this process lives.
fn start_apart(path: &Path, options: &Options) -> Result<(), StartError> {
    let output = Command::new(std::env::current_exe().map_err(StartError::Process)?)
        .args([agent_command::DAEMON, &agent_command::option::<String>(agent_command::DIR)])
        .arg(path)
        .args(options.identity().options::<OsString>())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(StartError::Process)?;
    let running = [exit_code::OK, exit_code::ALREADY_RUNNING].map(|code| Some(i32::from(code)));
    if running.contains(&output.status.code()) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.trim().trim_start_matches("mallard-agent: failed to ").to_owned();
    Err(StartError::Died { reason })
}

fn bridge(Opened { socket, first }: Opened) -> io::Result<u8> {
    let (ended, ends) = channel();
    let (inbound, outbound) = (socket.try_clone()?, socket.try_clone()?);
    let watched = socket.as_fd().try_clone_to_owned()?;
    let said_all = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&said_all);
    spawn("stdin", &ended, move || carry_in(outbound, &told))?;
    spawn("stdout", &ended, move || carry_out(&first, inbound))?;
    spawn("hangup", &ended, move || {
        sys::wait_for_hangup(&watched);
        Ended::Hangup
    })?;
    let first = ends.recv().unwrap_or(Ended::Agent);
    let code = match first {
        Ended::Input => exit_code::OK,
        Ended::Output => exit_code::FAILURE,
        // The agent may hang up on our end before we hear of that end ourselves.
        Ended::Agent | Ended::Hangup if said_all.load(Ordering::Acquire) => exit_code::OK,
        Ended::Agent | Ended::Hangup => exit_code::CLOSED_BY_AGENT,
    };
    if matches!(first, Ended::Input | Ended::Hangup) {
        wait_for_output(&ends);
    }
    Ok(code)
}

/// Waits until what the agent sent is written, or nobody takes it any more, or patience ends.
fn wait_for_output(ends: &std::sync::mpsc::Receiver<Ended>) {
    let until = Instant::now() + PATIENCE;
    while let Ok(end) = ends.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if matches!(end, Ended::Output | Ended::Agent) {
            return;
        }
    }
}

fn spawn(
    name: &str,
    ended: &Sender<Ended>,
    carry: impl FnOnce() -> Ended + Send + 'static,
) -> io::Result<()> {
    let ended = ended.clone();
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        let _ = ended.send(carry());
    });
    thread.map(drop)
}

fn carry_in(mut socket: UnixStream, said_all: &AtomicBool) -> Ended {
    let mut stdin = io::stdin().lock();
    let end = pump(&mut stdin, &mut socket);
    said_all.store(matches!(end, Pumped::SourceEnded), Ordering::Release);
    // The agent sees the end; what it still has to say can come.
    let _ = socket.shutdown(Shutdown::Write);
    match end {
        Pumped::SourceEnded => Ended::Input,
        Pumped::SinkFailed => Ended::Hangup,
    }
}

fn carry_out(first: &[u8], mut socket: UnixStream) -> Ended {
    let mut stdout = io::stdout().lock();
    if stdout.write_all(first).and_then(|()| stdout.flush()).is_err() {
        return Ended::Output;
    }
    match pump(&mut socket, &mut stdout) {
        Pumped::SourceEnded => Ended::Agent,
        Pumped::SinkFailed => Ended::Output,
    }
}

enum Pumped {
    SourceEnded,
    SinkFailed,
}

fn pump(source: &mut impl Read, sink: &mut impl Write) -> Pumped {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let bytes = match source.read(&mut piece) {
            Ok(0) => return Pumped::SourceEnded,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Pumped::SourceEnded,
        };
        if sink.write_all(&piece[..bytes]).and_then(|()| sink.flush()).is_err() {
            return Pumped::SinkFailed;
        }
    }
}
