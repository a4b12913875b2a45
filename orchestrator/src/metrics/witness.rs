//! What agents saw of brokers and network by themselves, beside the clients of the load.

use super::{
    metric::{Metric, Scopes, metric, ratio},
    tally::Tally,
};
use crate::metrics::witness_tally::WitnessTally;
use mallard_protocol::histogram::Histogram;

const SCOPES: Scopes = Scopes::AGENT.and(Scopes::PHASE);
const PROBE: &str =
    "requests for offsets on connections of the agents' own, four a second to each broker";
const KERNEL: &str = "the kernel's figures for the TCP connections of agents (TCP_INFO)";

/// `broker.*` and `network.*`.
pub(super) fn metrics() -> Vec<Metric> {
    brokers().into_iter().chain(network()).collect()
}

fn brokers() -> Vec<Metric> {
    vec![
        metric!(
            "broker.probe.p50",
            "us",
            true,
            Nothing,
            SCOPES,
            "median round trip of a small request to the brokers beside the load: what a broker takes \
             to answer while the load runs",
            "median over all brokers and agents",
            PROBE,
            |t| quantile(t, 0.5)
        ),
        metric!(
            "broker.probe.p99",
            "us",
            true,
            Nothing,
            SCOPES,
            "99th percentile of the same",
            "99th percentile over all brokers and agents",
            PROBE,
            |t| quantile(t, 0.99)
        ),
        metric!(
            "broker.silent.time",
            "us",
            true,
            Nothing,
            SCOPES,
            "time in which a broker had not answered a small request for a second or longer; of several \
             agents, the longest",
            "sum over measured intervals, each broker's whole wait for an answer that took 1 s or more",
            PROBE,
            |t| longest(t, |seen| seen.broker_silent_us)
        ),
        metric!(
            "broker.silent.all",
            "us",
            true,
            Nothing,
            SCOPES,
            "time in which no broker had answered a small request for a second or longer; of several \
             agents, the longest",
            "as broker.silent.time, of the broker that was silent for the shortest time",
            PROBE,
            |t| longest(t, |seen| seen.all_silent_us)
        ),
    ]
}

fn network() -> Vec<Metric> {
    vec![
        metric!(
            "network.round_trip",
            "us",
            true,
            Nothing,
            SCOPES,
            "what the way to a broker and back takes at least, without the broker: the largest over all \
             connections",
            "largest over connections of the kernel's shortest round trip of each",
            KERNEL,
            |t| longest(t, |seen| seen.wire_us).filter(|us| *us > 0.0)
        ),
        metric!(
            "network.retransmits",
            "ratio",
            true,
            Nothing,
            SCOPES,
            "share of TCP segments that were lost and sent again",
            "segments sent again, without those that had arrived (RFC 2883) / segments sent, of all agents",
            KERNEL,
            |t| {
                let of = |pick: fn(&WitnessTally) -> u64| seen(t).map(pick).sum();
                ratio(of(|seen| seen.segments_again), of(|seen| seen.segments))
            }
        ),
    ]
}

fn seen(tally: &Tally) -> impl Iterator<Item = &WitnessTally> {
    tally.resources.iter().map(|agent| &agent.witness).filter(|seen| seen.intervals > 0)
}

#[expect(clippy::cast_precision_loss, reason = "times are below 2^53 µs")]
fn longest(tally: &Tally, pick: fn(&WitnessTally) -> u64) -> Option<f64> {
    seen(tally).map(pick).max().map(|us| us as f64)
}

#[expect(clippy::cast_precision_loss, reason = "times are below 2^53 µs")]
fn quantile(tally: &Tally, share: f64) -> Option<f64> {
    let mut all = Histogram::new();
    seen(tally).for_each(|seen| all.add(&seen.round_trip));
    all.value_at_quantile(share).map(|us| us as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;
    use mallard_protocol::interval::Witness;

    fn seen(round_trip_us: u64, silent_us: u64) -> Witness {
        let mut round_trip = Histogram::new();
        round_trip.record(round_trip_us);
        Witness {
            round_trip,
            broker_silent_us: silent_us,
            all_silent_us: silent_us / 2,
            wire_us: 100,
            segments: 50,
            segments_again: 1,
            ..Witness::default()
        }
    }

    #[test]
    fn agents_round_trips_are_merged_and_their_silences_are_not_added() {
        let mut tally = Tally::default();
        for (agent, of) in [(0, seen(100, 3)), (0, seen(200, 4)), (1, seen(300, 6))] {
            tally.resources_of(agent).witness.record(&of);
        }
        let value = |name: &str| (metrics::find(name).expect("a metric").value)(&tally);
        assert_eq!(value("broker.probe.p50"), Some(200.0));
        assert_eq!(value("broker.silent.time"), Some(7.0));
        assert_eq!(value("network.round_trip"), Some(100.0));
        assert_eq!(value("network.retransmits"), Some(0.02));
    }
}
