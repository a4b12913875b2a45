//! Channels to agents: framed messages over a pair of byte streams, whatever kind of host they lead to.
//!
//! A [`Link`] keeps the conversation with one agent going: it opens a channel over the agent's
//! [`Bridge`], says hello, asks for the intervals it has not seen, beats its heart, and when the channel
//! dies it opens another one. What it hears becomes [`Input`]s of the case.

mod child;
mod conversation;
pub(crate) use child::channel as channel_of_child;
use conversation::Conversation;
pub(crate) use conversation::how_to_match;

use crate::run::io::{AgentIndex, Input};
use mallard_protocol::message::ToAgent;
use std::{fmt, io, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinHandle,
};

/// Messages to an agent that may wait for a channel. Far more than a case ever sends; beyond it the
/// channel has been down for long and the case is about to end anyway.
const OUTBOX: usize = 4_096;

/// The way to one agent. One kind of host, one implementation.
#[async_trait::async_trait]
pub trait Bridge: Send + Sync + 'static {
    /// Opens a channel to the agent. With `start`, an agent is started where none runs; without, an
    /// agent that is gone is told by the farewell, whose code is then [`EXIT_NO_AGENT`].
    ///
    /// # Errors
    /// Why no channel could be opened, as a text for people. Of an agent that is known to have run, this
    /// counts as a broken channel and is tried again.
    async fn open(&self, start: bool) -> Result<Channel, String>;

    /// The host, for messages: `this machine`, `load-1`.
    fn host(&self) -> &str;

    /// Ends the agent's process by force, if it still is an agent of this run.
    ///
    /// # Errors
    /// The host cannot be reached, or does not allow it.
    async fn kill(&self, pid: u32) -> io::Result<()>;

    /// Takes what a dead agent left, the end of its log, and removes its folder.
    async fn bury(&self) -> Option<Vec<u8>>;
}

/// Exit code of `mallard-agent connect` when there is no agent to connect to.
pub const EXIT_NO_AGENT: i32 = 3;

/// Exit code of `mallard-agent connect` when the agent's process is there and does not answer.
pub const EXIT_SILENT: i32 = 6;

/// An open channel. Dropping it closes it, and ends whatever carries it; the agent lives on.
pub struct Channel {
    /// What is written here, the agent reads.
    pub to_agent: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the agent writes.
    pub from_agent: Box<dyn AsyncRead + Send + Unpin>,
    /// How it ended, once it has.
    pub farewell: Pin<Box<dyn Future<Output = Farewell> + Send>>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// How a channel ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Farewell {
    /// The exit code of `mallard-agent connect`, if it is known.
    pub code: Option<i32>,
    /// The last words on its stderr.
    pub words: String,
    /// What became of the agent, where its host knows more than that it is gone.
    pub gone: Option<String>,
}

/// A conversation with one agent.
#[derive(Debug)]
pub struct Link {
    outbox: mpsc::Sender<ToAgent>,
    task: JoinHandle<()>,
}

/// What a link tells: which agent, and what happened.
pub type Inputs = mpsc::UnboundedSender<Input>;

impl Link {
    /// Starts an agent, or finds it running, and the conversation with it. Intervals before `resume_at`
    /// are not asked for. One that `runs` was started by an earlier controller: that it cannot be reached at
    /// first says nothing about it. A channel over which nothing came for `silence` is given up for another
    /// one.
    #[must_use]
    pub fn open(
        agent: AgentIndex,
        bridge: Arc<dyn Bridge>,
        resume_at: u64,
        runs: bool,
        silence: Duration,
        inputs: Inputs,
    ) -> Self {
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let state = Conversation::new(agent, resume_at, runs, silence, inputs);
        let task = tokio::spawn(conversation::keep(bridge, state, messages));
        Self { outbox, task }
    }

    /// Says something to the agent, now or when the channel is back. Lost if the agent is gone.
    pub fn send(&self, message: ToAgent) {
        // A full or closed outbox means that the agent is gone; the case hears of that by itself.
        let _ = self.outbox.try_send(message);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}
