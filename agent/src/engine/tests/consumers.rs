//! Producers and consumers together.

use super::*;
use mallard_protocol::counters::Counter;

#[test]
fn a_paced_run_adds_up_and_everything_sent_is_received() {
    let load_us = 2 * SECOND;
    let mut rig = Rig::new(assignment(
        load_us,
        vec![producer(rate(load_us, 2_000.0))],
        vec![consumer(StartFrom::Earliest)],
    ));
    rig.start();
    rig.until_interval(|r| r.end_us > load_us && r.consumers[0].totals.received == 4_000);
    assert_eq!(rig.finish(Duration::from_secs(5)), 0);

    let totals = rig.producer_totals();
    assert_eq!((totals.scheduled, totals.acked, totals.outstanding), (4_000, 4_000, 0));
    assert_eq!(rig.consumer_totals().received, 4_000);
    assert_eq!(rig.end_to_end().count(), 4_000);
    let report = &rig.intervals[0];
    assert_eq!((report.end_us, report.producers[0].slices[0].scheduled), (SECOND / 2, 1_000));
    let starts: Vec<_> =
        rig.others.iter().filter(|m| matches!(m, FromAgent::Started { .. })).collect();
    assert_eq!(starts.len(), 1);
    let positions: i64 =
        rig.intervals.last().unwrap().consumers[0].positions.iter().map(|p| p.offset).sum();
    assert_eq!(positions, 4_000, "the load alone");
    assert!(rig.intervals.iter().any(|r| !r.consumers[0].commit.is_empty()));
    assert!(rig.intervals.iter().all(|r| r.end_offsets.len() == 1));
}

#[test]
fn stamps_in_headers_give_the_same_figures() {
    let load_us = SECOND;
    let mut spec = producer(rate(load_us, 500.0));
    spec.payload = PayloadSpec::Template { source: "{\"n\": {{ sequence }}}".into() };
    spec.stamp = StampPlace::Header;
    spec.headers = vec![("request-id".into(), "x".into())];
    spec.partitioning = Partitioning::Client;
    let mut rig = Rig::new(assignment(load_us, vec![spec], vec![consumer(StartFrom::RunStart)]));
    rig.start();
    rig.until_interval(|r| r.end_us > load_us && r.consumers[0].totals.received == 500);
    rig.finish(Duration::from_secs(5));
    assert_eq!(rig.producer_totals().acked, 500);
    assert_eq!(rig.end_to_end().count(), 500);
}

#[test]
fn a_slow_consumer_polls_on_and_counts_what_waits_for_work() {
    let load_us = 2 * SECOND;
    let mut spec = consumer(StartFrom::Earliest);
    spec.work_us = 2_000;
    let mut rig = Rig::new(assignment(load_us, vec![producer(rate(load_us, 1_500.0))], vec![spec]));
    rig.start();
    rig.until_interval(|r| r.end_us >= load_us);
    let totals = rig.consumer_totals();
    assert!((500..1_050).contains(&totals.received), "one in two milliseconds: {totals:?}");
    assert!(totals.in_work > 100, "{totals:?}");
    rig.until_interval(|r| r.consumers[0].totals.received == 3_000);
    rig.finish(Duration::from_secs(5));
    assert_eq!(rig.consumer_totals(), ConsumerTotals { received: 3_000, foreign: 0, in_work: 0 });
    assert!(rig.end_to_end().max().unwrap() > SECOND);
    let polls: u64 =
        rig.intervals.iter().map(|r| r.consumers[0].counters.get(Counter::Polls)).sum();
    assert!(polls > 50, "{polls}");
}

/// A second consumer of the same group.
fn second(spec: &ConsumerSpec) -> ConsumerSpec {
    ConsumerSpec { instance: InstanceId(2), name: "flink-2".into(), ..spec.clone() }
}

fn rebalances_keep_what_was_counted(strategy: &str) {
    let load_us = 10 * SECOND;
    let mut spec = consumer(StartFrom::RunStart);
    spec.client = vec![
        ("partition.assignment.strategy".into(), strategy.into()),
        ("session.timeout.ms".into(), "6000".into()),
        ("heartbeat.interval.ms".into(), "200".into()),
    ];
    let broker = broker();
    let mut joining = assignment(60 * SECOND, Vec::new(), vec![second(&spec)]);
    let mut rig =
        Rig::on(broker, assignment(load_us, vec![producer(rate(load_us, 300.0))], vec![spec]));
    rig.start();
    rig.until_interval(|r| r.end_us >= SECOND);
    // Another agent joins the group in the middle of the run, and leaves it again.
    joining.connection = vec![("bootstrap.servers".into(), rig.broker.bootstrap_servers())];
    let (sink, said) = mpsc::channel();
    let hooks = Hooks {
        sample_resources: Box::new(Resources::default),
        observe: None,
        is_wanted: Box::new(|| true),
    };
    let mut other = crate::engine::prepare(joining, sink, hooks).unwrap();
    rig.until(|message| matches!(message, FromAgent::Assigned { partitions, .. } if (1..3).contains(&partitions.len())));
    other.start(monotonic_us() - rig.clock_us());
    // In a cooperative group it takes a second rebalance until the other has what was given up.
    let mut theirs = 0;
    while theirs == 0 {
        if let FromAgent::Interval(report) = said.recv_timeout(Duration::from_secs(10)).unwrap() {
            theirs = report.consumers[0].totals.received;
        }
    }
    other.finish(Duration::from_secs(1));
    rig.until(|message| matches!(message, FromAgent::Assigned { partitions, .. } if partitions.len() == 3));
    for message in said.try_iter() {
        if let FromAgent::Interval(report) = message {
            theirs = report.consumers[0].totals.received;
        }
    }
    rig.until_interval(|r| r.end_us > load_us && r.consumers[0].totals.received + theirs >= 3_000);
    rig.finish(Duration::from_secs(5));
    let received = rig.consumer_totals().received + theirs;
    // At least once: what was not committed before a partition moved is read again, which on a busy
    // machine may be much; but never more than all of it.
    assert!((3_000..6_000).contains(&received), "{received}");
    let rebalances: Vec<_> =
        rig.intervals.iter().flat_map(|r| &r.consumers[0].rebalances).collect();
    let (gained, lost): (u32, u32) =
        rebalances.iter().fold((0, 0), |(g, l), r| (g + r.gained, l + r.lost));
    assert!(gained == lost && lost > 0, "{rebalances:?}");
    // Partitions were away for a while, and are back within the run.
    let end_us = rig.intervals.last().unwrap().end_us;
    assert!(rebalances.iter().any(|r| r.duration_us > 0), "{rebalances:?}");
    assert!(rebalances.iter().all(|r| r.at_us + r.duration_us <= end_us), "{rebalances:?}");
}

