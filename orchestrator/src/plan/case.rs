//! One case: a scenario, read and cross-checked with its cluster, placed on agents.

use super::{AgentPlan, CasePlan, FaultPlan, WrittenClient, place::Placement, schedule::timeline};
use crate::{
    bounds::{Limits, Outside, choose::Sources},
    clock::micros,
    config::{
        emit::emit,
        shape::{Located, Property, Reader, part_of},
        source::Place,
        yaml::{Entry, Kind, Node},
    },
    expect::{
        self, Expectation,
        against_baseline::{self, WrittenAgainst},
    },
    scenario::{
        LoadedScenario, Scenario,
        cluster::{Cluster, secret_values},
        matrix,
        payload::Payload,
        process::Decode,
    },
};
use mallard_protocol::{
    health::HealthFormat,
    ids::InstanceId,
    properties::ClientKind,
    schedule::{Pace, PhaseKind, Timeline},
    workload::{StampPlace, TopicSpec},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// What tells a case from others.
pub(super) struct Identity<'a> {
    pub(super) run_id: &'a str,
    /// From 1.
    pub(super) number: usize,
    pub(super) name: &'a str,
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) bounds: &'a Outside,
}

/// A case while it is built.
pub(super) struct Building<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) cluster: &'a Cluster,
    pub(super) identity: &'a Identity<'a>,
    pub(super) reader: &'a mut Reader,
    /// The scenario's folder: what file names in it start from.
    pub(super) folder: &'a Path,
    pub(super) placement: Placement,
    next_instance: u16,
}

/// Builds a case; `None` once its mistakes are noted.
pub(super) fn build(
    loaded: &LoadedScenario,
    scenario: &Scenario,
    resolved: &Node,
    cluster: &Cluster,
    identity: &Identity<'_>,
    reader: &mut Reader,
) -> Option<CasePlan> {
    let before = reader.errors();
    let folder = loaded.source.path.parent().unwrap_or(Path::new("")).to_owned();
    let placement = Placement::new(cluster);
    let mut building = Building {
        scenario,
        cluster,
        identity,
        reader,
        folder: &folder,
        placement,
        next_instance: 0,
    };
    building.check_workloads();
    let topics = building.topics();
    let timeline = timeline(&scenario.load, building.reader);
    let faults = building.faults(&timeline);
    let seed = building.seed("faults");
    building.check_rates();
    building.producers();
    building.consumers();
    building.throughs();
    building.check_observed();
    building.check_integrity();
    let agents = std::mem::replace(&mut building.placement, Placement::new(cluster)).into_agents();
    let broken = scenario.broken || building.reader.errors() > before;
    let mut vocabulary = vocabulary(scenario, &topics, &timeline, &agents, broken);
    vocabulary.faults = fault_names(&faults);
    let bounds = building.bounds();
    let (mut expectations, against) = building.expectations(&vocabulary);
    building.check_compare(&vocabulary);
    if !broken {
        expectations.extend(bounds.expectations(identity.name, &vocabulary, building.reader));
    }
    let sound = reader.errors() == before;
    let clients = scenario.producers.iter().map(|(_, producer)| &producer.client);
    let clients = clients.chain(scenario.consumers.iter().map(|(_, consumer)| &consumer.client));
    let own_secrets =
        clients.flat_map(|client| secret_values(client)).chain(registry_passwords(scenario));
    let mut secrets: Vec<_> =
        loaded.secrets.iter().chain(&cluster.secrets).cloned().chain(own_secrets).collect();
    secrets.sort();
    secrets.dedup();
    sound.then(|| CasePlan {
        name: identity.name.to_owned(),
        scenario: scenario.name.value.clone(),
        description: scenario.description.clone(),
        parameters: identity.parameters.clone(),
        topics,
        timeline,
        kafka: cluster.kafka.clone(),
        agents,
        observed_groups: scenario.observe.groups.iter().map(|group| group.value.clone()).collect(),
        expectations,
        faults,
        seed,
        against,
        compare: scenario.compare.clone(),
        integrity: scenario.integrity.as_ref().map(|integrity| integrity.value),
        on_agent_loss: scenario.on_agent_loss,
        deadlines: cluster.deadlines,
        lease: cluster.lease,
        keep_intervals_bytes: scenario.keep_intervals_bytes,
        scenario_yaml: emit(&with_bounds(resolved, &bounds)),
        cluster_yaml: cluster.yaml.clone(),
        secrets,
        file: loaded.source.path.clone(),
        clients: written_clients(scenario),
        connection_places: cluster.connection_places.clone(),
    })
}

