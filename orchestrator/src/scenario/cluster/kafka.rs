//! Where Kafka is. What depends on it is asked here: nobody else distinguishes kinds.

use super::kinds::Limits;
use mallard_protocol::workload::ClientProperties;
use std::collections::BTreeSet;

/// The property that names brokers to begin with.
const BOOTSTRAP: &str = "bootstrap.servers";

/// Kinds of faults that a cluster file can allow, as it spells them.
pub const FAULTS: [&str; 5] = ["kill", "pause", "cut", "loss", "limit"];

/// Faults that the brokers may suffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consent(pub BTreeSet<&'static str>);

impl Consent {
    /// To everything.
    #[must_use]
    pub fn to_all() -> Self {
        Self(FAULTS.into())
    }
}

/// Where a broker of a cluster that is there runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerNode {
    /// The broker's id; `None` where the cluster has one alone.
    pub broker: Option<i32>,
    /// Its process on this machine.
    pub process: BrokerProcess,
}

/// How the process of a broker is found, and started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerProcess {
    /// The file with its id.
    pub pid_file: String,
    /// Program and arguments; none if nothing is known.
    pub start: Vec<String>,
}

/// A broker that can be harmed, and how it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerPlace<'a> {
    /// A process of this machine.
    Process(&'a BrokerProcess),
    /// A container of the run, by its name on the run's network.
    Container(String),
}

/// Where Kafka is, and what may be done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaPlan {
    kind: Kind,
    consent: Consent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Embedded(EmbeddedKafka),
    External { connection: ClientProperties, nodes: Vec<BrokerNode> },
    Containers(KafkaContainers),
}

/// librdkafka's mock cluster inside the agent that `AgentPlan::carries_broker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedKafka {
    /// Number of brokers.
    pub brokers: u16,
    /// Round-trip time added by every broker, in milliseconds.
    pub round_trip_ms: u32,
}

/// A cluster of Kafka in containers: nodes that are brokers and controllers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaContainers {
    /// The image, set up as Apache's own is.
    pub image: String,
    /// Number of brokers.
    pub brokers: u16,
    /// Settings of every broker, as `server.properties` spells them.
    pub config: Vec<(String, String)>,
    /// Where hosts outside the engine reach it, if that is said.
    pub advertise: Option<String>,
    /// What each broker may use.
    pub limits: Limits,
    /// Variables for the environment.
    pub env: Vec<(String, String)>,
}

impl KafkaContainers {
    /// Its nodes by the names that they have on the run's network: `broker-1`.
    pub fn names(&self) -> impl Iterator<Item = String> + use<> {
        (1..=self.brokers).map(Self::name)
    }

    /// The name of a node; they are numbered from 1.
    #[must_use]
    pub fn name(id: u16) -> String {
        format!("broker-{id}")
    }
}

impl KafkaPlan {
    /// A mock cluster inside an agent.
    #[must_use]
    pub fn embedded(brokers: u16, round_trip_ms: u32) -> Self {
        let kind = Kind::Embedded(EmbeddedKafka { brokers, round_trip_ms });
        Self { kind, consent: Consent::default() }
    }

    /// A cluster that is there, by the properties that every client gets first, `bootstrap.servers` among them.
    #[must_use]
    pub fn external(connection: ClientProperties) -> Self {
        Self { kind: Kind::External { connection, nodes: Vec::new() }, consent: Consent::default() }
    }

    /// A cluster that is started in containers for a run. How clients connect is known when it runs, and differs
    /// inside and outside the engine.
    #[must_use]
    pub fn in_containers(kafka: KafkaContainers) -> Self {
        Self { kind: Kind::Containers(kafka), consent: Consent::to_all() }
    }

    /// The same, with what may be done to it.
    #[must_use]
    pub fn consenting(self, consent: Consent) -> Self {
        Self { consent, ..self }
    }

    /// The same, with the places where brokers of a cluster that is there run.
    #[must_use]
    pub fn on_nodes(mut self, on: Vec<BrokerNode>) -> Self {
        if let Kind::External { nodes, .. } = &mut self.kind {
            *nodes = on;
        }
        self
    }

    /// Whether the cluster file allows a kind of fault.
    #[must_use]
    pub fn allows(&self, fault: &str) -> bool {
        self.consent.0.contains(fault)
    }

    /// Ids of the brokers that can be harmed; `None` for the only one of a cluster, whose id is not said.
    #[must_use]
    pub fn victims(&self) -> Vec<Option<i32>> {
        match &self.kind {
            Kind::Containers(kafka) => (1..=kafka.brokers).map(|id| Some(i32::from(id))).collect(),
            Kind::External { nodes, .. } => nodes.iter().map(|node| node.broker).collect(),
            Kind::Embedded(_) => Vec::new(),
        }
    }

