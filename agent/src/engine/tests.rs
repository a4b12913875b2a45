//! The whole engine against librdkafka's mock cluster.

mod consumers;
mod integrity;
mod producers;

use super::*;
use mallard_protocol::{
    histogram::Histogram,
    ids::{InstanceId, PhaseId, TopicId},
    interval::{ConsumerTotals, IntervalReport, PartitionOffset, ProducerTotals, Resources},
    message::{AgentFailure, FromAgent},
    schedule::{Pace, Phase, PhaseKind, Schedule, Segment, Timeline},
    workload::{
        Assignment, CommitPolicy, ConsumerSpec, KeySpec, Membership, Partitioning, PayloadSpec,
        ProducerSpec, SizeSpec, StampPlace, StartFrom, TopicSpec, TransactionSpec,
    },
};
use rdkafka::mocking::MockCluster;
use std::{
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

const TOPIC: &str = "load";
const PARTITIONS: i32 = 3;
const SECOND: u64 = 1_000_000;

type Broker = MockCluster<'static, rdkafka::producer::DefaultProducerContext>;

/// A broker, an engine, and what the engine says.
struct Rig {
    broker: Broker,
    engine: Engine,
    said: Receiver<FromAgent>,
    intervals: Vec<IntervalReport>,
    others: Vec<FromAgent>,
    started_at_us: u64,
}

fn broker() -> Broker {
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
        stamped: true,
        through: None,
        process: None,
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
        observed_groups: Vec::new(),
        watches_cluster: false,
        integrity: false,
    }
}

fn prepare(
    broker: &Broker,
    mut assignment: Assignment,
) -> (Result<Engine, AgentFailure>, Receiver<FromAgent>) {
    assignment.connection = vec![("bootstrap.servers".into(), broker.bootstrap_servers())];
    let (sink, said) = mpsc::channel();
    let hooks = Hooks {
        sample_resources: Box::new(Resources::default),
        observe: Some(Box::new(|| Observed {
            end_offsets: vec![PartitionOffset { topic: TopicId(0), partition: 0, offset: 5 }],
            groups: Vec::new(),
            cluster: None,
        })),
        is_wanted: Box::new(|| true),
    };
    (super::prepare(assignment, sink, hooks), said)
}

impl Rig {
    fn new(assignment: Assignment) -> Self {
        Self::on(broker(), assignment)
    }

    fn on(broker: Broker, assignment: Assignment) -> Self {
        let reads = !assignment.consumers.is_empty();
        let (engine, said) = prepare(&broker, assignment);
        let mut rig = Self {
            broker,
            engine: engine.unwrap(),
            said,
            intervals: Vec::new(),
            others: Vec::new(),
            started_at_us: 0,
        };
        if reads {
            rig.await_reading();
        }
        rig
    }

    /// Waits until all partitions are assigned and read.
    fn await_reading(&mut self) {
        self.until(|message| {
            let all = usize::try_from(PARTITIONS).unwrap();
            matches!(message, FromAgent::Reading { partitions, .. } if partitions.len() == all)
        });
    }

    fn start(&mut self) {
        self.started_at_us = monotonic_us() + 20_000;
        self.engine.start(self.started_at_us);
    }

    fn clock_us(&self) -> u64 {
        monotonic_us() - self.started_at_us
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
fn what_clients_hold_for_a_moment_is_no_record() {
    let mut readings = [3, 1, 0, 2].into_iter();
    assert_eq!(running::least_of(|| readings.next().unwrap(), Duration::from_secs(60)), 0);
    assert_eq!(readings.next(), Some(2), "nothing is read any more");
    assert_eq!(
        running::least_of(|| 2, Duration::from_millis(20)),
        2,
        "and a record that stays is told"
    );
}
