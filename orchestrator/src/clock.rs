//! Clocks of this machine: wall time for people, monotonic time for everything that is measured.

use jiff::Timestamp;
use std::time::Duration;

/// Now as RFC 3339 in UTC with microseconds.
#[must_use]
pub fn now_rfc3339() -> String {
    rfc3339(Timestamp::now())
}

/// `CLOCK_MONOTONIC` in microseconds: the clock that agents of this machine share. It stands still while the
/// machine sleeps.
#[must_use]
pub fn monotonic_us() -> u64 {
    read_us(libc::CLOCK_MONOTONIC)
}

/// How long this machine has slept since it booted, in microseconds, to within the time that reading two
/// clocks takes.
#[must_use]
pub fn slept_us() -> u64 {
    let since_boot_us = read_us(libc::CLOCK_BOOTTIME);
    since_boot_us.saturating_sub(monotonic_us())
}

fn read_us(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec on this stack, which the call fills in.
    let status = unsafe { libc::clock_gettime(clock, &raw mut time) };
    debug_assert_eq!(status, 0, "Linux has this clock");
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}

/// This boot's id: processes with the same one share `CLOCK_MONOTONIC`.
#[must_use]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// A moment as RFC 3339 in UTC with microseconds.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// One moment by both clocks: what decides is handed it, and reads no clock.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Microseconds on the monotonic clock by which deadlines are kept.
    pub monotonic_us: u64,
    /// Wall time, which is written down for people.
    pub wall: Timestamp,
}

impl Moment {
    /// Now by the wall clock, and by a monotonic clock that shows so many microseconds.
    #[must_use]
    pub fn read(monotonic_us: u64) -> Self {
        Self { monotonic_us, wall: Timestamp::now() }
    }

    /// The wall time that lies so far ahead.
    #[must_use]
    pub fn wall_in(self, ahead: Duration) -> Timestamp {
        self.wall.checked_add(ahead).unwrap_or(Timestamp::MAX)
    }

    /// How long ago that was by the wall clock; zero if it lies ahead.
    #[must_use]
    pub fn since(self, then: Timestamp) -> Duration {
        Duration::try_from(self.wall.duration_since(then)).unwrap_or_default()
    }
}

/// A duration in microseconds, as every clock of a run counts.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
