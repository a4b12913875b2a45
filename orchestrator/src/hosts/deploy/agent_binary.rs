//! Finding the agent's program, and making sure that it is of this build, before anything is touched.

use super::ask::{AskError, Limits, ask};
use crate::text::untrusted;
use mallard_protocol::{BUILD_ID, agent_command};
use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What the question for its version may take: a few lines, which need some milliseconds to be said.
const VERSION: Limits = Limits { within: Duration::from_secs(10), stdout_bytes: 64 << 10 };

/// Its file name.
const NAME: &str = agent_command::PROGRAM;

/// Why there is no agent to run.
#[derive(Debug, thiserror::Error)]
pub enum AgentBinaryError {
    /// There is no such file.
    #[error(
        "the agent's program is not at {path}\n  = help: build it with `cargo build --release`, install it with `cargo install --path agent`, or name it with --agent PATH"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It cannot be started.
    #[error("the agent's program {path} cannot be started")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It does not say which build it is of.
    #[error(
        "the agent's program {path} does not report its version: {cause}\n  = help: start it by hand: `{path} version`; --agent names a program `mallard-agent`"
    )]
    NoVersion {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: AskError,
    },
    /// It is of another build.
    #[error(
        "the agent's program {path} is of another build ({theirs}, and mallard is of {BUILD_ID})\n  = help: {}",
        crate::hosts::channel::how_to_match()
    )]
    OtherBuild {
        /// The file.
        path: PathBuf,
        /// Its build, or what it said instead.
        theirs: String,
    },
}

/// Finds the agent's program: where `--agent` says, else beside this program.
///
/// # Errors
/// If it is missing, cannot be started, does not answer, or is of another build.
pub fn find(asked_for: Option<&Path>) -> Result<PathBuf, AgentBinaryError> {
    let path = asked_for.map_or_else(beside_this_program, Path::to_owned);
    if !path.is_file() {
        return Err(AgentBinaryError::Missing { path });
    }
    let said = ask(Command::new(&path).arg(agent_command::VERSION), b"", VERSION);
    let said = said.map_err(|cause| match cause {
        AskError::Start(source) => AgentBinaryError::Unusable { path: path.clone(), source },
        cause => AgentBinaryError::NoVersion { path: path.clone(), cause },
    })?;
    let said = untrusted::bytes(&said);
    if said.split_whitespace().any(|word| word == BUILD_ID) {
        return Ok(path);
    }
    let theirs = said.lines().next().unwrap_or("it said nothing").chars().take(100).collect();
    Err(AgentBinaryError::OtherBuild { path, theirs })
}

fn beside_this_program() -> PathBuf {
    let this = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(NAME));
    this.with_file_name(NAME)
}
