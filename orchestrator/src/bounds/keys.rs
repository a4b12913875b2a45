//! The eight keys of a bounds file, and what each one says as an expectation.

use crate::expect::Comparison;

/// A key of a bounds file.
#[derive(Debug)]
pub struct Key {
    /// Its name, as it stands in the file.
    pub name: &'static str,
    /// What it bounds, in a sentence.
    pub doc: &'static str,
    /// The metric that it bounds.
    pub metric: &'static str,
    /// How the metric's value is compared with the bound. Only what is strictly beyond it violates it:
    /// a value equal to its bound holds.
    pub comparison: Comparison,
    /// The metric's units in one unit of the key: 1000 µs in a millisecond.
    pub factor: f64,
    /// The largest bound that makes sense.
    pub largest: f64,
}

const ANY: f64 = f64::MAX;

/// Microseconds in a millisecond: latencies are bounded in milliseconds and measured in microseconds.
const US_PER_MS: f64 = 1_000.0;

/// Bytes in what the files call a megabyte: tools that write them compute with 1048576.
const BYTES_PER_MB: f64 = 1_048_576.0;

/// All keys, in the order in which such files list them.
pub static KEYS: [Key; 8] = [
    Key {
        name: "min_throughput_msg_per_sec",
        doc: "Least records handed to the client a second.",
        metric: "produce.send_throughput",
        comparison: Comparison::AtLeast,
        factor: 1.0,
        largest: ANY,
    },
    Key {
        name: "max_p95_latency_ms",
        doc: "Largest 95th percentile of the time from sending to acknowledgement, in milliseconds.",
        metric: "produce.service.p95",
        comparison: Comparison::AtMost,
        factor: US_PER_MS,
        largest: ANY,
    },
    Key {
        name: "max_error_rate",
        doc: "Largest share of records sent that failed for good, 0 to 1.",
        metric: "produce.error_rate",
        comparison: Comparison::AtMost,
        factor: 1.0,
        largest: 1.0,
    },
    Key {
        name: "min_success_rate",
        doc: "Least share of records sent that were acknowledged, 0 to 1.",
        metric: "produce.success_rate",
        comparison: Comparison::AtLeast,
        factor: 1.0,
        largest: 1.0,
    },
    Key {
        name: "max_p99_latency_ms",
        doc: "Largest 99th percentile of the time from sending to acknowledgement, in milliseconds.",
        metric: "produce.service.p99",
        comparison: Comparison::AtMost,
        factor: US_PER_MS,
        largest: ANY,
    },
    Key {
        name: "max_memory_growth_mb",
        doc: "Largest growth of an agent's resident memory, in MiB.",
        metric: "agent.memory.growth",
        comparison: Comparison::AtMost,
        factor: BYTES_PER_MB,
        largest: ANY,
    },
    Key {
        name: "max_buffer_full_rate",
        doc: "Most refusals by a client's full queue for each record sent.",
        metric: "produce.buffer_full_rate",
        comparison: Comparison::AtMost,
        factor: 1.0,
        largest: ANY,
    },
    Key {
        name: "min_messages_per_poll",
        doc: "Least records acknowledged for each batch of delivery reports.",
        metric: "produce.messages_per_poll",
        comparison: Comparison::AtLeast,
        factor: 1.0,
        largest: ANY,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;

    #[test]
    fn every_key_bounds_a_metric_that_exists() {
        for key in &KEYS {
            assert!(metrics::find(key.metric).is_some(), "{}", key.metric);
            let is_min = key.name.starts_with("min_");
            assert_eq!(is_min, key.comparison == Comparison::AtLeast, "{}", key.name);
        }
    }

    #[test]
    fn a_value_equal_to_its_bound_holds() {
        for key in &KEYS {
            assert!(key.comparison.holds(0.5, 0.5), "{}", key.name);
        }
    }
}
