//! Who is waited for, how long, and what is said of those who did not come.

use super::*;
use std::time::Duration;

/// What a case says that ended because somebody did not answer in time.
fn waited_for(world: &mut World) -> String {
    world.pass(120 * SECOND);
    assert!(world.case.is_done());
    assert!(world.reason_codes().contains(&"deadline_missed".to_owned()));
    format!("{:?}", world.judged().judgement.result.reasons)
}

#[test]
fn who_did_not_answer_about_brokers_or_clocks_is_named() {
    let mut world = World::new(|_| {});
    let [first, second] = [0, 1].map(|agent| world.plan.agents[agent].name.clone());
    world.silent.push(1);
    world.hello(0);
    world.hello(1);
    let text = waited_for(&mut world);
    assert!(text.contains(&format!("for the brokers to answer {second}")), "{text}");

    let mut world = World::new(|_| {});
    world.keeps_clock.push(1);
    world.hello_from(0, "far", AgentState::Idle);
    world.hello_from(1, "further", AgentState::Idle);
    let text = waited_for(&mut world);
    assert!(text.contains(&format!("enough probes of the clocks of {second}")), "{text}");

    let mut world = World::new(|_| {});
    world.hello(1);
    world.silent.push(0);
    world.hello(0);
    let text = waited_for(&mut world);
    assert!(text.contains(&format!("for the brokers to answer {first}")), "{text}");
}

#[test]
fn containers_that_take_too_long_are_named_with_the_last_step() {
    let mut world = World::new(in_containers);
    world.feed(Input::Step("starting Kafka in 3 containers".into()));
    world.pass(200 * SECOND);
    assert!(world.case.is_done());
    let text = format!("{:?}", world.judged().judgement.result.reasons);
    assert!(text.contains("broker-1, broker-2, broker-3"), "{text}");
    assert!(text.contains("the last step was: starting Kafka in 3 containers"), "{text}");
}

#[test]
fn an_embedded_broker_that_starts_when_the_end_has_begun_starts_nothing() {
    let mut world = World::new(|plan| plan.kafka = KafkaPlan::embedded(1, 0));
    world.keeps_log = vec![0, 1];
    world.hello(0);
    world.hello(1);
    let request = world.seen.iter().find_map(|effect| match effect {
        Effect::Send {
            message: ToAgent::Ask { request, question: Question::StartBroker { .. } },
            ..
        } => Some(*request),
        _ => None,
    });
    while !world.told(|m| matches!(m, ToAgent::SendLog { .. })) {
        world.pass(SECOND);
    }
    let result = Ok(Answer::Bootstrap("127.0.0.1:9092".into()));
    world.say(0, FromAgent::Answer { request: request.unwrap(), result });
    let text = waited_for(&mut world);
    assert!(text.contains("the embedded broker to start"), "{text}");
    let describes = |q: &Question| matches!(q, Question::DescribeCluster { .. });
    assert!(!world.told(|m| matches!(m, ToAgent::Ask { question, .. } if describes(question))));
}

#[test]
fn agents_have_as_long_to_flush_and_close_as_the_cluster_file_says() {
    let minute = Duration::from_secs(60);
    let mut world = World::new(|plan| plan.deadlines.finish = minute);
    world.start();
    world.run_until(u64::MAX, prompt);
    world.silent.push(1);
    world.finishing.retain(|agent| *agent != 1);
    world.pass(40 * SECOND);
    let told = |m: &ToAgent| {
        matches!(m, ToAgent::Flush { within_ms: 60_000 } | ToAgent::Finish { within_ms: 60_000 })
    };
    assert!(world.told(told) && !world.is_judged());
    world.pass(60 * SECOND);
    let text = format!("{:?}", world.judged().judgement.result.reasons);
    assert!(text.contains(&format!("{} to flush and close", world.plan.agents[1].name)), "{text}");
}

