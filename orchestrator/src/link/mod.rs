//! Channels to agents: framed messages over a child's stdin and stdout, whatever kind of host the child
//! leads to.
//!
//! A [`Link`] keeps the conversation with one agent going: it starts the bridge, says hello, asks for the
//! intervals it has not seen, beats its heart, and when the bridge dies it builds another one. What it
//! hears becomes [`Input`]s of the case.

mod conversation;
pub(crate) use conversation::how_to_match;
pub mod local;

use crate::run::io::{AgentIndex, Input};
use mallard_protocol::message::ToAgent;
use std::io;
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
};

/// Messages to an agent that may wait for a channel. Far more than a case ever sends; beyond it the
/// channel has been down for long and the case is about to end anyway.
const OUTBOX: usize = 4_096;

/// How a bridge to an agent is built. One kind of host, one implementation.
pub trait Bridge: Send + Sync + 'static {
    /// The command whose stdin and stdout are the channel. `first` is false when an agent is known to
    /// have run: then none is started, and the command fails if it is gone.
    fn command(&self, first: bool) -> Command;
    /// The host, for messages: `this machine`, `load-1`.
    fn host(&self) -> &str;
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
    /// Starts an agent and the conversation with it.
    #[must_use]
    pub fn open(agent: AgentIndex, bridge: Box<dyn Bridge>, inputs: Inputs) -> Self {
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let task = tokio::spawn(conversation::keep(agent, bridge, inputs, messages));
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

fn spawn(command: &mut Command) -> io::Result<Child> {
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        // Ctrl-C on the terminal is for the orchestrator, which ends its agents in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}
