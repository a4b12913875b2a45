//! Names of the tools, as pages show them.

/// Mallard.
pub(crate) const MALLARD: &str = "mallard";
/// librdkafka's own load program.
pub(crate) const RDKAFKA: &str = "rdkafka_performance";
/// A plain loop over franz-go.
pub(crate) const FRANZ_GO: &str = "franz-go loop";
/// Kafka's own producer tool.
pub(crate) const JAVA_PRODUCER: &str = "kafka-producer-perf-test";
/// The same with batches of 256 KiB instead of 16 KiB.
pub(crate) const JAVA_TUNED: &str = "kafka-producer-perf-test, large batches";
/// Kafka's own consumer tool.
pub(crate) const JAVA_CONSUMER: &str = "kafka-consumer-perf-test";
