//! The deciding core, driven by hand: no sockets, no sleeps, a clock that is set.

use super::{
    case::Case,
    io::{Effect, Judged},
    simulate::{at, context},
};
use crate::{
    clock::micros,
    hosts::channel::event::Input,
    measure::{
        AgentIndex,
        simulate::{Fate, Shape, reports},
    },
    model::{events::RunEvent, result::Verdict},
    plan::CasePlan,
    scenario::cluster::{KafkaContainers, KafkaPlan, Limits, OnAgentLoss},
};
use mallard_protocol::{
    ids::{InstanceId, TopicId},
    message::{
        AgentFailure, AgentState, Answer, ClusterFacts, FailureKind, FromAgent, HostFacts,
        LogBounds, Question, ToAgent,
    },
};

mod ends;
mod reach;
mod settling;

const SECOND: u64 = 1_000_000;

/// A case with agents that answer at once, and a clock that a test moves.
struct World {
    case: Case,
    now_us: u64,
    seen: Vec<Effect>,
    /// Agents that say nothing any more.
    silent: Vec<usize>,
    /// Agents that were told to finish and have not said that they did.
    finishing: Vec<usize>,
    /// Agents that do not send their log.
    keeps_log: Vec<usize>,
    /// Agents that do not tell their clock.
    keeps_clock: Vec<usize>,
    /// Agents that do not say that their producers are flushed.
    flushes_late: Vec<usize>,
    /// Where logs start and end after the load.
    log: LogBounds,
    /// How `DescribeCluster` is answered.
    cluster: Result<ClusterFacts, AgentFailure>,
    plan: CasePlan,
}

impl World {
    fn new(change: impl FnOnce(&mut CasePlan)) -> Self {
        let mut plan = Shape::default().plan();
        change(&mut plan);
        let case = Case::new(plan.clone(), context(), at(0));
        let cluster = Ok(ClusterFacts::default());
        let mut world = Self {
            case,
            now_us: 0,
            seen: Vec::new(),
            silent: Vec::new(),
            finishing: Vec::new(),
            keeps_log: Vec::new(),
            keeps_clock: Vec::new(),
            flushes_late: Vec::new(),
            log: LogBounds::default(),
            cluster,
            plan,
        };
        let begun = world.case.begin();
        world.take(begun);
        world
    }

    fn feed(&mut self, input: Input) {
        let effects = self.case.handle(at(self.now_us), input);
        self.take(effects);
    }

