//! A client for administration, and how its failures are told.

use super::{
    Deadline,
    causes::{self, Cause},
    native,
    secrets::Secrets,
};
use crate::{
    admin::quiet::Quiet,
    librdkafka::LoggedIn,
    login::{self, Login, Refusal},
};
use mallard_protocol::{
    message::{AgentFailure, FailureKind},
    workload::ClientProperties,
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    metadata::Metadata,
};
use std::{ops::Deref, thread, time::Duration};

/// Reasons that one failure quotes at most. A cluster of a hundred brokers has a hundred.
const QUOTED_REASONS: usize = 5;

/// Longest time for setting up one connection, so that the reason for a silent address comes before the
/// deadline of whoever asked. librdkafka's default is 30 s.
const CONNECTION_SETUP: Duration = Duration::from_secs(4);

/// How long an answer is waited for before it is looked whether the login has failed for good. After these,
/// all the time that is left: a slow broker needs one long wait.
const LOOKS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// How the ids of librdkafka's mock clusters begin.
const EMBEDDED_CLUSTER: &str = "mockCluster";

/// A connected client for administration.
pub(super) struct Admin {
    client: Unhurried,
    connection: ClientProperties,
    secrets: Secrets,
    servers: String,
}

/// A client whose end nobody waits for: its thread looks up ten times a second whether it is to end, and
/// every step of a run's preparation would take that much longer.
struct Unhurried(Option<LoggedIn<AdminClient<Quiet>>>);

impl Deref for Unhurried {
    type Target = AdminClient<Quiet>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("it is taken out by the drop alone")
    }
}

impl Drop for Unhurried {
    fn drop(&mut self) {
        let client = self.0.take();
        // Where there is no thread to be had, it ends here.
        let _ = thread::Builder::new().name("admin ends".to_owned()).spawn(move || drop(client));
    }
}

impl Admin {
    /// Makes a client. It connects on first use.
    pub(super) fn new(connection: &ClientProperties) -> Result<Self, AgentFailure> {
        let secrets = Secrets::of_connection(connection);
        let refused =
            |reason: &str| AgentFailure { kind: FailureKind::Property, text: secrets.mask(reason) };
        let login = Login::of(connection).map_err(|Refusal { key, reason }| {
            refused(&format!("set client property {key}: {reason}"))
        })?;
        let mut config = ClientConfig::new();
        config
            .set("client.id", "mallard-admin")
            .set("socket.connection.setup.timeout.ms", CONNECTION_SETUP.as_millis().to_string())
            .set_log_level(RDKafkaLogLevel::Error);
        for (key, value) in login.properties() {
            config.set(key, value);
        }
        let client: AdminClient<Quiet> = config.create_with_context(Quiet).map_err(|error| {
            refused(&login.words(&match error {
                KafkaError::ClientConfig(_, reason, key, _) => {
                    format!("set client property {key}: {reason}")
                }
                KafkaError::ClientCreation(reason) => {
                    format!("use the client properties: {reason}")
                }
                other => other.to_string(),
            }))
        })?;
        let client = LoggedIn::new(&login, client).map_err(|reason| AgentFailure {
            kind: FailureKind::Denied,
            text: secrets.mask(&format!("log in: {reason}")),
        })?;
        let servers = config.get("bootstrap.servers").unwrap_or("(no bootstrap.servers)");
        let client = Unhurried(Some(client));
        Ok(Self { client, connection: connection.clone(), secrets, servers: servers.to_owned() })
    }

    /// A client of the same kind that remembers nothing.
    pub(super) fn another(&self) -> Result<Self, AgentFailure> {
        Self::new(&self.connection)
    }

    /// librdkafka's client for administration.
    pub(super) fn inner(&self) -> &AdminClient<Quiet> {
        &self.client
    }

    /// Options that keep a deadline, on the client's side and on the broker's.
    pub(super) fn options(deadline: &Deadline) -> AdminOptions {
        let left = deadline.remaining().max(Duration::from_millis(1));
        AdminOptions::new().request_timeout(Some(left)).operation_timeout(Some(left))
    }

