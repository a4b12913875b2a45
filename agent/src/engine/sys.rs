//! The kernel's monotonic clock and its timer: three system calls that the standard library does not
//! offer in this form.

/// `CLOCK_MONOTONIC` in microseconds: the clock that agents of one kernel share.
#[inline]
#[must_use]
pub fn monotonic_us() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1_000
}

/// Sleeps until `CLOCK_MONOTONIC` reads this many microseconds.
pub(crate) fn sleep_until_us(at_us: u64) {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(at_us / 1_000_000).unwrap_or(libc::time_t::MAX),
        tv_nsec: (at_us % 1_000_000 * 1_000).cast_signed(),
    };
    // A signal may end the sleep early; the caller looks at the clock again anyway.
    // SAFETY: the time is valid, and nothing is written to the null pointer.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const time,
            std::ptr::null_mut(),
        );
    }
}

/// Has the kernel wake this thread when it is time and not up to 50 µs later, as it may by default to
/// save power.
pub(crate) fn sleep_precisely() {
    // SAFETY: takes two numbers and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_usize) };
}
