//! A cluster file, read.

use crate::{
    bounds::Written,
    config::{
        Diagnostic,
        shape::{Located, Property},
        source::{Place, Source},
    },
    scenario::{
        cluster::{
            kafka::{BrokerNode, Consent, KafkaContainers, KafkaPlan},
            kinds::{Deadlines, HostPlan},
        },
        login::TokenCommand,
    },
};
use mallard_protocol::workload::{ClientProperties, TOKEN_COMMAND};
use serde_json::json;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Most agents on one host, and brokers in one agent.
pub(super) const AGENT_LIMIT: u64 = 64;

pub(super) const BROKER_LIMIT: u64 = 16;

/// A cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The file.
    pub source: Arc<Source>,
    /// Where Kafka is.
    pub kafka: KafkaPlan,
    /// The hosts, in the order of the file.
    pub hosts: Vec<Host>,
    /// How long agents go on without a controller.
    pub lease: Duration,
    /// How long each step may take.
    pub deadlines: Deadlines,
    /// Bounds to lay over those of a scenario.
    pub bounds: Option<Written>,
    /// Values that must never be written anywhere.
    pub secrets: Vec<String>,
    /// The file for the archive: secrets removed.
    pub yaml: String,
    /// Where the connection's properties are written.
    pub connection_places: Vec<(String, Place)>,
    /// Files of this machine that ssh is told of, as keys call them, and where they are written. What begins with
    /// `~` is ssh's to find.
    pub ssh_files: Vec<(&'static str, PathBuf, Place)>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// What it is.
    pub kind: HostPlan,
    /// Its name, where the file gives it one.
    pub name: Option<String>,
    /// How many agents run on it.
    pub agents: u32,
    /// Its labels.
    pub labels: Vec<String>,
    /// Where it is written.
    pub at: Place,
}

#[derive(Clone)]
pub(super) enum Kafka {
    Embedded {
        brokers: u16,
        round_trip_ms: u32,
    },
    External {
        bootstrap: Located<String>,
        client: Vec<Property>,
        token: Option<TokenCommand>,
        nodes: Vec<BrokerNode>,
        consent: Consent,
    },
    Containers(KafkaContainers, Consent),
}

impl Kafka {
    pub(super) fn plan(self) -> KafkaPlan {
        match self {
            Self::Embedded { brokers, round_trip_ms } => {
                KafkaPlan::embedded(brokers, round_trip_ms)
            }
            Self::Containers(containers, consent) => {
                KafkaPlan::in_containers(containers).consenting(consent)
            }
            Self::External { bootstrap, client, token, nodes, consent } => {
                let mut connection: ClientProperties =
                    vec![("bootstrap.servers".to_owned(), bootstrap.value)];
                connection.extend(client.into_iter().map(|p| (p.key.value, p.value.value)));
                connection.extend(
                    token.map(|it| (TOKEN_COMMAND.to_owned(), json!(it.words).to_string())),
                );
                KafkaPlan::external(connection).on_nodes(nodes).consenting(consent)
            }
        }
    }
}
