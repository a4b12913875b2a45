//! What is asked of Kafka beside load: the cluster, topics, groups, end offsets.
//!
//! Invariants: every request ends by its deadline; a failure names the broker and librdkafka's own
//! reason where there is one; no text that leaves this module holds the value of a secret property.

mod block_on;
mod broker_probe;
mod causes;
mod client;
mod cluster;
mod cluster_watch;
mod delete;
mod groups;
mod names;
mod native;
mod offsets;
mod quiet;
mod secrets;
mod topics;
mod verify;
mod watch;

pub use broker_probe::BrokerProbe;
pub use cluster::describe_cluster;
pub use cluster_watch::ClusterWatch;
pub use delete::delete;
pub use groups::GroupsWatch;
pub use names::names;
pub use offsets::{EndOffsetsWatch, end_offsets, log_bounds};
pub use secrets::Secrets;
pub use topics::{Creation, create_topics, describe_topics};

use std::time::{Duration, Instant};

/// When a request must have ended.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    within: Duration,
}

impl Deadline {
    /// Longest time that is waited for anything, so that no number from outside overflows a clock: a day.
    const LONGEST: Duration = Duration::from_secs(86_400);

    /// A deadline from now.
    #[must_use]
    pub fn within(within: Duration) -> Self {
        let within = within.min(Self::LONGEST);
        Self { at: Instant::now() + within, within }
    }

    /// The same in milliseconds, as messages have it.
    #[must_use]
    pub fn within_ms(ms: u64) -> Self {
        Self::within(Duration::from_millis(ms))
    }

    /// Time left.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// A deadline when half of the time is gone.
    #[must_use]
    pub fn half(&self) -> Self {
        Self::within(self.remaining() / 2)
    }

    /// Whether no time is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Time left in milliseconds, at least one, for librdkafka.
    fn remaining_ms(&self) -> i32 {
        i32::try_from(self.remaining().as_millis()).unwrap_or(i32::MAX).max(1)
    }
}
