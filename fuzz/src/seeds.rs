//! What really crosses between controller and agents, and lies on disk: a message of every kind, of a real
//! plan.

use mallard::{
    config,
    plan::{CasePlan, PlanOptions, plan},
    scenario,
};
use mallard_protocol::{
    BUILD_ID, PROTOCOL_VERSION,
    cluster::{BrokerProblem, BrokerSample, ClusterSample, PartitionSample},
    counters::{Counter, Counters},
    histogram::Histogram,
    ids::{GroupId, InstanceId, PhaseId, TopicId},
    interval::{
        ClientStats, ConsumedPartition, ConsumerInterval, ConsumerSlice, ConsumerTotals,
        GroupSample, GroupState, IntervalReport, PartitionOffset, ProducedPartition,
        ProducerInterval, ProducerSlice, ProducerTotals, Rebalance, Resources, Sightings,
        ThroughInterval, Transactions,
    },
    message::{
        AgentFailure, AgentState, Answer, ClusterFacts, FailureKind, FromAgent, HostFacts, Level,
        LogBounds, Question, ToAgent, TopicFacts,
    },
    schedule::Share,
};

const SCENARIO: &str = "\
name: seeds
topics: {orders: {partitions: 3}}
load: [{warm-up: {rate: 100/s, for: 1s}}, {hold: {rate: 100/s, for: 4s}}, {drain: {within: 5s}}]
producers: {shop: {topic: orders, instances: 2, payload: {size: 200B}, headers: {a: b}}}
consumers: {billing: {topics: [orders], group: billing}}
expect: [records.lost == 0, produce.response.p99 < 1s in every 1s]
on_agent_loss: respread
";

const CLUSTER: &str = "kafka: embedded\nhosts: [{local: {agents: 2}}]\n";

/// A case with two agents.
///
/// # Panics
///
/// If its files are not what this build takes.
#[must_use]
pub fn case() -> CasePlan {
    let none = |_: &str| None;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("seeds.yaml");
    std::fs::write(&path, SCENARIO).expect("a file");
    let (scenarios, _) = scenario::scenario_files(&[path], &none).expect("a scenario");
    let cluster = config::source::Source::new("cluster.yaml", CLUSTER);
    let cluster = scenario::cluster::from_source(&cluster, &none).expect("a cluster");
    let planned = plan(&scenarios, &cluster, &PlanOptions::new("20260101-120000-x-0000"));
    planned.expect("a plan").cases.remove(0)
}

/// What a controller says, of every kind.
#[must_use]
pub fn to_agent(case: &CasePlan) -> Vec<ToAgent> {
    let connection = || vec![("bootstrap.servers".to_owned(), "127.0.0.1:9092".to_owned())];
    let (topics, names) = (case.topics.clone(), vec!["orders-x-0".to_owned()]);
    let (within_ms, ids) = (10_000, vec![TopicId(0)]);
    let questions = [
        Question::StartBroker { brokers: 3, topics: topics.clone(), round_trip_ms: 0 },
        Question::DescribeCluster { connection: connection(), within_ms },
        Question::CreateTopics { connection: connection(), topics, may_exist: true, within_ms },
        Question::DescribeTopics { connection: connection(), names: names.clone(), within_ms },
        Question::Delete {
            connection: connection(),
            topics: names.clone(),
            groups: names.clone(),
            within_ms,
        },
        Question::EndOffsets { topics: ids.clone(), within_ms },
        Question::Offsets { topics: ids.clone(), within_ms },
        Question::Clock,
    ];
    let mut all = vec![
        ToAgent::Hello {
            protocol_version: PROTOCOL_VERSION,
            build_id: BUILD_ID.to_owned(),
            resume_at: 7,
        },
        ToAgent::Heartbeat,
        ToAgent::Prepare(Box::new(case.assignment(0, 7, connection()))),
        ToAgent::Start { at_clock_us: 123_456_789 },
        ToAgent::Observe { topics: ids, groups: names.clone() },
        ToAgent::TakeOver {
            order: 1,
            shares: vec![(InstanceId(0), Share { stride: 6, offset: 5, from_us: 3_000_000 })],
        },
        ToAgent::CleanUpAfterLease {
            connection: connection(),
            topics: names.clone(),
            groups: names,
        },
        ToAgent::StopLoad,
        ToAgent::Collected { resume_at: 9 },
        ToAgent::Flush { within_ms },
        ToAgent::Finish { within_ms },
        ToAgent::SendLog { limit_bytes: 1_000_000 },
        ToAgent::Exit { keep_folder: false },
    ];
    let asked = questions.into_iter().zip(1..);
    all.extend(asked.map(|(question, request)| ToAgent::Ask { request, question }));
    all
}