    /// Metadata of the whole cluster. It is always asked for all topics: asking for one by name may
    /// create it.
    pub(super) fn metadata(&self, deadline: &Deadline) -> Result<Metadata, AgentFailure> {
        let doing = "describe the cluster";
        let mut heard: Vec<String> = Vec::new();
        let mut looks = LOOKS.into_iter();
        loop {
            let left = deadline.remaining();
            let wait = looks.next().map_or(left, |look| look.min(left));
            let error = match self.client.inner().fetch_metadata(None, wait) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error,
            };
            for reason in self.reasons() {
                heard.retain(|known| *known != reason);
                heard.push(reason);
            }
            // What is wrong with a password or a certificate stays wrong; one broker of several may
            // still be starting, so others are given a moment.
            if deadline.is_over() || causes::of(&heard).is_some() {
                heard.extend(self.certificate_fault(&heard));
                return Err(self.failure_by(doing, &error, deadline, &without_summaries(heard)));
            }
        }
    }

    /// What is wrong with a broker's certificate, where one could not be verified.
    fn certificate_fault(&self, heard: &[String]) -> Option<String> {
        let reason = heard.iter().find(|reason| reason.contains("certificate verify failed"))?;
        let (_, rest) = reason.split_once("ssl://")?;
        let (address, _) = rest.split_once('/')?;
        let fault = login::certificate_fault(&self.connection, address)?;
        Some(format!("the certificate of {address} is not taken: {fault}"))
    }

    /// Asks a partition's leader for its offsets and throws them away: it is the time that counts.
    pub(super) fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        within: Duration,
    ) -> Result<(), Option<RDKafkaErrorCode>> {
        let answer = self.client.inner().fetch_watermarks(topic, partition, within);
        answer.map(|_| ()).map_err(|error| error.rdkafka_error_code())
    }

    /// Says at once what the embedded broker cannot do. It has no controller that requests for topics
    /// could go to, so they would wait for one until their deadline; and librdkafka 2.12 aborts the
    /// process when a coordinator does not know the request to delete a group (the reply queue is
    /// given back twice).
    pub(super) fn must_not_be_embedded(&self, deadline: &Deadline) -> Result<(), AgentFailure> {
        if self.is_embedded(deadline) {
            let text = "create or delete topics and groups by request: the embedded broker cannot";
            return Err(self.fail(FailureKind::Topic, text));
        }
        Ok(())
    }

    /// Whether the cluster is the embedded broker, as far as that becomes known in time.
    pub(super) fn is_embedded(&self, deadline: &Deadline) -> bool {
        let id = self.client.inner().fetch_cluster_id(deadline.remaining());
        id.is_some_and(|id| id.starts_with(EMBEDDED_CLUSTER))
    }

    /// A failure that has a text already.
    pub(super) fn fail(&self, kind: FailureKind, text: &str) -> AgentFailure {
        AgentFailure { kind, text: self.secrets.mask(text) }
    }

    /// What librdkafka's error means, with the reasons from its log.
    pub(super) fn failure(
        &self,
        doing: &str,
        error: &KafkaError,
        deadline: &Deadline,
    ) -> AgentFailure {
        self.failure_by(doing, error, deadline, &self.reasons())
    }

    /// The same, with reasons that were taken from the log before.
    fn failure_by(
        &self,
        doing: &str,
        error: &KafkaError,
        deadline: &Deadline,
        reasons: &[String],
    ) -> AgentFailure {
        if let Some(Cause { what, remedy }) = causes::of(reasons) {
            let text = format!("{doing} at {}: {what}; {remedy}", self.servers);
            return self.fail(FailureKind::Denied, &text);
        }
        let code = error.rdkafka_error_code();
        let kind = kind_of(code, reasons);
        let why = match reasons {
            [] => match code {
                Some(code) => code.to_string(),
                None => error.to_string(),
            },
            reasons => reasons.join("; "),
        };
        let within = deadline.within;
        let text = match kind {
            FailureKind::Unreachable => {
                format!("{doing}: no broker of {} answered within {within:?}: {why}", self.servers)
            }
            FailureKind::TimedOut => {
                format!("{doing} at {} within {within:?}: {why}", self.servers)
            }
            _ => format!("{doing} at {}: {why}", self.servers),
        };
        self.fail(kind, &text)
    }

    /// Every reason that librdkafka has logged since the last look, in the order in which it did.
    pub(super) fn each_reason(&self, mut each: impl FnMut(&str)) {
        native::drain_log(self.client.inner(), |line| each(&self.secrets.mask(reason_in(line))));
    }

    /// What librdkafka has logged since the last look: every reason once, the latest ones.
    pub(super) fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> = Vec::new();
        native::drain_log(self.client.inner(), |line| {
            let reason = self.secrets.mask(reason_in(line));
            reasons.retain(|known| *known != reason);
            reasons.push(reason);
        });
        without_summaries(reasons)
    }
}

