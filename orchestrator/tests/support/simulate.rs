//! Made-up cases: agents that report what a model says became of each record. For tests and
//! examples, those of the modules in `src/` included; no clock and no I/O.

use mallard::{
    expect::{Expectation, parse},
    measure::{AgentIndex, Roster},
    plan::{AgentPlan, CasePlan},
    scenario::cluster::{Deadlines, HostPlan, KafkaPlan, OnAgentLoss},
};
use mallard_protocol::{
    LATE_AFTER_US,
    counters::{Counter, Counters},
    histogram::Histogram,
    ids::{InstanceId, PhaseId, TopicId},
    interval::{
        ConsumedPartition, ConsumerInterval, ConsumerSlice, ConsumerTotals, IntervalReport,
        PartitionOffset, ProducedPartition, ProducerInterval, ProducerSlice, ProducerTotals,
        Resources, Transactions,
    },
    schedule::{Pace, Phase, PhaseKind, Schedule, Segment, Timeline},
    workload::{
        CommitPolicy, ConsumerSpec, KeySpec, Membership, Partitioning, PayloadSpec, ProducerSpec,
        SizeSpec, StampPlace, StartFrom, TopicSpec,
    },
};
use std::{collections::BTreeMap, time::Duration};

/// Key and value bytes of every record.
pub const RECORD_BYTES: u64 = 100;

/// Shape of a made-up case: one topic `orders`, producer `gateway`, consumer `flink`.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Agents; each carries one producer and one consumer instance.
    pub agents: u16,
    /// Partitions.
    pub partitions: i32,
    /// Target rate of all producers; `None` for a closed loop.
    pub rate_per_s: Option<f64>,
    /// Phases: name, kind, length in microseconds.
    pub phases: Vec<(&'static str, PhaseKind, u64)>,
    /// Expectations.
    pub expect: Vec<&'static str>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            agents: 2,
            partitions: 4,
            rate_per_s: Some(200.0),
            phases: vec![
                ("warm-up", PhaseKind::WarmUp, 2_500_000),
                ("hold", PhaseKind::Hold, 10_000_000),
                ("drain", PhaseKind::Drain, 5_000_000),
            ],
            expect: Vec::new(),
        }
    }
}

impl Shape {
    /// The case's plan.
    ///
    /// # Panics
    ///
    /// If an expectation cannot be read.
    #[must_use]
    pub fn plan(&self) -> CasePlan {
        let timeline = self.timeline();
        let schedule = self.schedule(&timeline);
        let mut plan = CasePlan {
            name: "simulated".into(),
            scenario: "simulated".into(),
            description: String::new(),
            parameters: BTreeMap::new(),
            topics: vec![TopicSpec {
                name: "orders-run".into(),
                alias: "orders".into(),
                partitions: self.partitions,
                replication: None,
                config: Vec::new(),
                existing: false,
            }],
            timeline,
            kafka: KafkaPlan::external(Vec::new()),
            agents: (0..self.agents).map(|at| self.agent(at, &schedule)).collect(),
            observed_groups: Vec::new(),
            expectations: Vec::new(),
            faults: Vec::new(),
            seed: 1,
            against: Vec::new(),
            compare: None,
            integrity: None,
            on_agent_loss: OnAgentLoss::Abort,
            deadlines: Deadlines::default(),
            lease: Duration::from_secs(30),
            keep_intervals_bytes: u64::MAX,
            scenario_yaml: String::new(),
            cluster_yaml: String::new(),
            secrets: Vec::new(),
            file: "simulated.yaml".into(),
            clients: Vec::new(),
            connection_places: Vec::new(),
        };
        let vocabulary = Roster::new(&plan).vocabulary();
        let read = |text: &&'static str| -> Expectation {
            parse(text, &vocabulary).unwrap_or_else(|error| panic!("{text}: {error:?}"))
        };
        plan.expectations = self.expect.iter().map(read).collect();
        plan
    }

    fn timeline(&self) -> Timeline {
        let mut at_us = 0;
        let phases = self.phases.iter().map(|(name, kind, length_us)| {
            let start_us = at_us;
            at_us += length_us;
            Phase { name: (*name).into(), kind: *kind, start_us, end_us: at_us }
        });
        Timeline(phases.collect())
    }

    fn schedule(&self, timeline: &Timeline) -> Schedule {
        let loaded = timeline.0.iter();
        let loaded = loaded.filter(|p| !matches!(p.kind, PhaseKind::Drain | PhaseKind::Pause));
        let pace = self
            .rate_per_s
            .map_or(Pace::Max, |rate| Pace::Rate { from_per_s: rate, to_per_s: rate });
        Schedule::new(loaded.map(|p| Segment { start_us: p.start_us, end_us: p.end_us, pace }))
    }

    fn agent(&self, at: u16, schedule: &Schedule) -> AgentPlan {
        let number = at + 1;
        let producer = ProducerSpec {
            instance: InstanceId(2 * at),
            name: format!("gateway-{number}"),
            topic: TopicId(0),
            schedule: schedule.clone(),
            stride: u32::from(self.agents),
            offset: u32::from(at),
            partitioning: Partitioning::RoundRobin,
            payload: PayloadSpec::Bytes { size: SizeSpec::Fixed(100), random_share: 1.0 },
            key: KeySpec::None,
            headers: Vec::new(),
            stamp: StampPlace::Payload,
            client: Vec::new(),
            transactions: None,
            seed: 1,
        };
        let consumer = ConsumerSpec {
            instance: InstanceId(2 * at + 1),
            name: format!("flink-{number}"),
            topics: vec![TopicId(0)],
            membership: Membership::Group("flink".into()),
            from: StartFrom::RunStart,
            commit: CommitPolicy::Never,
            work_us: 0,
            stamped: true,
            through: None,
            process: None,
            client: Vec::new(),
        };
        AgentPlan {
            name: format!("local-{number}"),
            host: HostPlan::local(),
            host_name: "local".to_owned(),
            labels: Vec::new(),
            carries_broker: false,
            producers: vec![producer],
            consumers: vec![consumer],
        }
    }
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Due to sent.
    pub slip_us: u64,
    /// Whether a full queue held it up.
    pub is_held_up: bool,
    /// Sent to acknowledged, or to failed.
    pub service_us: u64,
    /// How it ends.
    pub end: End,
    /// Sent to received; `None` if it never is.
    pub received_us: Option<u64>,
}

