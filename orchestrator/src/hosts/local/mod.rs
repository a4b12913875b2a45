//! This machine.

mod agent;

use super::{AgentLocation, Host, Phase, Problem, Ready, channel::Bridge};
use crate::{scenario::cluster::Deadlines, text::untrusted};
use agent::LocalAgent;
use mallard_protocol::{agent_command, preflight::Facts};
use std::{ffi::OsString, io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

pub use agent::{runs_folder, spool_bytes};

/// This machine, which is always ready.
#[derive(Debug)]
pub(super) struct ThisMachine {
    program: PathBuf,
}

impl ThisMachine {
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program }
    }
}

#[async_trait::async_trait]
impl Host for ThisMachine {
    fn is_local(&self) -> bool {
        true
    }

    async fn prepare(&self, _: &Deadlines) -> Result<Ready, Problem> {
        Ok(Ready::default())
    }

    async fn inspect(&self, question: &[u8], within: Duration) -> Result<Facts, Problem> {
        let problem = |cause: String| {
            let remedy = "start the agent's program by hand with `host`, which says more";
            Problem::new("this machine", Phase::Inspect, cause, remedy)
        };
        let failed = |cause: io::Error| problem(cause.to_string());
        let mut command = Command::new(&self.program);
        command.args(agent_command::host(OsString::from(runs_folder()))).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let answered = async {
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(question).await?;
            }
            child.wait_with_output().await
        };
        let answered = timeout(within, answered).await;
        let said = answered
            .map_err(|_| Problem::late("this machine", Phase::Inspect, within, "connect"))?
            .map_err(failed)?;
        let complaint = || untrusted::bytes(&said.stderr).trim().to_owned();
        serde_json::from_slice(&said.stdout).map_err(|_| problem(complaint()))
    }

    async fn sweep(&self, run_id: &str) -> Result<(), Problem> {
        match std::fs::remove_dir_all(runs_folder().join(run_id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let remedy = "remove it by hand";
                Err(Problem::new("this machine", Phase::Inspect, error.to_string(), remedy))
            }
            _ => Ok(()),
        }
    }

    fn bridge(&self, location: AgentLocation) -> Arc<dyn Bridge> {
        Arc::new(LocalAgent {
            binary: self.program.clone(),
            folder: runs_folder().join(location.folder()),
            location,
        })
    }

    async fn close(&self) {}
}
