//! Cluster files: where Kafka is, and where agents may run.

mod brokers;
mod containers;
pub mod kafka;
pub mod kinds;
mod model;
mod ranges;
mod ssh;

use super::{
    file_kind::{FileKind, kind_of},
    login,
};
use crate::{
    bounds::{Written, choose},
    config::{
        Diagnostic, Environment, Severity,
        emit::{emit, is_secret_key},
        parameters::{Values, substitute_environment},
        regular,
        shape::{
            Fields, Located, Property, Reader, Shape, either, integer, list, list_of_some, name,
            quantity::{duration, some_time},
            record, tagged, text, words,
        },
        source::{Place, Source},
        tidy, yaml,
    },
};
use kafka::Consent;
use mallard_protocol::{private_file, workload::TOKEN_COMMAND};
use model::{AGENT_LIMIT, BROKER_LIMIT, Kafka};
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use kafka::{KafkaContainers, KafkaPlan};
pub use kinds::{ContainerPlan, Deadlines, HostPlan, Limits, OnAgentLoss, SshPlan};
pub use model::{Cluster, Host};

/// How long agents go on alone: where all of them are on this machine, and elsewhere.
const LOCAL_LEASE: Duration = Duration::from_secs(30);
const REMOTE_LEASE: Duration = Duration::from_secs(600);

/// Takes text for a cluster file.
///
/// # Errors
///
/// Every mistake in it.
pub fn from_source(
    source: &Arc<Source>,
    environment: Environment<'_>,
) -> Result<Cluster, Vec<Diagnostic>> {
    let (root, mistakes) = yaml::parse_leniently(source);
    let Some(mut root) = root else { return Err(mistakes) };
    if kind_of(&root) == FileKind::Scenario {
        let wrong = Diagnostic::error(&source.path, "is a scenario, not a cluster file");
        return Err(vec![wrong.with_help("a cluster file has `kafka` and `hosts`")]);
    }
    let mut reader = Reader { diagnostics: mistakes };
    let mut secrets = Vec::new();
    substitute_environment(&mut root, environment, &mut secrets, &mut reader);
    Values::default().substitute(&mut root, &mut reader);
    let mut raw = shape().read(&root, &mut reader);
    if let Some(raw) = &mut raw {
        refuse_far_embedded(raw, &mut reader);
        if let Kafka::External { client, token, .. } = &raw.kafka {
            login::check(client, token.as_ref(), &mut reader);
        }
        refuse_twins(&raw.hosts, &mut reader);
        raw.resolve_paths(source.path.parent().unwrap_or(Path::new("")));
    }
    let sound = !reader.has_errors();
    let Some(raw) = raw.filter(|_| sound) else {
        tidy(&mut reader.diagnostics);
        return Err(reader.diagnostics);
    };
    let mut connection_places = Vec::new();
    if let Kafka::External { client, bootstrap, token, .. } = &raw.kafka {
        secrets.extend(secret_values(client));
        connection_places =
            client.iter().map(|p| (p.key.value.clone(), p.key.at.clone())).collect();
        connection_places.push(("bootstrap.servers".to_owned(), bootstrap.at.clone()));
        connection_places.extend(token.iter().map(|it| (TOKEN_COMMAND.to_owned(), it.at.clone())));
    }
    let ssh_files = raw.ssh_files();
    Ok(Cluster {
        source: Arc::clone(source),
        kafka: raw.kafka.plan(),
        lease: raw.lease.unwrap_or_else(|| default_lease(all_local(&raw.hosts))),
        hosts: raw.hosts,
        deadlines: raw.deadlines,
        bounds: raw.bounds,
        secrets,
        yaml: emit(&root),
        connection_places,
        ssh_files,
        warnings: reader.diagnostics,
    })
}

/// Mistakes about files that a cluster file names: without its configuration, ssh would do as if there were none, and
/// without a key it would try others.
pub(super) fn missing_files(cluster: &Cluster) -> Vec<Diagnostic> {
    let mistake = |(key, path, at): &(&str, PathBuf, Place)| {
        let cause = regular::open(path).err()?;
        let message = format!("`{key}`: {} {cause}", path.display());
        let help = "paths are meant from the folder of the cluster file".to_owned();
        Some(at.diagnostic(Severity::Error, message, Some(help)))
    };
    cluster.ssh_files.iter().filter_map(mistake).collect()
}

