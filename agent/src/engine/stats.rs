//! librdkafka's statistics, reduced to what a report shows.

use mallard_protocol::interval::ClientStats;
use serde::Deserialize;
use std::collections::HashMap;

/// How often a client is asked for its statistics, in milliseconds. They list every partition, so with
/// many of them it is asked less often.
pub(crate) fn interval_ms(partitions: i32) -> u32 {
    if partitions > 100 { 5_000 } else { 1_000 }
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    tx_bytes: u64,
    /// Records that were put into requests, each as often as that was done.
    #[serde(default)]
    txmsgs: u64,
    #[serde(default)]
    brokers: HashMap<String, Broker>,
    #[serde(default)]
    topics: HashMap<String, Topic>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Broker {
    txerrs: u64,
    rxerrs: u64,
    waitresp_cnt: i64,
    outbuf_cnt: i64,
    int_latency: Window,
    outbuf_latency: Window,
    rtt: Window,
    throttle: Window,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Topic {
    batchsize: Window,
    batchcnt: Window,
}

/// One of librdkafka's rolling windows.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Window {
    sum: i64,
    cnt: i64,
}

/// Reads statistics of a client that was handed so many records; `None` if they are not what librdkafka writes.
///
/// librdkafka's count of retries is not of records: those of a request that failed go back into the queue of their
/// partition, and it counts another request when it makes one of them. What it has put into requests beyond what it was
/// handed, it has put there again. What it was handed and has not sent yet hides some of that, so it is no less than told.
pub(crate) fn parse(json: &str, handed: u64) -> Option<ClientStats> {
    let statistics: Statistics = serde_json::from_str(json).ok()?;
    let brokers = || statistics.brokers.values();
    let topics = || statistics.topics.values();
    let queue = || brokers().map(|b| b.int_latency);
    let wait = || brokers().map(|b| b.outbuf_latency);
    Some(ClientStats {
        batches: counted(topics().map(|t| t.batchcnt)),
        dequeued: counted(queue()),
        requests: counted(brokers().map(|b| b.rtt)),
        throttle_answers: counted(brokers().map(|b| b.throttle)),
        batch_bytes_mean: mean(topics().map(|t| t.batchsize)),
        batch_records_mean: mean(topics().map(|t| t.batchcnt)),
        // From the call to the batch being made, and from there to the socket.
        queue_us_mean: mean(queue()) + mean(wait()),
        round_trip_us_mean: mean(brokers().map(|b| b.rtt)),
        throttle_ms_mean: mean(brokers().map(|b| b.throttle)),
        in_flight: brokers().map(|b| count(b.waitresp_cnt)).max().unwrap_or(0),
        waiting_requests: brokers().map(|b| count(b.outbuf_cnt)).sum(),
        retries: statistics.txmsgs.saturating_sub(handed),
        errors: brokers().map(|b| b.txerrs + b.rxerrs).sum(),
        wire_sent_bytes: statistics.tx_bytes,
    })
}

/// The mean over several windows, each weighted by its count.
#[expect(clippy::cast_precision_loss, reason = "sums of a few seconds are below 2^53")]
fn mean(windows: impl Iterator<Item = Window>) -> f64 {
    let (sum, count) = windows.fold((0, 0), |(sum, count), w| (sum + w.sum, count + w.cnt));
    if count > 0 { sum as f64 / count as f64 } else { 0.0 }
}

fn counted(windows: impl Iterator<Item = Window>) -> u64 {
    windows.map(|window| count(window.cnt)).sum()
}

/// A count of librdkafka's, which writes -1 where there is none.
fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_several_brokers_are_weighted() {
        let json = r#"{"name": "x", "tx_bytes": 10, "rx_bytes": 20, "txmsgs": 52, "brokers": {
            "a": {"txretries": 9, "waitresp_cnt": 7, "outbuf_cnt": 2, "txerrs": 1, "rtt": {"sum": 100, "cnt": 1}},
            "b": {"rxerrs": 3, "waitresp_cnt": 4, "outbuf_cnt": -1, "rtt": {"sum": 900, "cnt": 3}, "extra": {}}},
            "topics": {"t": {"batchcnt": {"sum": 50, "cnt": 5}, "partitions": {"0": {}}}}}"#;
        let stats = parse(json, 50).unwrap();
        assert_eq!(stats.round_trip_us_mean, 250.0);
        assert_eq!(stats.batch_records_mean, 10.0);
        assert_eq!((stats.batches, stats.requests, stats.dequeued), (5, 4, 0));
        assert_eq!((stats.retries, stats.errors, stats.wire_sent_bytes), (2, 4, 10));
        assert_eq!((stats.in_flight, stats.waiting_requests), (7, 2));
        assert_eq!(parse(json, 60).unwrap().retries, 0, "some wait");
        assert_eq!(parse("nonsense", 0), None);
    }
}