#[test]
fn an_agent_that_is_cut_off_at_the_end_is_waited_for_and_nothing_of_it_is_missing() {
    let mut world = World::new(|plan| plan.lease = Duration::from_secs(600));
    world.start();
    world.run_until(4 * SECOND, prompt);
    world.silent.push(1);
    world.feed(Input::Channel { agent: 1, up: false });
    world.run_until(u64::MAX, prompt);
    world.pass(300 * SECOND);
    assert!(!world.is_judged(), "its lease goes on");
    world.silent.clear();
    world.feed(Input::Channel { agent: 1, up: true });
    world.run_until(u64::MAX, prompt);
    world.pass(60 * SECOND);
    assert!(world.case.is_done());
    let codes = world.reason_codes();
    assert_eq!(world.judged().judgement.result.verdict, Verdict::Pass, "{codes:?}");
}

#[test]
fn an_agent_that_is_cut_off_while_it_closes_is_waited_for_until_its_lease_ends() {
    let cut_while_closing = || {
        let mut world = World::new(|plan| plan.lease = Duration::from_secs(60));
        world.start();
        world.run_until(u64::MAX, prompt);
        while !world.told(|m| matches!(m, ToAgent::Finish { .. })) {
            world.pass(SECOND);
        }
        world.silent.push(1);
        world.finishing.retain(|agent| *agent != 1);
        world.feed(Input::Channel { agent: 1, up: false });
        world.pass(40 * SECOND);
        assert!(!world.is_judged());
        world
    };
    let mut world = cut_while_closing();
    world.pass(40 * SECOND);
    assert!(world.reason_codes().contains(&"agent_lost".to_owned()));
    let mut world = cut_while_closing();
    world.feed(Input::Stop { times: 1, by: "Ctrl-C" });
    world.pass(20 * SECOND);
    assert!(world.is_judged());
}

#[test]
fn an_agent_that_is_out_of_reach_when_a_run_is_taken_over_is_waited_for_as_long_as_its_lease() {
    let lease = Duration::from_secs(600);
    let taken_over = || {
        let mut world = World::new(|plan| plan.lease = lease);
        world.start();
        world.run_until(4 * SECOND, prompt);
        world.silent.push(1);
        world.take_over(5 * SECOND);
        world.hello_from(0, "this boot", AgentState::Running);
        world
    };
    let lost = |effect: &Effect| matches!(effect, Effect::Emit(RunEvent::AgentLost { .. }));
    let mut world = taken_over();
    world.pass(300 * SECOND);
    assert!(world.place(lost).is_none() && !world.is_judged());
    world.silent.clear();
    world.hello_from(1, "this boot", AgentState::Running);
    world.run_until(u64::MAX, prompt);
    world.pass(60 * SECOND);
    assert!(world.case.is_done());
    let result = &world.judged().judgement.result;
    assert_eq!(result.verdict, Verdict::Pass, "{:?}", world.reason_codes());
    let cut = result.cuts.iter().find(|cut| cut.agent.is_some()).unwrap();
    assert!(cut.until_us > Some(300 * SECOND), "{cut:?}");

    let mut world = taken_over();
    world.pass(700 * SECOND);
    assert!(world.place(lost).is_some() && world.case.is_done());
}

#[test]
fn a_controller_that_slept_has_as_long_for_the_end_as_one_that_did_not() {
    let mut world = World::new(|_| {});
    world.start();
    world.run_until(u64::MAX, prompt);
    while !world.told(|m| matches!(m, ToAgent::Finish { .. })) {
        world.pass(SECOND);
    }
    world.now_us += 3_600 * SECOND;
    world.feed(Input::Slept { us: 3_600 * SECOND });
    assert!(!world.told(|m| matches!(m, ToAgent::SendLog { .. })), "agents may still be closing");
    world.pass(60 * SECOND);
    let codes = world.reason_codes();
    assert_eq!(world.judged().judgement.result.verdict, Verdict::Pass, "{codes:?}");
}
