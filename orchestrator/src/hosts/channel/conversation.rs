//! One conversation, over as many channels as it takes.
//!
//! Invariants: whatever comes over a channel, or does not, costs that channel at most, and another one
//! is opened; the agent is gone only if its host says so. What an agent that has ended measured and nobody
//! collected is handed in by another process, its successor, before it counts as gone. An agent that is to be started and does not greet
//! is another matter: then the reason is reported at once. One that an earlier controller has started may be well
//! though nothing is heard of it yet.

use super::{Bridge, Channel, Inputs};
use crate::{hosts::channel::event::Input, plan::AgentIndex, text::untrusted};
use mallard_protocol::{
    BUILD_ID, PROTOCOL_VERSION, exit_code, frame,
    message::{FromAgent, ToAgent},
    texts,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

/// Between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// First pause before a channel is opened again, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause before a channel is opened again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long an agent that runs may take to greet: longer than `mallard-agent connect` waits for one.
const GREETING: Duration = Duration::from_secs(30);

/// How long a channel that broke has to say how it ended.
const EXIT_WITHIN: Duration = Duration::from_secs(1);

/// How long a host may take to end a process by force.
const KILLING: Duration = Duration::from_secs(10);

/// A read from a channel at most.
const READ_BYTES: usize = 64 * 1024;

/// What messages are written to.
type ToTheAgent = Box<dyn AsyncWrite + Send + Unpin>;

/// How a channel ended.
enum End {
    /// The channel broke. The agent may be well.
    Broken,
    /// The agent's process has ended, or does not answer, and what it measured may lie in its folder.
    Ended { cause: String, was_stuck: bool },
    /// The agent is gone, or cannot be talked to.
    Gone(String),
    /// Nobody wants to talk any more.
    Closed,
}

/// State that outlives a channel.
pub(super) struct Conversation {
    agent: AgentIndex,
    silence: Duration,
    inputs: Inputs,
    /// Sequence of the first interval not seen yet.
    resume_at: u64,
    /// The agent was started by an earlier controller.
    runs: bool,
    greeted: bool,
    asked_to_exit: bool,
    /// It was told the common start, or an earlier controller has told it: there may be intervals.
    measures: bool,
    /// Its process, as it said itself.
    pid: Option<u32>,
    /// Why the process ended in whose place another one hands in what it left.
    succeeds: Option<String>,
    /// Whether anything was heard over the present channel.
    heard: bool,
}

/// Keeps the conversation going until the agent is gone or nobody listens.
pub(super) async fn keep(
    bridge: Arc<dyn Bridge>,
    mut conversation: Conversation,
    mut messages: mpsc::Receiver<ToAgent>,
) {
    let agent = conversation.agent;
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        match conversation.over(bridge.as_ref(), &mut messages).await {
            End::Closed => return,
            End::Gone(cause) => {
                // It may quote what the agent's program, ssh or an engine said.
                let cause = untrusted::text(&cause);
                return conversation.report(Input::AgentGone { agent, cause });
            }
            End::Ended { cause, was_stuck } => {
                let cause = untrusted::text(&cause);
                conversation.succeed(bridge.as_ref(), cause, was_stuck).await;
                continue;
            }
            End::Broken => conversation.report(Input::Channel { agent, up: false }),
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
    /// A conversation that has not begun. An agent that `runs` was started by an earlier controller.
    pub(super) fn new(
        agent: AgentIndex,
        resume_at: u64,
        runs: bool,
        silence: Duration,
        inputs: Inputs,
    ) -> Self {
        Self {
            agent,
            silence,
            inputs,
            resume_at,
            runs,
            greeted: false,
            asked_to_exit: false,
            measures: runs,
            pid: None,
            succeeds: None,
            heard: false,
        }
    }

    /// Talks over one channel until it ends.
    async fn over(&mut self, bridge: &dyn Bridge, messages: &mut mpsc::Receiver<ToAgent>) -> End {
        self.heard = false;
        let mut channel = match bridge.open(!self.greeted || self.succeeds.is_some()).await {
            Ok(channel) => channel,
            Err(_) if self.greeted || self.runs => return End::Broken,
            Err(cause) => {
                let host = bridge.host();
                return End::Gone(format!("the agent could not be started on {host}: {cause}"));
            }
        };
        let end = self.talk(&mut channel, messages).await;
        match end {
            End::Broken => self.exit_cause(channel).await,
            end => end,
        }
    }

    /// Why a channel broke: its exit code and what it wrote to stderr distinguish a lost channel from a lost agent.
    async fn exit_cause(&self, channel: Channel) -> End {
        let Channel { to_agent, from_agent, exit } = channel;
        drop((to_agent, from_agent));
        let exit = tokio::time::timeout(EXIT_WITHIN, exit).await.unwrap_or_default();
        if self.asked_to_exit {
            return End::Gone("exited as asked".to_owned());
        }
        // Of one that never greeted, its own stderr says why it did not start.
        let spoke = !self.greeted && !self.runs && exit.gone.is_none() && !exit.stderr.is_empty();
        if exit.is(exit_code::NOT_RUNNING) && !spoke {
            let known = exit.gone;
            return self.ended(known.unwrap_or_else(|| "its process is gone".to_owned()), false);
        }
        if exit.is(exit_code::SILENT) && (self.greeted || self.runs) {
            return self.ended("its process is there and does not answer".to_owned(), true);
        }
        if let Some(cause) = self.succeeds.clone().filter(|_| !self.heard)
            && !matches!(exit.code, None | Some(0))
        {
            return End::Gone(cause);
        }
        // Without a code of its own what carried the channel broke, and nobody there has said anything.
        if self.greeted || (self.runs && matches!(exit.code, None | Some(0))) {
            return End::Broken;
        }
        let stderr =
            if exit.stderr.is_empty() { "it said nothing".to_owned() } else { exit.stderr };
        End::Gone(format!("the agent did not start: {stderr}"))
    }

    /// What follows from an agent's end: that a successor collects what it left, once.
    fn ended(&self, cause: String, was_stuck: bool) -> End {
        match &self.succeeds {
            Some(first) => End::Gone(first.clone()),
            None if self.measures && (self.pid.is_some() || !was_stuck) => {
                End::Ended { cause, was_stuck }
            }
            None => End::Gone(cause),
        }
    }

    /// Has the next channel start a successor. One process has a folder: another that is stuck is ended first.
    async fn succeed(&mut self, bridge: &dyn Bridge, cause: String, was_stuck: bool) {
        let agent = self.agent;
        self.report(Input::AgentEnded { agent, cause: cause.clone(), was_stuck });
        if let Some(pid) = self.pid.filter(|_| was_stuck) {
            // If that fails, the successor finds the folder taken and says so.
            let _ = timeout(KILLING, bridge.kill(pid)).await;
        }
        self.succeeds = Some(cause);
    }

    async fn talk(&mut self, channel: &mut Channel, messages: &mut mpsc::Receiver<ToAgent>) -> End {
        let Channel { to_agent, from_agent, .. } = channel;
        let mut decoder = frame::Decoder::default();
        let mut buffer = vec![0; READ_BYTES];
        let mut heart = interval(HEARTBEAT);
        heart.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = false;
        let mut heard = Instant::now();
        loop {
            // An agent that is only starting has a deadline of its own, which the case keeps.
            let silent_at = heard + if self.greeted { self.silence } else { GREETING };
            tokio::select! {
                () = sleep_until(silent_at), if self.greeted || self.runs => {
                    // Who was held up itself has heard nothing for that reason.
                    if silent_at.elapsed() < HEARTBEAT { return End::Broken }
                    heard = Instant::now();
                }
                read = from_agent.read(&mut buffer) => {
                    let Ok(bytes @ 1..) = read else { return End::Broken };
                    heard = Instant::now();
                    decoder.push(&buffer[..bytes]);
                    match self.hear(&mut decoder, to_agent, &mut open).await {
                        Ok(()) => {}
                        Err(end) => return end,
                    }
                }
                message = messages.recv(), if open => {
                    let Some(message) = message else { return End::Closed };
                    self.asked_to_exit |= matches!(message, ToAgent::Exit { .. });
                    self.measures |= matches!(message, ToAgent::Start { .. });
                    if self.say(to_agent, &message).await.is_err() { return End::Broken }
                }
                _ = heart.tick(), if open => {
                    let said = self.say(to_agent, &ToAgent::Heartbeat).await;
                    if said.is_err() { return End::Broken }
                }
            }
        }
    }

    /// Passes on every whole message, and answers the agent's hello.
    async fn hear(
        &mut self,
        decoder: &mut frame::Decoder,
        to_agent: &mut ToTheAgent,
        open: &mut bool,
    ) -> Result<(), End> {
        loop {
            let mut message = match decoder.next_message::<FromAgent>() {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                // Of an agent that has made sense before, what makes none is the channel's doing.
                Err(_) if self.greeted => return Err(End::Broken),
                Err(cause) => return Err(End::Gone(format!("{cause}; {}", how_to_match()))),
            };
            texts::of_message(&mut message, &mut untrusted::clean);
            match &message {
                FromAgent::Hello { protocol_version, build_id, host, .. } => {
                    check_build(*protocol_version, build_id)?;
                    (self.pid, self.heard) = (Some(host.pid), true);
                    let hello = ToAgent::Hello {
                        protocol_version: PROTOCOL_VERSION,
                        build_id: BUILD_ID.to_owned(),
                        resume_at: self.resume_at,
                    };
                    self.say(to_agent, &hello).await.map_err(|_| End::Broken)?;
                    if self.greeted {
                        self.report(Input::Channel { agent: self.agent, up: true });
                    }
                    (self.greeted, *open) = (true, true);
                }
                _ if !*open => return Err(End::Broken),
                FromAgent::Interval(report) => self.resume_at = report.sequence + 1,
                _ => {}
            }
            self.report(Input::Message { agent: self.agent, message: Box::new(message) });
        }
    }

    /// Says something. A channel that takes nothing for so long that its silence would count is broken.
    async fn say(&self, to_agent: &mut ToTheAgent, message: &ToAgent) -> std::io::Result<()> {
        let frame = frame::encode(message).map_err(std::io::Error::other)?;
        let said = async {
            to_agent.write_all(&frame).await?;
            to_agent.flush().await
        };
        timeout(self.silence, said).await.map_err(std::io::Error::from)?
    }

    fn report(&self, input: Input) {
        // No one listens once the case is done; then there is nothing to report.
        let _ = self.inputs.send(input);
    }
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

#[cfg(test)]
mod tests;
