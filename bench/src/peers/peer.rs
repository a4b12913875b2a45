//! What a peer is asked for, and what it did.

use crate::{
    access::Access,
    cpu::{self, Costed},
    finished::succeeded,
    latency::Latency,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{process::Command, time::Duration};

/// How long a peer may take beyond what is planned for it. Peers that fall behind a schedule take
/// longer than planned; one that hangs must not hang the bench.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// What a peer is to produce.
#[derive(Clone, Debug)]
pub(crate) struct Order<'a> {
    /// The way to the broker.
    pub(crate) access: &'a Access,
    /// Where to.
    pub(crate) topic: &'a str,
    /// How many.
    pub(crate) records: u64,
    /// Bytes of each value.
    pub(crate) value_bytes: u32,
    /// Records a second; as fast as it goes without.
    pub(crate) rate_per_s: Option<u64>,
    /// Further client properties, in the words of the peer's client.
    pub(crate) client: &'a [&'a str],
    /// Whether latencies are asked for. A peer that can do without is faster then.
    pub(crate) latencies: bool,
}

/// What a peer is to produce at a rate, while it measures latency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paced<'a> {
    /// The way to the broker.
    pub(crate) access: &'a Access,
    /// Where to.
    pub(crate) topic: &'a str,
    /// Bytes of each value.
    pub(crate) value_bytes: u32,
    /// Records a second.
    pub(crate) rate_per_s: u32,
    /// What precedes the time that is measured.
    pub(crate) warm_up_s: u64,
    /// The time that is measured.
    pub(crate) seconds: u64,
    /// Further client properties, in the words of the peer's client.
    pub(crate) client: &'a [(&'a str, &'a str)],
}

/// What a peer has done, by its own word.
#[derive(Debug)]
pub(crate) struct Done {
    /// Records.
    pub(crate) records: u64,
    /// Records a second.
    pub(crate) rate_per_s: f64,
    /// CPU seconds.
    pub(crate) cpu_s: f64,
    /// By kind: `service` from handing a record over to its acknowledgement, `response` from when it was due.
    pub(crate) latencies: Vec<Latency>,
}

/// Reads the line of JSON in which the bench's own loops say what they did.
pub(super) fn read_loop(done: &Costed) -> Result<Done> {
    let outcome: Value = serde_json::from_str(&done.finished.stdout)
        .with_context(|| format!("no result in\n{}", done.finished))?;
    let number = |name: &str| {
        outcome[name].as_f64().with_context(|| format!("no {name} in\n{}", done.finished))
    };
    let (records, seconds) = (number("records")?, number("seconds")?);
    ensure!(number("failed")? == 0.0, "records failed:\n{}", done.finished);
    let latency = |kind: &'static str| {
        let of = outcome.get(format!("{kind}_us"))?;
        let us = |statistic: &str| of[statistic].as_f64();
        Some(Latency {
            kind,
            p50_us: us("p50"),
            p90_us: us("p90"),
            p99_us: us("p99"),
            max_us: us("max"),
        })
    };
    let latencies = ["response", "service"].into_iter().filter_map(latency).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let whole = records as u64;
    Ok(Done { records: whole, rate_per_s: records / seconds, cpu_s: done.cpu_s, latencies })
}

/// Runs a peer to its end, and insists on exit code 0.
pub(super) fn run(command: &mut Command) -> Result<Costed> {
    let Costed { finished, cpu_s } = cpu::run(command, PATIENCE)?;
    Ok(Costed { finished: succeeded(finished)?, cpu_s })
}

/// The number that stands right before a word: `number_before("in 5435ms: 367972 msgs/s", " msgs/s")`.
pub(super) fn number_before(text: &str, word: &str) -> Option<f64> {
    let (before, _) = text.split_once(word)?;
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    before[before.trim_end_matches(is_part).len()..].parse().ok()
}

/// As [`number_before`], for what cannot be missing.
pub(super) fn expect_number(text: &str, word: &str) -> Result<f64> {
    number_before(text, word).with_context(|| format!("no number before {word:?} in {text:?}"))
}
