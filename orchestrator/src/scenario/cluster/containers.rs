//! Containers in a cluster file: those that agents run in, and those that Kafka runs in.

use super::{AGENT_LIMIT, BROKER_LIMIT, Host, Kafka, brokers, kafka::Consent};
use crate::{
    config::shape::{
        Fields, Property, ScalarShape, integer, list, name, number, properties, quantity::size,
        scalar, shortened, text, units::Wrong,
    },
    scenario::cluster::{ContainerPlan, HostPlan, KafkaContainers, Limits},
};
use serde_json::json;

/// Most containers of one entry.
const COUNT_LIMIT: u64 = 256;

/// Least memory of a container: engines refuse less than 6 MiB.
const LEAST_MEMORY: u64 = 6 * 1024 * 1024;
const MOST_MEMORY: u64 = 1 << 50;

/// Settings of a broker that say who and where it is: Mallard gives them.
const SETTINGS_OF_MALLARD: [&str; 9] = [
    "advertised.listeners",
    "broker.id",
    "controller.listener.names",
    "controller.quorum.voters",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "listeners",
    "node.id",
    "process.roles",
];

/// Containers for agents: one host each.
pub(super) fn hosts(fields: &mut Fields<'_>) -> Option<Vec<Host>> {
    let image = fields.required(
        "image",
        "It needs a C library, and is pulled where the engine lacks it.",
        reference(),
    );
    let count =
        fields.default("count", "How many such containers.", integer(1..=COUNT_LIMIT), 1, 1);
    let doc = "How many agents run in each.";
    let agents = fields.default("agents", doc, integer(1..=AGENT_LIMIT), 1, 1);
    let doc = "Labels that `on` of a producer or consumer may ask for.";
    let labels = fields.default("labels", doc, list(name(64)), json!([]), Vec::new());
    let network = fields.optional(
        "network",
        "A network of the engine that is there, or `host`; else each run makes one of its own.",
        name(128),
    );
    let limits = limits(fields);
    let volumes = fields.default(
        "volumes",
        "Folders and volumes for the container: `SOURCE:TARGET` or `SOURCE:TARGET:ro`.",
        list(volume()),
        json!([]),
        Vec::new(),
    );
    let env = env(fields);
    let at = fields.at();
    let container = ContainerPlan {
        image: image?,
        network: network?,
        limits: limits?,
        volumes: volumes?,
        env: env?,
    };
    let host = Host {
        name: None,
        kind: HostPlan::container(container),
        agents: u32::try_from(agents?).unwrap_or(1),
        labels: labels?,
        at,
    };
    Some(vec![host; usize::try_from(count?).unwrap_or(1)])
}

/// A cluster of Kafka in containers.
pub(super) fn kafka(fields: &mut Fields<'_>) -> Option<Kafka> {
    let doc = "An image that is set up as Apache's own is: `apache/kafka:4.1.1`.";
    let image = fields.required("image", doc, reference());
    let doc = "Number of brokers; each is a controller, too.";
    let brokers = fields.default("brokers", doc, integer(1..=BROKER_LIMIT), 1, 1);
    let doc = "Settings of every broker, as in `server.properties`.";
    let config =
        fields.default("config", doc, properties("broker settings"), json!({}), Vec::new());
    let advertise = fields.optional(
        "advertise",
        "Name or address under which hosts outside the engine reach it; by default the engine's, \
         which is 127.0.0.1 for one on this machine.",
        text(),
    );
    let limits = limits(fields);
    let env = env(fields);
    let consent = brokers::consent(fields, &Consent::to_all());
    let config = config?;
    for property in &config {
        let key = &*property.key.value;
        if SETTINGS_OF_MALLARD.contains(&key) {
            let message = format!("`{key}` is set by mallard");
            let help = "it says who and where a broker is; `brokers` and `advertise` decide that";
            fields.error(&property.key.at, message, help);
        }
    }
    let containers = KafkaContainers {
        image: image?,
        brokers: u16::try_from(brokers?).unwrap_or(1),
        config: pairs(config),
        advertise: advertise?,
        limits: limits?,
        env: env?,
    };
    Some(Kafka::Containers(containers, consent?))
}

fn limits(fields: &mut Fields<'_>) -> Option<Limits> {
    let doc = "How many processors each may use at most: `1.5`. Default: all.";
    let cpus = fields.optional("cpus", doc, number(0.01, 4096.0));
    let doc = "How much memory each may use at most: `512MiB`. Default: all.";
    let memory = fields.optional("memory", doc, size(LEAST_MEMORY..=MOST_MEMORY));
    Some(Limits { nano_cpus: cpus?.map(nano), memory_bytes: memory? })
}

/// Billionths of a processor, as engines count them.
fn nano(cpus: f64) -> u64 {
    // At most 4096e9, which a float holds exactly.
    (cpus * 1e9).round() as u64
}

fn env(fields: &mut Fields<'_>) -> Option<Vec<(String, String)>> {
    let doc = "Variables for the container's environment.";
    let shape = properties("environment variables");
    fields.default("env", doc, shape, json!({}), Vec::new()).map(pairs)
}

fn pairs(properties: Vec<Property>) -> Vec<(String, String)> {
    properties.into_iter().map(|p| (p.key.value, p.value.value)).collect()
}

/// The name of an image.
fn reference() -> ScalarShape<String> {
    scalar("an image such as `debian:12-slim`", json!({"type": "string", "minLength": 1}), |s| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        let begins = s.text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins && s.text.chars().all(legal) {
            return Ok(s.text.clone());
        }
        let help = "an image is `name`, `name:tag` or `name@sha256:…`, possibly behind a registry";
        Err(Wrong::new(format!("`{}` cannot be an image", shortened(&s.text)), help))
    })
}

/// `SOURCE:TARGET` or `SOURCE:TARGET:MODE`.
fn volume() -> ScalarShape<String> {
    let pattern = "^[^:]+:/[^:]*(:[a-zA-Z,]+)?$";
    scalar("`SOURCE:TARGET`", json!({"type": "string", "pattern": pattern}), |s| {
        let parts: Vec<&str> = s.text.split(':').collect();
        let sound = matches!(parts.as_slice(), [source, target] | [source, target, _]
            if !source.is_empty() && target.starts_with('/') && !parts.contains(&""));
        if sound {
            return Ok(s.text.clone());
        }
        let help =
            "`/srv/data:/data`, `/srv/data:/data:ro`, or `name:/data`; the target is absolute";
        Err(Wrong::new(format!("`{}` is not a volume", shortened(&s.text)), help))
    })
}
