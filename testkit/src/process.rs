//! Running a program to its end under a deadline, signalling it, and looking at what runs on this
//! machine.

use std::fmt;
use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process, kill_process_group};

pub use rustix::process::Signal;

use crate::wait;

/// How long the output of an ended program is still read. Only a child that it has left behind and
/// that holds the pipe open can make that last; such a child must not hang the test.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a program left behind when it had ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it wrote to standard output; bytes that are no UTF-8 are replaced.
    pub stdout: String,
    /// Everything it wrote to standard error; bytes that are no UTF-8 are replaced.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Finished {
    /// The exit code, or `None` when a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The number of the signal that ended it, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Passes the outcome on when the program ended with this exit code.
    ///
    /// # Panics
    ///
    /// When it ended otherwise: the message shows the command and all of its output.
    #[track_caller]
    #[must_use = "or call `assert_code`, which returns nothing"]
    pub fn expect_code(self, code: i32) -> Self {
        self.assert_code(code);
        self
    }

    /// Insists on an exit code.
    ///
    /// # Panics
    ///
    /// When it ended otherwise: the message shows the command and all of its output.
    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert!(self.code() == Some(code), "expected exit code {code}\n{self}");
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "command: {}", self.command)?;
        writeln!(f, "ended:   {} after {:?}", self.status, self.took)?;
        writeln!(f, "--- stdout ---\n{}", self.stdout.trim_end())?;
        write!(f, "--- stderr ---\n{}", self.stderr.trim_end())
    }
}

/// A program under way, whose output is being collected.
///
/// It leads a process group of its own, so that a Ctrl-C meant for the test run does not reach it
/// by chance. Dropping it kills the whole group: a failing test leaves nothing behind.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Child,
    started: Instant,
    stdout: Collected,
    stderr: Collected,
    ended: bool,
}

/// Starts a program and collects its output; standard input is empty.
///
/// # Panics
///
/// When it cannot be started.
#[track_caller]
#[must_use]
pub fn start(command: &mut Command) -> Running {
    let line = display(command);
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("failed to start {line}: {error}"));
    let stdout = Collected::from(child.stdout.take());
    let stderr = Collected::from(child.stderr.take());
    Running { command: line, child, started, stdout, stderr, ended: false }
}

/// Runs a program to its end; standard input is empty. However it ends is for the caller to judge.
///
/// # Panics
///
/// When it cannot be started or has not ended within the deadline; it is killed then.
#[track_caller]
#[must_use]
pub fn run(command: &mut Command, within: Duration) -> Finished {
    start(command).wait(within)
}

impl Running {
    /// The id of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has written to standard output so far.
    #[must_use]
    pub fn stdout_so_far(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to standard error so far.
    #[must_use]
    pub fn stderr_so_far(&self) -> String {
        self.stderr.text()
    }

    /// Waits until it has written `text`, on standard output or standard error.
    ///
    /// # Panics
    ///
    /// When it ends or the deadline passes before that; the message shows what it wrote instead.
    #[track_caller]
    pub fn wait_for_output(&mut self, text: &str, within: Duration) {
        let written =
            |it: &Self| it.stdout_so_far().contains(text) || it.stderr_so_far().contains(text);
        let seen = wait::poll(within, || match (written(self), self.is_running()) {
            (true, _) => Some(true),
            // What came last is read a moment after the end.
            (false, false) => {
                Some(wait::poll(LAST_WORDS, || written(self).then_some(())).is_some())
            }
            (false, true) => None,
        });
        assert!(
            seen == Some(true),
            "waited {:?} in vain for {text:?} from {}\n--- stdout ---\n{}\n--- stderr ---\n{}",
            self.started.elapsed(),
            self.command,
            self.stdout_so_far(),
            self.stderr_so_far()
        );
    }

    /// Sends it a signal; one that has ended already gets none.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Sends its whole process group a signal, as a terminal does on Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        if let Some(pid) = pid_of(self.pid()) {
            // A group that is gone already has nobody left to tell.
            let _gone = kill_process_group(pid, signal);
        }
    }

    /// Waits for its end and returns what it left.
    ///
    /// # Panics
    ///
    /// When it has not ended within the deadline: it is killed, and the message shows its output.
    #[track_caller]
    #[must_use]
    pub fn wait(mut self, within: Duration) -> Finished {
        let in_time = wait::poll(within, || self.child.try_wait().ok().flatten()).is_some();
        if !in_time {
            self.signal_group(Signal::KILL);
        }
        let status = self.child.wait();
        self.ended = true;
        let finished = Finished {
            command: self.command.clone(),
            status: status
                .unwrap_or_else(|error| panic!("failed to wait for {}: {error}", self.command)),
            took: self.started.elapsed(),
            stdout: self.stdout.last_words(),
            stderr: self.stderr.last_words(),
        };
        assert!(in_time, "not ended within {within:?}, so it was killed\n{finished}");
        finished
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once waited for, the id may belong to somebody else.
        if !self.ended {
            self.signal_group(Signal::KILL);
            let _status = self.child.wait();
        }
    }
}