    /// Notes effects, and lets agents answer what they are told.
    fn take(&mut self, effects: Vec<Effect>) {
        let told: Vec<_> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Send { agent, message } => Some((*agent, message.clone())),
                _ => None,
            })
            .collect();
        self.seen.extend(effects);
        for (agent, message) in told {
            if !self.silent.contains(&agent) {
                self.answer(agent, message);
            }
        }
    }

    fn say(&mut self, agent: usize, message: FromAgent) {
        self.feed(Input::Message { agent, message: Box::new(message) });
    }

    fn answer(&mut self, agent: usize, message: ToAgent) {
        match message {
            ToAgent::Ask { request, question } => {
                let result = match question {
                    Question::DescribeCluster { .. } => self.cluster.clone().map(Answer::Cluster),
                    Question::CreateTopics { .. } => Ok(Answer::Topics(Vec::new())),
                    Question::EndOffsets { .. } => Ok(Answer::EndOffsets(Vec::new())),
                    Question::Offsets { .. } => Ok(Answer::Offsets(self.log.clone())),
                    Question::Delete { .. } => Ok(Answer::Deleted(Vec::new())),
                    // A test says when it has started.
                    Question::StartBroker { .. } => return,
                    Question::Clock if self.keeps_clock.contains(&agent) => return,
                    Question::Clock => {
                        Ok(Answer::Clock { received_us: self.now_us, sent_us: self.now_us })
                    }
                    other => panic!("nobody asks {other:?} here"),
                };
                self.say(agent, FromAgent::Answer { request, result });
            }
            ToAgent::Prepare(assignment) => {
                self.say(agent, FromAgent::Prepared);
                for consumer in &assignment.consumers {
                    let (instance, partitions) =
                        (consumer.instance, self.share_of(consumer.instance));
                    let assigned = partitions.clone();
                    self.say(agent, FromAgent::Assigned { instance, partitions: assigned });
                    self.say(agent, FromAgent::Reading { instance, partitions });
                }
            }
            ToAgent::Start { .. } => self.say(agent, FromAgent::Started { late_by_us: 10 }),
            ToAgent::Flush { .. } if self.flushes_late.contains(&agent) => {}
            ToAgent::Flush { .. } => self.say(agent, FromAgent::Flushed),
            // An agent that finishes sends its last interval first.
            ToAgent::Finish { .. } => self.finishing.push(agent),
            ToAgent::SendLog { .. } if self.keeps_log.contains(&agent) => {}
            ToAgent::SendLog { .. } => {
                self.say(agent, FromAgent::Log { bytes: Vec::new(), last: true });
            }
            ToAgent::Exit { .. } => self.feed(Input::AgentGone { agent, cause: "exited".into() }),
            _ => {}
        }
    }

    fn consumers(&self) -> Vec<(usize, InstanceId)> {
        let agents = self.plan.agents.iter().enumerate();
        agents
            .flat_map(|(at, agent)| agent.consumers.iter().map(move |c| (at, c.instance)))
            .collect()
    }

    /// The consumers' partitions, dealt out in turn.
    fn share_of(&self, instance: InstanceId) -> Vec<(TopicId, i32)> {
        let consumers = self.consumers();
        let place = consumers.iter().position(|(_, id)| *id == instance).unwrap_or(0);
        let count = consumers.len().max(1);
        (0..self.plan.topics[0].partitions)
            .filter(|partition| partition.unsigned_abs() as usize % count == place)
            .map(|partition| (TopicId(0), partition))
            .collect()
    }

    fn hello(&mut self, agent: usize) {
        self.hello_from(agent, "this boot", AgentState::Idle);
    }

    /// A hello of an agent in some state, by the clock of some boot.
    fn hello_from(&mut self, agent: usize, boot: &str, state: AgentState) {
        let host = HostFacts { boot_id: boot.into(), pid: 100, ..HostFacts::default() };
        let (protocol_version, build_id) = (1, String::new());
        self.say(
            agent,
            FromAgent::Hello { protocol_version, build_id, host: Box::new(host), state },
        );
    }

    /// Another controller takes the case over after so long, by what the first one had written down.
    fn take_over(&mut self, after_us: u64) {
        let written = self.seen.iter().rev().find_map(|effect| match effect {
            Effect::Checkpoint(checkpoint) => Some(checkpoint.clone()),
            _ => None,
        });
        let kept = self.seen.iter().filter_map(|effect| match effect {
            Effect::Keep { agent, report } => Some((*agent, report.clone())),
            _ => None,
        });
        let kept: Vec<_> = kept.collect();
        self.now_us += after_us;
        self.case = Case::resume(self.plan.clone(), context(), at(self.now_us), &written.unwrap());
        for (agent, report) in kept {
            let _ = self.case.replay(agent, &report);
        }
        let inherited = self.case.note_absence();
        let begun = self.case.begin();
        self.take(inherited);
        self.take(begun);
    }

    fn is_judged(&self) -> bool {
        self.place(|effect| matches!(effect, Effect::Judged(_))).is_some()
    }

    fn start(&mut self) {
        for agent in 0..self.plan.agents.len() {
            self.hello(agent);
        }
        assert!(self.told(|m| matches!(m, ToAgent::Start { .. })), "the load starts");
    }

    /// Lets time pass in steps of a second, with intervals of every agent that speaks.
    fn run_until(&mut self, end_us: u64, mut model: impl FnMut(u64, u64) -> Fate) {
        let all = reports(&self.plan, &mut model);
        let start_us = self.now_us + 400_000;
        for (AgentIndex(agent), report) in all {
            if report.end_us > end_us {
                break;
            }
            self.now_us = self.now_us.max(start_us + report.end_us);
            if !self.silent.contains(&agent) {
                self.say(agent, FromAgent::Interval(Box::new(report)));
            }
        }
    }

    fn pass(&mut self, us: u64) {
        for _ in 0..us.div_ceil(SECOND) {
            self.now_us += SECOND;
            for agent in std::mem::take(&mut self.finishing) {
                self.say(agent, FromAgent::Finished { client_queue: 0 });
            }
            for agent in 0..self.plan.agents.len() {
                if !self.silent.contains(&agent) && !self.case.is_done() {
                    self.say(agent, FromAgent::Heartbeat);
                }
            }
            self.feed(Input::Tick);
        }
    }

    fn told(&self, what: impl Fn(&ToAgent) -> bool) -> bool {
        self.place(|effect| matches!(effect, Effect::Send { message, .. } if what(message)))
            .is_some()
    }

    fn place(&self, what: impl Fn(&Effect) -> bool) -> Option<usize> {
        self.seen.iter().position(what)
    }

    fn judged(&self) -> &Judged {
        let all: Vec<_> = self
            .seen
            .iter()
            .filter_map(|effect| match effect {
                Effect::Judged(judged) => Some(judged),
                _ => None,
            })
            .collect();
        assert_eq!(all.len(), 1, "a case is judged exactly once");
        all[0]
    }

    fn reason_codes(&self) -> Vec<String> {
        self.judged().judgement.result.reasons.iter().map(|reason| reason.code.clone()).collect()
    }
}

