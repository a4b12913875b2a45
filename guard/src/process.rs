//! A broker that is a process of this host.
//!
//! It is held by a descriptor of the process (pidfd) and compared by the time at which it started, so that a
//! process that came to have the same number later is never touched.

use crate::{
    broker::{Broker, Identity, Network},
    space::Space,
    sys,
};
use mallard_protocol::fault::KillSignal;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Most bytes of a file with a process id.
const PID_FILE_BYTES: u64 = 64;

/// What the kernel tells in `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: u8,
    cpu_ticks: u64,
    start_ticks: u64,
}

/// A process.
#[derive(Debug)]
pub(crate) struct ProcessBroker {
    pid_file: PathBuf,
    command: Vec<String>,
    pid: i32,
    start_ticks: u64,
    name: String,
    /// `None` once it is gone.
    held: Option<OwnedFd>,
    started: Option<Child>,
}

impl ProcessBroker {
    /// The process that a file names.
    ///
    /// # Errors
    /// The file cannot be read, or nothing runs by that number.
    pub(crate) fn find(pid_file: &str, command: &[String]) -> io::Result<Self> {
        let pid = read_pid(Path::new(pid_file))?;
        let gone =
            |_| io::Error::other(format!("process {pid}, which {pid_file} names, does not run"));
        let found = stat(Path::new(&format!("/proc/{pid}/stat"))).map_err(gone)?;
        if is_dead(found.state) {
            return Err(gone(io::ErrorKind::NotFound.into()));
        }
        let broker = Self::known(pid_file, command, pid, found.start_ticks);
        if broker.held.is_none() {
            return Err(gone(io::ErrorKind::NotFound.into()));
        }
        broker.may_be_signalled()?;
        Ok(broker)
    }

    /// A process that was found before; one of the same number that started at another time is not it.
    pub(crate) fn known(pid_file: &str, command: &[String], pid: i32, start_ticks: u64) -> Self {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let mut broker = Self {
            pid_file: pid_file.into(),
            command: command.to_vec(),
            pid,
            start_ticks,
            name: name.trim().chars().filter(|c| !c.is_control()).collect(),
            held: None,
            started: None,
        };
        // Opened first and compared afterwards: what is compared is then what the descriptor holds.
        let held = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if broker.stat().is_some() {
            broker.held = held;
        }
        broker
    }

    /// The process of a number, whoever it is.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let found = stat(Path::new(&format!("/proc/{pid}/stat"))).ok()?;
        Some(Self::known("", &[], pid, found.start_ticks))
    }

    /// This process.
    pub(crate) fn this() -> Identity {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let start_ticks = Self::of(pid).map_or(0, |this| this.start_ticks);
        Identity::Process { pid, start_ticks }
    }

    /// # Errors
    /// This user may not send it signals.
    fn may_be_signalled(&self) -> io::Result<()> {
        let pid = Pid::from_raw(self.pid).ok_or(io::ErrorKind::InvalidInput)?;
        rustix::process::test_kill_process(pid).map_err(|cause| {
            let (pid, name) = (self.pid, &self.name);
            io::Error::other(format!(
                "process {pid} ({name}) may not be sent signals by this user: {cause}"
            ))
        })
    }

    /// Of the very process; `None` if it is gone.
    fn stat(&self) -> Option<Stat> {
        let stat = stat(Path::new(&format!("/proc/{}/stat", self.pid))).ok()?;
        (stat.start_ticks == self.start_ticks && !is_dead(stat.state)).then_some(stat)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(held) = self.held.as_ref().filter(|_| self.stat().is_some()) else {
            return Err(io::Error::other(format!("process {} is gone", self.pid)));
        };
        Ok(pidfd_send_signal(held, signal)?)
    }

    /// Whether its descriptor says that it has ended.
    fn has_ended(&self) -> io::Result<bool> {
        let Some(held) = &self.held else { return Ok(true) };
        Ok(sys::wait(&[held.as_fd()], Duration::ZERO)? == [true])
    }
}

impl Broker for ProcessBroker {
    fn identity(&self) -> Identity {
        Identity::Process { pid: self.pid, start_ticks: self.start_ticks }
    }

    fn describe(&self) -> String {
        format!("process {} ({})", self.pid, self.name)
    }

    fn lives(&self) -> io::Result<bool> {
        Ok(!self.has_ended()? && self.stat().is_some())
    }

    fn kill(&self, signal: KillSignal) -> io::Result<()> {
        self.signal(match signal {
            KillSignal::Kill => Signal::KILL,
            KillSignal::Term => Signal::TERM,
            KillSignal::Int => Signal::INT,
            KillSignal::Quit => Signal::QUIT,
            KillSignal::Abrt => Signal::ABORT,
        })
    }