    /// How a broker is found that is to be harmed; `None` if that is not known.
    #[must_use]
    pub fn broker(&self, id: i32) -> Option<BrokerPlace<'_>> {
        match &self.kind {
            Kind::Containers(kafka) => {
                let number = u16::try_from(id).ok().filter(|id| (1..=kafka.brokers).contains(id));
                number.map(|id| BrokerPlace::Container(KafkaContainers::name(id)))
            }
            Kind::External { nodes, .. } => {
                let of = |node: &&BrokerNode| node.broker.is_none_or(|broker| broker == id);
                nodes.iter().find(of).map(|node| BrokerPlace::Process(&node.process))
            }
            Kind::Embedded(_) => None,
        }
    }

    /// The host by whose one address all of several brokers are known, if that is so.
    #[must_use]
    pub fn shared_host(&self) -> Option<&str> {
        let Kind::External { connection, nodes } = &self.kind else { return None };
        let (_, bootstrap) = connection.iter().find(|(key, _)| key == BOOTSTRAP)?;
        let mut hosts = bootstrap.split(',').map(|address| {
            let address = address.trim();
            address.rsplit_once(':').map_or(address, |(host, _)| host)
        });
        let first = hosts.next()?;
        (nodes.len() > 1 && hosts.all(|host| host == first)).then_some(first)
    }

    /// Whether each broker that can be harmed can be started again.
    #[must_use]
    pub fn can_start_all(&self) -> bool {
        match &self.kind {
            Kind::External { nodes, .. } => nodes.iter().all(|node| !node.process.start.is_empty()),
            Kind::Containers(_) | Kind::Embedded(_) => true,
        }
    }

    /// Whether clients speak TLS with the brokers.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        let mut properties = self.client_properties().iter();
        properties.any(|(key, value)| {
            key == "security.protocol" && value.to_ascii_lowercase().ends_with("ssl")
        })
    }

    /// The mock cluster, if it is one.
    #[must_use]
    pub fn as_embedded(&self) -> Option<EmbeddedKafka> {
        match self.kind {
            Kind::Embedded(embedded) => Some(embedded),
            Kind::External { .. } | Kind::Containers(_) => None,
        }
    }

    /// Whether it is librdkafka's mock cluster and not Kafka.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.as_embedded().is_some()
    }

    /// What is started in containers, if it is.
    #[must_use]
    pub fn containers(&self) -> Option<&KafkaContainers> {
        match &self.kind {
            Kind::Containers(kafka) => Some(kafka),
            Kind::External { .. } | Kind::Embedded(_) => None,
        }
    }

    /// How clients connect with a cluster that is there; `None` for one that comes to be with a run and goes with it.
    #[must_use]
    pub fn connection(&self) -> Option<&ClientProperties> {
        match &self.kind {
            Kind::External { connection, .. } => Some(connection),
            Kind::Embedded(_) | Kind::Containers(_) => None,
        }
    }

    /// What the cluster file says of how clients connect; nothing where that is known only when Kafka runs.
    #[must_use]
    pub fn client_properties(&self) -> &[(String, String)] {
        self.connection().map_or(&[], Vec::as_slice)
    }

    /// Whether it comes to be with a run and goes with it.
    #[must_use]
    pub fn is_of_run(&self) -> bool {
        self.connection().is_none()
    }

    /// How many brokers it has, where the cluster file says that.
    #[must_use]
    pub fn brokers(&self) -> Option<u16> {
        match &self.kind {
            Kind::Embedded(embedded) => Some(embedded.brokers),
            Kind::Containers(kafka) => Some(kafka.brokers),
            Kind::External { .. } => None,
        }
    }

    /// What it is, for people: `embedded, 3 brokers`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Embedded(EmbeddedKafka { brokers: 1, .. }) => "embedded, 1 broker".to_owned(),
            Kind::Embedded(EmbeddedKafka { brokers, .. }) => format!("embedded, {brokers} brokers"),
            Kind::Containers(KafkaContainers { image, brokers: 1, .. }) => {
                format!("a container of {image}")
            }
            Kind::Containers(KafkaContainers { image, brokers, .. }) => {
                format!("{brokers} containers of {image}")
            }
            Kind::External { connection, .. } => {
                let bootstrap = connection.iter().find(|(key, _)| key == BOOTSTRAP);
                bootstrap.map(|(_, brokers)| brokers.clone()).unwrap_or_default()
            }
        }
    }
}
