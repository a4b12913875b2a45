//! What became of one record.

use mallard_health::validate::Reason;

/// What became of a payload, and how long each stage took in nanoseconds; `None` for one that was left
/// out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(super) samples: u64,
    pub(super) rows: u64,
    pub(super) rejected: Option<Reason>,
    pub(super) dropped: Vec<Reason>,
    pub(super) decode_ns: Option<u64>,
    pub(super) validate_ns: Option<u64>,
    pub(super) flatten_ns: Option<u64>,
    pub(super) write_ns: Option<u64>,
    pub(super) payload_ns: u64,
}
