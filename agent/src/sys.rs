//! The few calls to the operating system that the standard library lacks.

use std::{
    fs::File,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, RawFd},
    time::Duration,
};

/// `CLOCK_MONOTONIC` in microseconds: the clock of a run, shared by all processes of a kernel.
pub(crate) fn monotonic_us() -> u64 {
    clock(libc::CLOCK_MONOTONIC).as_micros() as u64
}

/// CPU time of this process, all threads, in microseconds.
pub(crate) fn process_cpu_us() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID).as_micros() as u64
}

/// CPU time of the calling thread, in microseconds.
#[cfg(test)]
pub(crate) fn thread_cpu_us() -> u64 {
    clock(libc::CLOCK_THREAD_CPUTIME_ID).as_micros() as u64
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec; these clocks exist on every Linux.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// The user that this process acts as.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// Clock ticks in a second, the unit of `/proc/stat`.
pub(crate) fn ticks_per_s() -> u64 {
    // SAFETY: takes a constant and returns a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

/// Starts a session of its own, so that no terminal's or login's end reaches this process; and makes
/// what it creates readable by its user alone.
pub(crate) fn leave_session() -> io::Result<()> {
    // SAFETY: neither call takes a pointer.
    let session = unsafe {
        libc::umask(0o077);
        libc::setsid()
    };
    if session < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets this process open as many files as it may at all, and returns how many that are. Every client
/// keeps a socket for every broker, and the usual limit of 1,024 is soon reached.
pub(crate) fn raise_file_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to a live rlimit; a refused change leaves the limit as it was.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0 {
                limit = raised;
            }
        }
    }
    limit.rlim_cur
}

/// Whether somebody keeps this machine's clock right, as the kernel knows it: NTP daemons tell it. `None`
/// if it does not say.
pub(crate) fn clock_synchronised() -> Option<bool> {
    // SAFETY: an all-zero timex asks and changes nothing; the pointer is to a live one.
    let (state, clock) = unsafe {
        let mut clock: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut clock), clock)
    };
    (state >= 0).then_some(clock.status & libc::STA_UNSYNC == 0)
}

/// Takes a lock on a file that lasts until the file is closed, which the kernel does for the dead.
/// `false` if somebody else has it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) }
}

/// Makes stdout go where stderr goes.
pub(crate) fn stdout_to_stderr() -> io::Result<()> {
    // SAFETY: both descriptors are those of the process's standard streams.
    let result = unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The signals that end an agent. They must be blocked before any thread starts.
pub(crate) struct Termination(libc::sigset_t);

impl Termination {
    /// Blocks SIGTERM, SIGINT and SIGHUP in this thread and in all that it starts from now on.
    pub(crate) fn block() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set before anything reads it; the old mask is not asked.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            let set = set.assume_init();
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            set
        };
        Self(set)
    }

    /// Waits for one of the signals, and returns its name.
    pub(crate) fn wait(&self) -> &'static str {
        let mut signal = 0;
        // SAFETY: both pointers are to live values, and the set is initialised.
        unsafe { libc::sigwait(&raw const self.0, &raw mut signal) };
        match signal {
            libc::SIGTERM => "SIGTERM",
            libc::SIGINT => "SIGINT",
            _ => "SIGHUP",
        }
    }
}

/// Lets the kernel take children that have ended: none of them is waited for.
pub(crate) fn leave_children_to_the_kernel() {
    // SAFETY: sets a disposition that runs no code of this process.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// What the kernel knows of a TCP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpFigures {
    /// Segments sent and not acknowledged.
    pub(crate) unacked: u32,
    /// Segments sent again since the connection was made.
    pub(crate) sent_again: u32,
    /// Of these, those that had arrived: the other side said that it has them twice (RFC 2883).
    pub(crate) had_arrived: u32,
    /// Segments sent since then.
    pub(crate) sent: u32,
    /// Bytes that wait in the kernel and have not been sent once.
    pub(crate) unsent_bytes: u32,
    /// Shortest round trip of the last minutes in microseconds; 0 if none was measured.
    pub(crate) shortest_us: u32,
}

/// Asks the kernel about a descriptor; `None` if it is not a TCP connection that is established.
pub(crate) fn tcp_figures(descriptor: RawFd) -> Option<TcpFigures> {
    // SAFETY: an all-zero tcp_info is a valid one; the kernel writes at most `length` bytes to it. A
    // descriptor that is closed or is something else makes the call fail, and nothing is changed.
    let (outcome, info) = unsafe {
        let mut info: libc::tcp_info = std::mem::zeroed();
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        let (place, length) = (&raw mut info, &raw mut length);
        let outcome =
            libc::getsockopt(descriptor, libc::IPPROTO_TCP, libc::TCP_INFO, place.cast(), length);
        (outcome, info)
    };
    let figures = TcpFigures {
        unacked: info.tcpi_unacked,
        sent_again: info.tcpi_total_retrans,
        had_arrived: info.tcpi_dsack_dups,
        sent: info.tcpi_segs_out,
        unsent_bytes: info.tcpi_notsent_bytes,
        shortest_us: if info.tcpi_min_rtt == u32::MAX { 0 } else { info.tcpi_min_rtt },
    };
    (outcome == 0 && info.tcpi_state == ESTABLISHED).then_some(figures)
}

/// `TCP_ESTABLISHED` of the kernel's `tcp_states.h`.
const ESTABLISHED: u8 = 1;

/// Ends a process by force. One that is gone already is no error.
pub(crate) fn kill(pid: u32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 1);
    let Some(pid) = pid else { return Err(io::ErrorKind::InvalidInput.into()) };
    // SAFETY: only sends a signal to one process.
    if unsafe { libc::kill(pid, libc::SIGKILL) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}

/// Waits until the other end of a socket has closed its side.
pub(crate) fn wait_for_hangup(socket: &impl AsFd) {
    let mut poll =
        libc::pollfd { fd: socket.as_fd().as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one live pollfd whose descriptor is borrowed for the whole call.
    while unsafe { libc::poll(&raw mut poll, 1, -1) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

/// Ends the process at once. Exit handlers of C libraries are left out: OpenSSL's would run beside
/// librdkafka's threads.
pub(crate) fn exit_now(code: u8) -> ! {
    // SAFETY: never returns; nothing of this process is used afterwards.
    unsafe { libc::_exit(i32::from(code)) }
}
