//! Metrics of consumers: rates, lag, rebalances.

use super::metric::{Metric, Scopes, Subject, count, metric, per_second, ratio};
use mallard_protocol::counters::Counter;

const AGENT: &str = "the agent's counters";
const LAG: &str =
    "the broker's end offsets and the consumers' positions, both at the interval's end";
const READING: Scopes = Scopes::READING;
const RECEIVED: Scopes = Scopes::RECEIVED;
const LAGGING: Scopes = Scopes::TOPIC
    .and(Scopes::PARTITION)
    .and(Scopes::CONSUMER)
    .and(Scopes::PHASE)
    .and(Scopes::FAULT);

/// All metrics of consumers but those that are statistics of a histogram.
pub(super) fn metrics() -> Vec<Metric> {
    flow().into_iter().chain(queue()).chain(lag()).chain(rebalances()).collect()
}

#[expect(clippy::too_many_lines, reason = "a table, one row a metric")]
fn flow() -> Vec<Metric> {
    vec![
        metric!(
            "consume.received.rate",
            "per_s",
            true,
            Consumers,
            RECEIVED,
            "records of this run received, summed over groups",
            "records received in measured intervals, whenever they were due / time of these \
             intervals",
            AGENT,
            |t| per_second(t.receiving.received, t.time_us)
        )
        .listed(Subject::Throughput, "consumed"),
        metric!(
            "consume.bytes_rate",
            "bytes_per_s",
            true,
            Consumers,
            RECEIVED,
            "key and value bytes received, summed over groups",
            "bytes received in measured intervals / time of these intervals",
            AGENT,
            |t| per_second(t.receiving.received_bytes, t.time_us)
        )
        .listed(Subject::Throughput, "consumed data"),
        metric!(
            "consume.empty_poll_rate",
            "ratio",
            true,
            Consumers,
            READING,
            "share of polls that gave no record",
            "empty polls / polls, in measured intervals",
            AGENT,
            |t| ratio(t.get(Counter::EmptyPolls), t.get(Counter::Polls))
        )
        .listed(Subject::Polls, "empty polls"),
        metric!(
            "consume.messages_per_poll",
            "records_per_poll",
            true,
            Consumers,
            READING,
            "records received for each poll that gave one",
            "records received / (polls - empty polls), in measured intervals",
            AGENT,
            |t| ratio(t.receiving.received, t.get(Counter::Polls) - t.get(Counter::EmptyPolls))
        )
        .listed(Subject::Polls, "messages per poll"),
        metric!(
            "consume.errors",
            "count",
            true,
            Consumers,
            READING,
            "errors that consumers saw",
            "sum over measured intervals",
            AGENT,
            |t| count(t.receiving.errors.values().sum())
        )
        .listed(Subject::Reliability, "consumer errors"),
        metric!(
            "consume.foreign",
            "records",
            true,
            Consumers,
            READING,
            "records received that this run did not send",
            "sum over measured intervals",
            AGENT,
            |t| count(t.receiving.foreign)
        ),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
fn queue() -> Vec<Metric> {
    const QUEUED: Scopes = Scopes::CONSUMER.and(Scopes::PHASE).and(Scopes::FAULT);
    const HELD: &str = "the consumers' counters at the interval's end";
    vec![
        metric!(
            "consume.queue.max",
            "records",
            true,
            Consumers,
            QUEUED,
            "most records that consumers had received and not yet processed, summed over instances: \
             those that wait for a pipeline or for work, or are at it",
            "largest, over measured intervals, of the sum of (received - processed)",
            HELD,
            |t| (t.queue.time_us > 0).then_some(t.queue.max as f64)
        )
        .listed(Subject::Consumers, "deepest queue"),
        metric!(
            "consume.queue.mean",
            "records",
            true,
            Consumers,
            QUEUED,
            "records that consumers had received and not yet processed, mean over time, summed over \
             instances",
            "mean over measured intervals, weighted by their time, of the sum of (received - \
             processed)",
            HELD,
            |t| (t.queue.time_us > 0).then(|| t.queue.record_us / t.queue.time_us as f64)
        ),
        metric!(
            "consume.backpressure_share",
            "ratio",
            true,
            Consumers,
            READING,
            "share of time in which consumers had their partitions paused, since too much of what they \
             had received waited to be processed",
            "time paused / time of all instances, in measured intervals",
            AGENT,
            |t| ratio(t.get(Counter::PausedUs), t.receiving.instance_time_us)
        )
        .listed(Subject::Consumers, "time held back"),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
fn lag() -> Vec<Metric> {
    vec![
        metric!(
            "consume.lag.max",
            "records",
            true,
            Consumers,
            LAGGING,
            "largest lag in an interval, summed over partitions, of the group that lags most",
            "largest, over measured intervals and groups, of the sum of (end offset - position)",
            LAG,
            |t| (t.lag.time_us > 0).then_some(t.lag.max as f64)
        )
        .listed(Subject::Consumers, "largest lag"),
        metric!(
            "consume.lag.mean",
            "records",
            true,
            Consumers,
            LAGGING,
            "mean lag over time, summed over partitions, of the group that lags most",
            "mean over measured intervals, weighted by their time, of the largest sum of a group of \
             (end offset - position)",
            LAG,
            |t| (t.lag.time_us > 0).then(|| t.lag.record_us / t.lag.time_us as f64)
        ),
        metric!(
            "consume.lag.end",
            "records",
            false,
            Consumers,
            Scopes::TOPIC.and(Scopes::PARTITION).and(Scopes::CONSUMER),
            "lag after the drain, summed over partitions, of the group that lags most",
            "largest sum of a group of (end offset - position) after the drain",
            "the broker's end offsets after the drain, and the consumers' last positions",
            |t| t.outcome.lag_end.map(|lag| lag as f64)
        ),
        metric!(
            "consume.recovery_time.max",
            "us",
            true,
            Consumers,
            LAGGING,
            "longest time that consumers stayed more than a second behind: how long a burst is felt until lag \
             is down again; 0 if they always kept up; it ends with the measured phases, so a backlog \
             that only the drain works off counts until there",
            "longest run of measured intervals at whose end a group's lag was more than a second of load (the \
             target rate of all producers at that moment)",
            LAG,
            |t| (t.lag.paced_us > 0).then_some(t.lag.behind_max_us).and_then(count)
        )
        .listed(Subject::Consumers, "longest time behind"),
    ]
}

fn rebalances() -> Vec<Metric> {
    vec![
        metric!(
            "consume.rebalances",
            "count",
            true,
            Consumers,
            READING,
            "rebalances that ended, one for every consumer that took part; the first assignment is \
             before the load and does not count",
            "sum over measured intervals",
            "the client's rebalance callback",
            |t| count(t.receiving.rebalances)
        )
        .listed(Subject::Polls, "rebalances"),
        metric!(
            "consume.given_up",
            "records",
            true,
            Consumers,
            READING,
            "records that a consumer received and did not process, because their partition was taken \
             away: the next owner gets them again",
            "sum over measured intervals",
            AGENT,
            |t| count(t.get(Counter::GivenUp))
        )
        .listed(Subject::Polls, "given up in rebalances"),
        metric!(
            "consume.rebalance_time.max",
            "us",
            true,
            Consumers,
            READING,
            "longest time that a consumer was without its partitions in a rebalance; 0 without one",
            "largest, from losing partitions to having an assignment again",
            "the client's rebalance callback",
            |t| count(t.receiving.rebalance_max_us)
        )
        .listed(Subject::Polls, "longest rebalance"),
        metric!(
            "consume.rebalance_time.total",
            "us",
            true,
            Consumers,
            READING,
            "time that consumers were without their partitions in rebalances, together",
            "sum, from losing partitions to having an assignment again",
            "the client's rebalance callback",
            |t| count(t.receiving.rebalance_total_us)
        ),
        metric!(
            "consume.rebalance.partitions_moved",
            "count",
            true,
            Consumers,
            READING,
            "partitions that came to a consumer that had not had them before",
            "sum over rebalances in measured intervals",
            "the client's rebalance callback",
            |t| count(t.receiving.partitions_moved)
        ),
    ]
}
