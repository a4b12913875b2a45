//! The engine: where it is, how it is reached, and what is said when it is not.

use crate::text::untrusted;
use bollard::{API_DEFAULT_VERSION, Docker, errors::Error};
use std::{env, path::PathBuf, time::Duration};

/// How long the engine may take for one answer, in seconds; what takes longer is streamed.
const ANSWER_WITHIN_S: u64 = 60;

/// What went wrong with one container, or with the engine itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}, {phase}: {cause}; {remedy}")]
pub struct Problem {
    /// The container or the engine: `container-1 (debian:12-slim)`.
    pub what: String,
    /// What was being done: `starting it`.
    pub phase: &'static str,
    /// What was noticed.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    pub(super) fn new(
        what: impl Into<String>,
        phase: &'static str,
        cause: &dyn std::fmt::Display,
        remedy: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), phase, cause: cause.to_string(), remedy: remedy.into() }
    }

    /// The engine took longer to answer than it may.
    #[must_use]
    pub fn late(within: Duration) -> Self {
        let cause = format!("no answer after {} s", within.as_secs());
        let remedy = "see whether the engine is overloaded, and its log";
        Self::new("the container engine", "asking it", &cause, remedy)
    }
}

/// An engine that has answered.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Its client.
    pub(super) api: Docker,
    /// Where it is, for messages.
    pub address: String,
    /// Where its published ports are reached from outside.
    pub(super) reached_at: String,
}

impl Engine {
    /// Connects to the engine that `DOCKER_HOST` names, else to the first socket that is there:
    /// Docker's, that of Docker without root, Podman's, that of Podman without root.
    ///
    /// # Errors
    /// None is named and none is there, or it does not answer.
    pub async fn connect() -> Result<Self, Problem> {
        let address = match env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
            Some(address) => address,
            None => first_socket().ok_or_else(no_socket)?,
        };
        let reached_at = published_at(&address);
        let unreachable = |cause: Error| {
            let remedy = "start the engine, or name another one by DOCKER_HOST";
            let chain = crate::text::error_chain::chain(&cause);
            Problem::new(format!("the engine at {address}"), "reaching it", &chain, remedy)
        };
        let api = client(&address)?.negotiate_version().await.map_err(unreachable)?;
        Ok(Self { api, address, reached_at })
    }
}

fn client(address: &str) -> Result<Docker, Problem> {
    let connected = match address.split_once("://") {
        Some(("unix", path)) => {
            Docker::connect_with_unix(path, ANSWER_WITHIN_S, API_DEFAULT_VERSION)
        }
        Some(("tcp" | "http", _))
            if env::var_os("DOCKER_TLS_VERIFY").is_none_or(|v| v.is_empty()) =>
        {
            Docker::connect_with_http(address, ANSWER_WITHIN_S, API_DEFAULT_VERSION)
        }
        _ => {
            let cause = "only `unix://PATH` and `tcp://HOST:PORT` without TLS are spoken here";
            let remedy = "forward its socket: `ssh -NL /tmp/engine.sock:/var/run/docker.sock HOST`, and \
                          DOCKER_HOST=unix:///tmp/engine.sock";
            return Err(Problem::new(
                format!("the engine at {address}"),
                "reaching it",
                &cause,
                remedy,
            ));
        }
    };
    connected.map_err(|cause| {
        let remedy = "start the engine, or name another one by DOCKER_HOST";
        Problem::new(format!("the engine at {address}"), "reaching it", &cause, remedy)
    })
}

/// Where engines listen, in the order in which they are looked for.
fn sockets() -> Vec<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|v| !v.is_empty()).map(PathBuf::from);
    let of_user = |name: &str| runtime.as_ref().map(|folder| folder.join(name));
    [
        Some(PathBuf::from("/var/run/docker.sock")),
        of_user("docker.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
        of_user("podman/podman.sock"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn first_socket() -> Option<String> {
    let socket = sockets().into_iter().find(|socket| socket.exists())?;
    Some(format!("unix://{}", socket.display()))
}

fn no_socket() -> Problem {
    let places: Vec<_> = sockets().iter().map(|socket| socket.display().to_string()).collect();
    let cause = format!("DOCKER_HOST is not set, and there is no {}", places.join(", no "));
    let remedy = "start Docker (`systemctl start docker`) or Podman (`systemctl --user start \
                  podman.socket`), or name the engine by DOCKER_HOST";
    Problem::new("the container engine", "looking for it", &cause, remedy)
}

/// The name under which ports that the engine publishes are reached from here.
fn published_at(address: &str) -> String {
    let far = address.strip_prefix("tcp://").or_else(|| address.strip_prefix("http://"));
    let host = far.and_then(|far| far.rsplit_once(':')).map(|(host, _)| host);
    host.filter(|host| !host.is_empty()).unwrap_or("127.0.0.1").to_owned()
}

/// Whether the engine says that there is no such thing.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// What the engine said, without the words around it.
pub(super) fn said(error: &Error) -> String {
    untrusted::text(&match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        other => crate::text::error_chain::chain(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_are_where_the_engine_is() {
        assert_eq!(published_at("unix:///var/run/docker.sock"), "127.0.0.1");
        assert_eq!(published_at("tcp://engine-1:2375"), "engine-1");
        assert_eq!(published_at("http://10.0.0.7:2375"), "10.0.0.7");
    }

    #[test]
    fn an_address_that_is_not_spoken_says_what_to_do() {
        let problem = client("ssh://engine-1").expect_err("not spoken");
        assert!(problem.to_string().contains("ssh -NL"), "{problem}");
    }
}
