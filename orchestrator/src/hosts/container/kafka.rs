//! Kafka in containers: nodes that are brokers and controllers, on the run's network.
//!
//! Each node has three listeners: one for the containers of the run, one for everybody else, which the
//! engine publishes, and one for the controllers among each other. What a broker advertises has to be
//! known before it starts, so the published ports are chosen here; one that is taken is chosen anew.

use super::{
    Problem,
    engine::{Engine, said},
    exit_cause, hosts, labels,
};
use crate::scenario::cluster::KafkaContainers;
use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};
use mallard_protocol::workload::ClientProperties;
use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hasher, RandomState},
};

const INSIDE_PORT: u16 = 9092;
const CONTROLLER_PORT: u16 = 9093;
const OUTSIDE_PORT: u16 = 19092;

/// Ports that may be published, below the range from which kernels give ports to outgoing connections.
const PUBLISHED: std::ops::Range<u16> = 20_000..32_000;

/// How often a port that is taken is chosen anew.
const PORT_TRIES: usize = 8;

/// The address that stays on the engine's machine.
const LOOPBACK: &str = "127.0.0.1";

/// How a cluster in containers is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    inside: Vec<String>,
    outside: Vec<String>,
}

impl Addresses {
    /// For the containers of the run.
    pub(super) fn inside(&self) -> ClientProperties {
        vec![("bootstrap.servers".to_owned(), self.inside.join(","))]
    }

    /// One broker's, for everybody else.
    pub(super) fn outside_of(&self, id: i32) -> Option<&str> {
        let at = usize::try_from(id).ok()?.checked_sub(1)?;
        self.outside.get(at).map(String::as_str)
    }

    /// For everybody else.
    pub(super) fn outside(&self) -> ClientProperties {
        vec![("bootstrap.servers".to_owned(), self.outside.join(","))]
    }
}

/// Makes and starts all nodes. That they are ready, the agents find out.
///
/// # Errors
/// The first that could not be started.
pub(super) async fn start(
    engine: &Engine,
    plan: &KafkaContainers,
    run_id: &str,
    network: &str,
    container: impl Fn(&str) -> String,
) -> Result<Addresses, Problem> {
    let mut addresses = Addresses::default();
    for id in 1..=plan.brokers {
        let port =
            start_node(engine, plan, run_id, network, id, &container(&KafkaContainers::name(id)))
                .await?;
        addresses.inside.push(format!("{}:{INSIDE_PORT}", KafkaContainers::name(id)));
        addresses.outside.push(format!("{}:{port}", advertised(engine, plan)));
    }
    Ok(addresses)
}

/// Starts a node and returns its published port.
async fn start_node(
    engine: &Engine,
    plan: &KafkaContainers,
    run_id: &str,
    network: &str,
    id: u16,
    container: &str,
) -> Result<u16, Problem> {
    let what = format!("{} ({})", KafkaContainers::name(id), plan.image);
    let mut tries = PORT_TRIES;
    loop {
        let port = some_port();
        let body = node(engine, plan, run_id, network, id, port);
        let made = hosts::create(engine, container, body).await;
        let started = match made {
            Ok(()) => engine.api.start_container(container, None).await,
            Err(error) => Err(error),
        };
        let Err(error) = started else { return Ok(port) };
        let said = said(&error);
        let taken = said.contains("already allocated") || said.contains("already in use");
        tries -= 1;
        if !taken || tries == 0 {
            return Err(Problem::new(what, "starting it", &said, exit_cause::remedy(&said)));
        }
    }
}

fn some_port() -> u16 {
    let ports = u64::from(PUBLISHED.end - PUBLISHED.start);
    // The standard library seeds its hashers from the system's randomness.
    let random = RandomState::new().build_hasher().finish() % ports;
    PUBLISHED.start + u16::try_from(random).unwrap_or(0)
}

fn advertised<'a>(engine: &'a Engine, plan: &'a KafkaContainers) -> &'a str {
    plan.advertise.as_deref().unwrap_or(&engine.reached_at)
}

