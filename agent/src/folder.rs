//! The run folder: everything of one agent, readable by its user alone.
//!
//! Invariant: only files that an agent makes itself are ever removed, so a folder that was named by
//! mistake loses nothing.

mod error;
mod way;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

pub use error::FolderError;
pub use mallard_protocol::agent_command::{LOG, SPOOL};

/// The socket, relative to the folder. It is bound and connected from inside the folder, because a
/// socket's path may have 108 bytes at most and a folder's may have more.
pub const SOCKET: &str = "control.sock";
/// The process id, and the lock of the living agent.
pub const PID: &str = "agent.pid";
/// The agent's last reports, where it ended before a controller had them.
pub const FINAL_REPORTS: &str = "final-reports";

/// Makes the folder if needed, with mode 0700, checks that it is private and on a way that is nobody
/// else's, and returns its absolute path.
///
/// # Errors
/// It cannot be made, it is not private, or others could put another one in its place.
pub fn prepare(path: &Path) -> Result<PathBuf, FolderError> {
    let io_error = |source| FolderError::Io { path: path.to_path_buf(), source };
    let absolute = std::path::absolute(path).map_err(io_error)?;
    // Before anything is made there.
    way::check(&absolute)?;
    DirBuilder::new().recursive(true).mode(0o700).create(&absolute).map_err(io_error)?;
    let facts = fs::symlink_metadata(&absolute).map_err(io_error)?;
    let (path, mode, user) = (absolute, facts.mode() & 0o777, crate::sys::effective_user());
    if !facts.is_dir() {
        return Err(FolderError::NotAFolder { path });
    }
    if facts.uid() != user {
        return Err(FolderError::ForeignOwner { path, owner: facts.uid(), user });
    }
    if mode & 0o022 != 0 {
        return Err(FolderError::OpenToOthers { path, mode });
    }
    Ok(path)
}

/// Proof that this process is the folder's agent: held until it ends.
#[derive(Debug)]
pub struct Ownership {
    _lock: File,
}

/// How often, and after what pause, a lock is tried. Whoever only looks whether a folder is owned
/// ([`is_owned`]) holds the lock for a moment.
const LOCK_TRIES: (u32, Duration) = (5, Duration::from_millis(20));

/// Makes this process the agent of a folder; `None` if a living one has it already.
///
/// # Errors
/// The file with the process id cannot be written.
pub fn own(folder: &Path) -> io::Result<Option<Ownership>> {
    let path = folder.join(PID);
    loop {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        if !lock(&file)? {
            return Ok(None);
        }
        // An agent that ends removes the file; a lock on a removed file guards nothing.
        let same = fs::metadata(&path).is_ok_and(|now| {
            file.metadata().is_ok_and(|mine| (now.dev(), now.ino()) == (mine.dev(), mine.ino()))
        });
        if same {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())?;
            return Ok(Some(Ownership { _lock: file }));
        }
    }
}

fn lock(file: &File) -> io::Result<bool> {
    let (tries, pause) = LOCK_TRIES;
    for _ in 0..tries {
        if crate::sys::try_lock(file)? {
            return Ok(true);
        }
        thread::sleep(pause);
    }
    Ok(false)
}

/// Whether a living agent has the folder.
#[must_use]
pub fn is_owned(folder: &Path) -> bool {
    let file = File::open(folder.join(PID));
    file.is_ok_and(|file| crate::sys::try_lock(&file).is_ok_and(|free| !free))
}

/// The process id in the folder, for messages.
#[must_use]
pub fn pid(folder: &Path) -> Option<u32> {
    fs::read_to_string(folder.join(PID)).ok()?.trim().parse().ok()
}

/// Removes what would make another agent believe that this one lives. Log and spool stay.
pub fn release(folder: &Path) {
    for name in [SOCKET, PID] {
        let _ = fs::remove_file(folder.join(name));
    }
}

/// Removes all that an agent makes, and the folder if nothing else is in it.
///
/// # Errors
/// The folder cannot be removed.
pub fn remove(folder: &Path) -> io::Result<()> {
    let spool = folder.join(SPOOL);
    crate::spool::remove_files(&spool);
    let _ = fs::remove_dir(spool);
    for name in [FINAL_REPORTS, LOG, SOCKET, PID] {
        let _ = fs::remove_file(folder.join(name));
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_new_folder_is_private() {
        let parent = tempfile::tempdir().unwrap();
        let path = prepare(&parent.path().join("a/b")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert_eq!(prepare(&path).unwrap(), path);
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).unwrap();
        let error = prepare(folder.path()).unwrap_err();
        assert!(matches!(error, FolderError::OpenToOthers { mode: 0o770, .. }), "{error}");
    }

    #[test]
    fn files_and_links_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let (file, link) = (parent.path().join("file"), parent.path().join("link"));
        fs::write(&file, "").unwrap();
        symlink(parent.path(), &link).unwrap();
        assert!(matches!(prepare(&file), Err(FolderError::Io { .. })));
        assert!(matches!(prepare(&link), Err(FolderError::NotAFolder { .. })));
    }

    #[test]
    fn a_folder_has_one_agent_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = own(folder.path()).unwrap();
        assert!(first.is_some());
        assert!(own(folder.path()).unwrap().is_none());
        assert_eq!(pid(folder.path()), Some(std::process::id()));
        drop(first);
        assert!(own(folder.path()).unwrap().is_some());
    }

    #[test]
    fn foreign_files_survive_the_removal() {
        let folder = tempfile::tempdir().unwrap();
        for name in [LOG, PID, "thesis.tex"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        assert!(remove(folder.path()).is_err());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert!(folder.path().join("thesis.tex").exists());
    }
}
