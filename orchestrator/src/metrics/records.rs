//! Accounts as metrics: records, counted by the phase in which they were due.

use super::{
    fate::Fate,
    metric::{Metric, Scopes, count, metric},
    tally::Tally,
};

const SENDING: Scopes = Scopes::SENDING;
const DELIVERED: Scopes = Scopes::DELIVERED;
const FATE: Scopes = Scopes::TOPIC.and(Scopes::PARTITION).and(Scopes::CONSUMER);

/// `records.*`.
pub(super) fn metrics() -> Vec<Metric> {
    sent().into_iter().chain(received()).chain(missing()).collect()
}

#[expect(clippy::too_many_lines, reason = "a table, one row a metric")]
fn sent() -> Vec<Metric> {
    vec![
        metric!(
            "records.scheduled",
            "records",
            true,
            Producers,
            SENDING,
            "records due in the measured phases; scheduled = sent + not sent",
            "count of the schedule's records; in a closed loop, of records sent",
            "the schedule",
            |t| count(t.due.scheduled)
        ),
        metric!(
            "records.not_sent",
            "records",
            false,
            Schedule,
            SENDING,
            "records due in the measured phases that were never handed to a client",
            "scheduled - sent",
            "the agent's counters",
            |t| count(t.due.not_sent())
        ),
        metric!(
            "records.sent",
            "records",
            true,
            Producers,
            SENDING,
            "records due in the measured phases that were handed to a client; sent = acked + failed \
             + outstanding",
            "count",
            "the agent's counters",
            |t| count(t.due.sent)
        ),
        metric!(
            "records.acked",
            "records",
            true,
            Producers,
            DELIVERED,
            "records due in the measured phases that were acknowledged, be it in the drain",
            "count",
            "delivery reports",
            |t| count(t.due.acked)
        ),
        metric!(
            "records.failed",
            "records",
            true,
            Producers,
            DELIVERED,
            "records due in the measured phases that failed for good",
            "count",
            "delivery reports",
            |t| count(t.due.failed)
        ),
        metric!(
            "records.outstanding",
            "records",
            false,
            Producers,
            SENDING,
            "records due in the measured phases without a fate when the case ended",
            "sent - acked - failed, checked against the client's own count",
            "the agent's counters",
            |t| count(t.due.outstanding())
        ),
        metric!(
            "records.late",
            "records",
            true,
            Schedule,
            SENDING,
            "records due in the measured phases that were sent more than 5 ms after they were due",
            "count",
            "the agent's counters",
            |t| count(t.due.late)
        ),
    ]
}

fn received() -> Vec<Metric> {
    vec![
        metric!(
            "records.received",
            "records",
            true,
            Consumers,
            Scopes::RECEIVED,
            "records due in the measured phases that were received, be it in the drain, summed over \
             groups",
            "count",
            "the agent's counters",
            |t| count(t.arrived.received)
        ),
        metric!(
            "records.unexpected",
            "records",
            false,
            Both,
            FATE,
            "records received beyond those acknowledged: duplicates, or records that the broker \
             kept although the client was told of a failure",
            "sum over groups and partitions of max(0, received - acked)",
            "delivery reports and consumers' counters",
            |t| fate(t, |fate| fate.unexpected)
        ),
    ]
}

/// What became of records that were acknowledged in the whole run, warm-up included, and not received.
fn missing() -> Vec<Metric> {
    vec![
        metric!(
            "records.lost",
            "records",
            false,
            Both,
            FATE,
            "records acknowledged in the whole run, warm-up included, that the brokers' offsets prove to \
             be lost: the log ends below what was acknowledged, or a group's position passed a record that \
             it was never given and that neither retention nor compaction removed; summed over groups; \
             counts alone cannot tell a lost record from one whose duplicate arrived",
            "sum over groups and partitions of max(0, acked - growth of the log), and of acked - received \
             beyond that, not_read, expired and compacted; 0 where offsets do not prove more",
            "delivery reports, consumers' counters and positions, log start and end offsets read after the \
             last acknowledgement",
            |t| fate(t, Fate::lost)
        ),
        metric!(
            "records.not_read",
            "records",
            false,
            Both,
            FATE,
            "records acknowledged in the whole run that are in the log and that a group had not read when \
             it was closed, summed over groups; records of aborted transactions do not count for consumers \
             with read_committed",
            "sum over groups and partitions of min(acked - received, end offset - max(position, log start))",
            "delivery reports, consumers' counters and positions, log start and end offsets",
            |t| fate(t, |fate| fate.not_read)
        ),
        metric!(
            "records.expired",
            "records",
            false,
            Both,
            FATE,
            "records acknowledged in the whole run that retention removed before a group read them, \
             summed over groups",
            "sum over groups and partitions of acked - received beyond lost and not_read, at most log \
             start - end offset when the load started",
            "delivery reports, consumers' counters, log start offsets",
            |t| fate(t, |fate| fate.expired)
        ),
        metric!(
            "records.compacted",
            "records",
            false,
            Both,
            FATE,
            "records acknowledged in the whole run that compaction removed before a group read them, \
             because newer records have the same keys, summed over groups; topics with cleanup.policy \
             compact only",
            "sum over groups and partitions of acked - received beyond lost, not_read and expired",
            "delivery reports, consumers' counters, the topics' configuration",
            |t| fate(t, |fate| fate.compacted)
        ),
        metric!(
            "records.unaccounted",
            "records",
            false,
            Both,
            FATE,
            "records acknowledged in the whole run and not received, for an unknown reason: offsets \
             could not be read after the load, or an agent was lost before it reported what it had received",
            "acked - received - lost - not_read - expired - compacted",
            "delivery reports, consumers' counters",
            |t| fate(t, |fate| fate.unaccounted)
        ),
    ]
}

fn fate(tally: &Tally, part: impl Fn(&Fate) -> u64) -> Option<f64> {
    tally.outcome.fate.as_ref().and_then(|fate| count(part(fate)))
}
