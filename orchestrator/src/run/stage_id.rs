//! The stages of a case, in their order.

/// How far a case is. Stages follow each other in this order and are never gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StageId {
    /// Containers start.
    StartingContainers,
    /// Agents start and say hello.
    Connecting,
    /// The embedded broker starts.
    StartingBroker,
    /// Every agent reaches the brokers.
    Reaching,
    /// Topics are created or looked at.
    Topics,
    /// Agents create their clients.
    Preparing,
    /// Consumers get their partitions.
    Joining,
    /// Leaders answer consumers' first fetches.
    Fetching,
    /// End offsets before the load are read.
    StartOffsets,
    /// The load runs, or is about to.
    Running,
    /// Producers are done; consumers catch up.
    Draining,
    /// Producers flush: the last records are acknowledged or fail.
    Flushing,
    /// It is read where logs start and end after the last acknowledgement.
    EndOffsets,
    /// Consumers read on, up to these ends.
    ReadingOn,
    /// It is read where logs start now: what lies before that was removed.
    LastOffsets,
    /// Agents close, and cut their last interval.
    Finishing,
    /// Agents send their logs and what is left of their measurements.
    Collecting,
    /// Topics and groups are deleted.
    Deleting,
    /// Agents exit.
    Exiting,
    /// Nothing is left to do.
    Done,
}

impl StageId {
    /// The stage, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::StartingContainers => "starting containers",
            Self::Connecting => "starting agents",
            Self::StartingBroker => "starting the embedded broker",
            Self::Reaching => "reaching the brokers",
            Self::Topics => "setting up topics",
            Self::Preparing => "creating clients",
            Self::Joining => "waiting for consumers to be assigned",
            Self::Fetching => "waiting for consumers to read their partitions",
            Self::StartOffsets => "reading end offsets before the load",
            Self::Running => "the load",
            Self::Draining => "the drain",
            Self::Flushing => "flushing producers",
            Self::EndOffsets | Self::LastOffsets => "reading offsets after the load",
            Self::ReadingOn => "reading on to the ends of the logs",
            Self::Finishing => "flushing and closing clients",
            Self::Collecting => "collecting logs",
            Self::Deleting => "deleting topics",
            Self::Exiting | Self::Done => "ending agents",
        }
    }
}
