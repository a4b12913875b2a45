//! Where Kafka is. What depends on it is asked here: nobody else tells one kind from another.

use super::kinds::Limits;
use mallard_protocol::workload::ClientProperties;

/// The property that names brokers to begin with.
const BOOTSTRAP: &str = "bootstrap.servers";

/// Where Kafka is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaPlan(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Embedded(EmbeddedKafka),
    External { connection: ClientProperties },
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
        Self(Kind::Embedded(EmbeddedKafka { brokers, round_trip_ms }))
    }

    /// A cluster that is there, by the properties that every client gets first, `bootstrap.servers` among them.
    #[must_use]
    pub fn external(connection: ClientProperties) -> Self {
        Self(Kind::External { connection })
    }

    /// A cluster that is started in containers for a run. How clients connect is known when it runs, and differs
    /// inside and outside the engine.
    #[must_use]
    pub fn in_containers(kafka: KafkaContainers) -> Self {
        Self(Kind::Containers(kafka))
    }

    /// The mock cluster, if it is one.
    #[must_use]
    pub fn as_embedded(&self) -> Option<EmbeddedKafka> {
        match self.0 {
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
        match &self.0 {
            Kind::Containers(kafka) => Some(kafka),
            Kind::External { .. } | Kind::Embedded(_) => None,
        }
    }

    /// How clients connect with a cluster that is there; `None` for one that comes to be with a run and goes with it.
    #[must_use]
    pub fn connection(&self) -> Option<&ClientProperties> {
        match &self.0 {
            Kind::External { connection } => Some(connection),
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
        match &self.0 {
            Kind::Embedded(embedded) => Some(embedded.brokers),
            Kind::Containers(kafka) => Some(kafka.brokers),
            Kind::External { .. } => None,
        }
    }

    /// What it is, for people: `embedded, 3 brokers`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.0 {
            Kind::Embedded(EmbeddedKafka { brokers: 1, .. }) => "embedded, 1 broker".to_owned(),
            Kind::Embedded(EmbeddedKafka { brokers, .. }) => format!("embedded, {brokers} brokers"),
            Kind::Containers(KafkaContainers { image, brokers: 1, .. }) => {
                format!("a container of {image}")
            }
            Kind::Containers(KafkaContainers { image, brokers, .. }) => {
                format!("{brokers} containers of {image}")
            }
            Kind::External { connection } => {
                let bootstrap = connection.iter().find(|(key, _)| key == BOOTSTRAP);
                bootstrap.map(|(_, brokers)| brokers.clone()).unwrap_or_default()
            }
        }
    }
}
