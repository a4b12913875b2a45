//! Who takes part in a case, by dense indices: what the hot path needs of a plan, looked up once.

use super::{spans::Spans, through::ThroughPlan};
use crate::{
    expect::Vocabulary,
    plan::{
        CasePlan, fault_names,
        workload::{is_compacted, reads_committed, workload_of},
    },
};
use mallard_protocol::{
    ids::{InstanceId, PhaseId, TopicId},
    schedule::{Pace, Schedule, Timeline},
    workload::{ConsumerSpec, Membership, ProducerSpec, StampPlace, StartFrom, TopicSpec},
};

/// An agent, as an index into [`CasePlan::agents`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentIndex(pub usize);

/// Everybody in a case.
#[derive(Clone, Debug)]
pub struct Roster {
    /// Names of agents.
    pub agents: Vec<String>,
    /// By instance id.
    pub instances: Vec<Option<Instance>>,
    /// The scenario's producers.
    pub producers: Vec<Producer>,
    /// The scenario's consumers, those of the same group as one.
    pub readers: Vec<Reader>,
    /// Groups that are not the case's own, by their id on the broker.
    pub groups: Vec<String>,
    /// Topics.
    pub topics: Vec<Topic>,
    /// Phases.
    pub timeline: Timeline,
    /// The measured ones.
    pub measured: Spans,
    /// Whether records' integrity is checked.
    pub integrity: bool,
    /// Faults, by the names that expectations may use.
    pub faults: Vec<String>,
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Its agent.
    pub agent: AgentIndex,
    /// What it does.
    pub role: Role,
}

/// What an instance does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends.
    Producer {
        /// Index into [`Roster::producers`].
        producer: usize,
    },
    /// Receives.
    Consumer {
        /// Index into [`Roster::readers`].
        reader: usize,
    },
}

/// A producer of the scenario.
#[derive(Clone, Debug)]
pub struct Producer {
    /// Its name.
    pub name: String,
    /// Where it sends.
    pub topic: TopicId,
    /// When.
    pub schedule: Schedule,
    /// Whether it sends in transactions.
    pub transactional: bool,
    /// Whether its records can be told from others'.
    pub stamped: bool,
}

/// Who reads partitions together: a group, or the instances of a consumer without one.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The scenario's consumers; more than one only if they share a group.
    pub names: Vec<String>,
    /// The group's id.
    pub group: Option<String>,
    /// Whether it never sees records of aborted transactions.
    pub read_committed: bool,
    /// Where it starts to read.
    pub from: StartFrom,
    /// How its records are matched with what went into a pipeline of others.
    pub through: Option<ThroughPlan>,
    /// By partition slot: whether it reads that partition.
    pub reads: Vec<bool>,
    /// Whether it has a pipeline.
    pub has_pipeline: bool,
}

impl Reader {
    /// Its consumers' names.
    #[must_use]
    pub fn name(&self) -> String {
        self.names.join("+")
    }
}

/// A topic and its partitions' slots: one for each, after one for records that failed before they had
/// a partition.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name in the scenario.
    pub alias: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Slot of partition -1.
    pub first_slot: usize,
    /// Whether compaction removes records of it.
    pub is_compacted: bool,
}

impl Roster {
    /// Looks everything up.
    #[must_use]
    pub fn new(plan: &CasePlan) -> Self {
        let mut roster = Self {
            agents: plan.agents.iter().map(|agent| agent.name.clone()).collect(),
            instances: Vec::new(),
            producers: Vec::new(),
            readers: Vec::new(),
            groups: plan.observed_groups.clone(),
            topics: topics(&plan.topics),
            timeline: plan.timeline.clone(),
            measured: Spans::measured(&plan.timeline),
            integrity: plan.integrity.is_some(),
            faults: fault_names(&plan.faults),
        };
        let connection = plan.kafka.client_properties();
        for (index, agent) in plan.agents.iter().enumerate() {
            for spec in &agent.producers {
                let producer = roster.producer_of(spec);
                roster.put(spec.instance, &spec.name, index, Role::Producer { producer });
            }
            for spec in &agent.consumers {
                let reader = roster.reader_of(spec, connection);
                roster.put(spec.instance, &spec.name, index, Role::Consumer { reader });
            }
        }
        roster
    }