/// How a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Acknowledged.
    Acked,
    /// Failed with this code.
    Failed(&'static str),
    /// Neither.
    Outstanding,
}

impl Default for Fate {
    fn default() -> Self {
        let (service_us, received_us) = (2_000, Some(3_000));
        Self { slip_us: 50, is_held_up: false, service_us, end: End::Acked, received_us }
    }
}

/// A mix of bits of a record's number, for models: the finaliser of splitmix64 (Steele et al. 2014).
#[must_use]
pub fn mix(record: u64) -> u64 {
    let mut z = record.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Reports of all agents, in the order of time. `model` tells the fate of a record by its number in the
/// schedule and its due time; records go to partitions in turn.
#[must_use]
pub fn reports(
    plan: &CasePlan,
    mut model: impl FnMut(u64, u64) -> Fate,
) -> Vec<(AgentIndex, IntervalReport)> {
    let mut world = World::new(plan);
    let producers = plan.agents.iter().enumerate().flat_map(|(agent, spec)| {
        spec.producers.iter().enumerate().map(move |(at, spec)| (agent, at, spec))
    });
    for (agent, at, spec) in producers {
        let mut number = u64::from(spec.offset);
        while let Some(due_us) = spec.schedule.due_us(number) {
            world.record(agent, at, number, due_us, model(number, due_us));
            number += u64::from(spec.stride);
        }
    }
    world.finish()
}

struct World<'a> {
    plan: &'a CasePlan,
    cells: Vec<(u64, u64)>,
    /// By agent, by cell.
    reports: Vec<Vec<IntervalReport>>,
    partitions: u64,
    /// End offsets by cell and partition, as growth.
    appended: Vec<Vec<i64>>,
    consumed: Vec<Vec<i64>>,
}

impl<'a> World<'a> {
    fn new(plan: &'a CasePlan) -> Self {
        let end_us = plan.timeline.0.last().map_or(0, |phase| phase.end_us);
        let mut cells = Vec::new();
        let mut at_us = 0;
        while at_us < end_us {
            let cut_us = plan.timeline.next_cut_us(at_us).min(end_us);
            cells.push((at_us, cut_us));
            at_us = cut_us;
        }
        let partitions = u64::try_from(plan.topics[0].partitions).unwrap_or(1);
        let count = plan.topics[0].partitions.unsigned_abs() as usize;
        let reports = plan.agents.iter().map(|agent| empty_reports(agent, &cells)).collect();
        let none = vec![vec![0; count]; cells.len()];
        Self { plan, cells, reports, partitions, appended: none.clone(), consumed: none }
    }

