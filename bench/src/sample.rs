//! What one contestant did in one round.

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Who.
    pub(crate) tool: &'static str,
    /// Records acknowledged or received in the time that the rate is about.
    pub(crate) records: u64,
    /// Records a second, as the tool says.
    pub(crate) rate_per_s: f64,
    /// Bytes of a record's value.
    pub(crate) value_bytes: u32,
    /// CPU seconds of the tool, start and end included.
    pub(crate) cpu_s: f64,
    /// Records that this CPU time was spent on, those of a warm-up included.
    pub(crate) cpu_records: u64,
    /// CPU seconds of the broker in the same time.
    pub(crate) broker_cpu_s: f64,
    /// Latencies that the tool reports, by kind.
    pub(crate) latencies: Vec<Latency>,
    /// What a reader should know.
    pub(crate) note: Option<String>,
}

/// Percentiles of a latency as a tool reports them, in microseconds. A tool that does not say one
/// leaves it out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Latency {
    /// What it is of, in the words of this bench: `response`, `service`.
    pub(crate) kind: &'static str,
    /// Median.
    pub(crate) p50_us: Option<f64>,
    /// 90th percentile.
    pub(crate) p90_us: Option<f64>,
    /// 99th percentile.
    pub(crate) p99_us: Option<f64>,
    /// Largest.
    pub(crate) max_us: Option<f64>,
}

impl Sample {
    /// CPU seconds of the tool for a million records.
    pub(crate) fn cpu_s_per_million(&self) -> f64 {
        per_million(self.cpu_s, self.cpu_records)
    }

    /// CPU seconds of the broker for a million records.
    pub(crate) fn broker_cpu_s_per_million(&self) -> f64 {
        per_million(self.broker_cpu_s, self.cpu_records)
    }

    /// Megabytes (10^6) of values a second.
    pub(crate) fn megabytes_per_s(&self) -> f64 {
        self.rate_per_s * f64::from(self.value_bytes) / 1e6
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of records stay far below 2^53")]
fn per_million(cpu_s: f64, records: u64) -> f64 {
    cpu_s / (records as f64 / 1e6)
}
