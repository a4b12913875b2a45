//! The whole engine against librdkafka's mock cluster.

use super::*;
use mallard_protocol::{
    histogram::Histogram,
    ids::{InstanceId, PhaseId},
    interval::{ConsumerTotals, IntervalReport, ProducerTotals},
    schedule::{Pace, Phase, PhaseKind, Schedule, Segment, Timeline},
    workload::{
        CommitPolicy, ConsumerSpec, KeySpec, Membership, Partitioning, PayloadSpec, ProducerSpec,
        SizeSpec, StampPlace, StartFrom, TopicSpec, TransactionSpec,
    },
};
use rdkafka::mocking::MockCluster;
use std::{collections::BTreeSet, sync::mpsc::Receiver, time::Instant};

const TOPIC: &str = "load";
const PARTITIONS: i32 = 3;
const SECOND: u64 = 1_000_000;

/// A broker, an engine, and what the engine says.
struct Rig {
    _broker: MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
    engine: Engine,
    said: Receiver<FromAgent>,
    intervals: Vec<IntervalReport>,
    others: Vec<FromAgent>,
}

fn broker() -> MockCluster<'static, rdkafka::producer::DefaultProducerContext> {
    let broker = MockCluster::new(1).unwrap();
    broker.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    broker
}

fn timeline(load_us: u64) -> Timeline {
    let phase =
        |name: &str, kind, start_us, end_us| Phase { name: name.into(), kind, start_us, end_us };
    Timeline(vec![
        phase("warm-up", PhaseKind::WarmUp, 0, load_us / 4),
        phase("hold", PhaseKind::Hold, load_us / 4, load_us),
        phase("drain", PhaseKind::Drain, load_us, load_us + 30 * SECOND),
    ])
}

fn rate(load_us: u64, per_s: f64) -> Schedule {
    let pace = Pace::Rate { from_per_s: per_s, to_per_s: per_s };
    Schedule::new([Segment { start_us: 0, end_us: load_us, pace }])
}

fn producer(schedule: Schedule) -> ProducerSpec {
    ProducerSpec {
        instance: InstanceId(0),
        name: "gateway-1".into(),
        topic: TopicId(0),
        schedule,
        stride: 1,
        offset: 0,
        partitioning: Partitioning::RoundRobin,
        payload: PayloadSpec::Bytes { size: SizeSpec::Fixed(100), random_share: 0.5 },
        key: KeySpec::Sequential { count: 10 },
        headers: Vec::new(),
        stamp: StampPlace::Payload,
        client: vec![("linger.ms".into(), "1".into())],
        transactions: None,
        seed: 1,
    }
}

fn consumer(from: StartFrom) -> ConsumerSpec {
    ConsumerSpec {
        instance: InstanceId(1),
        name: "flink-1".into(),
        topics: vec![TopicId(0)],
        membership: Membership::Group("flink".into()),
        from,
        commit: CommitPolicy::Every { records: 100 },
        work_us: 0,
        client: Vec::new(),
    }
}

fn assignment(
    load_us: u64,
    producers: Vec<ProducerSpec>,
    consumers: Vec<ConsumerSpec>,
) -> Assignment {
    Assignment {
        run: 77,
        connection: Vec::new(),
        topics: vec![TopicSpec {
            name: TOPIC.into(),
            alias: TOPIC.into(),
            partitions: PARTITIONS,
            replication: None,
            config: Vec::new(),
            existing: false,
        }],
        timeline: timeline(load_us),
        producers,
        consumers,
        observes: Vec::new(),
    }
}

fn prepare(
    broker: &MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
    mut assignment: Assignment,
) -> (Result<Engine, AgentFailure>, Receiver<FromAgent>) {
    assignment.connection = vec![("bootstrap.servers".into(), broker.bootstrap_servers())];
    let (sink, said) = mpsc::channel();
    let hooks = Hooks {
        sample_resources: Box::new(Resources::default),
        end_offsets: Some(Box::new(|| {
            vec![PartitionOffset { topic: TopicId(0), partition: 0, offset: 5 }]
        })),
    };
    (Engine::prepare(assignment, sink, hooks), said)
}