/// An embedded broker listens on the loopback of its agent's host, where other hosts do not get.
fn refuse_far_embedded(raw: &Raw, reader: &mut Reader) {
    let far = raw.hosts.iter().find(|host| !host.kind.is_local());
    if let (Kafka::Embedded { .. }, Some(far), 2..) = (&raw.kafka, far, raw.hosts.len()) {
        let message = "an embedded broker can only be reached on its own host";
        let help = "take a real Kafka (`bootstrap` or `container`), or one host";
        reader.error(&far.at, message, help);
    }
}

/// Hosts of one name, and agents of one name, could not be distinguished in reports.
fn refuse_twins(hosts: &[Host], reader: &mut Reader) {
    let mut names = BTreeSet::new();
    for (host, name) in hosts.iter().filter_map(|host| Some((host, host.name.as_deref()?))) {
        if kinds::is_default_name(name) {
            let message = format!("`{name}` is what Mallard calls a host without a name");
            reader.error(&host.at, message, "take a name such as `load-1`");
        }
        let agents: Vec<String> = match host.agents {
            1 => vec![name.to_owned()],
            several => (1..=several).map(|number| format!("{name}.{number}")).collect(),
        };
        // Its own name is taken, too, where its agents are numbered.
        let taken = agents.into_iter().chain((host.agents > 1).then(|| name.to_owned()));
        let twins: Vec<String> = taken.filter(|name| !names.insert(name.clone())).collect();
        if let Some(twin) = twins.first() {
            let message = format!("another host or agent is named `{twin}` already");
            reader.error(&host.at, message, "for several agents on a host say `agents`");
        }
    }
}

/// Values of properties that must never be written anywhere, files that came with them included.
pub fn secret_values(properties: &[Property]) -> impl Iterator<Item = String> {
    let secret = |property: &&Property| {
        let value = property.value.value.as_str();
        is_secret_key(&property.key.value) || private_file::shown(value) != value
    };
    properties
        .iter()
        .filter(secret)
        .map(|property| property.value.value.clone())
        .filter(|v| !v.is_empty())
}

struct Raw {
    kafka: Kafka,
    hosts: Vec<Host>,
    lease: Option<Duration>,
    deadlines: Deadlines,
    bounds: Option<Written>,
    ssh_config: Option<Located<String>>,
}

impl Raw {
    /// Paths of the file are meant from its folder.
    fn resolve_paths(&mut self, folder: &Path) {
        if let Kafka::External { nodes, .. } = &mut self.kafka {
            brokers::resolve_paths(nodes, folder);
        }
        for host in &mut self.hosts {
            let config = self.ssh_config.as_ref().map(|config| config.value.as_str());
            host.kind.resolve_paths(folder, config);
        }
    }

