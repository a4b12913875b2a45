//! Producers alone.

use super::*;
use mallard_protocol::counters::Counter;
use std::collections::BTreeSet;

#[test]
fn the_load_can_be_stopped_at_any_time() {
    let load_us = 60 * SECOND;
    let mut rig = Rig::new(assignment(load_us, vec![producer(rate(load_us, 1_000.0))], Vec::new()));
    rig.start();
    rig.until_interval(|interval| interval.end_us >= SECOND);
    rig.engine.stop_load();
    rig.finish(Duration::from_secs(5));
    let totals = rig.producer_totals();
    assert!((1_000..60_000).contains(&totals.scheduled), "{totals:?}");
    assert_eq!((totals.acked, totals.not_sent), (totals.scheduled, 0));
}

#[test]
fn an_engine_that_never_started_finishes_without_intervals() {
    let mut rig = Rig::new(assignment(
        SECOND,
        vec![producer(rate(SECOND, 1_000.0))],
        vec![consumer(StartFrom::Latest)],
    ));
    assert_eq!(rig.finish(Duration::from_secs(5)), 0);
    assert!(rig.intervals.is_empty());
}

#[test]
fn a_refused_property_fails_the_preparation_by_name() {
    let mut spec = producer(rate(SECOND, 1.0));
    spec.client = vec![("acks".into(), "perhaps".into())];
    let (engine, _) = prepare(&broker(), assignment(SECOND, vec![spec], Vec::new()));
    let failure = engine.err().unwrap();
    assert_eq!(failure.kind, mallard_protocol::message::FailureKind::Property);
    assert!(failure.text.contains("gateway-1") && failure.text.contains("acks"), "{failure:?}");
}

#[test]
fn a_sticky_producer_keeps_to_a_partition_as_long_as_the_client_would() {
    let load_us = 2 * SECOND;
    let mut spec = producer(rate(load_us, 1_000.0));
    spec.partitioning = Partitioning::Sticky;
    spec.client = vec![("linger.ms".into(), "50".into())];
    let mut rig = Rig::new(assignment(load_us, vec![spec], Vec::new()));
    rig.start();
    rig.until_interval(|r| r.end_us > load_us && r.producers[0].totals.acked == 2_000);
    rig.finish(Duration::from_secs(5));
    let mut acked = [0; PARTITIONS as usize];
    for slice in rig.intervals.iter().flat_map(|r| &r.producers).flat_map(|p| &p.slices) {
        for partition in &slice.partitions {
            acked[partition.partition as usize] += partition.acked;
        }
    }
    // Twenty turns of twice 50 ms: 100 records each.
    let of_turns: [u64; PARTITIONS as usize] = std::array::from_fn(|partition| {
        (0..20).filter(|turn| turn % PARTITIONS as usize == partition).count() as u64 * 100
    });
    assert_eq!(acked, of_turns);
}

#[test]
fn an_injected_round_trip_shows_in_the_response_times() {
    let load_us = 2 * SECOND;
    let broker = broker();
    broker.broker_round_trip_time(1, Duration::from_millis(200)).unwrap();
    // No record waits for an earlier request to be answered.
    let mut unlimited = producer(rate(load_us, 500.0));
    unlimited.client.push(("max.in.flight".into(), "1000000".into()));
    let mut rig = Rig::on(broker, assignment(load_us, vec![unlimited], Vec::new()));
    rig.start();
    rig.until_interval(|r| r.end_us > load_us && r.producers[0].totals.acked == 1_000);
    rig.finish(Duration::from_secs(5));
    let responses = rig.responses();
    assert!(responses.min().unwrap() >= 200_000, "{responses:?}");
    assert!(responses.value_at_quantile(0.5).unwrap() < 215_000, "{responses:?}");
}

/// What 2,000 records wait in microseconds, one due every millisecond, of which a request takes 100 and
/// the next request begins when the one before is answered; sorted.
fn waits_us(round_trip_us: u64) -> Vec<u64> {
    let first_is_full_us = 99_000;
    let answered_us = |i: u64| first_is_full_us + (i / 100 + 1) * round_trip_us;
    let mut waits: Vec<_> = (0..2_000).map(|i| answered_us(i) - i * 1_000).collect();
    waits.sort_unstable();
    waits
}