fn node(
    engine: &Engine,
    plan: &KafkaContainers,
    run_id: &str,
    network: &str,
    id: u16,
    port: u16,
) -> ContainerCreateBody {
    let name = KafkaContainers::name(id);
    let advertised = advertised(engine, plan);
    // A broker without passwords is shown to nobody who need not see it.
    let host_ip = (advertised == LOOPBACK).then(|| LOOPBACK.to_owned());
    let binding = PortBinding { host_ip, host_port: Some(port.to_string()) };
    let ports = HashMap::from([(format!("{OUTSIDE_PORT}/tcp"), Some(vec![binding]))]);
    let mut env: Vec<String> = settings(plan, id, &format!("{advertised}:{port}"))
        .iter()
        .map(|(key, value)| format!("{}={value}", variable(key)))
        .collect();
    env.push(format!("CLUSTER_ID={}", cluster_id(run_id)));
    env.extend(plan.env.iter().map(|(key, value)| format!("{key}={value}")));
    ContainerCreateBody {
        image: Some(plan.image.clone()),
        hostname: Some(name.clone()),
        env: Some(env),
        labels: Some(labels::of(run_id, &name)),
        exposed_ports: Some(vec![format!("{OUTSIDE_PORT}/tcp")]),
        networking_config: Some(hosts::on(network, &name)),
        host_config: Some(HostConfig {
            network_mode: Some(network.to_owned()),
            port_bindings: Some(ports),
            ..hosts::limited(plan.limits)
        }),
        ..ContainerCreateBody::default()
    }
}

/// The settings of a node. What the cluster file says wins, but for who and where a node is, which it
/// may not say.
fn settings(plan: &KafkaContainers, id: u16, outside: &str) -> BTreeMap<String, String> {
    let voters: Vec<String> = (1..=plan.brokers)
        .map(|id| format!("{id}@{}:{CONTROLLER_PORT}", KafkaContainers::name(id)))
        .collect();
    // Kafka's own defaults for internal topics want three brokers.
    let replicas = plan.brokers.min(3).to_string();
    let in_sync = plan.brokers.min(2).to_string();
    let own = [
        ("offsets.topic.replication.factor", replicas.clone()),
        ("transaction.state.log.replication.factor", replicas.clone()),
        ("transaction.state.log.min.isr", in_sync.clone()),
        ("share.coordinator.state.topic.replication.factor", replicas),
        ("share.coordinator.state.topic.min.isr", in_sync),
    ];
    let own = own.map(|(key, value)| (key.to_owned(), value));
    let place = [
        ("node.id", id.to_string()),
        ("process.roles", "broker,controller".to_owned()),
        ("controller.quorum.voters", voters.join(",")),
        (
            "listeners",
            format!(
                "INSIDE://:{INSIDE_PORT},OUTSIDE://:{OUTSIDE_PORT},CONTROLLER://:{CONTROLLER_PORT}"
            ),
        ),
        (
            "advertised.listeners",
            format!("INSIDE://{}:{INSIDE_PORT},OUTSIDE://{outside}", KafkaContainers::name(id)),
        ),
        (
            "listener.security.protocol.map",
            "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
        ),
        ("inter.broker.listener.name", "INSIDE".to_owned()),
        ("controller.listener.names", "CONTROLLER".to_owned()),
    ];
    let place = place.map(|(key, value)| (key.to_owned(), value));
    own.into_iter().chain(plan.config.iter().cloned()).chain(place).collect()
}

/// The variable by which Apache's image takes a setting.
fn variable(setting: &str) -> String {
    let name = setting.replace('_', "__").replace('-', "___").replace('.', "_");
    format!("KAFKA_{}", name.to_uppercase())
}

/// A cluster's id of 22 characters in URL-safe base64, the same for all nodes of a run.
fn cluster_id(run_id: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let digest = u64::from(mallard_protocol::stamp::run_fingerprint(run_id, "kafka"));
    let mut bytes = [0x4d; 16];
    bytes[8..].copy_from_slice(&digest.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::cluster::Limits;

    fn plan(brokers: u16, config: &[(&str, &str)]) -> KafkaContainers {
        let config = config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        KafkaContainers {
            image: "apache/kafka:4.1.1".to_owned(),
            brokers,
            config,
            advertise: None,
            limits: Limits::default(),
            env: Vec::new(),
        }
    }

    #[test]
    fn settings_are_spelled_as_apaches_image_reads_them() {
        assert_eq!(variable("num.network.threads"), "KAFKA_NUM_NETWORK_THREADS");
        assert_eq!(variable("a.b_c-d"), "KAFKA_A_B__C___D");
        assert_eq!(cluster_id("run").len(), 22);
    }

    #[test]
    fn internal_topics_fit_the_cluster_unless_it_is_told_otherwise() {
        let one = settings(&plan(1, &[]), 1, "127.0.0.1:20001");
        assert_eq!(one["offsets.topic.replication.factor"], "1");
        let five = settings(&plan(5, &[("transaction.state.log.min.isr", "3")]), 2, "h:20001");
        assert_eq!(five["offsets.topic.replication.factor"], "3");
        assert_eq!(five["transaction.state.log.min.isr"], "3");
        assert_eq!(five["advertised.listeners"], "INSIDE://broker-2:9092,OUTSIDE://h:20001");
        assert!(five["controller.quorum.voters"].ends_with(",5@broker-5:9093"));
    }
}
