//! What all connections of a run share: a private folder for their sockets, ssh's configuration, and
//! limits on how many things happen at once.

use crate::config::regular;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// Logins at once. An sshd refuses some of more than ten (MaxStartups), which matters where all hosts
/// are behind one jump host; each login is a process of this machine.
const LOGINS: usize = 8;

/// Copies of the agent's program at once: more of them only share the same wire.
const COPIES: usize = 6;

/// Prefix of the folder's name; the process id of the run follows.
const PREFIX: &str = "mallard-ssh-";

/// The folder goes when this is dropped. What a killed run has left is removed by the next one.
#[derive(Debug)]
pub struct SshContext {
    folder: TempDir,
    configuration: PathBuf,
    pub(super) logins: Semaphore,
    pub(super) copies: Semaphore,
}

impl SshContext {
    /// Makes the folder, readable for this user alone, with a configuration for ssh: what `users` says
    /// (by default the user's own), and by what a dead connection is noticed.
    ///
    /// # Errors
    /// It cannot be made, or the configuration is not there: ssh would silently do without.
    pub fn open(users: Option<&Path>) -> io::Result<Self> {
        sweep(&std::env::temp_dir());
        // A socket's path may have 108 bytes at most, so the folder's name is short.
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .tempdir()?;
        let users = match users {
            // `~` is for ssh to know: it may not be what HOME says.
            None => "~/.ssh/config".to_owned(),
            Some(path) if path.starts_with("~") => path.display().to_string(),
            Some(path) => {
                let path = std::path::absolute(path)?;
                let _readable = regular::open(&path).map_err(|cause| {
                    io::Error::other(format!("{}, ssh's configuration, {cause}", path.display()))
                })?;
                format!("\"{}\"", path.display())
            }
        };
        // ssh reads the user's own file no more once another one is named, so that is included here.
        let text = format!(
            "# Made by mallard for one run; removed at its end.\nServerAliveCountMax 2\n\
             Include {users}\nInclude /etc/ssh/ssh_config\n"
        );
        let configuration = folder.path().join("config");
        fs::write(&configuration, text)?;
        let (logins, copies) = (Semaphore::new(LOGINS), Semaphore::new(COPIES));
        Ok(Self { folder, configuration, logins, copies })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn configuration(&self) -> &Path {
        &self.configuration
    }
}

/// Removes folders of runs whose process is gone. Best effort: the next run tries again.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let is_dead =
            |pid: &str| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists();
        if owner.is_some_and(is_dead) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_dead_runs_are_swept_and_others_kept() {
        let folder = tempfile::tempdir().unwrap();
        // Process ids end at 2^22.
        let dead = folder.path().join(format!("{PREFIX}4194999-abc"));
        let alive = folder.path().join(format!("{PREFIX}{}-abc", std::process::id()));
        let other = folder.path().join("other");
        for path in [&dead, &alive, &other] {
            fs::create_dir(path).unwrap();
        }
        sweep(folder.path());
        assert_eq!([&dead, &alive, &other].map(|path| path.exists()), [false, true, true]);
    }
}
