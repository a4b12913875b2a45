//! What one contestant did in one round.

use crate::{latency::Latency, mallard, peers, tools::MALLARD};
use anyhow::Result;

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

impl Sample {
    /// What a peer did: all of its records count.
    pub(crate) fn of_peer(tool: &'static str, value_bytes: u32, done: peers::Done) -> Self {
        let peers::Done { records, rate_per_s, cpu_s, latencies } = done;
        Self {
            tool,
            records,
            rate_per_s,
            value_bytes,
            cpu_s,
            cpu_records: records,
            broker_cpu_s: 0.0,
            latencies,
            note: None,
        }
    }

    /// What Mallard did as a producer. Its doubt stands beside the note.
    pub(crate) fn of_producer(
        value_bytes: u32,
        done: &mallard::Done,
        note: Option<String>,
    ) -> Result<Self> {
        Ok(Self {
            tool: MALLARD,
            records: done.account("acked")?,
            rate_per_s: done.metric("produce.acked.rate")?,
            value_bytes,
            cpu_s: done.cpu_s,
            cpu_records: done.whole_account("acked")?,
            broker_cpu_s: 0.0,
            latencies: vec![done.latency("response"), done.latency("service")],
            note: with_doubt(note, done),
        })
    }

    /// What Mallard did as a consumer: `full` are the records and seconds that its rate is about,
    /// `cpu_records` those that its CPU time was spent on.
    pub(crate) fn of_consumer(
        value_bytes: u32,
        done: &mallard::Done,
        full: (u64, f64),
        cpu_records: u64,
        note: Option<String>,
    ) -> Self {
        let (records, seconds) = full;
        Self {
            tool: MALLARD,
            records,
            rate_per_s: to_real(records) / seconds,
            value_bytes,
            cpu_s: done.cpu_s,
            cpu_records,
            broker_cpu_s: 0.0,
            latencies: Vec::new(),
            note: with_doubt(note, done),
        }
    }

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

/// A note, and beside it what Mallard itself doubts.
fn with_doubt(note: Option<String>, done: &mallard::Done) -> Option<String> {
    let notes: Vec<String> = note.into_iter().chain(done.doubt()).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn per_million(cpu_s: f64, records: u64) -> f64 {
    cpu_s / (to_real(records) / 1e6)
}

/// A count of records as a real number.
#[expect(clippy::cast_precision_loss, reason = "counts of records stay far below 2^53")]
pub(crate) fn to_real(records: u64) -> f64 {
    records as f64
}
