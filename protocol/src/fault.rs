//! Faults: what a guard is ordered to do to a broker or to its packets, and what it reports.
//!
//! A guard is a process of its own on the host where the fault acts. Its order is one line of JSON on its stdin, its
//! reports are lines of JSON on its stdout, so that a fault can be tried by hand, too. After the order it
//! understands two words, [`BEGIN`] and [`END`]; that its stdin is closed means that its controller is gone.
//!
//! Times are readings of `CLOCK_MONOTONIC` of the guard's host in microseconds (`clock_us`).

use serde::{Deserialize, Serialize};

/// The line that begins a fault whose guard waits for it.
pub const BEGIN: &str = "begin";

/// The line that ends a fault before its time.
pub const END: &str = "end";

/// What is done to a victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It is sent a signal that ends it, and started again afterwards.
    Kill {
        /// Which signal.
        signal: KillSignal,
    },
    /// It stands still, and goes on afterwards.
    Pause,
    /// Packets between it and others are dropped.
    Cut {
        /// Which.
        directions: Directions,
    },
    /// Some of the packets to and from it are dropped, by chance.
    Loss {
        /// So many of a million.
        share_ppm: u32,
    },
    /// What it receives, and what it sends, is dropped beyond a rate.
    Limit {
        /// The rate of each direction.
        bytes_per_s: u64,
    },
}

/// Directions of packets, as the victim sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directions {
    /// To the victim and from it.
    Both,
    /// To the victim alone.
    To,
    /// From the victim alone.
    From,
}

impl Directions {
    /// Whether packets to the victim are among them.
    #[must_use]
    pub fn has_to(self) -> bool {
        self != Self::From
    }

    /// Whether packets from the victim are among them.
    #[must_use]
    pub fn has_from(self) -> bool {
        self != Self::To
    }
}

impl Act {
    /// Whether packets are what it is done to, and the kernel holds it.
    #[must_use]
    pub fn is_of_network(self) -> bool {
        matches!(self, Self::Cut { .. } | Self::Loss { .. } | Self::Limit { .. })
    }

    /// The word for it, as scenarios and cluster files spell it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill",
            Self::Pause => "pause",
            Self::Cut { .. } => "cut",
            Self::Loss { .. } => "loss",
            Self::Limit { .. } => "limit",
        }
    }
}

/// A signal that ends a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillSignal {
    /// SIGKILL: at once, without a word to anybody.
    #[default]
    Kill,
    /// SIGTERM: a broker moves its leaders away before it ends.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGABRT.
    Abrt,
}

impl KillSignal {
    /// Every signal.
    pub const ALL: [Self; 5] = [Self::Kill, Self::Term, Self::Int, Self::Quit, Self::Abrt];

    /// As scenarios spell it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Term => "term",
            Self::Int => "int",
            Self::Quit => "quit",
            Self::Abrt => "abrt",
        }
    }
}

/// Whom it is done to, and how it is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Victim {
    /// A process of the guard's host.
    Process {
        /// The file with its id. It is read anew for each fault.
        pid_file: String,
        /// The command that starts it again, if one is known: program and arguments.
        start: Vec<String>,
    },
    /// A container of an engine.
    Container {
        /// The engine: `unix:///var/run/docker.sock`, `tcp://engine-1:2375`.
        engine: String,
        /// The container's name.
        name: String,
    },
}

/// A broker at an end of a wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its id.
    pub broker: i32,
    /// How it is found, where it is known and on the guard's host.
    pub victim: Option<Victim>,
    /// Where it serves clients, as `host:port`.
    pub address: Option<String>,
}

/// Which brokers and clients a cut is between. The victim is on the near side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wire {
    /// Brokers on the near side beside the victim.
    pub near: Vec<End>,
    /// Brokers on the far side.
    pub far: Vec<End>,
    /// Whoever is no broker is on the far side, too.
    pub clients: bool,
    /// Brokers on neither side.
    pub rest: Vec<End>,
}

/// What a guard is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Unique on the host: names the guard's files.
    pub id: String,
    /// What is done.
    pub act: Act,
    /// Whom it is done to.
    pub victim: Victim,
    /// Its id, if it is known.
    #[serde(default)]
    pub broker: Option<i32>,
    /// Between whom packets are dropped, for a cut.
    #[serde(default)]
    pub wire: Wire,
    /// Where the victim serves clients, as `host:port`, by which effect and undo are proved; `None` where the guard
    /// cannot know.
    pub address: Option<String>,
    /// Whether it speaks TLS there: then it closes a connection that does not, and that is an answer.
    pub tls: bool,
    /// How long it lasts until it is undone, in milliseconds.
    pub for_ms: u64,
    /// How long undoing may take before it is late, in milliseconds.
    pub undo_ms: u64,
    /// How long it goes on without a controller, in milliseconds.
    pub lease_ms: u64,
    /// Whether it begins once it is told to, and not at once.
    #[serde(default)]
    pub waits: bool,
}

/// How often the time for undoing is waited for before a fault counts as not undone.
pub const UNDO_PATIENCE: u64 = 4;

/// What a guard reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum GuardReport {
    /// Undoing is held; nothing has been done yet.
    Armed {
        /// When.
        clock_us: u64,
        /// The victim as it was found: `process 4711 (java)`.
        victim: String,
        /// Who holds the undo, in words.
        held_by: String,
    },
    /// The fault was done.
    Begun {
        /// When.
        clock_us: u64,
    },
    /// The fault has its effect.
    Effect {
        /// Since when that is known.
        clock_us: u64,
        /// What proves it.
        proof: String,
    },
    /// The fault is over and was not seen to have an effect.
    NoEffect {
        /// What was seen instead.
        seen: String,
    },
    /// Undoing begins.
    Ended {
        /// When.
        clock_us: u64,
        /// Why then: `its time was over`.
        cause: String,
    },
    /// The fault is undone.
    Undone {
        /// When.
        clock_us: u64,
        /// What proves it.
        proof: String,
        /// Who did it: `the guard`, `its twin`.
        by: String,
        /// The victim ended because of the fault, and was started again.
        revived: bool,
    },
    /// The fault was not begun.
    NotBegun {
        /// Why.
        cause: String,
    },
    /// The fault could not be undone.
    NotUndone {
        /// Why.
        cause: String,
        /// What undoes it by hand.
        by_hand: String,
    },
}

impl GuardReport {
    /// Whether nothing more is to be reported of the fault.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Undone { .. } | Self::NotBegun { .. } | Self::NotUndone { .. })
    }
}

/// What undoes a fault by hand, as a command where there is one.
#[must_use]
pub fn by_hand(act: Act, victim: &Victim, found: &str) -> String {
    match (act, victim) {
        (Act::Pause, Victim::Process { pid_file, .. }) => {
            format!("kill -CONT $(cat {pid_file})   # {found}")
        }
        (Act::Kill { .. }, Victim::Process { start, .. }) => start.join(" "),
        (Act::Pause, Victim::Container { name, .. }) => format!("docker unpause {name}"),
        (Act::Kill { .. }, Victim::Container { name, .. }) => format!("docker start {name}"),
        (Act::Cut { .. } | Act::Loss { .. } | Act::Limit { .. }, _) => {
            format!(
                "end the nft that holds the table mallard_… of {found}; `nft list ruleset` names it"
            )
        }
    }
}
