//! Starting an agent: a process that goes its own way, and the proof that it listens.

use crate::{folder, sys};
use mallard_protocol::agent_command;
use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::{self, BufRead, BufReader},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Stdio},
};

/// Longest lease in seconds: a year.
pub const LONGEST_LEASE_S: u64 = 31_536_000;

/// Whose agent it is and how long it waits.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// End the agent after this many seconds without a controller
    #[arg(long = agent_command::LEASE, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=LONGEST_LEASE_S))]
    pub lease_s: u64,
    /// Name of the agent in reports
    #[arg(long = agent_command::NAME)]
    pub name: String,
    /// Id of the run; it stays visible in the process list
    #[arg(long = agent_command::RUN, value_name = "RUN_ID")]
    pub run: String,
}

impl Options {
    /// Whose agent it is.
    pub(crate) fn identity(&self) -> agent_command::Identity<'_> {
        let Self { lease_s, name, run } = self;
        agent_command::Identity { name, run, lease_s: *lease_s }
    }
}

/// What came of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// The agent listens.
    Now,
    /// Another one was there before.
    RanAlready {
        /// Its process id, where the folder tells.
        pid: Option<u32>,
    },
}

/// Why an agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] folder::FolderError),
    /// The process cannot be started.
    #[error("start the agent's process")]
    Process(#[source] io::Error),
    /// The process ended before it listened.
    #[error("start the agent: {reason}")]
    Died {
        /// What it said.
        reason: String,
    },
}

/// How the new process says that it listens.
const READY: &str = "ready";
/// How it says that another one does; a process id may follow.
const RAN_ALREADY: &str = "ran already";

/// Starts an agent in a folder and waits until it listens. The agent is a process of its own session;
/// nothing of this process's terminal, login or streams is left with it.
///
/// # Errors
/// The folder is not private, or the process could not be started or ended early.
pub fn start(dir: &Path, options: &Options) -> Result<Started, StartError> {
    let dir = folder::prepare(dir)?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(dir.join(folder::LOG))
        .map_err(StartError::Process)?;
    let mut child = Command::new(std::env::current_exe().map_err(StartError::Process)?)
        .arg(agent_command::DAEMON)
        .args([agent_command::DETACHED, agent_command::DIR].map(agent_command::option::<OsString>))
        .arg(&dir)
        .args(options.identity().options::<OsString>())
        .current_dir(&dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(StartError::Process)?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut said).map_err(StartError::Process)?;
    }
    let said = said.trim();
    if said == READY {
        return Ok(Started::Now);
    }
    let _ = child.wait();
    match said.strip_prefix(RAN_ALREADY) {
        Some(pid) => Ok(Started::RanAlready { pid: pid.trim().parse().ok() }),
        None => Err(StartError::Died {
            reason: if said.is_empty() {
                format!("it ended without a word; see {}", dir.join(folder::LOG).display())
            } else {
                said.to_owned()
            },
        }),
    }
}

/// Is the new process: tells on stdout how it went, then lets go of stdout.
pub(crate) fn be(options: &Options) -> io::Result<()> {
    super::serve(options, |started| {
        let word = match started {
            Started::Now => READY.to_owned(),
            Started::RanAlready { pid: Some(pid) } => format!("{RAN_ALREADY} {pid}"),
            Started::RanAlready { pid: None } => RAN_ALREADY.to_owned(),
        };
        // Nobody may be listening any more; the agent does not depend on it.
        let _ = write_line(&word);
        let _ = sys::stdout_to_stderr();
    })
}

/// Writes a line to stdout, which is a pipe to whoever started this process.
pub(crate) fn write_line(text: &str) -> io::Result<()> {
    use io::Write;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}
