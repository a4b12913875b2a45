//! Channels to agents: framed messages over a pair of byte streams, whatever kind of host they lead to.
//!
//! A [`Link`] keeps the conversation with one agent going: it opens a channel over the agent's
//! [`Bridge`], says hello, asks for the intervals it has not seen, beats its heart, and when the channel
//! dies it opens another one. What it hears becomes `Input`s of the case.

mod bridge;
mod child;
mod conversation;
pub mod event;

use crate::plan::AgentIndex;
use conversation::Conversation;
use mallard_protocol::message::ToAgent;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};

pub use bridge::{Bridge, Channel, ChannelExit, Inputs, Remains};
pub(crate) use child::{channel as channel_of_child, exit as exit_of_child};
pub(crate) use conversation::how_to_match;

/// Messages to an agent that may wait for a channel. Far more than a case ever sends; beyond it the
/// channel has been down for long and the case is about to end anyway.
const OUTBOX: usize = 4_096;

/// A conversation with one agent.
#[derive(Debug)]
pub struct Link {
    outbox: mpsc::Sender<ToAgent>,
    task: JoinHandle<()>,
}

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