/// What an agent says, of every kind, and intervals as of a load that goes well.
#[must_use]
pub fn from_agent(case: &CasePlan, agent: usize) -> Vec<FromAgent> {
    let offset = PartitionOffset { topic: TopicId(0), partition: 2, offset: 100 };
    let partitions = vec![(TopicId(0), 0), (TopicId(0), 1), (TopicId(0), 2)];
    let failure = AgentFailure { kind: FailureKind::TimedOut, text: "no broker".to_owned() };
    let facts = TopicFacts {
        name: "orders-x-0".to_owned(),
        partitions: vec![(1, vec![1, 2, 3])],
        config: vec![("min.insync.replicas".to_owned(), "1".to_owned())],
    };
    let answers = [
        Ok(Answer::Bootstrap("127.0.0.1:9092".to_owned())),
        Ok(Answer::Cluster(ClusterFacts { brokers: vec![(1, "127.0.0.1:9092".to_owned())] })),
        Ok(Answer::Topics(vec![facts])),
        Ok(Answer::Deleted(vec![("orders".to_owned(), "no".to_owned())])),
        Ok(Answer::EndOffsets(vec![offset])),
        Ok(Answer::Offsets(LogBounds {
            starts: vec![offset],
            ends: vec![offset],
            missing: Some("no leader".to_owned()),
        })),
        Ok(Answer::Clock { received_us: 5, sent_us: 9 }),
        Err(failure.clone()),
    ];
    let instance = InstanceId(2);
    let mut all = vec![hello(AgentState::Idle), hello(AgentState::Running), FromAgent::Heartbeat];
    let asked = (1..8).flat_map(|request| answers.iter().map(move |answer| (request, answer)));
    all.extend(asked.map(|(request, answer)| {
        let result = answer.clone();
        FromAgent::Answer { request, result }
    }));
    all.extend([
        FromAgent::Client { instance, properties: vec![("linger.ms".to_owned(), "5".to_owned())] },
        FromAgent::Prepared,
        FromAgent::Assigned { instance, partitions: partitions.clone() },
        FromAgent::Reading { instance, partitions },
        FromAgent::Started { late_by_us: 12 },
        FromAgent::Flushed,
        FromAgent::Finished { client_queue: 0 },
        FromAgent::Log { bytes: b"a line\n".to_vec(), last: true },
        FromAgent::Note {
            level: Level::Warning,
            instance: Some(instance),
            text: "a note".to_owned(),
        },
        FromAgent::Failed(failure),
    ]);
    all.extend(
        (0..6).map(|sequence| FromAgent::Interval(Box::new(interval(case, agent, sequence)))),
    );
    all
}

/// The greeting of an agent on this machine.
#[must_use]
pub fn hello(state: AgentState) -> FromAgent {
    let text = |text: &str| text.to_owned();
    let host = HostFacts {
        hostname: text("here"),
        boot_id: text("this boot"),
        architecture: text("x86_64"),
        kernel: text("6.1"),
        os: text("Debian"),
        cpu: text("a CPU"),
        cores: 2,
        memory_bytes: 1 << 33,
        pid: 4711,
        clock_us: 99,
        librdkafka: text("2.12.1"),
    };
    FromAgent::Hello {
        protocol_version: PROTOCOL_VERSION,
        build_id: BUILD_ID.to_owned(),
        host: Box::new(host),
        state,
    }
}

