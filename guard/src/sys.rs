//! The few calls to the operating system that the standard library lacks.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::process::CommandExt,
    },
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Somebody asked this process to end.
static TERMINATED: AtomicBool = AtomicBool::new(false);

fn clock(id: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec; these clocks exist on every Linux.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// `CLOCK_MONOTONIC` in microseconds: the clock of a run.
pub(crate) fn clock_us() -> u64 {
    clock(libc::CLOCK_MONOTONIC).as_micros() as u64
}

/// `CLOCK_BOOTTIME` in microseconds: it also goes on while the host sleeps.
pub(crate) fn boot_us() -> u64 {
    clock(libc::CLOCK_BOOTTIME).as_micros() as u64
}

/// Clock ticks in a second, the unit of `/proc/PID/stat`.
pub(crate) fn ticks_per_s() -> u64 {
    // SAFETY: takes a constant and returns a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

extern "C" fn note_termination(_: libc::c_int) {
    TERMINATED.store(true, Ordering::Relaxed);
}

/// Has requests to end noted instead of followed, and the end of a terminal or of a pipe's reader ignored.
pub(crate) fn outlive_signals() {
    let note = note_termination as extern "C" fn(libc::c_int);
    // SAFETY: the handler only stores to an atomic, which is allowed in a signal handler; SIG_IGN runs no code.
    unsafe {
        libc::signal(libc::SIGTERM, note as libc::sighandler_t);
        libc::signal(libc::SIGINT, note as libc::sighandler_t);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// How willing the OOM killer is to take this process.
const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// Never.
const SPARED: &str = "-1000";

/// As it was in the beginning.
static FIRST_OOM_SCORE: OnceLock<String> = OnceLock::new();

/// Has the OOM killer spare this process, where it may ask for that.
pub(crate) fn spare_from_oom_killer() {
    FIRST_OOM_SCORE.get_or_init(|| fs::read_to_string(OOM_SCORE).unwrap_or_default());
    let _ = fs::write(OOM_SCORE, SPARED);
}

/// Starts something that the OOM killer need not spare.
pub(crate) fn as_killable<T>(start: impl FnOnce() -> T) -> T {
    if let Some(score) = FIRST_OOM_SCORE.get() {
        let _ = fs::write(OOM_SCORE, score.trim());
    }
    let started = start();
    spare_from_oom_killer();
    started
}

/// Has the kernel kill a child when this process ends, for whatever reason. To be called, and the child started, by the
/// main thread: it is the thread's end that counts.
pub(crate) fn end_with_this_process(command: &mut Command) {
    let parent = std::process::id();
    let ask = move || {
        // SAFETY: takes numbers alone; both calls are allowed between fork and exec.
        let (asked, now) =
            unsafe { (libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL), libc::getppid()) };
        if asked != 0 {
            return Err(io::Error::last_os_error());
        }
        // Whoever ended before that was asked for is not heard of.
        if u32::try_from(now) == Ok(parent) {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    };
    // SAFETY: the closure makes two system calls and allocates nothing.
    unsafe { command.pre_exec(ask) };
}

/// Has a child start in the network namespace of a file.
pub(crate) fn enter(command: &mut Command, namespace: File) {
    let enter = move || {
        // SAFETY: the descriptor belongs to the closure, which outlives the call.
        match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(enter) };
}

/// Whether somebody asked this process to end.
pub(crate) fn is_terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}

/// Waits until one of some descriptors can be read or has hung up, and says which; none when the time is over or a
/// signal came.
pub(crate) fn wait(descriptors: &[BorrowedFd<'_>], within: Duration) -> io::Result<Vec<bool>> {
    let poll =
        |fd: &BorrowedFd<'_>| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut polls: Vec<_> = descriptors.iter().map(poll).collect();
    let within = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
    let count = polls.len() as libc::nfds_t;
    // SAFETY: the pointer and the count are those of a live vector; the descriptors are borrowed for the whole call.
    let outcome = unsafe { libc::poll(polls.as_mut_ptr(), count, within) };
    if outcome < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        return Ok(vec![false; polls.len()]);
    }
    Ok(polls.iter().map(|poll| poll.revents != 0).collect())
}