impl Rig {
    fn new(assignment: Assignment) -> Self {
        Self::on(broker(), assignment)
    }

    fn on(
        broker: MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
        assignment: Assignment,
    ) -> Self {
        let consumers = assignment.consumers.len();
        let (engine, said) = prepare(&broker, assignment);
        let mut rig = Self {
            _broker: broker,
            engine: engine.unwrap(),
            said,
            intervals: Vec::new(),
            others: Vec::new(),
        };
        if consumers > 0 {
            rig.await_probes();
        }
        rig
    }

    /// Waits until all partitions are assigned, then probes until all have shown theirs.
    fn await_probes(&mut self) {
        let all: BTreeSet<i32> = (0..PARTITIONS).collect();
        let mut assigned = 0;
        self.until(|message| {
            if let FromAgent::Assigned { partitions, .. } = message {
                assigned = partitions.len();
            }
            assigned == all.len()
        });
        let mut seen = BTreeSet::new();
        while seen != all {
            self.engine.probe(&[TopicId(0)]).unwrap();
            let deadline = Instant::now() + Duration::from_secs(1);
            while seen != all && Instant::now() < deadline {
                self.listen(Duration::from_millis(20), |message| {
                    if let FromAgent::Probed { partitions, .. } = message {
                        seen.extend(partitions.iter().map(|(_, partition)| *partition));
                    }
                });
            }
        }
    }

    fn start(&self) {
        self.engine.start(monotonic_us() + 20_000);
    }

    fn listen(&mut self, patience: Duration, mut look: impl FnMut(&FromAgent)) {
        let Ok(message) = self.said.recv_timeout(patience) else { return };
        look(&message);
        match message {
            FromAgent::Interval(report) => self.intervals.push(*report),
            other => self.others.push(other),
        }
    }

    fn until(&mut self, mut done: impl FnMut(&FromAgent) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut is_done = false;
        while !is_done {
            assert!(Instant::now() < deadline, "waited in vain; said so far: {:?}", self.others);
            self.listen(Duration::from_millis(100), |message| is_done = done(message));
        }
    }

    /// Waits until an interval satisfies a condition.
    fn until_interval(&mut self, mut done: impl FnMut(&IntervalReport) -> bool) {
        self.until(|message| matches!(message, FromAgent::Interval(report) if done(report)));
    }

    /// Finishes, checks the accounts of every interval, and returns the client's last queue length.
    fn finish(&mut self, within: Duration) -> u64 {
        self.engine.finish(within);
        let mut left = None;
        self.until(|message| {
            if let FromAgent::Finished { client_queue } = message {
                left = Some(*client_queue);
            }
            left.is_some()
        });
        self.check_accounts();
        left.unwrap()
    }

    fn producer_totals(&self) -> ProducerTotals {
        self.intervals.last().unwrap().producers[0].totals
    }

    fn consumer_totals(&self) -> ConsumerTotals {
        self.intervals.last().unwrap().consumers[0].totals
    }

    fn check_accounts(&self) {
        let mut end_us = 0;
        let (mut scheduled, mut sent, mut acked, mut failed, mut received) = (0, 0, 0, 0, 0);
        for (sequence, report) in self.intervals.iter().enumerate() {
            assert_eq!((report.sequence, report.start_us), (sequence as u64, end_us));
            end_us = report.end_us;
            for producer in &report.producers {
                for slice in &producer.slices {
                    scheduled += slice.scheduled;
                    sent += slice.sent;
                    acked += slice.partitions.iter().map(|p| p.acked).sum::<u64>();
                    let by_partition: u64 = slice.partitions.iter().map(|p| p.failed).sum();
                    let by_code: u64 = slice.failed.iter().map(|(_, n)| n).sum();
                    assert_eq!(by_partition, by_code);
                    failed += by_partition;
                }
                let totals = producer.totals;
                assert_eq!(
                    (totals.scheduled, totals.sent, totals.acked, totals.failed),
                    (scheduled, sent, acked, failed)
                );
                assert_eq!(totals.scheduled, totals.sent + totals.not_sent, "{totals:?}");
                assert_eq!(totals.sent, totals.acked + totals.failed + totals.outstanding);
            }
            for consumer in &report.consumers {
                let slices = consumer.slices.iter().flat_map(|slice| &slice.partitions);
                received += slices.map(|p| p.received).sum::<u64>();
                assert_eq!(consumer.totals.received, received);
            }
        }
    }