/// The output of a pipe, read by a thread, so that a full pipe never stops the program that writes
/// to it.
#[derive(Debug)]
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collected {
    fn from(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        let reader = pipe.map(|pipe| std::thread::spawn(move || copy(pipe, &into)));
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// All that was written, once the pipe is at its end or nobody should be writing any more.
    fn last_words(&self) -> String {
        let at_end = || self.reader.as_ref().is_none_or(JoinHandle::is_finished).then_some(());
        let _cut_short = wait::poll(LAST_WORDS, at_end);
        self.text()
    }
}

fn copy(mut pipe: impl Read, into: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 8192];
    while let Ok(length @ 1..) = pipe.read(&mut chunk) {
        into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
    }
}

/// Sends a signal to one process. The caller vouches for the id: it is a process that it has
/// started, or one that carries the run id of a run that it has started.
pub fn send(pid: u32, signal: Signal) {
    if let Some(pid) = pid_of(pid) {
        // A process that is gone already has nobody left to tell.
        let _gone = kill_process(pid, signal);
    }
}

/// A process of this machine, as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The state letter of `/proc`: `R`, `S`, `T` for stopped, `Z` for ended but not waited for.
    pub state: char,
    /// Its arguments, joined by spaces.
    pub command_line: String,
}

/// The processes of this machine whose command line contains `text`, but for the calling one and
/// those that have ended and only wait to be noticed.
#[must_use]
pub fn with_command_line(text: &str) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != std::process::id())
        .filter_map(look_up)
        .filter(|process| process.state != 'Z' && process.command_line.contains(text))
        .collect()
}

/// Whether a process is there and has not ended.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    look_up(pid).is_some_and(|process| process.state != 'Z')
}

/// What the kernel says about a process, or `None` when there is none of this id.
#[must_use]
pub fn look_up(pid: u32) -> Option<Process> {
    let state = stat(pid)?.get(STATE)?.chars().next()?;
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command_line = String::from_utf8_lossy(&arguments).replace('\0', " ").trim_end().to_owned();
    Some(Process { pid, state, command_line })
}

/// Processor time, user and system, in whole ticks of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Of the process itself.
    pub own: Duration,
    /// Of its children that have ended and were waited for, and of theirs.
    pub ended_children: Duration,
}

/// What the kernel has counted of a process, or `None` when there is none of this id.
#[must_use]
pub fn times(pid: u32) -> Option<Times> {
    let fields = stat(pid)?;
    let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
    let time = |place| {
        let ticks = ticks(place)? + ticks(place + 1)?;
        Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_S))
    };
    Some(Times { own: time(UTIME)?, ended_children: time(CHILDREN_UTIME)? })
}

/// The parent of a process, or `None` when there is no process of this id.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(PARENT)?.parse().ok()
}

/// Ticks a second in `/proc`: 100 on every Linux (`USER_HZ`, see proc(5)).
const TICKS_PER_S: u64 = 100;

/// Places among the fields of [`stat`]: field 3 of proc(5) is 0. System time follows user time.
const STATE: usize = 0;
const PARENT: usize = 1;
const UTIME: usize = 11;
const CHILDREN_UTIME: usize = 13;

/// The fields of a process's `stat` after its name, which stands in parentheses and may itself contain
/// any.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// A command as a person would type it, roughly: for messages only.
fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn pid_of(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}
