//! Where a record's time goes, stage by stage.
//!
//! Means are used because they add up: the mean of a sum is the sum of the means, which holds for no
//! percentile.

use super::Facts;
use crate::model::result::Stage;

/// The stages of a record's way, with the mean time in each; empty without latencies. The client's own
/// statistics split the time from sending to acknowledgement; without them it is one stage.
pub(super) fn stages(facts: &Facts) -> Vec<Stage> {
    let metric = |name: &str| facts.metric(name);
    let mut times: Vec<(&str, f64)> = Vec::new();
    if let Some(service) = metric("produce.service.mean") {
        if let Some(slip) = metric("produce.slip.mean").filter(|_| !facts.closed_loop) {
            times.push((WAITING, slip));
        }
        match (metric("produce.client.queue_time"), metric("produce.client.round_trip")) {
            (Some(queue), Some(round_trip)) if queue + round_trip > 0.0 => {
                // The statistics are of whole windows and of requests, not of these records: their
                // proportion is what is taken.
                let share = queue / (queue + round_trip);
                times.push((IN_CLIENT, service * share));
                times.push((ROUND_TRIP, service * (1.0 - share)));
            }
            _ => times.push((SERVICE, service)),
        }
        let response = metric("produce.response.mean").unwrap_or(service);
        if let Some(end_to_end) = metric("end_to_end.mean") {
            // A consumer may have a record before its producer has the acknowledgement.
            times.push((DELIVERY, (end_to_end - response).max(0.0)));
        }
    }
    let total: f64 = times.iter().map(|(_, us)| us).sum();
    if total <= 0.0 {
        return Vec::new();
    }
    let stage = |(name, mean_us): (&str, f64)| Stage {
        name: name.to_owned(),
        mean_us,
        share: mean_us / total,
    };
    times.into_iter().map(stage).collect()
}

/// Due, and not yet handed to the client.
pub(super) const WAITING: &str = "waiting to be sent";
/// In the client, until its request is sent.
pub(super) const IN_CLIENT: &str = "in the client's queue";
/// From request to answer.
pub(super) const ROUND_TRIP: &str = "round trip to the broker";
/// Sent to acknowledged, where it cannot be split.
pub(super) const SERVICE: &str = "sent to acknowledged";
/// From acknowledgement to the consumer.
pub(super) const DELIVERY: &str = "acknowledged to received";