#[test]
fn responses_under_backpressure_are_those_of_arithmetic() {
    let (load_us, round_trip_us) = (2 * SECOND, 250_000);
    let mut spec = producer(rate(load_us, 1_000.0));
    // The client has room for a fifth of a second: most of what waits, waits where the client never sees
    // it.
    spec.client = [
        ("batch.num.messages", "100"),
        ("linger.ms", "900"),
        ("max.in.flight", "1"),
        ("queue.buffering.max.messages", "200"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let broker = MockCluster::new(1).unwrap();
    broker.create_topic(TOPIC, 1, 1).unwrap();
    let mut assignment = assignment(load_us, vec![spec], Vec::new());
    assignment.topics[0].partitions = 1;
    let mut rig = Rig::on(broker, assignment);
    // Only requests that carry records are to take that long. The client looks once a second for topics
    // whose leaders it does not know, asks for them, connects to them, and asks those for their versions.
    std::thread::sleep(Duration::from_millis(2_500));
    rig.broker.broker_round_trip_time(1, Duration::from_micros(round_trip_us)).unwrap();
    rig.start();
    rig.until_interval(|r| r.producers[0].totals.acked == 2_000);
    rig.finish(Duration::from_secs(5));

    let responses = rig.merged(0, |report, take| {
        for slice in report.producers.iter().flat_map(|p| &p.slices) {
            slice.partitions.iter().for_each(|p| take(slice.phase, &p.response));
        }
    });
    assert_eq!(responses.count(), 2_000, "no record is forgotten");
    let longest_us = responses.max().unwrap();
    let exact_us = *waits_us(round_trip_us).last().unwrap();
    assert!(longest_us * 100 >= exact_us * 98, "{longest_us} µs, by arithmetic {exact_us}");
    // This machine adds a moment to each of 20 requests. With what it added, all else is exact.
    let added_us = longest_us.saturating_sub(exact_us) / 20;
    assert!(added_us < round_trip_us / 4, "{added_us} µs were added to each round trip");
    let waits = waits_us(round_trip_us + added_us);
    for (quantile, rank) in [(0.25, 500), (0.5, 1_000), (0.9, 1_800), (0.99, 1_980)] {
        let (measured, exact) = (responses.value_at_quantile(quantile).unwrap(), waits[rank - 1]);
        assert!(
            measured.abs_diff(exact) * 100 <= exact * 2,
            "the {quantile} quantile is {measured} µs, by arithmetic {exact}"
        );
    }
}

#[test]
fn a_full_queue_makes_records_late_and_loses_none() {
    let load_us = 2 * SECOND;
    let broker = broker();
    broker.broker_round_trip_time(1, Duration::from_millis(400)).unwrap();
    let mut spec = producer(rate(load_us, 2_000.0));
    // Before the first acknowledgement comes, 800 records are due and 100 find room.
    spec.client.push(("queue.buffering.max.messages".into(), "100".into()));
    let mut rig = Rig::on(broker, assignment(load_us, vec![spec], Vec::new()));
    rig.start();
    rig.until_interval(|r| r.end_us >= load_us);
    assert!(rig.producer_totals().not_sent > 0);
    rig.finish(Duration::from_secs(1));
    let totals = rig.producer_totals();
    assert_eq!(totals.scheduled, 4_000);
    assert!(totals.not_sent > 0 && totals.acked > 100, "{totals:?}");
    let first = &rig.intervals[1].producers[0];
    let counted = |counter| first.counters.get(counter);
    let refused_us = counted(Counter::BackpressureUs);
    assert!(counted(Counter::QueueFull) > 10 && refused_us > 300_000, "{first:?}");
    let unexplained = rig.merged(0, |report, take| {
        for slice in report.producers.iter().flat_map(|p| &p.slices) {
            take(slice.phase, &slice.unexplained_slip);
        }
    });
    assert!(unexplained.max().unwrap() < 100_000, "{unexplained:?}");
    let late: u64 = rig.intervals.iter().flat_map(|r| &r.producers[0].slices).map(|s| s.late).sum();
    assert!(late > 100, "{late}");
}

#[test]
fn records_that_the_client_refuses_are_failed_and_counted() {
    let load_us = SECOND;
    let mut spec = producer(rate(load_us, 100.0));
    spec.payload =
        PayloadSpec::Bytes { size: SizeSpec::Uniform { min: 900, max: 1_900 }, random_share: 0.0 };
    spec.client.push(("message.max.bytes".into(), "1500".into()));
    let mut rig = Rig::new(assignment(load_us, vec![spec], Vec::new()));
    rig.start();
    rig.until_interval(|r| r.end_us >= load_us);
    rig.finish(Duration::from_secs(5));
    let totals = rig.producer_totals();
    assert!((10..90).contains(&totals.failed), "{totals:?}");
    assert_eq!(totals.acked + totals.failed, 100);
    let slices = rig.intervals.iter().flat_map(|r| &r.producers[0].slices);
    let codes: BTreeSet<_> =
        slices.flat_map(|s| &s.failed).map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, BTreeSet::from(["MSG_SIZE_TOO_LARGE"]));
}

#[test]
fn a_closed_loop_sends_what_the_client_takes() {
    let load_us = SECOND;
    let pace = Pace::Max;
    let schedule = Schedule::new([Segment { start_us: 0, end_us: load_us, pace }]);
    let mut spec = producer(schedule);
    spec.client.push(("queue.buffering.max.messages".into(), "5000".into()));
    let mut rig = Rig::new(assignment(load_us, vec![spec], Vec::new()));
    rig.start();
    rig.until_interval(|r| r.end_us > load_us + SECOND / 2);
    rig.finish(Duration::from_secs(5));
    let totals = rig.producer_totals();
    assert!(totals.acked > 10_000, "{totals:?}");
    assert_eq!((totals.scheduled, totals.not_sent, totals.outstanding), (totals.acked, 0, 0));
    let slips = rig.intervals.iter().flat_map(|r| &r.producers[0].slices).map(|s| s.slip.count());
    assert_eq!(slips.sum::<u64>(), 0);
}

#[test]
fn a_commit_is_over_when_the_coordinator_has_said_so() {
    let load_us = 2 * SECOND;
    let mut spec = producer(rate(load_us, 300.0));
    spec.transactions =
        Some(TransactionSpec { every_records: Some(10), every_us: None, abort_share: 0.2 });
    let broker = broker();
    broker.broker_round_trip_time(1, Duration::from_millis(50)).unwrap();
    let mut rig = Rig::on(broker, assignment(load_us, vec![spec], Vec::new()));
    rig.start();
    rig.until_interval(|r| r.end_us > load_us);
    rig.finish(Duration::from_secs(30));
    let ended: Vec<_> = rig
        .intervals
        .iter()
        .map(|r| &r.producers[0].transactions)
        .filter(|t| t.committed > 0)
        .collect();
    assert!(!ended.is_empty());
    for transactions in ended {
        let fastest = transactions.commit.min().unwrap();
        assert!(fastest >= 50_000, "a commit takes a round trip of 50 ms at least: {fastest} us");
        assert_eq!(transactions.failed, 0);
    }
    let totals = rig.producer_totals();
    assert_eq!((totals.scheduled, totals.acked), (600, 600), "{totals:?}");
}

#[test]
fn transactions_are_committed_or_aborted_and_their_records_counted() {
    let load_us = 3 * SECOND;
    let mut spec = producer(rate(load_us, 300.0));
    spec.transactions =
        Some(TransactionSpec { every_records: Some(50), every_us: None, abort_share: 0.3 });
    let mut rig = Rig::new(assignment(load_us, vec![spec], Vec::new()));
    rig.start();
    rig.until_interval(|r| r.end_us > load_us);
    rig.finish(Duration::from_secs(10));
    let totals = rig.producer_totals();
    assert_eq!((totals.scheduled, totals.acked), (900, 900), "{totals:?}");
    let sum = |pick: fn(&mallard_protocol::interval::Transactions) -> u64| -> u64 {
        rig.intervals.iter().map(|r| pick(&r.producers[0].transactions)).sum()
    };
    let (committed, aborted) = (sum(|t| t.committed), sum(|t| t.aborted));
    assert_eq!((committed + aborted, sum(|t| t.failed)), (18, 0));
    assert!((5..=6).contains(&aborted), "three in ten of 18: {aborted}");
    assert_eq!(sum(|t| t.committed_records) + sum(|t| t.aborted_records), 900);
    assert_eq!(sum(|t| t.aborted_records), aborted * 50);
    assert_eq!(sum(|t| t.commit.count()), committed);
}