    /// Files that ssh is told of, each once, by their resolved paths.
    fn ssh_files(&self) -> Vec<(&'static str, PathBuf, Place)> {
        let mut files: Vec<(&'static str, PathBuf, Place)> = Vec::new();
        for host in &self.hosts {
            let config_at = self.ssh_config.as_ref().map(|config| &config.at);
            for (key, path) in host.kind.files() {
                let is_known = files.iter().any(|(_, known, _)| known == path);
                if is_known || path.starts_with("~") {
                    continue;
                }
                let at = config_at.filter(|_| key == "ssh_config").unwrap_or(&host.at);
                files.push((key, path.to_owned(), at.clone()));
            }
        }
        files
    }
}

/// The shape of a cluster file, for its schema.
pub fn schema_shape() -> impl Shape<Value = ()> {
    shape().map(|_| ())
}

fn shape() -> impl Shape<Value = Raw> {
    record("a cluster file", cluster)
}

fn cluster(fields: &mut Fields<'_>) -> Option<Raw> {
    let doc = "Where Kafka is: `embedded` (a broker inside an agent), or how to reach a cluster.";
    let kafka = fields.required("kafka", doc, either(embedded_word(), Kind));
    let hosts = fields.required("hosts", "Where agents may run.", list_of_some(host()));
    let hosts = hosts.map(|entries| entries.into_iter().flatten().collect());
    let doc = "The configuration of ssh, instead of `~/.ssh/config`.";
    let ssh_config = fields.optional("ssh_config", doc, text().located());
    let lease = fields.optional(
        "lease",
        "How long agents go on without a controller: 30s where all hosts are local, else 10m.",
        some_time(),
    );
    let doc = "How long each step of a case may take.";
    let deadlines = fields.default(
        "deadlines",
        doc,
        record("deadlines", deadlines),
        json!({}),
        Deadlines::default(),
    );
    let doc = "Bounds to lay over those of a scenario: a file of them, or keys with values.";
    let bounds = fields.optional("bounds", doc, choose::of_cluster());
    Some(Raw {
        kafka: kafka?,
        hosts: hosts?,
        lease: lease?,
        deadlines: deadlines?,
        bounds: bounds?,
        ssh_config: ssh_config?,
    })
}

fn embedded_word() -> impl Shape<Value = Kafka> {
    words([("embedded", Kafka::Embedded { brokers: 1, round_trip_ms: 0 })])
}

/// `{bootstrap, client}`, or a mapping with one key that says how Kafka comes to be.
struct Kind;

impl Kind {
    fn made() -> crate::config::shape::Tagged<Kafka> {
        tagged("kafka")
            .variant(
                "embedded",
                "A broker inside an agent: librdkafka's mock cluster.",
                record("an embedded broker", embedded),
            )
            .variant(
                "container",
                "Kafka in containers of a Docker or Podman engine.",
                record("kafka in containers", containers::kafka),
            )
            .later("deploy", "Kafka deployed on hosts")
            .beside("bootstrap")
    }

    fn reached() -> crate::config::shape::Record<Kafka> {
        record("kafka", external)
    }
}

impl Shape for Kind {
    type Value = Kafka;

    fn read(&self, node: &yaml::Node, reader: &mut Reader) -> Option<Kafka> {
        let made = ["embedded", "container", "deploy"].iter().any(|key| node.get(key).is_some());
        if made { Self::made().read(node, reader) } else { Self::reached().read(node, reader) }
    }

    fn schema(&self) -> serde_json::Value {
        json!({"anyOf": [Self::reached().schema(), Self::made().schema()]})
    }

    fn takes(&self) -> crate::config::shape::Takes {
        Self::reached().takes()
    }

    fn expected(&self) -> String {
        "a mapping with `bootstrap`".to_owned()
    }
}

fn embedded(fields: &mut Fields<'_>) -> Option<Kafka> {
    let brokers = fields.default("brokers", "Number of brokers.", integer(1..=BROKER_LIMIT), 1, 1);
    let doc = "Round-trip time that every broker adds.";
    let round_trip = fields.default("round_trip", doc, duration(), "0ms", Duration::ZERO);
    let brokers = u16::try_from(brokers?).unwrap_or(1);
    let round_trip = round_trip?;
    if round_trip > Duration::from_secs(60) {
        let at = fields.place_of("round_trip").unwrap_or_else(|| fields.at());
        fields.error(&at, "this round trip is longer than a minute", "requests would time out");
    }
    let round_trip_ms = u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX);
    Some(Kafka::Embedded { brokers, round_trip_ms })
}

