//! What a peer is asked for, and what it did.

use crate::{
    cpu::{self, Costed},
    finished::succeeded,
    latency::Latency,
};
use anyhow::{Context, Result};
use std::{process::Command, time::Duration};

/// How long a peer may take beyond what is planned for it. Peers that fall behind a schedule take
/// longer than planned; one that hangs must not hang the bench.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// What a peer is to produce.
#[derive(Clone, Debug)]
pub(crate) struct Order<'a> {
    /// Address of the broker.
    pub(crate) broker: &'a str,
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

/// What a peer has done, by its own word.
#[derive(Debug)]
pub(crate) struct Done {
    /// Records.
    pub(crate) records: u64,
    /// Records a second.
    pub(crate) rate_per_s: f64,
    /// CPU seconds.
    pub(crate) cpu_s: f64,
    /// From handing a record over to its acknowledgement.
    pub(crate) latency: Option<Latency>,
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