    fn put(&mut self, id: InstanceId, name: &str, agent: usize, role: Role) {
        if self.instances.len() <= id.index() {
            self.instances.resize_with(id.index() + 1, || None);
        }
        let agent = AgentIndex(agent);
        self.instances[id.index()] = Some(Instance { name: name.to_owned(), agent, role });
    }

    fn producer_of(&mut self, spec: &ProducerSpec) -> usize {
        let name = workload_of(&spec.name);
        if let Some(found) = self.producers.iter().position(|producer| producer.name == name) {
            return found;
        }
        self.producers.push(Producer {
            name: name.to_owned(),
            topic: spec.topic,
            schedule: spec.schedule.clone(),
            transactional: spec.transactions.is_some(),
            stamped: spec.stamp != StampPlace::Nowhere,
        });
        self.producers.len() - 1
    }

    fn reader_of(&mut self, spec: &ConsumerSpec, connection: &[(String, String)]) -> usize {
        let name = workload_of(&spec.name).to_owned();
        let group = match &spec.membership {
            Membership::Group(group) => Some(group.clone()),
            Membership::Assigned(_) => None,
        };
        let found = self.readers.iter().position(|reader| match (&reader.group, &group) {
            (Some(theirs), Some(ours)) => theirs == ours,
            (None, None) => reader.names.contains(&name),
            _ => false,
        });
        let at = found.unwrap_or_else(|| {
            self.readers.push(Reader {
                names: Vec::new(),
                group,
                read_committed: reads_committed(&spec.client, connection),
                from: spec.from,
                through: spec.through.as_ref().map(ThroughPlan::from),
                reads: vec![false; self.slots()],
                has_pipeline: spec.process.is_some(),
            });
            self.readers.len() - 1
        });
        let slots: Vec<_> = spec.topics.iter().flat_map(|t| self.slots_read(*t, spec)).collect();
        let reader = &mut self.readers[at];
        slots.into_iter().for_each(|slot| reader.reads[slot] = true);
        if !reader.names.contains(&name) {
            reader.names.push(name);
        }
        at
    }

    fn slots_read(&self, topic: TopicId, spec: &ConsumerSpec) -> Vec<usize> {
        let all = 0..self.topics.get(topic.index()).map_or(0, |topic| topic.partitions);
        let listed = |partition: &i32| match &spec.membership {
            Membership::Group(_) => true,
            Membership::Assigned(partitions) => partitions.contains(partition),
        };
        all.filter(listed).filter_map(|partition| self.slot(topic, partition)).collect()
    }