/// An interval in which every record was sent, acknowledged and received at once.
#[must_use]
pub fn interval(case: &CasePlan, agent: usize, sequence: u64) -> IntervalReport {
    let plan = &case.agents[agent];
    let start_us = sequence * 1_000_000;
    IntervalReport {
        sequence,
        start_us,
        end_us: start_us + 1_000_000,
        late_by_us: 200,
        producers: plan.producers.iter().map(|p| producer(case, p.instance, sequence)).collect(),
        consumers: plan.consumers.iter().map(|c| consumer(case, c.instance, sequence)).collect(),
        end_offsets: vec![PartitionOffset { topic: TopicId(0), partition: 0, offset: 50 }],
        groups: vec![GroupSample {
            group: GroupId(0),
            state: GroupState::Stable,
            members: 1,
            rebalanced: false,
            committed: vec![PartitionOffset { topic: TopicId(0), partition: 0, offset: 40 }],
        }],
        cluster: Some(ClusterSample {
            brokers: vec![BrokerSample {
                id: 1,
                problem: Some(BrokerProblem::Unconnected("connection refused".to_owned())),
            }],
            partitions: vec![PartitionSample {
                topic: TopicId(0),
                partition: 0,
                leader: 2,
                replicas: 3,
                in_sync: 2,
            }],
        }),
        resources: Resources {
            cpu_us: 1_000,
            busiest_thread_cpu_us: 500,
            busiest_thread: "send".to_owned(),
            host_cores: 2,
            ..Resources::default()
        },
    }
}

/// Records of each instance in an interval.
const RECORDS: u64 = 50;

fn phase(case: &CasePlan, sequence: u64) -> PhaseId {
    case.timeline.phase_at(sequence * 1_000_000)
}

fn times(value_us: u64) -> Histogram {
    let mut histogram = Histogram::new();
    (0..RECORDS).for_each(|i| histogram.record(value_us + i * 37));
    histogram
}

fn producer(case: &CasePlan, instance: InstanceId, sequence: u64) -> ProducerInterval {
    let all = (sequence + 1) * RECORDS;
    let slice = ProducerSlice {
        phase: phase(case, sequence),
        scheduled: RECORDS,
        sent: RECORDS,
        late: 0,
        sent_bytes: RECORDS * 200,
        slip: times(10),
        unexplained_slip: times(10),
        record_bytes: times(200),
        failed: Vec::new(),
        partitions: vec![ProducedPartition {
            partition: 1,
            acked: RECORDS,
            acked_bytes: RECORDS * 200,
            failed: 0,
            service: times(900),
            response: times(1_000),
            next_offset: i64::try_from(RECORDS).unwrap_or(0),
        }],
    };
    ProducerInterval {
        instance,
        totals: ProducerTotals {
            scheduled: all,
            sent: all,
            acked: all,
            ..ProducerTotals::default()
        },
        slices: vec![slice],
        counters: Counters::default().with(Counter::ReportPolls, 3).with(Counter::BehindMax, 1),
        transactions: Transactions::default(),
        client: Some(ClientStats { batch_bytes_mean: 400.5, ..ClientStats::default() }),
        numbers: Vec::new(),
    }
}

fn consumer(case: &CasePlan, instance: InstanceId, sequence: u64) -> ConsumerInterval {
    let partition = ConsumedPartition {
        topic: TopicId(0),
        partition: 1,
        received: RECORDS,
        received_bytes: RECORDS * 200,
        end_to_end: times(2_000),
        negative: 0,
    };
    let sightings = Sightings { instance: InstanceId(0), part: 0, runs: vec![(0, RECORDS, 1)] };
    ConsumerInterval {
        instance,
        totals: ConsumerTotals { received: (sequence + 1) * RECORDS, ..ConsumerTotals::default() },
        slices: vec![ConsumerSlice {
            phase: phase(case, sequence),
            partitions: vec![partition],
            pipeline: None,
        }],
        positions: vec![PartitionOffset { topic: TopicId(0), partition: 1, offset: 9 }],
        counters: Counters::default().with(Counter::Polls, 9).with(Counter::EmptyPolls, 2),
        rebalances: vec![Rebalance { at_us: 1, duration_us: 5, gained: 3, lost: 0 }],
        commit: times(700),
        errors: vec![("_TRANSPORT".to_owned(), 1)],
        through: Some(ThroughInterval { sightings: vec![sightings], unmatched: 0 }),
        client: None,
        integrity: None,
    }
}
