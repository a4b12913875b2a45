//! Client properties: checked before any load, and completed with what the engine needs.

use super::stats;
use crate::librdkafka::{Client, Config, Kind, PropertyError, contradiction, is_secret, redact};
use mallard_protocol::{
    clients::{self, ClientKind},
    private_file,
    workload::{
        Assignment, ClientProperties, CommitPolicy, ConsumerSpec, Membership, ProducerSpec,
        StartFrom,
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// Tries every property on its own, and then all together, without a network.
///
/// # Errors
/// Each property that librdkafka refuses, with its reason. Of a contradiction between several, one that
/// the reason names; an empty key if it names none.
pub fn check_properties(
    connection: &ClientProperties,
    kind: Kind,
    client: &ClientProperties,
) -> Result<(), Vec<(String, String)>> {
    let all = || connection.iter().chain(client);
    let refused: Vec<_> = all()
        .filter_map(|(key, value)| Config::accepts(key, value).err())
        .map(|PropertyError { key, reason }| (key, reason))
        .collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    let together = completed(kind, all().cloned().collect());
    contradiction(kind, &together).map_err(|error| {
        // `acks` in back quotes, ssl.certificate.location without any.
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._".contains(c);
        let words = error.reason.split(|c| !is_part(c));
        let dotted: Vec<&str> = words.filter(|word| word.contains('.')).collect();
        let named = |(key, _): &&(String, String)| {
            error.reason.contains(&format!("`{key}`")) || dotted.contains(&key.as_str())
        };
        let key = client.iter().find(named).or_else(|| connection.iter().find(named));
        let secrets = all().filter(|(key, _)| is_secret(key)).map(|(_, value)| value.as_str());
        vec![(key.map_or_else(String::new, |(key, _)| key.clone()), redact(&error.reason, secrets))]
    })
}

/// How long a partition is kept, in milliseconds.
const STICKY: &str = "sticky.partitioning.linger.ms";

/// What a reader asks about a producer, whether somebody has set it or not.
const ASKED_OF_PRODUCERS: &[&str] = &[
    "acks",
    "batch.num.messages",
    "batch.size",
    "compression.codec",
    "enable.idempotence",
    "linger.ms",
    "max.in.flight",
    "message.max.bytes",
    "message.timeout.ms",
    "partitioner",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "request.timeout.ms",
    "retries",
    STICKY,
    "transaction.timeout.ms",
];

/// The same of a consumer.
const ASKED_OF_CONSUMERS: &[&str] = &[
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "check.crcs",
    "enable.auto.commit",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "group.protocol",
    "heartbeat.interval.ms",
    "isolation.level",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "session.timeout.ms",
];

/// The same of both.
const ASKED_OF_ALL: &[&str] = &[
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "security.protocol",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "statistics.interval.ms",
];

/// Everything that was set, and what the client does where nothing was. Secrets are masked.
pub(crate) fn in_effect(kind: Kind, client: &Client, set: &ClientProperties) -> ClientProperties {
    let asked = match kind {
        Kind::Producer => ASKED_OF_PRODUCERS,
        Kind::Consumer => ASKED_OF_CONSUMERS,
    };
    // A file that came along has a name, where the client has a path of the moment.
    let files: HashMap<&str, &str> = set
        .iter()
        .filter(|(_, value)| private_file::shown(value) != value)
        .map(|(key, value)| (key.as_str(), private_file::shown(value)))
        .collect();
    let set = set.iter().map(|(key, _)| key.as_str());
    let keys: BTreeSet<&str> = set.chain(asked.iter().chain(ASKED_OF_ALL).copied()).collect();
    let shown = keys.into_iter().filter_map(|key| {
        let named = files.get(key).map(|name| (*name).to_owned());
        let value = named.or_else(|| client.property(key)).filter(|value| !value.is_empty())?;
        Some((key.to_owned(), if is_secret(key) { "***".to_owned() } else { value }))
    });
    shown.collect()
}

/// How long a producer keeps to a partition: librdkafka's own setting, which follows `linger.ms` where
/// nobody set it.
pub(crate) fn sticky_us(client: &Client) -> u64 {
    milliseconds(client, STICKY)
}

/// How long a producer has records wait for others of their batch.
pub(crate) fn linger_us(client: &Client) -> u64 {
    milliseconds(client, "linger.ms")
}

/// A property of milliseconds, which may be written with decimals, in microseconds.
fn milliseconds(client: &Client, key: &str) -> u64 {
    let ms = client.property(key).and_then(|value| value.parse::<f64>().ok());
    Duration::try_from_secs_f64(ms.unwrap_or(0.0) / 1_000.0)
        .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// Properties with Mallard's own defaults before them, as far as what is set leaves them open.
fn completed(kind: Kind, set: ClientProperties) -> ClientProperties {
    let kind = match kind {
        Kind::Producer => ClientKind::Producer,
        Kind::Consumer => ClientKind::Consumer,
    };
    let mut properties = clients::defaults(kind, &set);
    properties.extend(set);
    properties
}

/// A producer's properties, in the order in which they are set.
pub(crate) fn of_producer(assignment: &Assignment, spec: &ProducerSpec) -> ClientProperties {
    let partitions = assignment.topics.get(spec.topic.index()).map_or(1, |topic| topic.partitions);
    let mut properties = assignment.connection.clone();
    let mut set = |key: &str, value: String| properties.push((key.to_owned(), value));
    set("client.id", spec.name.clone());
    set("statistics.interval.ms", stats::interval_ms(partitions).to_string());
    if spec.transactions.is_some() {
        set("transactional.id", format!("mallard-{:08x}-{}", assignment.run, spec.name));
    }
    properties.extend(spec.client.iter().cloned());
    completed(Kind::Producer, properties)
}

/// A consumer's properties. What the scenario says about group, commits and start stands last, so that
/// a client property cannot quietly make it untrue.
pub(crate) fn of_consumer(assignment: &Assignment, spec: &ConsumerSpec) -> ClientProperties {
    let topics = spec.topics.iter().filter_map(|topic| assignment.topics.get(topic.index()));
    let partitions = topics.map(|topic| topic.partitions).sum();
    let mut properties = assignment.connection.clone();
    let mut set = |key: &str, value: String| properties.push((key.to_owned(), value));
    set("client.id", spec.name.clone());
    set("statistics.interval.ms", stats::interval_ms(partitions).to_string());
    if let Membership::Assigned(_) = spec.membership {
        // librdkafka wants a group even where none is joined.
        set("group.id", format!("mallard-{:08x}-{}", assignment.run, spec.name));
    }
    properties.extend(spec.client.iter().cloned());
    let mut set = |key: &str, value: &str| properties.push((key.to_owned(), value.to_owned()));
    if let Membership::Group(group) = &spec.membership {
        set("group.id", group);
    }
    match spec.commit {
        CommitPolicy::Never | CommitPolicy::Every { .. } => set("enable.auto.commit", "false"),
        CommitPolicy::Auto { every_ms } => {
            set("enable.auto.commit", "true");
            set("auto.commit.interval.ms", &every_ms.to_string());
        }
    }
    // Records that still wait for their work must not be committed as done.
    set(
        "enable.auto.offset.store",
        if spec.work_us > 0 || spec.process.is_some() { "false" } else { "true" },
    );
    set(
        "auto.offset.reset",
        match spec.from {
            StartFrom::Latest => "latest",
            StartFrom::Earliest | StartFrom::RunStart => "earliest",
        },
    );
    completed(Kind::Consumer, properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::librdkafka::Producer;
    use std::collections::BTreeMap;

    fn properties(pairs: &[(&str, &str)]) -> ClientProperties {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_bad_property_is_named() {
        let connection = properties(&[("bootstrap.servers", "localhost:1"), ("sasl.pasword", "x")]);
        let client = properties(&[("acks", "some"), ("linger.ms", "5")]);
        let refused = check_properties(&connection, Kind::Producer, &client).unwrap_err();
        let keys: Vec<_> = refused.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["sasl.pasword", "acks"]);
    }

    #[test]
    fn a_certificate_that_is_none_is_told_at_its_property_and_by_its_name() {
        let broken = b"-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n";
        let content = private_file::encode("certs/client.pem", broken);
        let connection = properties(&[
            ("bootstrap.servers", "localhost:1"),
            ("security.protocol", "SSL"),
            ("ssl.certificate.location", &content),
        ]);
        let refused = check_properties(&connection, Kind::Producer, &Vec::new()).unwrap_err();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0].0, "ssl.certificate.location", "{refused:?}");
        assert!(!refused[0].1.contains("mallard-file"), "{refused:?}");
    }

    #[test]
    fn librdkafkas_defaults_are_those_of_the_table() {
        let client = Producer::new(Config::new(), "orders").unwrap();
        // A producer has its own default of this one, whatever is set.
        let is_shared = |row: &&clients::ClientDefault| row.property != "allow.auto.create.topics";
        for row in clients::TABLE.iter().filter(is_shared) {
            let own = client.client().property(row.property);
            assert_eq!(own.as_deref(), Some(row.librdkafka), "{}", row.property);
        }
    }

    #[test]
    fn mallards_defaults_are_accepted_and_in_effect() {
        let client = Producer::new(
            Config::with(&completed(Kind::Producer, ClientProperties::new())).unwrap(),
            "orders",
        );
        let client = client.unwrap();
        let of_producers = |row: &&clients::ClientDefault| row.kind != Some(ClientKind::Consumer);
        for row in clients::TABLE.iter().filter(of_producers) {
            let value = client.client().property(row.property);
            assert_eq!(value.as_deref(), Some(row.mallard), "{}", row.property);
        }
        let consumer = completed(Kind::Consumer, ClientProperties::new());
        assert_eq!(contradiction(Kind::Consumer, &consumer), Ok(()));
    }

    #[test]
    fn mallards_defaults_contradict_nothing_that_may_be_set() {
        let of_producers = [
            ("acks", "0"),
            ("acks", "1"),
            ("retries", "0"),
            ("max.in.flight.requests.per.connection", "100"),
            ("queuing.strategy", "lifo"),
            ("enable.idempotence", "true"),
            ("enable.idempotence", "false"),
            ("transactional.id", "t"),
            ("linger.ms", "200000"),
            ("delivery.timeout.ms", "1000"),
            ("reconnect.backoff.ms", "5000"),
            ("reconnect.backoff.max.ms", "200"),
            ("queue.buffering.backpressure.threshold", "10"),
        ];
        let connection = properties(&[("bootstrap.servers", "localhost:1")]);
        for set in of_producers {
            let checked = check_properties(&connection, Kind::Producer, &properties(&[set]));
            assert_eq!(checked, Ok(()), "{set:?}");
        }
        for set in [("fetch.wait.max.ms", "60000"), ("reconnect.backoff.max.ms", "200")] {
            let checked = check_properties(&connection, Kind::Consumer, &properties(&[set]));
            assert_eq!(checked, Ok(()), "{set:?}");
        }
    }

    #[test]
    fn what_nobody_has_set_is_told_and_secrets_are_not() {
        let set = properties(&[
            ("linger.ms", "7"),
            ("compression.type", "zstd"),
            ("sasl.password", "wonderland"),
            ("transactional.id", "gateway-1"),
        ]);
        let client = Producer::new(Config::with(&set).unwrap(), "orders").unwrap();
        let told = in_effect(Kind::Producer, client.client(), &set);
        let told: BTreeMap<_, _> = told.into_iter().collect();
        let of = |key: &str| told.get(key).map(String::as_str);
        assert_eq!((of("linger.ms"), of("compression.codec")), (Some("7"), Some("zstd")));
        // A default of topics, and what follows from something that was set.
        assert_eq!((of("acks"), of("enable.idempotence")), (Some("-1"), Some("true")));
        assert_eq!(of("sasl.password"), Some("***"));
    }

    #[test]
    fn a_contradiction_is_found_without_a_network() {
        let connection = properties(&[("bootstrap.servers", "localhost:1")]);
        let client = properties(&[("enable.idempotence", "true"), ("acks", "0")]);
        let refused = check_properties(&connection, Kind::Producer, &client).unwrap_err();
        assert_eq!(refused.len(), 1);
        assert!(refused[0].1.contains("acks"), "{refused:?}");
        let client = properties(&[("enable.idempotence", "true")]);
        assert_eq!(check_properties(&connection, Kind::Producer, &client), Ok(()));
    }
}
