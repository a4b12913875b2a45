//! A broker that is a container. The engine does what is asked for: it may, whoever this process belongs to, and
//! wherever the container's processes are.

use crate::{
    broker::{Broker, Identity, Network},
    engine::Engine,
    space::{Space, processes},
};
use mallard_protocol::fault::KillSignal;
use serde_json::Value as Json;
use std::{fs, io};

/// A container.
#[derive(Debug)]
pub(crate) struct ContainerBroker {
    engine: Engine,
    name: String,
    id: String,
    started_at: String,
}

/// What an engine says of a container.
struct State {
    id: String,
    started_at: String,
    runs: bool,
    is_paused: bool,
}

impl ContainerBroker {
    /// The container of a name.
    ///
    /// # Errors
    /// There is none, it does not run, or the engine does not answer.
    pub(crate) fn find(engine: &str, name: &str) -> io::Result<Self> {
        let broker = Self::known(engine, name, "", "");
        let State { id, started_at, runs, is_paused } = broker.look(name)?;
        match (runs, is_paused) {
            (_, true) => Err(io::Error::other(format!("container {name} is paused already"))),
            (false, _) => Err(io::Error::other(format!("container {name} does not run"))),
            _ => Ok(Self { id, started_at, ..broker }),
        }
    }

    /// One that was found before.
    pub(crate) fn known(engine: &str, name: &str, id: &str, started_at: &str) -> Self {
        Self {
            engine: Engine::at(engine),
            name: name.to_owned(),
            id: id.to_owned(),
            started_at: started_at.to_owned(),
        }
    }

    fn look(&self, container: &str) -> io::Result<State> {
        let found = self.engine.get(&format!("/containers/{container}/json"))?;
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let state = &found["State"];
        Ok(State {
            id: text(&found["Id"]),
            started_at: text(&state["StartedAt"]),
            // Docker says of a paused container that it runs, Podman that it does not.
            runs: state["Running"] == true || state["Paused"] == true,
            is_paused: state["Paused"] == true || state["Status"] == "paused",
        })
    }

    /// Its network namespace, by its processes on this host. The engine may count processes in another way than
    /// this one does, so it is not asked for their numbers.
    fn space(&self) -> io::Result<Space> {
        let is_its = |pid: &i32| {
            let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"));
            groups.is_ok_and(|groups| groups.contains(&self.id))
        };
        let Some(pid) = processes().find(is_its) else {
            let text = format!(
                "no process of container {} is found on this machine, so its network cannot be entered",
                self.name
            );
            return Err(io::Error::other(text));
        };
        let space = Space::of(pid)?;
        if space.is_own() {
            let text = format!("container {} has no network of its own", self.name);
            return Err(io::Error::other(text));
        }
        Ok(space)
    }

    fn post(&self, what: &str, yes: &[u16]) -> io::Result<()> {
        self.engine.post(&format!("/containers/{}/{what}", self.id), yes)
    }
}

impl Broker for ContainerBroker {
    fn identity(&self) -> Identity {
        Identity::Container { id: self.id.clone(), started_at: self.started_at.clone() }
    }

    fn describe(&self) -> String {
        format!("container {}", self.name)
    }

    fn lives(&self) -> io::Result<bool> {
        let state = self.look(&self.id)?;
        Ok(state.runs && state.started_at == self.started_at)
    }

    fn kill(&self, signal: KillSignal) -> io::Result<()> {
        let signal = signal.word().to_uppercase();
        self.post(&format!("kill?signal=SIG{signal}"), &[204])
    }

    fn pause(&self) -> io::Result<()> {
        self.post("pause", &[204])
    }

    fn is_paused(&self) -> io::Result<bool> {
        Ok(self.look(&self.id)?.is_paused)
    }

    fn cpu_us(&self) -> io::Result<Option<u64>> {
        let path = format!("/containers/{}/stats?stream=false&one-shot=true", self.id);
        let used = self.engine.get(&path).ok();
        let used = used.and_then(|it| it["cpu_stats"]["cpu_usage"]["total_usage"].as_u64());
        // Without control groups for CPU the engine says nothing, or 0.
        Ok(used.filter(|ns| *ns > 0).map(|ns| ns / 1_000))
    }

    fn go_on(&self) -> io::Result<()> {
        if self.look(&self.id)?.is_paused {
            self.post("unpause", &[204])?;
        }
        Ok(())
    }

    fn start(&mut self) -> io::Result<()> {
        // 304: it runs already.
        self.post("start", &[204, 304])
    }

    fn runs(&mut self) -> io::Result<bool> {
        let state = self.look(&self.id)?;
        Ok(state.runs && !state.is_paused)
    }

    fn is_removed(&self) -> io::Result<bool> {
        self.engine.lacks(&format!("/containers/{}/json", self.id))
    }

    fn network(&self) -> io::Result<Network> {
        let space = self.space()?;
        let ports = space.ports(&space.processes())?;
        Ok(Network { space: Some(space), addresses: space.addresses(), ports })
    }

    fn can_start(&self) -> bool {
        true
    }
}