    /// The cell of a moment; `None` after the end.
    fn cell(&self, at_us: u64) -> Option<usize> {
        let at = self.cells.partition_point(|(_, end)| *end <= at_us);
        (at < self.cells.len()).then_some(at)
    }

    fn record(&mut self, agent: usize, producer: usize, number: u64, due_us: u64, fate: Fate) {
        let phase = self.plan.timeline.phase_at(due_us);
        let partition = i32::try_from(number % self.partitions).unwrap_or(0);
        let Some(cell) = self.cell(due_us) else { return };
        self.slice(agent, cell, producer, phase).scheduled += 1;
        let sent_us = due_us + fate.slip_us;
        let Some(cell) = self.cell(sent_us) else { return };
        let slice = self.slice(agent, cell, producer, phase);
        slice.sent += 1;
        slice.sent_bytes += RECORD_BYTES;
        slice.late += u64::from(fate.slip_us > LATE_AFTER_US);
        slice.slip.record(fate.slip_us);
        slice.record_bytes.record(RECORD_BYTES);
        if !fate.is_held_up {
            slice.unexplained_slip.record(fate.slip_us);
        }
        if let Some(cell) = self.cell(sent_us + fate.service_us) {
            self.answer(agent, cell, producer, phase, partition, fate);
        }
        if let Some(received_us) = fate.received_us {
            self.receive(sent_us + received_us, due_us, partition);
        }
    }

    fn answer(
        &mut self,
        agent: usize,
        cell: usize,
        producer: usize,
        phase: PhaseId,
        partition: i32,
        fate: Fate,
    ) {
        if fate.end == End::Outstanding {
            return;
        }
        if fate.end == End::Acked {
            self.appended[cell][partition.unsigned_abs() as usize] += 1;
        }
        let slice = self.slice(agent, cell, producer, phase);
        let part = produced(slice, partition);
        match fate.end {
            End::Acked => {
                part.acked += 1;
                part.acked_bytes += RECORD_BYTES;
                part.service.record(fate.service_us);
                part.response.record(fate.slip_us + fate.service_us);
            }
            End::Failed(code) => {
                part.failed += 1;
                match slice.failed.iter_mut().find(|(known, _)| known == code) {
                    Some((_, count)) => *count += 1,
                    None => slice.failed.push((code.into(), 1)),
                }
            }
            End::Outstanding => {}
        }
    }

    fn receive(&mut self, at_us: u64, due_us: u64, partition: i32) {
        let Some(cell) = self.cell(at_us) else { return };
        self.consumed[cell][partition.unsigned_abs() as usize] += 1;
        let phase = self.plan.timeline.phase_at(due_us);
        let agent = partition.unsigned_abs() as usize % self.plan.agents.len();
        let consumer = &mut self.reports[agent][cell].consumers[0];
        let at = consumer.slices.iter().position(|slice| slice.phase == phase);
        let at = at.unwrap_or_else(|| {
            consumer.slices.push(ConsumerSlice { phase, partitions: Vec::new(), pipeline: None });
            consumer.slices.len() - 1
        });
        let parts = &mut consumer.slices[at].partitions;
        let part = parts.iter().position(|part| part.partition == partition);
        let part = part.unwrap_or_else(|| {
            parts.push(ConsumedPartition {
                topic: TopicId(0),
                partition,
                received: 0,
                received_bytes: 0,
                end_to_end: Histogram::new(),
                negative: 0,
            });
            parts.len() - 1
        });
        let part = &mut parts[part];
        part.received += 1;
        part.received_bytes += RECORD_BYTES;
        part.end_to_end.record(at_us - due_us);
    }

    fn slice(
        &mut self,
        agent: usize,
        cell: usize,
        producer: usize,
        phase: PhaseId,
    ) -> &mut ProducerSlice {
        let slices = &mut self.reports[agent][cell].producers[producer].slices;
        let at = slices.iter().position(|slice| slice.phase == phase);
        let at = at.unwrap_or_else(|| {
            slices.push(ProducerSlice { phase, ..ProducerSlice::default() });
            slices.len() - 1
        });
        &mut slices[at]
    }

