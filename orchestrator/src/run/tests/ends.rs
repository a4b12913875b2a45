//! What is lost, left and waited for where a process or an agent does not end as planned.

use super::*;
use crate::run::context::CaseContext;
use mallard_protocol::workload::Membership;
use std::time::Duration;

/// A load that has run for four seconds, with a lease of five.
fn running(change: impl FnOnce(&mut CasePlan)) -> World {
    let mut world = World::new(|plan| {
        plan.lease = Duration::from_secs(5);
        change(plan);
    });
    world.start();
    world.run_until(4 * SECOND, prompt);
    world
}

fn lost(effect: &Effect) -> bool {
    matches!(effect, Effect::Emit(RunEvent::AgentLost { .. }))
}

#[test]
fn a_controller_that_was_stopped_longer_than_the_lease_tries_every_agent_before_it_judges() {
    let mut world = running(|_| {});
    world.now_us += 13 * SECOND;
    world.feed(Input::HeldUp { us: 13 * SECOND });
    // That the channels broke while nobody looked is heard first.
    world.feed(Input::Channel { agent: 0, up: false });
    world.feed(Input::Channel { agent: 1, up: false });
    world.now_us += SECOND;
    world.feed(Input::Tick);
    assert!(world.place(lost).is_none());
    assert!(world.place(|e| matches!(e, Effect::Kill { .. })).is_none());
    world.feed(Input::Channel { agent: 0, up: true });
    world.feed(Input::Channel { agent: 1, up: true });
    world.run_until(u64::MAX, prompt);
    world.pass(30 * SECOND);
    assert!(world.case.is_done());
    let codes = world.reason_codes();
    assert_eq!(world.judged().judgement.result.verdict, Verdict::Pass, "{codes:?}");
}

#[test]
fn an_agent_that_stays_away_after_the_gap_is_still_lost() {
    let mut world = running(|_| {});
    world.now_us += 13 * SECOND;
    world.feed(Input::HeldUp { us: 13 * SECOND });
    world.silent.push(1);
    world.feed(Input::Channel { agent: 1, up: false });
    world.pass(8 * SECOND);
    assert!(world.place(lost).is_some());
}

#[test]
fn what_an_agent_that_ended_by_its_lease_has_left_is_collected_and_nothing_is_lost() {
    let mut world = running(|_| {});
    for agent in 0..2 {
        let cause = "its process is gone".to_owned();
        world.feed(Input::AgentEnded { agent, cause, was_stuck: false });
        world.feed(Input::Channel { agent, up: true });
        world.hello_from(agent, "this boot", AgentState::Finished);
    }
    world.run_until(u64::MAX, prompt);
    for agent in 0..2 {
        world.say(agent, FromAgent::Finished { client_queue: 0 });
    }
    world.pass(30 * SECOND);
    assert!(world.case.is_done() && world.place(lost).is_none());
    let accounts = &world.judged().judgement.result.accounts_whole;
    assert_eq!(accounts.scheduled, accounts.acked, "{accounts:?}");
}

#[test]
fn what_a_killed_agent_has_left_is_collected_before_it_is_lost() {
    let mut world = running(|plan| plan.on_agent_loss = OnAgentLoss::Continue);
    let cause = "its process is gone".to_owned();
    world.feed(Input::AgentEnded { agent: 1, cause, was_stuck: false });
    assert!(world.place(lost).is_none(), "it may have finished");
    world.feed(Input::Channel { agent: 1, up: true });
    world.hello_from(1, "this boot", AgentState::Idle);
    assert_eq!(world.finishing, [1]);
    world.run_until(5 * SECOND, prompt);
    world.pass(SECOND);
    let kept = world.seen.iter().rposition(|e| matches!(e, Effect::Keep { agent: 1, .. }));
    assert!(kept < world.place(lost), "its last interval comes first");
    let exits = |e: &Effect| {
        matches!(e, Effect::Send { agent: 1, message: ToAgent::Exit { keep_folder: true } })
    };
    assert!(world.place(exits).is_some());
    assert!(world.place(|e| matches!(e, Effect::Kill { agent: 1, .. })).is_none());
}

#[test]
fn a_load_whose_archive_is_full_goes_on_to_its_end() {
    let mut world = running(|_| {});
    let cause = "write intervals: no space left".to_owned();
    world.feed(Input::ArchiveFailed { cause, is_resumable: true });
    assert!(!world.told(|m| matches!(m, ToAgent::StopLoad | ToAgent::Finish { .. })));
    let says = |effect: &Effect| match effect {
        Effect::Emit(RunEvent::Note { text, .. }) => text.contains("mallard resume run"),
        _ => false,
    };
    assert!(world.place(says).is_some());
    world.run_until(u64::MAX, prompt);
    world.pass(30 * SECOND);
    assert!(world.case.is_done());
    assert_eq!(world.judged().judgement.result.verdict, Verdict::Error);
}

