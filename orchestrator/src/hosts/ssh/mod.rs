//! Hosts over ssh: the system's own `ssh`, with one connection that all channels to a host share.
//!
//! Host keys are checked always, and nobody is ever asked for anything: what ssh cannot do by its
//! configuration, its agent and its known hosts is a [`Problem`] with a remedy.

mod agent;
mod context;
mod errors;
mod place;
mod session;

use super::channel::Bridge;
use crate::{
    hosts::{
        AgentLocation, Host, Phase, Problem, Ready,
        deploy::{self, Probe, Programs},
    },
    scenario::cluster::{Deadlines, SshPlan},
};
use mallard_protocol::{BUILD_ID, agent_command, preflight::Facts};
use place::Place;
use session::Sessions;
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

pub use context::SshContext;

/// How long a script may take that does next to nothing.
const SOON: Duration = Duration::from_secs(30);

/// A host that is reached by ssh.
#[derive(Debug)]
pub struct SshHost {
    name: String,
    plan: SshPlan,
    sessions: Arc<Sessions>,
    context: Arc<SshContext>,
    programs: Arc<Programs>,
    place: Arc<OnceLock<Place>>,
    /// Its agents by name, in the order in which they were asked for first: cases share connections.
    agents: Mutex<Vec<String>>,
}

impl SshHost {
    /// A host of a cluster file. Nobody is connected yet.
    #[must_use]
    pub fn new(
        name: &str,
        plan: &SshPlan,
        context: Arc<SshContext>,
        programs: Arc<Programs>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            plan: plan.clone(),
            sessions: Arc::new(Sessions::new(name, plan, Arc::clone(&context))),
            context,
            programs,
            place: Arc::default(),
            agents: Mutex::default(),
        }
    }

    /// The place of an agent among those of this host, from 0.
    fn number_of(&self, agent: &str) -> usize {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        agents.iter().position(|known| known == agent).unwrap_or_else(|| {
            agents.push(agent.to_owned());
            agents.len() - 1
        })
    }

    async fn probe(&self, within: Duration) -> Result<Probe, Problem> {
        let problem = |cause: String| {
            let remedy =
                "its login shell must be able to run `sh -c`, without asking or printing at length";
            Problem::new(&self.name, Phase::Inspect, cause, remedy)
        };
        let contents = self.programs.contents();
        let mut args = vec![self.plan.cache.as_deref().unwrap_or_default()];
        args.extend(contents.iter().map(String::as_str));
        let said = self.sessions.run(deploy::PROBE, &args, None, within).await.map_err(problem)?;
        if let Some(greeting) = greeting(&said.stdout) {
            return Err(chatty(&self.name, greeting));
        }
        Probe::parse(&said.stdout).ok_or_else(|| {
            let words = if said.stderr.trim().is_empty() { &said.stdout } else { &said.stderr };
            let words: String = words.trim().chars().take(300).collect();
            problem(format!("it did not answer as a Unix host does: {words}"))
        })
    }

    /// Copies the agent's program, unless it is there. Returns where it is, and how many bytes were sent.
    async fn put(&self, probe: &Probe, within: Duration) -> Result<(Place, u64), Problem> {
        let program = probe.choose(&self.name, &self.programs)?;
        let folder = format!("{}/{}", probe.cache, program.sha256);
        let place = Place {
            cache: probe.cache.clone(),
            program: format!("{folder}/{}", agent_command::PROGRAM),
        };
        if probe.has.contains(&program.sha256) {
            return Ok((place, 0));
        }
        let bytes = program.to_send(probe.gunzips);
        let sent = bytes.len() as u64;
        let packed = if probe.gunzips { "gzip" } else { "plain" };
        let own = format!("{}-{:x}", std::process::id(), crate::clock::monotonic_us());
        // Waiting for its turn is not the host's fault.
        let _turn = self.context.copies.acquire().await;
        let args = [&*folder, &*program.sha256, &*own, packed];
        let copied = self.sessions.run(deploy::PUT, &args, Some(bytes), within).await;
        let remedy = "look at the network to the host; `deadlines: {deploy: …}` in the cluster file allows more time";
        let said =
            copied.map_err(|cause| Problem::new(&self.name, Phase::Deploy, cause, remedy))?;
        match said.code {
            Some(0) => Ok((place, sent)),
            code => Err(deploy::put_problem(&self.name, &folder, code, &said.stderr)),
        }
    }

    /// Asks the program for its version: it must start, and be of this build.
    async fn try_out(&self, place: &Place) -> Result<(), Problem> {
        let start =
            |code, words: &str| deploy::start_problem(&self.name, &place.program, code, words);
        let said = self
            .sessions
            .run("\"$@\"", &[&*place.program, agent_command::VERSION], None, SOON)
            .await;
        let said = said.map_err(|cause| start(None, &cause))?;
        if said.code != Some(0) {
            return Err(start(said.code, &said.stderr));
        }
        if said.stdout.split_whitespace().any(|word| word == BUILD_ID) {
            return Ok(());
        }
        let theirs = said.stdout.lines().next().unwrap_or("it said nothing");
        let cause =
            format!("the agent there is of another build ({theirs}, and mallard is of {BUILD_ID})");
        Err(Problem::new(&self.name, Phase::Start, cause, super::channel::how_to_match()))
    }
}