/// Passwords of schema registries, which may be written out.
fn registry_passwords(scenario: &Scenario) -> impl Iterator<Item = String> {
    let sent = scenario.producers.iter().filter_map(|(_, producer)| match &producer.payload {
        Some(Payload::Health(health)) => Some(&health.format),
        _ => None,
    });
    let read = scenario.consumers.iter().filter_map(|(_, consumer)| {
        match &consumer.process.as_ref()?.value.decode {
            Decode::From(format) => Some(format),
            Decode::Beforehand => None,
        }
    });
    let memory = scenario.consumers.iter().filter_map(|(_, consumer)| consumer.source.as_ref());
    let formats = sent.chain(read).chain(memory.map(|memory| &memory.health.format));
    formats.filter_map(|format| match format {
        HealthFormat::Registry(registry) => registry.password.clone().filter(|p| !p.is_empty()),
        _ => None,
    })
}

/// Client properties of every producer and consumer, with their places.
fn written_clients(scenario: &Scenario) -> Vec<WrittenClient> {
    let one = |kind, name: &Located<String>, client: &[Property]| WrittenClient {
        kind,
        name: name.value.clone(),
        properties: client.iter().map(|p| (p.key.value.clone(), p.value.value.clone())).collect(),
        places: client.iter().map(|p| (p.key.value.clone(), p.key.at.clone())).collect(),
        at: name.at.clone(),
    };
    let producers =
        scenario.producers.iter().map(|(name, p)| one(ClientKind::Producer, name, &p.client));
    let consumers =
        scenario.consumers.iter().map(|(name, c)| one(ClientKind::Consumer, name, &c.client));
    producers.chain(consumers).collect()
}

impl Building<'_> {
    /// The next instance's id.
    pub(super) fn instance(&mut self, at: &Place) -> Option<InstanceId> {
        let id = InstanceId(self.next_instance);
        if let Some(next) = self.next_instance.checked_add(1) {
            self.next_instance = next;
            return Some(id);
        }
        self.reader.error(at, "the case has more than 65535 instances", "");
        None
    }

    /// Seed of an instance: the scenario's, mixed with the instance's name (SplitMix64's finalizer), so
    /// that it does not change when other workloads come or go.
    pub(super) fn seed(&self, name: &str) -> u64 {
        let named = u64::from(mallard_protocol::stamp::run_fingerprint("seed", name));
        let mut mixed = self.scenario.seed << 32 ^ named;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn check_workloads(&mut self) {
        let scenario = self.scenario;
        let none = scenario.producers.is_empty() && scenario.consumers.is_empty();
        if none && !scenario.broken {
            let help = "add `producers`, `consumers` or both";
            self.reader.error(
                &scenario.name.anchor,
                "the scenario has neither producers nor consumers",
                help,
            );
        }
        for (name, _) in &scenario.consumers {
            if scenario.producers.iter().any(|(producer, _)| producer.value == name.value) {
                let message = format!("a producer has the name `{}` already", name.value);
                self.reader.error(
                    &name.at,
                    message,
                    "instances and clients are named by it; rename one",
                );
            }
        }
    }

    fn bounds(&mut self) -> Limits {
        let sources = Sources {
            folder: self.folder,
            scenario: self.scenario.bounds.as_ref(),
            cluster: self.cluster.bounds.as_ref().map(|written| {
                (written, self.cluster.source.path.parent().unwrap_or(Path::new("")))
            }),
            outside: self.identity.bounds,
        };
        let name = self.identity.name;
        let scenario = &self.scenario.name.value;
        let is_case = |pattern: &str| matrix::is_wanted(name, scenario, &[pattern.to_owned()]);
        sources.of_case(is_case, self.reader)
    }

    fn expectations(
        &mut self,
        vocabulary: &expect::Vocabulary,
    ) -> (Vec<Expectation>, Vec<WrittenAgainst>) {
        let (mut expectations, mut against) = (self.guaranteed(vocabulary), Vec::new());
        for written in &self.scenario.expect {
            let read = if against_baseline::is_meant(&written.value) {
                against_baseline::parse(&written.value, vocabulary).map(|(expectation, name)| {
                    let baseline_at = part_of(&written.at, &written.value, name);
                    let line = written.at.line();
                    against.push(WrittenAgainst { expectation, baseline_at, line });
                })
            } else {
                expect::parse(&written.value, vocabulary).map(|mut expectation| {
                    let file = written.at.source.path.clone();
                    expectation.source = (file, Some(written.at.line()));
                    expectations.push(expectation);
                })
            };
            if let Err(wrong) = read {
                let at = part_of(&written.at, &written.value, wrong.span);
                self.reader.error(&at, wrong.message, wrong.help.unwrap_or_default());
            }
        }
        (expectations, against)
    }

    /// Metrics that a comparison is to decide by are there, and can get worse.
    fn check_compare(&mut self, vocabulary: &expect::Vocabulary) {
        for metric in self.scenario.compare.iter().flat_map(|compare| &compare.metrics) {
            if let Err(wrong) = against_baseline::check_deciding(&metric.value, vocabulary) {
                let at = part_of(&metric.at, &metric.value, wrong.span);
                self.reader.error(&at, wrong.message, wrong.help.unwrap_or_default());
            }
        }
    }
}

