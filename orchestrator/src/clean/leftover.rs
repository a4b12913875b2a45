//! One thing that a run has left.

/// Where something was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// This machine.
    Here,
    /// A host over ssh, which a leftover is named by.
    Hosts,
    /// The container engine.
    Engine,
    /// The brokers of the cluster file.
    Brokers,
}

impl Place {
    /// The place, in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Here => "this machine",
            Self::Hosts => "over ssh",
            Self::Engine => "the engine",
            Self::Brokers => "the brokers",
        }
    }
}

/// What was left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// The folder of an agent.
    Folder,
    /// A container.
    Container,
    /// A network of the engine.
    Network,
    /// A topic.
    Topic,
    /// A consumer group.
    Group,
}

impl Sort {
    /// What it is, in a word.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Folder => "agent's folder",
            Self::Container => "container",
            Self::Network => "network",
            Self::Topic => "topic",
            Self::Group => "consumer group",
        }
    }
}

/// Something that a run has left, or still uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// The run.
    pub run_id: String,
    /// Where it is.
    pub place: Place,
    /// What it is.
    pub sort: Sort,
    /// Its name there.
    pub name: String,
    /// What one should know before it is removed; empty if there is nothing.
    pub note: String,
    /// Whether measurements are in it that nobody has collected.
    pub has_measurements: bool,
}
