//! The way to an agent in a container.

use super::{RunContainers, engine, exec, exit_cause, hosts};
use crate::hosts::{
    AgentLocation,
    channel::{Bridge, Channel, ChannelExit, Remains},
};
use mallard_protocol::{
    agent_command::{self, LOG},
    exit_code,
};
use std::{io, io::Read, sync::Arc};

/// Bytes of an agent's log that are taken from a container: the agent itself keeps it below that.
const LOG_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// An agent in a container.
#[derive(Clone, Debug)]
pub(super) struct ContainerAgent {
    /// What the run has in the engine.
    pub(super) run_containers: Arc<RunContainers>,
    /// The host's name: `container-1`.
    pub(super) host: String,
    /// Whose agent it is.
    pub(super) location: AgentLocation,
}

impl ContainerAgent {
    /// Its folder. A container is of one run, so there is none for the run.
    fn path(&self) -> String {
        format!("{}/{}", hosts::RUNS, self.location.folder_in_run())
    }

    fn container(&self) -> String {
        self.run_containers.container(&self.host)
    }

    /// A channel that reports nothing but that the agent is gone.
    fn gone(cause: String) -> Channel {
        let code = Some(i32::from(exit_code::NOT_RUNNING));
        let exit = ChannelExit { code, stderr: cause.clone(), gone: Some(cause) };
        Channel {
            to_agent: Box::new(tokio::io::sink()),
            from_agent: Box::new(tokio::io::empty()),
            exit: Box::pin(async { exit }),
        }
    }
}

#[async_trait::async_trait]
impl Bridge for ContainerAgent {
    async fn open(&self, start: bool) -> Result<Channel, String> {
        let engine =
            self.run_containers.engine().await.map_err(|problem| problem.to_string())?.clone();
        let identity = start.then(|| self.location.identity());
        let command = hosts::agent(agent_command::connect(self.path(), identity));
        let container = self.container();
        let exec::Attached { stdin, stdout, mut end } =
            match exec::start(&engine, &container, command).await {
                Ok(attached) => attached,
                Err(cause) => {
                    return match exit_cause::of(&engine, &container).await {
                        Some(found) => Ok(Self::gone(found)),
                        None => Err(engine::said(&cause)),
                    };
                }
            };
        let exit = async move {
            let exec::Ended { code, stderr } = (&mut end.0).await.unwrap_or_default();
            let code = code.and_then(|code| i32::try_from(code).ok());
            let gone = exit_cause::of(&engine, &container).await;
            let mut exit = ChannelExit { code, stderr, gone };
            if exit.gone.is_some() {
                exit.code = Some(i32::from(exit_code::NOT_RUNNING));
            } else if exit.is(exit_code::NOT_RUNNING) {
                exit.gone = exit_cause::of_agent(&engine, &container).await;
            }
            exit
        };
        Ok(Channel { to_agent: stdin, from_agent: stdout, exit: Box::pin(exit) })
    }

    fn host(&self) -> &str {
        &self.host
    }

    async fn kill(&self, _pid: u32) -> io::Result<()> {
        // The process id is that of the container's own namespace; the folder names the agent.
        let engine = self.run_containers.engine().await.map_err(io::Error::other)?;
        let command = hosts::agent(agent_command::kill(self.path()));
        match exec::run(engine, &self.container(), command).await {
            Ok(exec::Ended { code: Some(0), .. }) => Ok(()),
            Ok(ended) => Err(io::Error::other(ended.stderr)),
            // With its container, the agent is gone, too.
            Err(_) if exit_cause::of(engine, &self.container()).await.is_some() => Ok(()),
            Err(cause) => Err(io::Error::other(engine::said(&cause))),
        }
    }

    async fn clean_up(&self, _keep: bool) -> Remains {
        // The folder goes with its container, which serves the run's other cases first.
        Remains { log: self.log().await, kept: None }
    }
}

impl ContainerAgent {
    async fn log(&self) -> Option<Vec<u8>> {
        let engine = self.run_containers.engine().await.ok()?;
        let path = format!("{}/{LOG}", self.path());
        let archive = hosts::download(engine, &self.container(), &path).await?;
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut log = Vec::new();
        archive.entries().ok()?.next()?.ok()?.take(LOG_LIMIT_BYTES).read_to_end(&mut log).ok()?;
        Some(log)
    }
}