    /// All of one histogram of the producer's slices, of phases from this one on.
    fn merged(
        &self,
        from: u16,
        pick: impl Fn(&IntervalReport, &mut dyn FnMut(PhaseId, &Histogram)),
    ) -> Histogram {
        let mut all = Histogram::new();
        for report in &self.intervals {
            pick(report, &mut |phase, histogram| {
                if phase.0 >= from {
                    all.add(histogram);
                }
            });
        }
        all
    }

    fn responses(&self) -> Histogram {
        self.merged(1, |report, take| {
            for slice in report.producers.iter().flat_map(|p| &p.slices) {
                slice.partitions.iter().for_each(|p| take(slice.phase, &p.response));
            }
        })
    }

    fn end_to_end(&self) -> Histogram {
        self.merged(0, |report, take| {
            for slice in report.consumers.iter().flat_map(|c| &c.slices) {
                slice.partitions.iter().for_each(|p| take(slice.phase, &p.end_to_end));
            }
        })
    }
}

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
    assert!(positions > 4_000, "records and at least one probe: {positions}");
    assert!(rig.intervals.iter().any(|r| !r.consumers[0].commit.is_empty()));
    assert!(rig.intervals.iter().all(|r| r.end_offsets.len() == 1));
}

#[test]
fn the_load_can_be_stopped_at_any_time() {
    let load_us = 60 * SECOND;
    let mut rig = Rig::new(assignment(load_us, vec![producer(rate(load_us, 1_000.0))], Vec::new()));
    rig.start();
    std::thread::sleep(Duration::from_millis(700));
    rig.engine.stop_load();
    rig.finish(Duration::from_secs(5));
    let totals = rig.producer_totals();
    assert!((600..900).contains(&totals.scheduled), "{totals:?}");
    assert_eq!((totals.acked, totals.not_sent), (totals.scheduled, 0));
}

#[test]
fn an_engine_that_never_started_finishes_without_intervals() {
    let mut rig = Rig::new(assignment(
        SECOND,
        vec![producer(rate(SECOND, 1_000.0))],
        vec![consumer(StartFrom::Latest)],
    ));
    let begun = Instant::now();
    assert_eq!(rig.finish(Duration::from_secs(5)), 0);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
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
fn an_injected_round_trip_shows_in_the_response_times() {
    let load_us = 2 * SECOND;
    let broker = broker();
    broker.broker_round_trip_time(1, Duration::from_millis(200)).unwrap();
    let mut rig =
        Rig::on(broker, assignment(load_us, vec![producer(rate(load_us, 500.0))], Vec::new()));
    rig.start();
    rig.until_interval(|r| r.end_us > load_us && r.producers[0].totals.acked == 1_000);
    rig.finish(Duration::from_secs(5));
    let responses = rig.responses();
    assert!(responses.min().unwrap() >= 200_000, "{responses:?}");
    assert!(responses.value_at_quantile(0.5).unwrap() < 215_000, "{responses:?}");
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
    assert!(first.queue_full > 10 && first.backpressure_us > 300_000, "{first:?}");
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
    let polls: u64 = rig.intervals.iter().map(|r| r.consumers[0].polls).sum();
    assert!(polls > 50, "{polls}");
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
    assert!(aborted > 0 && committed > 0);
    assert_eq!(sum(|t| t.committed_records) + sum(|t| t.aborted_records), 900);
    assert_eq!(sum(|t| t.aborted_records), aborted * 50);
    assert_eq!(sum(|t| t.commit.count()), committed);
}
