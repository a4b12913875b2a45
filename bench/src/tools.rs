//! Names of the tools, as pages show them.

/// Mallard.
pub(crate) const MALLARD: &str = "mallard";
/// Mallard with Nagle's algorithm, which earlier versions of librdkafka have on by default.
pub(crate) const MALLARD_NAGLE: &str = "mallard, Nagle's algorithm on";
/// Mallard without idempotence.
pub(crate) const MALLARD_NOT_IDEMPOTENT: &str = "mallard, not idempotent";
/// Mallard with as many requests in flight as librdkafka allows by default.
pub(crate) const MALLARD_MILLION: &str = "mallard, not idempotent, a million in flight";
/// Mallard as librdkafka was by default for years.
pub(crate) const MALLARD_MILLION_NAGLE: &str = "mallard, the same and Nagle's algorithm on";
/// librdkafka's own load program.
pub(crate) const RDKAFKA: &str = "rdkafka_performance";
/// A plain loop over franz-go.
pub(crate) const FRANZ_GO: &str = "franz-go loop";
/// A paced loop over Java's client.
pub(crate) const JAVA_LOOP: &str = "Java client, paced loop";
/// The same without idempotence.
pub(crate) const JAVA_NOT_IDEMPOTENT: &str = "Java client, paced loop, not idempotent";
/// Kafka's own producer tool.
pub(crate) const JAVA_PRODUCER: &str = "kafka-producer-perf-test";
/// The same with batches of 256 KiB instead of 16 KiB.
pub(crate) const JAVA_TUNED: &str = "kafka-producer-perf-test, large batches";
/// Kafka's own consumer tool.
pub(crate) const JAVA_CONSUMER: &str = "kafka-consumer-perf-test";
