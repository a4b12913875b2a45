//! What exporters write: families of samples, in no format.

use super::distribution::Distribution;

/// What kind of figures a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Never falls while a case runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket; never falls either.
    Histogram,
}

/// Samples of one name.
#[derive(Debug)]
pub(super) struct Family<'a> {
    /// As Prometheus has it: `mallard_records_total`.
    pub(super) name: &'static str,
    /// As OpenTelemetry has it: `mallard.records`.
    pub(super) dotted: &'static str,
    /// In UCUM, as OpenTelemetry has it: `{record}`, `s`, `By`, `1`.
    pub(super) unit: &'static str,
    /// One sentence.
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) samples: Vec<Sample<'a>>,
}

/// A figure with its labels.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    pub(super) labels: Vec<(&'static str, &'a str)>,
    pub(super) value: Value<'a>,
    /// Since when it is counted, in nanoseconds since 1970.
    pub(super) since_ns: u64,
}

/// A figure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Count(u64),
    Number(f64),
    Latencies(&'a Distribution),
}
