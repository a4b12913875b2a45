//! One conversation, over as many bridges as it takes.

use super::{Bridge, Inputs, spawn};
use crate::run::io::{AgentIndex, Input};
use mallard_protocol::{
    BUILD_ID, PROTOCOL_VERSION, frame,
    message::{FromAgent, ToAgent},
};
use std::{process::ExitStatus, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout},
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

/// Between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// First pause before a bridge is built again, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause before a bridge is built again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A read from a bridge at most.
const READ_BYTES: usize = 64 * 1024;

/// Bytes of a bridge's stderr that are kept for the message when it fails.
const STDERR_BYTES: u64 = 4_096;

/// Exit code of `mallard-agent connect` when there is no agent to connect to.
pub(super) const EXIT_NO_AGENT: i32 = 3;

/// How a bridge ended.
enum End {
    /// The channel broke. The agent may be well.
    Broken,
    /// The agent is gone, or cannot be talked to.
    Gone(String),
    /// Nobody wants to talk any more.
    Closed,
}

/// State that outlives a bridge.
struct Conversation {
    agent: AgentIndex,
    inputs: Inputs,
    /// Sequence of the first interval not seen yet.
    resume_at: u64,
    greeted: bool,
    asked_to_exit: bool,
}

/// Keeps the conversation going until the agent is gone or nobody listens.
pub(super) async fn keep(
    agent: AgentIndex,
    bridge: Box<dyn Bridge>,
    inputs: Inputs,
    mut messages: mpsc::Receiver<ToAgent>,
) {
    let mut conversation =
        Conversation { agent, inputs, resume_at: 0, greeted: false, asked_to_exit: false };
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        match conversation.over(bridge.as_ref(), &mut messages).await {
            End::Closed => return,
            End::Gone(cause) => return conversation.tell(Input::AgentGone { agent, cause }),
            End::Broken => conversation.tell(Input::Channel { agent, up: false }),
        }
        pause = if began.elapsed() > LONGEST_PAUSE { FIRST_PAUSE } else { pause };
        sleep(pause + jitter(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Up to a quarter more, so that many links that broke together do not come back together.
fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(f64::from(u8::try_from(crate::clock::monotonic_us() % 256).unwrap_or(0)) / 1024.0)
}

impl Conversation {
    /// Talks over one bridge until it ends.
    async fn over(&mut self, bridge: &dyn Bridge, messages: &mut mpsc::Receiver<ToAgent>) -> End {
        let mut child = match spawn(&mut bridge.command(!self.greeted)) {
            Ok(child) => child,
            Err(cause) => {
                return End::Gone(format!(
                    "the agent could not be started on {}: {cause}",
                    bridge.host()
                ));
            }
        };
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return End::Gone("the bridge has no pipes".to_owned());
        };
        let complaints = tokio::spawn(async move {
            let mut text = Vec::new();
            let _ = stderr.take(STDERR_BYTES).read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        let end = self.talk(stdin, stdout, messages).await;
        match end {
            End::Broken => self.autopsy(&mut child, complaints).await,
            end => end,
        }
    }

    /// Why a bridge broke: its exit code and its last words tell a lost channel from a lost agent.
    async fn autopsy(&self, child: &mut Child, complaints: tokio::task::JoinHandle<String>) -> End {
        let status = tokio::time::timeout(HEARTBEAT, child.wait()).await;
        let _ = child.start_kill();
        let words = tokio::time::timeout(HEARTBEAT, complaints).await;
        let words = words.ok().and_then(Result::ok).unwrap_or_default();
        if self.asked_to_exit {
            return End::Gone("exited as asked".to_owned());
        }
        let code = status.ok().and_then(Result::ok).and_then(|status: ExitStatus| status.code());
        if code == Some(EXIT_NO_AGENT) {
            return End::Gone("its process is gone".to_owned());
        }
        if self.greeted {
            return End::Broken;
        }
        let words = if words.is_empty() { "it said nothing".to_owned() } else { words };
        End::Gone(format!("the agent did not start: {words}"))
    }

    async fn talk(
        &mut self,
        mut stdin: ChildStdin,
        mut stdout: ChildStdout,
        messages: &mut mpsc::Receiver<ToAgent>,
    ) -> End {
        let mut decoder = frame::Decoder::default();
        let mut buffer = vec![0; READ_BYTES];
        let mut heart = interval(HEARTBEAT);
        heart.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = false;
        loop {
            tokio::select! {
                read = stdout.read(&mut buffer) => {
                    let Ok(bytes @ 1..) = read else { return End::Broken };
                    decoder.push(&buffer[..bytes]);
                    match self.hear(&mut decoder, &mut stdin, &mut open).await {
                        Ok(()) => {}
                        Err(end) => return end,
                    }
                }
                message = messages.recv(), if open => {
                    let Some(message) = message else { return End::Closed };
                    self.asked_to_exit |= matches!(message, ToAgent::Exit { .. });
                    if say(&mut stdin, &message).await.is_err() { return End::Broken }
                }
                _ = heart.tick(), if open => {
                    if say(&mut stdin, &ToAgent::Heartbeat).await.is_err() { return End::Broken }
                }
            }
        }
    }

    /// Passes on every whole message, and answers the agent's hello.
    async fn hear(
        &mut self,
        decoder: &mut frame::Decoder,
        stdin: &mut ChildStdin,
        open: &mut bool,
    ) -> Result<(), End> {
        loop {
            let message = match decoder.next_message::<FromAgent>() {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                Err(cause) => return Err(End::Gone(format!("{cause}; {}", how_to_match()))),
            };
            match &message {
                FromAgent::Hello { protocol_version, build_id, .. } => {
                    check_build(*protocol_version, build_id)?;
                    let hello = ToAgent::Hello {
                        protocol_version: PROTOCOL_VERSION,
                        build_id: BUILD_ID.to_owned(),
                        resume_at: self.resume_at,
                    };
                    say(stdin, &hello).await.map_err(|_| End::Broken)?;
                    if self.greeted {
                        self.tell(Input::Channel { agent: self.agent, up: true });
                    }
                    (self.greeted, *open) = (true, true);
                }
                FromAgent::Interval(report) => self.resume_at = report.sequence + 1,
                _ => {}
            }
            self.tell(Input::Message { agent: self.agent, message: Box::new(message) });
        }
    }

    fn tell(&self, input: Input) {
        // Nobody listens once the case is done; then nothing is worth telling.
        let _ = self.inputs.send(input);
    }
}

async fn say(stdin: &mut ChildStdin, message: &ToAgent) -> std::io::Result<()> {
    let frame = frame::encode(message).map_err(std::io::Error::other)?;
    stdin.write_all(&frame).await?;
    stdin.flush().await
}

fn check_build(version: u32, build: &str) -> Result<(), End> {
    if version == PROTOCOL_VERSION && build == BUILD_ID {
        return Ok(());
    }
    Err(End::Gone(format!(
        "the agent is of build {build} and mallard of build {BUILD_ID}; {}",
        how_to_match()
    )))
}

/// What to do about an agent of another build.
#[must_use]
pub(crate) fn how_to_match() -> &'static str {
    "build both from one source: `cargo build --release`, or name the right one with --agent PATH"
}
