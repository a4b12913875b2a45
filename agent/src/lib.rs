//! The agent: makes load on one host, measures it, and speaks with `mallard` over a Unix socket in its
//! private run folder.
//!
//! - [`cli`]: subcommands and exit codes.
//! - [`connect`]: carries the conversation from a login's stdin and stdout to the agent's socket.
//! - [`daemon`]: the agent proper: conversation, lease, life cycle.
//! - [`spool`]: intervals on disk, until the controller has them.
//! - [`engine`]: producers and consumers.
//! - [`admin`], [`broker`]: what is asked of Kafka beside load, and the embedded broker.
//! - [`host`]: what the machine is and what is used of it.
//!
//! Invariant: nothing that happens on the channel, on the disk or with Kafka's administration ever makes
//! the engine wait.

pub mod admin;
pub mod broker;
pub mod brokers;
pub mod cli;
pub mod connect;
pub mod daemon;
pub mod engine;
pub mod folder;
pub mod host;
pub(crate) mod librdkafka;
pub mod logfile;
mod login;
pub(crate) mod pipeline;
pub mod properties;
mod registry;
pub mod spool;
mod sys;

pub use cli::run;
pub use mallard_protocol::exit_code;