    /// Number of partition slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.topics.iter().map(|t| 1 + usize::try_from(t.partitions).unwrap_or(0)).sum()
    }

    /// The slot of a partition, -1 included; `None` if there is no such partition.
    #[must_use]
    pub fn slot(&self, topic: TopicId, partition: i32) -> Option<usize> {
        let topic = self.topics.get(topic.index())?;
        let offset = usize::try_from(partition.checked_add(1)?).ok()?;
        (partition < topic.partitions).then_some(topic.first_slot + offset)
    }

    /// Topic and partition of a slot.
    #[must_use]
    pub fn partition_of(&self, slot: usize) -> (TopicId, i32) {
        let after = self.topics.partition_point(|topic| topic.first_slot <= slot);
        let topic = after.saturating_sub(1);
        let partition = slot - self.topics[topic].first_slot;
        let id = TopicId(u16::try_from(topic).unwrap_or(u16::MAX));
        (id, i32::try_from(partition).unwrap_or(i32::MAX) - 1)
    }

    /// A slot's partition as people write it: `orders/3`.
    #[must_use]
    pub fn partition_name(&self, slot: usize) -> String {
        let (topic, partition) = self.partition_of(slot);
        format!("{}/{partition}", self.topics[topic.index()].alias)
    }

    /// Every slot of a real partition of a topic.
    pub fn partitions(&self, topic: TopicId) -> impl Iterator<Item = usize> + '_ {
        let topic = self.topics.get(topic.index());
        topic.into_iter().flat_map(|topic| {
            let count = usize::try_from(topic.partitions).unwrap_or(0);
            topic.first_slot + 1..=topic.first_slot + count
        })
    }

    /// The slots to which each producer instance sends in transactions: a slot for each of them.
    pub fn transactional_slots(&self) -> impl Iterator<Item = usize> + '_ {
        let producers =
            self.instances.iter().flatten().filter_map(|instance| match instance.role {
                Role::Producer { producer } => Some(&self.producers[producer]),
                Role::Consumer { .. } => None,
            });
        let transactional = producers.filter(|producer| producer.transactional);
        transactional.flat_map(|producer| self.partitions(producer.topic))
    }

    /// An instance.
    #[must_use]
    pub fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.get(id.index())?.as_ref()
    }

    /// Whether a phase enters results.
    #[must_use]
    pub fn is_measured(&self, phase: PhaseId) -> bool {
        self.timeline.0.get(phase.index()).is_some_and(|phase| phase.kind.is_measured())
    }

    /// The target rate of all producers at a moment; `None` if one of them runs closed loop there.
    #[must_use]
    pub fn target_per_s(&self, at_us: u64) -> Option<f64> {
        self.producers.iter().map(|producer| producer.schedule.rate_at(at_us)).sum()
    }

    /// Records due a second in the middle of an interval, whoever sends them; `None` in a closed loop.
    #[must_use]
    pub fn due_per_s(&self, (start_us, end_us): (u64, u64)) -> Option<f64> {
        let due = self.target_per_s(start_us + (end_us - start_us) / 2);
        due.filter(|_| !self.producers.is_empty())
    }

    /// Whether any record is due in `[start_us, end_us)`. Without producers nobody can know, so yes.
    #[must_use]
    pub fn is_due_between(&self, start_us: u64, end_us: u64) -> bool {
        let due = |schedule: &Schedule| {
            let closed = schedule.segments().iter().any(|segment| {
                matches!(segment.pace, Pace::Max)
                    && segment.start_us < end_us
                    && start_us < segment.end_us
            });
            closed || schedule.due_before(end_us) > schedule.due_before(start_us)
        };
        self.producers.is_empty() || self.producers.iter().any(|producer| due(&producer.schedule))
    }

    /// Whether every producer runs closed loop, all the time.
    #[must_use]
    pub fn is_closed_loop_only(&self) -> bool {
        let paced = |schedule: &Schedule| {
            schedule.segments().iter().any(|segment| matches!(segment.pace, Pace::Rate { .. }))
        };
        !self.producers.is_empty() && !self.producers.iter().any(|p| paced(&p.schedule))
    }

    /// Where a producer instance sends.
    #[must_use]
    pub fn producer_topic(&self, instance: InstanceId) -> Option<TopicId> {
        match self.instance(instance)?.role {
            Role::Producer { producer } => Some(self.producers[producer].topic),
            Role::Consumer { .. } => None,
        }
    }

    /// What expectations may name.
    #[must_use]
    pub fn vocabulary(&self) -> Vocabulary {
        let is_read = |producer: &Producer| {
            let mut slots = self.partitions(producer.topic);
            slots.any(|slot| self.readers.iter().any(|reader| reader.reads[slot]))
        };
        let has_through = self.readers.iter().any(|reader| reader.through.is_some());
        Vocabulary {
            topics: self.topics.iter().map(|t| (t.alias.clone(), t.partitions)).collect(),
            producers: self.producers.iter().map(|producer| producer.name.clone()).collect(),
            consumers: self.readers.iter().flat_map(|reader| reader.names.clone()).collect(),
            groups: self.groups.clone(),
            agents: self.agents.clone(),
            phases: self.timeline.0.iter().map(|phase| phase.name.clone()).collect(),
            faults: self.faults.clone(),
            has_end_to_end: has_through || self.producers.iter().any(|p| p.stamped && is_read(p)),
            has_through,
            has_transactions: self.producers.iter().any(|producer| producer.transactional),
            has_integrity: self.integrity,
            has_pipelines: self.readers.iter().any(|reader| reader.has_pipeline),
            closed_loop_only: self.is_closed_loop_only(),
            measured_us: self.measured.total_us(),
        }
    }
}

fn topics(specs: &[TopicSpec]) -> Vec<Topic> {
    let mut next = 0;
    let topic = |spec: &TopicSpec| {
        let first_slot = next;
        next += 1 + usize::try_from(spec.partitions).unwrap_or(0);
        Topic {
            alias: spec.alias.clone(),
            partitions: spec.partitions,
            first_slot,
            is_compacted: is_compacted(spec),
        }
    };
    specs.iter().map(topic).collect()
}
