//! What producers' requests wait for: a setting of the client, the host, the network or a broker.
//!
//! Each has a witness of its own, so that no one is named for what another does:
//!
//! - a broker's answer to a small request beside the load (`broker.probe.*`, `broker.silent.*`),
//! - the kernel's round trip of the wire and what the wire loses (`network.*`),
//! - the client's own queue, requests in flight, and properties,
//! - the verdict's word on the host's CPU.
//!
//! Invariants: at most one bottleneck is named, and none without its witness.

use super::{
    Facts,
    facts::HELD_UP,
    finding::{diagnosis, sentence},
    stages::{IN_CLIENT, ROUND_TRIP},
};
use crate::{
    model::result::{Diagnosis, Stage},
    text::units::human,
};

/// Time of silence that is worth a word, in microseconds.
const SILENCE_US: f64 = 1_000_000.0;
/// Throttling that is.
const THROTTLED_US: f64 = 1_000.0;
/// Mean time of a stage from which on it is worth a word, in microseconds.
pub(super) const LONG_STAGE_US: f64 = 20_000.0;
/// Share of all time from which on stages take most of it.
pub(super) const MOST: f64 = 0.6;

/// Share of TCP segments sent again from which on a network loses too many.
const LOSSY: f64 = 0.01;
/// Share of a request's round trip that the wire takes from which on it is the network's…
const ON_THE_WIRE: f64 = 0.5;
/// …or that a broker takes for a small request from which on it is the broker's under any load.
const AT_THE_BROKER: f64 = 0.25;
/// A broker that answers a small request within this time is not slow, in microseconds.
const PROMPT_US: f64 = 10_000.0;
/// Requests in flight from which on they queue for a broker that takes them one after the other.
const MANY_IN_FLIGHT: f64 = 20.0;
/// Time in the client's queue that `linger.ms` explains, as shares of it: from about half of it, when
/// batches fill evenly, to a bit more than all.
const LINGERING: (f64, f64) = (0.4, 1.5);

/// What requests wait for, if that is known and it is long.
pub(super) fn bottleneck(facts: &Facts, stages: &[Stage]) -> Option<Diagnosis> {
    silent(facts)
        .or_else(|| throttled(facts))
        .or_else(|| linger(facts, stages))
        .or_else(|| Requests::of(facts, stages)?.bottleneck(facts))
}

/// Brokers that did not answer.
fn silent(facts: &Facts) -> Option<Diagnosis> {
    let long = |name: &str| facts.metric(name).filter(|us| *us >= SILENCE_US);
    let text = if let Some(all) = long("broker.silent.all") {
        format!(
            "Bottleneck: brokers. None of them answered for {} in all (broker.silent.all)",
            human(all, "us")
        )
    } else {
        let one = long("broker.silent.time")?;
        format!(
            "Bottleneck: broker. For {} in all a broker did not answer (broker.silent.time), while \
             others did",
            human(one, "us")
        )
    };
    let remedy = "find out what stopped it: its log, garbage collection, a paused or killed process, a \
                  network that was cut; figures of other times are in the windows";
    Some(diagnosis("broker_unresponsive", text, remedy.to_owned()))
}

/// Brokers that hold a client back by quota.
fn throttled(facts: &Facts) -> Option<Diagnosis> {
    let us = facts.metric("produce.client.throttle").filter(|us| *us >= THROTTLED_US)?;
    let text = format!(
        "Bottleneck: quota. Brokers throttle the producers: {} a request on average \
         (produce.client.throttle)",
        human(us, "us")
    );
    let remedy = "raise the client's quota on the brokers, or ask for less";
    Some(diagnosis("broker_throttles", text, remedy.to_owned()))
}

/// Records that wait for others of their batch because they are told to.
fn linger(facts: &Facts, stages: &[Stage]) -> Option<Diagnosis> {
    let queue = facts.metric("produce.client.queue_time").filter(|us| *us >= LONG_STAGE_US)?;
    let most = stages.iter().any(|stage| stage.name == IN_CLIENT && stage.share >= MOST);
    let linger_us = number(facts, "linger.ms")? * 1_000.0;
    let explained = queue >= linger_us * LINGERING.0 && queue <= linger_us * LINGERING.1;
    if !most || !explained {
        return None;
    }
    let text = format!(
        "Client settings: linger.ms. Records wait {} in the client on average \
         (produce.client.queue_time), and `linger.ms` has them wait up to {}; the request takes {}",
        human(queue, "us"),
        human(linger_us, "us"),
        human(facts.metric("produce.client.round_trip").unwrap_or(0.0), "us"),
    );
    let remedy = "lower `linger.ms` if latency matters more than the size of batches";
    Some(diagnosis("client_linger", text, remedy.to_owned()))
}

/// Requests that take long.
struct Requests {
    /// Mean round trip, in microseconds.
    round_trip: f64,
    /// Median of a small request's beside it.
    probe: Option<f64>,
    /// Of the wire alone.
    wire: Option<f64>,
    in_flight: f64,
}

impl Requests {
    /// Requests, if they are what takes most of the time.
    fn of(facts: &Facts, stages: &[Stage]) -> Option<Self> {
        let round_trip = facts.metric("produce.client.round_trip")?;
        let share: f64 = stages
            .iter()
            .filter(|stage| stage.name == ROUND_TRIP || stage.name == IN_CLIENT)
            .map(|stage| stage.share)
            .sum();
        let held = facts.metric("produce.backpressure_share").is_some_and(|share| share > HELD_UP);
        if round_trip < LONG_STAGE_US || !(share >= MOST || held) {
            return None;
        }
        Some(Self {
            round_trip,
            probe: facts.metric("broker.probe.p50"),
            wire: facts.metric("network.round_trip"),
            in_flight: facts.metric("produce.client.in_flight.max").unwrap_or(0.0),
        })
    }