/// The scenario with the bounds it is judged by, wherever they come from: the archive says what was
/// judged without any other file.
fn with_bounds(resolved: &Node, bounds: &Limits) -> Node {
    let mut root = resolved.clone();
    if let Kind::Map(entries) = &mut root.kind {
        entries.retain(|entry| entry.key != "bounds");
        if !bounds.is_empty() {
            let value = bounds.to_node(&resolved.at);
            entries.push(Entry { key: "bounds".to_owned(), at: resolved.at.clone(), value });
        }
    }
    root
}

/// What expectations may mention. Where there are mistakes elsewhere (`broken`), what the case seems not
/// to do may be for their sake.
pub(super) fn vocabulary(
    scenario: &Scenario,
    topics: &[TopicSpec],
    timeline: &Timeline,
    agents: &[AgentPlan],
    broken: bool,
) -> expect::Vocabulary {
    let producers = || agents.iter().flat_map(|agent| &agent.producers);
    let stamped = |topic| producers().any(|p| p.topic == topic && p.stamp != StampPlace::Nowhere);
    let mut read =
        agents.iter().flat_map(|agent| &agent.consumers).flat_map(|consumer| &consumer.topics);
    let throughs = || {
        let consumers = agents.iter().flat_map(|agent| &agent.consumers);
        consumers.filter(|c| c.through.as_ref().is_some_and(|t| !t.sources.is_empty()))
    };
    let measured: Vec<_> = timeline.0.iter().filter(|phase| phase.kind.is_measured()).collect();
    let open = |p: &mallard_protocol::workload::ProducerSpec| {
        p.schedule.segments().iter().any(|segment| {
            segment.pace != Pace::Max
                && measured
                    .iter()
                    .any(|m| segment.start_us < m.end_us && m.start_us < segment.end_us)
        })
    };
    let names = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<Vec<_>>();
    expect::Vocabulary {
        topics: topics
            .iter()
            .zip(&scenario.topics)
            .map(|(topic, (_, raw))| {
                (topic.alias.clone(), if raw.broken { 0 } else { topic.partitions })
            })
            .collect(),
        producers: names(&mut scenario.producers.iter().map(|(name, _)| &name.value)),
        consumers: names(&mut scenario.consumers.iter().map(|(name, _)| &name.value)),
        groups: names(&mut scenario.observe.groups.iter().map(|group| &group.value)),
        agents: names(&mut agents.iter().map(|agent| &agent.name)),
        phases: names(
            &mut timeline.0.iter().filter(|p| p.kind != PhaseKind::Drain).map(|p| &p.name),
        ),
        faults: Vec::new(),
        has_end_to_end: broken || read.any(|topic| stamped(*topic)) || throughs().next().is_some(),
        has_through: broken || scenario.consumers.iter().any(|(_, c)| c.through.is_some()),
        has_transactions: broken
            || scenario.producers.iter().any(|(_, p)| p.transactions.is_some()),
        has_integrity: broken || scenario.integrity.is_some(),
        has_pipelines: broken || scenario.consumers.iter().any(|(_, c)| c.process.is_some()),
        closed_loop_only: !broken && producers().next().is_some() && !producers().any(open),
        measured_us: measured.iter().map(|phase| phase.end_us - phase.start_us).sum(),
    }
}

/// Names by which expectations may mention faults: each one's own, and what several have in common.
pub(crate) fn fault_names(faults: &[FaultPlan]) -> Vec<String> {
    let names = faults.iter().flat_map(|fault| [&fault.group, &fault.name]);
    let mut known = BTreeSet::new();
    names.filter(|name| known.insert(*name)).cloned().collect()
}

/// The scenario's load in microseconds, without its drain.
pub(super) fn load_us(scenario: &Scenario) -> u64 {
    let with_load = scenario.load.value.iter().filter(|step| step.phase() != PhaseKind::Drain);
    with_load.map(|step| micros(step.lasting)).fold(0, u64::saturating_add)
}