fn external(fields: &mut Fields<'_>) -> Option<Kafka> {
    let doc = "Brokers to begin with: `host:port`, more of them separated by commas.";
    let bootstrap = fields.required("bootstrap", doc, text().located());
    let doc = "Properties of every client, as librdkafka spells them: security, timeouts.";
    let client = fields.default("client", doc, login::client_properties(), json!({}), Vec::new());
    let doc = "Where OAUTHBEARER tokens come from, if not by properties of `client`.";
    let token = fields.optional("token", doc, login::token());
    let nodes = brokers::nodes(fields);
    let consent = brokers::consent(fields, &Consent::default());
    for key in ["embedded", "container", "deploy"] {
        fields.elsewhere(key);
    }
    let nodes = nodes.map(|nodes| nodes.resolve(fields));
    let (bootstrap, client, token) = (bootstrap?, client?, token?);
    let sound = |address: &str| {
        let address = address.trim();
        let address = address.rsplit_once("://").map_or(address, |(_, rest)| rest);
        let port = address.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        matches!(port, Some((host, Ok(port))) if !host.is_empty() && port > 0)
    };
    if let Some(wrong) = bootstrap.value.split(',').find(|address| !sound(address)) {
        let message =
            format!("`{}` is not `host:port`", crate::config::shape::shortened(wrong.trim()));
        fields.error(&bootstrap.at, message, "for example `broker-1:9092,broker-2:9092`");
    }
    for property in &client {
        if let Some((message, help)) = super::client_mistake(&property.key.value) {
            fields.error(&property.key.at, message, help);
        }
    }
    Some(Kafka::External { bootstrap, client, token, nodes: nodes?, consent: consent? })
}

/// An entry of `hosts`, which may stand for several hosts.
fn host() -> impl Shape<Value = Vec<Host>> {
    tagged("a host")
        .variant("local", "This machine.", record("a local host", local))
        .variant("ssh", "Hosts over ssh.", record("a host over ssh", ssh::hosts))
        .variant(
            "container",
            "Containers of a Docker or Podman engine.",
            record("a host in containers", containers::hosts),
        )
}

fn local(fields: &mut Fields<'_>) -> Option<Vec<Host>> {
    let doc = "How many agents run on it.";
    let agents = fields.default("agents", doc, integer(1..=AGENT_LIMIT), 1, 1);
    let doc = "Labels that `on` of a producer or consumer may ask for.";
    let labels = fields.default("labels", doc, list(name(64)), json!([]), Vec::new());
    let at = fields.at();
    let agents = u32::try_from(agents?).unwrap_or(1);
    Some(vec![Host { kind: HostPlan::local(), name: None, agents, labels: labels?, at }])
}

fn deadlines(fields: &mut Fields<'_>) -> Option<Deadlines> {
    let default = Deadlines::default();
    let mut one = |key, doc: &str, default: Duration| {
        fields.default(key, doc, some_time(), format!("{}s", default.as_secs()), default)
    };
    let doc = "Starting containers, and pulling their images where the engine lacks them.";
    let containers = one("containers", doc, default.containers);
    let doc = "Reaching a host; starting an agent and hearing from it.";
    let connect = one("connect", doc, default.connect);
    let doc = "Bringing the agent's program to a host.";
    let deploy = one("deploy", doc, default.deploy);
    let topics = one("topics", "Reaching a broker and creating topics.", default.topics);
    let ready = one("ready", "Every consumer assigned and every probe seen.", default.ready);
    let silence =
        one("agent_silence", "Silence after which an agent counts as lost.", default.agent_silence);
    let finish = one("finish", "Flushing and closing clients after the load.", default.finish);
    let collect = one("collect", "Collecting logs.", default.collect);
    let teardown = one("teardown", "Deleting topics and ending agents.", default.teardown);
    let doc = "Undoing a fault, until the broker serves clients again.";
    let undo = one("undo", doc, default.undo);
    Some(Deadlines {
        containers: containers?,
        connect: connect?,
        deploy: deploy?,
        topics: topics?,
        ready: ready?,
        agent_silence: silence?,
        finish: finish?,
        collect: collect?,
        teardown: teardown?,
        undo: undo?,
    })
}

/// Whether nobody but this machine runs agents.
fn all_local(hosts: &[Host]) -> bool {
    hosts.iter().all(|host| host.kind.is_local())
}

/// The lease for a set of hosts that says nothing about it.
#[must_use]
pub fn default_lease(all_local: bool) -> Duration {
    if all_local { LOCAL_LEASE } else { REMOTE_LEASE }
}
