//! Metrics of producers: rates, shares, transactions, and what the client says of itself.

use super::metric::{Metric, Scopes, Subject, count, metric, per_second, ratio};
use mallard_protocol::counters::Counter;

const AGENT: &str = "the agent's counters";
const CLIENT: &str = "librdkafka's statistics";
const SENDING: Scopes = Scopes::SENDING;
const DELIVERED: Scopes = Scopes::DELIVERED;

/// Rates and shares.
pub(super) fn flow() -> Vec<Metric> {
    rates().into_iter().chain(shares()).chain(seed_names()).chain(transactions()).collect()
}

fn rates() -> Vec<Metric> {
    vec![
        metric!(
            "produce.scheduled.rate",
            "per_s",
            true,
            Producers,
            SENDING,
            "records that became due; in a closed loop, records sent",
            "records due in measured intervals / time of these intervals",
            "the schedule",
            |t| per_second(t.sending.scheduled, t.time_us)
        ),
        metric!(
            "produce.sent.rate",
            "per_s",
            true,
            Producers,
            SENDING,
            "records handed to the client",
            "records sent in measured intervals / time of these intervals",
            AGENT,
            |t| per_second(t.sending.sent, t.time_us)
        ),
        metric!(
            "produce.acked.rate",
            "per_s",
            true,
            Producers,
            DELIVERED,
            "records acknowledged; what comes after the measured phases, in the drain, does not \
             count, so a backlog never flatters it",
            "records acknowledged in measured intervals, whenever they were due / time of these \
             intervals",
            "delivery reports",
            |t| per_second(t.sending.acked, t.time_us)
        ),
        metric!(
            "produce.failed.rate",
            "per_s",
            true,
            Producers,
            DELIVERED,
            "records that failed for good",
            "records failed in measured intervals / time of these intervals",
            "delivery reports",
            |t| per_second(t.sending.failed, t.time_us)
        ),
        metric!(
            "produce.acked.bytes_rate",
            "bytes_per_s",
            true,
            Producers,
            DELIVERED,
            "key and value bytes acknowledged",
            "bytes acknowledged in measured intervals / time of these intervals",
            "delivery reports",
            |t| per_second(t.sending.acked_bytes, t.time_us)
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, one row a metric")]
fn shares() -> Vec<Metric> {
    vec![
        metric!(
            "produce.error_rate",
            "ratio",
            true,
            Producers,
            SENDING,
            "share of records sent that failed for good",
            "failed / sent, over records due in the measured phases",
            "delivery reports",
            |t| ratio(t.due.failed, t.due.sent)
        )
        .listed(Subject::Reliability, "error rate"),
        metric!(
            "produce.success_rate",
            "ratio",
            true,
            Producers,
            SENDING,
            "share of records sent that were acknowledged; records without a fate yet count against \
             it",
            "acked / sent, over records due in the measured phases",
            "delivery reports",
            |t| ratio(t.due.acked, t.due.sent)
        )
        .listed(Subject::Reliability, "success rate"),
        metric!(
            "produce.behind_max",
            "records",
            true,
            Producers,
            SENDING,
            "most records that one instance had due and not yet sent at any moment: the largest \
             deviation from the load's curve, which is never run ahead of",
            "max over measured intervals and instances of (records due - records sent)",
            AGENT,
            |t| (!t.due.slip.is_empty()).then(|| count(t.get(Counter::BehindMax))).flatten()
        ),
        metric!(
            "produce.buffer_full_rate",
            "ratio",
            true,
            Producers,
            SENDING,
            "times the client refused a record because its queue was full, for each record sent; a \
             record refused counts as sent only once the client took it, so this may exceed 1",
            "queue-full events / records sent, in measured intervals",
            AGENT,
            |t| ratio(t.get(Counter::QueueFull), t.sending.sent)
        )
        .listed(Subject::Batches, "buffer-full rate"),
        metric!(
            "produce.messages_per_poll",
            "records_per_poll",
            true,
            Producers,
            SENDING,
            "records acknowledged for each batch of delivery reports that was served",
            "records acknowledged / batches served, in measured intervals",
            AGENT,
            |t| ratio(t.sending.acked, t.get(Counter::ReportPolls))
        )
        .listed(Subject::Batches, "messages per poll"),
        metric!(
            "produce.late_rate",
            "ratio",
            true,
            Schedule,
            SENDING,
            "share of records sent more than 5 ms after they were due",
            "late / sent, over records due in the measured phases",
            AGENT,
            |t| ratio(t.due.late, t.due.sent)
        ),
        metric!(
            "produce.backpressure_share",
            "ratio",
            true,
            Producers,
            SENDING,
            "share of the time in which the client refused records because its queue was full, mean \
             over instances",
            "time of refusing / time of all instances, in measured intervals",
            AGENT,
            |t| ratio(t.get(Counter::BackpressureUs), t.sending.instance_time_us)
        ),
    ]
}

fn seed_names() -> Vec<Metric> {
    vec![
        metric!(
            "produce.send_throughput",
            "per_s",
            true,
            Producers,
            SENDING,
            "the same as produce.sent.rate, under the name of ducktape-style producer tests; there \
             the time includes the final flush, here nothing outside the measured intervals counts, \
             neither records nor time",
            "sent / duration, in measured intervals",
            AGENT,
            |t| per_second(t.sending.sent, t.time_us)
        )
        .listed(Subject::Throughput, "sent"),
        metric!(
            "produce.delivery_throughput",
            "per_s",
            true,
            Producers,
            SENDING,
            "the same as produce.acked.rate, under the name of ducktape-style producer tests",
            "delivered / duration, in measured intervals",
            "delivery reports",
            |t| per_second(t.sending.acked, t.time_us)
        )
        .listed(Subject::Throughput, "delivered"),
        metric!(
            "produce.data_throughput",
            "bytes_per_s",
            true,
            Producers,
            SENDING,
            "key and value bytes handed to the client, under the name of ducktape-style producer \
             tests, which print it in MiB/s",
            "sent bytes (key + value) / duration, in measured intervals",
            AGENT,
            |t| per_second(t.sending.sent_bytes, t.time_us)
        )
        .listed(Subject::Throughput, "data"),
    ]
}

fn transactions() -> Vec<Metric> {
    vec![
        metric!(
            "produce.transactions.committed.rate",
            "per_s",
            true,
            Transactions,
            SENDING,
            "transactions committed",
            "transactions committed in measured intervals / time of these intervals",
            AGENT,
            |t| per_second(t.sending.committed, t.time_us)
        )
        .listed(Subject::Transactions, "commits"),
        metric!(
            "produce.transactions.aborted.rate",
            "per_s",
            true,
            Transactions,
            SENDING,
            "transactions aborted on purpose",
            "transactions aborted in measured intervals / time of these intervals",
            AGENT,
            |t| per_second(t.sending.aborted, t.time_us)
        )
        .listed(Subject::Transactions, "aborts"),
        metric!(
            "produce.transactions.failed",
            "count",
            true,
            Transactions,
            SENDING,
            "transactions that ended neither committed nor aborted on purpose",
            "sum over measured intervals",
            AGENT,
            |t| count(t.sending.transactions_failed)
        ),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
fn mean(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

const MEAN_OF_WINDOWS: &str =
    "mean over all clients, each of their windows weighted by what happened in it";

/// What librdkafka says of itself.
pub(super) fn client() -> Vec<Metric> {
    means().into_iter().chain(counters()).collect()
}

fn means() -> Vec<Metric> {
    vec![
        metric!(
            "produce.client.batch_bytes",
            "bytes",
            true,
            Producers,
            SENDING,
            "mean size of a batch",
            MEAN_OF_WINDOWS,
            CLIENT,
            |t| mean(t.client.batch_bytes, t.client.batches)
        )
        .listed(Subject::Batches, "bytes in a batch"),
        metric!(
            "produce.client.batch_records",
            "records",
            true,
            Producers,
            SENDING,
            "mean records in a batch",
            MEAN_OF_WINDOWS,
            CLIENT,
            |t| mean(t.client.batch_records, t.client.batches)
        )
        .listed(Subject::Batches, "records in a batch"),
        metric!(
            "produce.client.queue_time",
            "us",
            true,
            Producers,
            SENDING,
            "mean time from the client taking a record to its request being sent",
            MEAN_OF_WINDOWS,
            CLIENT,
            |t| mean(t.client.queue_us, t.client.dequeued)
        ),
        metric!(
            "produce.client.round_trip",
            "us",
            true,
            Producers,
            SENDING,
            "mean round trip to the brokers",
            MEAN_OF_WINDOWS,
            CLIENT,
            |t| mean(t.client.round_trip_us, t.client.requests)
        ),
        metric!(
            "produce.client.throttle",
            "us",
            true,
            Producers,
            SENDING,
            "mean time that brokers throttled the client",
            MEAN_OF_WINDOWS,
            CLIENT,
            |t| mean(t.client.throttle_us, t.client.throttle_answers)
        ),
    ]
}

fn counters() -> Vec<Metric> {
    vec![
        metric!(
            "produce.client.in_flight.max",
            "count",
            true,
            Producers,
            SENDING,
            "most requests that a client had sent to one broker and that were not answered yet",
            "largest over all clients, each asked once in its window",
            CLIENT,
            |t| (t.client.windows > 0).then_some(()).and_then(|()| count(t.client.in_flight_max))
        ),
        metric!(
            "produce.client.retries",
            "count",
            true,
            Producers,
            SENDING,
            "records that the client sent again, because a request failed or no answer came",
            "growth in measured intervals of: records put into requests - records handed to the client, as far \
             as that is seen while others wait to be sent",
            CLIENT,
            |t| (t.client.windows > 0).then_some(()).and_then(|()| count(t.client.retries))
        )
        .listed(Subject::Reliability, "records sent again"),
        metric!(
            "produce.client.errors",
            "count",
            true,
            Producers,
            SENDING,
            "request and connection errors that the client saw",
            "growth in measured intervals",
            CLIENT,
            |t| (t.client.windows > 0).then_some(()).and_then(|()| count(t.client.errors))
        ),
        metric!(
            "produce.client.wire_bytes_rate",
            "bytes_per_s",
            true,
            Producers,
            SENDING,
            "bytes that clients sent to brokers, everything included",
            "growth in measured intervals / time of these intervals",
            CLIENT,
            |t| (t.client.windows > 0)
                .then_some(())
                .and_then(|()| per_second(t.client.wire_sent_bytes, t.time_us))
        )
        .listed(Subject::Wire, "bytes to brokers"),
        metric!(
            "produce.client.compression_ratio",
            "factor",
            true,
            Producers,
            SENDING,
            "key and value bytes for each byte on the wire, so above 1 where compression saves \
             more than headers, stamps and requests cost",
            "bytes acknowledged / bytes sent to brokers, both since the client's statistics before, \
             in measured intervals with statistics",
            CLIENT,
            |t| ratio(t.client.acked_bytes, t.client.wire_sent_bytes)
        )
        .listed(Subject::Wire, "bytes of records for each"),
    ]
}