/// A moment of the made-up machine, as it is written down.
fn written(at_us: u64) -> String {
    crate::clock::rfc3339(at(at_us).wall)
}

fn prompt(_record: u64, _due_us: u64) -> Fate {
    Fate::default()
}

#[test]
fn results_are_judged_before_anything_is_torn_down() {
    let mut world = World::new(|_| {});
    world.start();
    world.run_until(u64::MAX, prompt);
    world.pass(30 * SECOND);
    assert!(world.case.is_done());
    let judged = world.place(|effect| matches!(effect, Effect::Judged(_))).unwrap();
    let torn_down = world.place(|effect| {
        let Effect::Send { message, .. } = effect else { return false };
        let deletes = |q: &Question| matches!(q, Question::Delete { .. });
        matches!(message, ToAgent::Exit { .. })
            || matches!(message, ToAgent::Ask { question, .. } if deletes(question))
    });
    assert!(judged < torn_down.unwrap());
    assert_eq!(
        world.judged().judgement.result.verdict,
        Verdict::Pass,
        "{:?}",
        world.reason_codes()
    );
}

#[test]
fn a_drain_is_not_over_before_every_agent_has_told_of_its_last_second() {
    let mut world = World::new(|_| {});
    world.start();
    let load_end_us = world.plan.timeline.load_end_us();
    // All that was told of arrived at once: nothing is missing in these accounts.
    world.run_until(load_end_us - 1, prompt);
    world.seen.clear();
    world.pass(3 * SECOND);
    let asked = |world: &World| {
        world.told(|message| {
            let ends = |q: &Question| matches!(q, Question::Offsets { .. });
            matches!(message, ToAgent::Ask { question, .. } if ends(question))
        })
    };
    let drains = |effect: &Effect| {
        let Effect::Emit(RunEvent::PhaseStarted { phase, .. }) = effect else { return false };
        phase == "drain"
    };
    assert!(world.place(drains).is_some());
    assert!(!asked(&world) && !world.told(|m| matches!(m, ToAgent::Flush { .. })));
}

#[test]
fn a_host_that_does_not_send_its_log_costs_its_log_and_not_the_results() {
    let mut world = World::new(|_| {});
    world.keeps_log.push(1);
    world.start();
    world.run_until(u64::MAX, prompt);
    world.pass(60 * SECOND);
    assert!(world.case.is_done());
    assert_eq!(world.judged().judgement.result.verdict, Verdict::Pass);
    let logs =
        world.seen.iter().filter(|effect| matches!(effect, Effect::StoreLog { agent: 0, .. }));
    assert_eq!(logs.count(), 1, "the other's is there");
}

#[test]
fn an_agent_that_never_says_hello_is_named_when_its_time_is_up() {
    let mut world = World::new(|_| {});
    world.hello(0);
    world.silent.push(1);
    world.pass(30 * SECOND);
    assert!(world.case.is_done());
    let text = format!("{:?}", world.judged().judgement.result.reasons);
    assert!(text.contains(&world.plan.agents[1].name), "{text}");
    assert!(!world.told(|m| matches!(m, ToAgent::Start { .. })));
}

