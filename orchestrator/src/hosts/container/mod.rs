//! Agents and Kafka in containers of an engine: Docker's, or one that speaks its language, as Podman's.
//!
//! A [`RunContainers`] is all that a run has in an engine. Everything in it carries the run's id and its owner as
//! labels, so that whatever a run leaves behind can be found and distinguished from what is in use; see
//! [`leftovers`](leftovers::find). A [`ContainerHost`] is one of its containers as a host of agents: the channel to an agent
//! in it is a command in the container with stdin and stdout attached, so that no port is opened
//! and whoever may use the engine is who may control.

mod agent;
mod broker_log;
mod engine;
mod exec;
mod exit_cause;
mod host;
mod hosts;
mod image;
mod kafka;
mod labels;
pub mod leftovers;
mod run_containers;

pub use engine::{Engine, Problem};
pub(super) use host::ContainerHost;
pub use image::look as look_at_image;
pub use run_containers::{BrokerEnd, RunContainers};
