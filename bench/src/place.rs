//! Where the bench keeps what it makes.

use std::path::{Path, PathBuf};

use testkit::paths;

/// Memory file system for the broker's log.
const MEMORY: &str = "/dev/shm";

/// Free space that the broker's log may need: retention holds each topic to about 2 GiB, and the topic
/// to consume takes 3 GiB.
const LOG_BYTES: u64 = 8 << 30;

/// The same for a short run, in which no topic gets beyond some hundred megabytes.
const SHORT_LOG_BYTES: u64 = 2 << 30;

/// Free space that the broker's log may need.
pub(crate) fn log_bytes(short: bool) -> u64 {
    if short { SHORT_LOG_BYTES } else { LOG_BYTES }
}

/// The folder of results: `target/bench`.
pub(crate) fn results() -> PathBuf {
    paths::workspace().join("target/bench")
}

/// The folder of this crate.
pub(crate) fn own() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A scenario of the bench.
pub(crate) fn scenario(name: &str) -> PathBuf {
    own().join("scenarios").join(name).with_extension("yaml")
}

/// The folder of this run's broker, on the memory file system.
pub(crate) fn broker() -> PathBuf {
    Path::new(MEMORY).join(format!("mallard-bench-{}", std::process::id()))
}

/// Bytes free on the memory file system.
pub(crate) fn free_memory_bytes() -> Option<u64> {
    let stat = rustix::fs::statvfs(MEMORY).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