#[test]
fn times_of_a_result_are_those_that_the_case_was_handed() {
    let mut world = World::new(|_| {});
    world.now_us = 3 * SECOND;
    world.start();
    let lead_us = 150_000;
    world.run_until(u64::MAX, prompt);
    while !world.is_judged() {
        world.pass(SECOND);
    }
    let result = &world.judged().judgement.result;
    assert_eq!(result.started_at, written(0));
    assert_eq!(result.load_started_at, Some(written(3 * SECOND + lead_us)));
    assert_eq!(result.ended_at, written(world.now_us));
}

#[test]
fn on_another_boot_a_load_began_as_long_ago_as_wall_time_says() {
    let mut world = World::new(|_| {});
    world.start();
    let started = world.seen.iter().find_map(|effect| match effect {
        Effect::Checkpoint(checkpoint) => Some(checkpoint.clone()),
        _ => None,
    });
    let context = CaseContext { boot_id: "another".into(), ..context() };
    let mut next = Case::resume(world.plan.clone(), context, at(60 * SECOND), &started.unwrap());
    let resumed = next.begin().into_iter().find_map(|effect| match effect {
        Effect::Emit(RunEvent::CaseResumed { at_us, .. }) => Some(at_us),
        _ => None,
    });
    assert_eq!(resumed, Some(60 * SECOND - 150_000));
}

/// What is asked to be deleted, with the time for it.
fn deletions(world: &World) -> Vec<(usize, usize, u64)> {
    let asked = world.seen.iter().filter_map(|effect| match effect {
        Effect::Send {
            message:
                ToAgent::Ask { question: Question::Delete { topics, groups, within_ms, .. }, .. },
            ..
        } => Some((topics.len(), groups.len(), *within_ms)),
        _ => None,
    });
    asked.collect()
}

#[test]
fn a_stop_while_clients_are_made_has_consumers_leave_before_groups_are_deleted() {
    let mut world = World::new(|_| {});
    // The second agent is asked for its clients, and does not have them yet.
    world.keeps_clock.push(1);
    world.hello(0);
    world.hello_from(1, "far", AgentState::Idle);
    assert!(world.told(|m| matches!(m, ToAgent::Prepare(_))));
    assert!(!world.told(|m| matches!(m, ToAgent::Start { .. })));
    world.feed(Input::Stop { times: 1, by: "Ctrl-C" });
    let finish = world
        .place(|e| matches!(e, Effect::Send { message: ToAgent::Finish { within_ms: 2_000 }, .. }));
    assert!(deletions(&world).is_empty());
    world.pass(5 * SECOND);
    let delete = world.place(|effect| match effect {
        Effect::Send { message: ToAgent::Ask { question, .. }, .. } => {
            matches!(question, Question::Delete { .. })
        }
        _ => false,
    });
    assert!(finish.is_some() && finish < delete, "{finish:?} {delete:?}");
    world.pass(5 * SECOND);
    assert!(world.case.is_done());
}

#[test]
fn groups_of_a_lost_agent_are_waited_for_until_its_session_is_over_and_topics_are_not() {
    let mut world = running(|plan| {
        plan.on_agent_loss = OnAgentLoss::Continue;
        for consumer in plan.agents.iter_mut().flat_map(|agent| &mut agent.consumers) {
            consumer.membership = Membership::Group("flink-run-0".into());
        }
    });
    world.silent.push(1);
    world.feed(Input::AgentGone { agent: 1, cause: "killed".into() });
    world.run_until(u64::MAX, prompt);
    world.pass(60 * SECOND);
    assert!(world.case.is_done());
    let teardown_ms = u64::try_from(world.plan.deadlines.teardown.as_millis()).unwrap();
    let asked = deletions(&world);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0], (1, 0, teardown_ms), "topics wait for nobody");
    let (_, groups, within_ms) = asked[1];
    assert!(groups == 1 && within_ms > teardown_ms && within_ms <= 48_000, "{asked:?}");
    let says = |effect: &Effect| match effect {
        Effect::Emit(RunEvent::Step { text, .. }) => {
            text.contains("waiting up to") && text.contains("flink-run-0")
        }
        _ => false,
    };
    assert!(world.place(says).is_some());
}
