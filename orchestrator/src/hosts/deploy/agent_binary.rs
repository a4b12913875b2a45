//! Finding the agent's program, and making sure that it is of this build, before anything is touched.

use mallard_protocol::BUILD_ID;
use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// Its file name.
const NAME: &str = "mallard-agent";

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
/// If it is missing, cannot be started, or is of another build.
pub fn find(asked_for: Option<&Path>) -> Result<PathBuf, AgentBinaryError> {
    let path = asked_for.map_or_else(beside_this_program, Path::to_owned);
    if !path.is_file() {
        return Err(AgentBinaryError::Missing { path });
    }
    let output = Command::new(&path).arg("version").output();
    let output = match output {
        Ok(output) => output,
        Err(source) => return Err(AgentBinaryError::Unusable { path, source }),
    };
    let said = String::from_utf8_lossy(&output.stdout);
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
