//! Waiting for something to become true, never for ever and never for longer than it takes.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How often a condition is looked at again. Short against anything that a test waits for, long
/// enough that looking costs nothing.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks at `attempt` again and again until it gives a value, and returns that.
///
/// # Panics
///
/// When `within` has passed without a value: the message names `what` was waited for.
pub fn until<T>(what: impl Display, within: Duration, attempt: impl FnMut() -> Option<T>) -> T {
    poll(within, attempt).unwrap_or_else(|| panic!("waited {within:?} in vain for {what}"))
}

/// Looks at `attempt` again and again until it gives a value or `within` has passed.
pub fn poll<T>(within: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
