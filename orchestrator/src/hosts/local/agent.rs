//! Agents on this machine.

use crate::hosts::{
    AgentLocation,
    channel::{Bridge, Channel, Remains, channel_of_child},
};
use mallard_protocol::agent_command::{self, LOG, SPOOL};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};
use tokio::process::Command;

/// An agent on this machine.
#[derive(Clone, Debug)]
pub(crate) struct LocalAgent {
    /// The agent's program.
    pub binary: PathBuf,
    /// Its folder, which only its user may enter.
    pub folder: PathBuf,
    /// Whose agent it is.
    pub location: AgentLocation,
}

#[async_trait::async_trait]
impl Bridge for LocalAgent {
    async fn open(&self, start: bool) -> Result<Channel, String> {
        let mut command = Command::new(&self.binary);
        let identity = start.then(|| self.location.identity());
        command.args(agent_command::connect(OsString::from(&self.folder), identity));
        channel_of_child(&mut command).map_err(|cause| cause.to_string())
    }

    fn host(&self) -> &str {
        "this machine"
    }

    async fn kill(&self, pid: u32) -> io::Result<()> {
        kill(pid, &self.location.run_id)
    }

    async fn clean_up(&self, keep: bool) -> Remains {
        let log = fs::read(self.folder.join(LOG)).ok();
        if spool_bytes(&self.folder) > 0 {
            return Remains { log, kept: Some(self.folder.display().to_string()) };
        }
        if !keep {
            // Best effort: a folder that cannot be removed is found by its run id later.
            let _ = fs::remove_dir_all(&self.folder);
            // Only if no other agent of this run is there.
            let _ = self.folder.parent().map(fs::remove_dir);
        }
        Remains { log, kept: None }
    }
}

/// What an agent has measured and nobody has collected: it lets go of an interval when that is in the archive.
#[must_use]
pub fn spool_bytes(agent: &Path) -> u64 {
    let spool = fs::read_dir(agent.join(SPOOL)).into_iter().flatten().flatten();
    spool.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

/// Where agents of this machine keep their folders: `$XDG_CACHE_HOME/mallard/runs`, by default below
/// `~/.cache`, else below the folder for temporary files, by user.
#[must_use]
pub fn runs_folder() -> PathBuf {
    let from_env = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = from_env("XDG_CACHE_HOME")
        .or_else(|| from_env("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(|| {
            // SAFETY: geteuid has no preconditions and cannot fail.
            let user = unsafe { libc::geteuid() };
            std::env::temp_dir().join(format!("mallard-{user}"))
        });
    cache.join("mallard").join("runs")
}

/// Ends a process of a run by force, if it still is one: a process id may have been given to somebody
/// else since the agent said hello, so its command line must carry the run id.
fn kill(pid: u32, run_id: &str) -> io::Result<()> {
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is_ours = command_line.windows(run_id.len()).any(|window| window == run_id.as_bytes());
    let Ok(pid) = libc::pid_t::try_from(pid) else { return Ok(()) };
    if !is_ours || pid <= 1 {
        return Ok(());
    }
    // SAFETY: kill only sends a signal; the process was just seen to be an agent of this run.
    if unsafe { libc::kill(pid, libc::SIGKILL) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
