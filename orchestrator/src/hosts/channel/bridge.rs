//! The way to an agent, and a channel over it.

use crate::hosts::channel::event::Input;
use std::{fmt, io, pin::Pin};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};

/// The way to one agent. One kind of host, one implementation.
#[async_trait::async_trait]
pub trait Bridge: Send + Sync + 'static {
    /// Opens a channel to the agent. With `start`, an agent is started where none runs; without, an
    /// agent that is gone is reported by the exit, whose code is then [`NOT_RUNNING`](mallard_protocol::exit_code::NOT_RUNNING).
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

    /// Takes the end of an agent's log, and removes its folder, unless that is to be kept or intervals are in
    /// it that were not collected.
    async fn clean_up(&self, keep: bool) -> Remains;
}

/// What an agent that has ended left on its host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// The end of its log.
    pub log: Option<Vec<u8>>,
    /// Its folder, where that stays because intervals are in it that nobody has collected.
    pub kept: Option<String>,
}

/// An open channel. Dropping it closes it, and ends whatever carries it; the agent lives on.
pub struct Channel {
    /// What is written here, the agent reads.
    pub to_agent: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the agent writes.
    pub from_agent: Box<dyn AsyncRead + Send + Unpin>,
    /// How it ended, once it has.
    pub exit: Pin<Box<dyn Future<Output = ChannelExit> + Send>>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// How a channel ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelExit {
    /// The exit code of `mallard-agent connect`, if it is known: one of [`exit_code`](mallard_protocol::exit_code).
    pub code: Option<i32>,
    /// What it wrote to its stderr at the end.
    pub stderr: String,
    /// What became of the agent, where its host knows more than that it is gone.
    pub gone: Option<String>,
}

impl ChannelExit {
    /// Whether `mallard-agent connect` ended with this code.
    #[must_use]
    pub fn is(&self, code: u8) -> bool {
        self.code == Some(i32::from(code))
    }
}

/// What a link reports: which agent, and what happened.
///
/// Unbounded on purpose. What waits here is bounded by what agents send: an interval a second, answers to what the case
/// has asked, and notes, of which an agent keeps a few hundred. A link that waited for room would neither send nor
/// answer heartbeats meanwhile, and a slow disk of the archive would look like a broken channel.
pub type Inputs = mpsc::UnboundedSender<Input>;