#[test]
fn eager_rebalances_keep_what_was_counted() {
    rebalances_keep_what_was_counted("range");
}

#[test]
fn cooperative_rebalances_keep_what_was_counted() {
    rebalances_keep_what_was_counted("cooperative-sticky");
}

#[test]
fn what_was_there_before_the_start_is_read_again_after_it() {
    let broker = broker();
    fill(&broker, 1_000);
    let mut spec = consumer(StartFrom::Earliest);
    spec.membership = Membership::Assigned(vec![0, 1, 2]);
    let mut rig = Rig::on(broker, assignment(SECOND, Vec::new(), vec![spec]));
    rig.start();
    // Those of another run are foreign.
    rig.until_interval(|r| r.consumers[0].totals.foreign == 1_000);
    rig.finish(Duration::from_secs(5));
    assert_eq!(rig.consumer_totals(), ConsumerTotals { received: 0, foreign: 1_000, in_work: 0 });
}

#[test]
fn where_nothing_is_produced_whatever_is_there_is_the_load() {
    let broker = broker();
    fill(&broker, 1_000);
    let mut spec = consumer(StartFrom::Earliest);
    spec.stamped = false;
    let mut rig = Rig::on(broker, assignment(SECOND, Vec::new(), vec![spec]));
    rig.start();
    rig.until_interval(|r| r.consumers[0].totals.received == 1_000);
    rig.finish(Duration::from_secs(5));
    assert_eq!(rig.consumer_totals(), ConsumerTotals { received: 1_000, foreign: 0, in_work: 0 });
    assert!(rig.end_to_end().is_empty(), "when they were due is another run's business");
}

#[test]
fn a_run_that_starts_at_its_start_sees_nothing_older() {
    let broker = broker();
    fill(&broker, 1_000);
    let mut rig = Rig::on(
        broker,
        assignment(
            SECOND,
            vec![producer(rate(SECOND, 500.0))],
            vec![consumer(StartFrom::RunStart)],
        ),
    );
    rig.start();
    rig.until_interval(|r| r.end_us > SECOND && r.consumers[0].totals.received == 500);
    rig.finish(Duration::from_secs(5));
    assert_eq!(rig.consumer_totals(), ConsumerTotals { received: 500, foreign: 0, in_work: 0 });
}

#[test]
fn what_others_of_this_run_sent_before_a_late_start_is_read_after_it() {
    let mut rig = Rig::new(assignment(SECOND, Vec::new(), vec![consumer(StartFrom::RunStart)]));
    fill_by(&rig.broker, 77, 1_000);
    // The consumer polls all the time, and has seen them long before it is told to start.
    std::thread::sleep(Duration::from_millis(500));
    rig.start();
    rig.until_interval(|r| r.consumers[0].totals.received == 1_000);
    rig.finish(Duration::from_secs(5));
    assert_eq!(rig.consumer_totals(), ConsumerTotals { received: 1_000, foreign: 0, in_work: 0 });
}

/// Leaves records of another run in the topic.
fn fill(broker: &Broker, records: u64) {
    fill_by(broker, 1, records);
}

fn fill_by(broker: &Broker, run: u32, records: u64) {
    let load_us = SECOND / 10;
    let per_s = records as f64 * 10.0;
    let mut other = assignment(load_us, vec![producer(rate(load_us, per_s))], Vec::new());
    other.run = run;
    let (engine, said) = prepare(broker, other);
    let mut engine = engine.unwrap();
    engine.start(monotonic_us());
    std::thread::sleep(Duration::from_micros(load_us));
    engine.finish(Duration::from_secs(5));
    let acked = said.try_iter().filter_map(|message| match message {
        FromAgent::Interval(report) => Some(report.producers[0].totals.acked),
        _ => None,
    });
    assert_eq!(acked.last(), Some(records));
}