/// The latest reasons. "All brokers are down" says less than what is known of each.
fn without_summaries(mut reasons: Vec<String>) -> Vec<String> {
    if reasons.iter().any(|reason| !is_summary(reason)) {
        reasons.retain(|reason| !is_summary(reason));
    }
    reasons.split_off(reasons.len().saturating_sub(QUOTED_REASONS))
}

/// Kind of a failure. An authentication that fails ends as a timeout for whoever waits; only the log
/// tells it apart.
fn kind_of(code: Option<RDKafkaErrorCode>, reasons: &[String]) -> FailureKind {
    use RDKafkaErrorCode as Code;
    let denied = |reason: &String| {
        let reason = reason.to_ascii_lowercase();
        ["authenticat", "authoriz", "sasl", "ssl handshake"].iter().any(|w| reason.contains(w))
    };
    match code {
        Some(
            Code::ClusterAuthorizationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::Authentication
            | Code::UnsupportedSASLMechanism,
        ) => FailureKind::Denied,
        Some(Code::UnknownTopicOrPartition) => FailureKind::Topic,
        _ if reasons.iter().any(denied) => FailureKind::Denied,
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve) => {
            FailureKind::Unreachable
        }
        // With reasons it is connections that failed; without, the broker is slow.
        Some(Code::OperationTimedOut | Code::MessageTimedOut | Code::RequestTimedOut) => {
            if reasons.is_empty() { FailureKind::TimedOut } else { FailureKind::Unreachable }
        }
        _ => FailureKind::Other,
    }
}

/// The reason in a line of librdkafka's log: without its thread, and without how long and how often,
/// which would make every repetition look new.
fn reason_in(line: &str) -> &str {
    let line = match line.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")) {
        Some((_, rest)) => rest,
        None => line,
    };
    line.split(" (after ").next().unwrap_or(line).trim()
}

fn is_summary(reason: &str) -> bool {
    reason.ends_with("brokers are down")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_middle_of_a_log_line() {
        let line = "[thrd:h:1/bootstrap]: h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: \
                    Connection refused (after 0ms in state CONNECT, 3 identical error(s) suppressed)";
        assert_eq!(
            reason_in(line),
            "h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused"
        );
        assert_eq!(reason_in("plain"), "plain");
    }

    #[test]
    fn a_timeout_after_a_refused_password_is_a_denial() {
        let reason = "b:1/bootstrap: SASL authentication error: Authentication failed".to_owned();
        let timed_out = Some(RDKafkaErrorCode::OperationTimedOut);
        assert_eq!(kind_of(timed_out, &[reason]), FailureKind::Denied);
        assert_eq!(kind_of(timed_out, &["refused".into()]), FailureKind::Unreachable);
        assert_eq!(kind_of(timed_out, &[]), FailureKind::TimedOut);
    }
}
