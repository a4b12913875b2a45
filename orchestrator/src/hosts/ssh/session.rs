//! Connections to one host, and scripts that run over them.

use super::{SshContext, errors};
use crate::{
    hosts::{Phase, Problem},
    scenario::cluster::SshPlan,
};
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    process::Stdio as LocalStdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Mutex, Semaphore},
    time::timeout,
};

/// Between two questions whether the other side is there. With two unanswered ones a dead connection
/// is noticed after about six seconds.
const ALIVE: Duration = Duration::from_secs(2);

/// How long a connection outlives whoever used it, in seconds: a killed run leaves none behind.
const IDLE_S: NonZeroUsize = NonZeroUsize::new(10).expect("not zero");

/// Agents that share a connection. sshd allows ten channels in one (MaxSessions): each agent may have two
/// for a moment, before sshd has seen the end of one that broke, and scripts need the rest over the first.
pub(super) const CHANNELS: usize = 4;

/// Scripts at once, all of them over the first connection: what [`CHANNELS`] leave of its ten channels. More of
/// them, as when all agents of a host are killed or cleaned up, wait for their turn.
const SCRIPTS: usize = 2;

/// What is given to a script's stdin at a time.
const PIECE: usize = 64 * 1024;

/// What of a script's words is kept.
const WORDS: u64 = 1 << 20;

/// The connections to a host, made when they are needed.
#[derive(Debug)]
pub(super) struct Sessions {
    host: String,
    plan: SshPlan,
    context: Arc<SshContext>,
    open: Mutex<BTreeMap<usize, Arc<Session>>>,
    scripts: Semaphore,
}

/// How a script ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// Its exit code; `None` if a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Sessions {
    pub(super) fn new(host: &str, plan: &SshPlan, context: Arc<SshContext>) -> Self {
        let (host, plan, scripts) = (host.to_owned(), plan.clone(), Semaphore::new(SCRIPTS));
        Self { host, plan, context, open: Mutex::default(), scripts }
    }

    /// A connection that works, by its number.
    pub(super) async fn get(
        &self,
        number: usize,
        within: Duration,
    ) -> Result<Arc<Session>, Problem> {
        let mut open = self.open.lock().await;
        if let Some(session) = open.get(&number) {
            // A master that has found its connection dead is gone; asking it costs a local socket.
            if timeout(within, session.check()).await.is_ok_and(|alive| alive.is_ok()) {
                return Ok(Arc::clone(session));
            }
            open.remove(&number);
        }
        let session = Arc::new(self.log_in(within).await?);
        open.insert(number, Arc::clone(&session));
        Ok(session)
    }

    async fn log_in(&self, within: Duration) -> Result<Session, Problem> {
        let plan = &self.plan;
        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(KnownHosts::Strict)
            .control_directory(self.context.folder())
            .control_persist(ControlPersist::IdleFor(IDLE_S))
            .connect_timeout(within.max(Duration::from_secs(1)))
            .server_alive_interval(ALIVE)
            .config_file(self.context.configuration());
        if let Some(user) = &plan.user {
            builder.user(user.clone());
        }
        if let Some(port) = plan.port {
            builder.port(port);
        }
        if let Some(identity) = &plan.identity {
            builder.keyfile(identity);
        }
        // Waiting for its turn is not the host's fault.
        let _turn = self.context.logins.acquire().await;
        let login = builder.connect_mux(&plan.host);
        match timeout(within + Duration::from_secs(2), login).await {
            Ok(outcome) => {
                outcome.map_err(|error| errors::login_problem(&self.host, &plan.host, &error))
            }
            Err(_) => Err(Problem::late(&self.host, Phase::Connect, within, "connect")),
        }
    }

    /// Runs a POSIX shell script to its end. The words of its caller's own shell are quoted.
    pub(super) async fn run(
        &self,
        script: &str,
        args: &[&str],
        input: Option<Arc<[u8]>>,
        within: Duration,
    ) -> Result<Said, String> {
        // Those before it end in time, too, each within what it was given.
        let _turn = self.scripts.acquire().await;
        let session = self.get(0, within).await.map_err(|problem| problem.cause)?;
        let mut command = session.arc_command("sh");
        command.arg("-c").arg(script).arg("mallard").args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let error = |error: openssh::Error| errors::brief(&error);
        let (whole, taken) = (input.as_ref().map_or(0, |input| input.len()), AtomicUsize::new(0));
        let running = async {
            let mut child = command.spawn().await.map_err(error)?;
            let (mut stdin, stdout, stderr) =
                (child.stdin().take(), child.stdout().take(), child.stderr().take());
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let feed = async {
                if let (Some(stdin), Some(input)) = (&mut stdin, input) {
                    for piece in input.chunks(PIECE) {
                        // A script that ends early says why by its code.
                        if stdin.write_all(piece).await.is_err() {
                            break;
                        }
                        taken.fetch_add(piece.len(), Ordering::Relaxed);
                    }
                }
                drop(stdin.take());
            };
            let read_out = async {
                if let Some(stdout) = stdout {
                    let _ = stdout.take(WORDS).read_to_end(&mut out).await;
                }
            };
            let read_err = async {
                if let Some(stderr) = stderr {
                    let _ = stderr.take(WORDS).read_to_end(&mut err).await;
                }
            };
            tokio::join!(feed, read_out, read_err);
            let code = match child.wait().await {
                Ok(status) => status.code(),
                // The crate's way to say that the code was 127.
                Err(openssh::Error::Remote(_)) => Some(127),
                Err(openssh::Error::RemoteProcessTerminated) => None,
                Err(other) => return Err(error(other)),
            };
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            Ok(Said { code, stdout: text(out), stderr: text(err) })
        };
        let late = || {
            let seconds = within.as_secs();
            match taken.load(Ordering::Relaxed) {
                _ if whole == 0 => format!("not done after {seconds} s"),
                taken => format!(
                    "not done after {seconds} s, with {taken} of {whole} bytes on their way"
                ),
            }
        };
        timeout(within, running).await.map_err(|_| late())?
    }

    /// Ends all connections. The crate's own way lets a master live on until it has been idle.
    pub(super) async fn close(&self) {
        for (_, session) in std::mem::take(&mut *self.open.lock().await) {
            let mut exit = tokio::process::Command::new("ssh");
            exit.arg("-S").arg(session.control_socket()).args(["-O", "exit", "mallard"]);
            exit.stdin(LocalStdio::null()).stdout(LocalStdio::null()).stderr(LocalStdio::null());
            // One that is dead already cannot be ended.
            let _ = timeout(ALIVE, exit.kill_on_drop(true).status()).await;
        }
    }
}