#[test]
fn an_unreachable_broker_is_an_error_before_any_load() {
    let mut world = World::new(|_| {});
    let text = "broker 10.0.0.1:9092: Connection refused".to_owned();
    world.cluster = Err(AgentFailure { kind: FailureKind::Unreachable, text });
    for agent in 0..world.plan.agents.len() {
        world.hello(agent);
    }
    world.pass(5 * SECOND);
    assert!(world.case.is_done());
    assert!(world.reason_codes().contains(&"broker_unreachable".to_owned()));
    assert!(!world.told(|m| matches!(m, ToAgent::Prepare(_))));
}

#[test]
fn an_agent_that_stays_out_of_reach_for_the_lease_ends_the_case_and_is_killed() {
    let mut world = World::new(|plan| plan.lease = std::time::Duration::from_secs(5));
    world.start();
    world.run_until(4 * SECOND, prompt);
    world.silent.push(1);
    world.feed(Input::Channel { agent: 1, up: false });
    world.pass(60 * SECOND);
    assert!(world.case.is_done());
    assert!(world.place(|e| matches!(e, Effect::Kill { agent: 1, pid: 100 })).is_some());
    assert!(world.reason_codes().contains(&"agent_lost".to_owned()));
    let rows = world.seen.iter().filter(|effect| matches!(effect, Effect::Store(_))).count();
    assert!(rows >= 4, "what was measured until then is stored: {rows}");
}

#[test]
fn a_channel_that_comes_back_is_told_again_what_it_may_have_lost_and_costs_nothing() {
    let mut world = World::new(|_| {});
    world.start();
    world.run_until(4 * SECOND, prompt);
    world.feed(Input::Stop { times: 1, by: "Ctrl-C" });
    world.feed(Input::Channel { agent: 1, up: false });
    let told = |world: &World| {
        let stops = world.seen.iter().filter(|effect| {
            matches!(effect, Effect::Send { agent: 1, message: ToAgent::StopLoad })
        });
        stops.count()
    };
    assert_eq!(told(&world), 1);
    world.feed(Input::Channel { agent: 1, up: true });
    assert_eq!(told(&world), 2, "the first one may have been lost");
    assert!(!world.seen.iter().any(|e| matches!(e, Effect::Kill { .. })), "nobody was lost");
}

#[test]
fn by_policy_the_others_go_on_without_a_lost_agent() {
    let mut world = World::new(|plan| plan.on_agent_loss = OnAgentLoss::Continue);
    world.start();
    world.run_until(4 * SECOND, prompt);
    world.silent.push(1);
    world.feed(Input::AgentGone { agent: 1, cause: "killed".into() });
    assert!(!world.told(|m| matches!(m, ToAgent::Finish { .. })), "the load goes on");
    world.pass(120 * SECOND);
    assert!(world.case.is_done());
    let warnings = format!("{:?}", world.judged().judgement.result.warnings);
    assert!(warnings.contains("degraded"), "{warnings}");
}

#[test]
fn what_a_lost_agent_had_to_send_is_written_down_told_and_told_again() {
    let mut world = World::new(|plan| plan.on_agent_loss = OnAgentLoss::Respread);
    world.start();
    world.run_until(4 * SECOND, prompt);
    world.silent.push(1);
    world.feed(Input::AgentGone { agent: 1, cause: "killed".into() });
    let order = |effect: &Effect| match effect {
        Effect::Send { agent: 0, message: ToAgent::TakeOver { order: 0, shares } } => {
            Some(shares.clone())
        }
        _ => None,
    };
    let mut latest_first = world.seen.iter().rev();
    let checkpoint = latest_first.find_map(|effect| match effect {
        Effect::Checkpoint(checkpoint) => Some(checkpoint.clone()),
        _ => None,
    });
    let checkpoint = checkpoint.unwrap();
    let taken = checkpoint.handovers[0].taken.clone();
    assert!(!taken.is_empty());
    let told = world.seen.iter().find_map(order).unwrap();
    assert_eq!(told, taken);
    let written = world.seen.iter().rposition(|e| matches!(e, Effect::Checkpoint(_)));
    assert!(written < world.place(|effect| order(effect).is_some()));
    for (_, share) in &taken {
        assert!(share.from_us.is_multiple_of(SECOND) && share.from_us > 4 * SECOND, "{share:?}");
    }
    let orders = |effects: &[Effect]| effects.iter().filter(|e| order(e).is_some()).count();
    world.feed(Input::Channel { agent: 0, up: false });
    world.feed(Input::Channel { agent: 0, up: true });
    assert_eq!(orders(&world.seen), 2, "the first one may have been lost");

    let mut next = Case::resume(world.plan.clone(), context(), at(world.now_us), &checkpoint);
    let _ = next.begin();
    let _ = next.note_absence();
    assert!(next.is_gone(1) && !next.is_gone(0));
    let host = HostFacts { boot_id: "this boot".into(), ..HostFacts::default() };
    let (protocol_version, build_id, host) = (1, String::new(), Box::new(host));
    let state = AgentState::Running;
    let message = Box::new(FromAgent::Hello { protocol_version, build_id, host, state });
    let effects = next.handle(at(world.now_us), Input::Message { agent: 0, message });
    assert_eq!(orders(&effects), 1, "and so may an order of the controller that died");
}

