//! The way to one agent on a host over ssh.

use super::{Place, session::Sessions};
use crate::hosts::{
    AgentLocation,
    channel::{Bridge, Channel, Remains, exit_of_child},
};
use mallard_protocol::agent_command;
use openssh::Stdio;
use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::timeout;

/// How long opening a channel, killing and cleaning up may take each: less than a reconnection waits.
const WITHIN: Duration = Duration::from_secs(10);

/// Ends process `$1` if it still carries the run `$2`: its id may be somebody else's by now.
const KILL: &str = r#"tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$2" || exit 0
kill -KILL "$1""#;

/// Gives the end of the log in folder `$1`, and removes the folder, and the run's if that was the last. With `$2`
/// as `keep`, nothing is removed. The code is 3 where the agent has removed its own folder, and 4 where that stays
/// because something is in its spool.
const CLEAN_UP: &str = r#"code=3
if [ -d "$1" ]; then
  tail -c 1000000 "$1/agent.log" 2>/dev/null
  code=0
  if [ -n "$(ls -A "$1/spool" 2>/dev/null)" ]; then
    code=4
  elif [ "$2" != keep ]; then
    rm -rf "$1"
  fi
fi
rmdir "${1%/*}" 2>/dev/null
exit $code"#;

/// An agent on a host over ssh.
#[derive(Debug)]
pub(super) struct SshAgent {
    pub(super) host: String,
    pub(super) sessions: Arc<Sessions>,
    pub(super) place: Arc<OnceLock<Place>>,
    /// The number of the connection that carries its channel.
    pub(super) connection: usize,
    pub(super) location: AgentLocation,
}

impl SshAgent {
    fn place(&self) -> Result<&Place, String> {
        self.place.get().ok_or_else(|| format!("{} could not be made ready", self.host))
    }

    fn folder(&self, place: &Place) -> String {
        format!("{}/runs/{}", place.cache, self.location.folder())
    }
}

#[async_trait::async_trait]
impl Bridge for SshAgent {
    async fn open(&self, start: bool) -> Result<Channel, String> {
        let place = self.place()?;
        let session = self.sessions.get(self.connection, WITHIN).await;
        let session = session.map_err(|problem| problem.to_string())?;
        let mut command = session.arc_command(place.program.as_str());
        let identity = start.then(|| self.location.identity());
        command.args(agent_command::connect(self.folder(place), identity));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = timeout(WITHIN, command.spawn()).await;
        let mut child = spawned
            .map_err(|_| format!("no channel after {} s", WITHIN.as_secs()))?
            .map_err(|error| super::errors::brief(&error))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err("the channel has no pipes".to_owned());
        };
        Ok(Channel {
            to_agent: Box::new(stdin),
            from_agent: Box::new(stdout),
            // A code is only known where the connection lived long enough to carry it.
            exit: Box::pin(exit_of_child(
                async { child.wait().await.ok().and_then(|status| status.code()) },
                stderr,
            )),
        })
    }

    fn host(&self) -> &str {
        &self.host
    }

    async fn kill(&self, pid: u32) -> io::Result<()> {
        let pid = pid.to_string();
        let said = self.sessions.run(KILL, &[&pid, &self.location.run_id], None, WITHIN).await;
        let said = said.map_err(io::Error::other)?;
        if said.code == Some(0) {
            return Ok(());
        }
        Err(io::Error::other(said.stderr.trim().to_owned()))
    }

    async fn clean_up(&self, keep: bool) -> Remains {
        let Ok(place) = self.place() else { return Remains::default() };
        let (folder, keep) = (self.folder(place), if keep { "keep" } else { "" });
        match self.sessions.run(CLEAN_UP, &[&folder, keep], None, WITHIN).await {
            Ok(said) if matches!(said.code, Some(0 | 4)) => {
                let kept = (said.code == Some(4)).then(|| format!("{folder} on {}", self.host));
                Remains { log: Some(said.stdout.into_bytes()), kept }
            }
            _ => Remains::default(),
        }
    }
}
