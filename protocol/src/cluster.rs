//! What the observing agent sees of the cluster at an interval's end: brokers, leaders, replicas in sync.
//! And what a line of a Kafka client's log means.

use crate::ids::TopicId;
use serde::{Deserialize, Serialize};

/// The cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSample {
    /// Every broker that is known, by id.
    pub brokers: Vec<BrokerSample>,
    /// Every partition of the case's topics; empty if no broker described them in time.
    pub partitions: Vec<PartitionSample>,
}

/// A broker at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerSample {
    /// Its id.
    pub id: i32,
    /// Why it did not answer; `None` if it did.
    pub problem: Option<BrokerProblem>,
}

/// Why a broker did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BrokerProblem {
    /// There is no connection to it, and why: `connection refused`.
    Unconnected(String),
    /// No answer came within the time of one sample. Once says little on a busy host.
    Silent,
}

/// A partition at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionSample {
    /// Its topic.
    pub topic: TopicId,
    /// The partition.
    pub partition: i32,
    /// Id of its leader; -1 for none.
    pub leader: i32,
    /// Replicas that it should have.
    pub replicas: u16,
    /// Replicas that are in sync.
    pub in_sync: u16,
}

/// The broker that a client's log line is about, and what happened to the connection to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The broker as the line names it: `127.0.0.1:9092/2`, `sasl_ssl://b-1:9094/bootstrap`.
    pub broker: &'a str,
    /// What happened, in words: `connection refused`.
    pub cause: &'static str,
}

impl Connection<'_> {
    /// The broker's id; `None` for an address that the client was given to start with.
    #[must_use]
    pub fn id(&self) -> Option<i32> {
        self.broker.rsplit_once('/')?.1.parse().ok()
    }

    /// The broker's address, without protocol and id.
    #[must_use]
    pub fn address(&self) -> &str {
        let address = self.broker.rsplit_once('/').map_or(self.broker, |(address, _)| address);
        address.rsplit_once("://").map_or(address, |(_, address)| address)
    }
}

/// What librdkafka writes of connections that fail, and what it means. The first that fits counts.
const CAUSES: [(&str, &str); 15] = [
    ("Connection refused", "connection refused"),
    ("Connection setup timed out", "no answer to a connection"),
    ("Operation timed out", "no answer to a connection"),
    ("Connection timed out", "no answer to a connection"),
    ("No route to host", "no route to the host"),
    ("Network is unreachable", "the network is unreachable"),
    ("Host is unreachable", "no route to the host"),
    ("Failed to resolve", "its name has no address"),
    ("SSL handshake failed", "the TLS handshake failed"),
    ("SASL authentication error", "the login was refused"),
    ("Connection reset by peer", "the broker closed the connection"),
    ("Disconnected", "the broker closed the connection"),
    ("Broken pipe", "the broker closed the connection"),
    ("request(s) timed out", "no answer to requests"),
    ("Timed out ", "no answer to requests"),
];

/// Reads what a line of librdkafka's log says of the connection to a broker; `None` if it is about
/// something else. What comes before the broker's name (client, facility, thread) may stand there or not.
#[must_use]
pub fn connection(line: &str) -> Option<Connection<'_>> {
    let is_broker = |part: &&str| {
        part.contains('/') && part.contains(':') && !part.contains([' ', '[', ']', '#'])
    };
    let broker = line.split(": ").find(is_broker)?;
    let rest = line.split_once(broker)?.1;
    let cause = CAUSES.iter().find(|(sign, _)| rest.contains(sign))?.1;
    Some(Connection { broker, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_connection_names_the_broker_and_the_cause() {
        let line = "FAIL: [thrd:127.0.0.1:9093/2]: 127.0.0.1:9093/2: Connect to ipv4#127.0.0.1:9093 \
                    failed: Connection refused (after 0ms in state CONNECT)";
        let found = connection(line).unwrap();
        assert_eq!((found.id(), found.address()), (Some(2), "127.0.0.1:9093"));
        assert_eq!(found.cause, "connection refused");
        assert_eq!(connection(&format!("shop-1: {line}")), Some(found));
        let bare = "sasl_ssl://b-1:9094/bootstrap: Disconnected (after 12ms in state UP)";
        let found = connection(bare).unwrap();
        assert_eq!((found.id(), found.address()), (None, "b-1:9094"));
        assert_eq!(found.cause, "the broker closed the connection");
    }

    #[test]
    fn other_lines_say_nothing_of_a_connection() {
        for line in ["3/3 brokers are down", "", "a: b", "REQTMOUT: [thrd:x]: something: else"] {
            assert_eq!(connection(line), None, "{line}");
        }
    }
}