#[test]
fn another_agent_reads_end_offsets_when_the_one_that_did_is_lost() {
    let mut world = World::new(|plan| plan.on_agent_loss = OnAgentLoss::Continue);
    world.start();
    world.run_until(4 * SECOND, prompt);
    world.silent.push(0);
    world.feed(Input::AgentGone { agent: 0, cause: "killed".into() });
    let topics = vec![TopicId(0)];
    let handed_over = |effect: &Effect| match effect {
        Effect::Send { agent: 1, message: ToAgent::Observe { topics: told, .. } } => {
            *told == topics
        }
        _ => false,
    };
    assert!(world.seen.iter().any(handed_over));
}

#[test]
fn a_stop_before_the_load_starts_nothing() {
    let mut world = World::new(|_| {});
    world.hello(0);
    world.feed(Input::Stop { times: 1, by: "Ctrl-C" });
    world.hello(1);
    world.pass(20 * SECOND);
    assert!(world.case.is_done());
    assert!(!world.told(|m| matches!(m, ToAgent::Start { .. })));
    assert_eq!(world.judged().judgement.result.verdict, Verdict::Interrupted);
}

#[test]
fn a_stop_ends_the_load_and_a_second_one_kills_who_is_not_needed_for_deleting() {
    let mut world = World::new(|_| {});
    world.start();
    world.run_until(3 * SECOND, prompt);
    world.silent = vec![0, 1];
    world.feed(Input::Stop { times: 1, by: "Ctrl-C" });
    assert!(world.told(|m| matches!(m, ToAgent::StopLoad)));
    world.feed(Input::Stop { times: 2, by: "Ctrl-C" });
    assert!(
        world.told(|m| matches!(m, ToAgent::Finish { .. })),
        "consumers may leave their groups"
    );
    world.pass(6 * SECOND);
    assert_eq!(world.judged().judgement.result.verdict, Verdict::Interrupted);
    assert!(world.place(|e| matches!(e, Effect::Kill { agent: 1, .. })).is_some());
    world.pass(20 * SECOND);
    assert!(world.case.is_done());
    assert!(world.place(|e| matches!(e, Effect::Kill { agent: 0, .. })).is_some());
}

#[test]
fn sigterm_ends_the_load_in_order_and_the_case_is_judged_by_what_was_measured() {
    let mut world = World::new(|_| {});
    world.start();
    world.run_until(8 * SECOND, prompt);
    world.feed(Input::Stop { times: 1, by: "SIGTERM" });
    assert!(world.told(|m| matches!(m, ToAgent::StopLoad)));
    for (AgentIndex(agent), report) in reports(&world.plan, &mut prompt) {
        if (8 * SECOND..=10 * SECOND).contains(&report.end_us) {
            world.say(agent, FromAgent::Interval(Box::new(report)));
        }
    }
    world.pass(30 * SECOND);
    assert!(world.case.is_done());
    let judgement = &world.judged().judgement;
    assert_eq!(judgement.result.verdict, Verdict::Pass, "{:#?}", judgement.result.reasons);
    assert!(judgement.sentence.starts_with("pass (stopped early)"), "{}", judgement.sentence);
}

#[test]
fn asking_twice_is_an_interruption_whatever_way_it_was_asked() {
    let mut world = World::new(|_| {});
    world.start();
    world.run_until(8 * SECOND, prompt);
    world.feed(Input::Stop { times: 1, by: "SIGTERM" });
    world.feed(Input::Stop { times: 2, by: "SIGTERM" });
    world.pass(30 * SECOND);
    assert_eq!(world.judged().judgement.result.verdict, Verdict::Interrupted);
}

