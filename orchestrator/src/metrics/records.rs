//! Accounts as metrics: records, counted by the phase in which they were due.

use super::metric::{Metric, Scopes, count, metric};

const SENDING: Scopes = Scopes::SENDING;
const DELIVERED: Scopes = Scopes::DELIVERED;
const FATE: Scopes = Scopes::TOPIC.and(Scopes::PARTITION).and(Scopes::CONSUMER);

/// `records.*`.
pub(super) fn metrics() -> Vec<Metric> {
    sent().into_iter().chain(received()).collect()
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
            "records.lost",
            "records",
            false,
            Both,
            FATE,
            "records acknowledged in the whole run, warm-up included, and not received by the end \
             of the drain, summed over groups; records of aborted transactions do not count for \
             consumers with read_committed, which is librdkafka's default; counts alone cannot \
             tell a lost record from one whose duplicate arrived",
            "sum over groups and partitions of max(0, acked - received)",
            "delivery reports and consumers' counters",
            |t| t.outcome.lost.and_then(count)
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
            |t| t.outcome.unexpected.and_then(count)
        ),
    ]
}