    fn pause(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    fn is_paused(&self) -> io::Result<bool> {
        let mut threads = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            let Ok(stat) = stat(&thread?.path().join("stat")) else { continue };
            if !matches!(stat.state, b'T' | b't') {
                return Ok(false);
            }
            threads += 1;
        }
        Ok(threads > 0)
    }

    fn cpu_us(&self) -> io::Result<Option<u64>> {
        let ticks = self.stat().map(|stat| stat.cpu_ticks);
        Ok(ticks.map(|ticks| ticks * 1_000_000 / sys::ticks_per_s()))
    }

    fn go_on(&self) -> io::Result<()> {
        if self.lives()? && self.stat().is_some_and(|stat| matches!(stat.state, b'T' | b't')) {
            self.signal(Signal::CONT)?;
        }
        Ok(())
    }

    fn start(&mut self) -> io::Result<()> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(io::Error::other("it is not known how it is started"));
        };
        if self.started.is_some() {
            return Ok(());
        }
        let mut command = Command::new(program);
        command.args(arguments).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Away from whatever ends this process's group.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = sys::as_killable(|| command.spawn());
        let child = child.map_err(|cause| io::Error::other(format!("{program}: {cause}")))?;
        self.started = Some(child);
        Ok(())
    }

    fn runs(&mut self) -> io::Result<bool> {
        if let Some(ended) = self.started.as_mut().and_then(|child| child.try_wait().ok().flatten())
            && !ended.success()
        {
            return Err(io::Error::other(format!(
                "`{}` ended with {ended}",
                self.command.join(" ")
            )));
        }
        let Ok(pid) = read_pid(&self.pid_file) else { return Ok(false) };
        let found = stat(Path::new(&format!("/proc/{pid}/stat")));
        Ok(found.is_ok_and(|stat| !is_dead(stat.state)))
    }

    fn is_removed(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn network(&self) -> io::Result<Network> {
        let space = Space::of(self.pid)?;
        let ports = space.ports(&[self.pid])?;
        let addresses = if space.is_own() { Default::default() } else { space.addresses() };
        Ok(Network { space: Some(space), addresses, ports })
    }

    fn can_start(&self) -> bool {
        !self.command.is_empty()
    }
}

fn is_dead(state: u8) -> bool {
    matches!(state, b'Z' | b'X' | b'x')
}

/// The process id that a file holds.
fn read_pid(file: &Path) -> io::Result<i32> {
    let wrong = |cause: &dyn std::fmt::Display| {
        io::Error::other(format!("the pid file {}: {cause}", file.display()))
    };
    let length = fs::metadata(file).map_err(|cause| wrong(&cause))?.len();
    if length > PID_FILE_BYTES {
        return Err(wrong(&format!("is longer than {PID_FILE_BYTES} bytes")));
    }
    let text = fs::read_to_string(file).map_err(|cause| wrong(&cause))?;
    match text.trim().parse() {
        Ok(pid @ 2..) => Ok(pid),
        _ => Err(wrong(&"does not hold a process id")),
    }
}

fn stat(file: &Path) -> io::Result<Stat> {
    parse(&fs::read_to_string(file)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Reads `proc_pid_stat(5)`. The name in brackets may hold anything, brackets among it.
fn parse(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // Counted from the state, which is the third field of the line.
    let (user, system, start) = (number(11)?, number(12)?, number(19)?);
    Some(Stat {
        state: *fields.first()?.as_bytes().first()?,
        cpu_ticks: user + system,
        start_ticks: start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_move_the_fields() {
        let line = "12 (a) b) (c) T 1 2 3 4 5 6 7 8 9 10 100 23 0 0 20 0 1 0 4711 0 0";
        assert_eq!(parse(line), Some(Stat { state: b'T', cpu_ticks: 123, start_ticks: 4711 }));
        assert_eq!(parse("12 (a"), None);
    }

    #[test]
    fn a_pid_file_that_names_nobody_says_which_file_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let path = file.display().to_string();
        for (text, cause) in [
            ("x", "does not hold"),
            ("1", "does not hold"),
            ("-5", "does not hold"),
            ("4194999", "does not run"),
        ] {
            fs::write(&file, text).unwrap();
            let error = ProcessBroker::find(&path, &[]).expect_err("nobody").to_string();
            assert!(error.contains(cause) && error.contains(&path), "{error}");
        }
        fs::remove_file(&file).unwrap();
        assert!(ProcessBroker::find(&path, &[]).expect_err("no file").to_string().contains(&path));
    }

    #[test]
    fn a_process_that_has_the_number_of_an_earlier_one_is_not_it() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let earlier = ProcessBroker::known("/nowhere", &[], pid, 1);
        assert!(!earlier.lives().unwrap());
        earlier.pause().expect_err("it is another process");
        let start_ticks = stat(Path::new(&format!("/proc/{pid}/stat"))).unwrap().start_ticks;
        let very = ProcessBroker::known("/nowhere", &[], pid, start_ticks);
        assert!(very.lives().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!very.lives().unwrap());
    }
}
