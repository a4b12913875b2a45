//! The client properties that Mallard sets where nobody else does: one table for the agent, which applies
//! it, for the report, which shows it, and for `docs/clients.md`, which a test holds against it.
//!
//! Figures of a load test are to be those of the clients that engineers run, and most of these are Java's.
//! librdkafka's defaults differ from Java's in a few places that decide figures.
//!
//! Invariants: what a user has set, in the scenario or the cluster file, always wins, under whatever of
//! its names; and a default that would contradict it is left out.

use crate::workload::ClientProperties;
use serde::Serialize;

/// Which clients a property belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ClientKind {
    /// Those that send.
    Producer,
    /// Those that receive.
    Consumer,
}

/// A property of clients and what it is without anybody's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClientDefault {
    /// Its name in librdkafka.
    pub property: &'static str,
    /// Whose it is; `None` for that of all clients.
    pub kind: Option<ClientKind>,
    /// librdkafka's default.
    pub librdkafka: &'static str,
    /// The default of Kafka's Java client; with the property's name there if that is another one.
    pub java: &'static str,
    /// The value that Mallard's clients have.
    pub mallard: &'static str,
    /// Why.
    pub why: &'static str,
}

impl ClientDefault {
    /// Whether Mallard sets it: whether its value is not librdkafka's own in every version.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.librdkafka != self.mallard || PINNED.contains(&self.property)
    }
}

/// Set although the librdkafka of this build has the same default: with earlier ones, which an agent may
/// be linked with, Nagle's algorithm is on.
const PINNED: [&str; 1] = ["socket.nagle.disable"];

/// What Mallard sets for a client, given everything that is already set for it.
#[must_use]
pub fn defaults(kind: ClientKind, given: &ClientProperties) -> ClientProperties {
    let given = Given(given);
    let mine = TABLE.iter().filter(|row| row.kind.is_none_or(|of| of == kind));
    let set = mine.filter(|row| row.is_set() && given.leaves_open(row));
    set.map(|row| (row.property.to_owned(), row.mallard.to_owned())).collect()
}

/// The row of a property, by any of its names.
#[must_use]
pub fn row_of(property: &str) -> Option<&'static ClientDefault> {
    TABLE.iter().find(|row| row.property == canonical(property))
}

/// A property's name, where librdkafka has several.
fn canonical(property: &str) -> &str {
    match property {
        "max.in.flight.requests.per.connection" => "max.in.flight",
        "request.required.acks" => "acks",
        "message.send.max.retries" => "retries",
        "delivery.timeout.ms" => "message.timeout.ms",
        "queue.buffering.max.ms" => "linger.ms",
        other => other,
    }
}

/// Most requests in flight that an idempotent producer may have.
const IDEMPOTENT_IN_FLIGHT: f64 = 5.0;

/// What is set already.
struct Given<'a>(&'a ClientProperties);

impl Given<'_> {
    fn value(&self, property: &str) -> Option<&str> {
        let mut found = self.0.iter().rev();
        found.find(|(key, _)| canonical(key) == property).map(|(_, value)| value.as_str())
    }

    fn has(&self, property: &str) -> bool {
        self.value(property).is_some()
    }

    /// Whether a number is set that is at least this.
    fn at_least(&self, property: &str, least: f64) -> bool {
        let value = self.value(property).and_then(|value| value.trim().parse::<f64>().ok());
        value.is_some_and(|value| value >= least)
    }

    /// Whether a property is neither set nor ruled out by what is.
    fn leaves_open(&self, row: &ClientDefault) -> bool {
        if self.has(row.property) {
            return false;
        }
        let own: f64 = row.mallard.parse().unwrap_or(0.0);
        match row.property {
            "enable.idempotence" => self.allows_idempotence(),
            // Both follow from the time-out of transactions, and must not exceed it.
            "message.timeout.ms" => {
                !self.has("transactional.id") && !self.at_least("linger.ms", own)
            }
            "socket.timeout.ms" => {
                !self.has("transactional.id")
                    && !self.at_least("request.timeout.ms", own)
                    && !self.at_least("fetch.wait.max.ms", own - 1_000.0)
            }
            // Each must fit the other.
            "reconnect.backoff.ms" => !self.has("reconnect.backoff.max.ms"),
            "reconnect.backoff.max.ms" => !self.has("reconnect.backoff.ms"),
            _ => true,
        }
    }

    /// As in the Java client, which leaves idempotence out where something else that is set needs that.
    fn allows_idempotence(&self) -> bool {
        let acks = self.value("acks").is_none_or(|acks| matches!(acks.trim(), "all" | "-1"));
        let retries = self.value("retries").is_none_or(|retries| retries.trim() != "0");
        let fifo = self.value("queuing.strategy").is_none_or(|queuing| queuing == "fifo");
        acks && retries
            && fifo
            && !self.at_least("max.in.flight", IDEMPOTENT_IN_FLIGHT + 1.0)
            && !self.at_least("queue.buffering.backpressure.threshold", 2.0)
            && !self.has("transactional.id")
    }
}

