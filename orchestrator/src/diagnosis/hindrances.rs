//! One thing is hindered at a time, and exactly that must be named.
//!
//! The figures are of the size that they had on a real Kafka with the same hindrance.

use super::{
    interpret,
    tests::{calm, metrics, part, with},
    *,
};

/// A hindrance: what changes in a case in which all is well, and the one code that must come of it.
struct Hindrance {
    what: &'static str,
    metrics: &'static [(&'static str, f64)],
    properties: &'static [(&'static str, &'static str)],
    more: fn(&mut Facts),
    named: &'static str,
}

const SOUND: Hindrance =
    Hindrance { what: "", metrics: &[], properties: &[], more: |_| (), named: "" };

/// Producers whose records take long.
const SLOW: [(&str, f64); 2] = [("produce.response.p95", 900_000.0), ("produce.slip.mean", 100.0)];

const HINDRANCES: &[Hindrance] = &[
    Hindrance {
        what: "Nagle's algorithm over TLS",
        metrics: &[
            ("produce.service.mean", 3_000_000.0),
            ("produce.response.mean", 3_000_100.0),
            ("produce.client.queue_time", 400_000.0),
            ("produce.client.round_trip", 2_600_000.0),
            ("produce.client.in_flight.max", 900.0),
            ("produce.acked.rate", 850.0),
        ],
        properties: &[("socket.nagle.disable", "false"), ("max.in.flight", "1000000")],
        named: "client_nagle",
        ..SOUND
    },
    Hindrance {
        what: "a million requests in flight to brokers at a tenth of their speed",
        metrics: &[
            ("produce.service.mean", 12_000_000.0),
            ("produce.response.mean", 12_000_100.0),
            ("produce.client.queue_time", 6_000.0),
            ("produce.client.round_trip", 12_000_000.0),
            ("produce.client.in_flight.max", 4_000.0),
            ("produce.acked.rate", 533.0),
            ("broker.probe.p50", 90_000.0),
        ],
        properties: &[("max.in.flight", "1000000")],
        named: "client_in_flight",
        ..SOUND
    },
    Hindrance {
        what: "linger.ms",
        metrics: &[
            ("produce.service.mean", 205_000.0),
            ("produce.response.mean", 205_100.0),
            ("produce.client.queue_time", 203_000.0),
            ("produce.client.round_trip", 1_500.0),
        ],
        properties: &[("linger.ms", "400")],
        named: "client_linger",
        ..SOUND
    },
    Hindrance {
        what: "a wire of 40 ms",
        metrics: &[
            ("produce.service.mean", 65_000.0),
            ("produce.response.mean", 65_100.0),
            ("produce.client.queue_time", 22_000.0),
            ("produce.client.round_trip", 41_500.0),
            ("produce.client.in_flight.max", 5.0),
            ("broker.probe.p50", 41_000.0),
            ("network.round_trip", 40_300.0),
        ],
        named: "network_limits",
        ..SOUND
    },
    Hindrance {
        what: "a wire that loses packets",
        metrics: &[
            ("produce.service.mean", 240_000.0),
            ("produce.response.mean", 240_100.0),
            ("produce.client.queue_time", 90_000.0),
            ("produce.client.round_trip", 150_000.0),
            ("produce.client.in_flight.max", 5.0),
            ("broker.probe.p50", 1_100.0),
            ("network.retransmits", 0.03),
        ],
        named: "network_limits",
        ..SOUND
    },
    Hindrance {
        what: "brokers at a tenth of their speed",
        metrics: &[
            ("produce.service.mean", 370_000.0),
            ("produce.response.mean", 370_100.0),
            ("produce.client.queue_time", 250_000.0),
            ("produce.client.round_trip", 110_000.0),
            ("produce.client.in_flight.max", 5.0),
            ("broker.probe.p50", 60_000.0),
        ],
        named: "broker_limits",
        ..SOUND
    },
    Hindrance {
        what: "a broker's disk",
        metrics: &[
            ("produce.service.mean", 300_000.0),
            ("produce.response.mean", 300_100.0),
            ("produce.client.queue_time", 120_000.0),
            ("produce.client.round_trip", 180_000.0),
            ("produce.client.in_flight.max", 5.0),
            ("broker.probe.p50", 900.0),
        ],
        named: "broker_limits",
        ..SOUND
    },
    Hindrance {
        what: "a quota",
        metrics: &[
            ("produce.service.mean", 2_000_000.0),
            ("produce.response.mean", 2_000_100.0),
            ("produce.client.queue_time", 1_200_000.0),
            ("produce.client.round_trip", 800_000.0),
            ("produce.client.throttle", 700_000.0),
            ("produce.client.in_flight.max", 5.0),
            ("produce.acked.rate", 200.0),
        ],
        named: "broker_throttles",
        ..SOUND
    },
    Hindrance {
        what: "an agent at a tenth of a core",
        metrics: &[
            ("produce.service.mean", 250_000.0),
            ("produce.client.round_trip", 120_000.0),
            ("produce.client.queue_time", 120_000.0),
            ("broker.probe.p50", 80_000.0),
        ],
        more: |facts| {
            facts.generator =
                vec![("generator_slip".into(), "40 % of all records were sent late".into())];
        },
        named: "generator_limits",
        ..SOUND
    },
    Hindrance {
        what: "a host without CPU to spare",
        metrics: &[
            ("produce.service.mean", 250_000.0),
            ("produce.client.round_trip", 120_000.0),
            ("produce.client.queue_time", 120_000.0),
            ("broker.probe.p50", 80_000.0),
        ],
        more: |facts| facts.host = Some("the host of a was busy with all of its cores".into()),
        named: "host_limits",
        ..SOUND
    },
    Hindrance {
        what: "a host without CPU to spare, whose kernel answers so late that segments are sent twice",
        metrics: &[
            ("produce.service.mean", 100_000.0),
            ("produce.client.round_trip", 66_630.0),
            ("produce.client.queue_time", 30_000.0),
            ("broker.probe.p50", 20_000.0),
            ("network.retransmits", 0.021_81),
        ],
        more: |facts| facts.host = Some("the host of a was busy with all of its cores".into()),
        named: "host_limits",
        ..SOUND
    },
    Hindrance {
        what: "a slow consumer",
        metrics: &[("end_to_end.mean", 4_000_000.0), ("produce.response.p95", 9_000.0)],
        more: |facts| {
            facts.groups[0].work_us = 4_000;
            facts.groups[0].metrics =
                metrics(&[("consume.received.rate", 500.0), ("consume.lag.max", 15_000.0)]);
        },
        named: "consumer_limits",
        ..SOUND
    },
    Hindrance {
        what: "a hot partition",
        metrics: &[("produce.response.p95", 9_000.0)],
        more: |facts| {
            facts.partitions =
                (0..4).map(|of| part(of, if of == 2 { 17_000 } else { 1_000 })).collect();
        },
        named: "hot_partition",
        ..SOUND
    },
    Hindrance {
        what: "tiny batches in a closed loop",
        metrics: &[("produce.response.p95", 9_000.0)],
        more: |facts| facts.closed_loop = true,
        named: "small_batches",
        ..SOUND
    },
    Hindrance {
        what: "all brokers stopped for 9 of 25 s",
        metrics: &[
            ("produce.service.mean", 1_700_000.0),
            ("produce.response.mean", 1_700_100.0),
            ("produce.client.queue_time", 1_200_000.0),
            ("produce.client.round_trip", 300_000.0),
            ("produce.client.in_flight.max", 5.0),
            ("broker.silent.time", 8_900_000.0),
            ("broker.silent.all", 8_700_000.0),
            ("consume.lag.max", 9_000.0),
        ],
        more: |facts| {
            facts.groups[0].metrics.insert("consume.lag.max".into(), 9_000.0);
        },
        named: "broker_unresponsive",
        ..SOUND
    },
];