#[test]
fn a_full_disk_ends_the_case_once_and_says_so() {
    let mut world = World::new(|_| {});
    world.start();
    world.run_until(2 * SECOND, prompt);
    for _ in 0..3 {
        let cause = "write series.csv: no space left".into();
        world.feed(Input::ArchiveFailed { cause, is_resumable: false });
    }
    world.pass(30 * SECOND);
    assert!(world.case.is_done());
    let reasons = format!("{:?}", world.judged().judgement.result.reasons);
    assert_eq!(reasons.matches("no space left").count(), 1, "{reasons}");
}

#[test]
fn phases_are_announced_once_and_in_order() {
    let mut world = World::new(|_| {});
    world.start();
    world.run_until(u64::MAX, prompt);
    world.pass(30 * SECOND);
    let phases: Vec<_> = world
        .seen
        .iter()
        .filter_map(|effect| match effect {
            Effect::Emit(RunEvent::PhaseStarted { phase, .. }) => Some(phase.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(phases, ["warm-up", "hold", "drain"]);
}

fn in_containers(plan: &mut CasePlan) {
    plan.kafka = KafkaPlan::in_containers(KafkaContainers {
        image: "apache/kafka:4.1.1".into(),
        brokers: 3,
        config: Vec::new(),
        advertise: None,
        limits: Limits::default(),
        env: Vec::new(),
    });
}

#[test]
fn agents_start_when_containers_run_and_the_load_when_every_broker_is_there() {
    let mut world = World::new(in_containers);
    let connects = |effect: &Effect| matches!(effect, Effect::Connect);
    assert!(world.place(|effect| matches!(effect, Effect::StartContainers)).is_some());
    assert!(world.place(connects).is_none());
    let bootstrap = |at: &str| vec![("bootstrap.servers".to_owned(), at.to_owned())];
    let connections = vec![bootstrap("broker-1:9092"), bootstrap("127.0.0.1:20001")];
    world.feed(Input::ContainersStarted { connections: connections.clone() });
    assert!(world.place(connects).is_some());
    world.cluster = Ok(ClusterFacts { brokers: vec![(1, "broker-1:9092".into())] });
    world.hello(0);
    world.hello(1);
    world.pass(5 * SECOND);
    assert!(!world.told(|m| matches!(m, ToAgent::Prepare(_))), "two brokers are missing");
    let three = (1..=3).map(|id| (id, format!("broker-{id}:9092"))).collect();
    world.cluster = Ok(ClusterFacts { brokers: three });
    world.pass(SECOND);
    for (agent, connection) in connections.iter().enumerate() {
        let prepared = world.place(|effect| {
            matches!(effect, Effect::Send { agent: to, message: ToAgent::Prepare(assignment) }
                if *to == agent && assignment.connection == *connection)
        });
        assert!(prepared.is_some(), "agent {agent} connects its own way");
    }
}

#[test]
fn containers_that_do_not_start_end_the_case_with_every_problem() {
    let mut world = World::new(in_containers);
    let problems =
        vec!["container-1: no C library".to_owned(), "container-2: no network".to_owned()];
    // Agents that never came to be are not missed, however long this machine runs.
    world.now_us = 3_600 * SECOND;
    world.feed(Input::ContainersFailed { problems });
    assert!(world.case.is_done(), "there is nobody to wait for");
    assert!(!world.reason_codes().contains(&"agent_lost".to_owned()));
    let text = format!("{:?}", world.judged().judgement.result.reasons);
    assert!(text.contains("no C library") && text.contains("no network"), "{text}");
    assert!(world.place(|effect| matches!(effect, Effect::Connect)).is_none());
}

#[test]
fn a_broker_that_ends_before_the_load_ends_the_case() {
    let mut world = World::new(in_containers);
    world.feed(Input::ContainersStarted { connections: Vec::new() });
    world.hello(0);
    let (broker, cause) = ("broker-2".to_owned(), "exit code 1".to_owned());
    world.feed(Input::BrokerEnded { broker, cause });
    world.pass(20 * SECOND);
    assert!(world.case.is_done());
    let text = format!("{:?}", world.judged().judgement.result.reasons);
    assert!(text.contains("broker-2: exit code 1"), "{text}");
}