/// Properties that were looked at, first those of all clients, then producers', then consumers'. Where
/// nothing is set, the reason why not.
pub const TABLE: &[ClientDefault] = &[
    row(
        None,
        "socket.nagle.disable",
        ["true", "true (always)", "true"],
        "small requests must not wait for the acknowledgement of earlier ones, which over TLS costs tens of milliseconds; set also where it is the default, which it is not in earlier versions",
    ),
    row(
        None,
        "socket.keepalive.enable",
        ["false", "true (always)", "true"],
        "a connection that a firewall or a lost host dropped is noticed by the kernel, also when it is idle",
    ),
    row(
        None,
        "socket.timeout.ms",
        ["60000", "30000 (request.timeout.ms)", "30000"],
        "decides how long a request to a broker that hangs holds its records back before it is sent again",
    ),
    row(
        None,
        "reconnect.backoff.ms",
        ["100", "50", "50"],
        "decides how soon a broker that came back is used again",
    ),
    row(
        None,
        "reconnect.backoff.max.ms",
        ["10000", "1000", "1000"],
        "decides how soon a broker that came back is used again: up to ten seconds of an outage would be the client's own",
    ),
    row(
        None,
        "socket.connection.setup.timeout.ms",
        ["30000", "10000", "30000"],
        "not set: here it covers TLS and login as well, in Java the TCP connection alone",
    ),
    row(
        None,
        "socket.send.buffer.bytes",
        ["0", "131072 (send.buffer.bytes)", "0"],
        "not set: the kernel sizes buffers by the wire; a fixed size would limit far brokers",
    ),
    row(
        None,
        "socket.receive.buffer.bytes",
        ["0", "32768, consumers 65536 (receive.buffer.bytes)", "0"],
        "not set: as for sending",
    ),
    row(
        None,
        "connections.max.idle.ms",
        ["0", "540000", "0"],
        "not set: brokers close idle connections themselves after ten minutes",
    ),
    row(
        None,
        "topic.metadata.refresh.interval.ms",
        ["300000", "300000 (metadata.max.age.ms)", "300000"],
        "the same",
    ),
    row(None, "retry.backoff.ms", ["100", "100", "100"], "the same"),
    row(None, "retry.backoff.max.ms", ["1000", "1000", "1000"], "the same"),
    row(
        CONSUMER,
        "allow.auto.create.topics",
        ["false", "true", "false"],
        "not set: a misspelt topic is to be an error and not a new topic",
    ),
    row(
        PRODUCER,
        "enable.idempotence",
        ["false", "true", "true"],
        "a request that is sent again leaves no duplicate and keeps the order, so that neither is blamed on the cluster; left out where `acks`, `retries` or requests in flight that are set exclude it",
    ),
    row(
        PRODUCER,
        "max.in.flight",
        ["1000000", "5 (max.in.flight.requests.per.connection)", "5"],
        "what a slow broker cannot take yet waits in the client and goes in larger batches; without a limit it waits in thousands of small requests at the broker",
    ),
    row(
        PRODUCER,
        "message.timeout.ms",
        ["300000", "120000 (delivery.timeout.ms)", "120000"],
        "decides how many records fail in a long outage; with transactions it follows from their own time-out",
    ),
    row(
        PRODUCER,
        "partitioner",
        ["consistent_random", "murmur2 of the key, sticky without", "murmur2_random"],
        "a key goes to the partition to which Java's client sends it, so a partition that is hot in production is hot in the test; records without keys are dealt out by Mallard",
    ),
    row(PRODUCER, "acks", ["-1", "all", "-1"], "the same"),
    row(PRODUCER, "linger.ms", ["5", "5 (0 before Kafka 4.0)", "5"], "the same"),
    row(PRODUCER, "request.timeout.ms", ["30000", "30000", "30000"], "the same"),
    row(PRODUCER, "retries", ["2147483647", "2147483647", "2147483647"], "the same"),
    row(PRODUCER, "compression.codec", ["none", "none (compression.type)", "none"], "the same"),
    row(
        PRODUCER,
        "batch.size",
        ["1000000", "16384", "1000000"],
        "not set: a request of Java's carries a batch of every partition, one of librdkafka's a single batch, which with this limit would be a small request",
    ),
    row(
        PRODUCER,
        "batch.num.messages",
        ["10000", "none", "10000"],
        "not set: Java has no such limit",
    ),
    row(
        PRODUCER,
        "message.max.bytes",
        ["1000000", "1048576 (max.request.size)", "1000000"],
        "not set: whoever sends larger records says so, as with Java",
    ),
    row(
        PRODUCER,
        "queue.buffering.max.messages",
        ["100000", "none", "100000"],
        "not set: Java limits bytes alone, at 32 MiB, which is 100,000 records of 330 B; what waits beyond is counted as backpressure in both",
    ),
    row(
        PRODUCER,
        "queue.buffering.max.kbytes",
        ["1048576", "32768 (buffer.memory)", "1048576"],
        "not set: the limit of records is reached before, with records below 10 kB",
    ),
    row(PRODUCER, "transaction.timeout.ms", ["60000", "60000", "60000"], "the same"),
    row(
        CONSUMER,
        "fetch.error.backoff.ms",
        ["500", "100 (retry.backoff.ms)", "100"],
        "decides how soon a partition is read again after its leader moved",
    ),
    row(
        CONSUMER,
        "fetch.queue.backoff.ms",
        ["1000", "none", "10"],
        "a fast consumer empties a full queue in less than the second after which it is fetched for again, and would stand idle, which Java's never does",
    ),
    row(CONSUMER, "fetch.wait.max.ms", ["500", "500 (fetch.max.wait.ms)", "500"], "the same"),
    row(CONSUMER, "fetch.min.bytes", ["1", "1", "1"], "the same"),
    row(CONSUMER, "fetch.max.bytes", ["52428800", "52428800", "52428800"], "the same"),
    row(
        CONSUMER,
        "fetch.message.max.bytes",
        ["1048576", "1048576 (max.partition.fetch.bytes)", "1048576"],
        "the same",
    ),
    row(
        CONSUMER,
        "queued.min.messages",
        ["100000", "none", "100000"],
        "not set: how far the client reads ahead; Java keeps one answer of each broker, and a fast reader sees no difference",
    ),
    row(
        CONSUMER,
        "queued.max.messages.kbytes",
        ["65536", "none", "65536"],
        "not set: as before, in bytes",
    ),
    row(
        CONSUMER,
        "check.crcs",
        ["false", "true", "false"],
        "not set: it costs the agent CPU time and changes no figure of the brokers",
    ),
    row(
        CONSUMER,
        "isolation.level",
        ["read_committed", "read_uncommitted", "read_committed"],
        "not set: records of aborted transactions are to be read only where `isolation` says so",
    ),
    row(
        CONSUMER,
        "partition.assignment.strategy",
        ["range,roundrobin", "range, cooperative-sticky", "range,roundrobin"],
        "not set: both choose range",
    ),
    row(CONSUMER, "session.timeout.ms", ["45000", "45000", "45000"], "the same"),
    row(CONSUMER, "heartbeat.interval.ms", ["3000", "3000", "3000"], "the same"),
    row(CONSUMER, "max.poll.interval.ms", ["300000", "300000", "300000"], "the same"),
];