fn facts_of(hindrance: &Hindrance) -> Facts {
    let mut facts = calm();
    with(&mut facts, &SLOW);
    with(&mut facts, hindrance.metrics);
    for (key, value) in hindrance.properties {
        facts.senders[0].properties.insert((*key).into(), (*value).into());
    }
    (hindrance.more)(&mut facts);
    facts
}

#[test]
fn exactly_what_is_hindered_is_named() {
    for hindrance in HINDRANCES {
        let told = interpret(&facts_of(hindrance));
        let codes: Vec<_> = told.diagnoses.iter().map(|of| of.code.as_str()).collect();
        assert_eq!(codes, [hindrance.named], "{}: {:#?}", hindrance.what, told.diagnoses);
    }
}

#[test]
fn without_a_witness_nobody_is_accused_and_nothing_is_called_well() {
    let witnesses = ["broker.probe.p50", "network.round_trip", "network.retransmits"];
    for hindrance in HINDRANCES {
        let mut facts = facts_of(hindrance);
        if !["client_nagle", "client_in_flight", "broker_limits", "network_limits"]
            .contains(&hindrance.named)
        {
            continue;
        }
        facts.metrics.retain(|name, _| !witnesses.contains(&name.as_str()));
        let told = interpret(&facts);
        let accused = told
            .diagnoses
            .iter()
            .any(|of| of.code.starts_with("client") || of.code.ends_with("_limits"));
        assert!(!accused, "{}: {:#?}", hindrance.what, told.diagnoses);
        assert!(!told.summary.starts_with("Nothing stands out"), "{}", hindrance.what);
    }
}

#[test]
fn nobody_is_told_to_move_nearer_to_a_loopback() {
    for hindrance in HINDRANCES.iter().filter(|of| !of.what.contains("40 ms")) {
        let told = interpret(&facts_of(hindrance)).diagnoses;
        assert!(told.iter().all(|of| !of.remedy.contains("nearer")), "{}", hindrance.what);
    }
}

#[test]
fn what_is_named_stands_with_its_witness() {
    let text = |what: &str| {
        let hindrance =
            HINDRANCES.iter().find(|of| of.what.starts_with(what)).expect("one of them");
        interpret(&facts_of(hindrance)).diagnoses[0].text.clone()
    };
    let broker = text("brokers at a tenth");
    assert!(broker.starts_with("Bottleneck: broker. Mean request round trip 110 ms"), "{broker}");
    assert!(broker.contains("small request beside the load took 60 ms"), "{broker}");
    assert!(
        text("a broker's disk").contains("writing or replicating"),
        "{}",
        text("a broker's disk")
    );
    assert!(
        text("a wire of 40 ms").contains("the wire alone takes 40.3 ms"),
        "{}",
        text("a wire of 40 ms")
    );
    assert!(
        text("all brokers stopped").contains("answered for 8.7 s"),
        "{}",
        text("all brokers stopped")
    );
    assert!(
        text("linger").contains("`linger.ms` has them wait up to 400 ms"),
        "{}",
        text("linger")
    );
}

#[test]
fn records_that_took_long_for_no_known_reason_are_said_to() {
    let mut facts = calm();
    with(
        &mut facts,
        &[("produce.response.p95", 900_000.0), ("produce.client.batch_records", 40.0)],
    );
    facts.senders[0].metrics.insert("produce.client.batch_records".into(), 40.0);
    let told = interpret(&facts);
    assert_eq!(told.diagnoses, []);
    assert!(
        told.summary.starts_with("Records took long, and no figure says why"),
        "{}",
        told.summary
    );
}
