//! The embedded broker: librdkafka's mock cluster, on 127.0.0.1.
//!
//! It is for rehearsals and a first try. It keeps everything in memory, and of each partition the last
//! 5 MB or 100,000 records, whatever comes first; a consumer that falls further behind loses records.
//! It knows groups and transactions, but neither topic configuration nor the creation or deletion of
//! topics by request. Every process on the machine can connect to it, none from elsewhere.

use mallard_protocol::{
    message::{AgentFailure, FailureKind},
    workload::TopicSpec,
};
use rdkafka::{
    ClientConfig,
    bindings::{rd_kafka_handle_mock_cluster, rd_kafka_mock_group_initial_rebalance_delay_ms},
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    mocking::MockCluster,
    producer::{BaseProducer, DefaultProducerContext, Producer},
};
use std::time::Duration;

/// Most brokers that one agent embeds: each is a listening socket, and librdkafka serves all of them
/// with one thread.
const MOST_BROKERS: u16 = 16;

/// How long a new group waits for more members, in milliseconds: enough for all agents to join at once,
/// because the mock cluster takes a member that comes later in only when a session times out. Zero
/// would mean that it never starts.
const GROUP_DELAY_MS: i32 = 500;

/// A running embedded broker. It ends when this is dropped.
pub struct EmbeddedBroker {
    /// The client that librdkafka's mock cluster belongs to. It makes no load.
    client: BaseProducer,
}

impl EmbeddedBroker {
    /// Starts brokers.
    ///
    /// # Errors
    /// A number of brokers that makes no sense, or librdkafka's reason.
    pub fn start(brokers: u16, round_trip: Duration) -> Result<Self, AgentFailure> {
        if brokers == 0 || brokers > MOST_BROKERS {
            return Err(failure(format!(
                "start an embedded broker: 1 to {MOST_BROKERS} brokers, not {brokers}"
            )));
        }
        let client: BaseProducer = ClientConfig::new()
            .set("client.id", "mallard-broker")
            .set("test.mock.num.brokers", brokers.to_string())
            .set_log_level(RDKafkaLogLevel::Emerg)
            .create()
            .map_err(|error| broken("start an embedded broker", &error))?;
        let broker = Self { client };
        broker
            .cluster()?
            .broker_round_trip_time(-1, round_trip)
            .map_err(|error| broken("set the embedded broker's round-trip time", &error))?;
        broker.start_groups_soon();
        Ok(broker)
    }

    /// Where it listens: `bootstrap.servers`.
    ///
    /// # Errors
    /// librdkafka has no cluster.
    pub fn bootstrap_servers(&self) -> Result<String, AgentFailure> {
        Ok(self.cluster()?.bootstrap_servers())
    }

    /// Makes topics. Those that are there already stay as they are.
    ///
    /// # Errors
    /// librdkafka's reason, naming the topic.
    pub fn create_topics(&self, topics: &[TopicSpec]) -> Result<(), AgentFailure> {
        let cluster = self.cluster()?;
        for topic in topics {
            let replication = topic.replication.map_or(1, i32::from);
            match cluster.create_topic(&topic.name, topic.partitions, replication) {
                Ok(()) | Err(KafkaError::MockCluster(RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err(error) => {
                    let doing = format!("create topic {} on the embedded broker", topic.name);
                    return Err(broken(&doing, &error));
                }
            }
        }
        Ok(())
    }

    fn cluster(&self) -> Result<MockCluster<'_, DefaultProducerContext>, AgentFailure> {
        let cluster = self.client.client().mock_cluster();
        cluster.ok_or_else(|| failure("reach the embedded broker: it is not there".into()))
    }

    /// By default a group waits for 3 s for more members before it starts.
    fn start_groups_soon(&self) {
        // SAFETY: the client is alive and owns the cluster, whose pointer is used at once; a null
        // pointer (no cluster) is checked for.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(self.client.client().native_ptr());
            if !cluster.is_null() {
                rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, GROUP_DELAY_MS);
            }
        }
    }
}

fn failure(text: String) -> AgentFailure {
    AgentFailure { kind: FailureKind::Other, text }
}

fn broken(doing: &str, error: &KafkaError) -> AgentFailure {
    failure(format!("{doing}: {error}"))
}
