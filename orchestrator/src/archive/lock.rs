//! `lock`: which controller runs a run. The kernel lets go of it when that process ends, however it
//! ends, so a lock that is held means a controller that lives.

use super::ArchiveError;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    thread,
    time::Duration,
};

/// Name of the file in a run's folder.
pub const FILE: &str = "lock";

/// The process that has a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its id on its host.
    pub pid: u32,
    /// Its host's name. A lock on a network file system may be held elsewhere.
    pub host: String,
}

impl Holder {
    /// Whether it is a process of this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.host == host()
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

/// A run that is this process's until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes a run.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Held`] if a living controller has it; else if the file cannot be written.
    pub fn take(run: &Path) -> Result<Self, ArchiveError> {
        let path = run.join(FILE);
        let failed = |source| ArchiveError::write(&path, source);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let mut file = opened.map_err(failed)?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let holder = named(&path).map_or("another mallard".to_owned(), |h| h.to_string());
                return Err(ArchiveError::Held { path: run.to_owned(), holder });
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        let me = Holder { pid: std::process::id(), host: host() };
        let text = serde_json::to_vec(&me).map_err(|error| ArchiveError::encode(&path, error))?;
        file.set_len(0).and_then(|()| file.write_all(&text)).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Whoever only looks ([`holder`]) has the lock for a moment: then it is tried again.
fn try_lock(file: &File) -> Result<(), Errno> {
    const TRIES: u32 = 5;
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 1..TRIES {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// The living controller of a run, if there is one.
#[must_use]
pub fn holder(run: &Path) -> Option<Holder> {
    let path = run.join(FILE);
    let file = File::open(&path).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {
            Some(named(&path).unwrap_or(Holder { pid: 0, host: "another host".to_owned() }))
        }
        _ => None,
    }
}

fn named(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_controller_at_a_time_and_none_once_that_is_gone() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(holder(run.path()), None);
        let lock = Lock::take(run.path()).unwrap();
        let mine = holder(run.path()).unwrap();
        assert!(mine.pid == std::process::id() && mine.is_here());
        assert!(!Holder { host: "elsewhere".into(), ..mine }.is_here());
        let refused = Lock::take(run.path()).unwrap_err();
        assert!(matches!(refused, ArchiveError::Held { .. }), "{refused}");
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
        drop(lock);
        assert_eq!(holder(run.path()), None);
        assert!(Lock::take(run.path()).is_ok());
    }
}
