//! An agent, as its case knows it.

use mallard_protocol::message::HostFacts;

/// An agent as the case knows it.
#[derive(Debug, Default)]
pub(super) struct Agent {
    pub(super) connected: bool,
    pub(super) gone: Option<String>,
    pub(super) heard_us: u64,
    pub(super) host: Option<HostFacts>,
    pub(super) prepared: bool,
    pub(super) flushed: bool,
    pub(super) finished: Option<u64>,
    pub(super) log_done: bool,
    pub(super) start_late_us: Option<u64>,
    pub(super) lost_at_us: Option<u64>,
    /// It was given up because no channel could be opened, and may be well.
    pub(super) unreachable: bool,
    pub(super) intervals: u64,
    /// What became of the process that ran the load, where this one has taken its place: it only hands
    /// in what that one left.
    pub(super) successor_of: Option<String>,
    /// What became of its process, where that has ended and another one is being started in its place.
    pub(super) ended: Option<String>,
    /// That it is lost was reported already, although what it left is still being collected.
    pub(super) loss_is_reported: bool,
    /// When it was lost, on this machine's monotonic clock.
    pub(super) gone_us: Option<u64>,
}

impl Agent {
    /// Whether this controller or an earlier one ever heard of it. That it never came to be has reasons of its own,
    /// which are told.
    pub(super) fn was_heard(&self) -> bool {
        self.host.is_some() || self.heard_us > 0
    }

    /// Whether it has not said that its producers are flushed, and may still.
    pub(super) fn has_to_flush(&self) -> bool {
        !self.flushed && self.finished.is_none() && self.gone.is_none()
    }

    /// Whether it has not said that its clients are closed, and may still.
    pub(super) fn has_to_finish(&self) -> bool {
        self.finished.is_none() && self.gone.is_none()
    }
}