    fn bottleneck(&self, facts: &Facts) -> Option<Diagnosis> {
        self.lossy(facts)
            .or_else(|| self.far())
            .or_else(|| self.nagle(facts))
            .or_else(|| self.in_flight(facts))
            .or_else(|| busy_host(facts))
            .or_else(|| self.broker())
    }

    fn mean(&self) -> String {
        format!(
            "Mean request round trip {} (produce.client.round_trip)",
            human(self.round_trip, "us")
        )
    }

    /// A host without CPU to spare acknowledges late, and segments are sent again that no network has lost.
    fn lossy(&self, facts: &Facts) -> Option<Diagnosis> {
        if facts.host.is_some() {
            return None;
        }
        let again = facts.metric("network.retransmits").filter(|share| *share >= LOSSY)?;
        let text = format!(
            "Bottleneck: network. {} of all TCP segments were lost (network.retransmits). {}",
            human(again, "ratio"),
            self.mean()
        );
        let remedy = "look for what loses packets between agents and brokers: a full link, a faulty one, \
                      a firewall's limits";
        Some(diagnosis("network_limits", text, remedy.to_owned()))
    }

    fn far(&self) -> Option<Diagnosis> {
        let wire = self.wire.filter(|wire| *wire >= self.round_trip * ON_THE_WIRE)?;
        let text = format!(
            "Bottleneck: network. {}, of which the wire alone takes {} (network.round_trip)",
            self.mean(),
            human(wire, "us")
        );
        let remedy = "move producers nearer to the brokers, or have fewer, larger requests, and more of \
                      them in flight";
        Some(diagnosis("network_limits", text, remedy.to_owned()))
    }

    fn nagle(&self, facts: &Facts) -> Option<Diagnosis> {
        let probe = self.probe.filter(|probe| *probe < PROMPT_US && self.exceeds(*probe))?;
        if property(facts, "socket.nagle.disable")? != "false" {
            return None;
        }
        let text = format!(
            "Client settings: socket.nagle.disable. {}, while a broker answers a small request in {} \
             (broker.probe.p50): with Nagle's algorithm the kernel holds small requests back until \
             earlier ones are acknowledged",
            self.mean(),
            human(probe, "us")
        );
        let remedy =
            "set `socket.nagle.disable: \"true\"`, or leave it out: that is the default here";
        Some(diagnosis("client_nagle", text, remedy.to_owned()))
    }

    fn in_flight(&self, facts: &Facts) -> Option<Diagnosis> {
        let probe = self.probe.filter(|probe| *probe >= PROMPT_US && self.exceeds(*probe))?;
        if self.in_flight < MANY_IN_FLIGHT {
            return None;
        }
        let limit = property(facts, "max.in.flight")
            .map_or_else(String::new, |limit| format!(" (now {limit})"));
        let text = format!(
            "Client settings: max.in.flight. {}, while a broker answers a small request in {} \
             (broker.probe.p50): up to {} requests are in flight to one broker \
             (produce.client.in_flight.max) and wait there for each other",
            self.mean(),
            human(probe, "us"),
            human(self.in_flight, "count")
        );
        let remedy = format!(
            "lower `max.in.flight`{limit}: 5, the default here and of Java's client, lets records wait \
             in the client, where they become larger batches"
        );
        Some(diagnosis("client_in_flight", text, remedy))
    }

    fn broker(&self) -> Option<Diagnosis> {
        let probe = self.probe?;
        let (text, remedy) = if probe >= self.round_trip * AT_THE_BROKER || probe >= PROMPT_US {
            let text = format!(
                "Bottleneck: broker. {}; a small request beside the load took {} (broker.probe.p50)",
                self.mean(),
                human(probe, "us")
            );
            (
                text,
                "look at the brokers' CPU, garbage collection and request handlers, or spread the \
                    topic over more of them",
            )
        } else {
            let text = format!(
                "Bottleneck: broker. {}; a small request beside the load took {} (broker.probe.p50), so \
                 it is writing or replicating records that takes long",
                self.mean(),
                human(probe, "us")
            );
            (
                text,
                "look at the brokers' disks and at replication (`acks`, `min.insync.replicas`), or \
                    spread the topic over more of them",
            )
        };
        Some(diagnosis("broker_limits", text, remedy.to_owned()))
    }

    /// Whether requests take much longer than a broker takes for a small one.
    fn exceeds(&self, probe: f64) -> bool {
        probe <= self.round_trip * AT_THE_BROKER
    }
}

/// A host without CPU to spare: whoever runs there waits for it, brokers as well.
fn busy_host(facts: &Facts) -> Option<Diagnosis> {
    let text = format!("Bottleneck: host CPU. {}", sentence(facts.host.as_ref()?));
    let remedy = "run agents and brokers on hosts of their own, or on larger ones; then look again";
    Some(diagnosis("host_limits", text, remedy.to_owned()))
}

/// A property of the producer's clients; of several producers, that of the first that has it.
fn property<'a>(facts: &'a Facts, key: &str) -> Option<&'a str> {
    facts.senders.iter().find_map(|sender| sender.properties.get(key)).map(String::as_str)
}

fn number(facts: &Facts, key: &str) -> Option<f64> {
    property(facts, key)?.parse().ok()
}