    /// Fills in totals, positions and end offsets, and puts reports in the order of time.
    fn finish(mut self) -> Vec<(AgentIndex, IntervalReport)> {
        for reports in &mut self.reports {
            add_totals(reports);
        }
        add_up(&mut self.appended);
        add_up(&mut self.consumed);
        let agents = self.plan.agents.len();
        for cell in 0..self.cells.len() {
            let offsets = |offsets: &[i64]| {
                let offsets = offsets.iter().zip(0..);
                let offset = |(offset, partition): (&i64, i32)| PartitionOffset {
                    topic: TopicId(0),
                    partition,
                    offset: *offset,
                };
                offsets.map(offset).collect::<Vec<_>>()
            };
            self.reports[0][cell].end_offsets = offsets(&self.appended[cell]);
            for position in offsets(&self.consumed[cell]) {
                let agent = position.partition.unsigned_abs() as usize % agents;
                self.reports[agent][cell].consumers[0].positions.push(position);
            }
        }
        let mut all: Vec<_> = self.reports.into_iter().enumerate().collect();
        let mut ordered = Vec::new();
        for cell in 0..self.cells.len() {
            for (agent, reports) in &mut all {
                ordered.push((AgentIndex(*agent), std::mem::take(&mut reports[cell])));
            }
        }
        ordered
    }
}

fn produced(slice: &mut ProducerSlice, partition: i32) -> &mut ProducedPartition {
    let at = slice.partitions.iter().position(|part| part.partition == partition);
    let at = at.unwrap_or_else(|| {
        slice.partitions.push(ProducedPartition { partition, ..ProducedPartition::default() });
        slice.partitions.len() - 1
    });
    &mut slice.partitions[at]
}

/// Turns growth an interval into sums.
fn add_up(cells: &mut [Vec<i64>]) {
    for at in 1..cells.len() {
        let (before, rest) = cells.split_at_mut(at);
        rest[0].iter_mut().zip(&before[at - 1]).for_each(|(now, before)| *now += before);
    }
}

fn empty_reports(agent: &AgentPlan, cells: &[(u64, u64)]) -> Vec<IntervalReport> {
    let producer = |spec: &ProducerSpec| ProducerInterval {
        instance: spec.instance,
        totals: ProducerTotals::default(),
        slices: Vec::new(),
        counters: Counters::default().with(Counter::ReportPolls, 1),
        transactions: Transactions::default(),
        client: None,
        numbers: Vec::new(),
    };
    let consumer = |spec: &ConsumerSpec| ConsumerInterval {
        instance: spec.instance,
        totals: ConsumerTotals::default(),
        slices: Vec::new(),
        positions: Vec::new(),
        counters: Counters::default().with(Counter::Polls, 2).with(Counter::EmptyPolls, 1),
        rebalances: Vec::new(),
        commit: Histogram::new(),
        errors: Vec::new(),
        through: None,
        client: None,
        integrity: None,
    };
    let report = |((start_us, end_us), sequence): (&(u64, u64), u64)| IntervalReport {
        sequence,
        start_us: *start_us,
        end_us: *end_us,
        late_by_us: 100,
        producers: agent.producers.iter().map(producer).collect(),
        consumers: agent.consumers.iter().map(consumer).collect(),
        end_offsets: Vec::new(),
        groups: Vec::new(),
        cluster: None,
        resources: Resources {
            cpu_us: (end_us - start_us) / 10,
            busiest_thread_cpu_us: (end_us - start_us) / 20,
            busiest_thread: "pacer".into(),
            resident_bytes: 30_000_000 + sequence * 1_000,
            host_cpu_us: (end_us - start_us) / 5,
            host_cores: 2,
            host_memory_used_bytes: 1_000_000_000,
            host_received_bytes: 1_000,
            host_sent_bytes: 1_000,
            witness: None,
        },
    };
    cells.iter().zip(0..).map(report).collect()
}

fn add_totals(reports: &mut [IntervalReport]) {
    let mut produced: BTreeMap<InstanceId, ProducerTotals> = BTreeMap::new();
    let mut consumed: BTreeMap<InstanceId, ConsumerTotals> = BTreeMap::new();
    for report in reports {
        for producer in &mut report.producers {
            let totals = produced.entry(producer.instance).or_default();
            for slice in &producer.slices {
                totals.scheduled += slice.scheduled;
                totals.sent += slice.sent;
                totals.acked += slice.partitions.iter().map(|part| part.acked).sum::<u64>();
                totals.failed += slice.partitions.iter().map(|part| part.failed).sum::<u64>();
            }
            totals.not_sent = totals.scheduled - totals.sent;
            totals.outstanding = totals.sent - totals.acked - totals.failed;
            producer.totals = *totals;
        }
        for consumer in &mut report.consumers {
            let totals = consumed.entry(consumer.instance).or_default();
            let parts = consumer.slices.iter().flat_map(|slice| &slice.partitions);
            totals.received += parts.map(|part| part.received).sum::<u64>();
            consumer.totals = *totals;
        }
    }
}