/// What a login shell printed before the script, which a channel to an agent would take for a damaged message.
fn greeting(said: &str) -> Option<&str> {
    let (before, _) = said.split_once("mallard-probe ")?;
    (!before.is_empty()).then_some(before)
}

fn chatty(host: &str, greeting: &str) -> Problem {
    let first: String = greeting.trim().lines().next().unwrap_or("").chars().take(100).collect();
    let cause = format!("its login shell prints something before what it is asked for: `{first}`");
    let remedy = "let its ~/.bashrc and the like be silent where they are not interactive: `case $- in *i*) ;; *) return;; esac` before the first `echo`";
    Problem::new(host, Phase::Inspect, cause, remedy)
}

#[async_trait::async_trait]
impl Host for SshHost {
    async fn prepare(&self, deadlines: &Deadlines) -> Result<Ready, Problem> {
        self.sessions.get(0, deadlines.connect).await?;
        let probe = self.probe(deadlines.connect).await?;
        let (place, copied_bytes) = self.put(&probe, deadlines.deploy).await?;
        self.try_out(&place).await?;
        if copied_bytes > 0 {
            let content = place.program.rsplit('/').nth(1).unwrap_or_default();
            // Old programs take some disk and do no other harm: the next deployment tries again.
            let _ = self.sessions.run(deploy::PRUNE, &[&place.cache, content], None, SOON).await;
        }
        let _ = self.place.set(place);
        Ok(Ready { copied_bytes })
    }

    async fn inspect(&self, question: &[u8], within: Duration) -> Result<Facts, Problem> {
        let problem = |cause: String| {
            let remedy = "log in and start the agent by hand with `host`, which says more";
            Problem::new(&self.name, Phase::Inspect, cause, remedy)
        };
        let place = self.place.get().ok_or_else(|| problem("it is not ready".to_owned()))?;
        let runs = format!("{}/runs", place.cache);
        let mut args = vec![place.program.clone()];
        args.extend(agent_command::host(runs));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = self.sessions.run("exec \"$@\"", &args, Some(question.into()), within).await;
        let said = said.map_err(problem)?;
        serde_json::from_str(&said.stdout).map_err(|_| problem(said.stderr.trim().to_owned()))
    }

    async fn sweep(&self, run_id: &str) -> Result<(), Problem> {
        let problem =
            |cause: String| Problem::new(&self.name, Phase::Inspect, cause, "remove it by hand");
        let place = self.place.get().ok_or_else(|| problem("it is not ready".to_owned()))?;
        let folder = format!("{}/runs/{run_id}", place.cache);
        let said = self.sessions.run("rm -rf -- \"$1\"", &[&folder], None, SOON).await;
        let said = said.map_err(problem)?;
        match said.code {
            Some(0) => Ok(()),
            _ => Err(problem(said.stderr.trim().to_owned())),
        }
    }

    fn bridge(&self, location: AgentLocation) -> Arc<dyn Bridge> {
        let connection = self.number_of(&location.agent) / session::CHANNELS;
        Arc::new(agent::SshAgent {
            host: self.name.clone(),
            sessions: Arc::clone(&self.sessions),
            place: Arc::clone(&self.place),
            connection,
            location,
        })
    }

    async fn close(&self) {
        self.sessions.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_login_shell_prints_first_is_told() {
        assert_eq!(greeting("mallard-probe system Linux\nmallard-probe end\n"), None);
        assert_eq!(greeting("sh: not found\n"), None);
        let said = "Welcome to load-1!\nHave fun.\nmallard-probe system Linux\n";
        let problem = chatty("load-1", greeting(said).expect("something was printed"));
        assert!(problem.cause.contains("`Welcome to load-1!`"), "{problem}");
    }
}