const PRODUCER: Option<ClientKind> = Some(ClientKind::Producer);
const CONSUMER: Option<ClientKind> = Some(ClientKind::Consumer);

/// A row: librdkafka's, Java's and Mallard's value.
const fn row(
    kind: Option<ClientKind>,
    property: &'static str,
    [librdkafka, java, mallard]: [&'static str; 3],
    why: &'static str,
) -> ClientDefault {
    ClientDefault { property, kind, librdkafka, java, mallard, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn given(pairs: &[(&str, &str)]) -> ClientProperties {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn set(kind: ClientKind, pairs: &[(&str, &str)]) -> BTreeSet<String> {
        defaults(kind, &given(pairs)).into_iter().map(|(key, _)| key).collect()
    }

    fn of_producer(pairs: &[(&str, &str)]) -> BTreeSet<String> {
        set(ClientKind::Producer, pairs)
    }

    #[test]
    fn without_anything_set_clients_get_all_that_is_theirs() {
        let producer = defaults(ClientKind::Producer, &given(&[]));
        assert!(producer.contains(&("max.in.flight".to_owned(), "5".to_owned())), "{producer:?}");
        assert!(producer.contains(&("enable.idempotence".to_owned(), "true".to_owned())));
        assert!(!producer.iter().any(|(key, _)| key.starts_with("fetch.")));
        let consumer = set(ClientKind::Consumer, &[]);
        assert!(consumer.contains("fetch.error.backoff.ms") && !consumer.contains("max.in.flight"));
    }

    #[test]
    fn what_is_set_wins_under_all_its_names() {
        for row in TABLE.iter().filter(|row| row.is_set()) {
            let kind = row.kind.unwrap_or(ClientKind::Producer);
            assert!(!set(kind, &[(row.property, "7")]).contains(row.property), "{}", row.property);
        }
        let names = [
            ("max.in.flight.requests.per.connection", "max.in.flight"),
            ("delivery.timeout.ms", "message.timeout.ms"),
        ];
        for (name, property) in names {
            assert!(!of_producer(&[(name, "3")]).contains(property), "{name}");
        }
    }

    #[test]
    fn idempotence_gives_way_to_what_excludes_it() {
        let excluding = [
            ("acks", "0"),
            ("request.required.acks", "1"),
            ("retries", "0"),
            ("message.send.max.retries", "0"),
            ("max.in.flight", "6"),
            ("queuing.strategy", "lifo"),
            ("queue.buffering.backpressure.threshold", "10"),
            ("transactional.id", "t"),
        ];
        for pair in excluding {
            assert!(!of_producer(&[pair]).contains("enable.idempotence"), "{pair:?}");
        }
        for pair in [("acks", "all"), ("acks", "-1"), ("max.in.flight", "5"), ("retries", "3")] {
            assert!(of_producer(&[pair]).contains("enable.idempotence"), "{pair:?}");
        }
        // Requests in flight stay limited without idempotence.
        assert!(of_producer(&[("acks", "1")]).contains("max.in.flight"));
    }

    #[test]
    fn time_outs_give_way_to_those_that_they_must_fit() {
        let transactional = of_producer(&[("transactional.id", "t")]);
        assert!(!transactional.contains("message.timeout.ms"));
        assert!(!transactional.contains("socket.timeout.ms"));
        assert!(!of_producer(&[("linger.ms", "120000")]).contains("message.timeout.ms"));
        assert!(!of_producer(&[("request.timeout.ms", "60000")]).contains("socket.timeout.ms"));
        let waits = set(ClientKind::Consumer, &[("fetch.wait.max.ms", "30000")]);
        assert!(!waits.contains("socket.timeout.ms"));
        let backs_off = of_producer(&[("reconnect.backoff.ms", "5000")]);
        assert!(!backs_off.contains("reconnect.backoff.max.ms"));
    }

    #[test]
    fn the_table_in_the_documentation_is_this_one() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/clients.md");
        let page = std::fs::read_to_string(page).unwrap();
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let expected: Vec<String> = TABLE.iter().map(line).collect();
        assert_eq!(rows, expected, "the rows should read:\n{}\n", expected.join("\n"));
    }

    fn line(row: &ClientDefault) -> String {
        let mallard =
            if row.is_set() { format!("**{}**", row.mallard) } else { row.mallard.to_owned() };
        let ClientDefault { property, librdkafka, java, why, .. } = row;
        format!("| `{property}` | {librdkafka} | {java} | {mallard} | {why} |")
    }
}
