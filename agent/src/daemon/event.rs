//! What happens to an agent.

use mallard_protocol::message::{AgentFailure, FromAgent, ToAgent};
use std::os::unix::net::UnixStream;

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// Somebody has connected.
    Connected(UnixStream),
    /// A connection has something to say.
    Peer { id: PeerId, word: Word },
    /// The engine says something other than an interval. `after` is the end of the spool then.
    Engine { message: FromAgent, after: u64 },
    /// The engine could not be made.
    PreparingFailed(AgentFailure),
    /// The engine is finished and gone.
    EngineGone,
    /// A signal asks for the end.
    Signal(&'static str),
    /// A thread has panicked.
    Panicked(String),
}

/// Number of a connection, rising.
pub(crate) type PeerId = u64;

/// What a connection has to say to the agent.
#[derive(Debug)]
pub(crate) enum Word {
    /// The right build, which has all intervals before this one.
    Hello { resume_at: u64 },
    /// Anything else than the greeting, heartbeats and questions for the clock.
    Said(ToAgent),
    /// Something that this build cannot speak with.
    Nonsense(String),
    /// The connection is over.
    Gone(String),
}
