//! Producers flush, then offsets are read, then consumers read on up to there.

use super::*;
use mallard_protocol::interval::PartitionOffset;

fn ends(offset: i64, partitions: i32) -> Vec<PartitionOffset> {
    let end = |partition| PartitionOffset { topic: TopicId(0), partition, offset };
    (0..partitions).map(end).collect()
}

/// One record in ten is never received.
fn swallows(record: u64, _: u64) -> Fate {
    Fate { received_us: (!record.is_multiple_of(10)).then_some(3_000), ..Fate::default() }
}

fn told_at(world: &World, what: impl Fn(&ToAgent) -> bool) -> Option<usize> {
    world.place(|effect| matches!(effect, Effect::Send { message, .. } if what(message)))
}

fn asks_for_offsets(message: &ToAgent) -> bool {
    matches!(message, ToAgent::Ask { question: Question::Offsets { .. }, .. })
}

/// How often it was asked where logs start and end.
fn times_asked(world: &World) -> usize {
    let asks = |effect: &&Effect| matches!(effect, Effect::Send { message, .. } if asks_for_offsets(message));
    world.seen.iter().filter(asks).count()
}

#[test]
fn offsets_are_read_when_every_producer_has_flushed() {
    let mut world = World::new(|_| {});
    world.start();
    world.flushes_late.push(1);
    world.run_until(u64::MAX, prompt);
    world.pass(2 * SECOND);
    assert!(world.told(|m| matches!(m, ToAgent::Flush { .. })));
    assert!(!world.told(asks_for_offsets), "one of them still flushes");
    world.say(1, FromAgent::Flushed);
    world.pass(20 * SECOND);
    assert!(world.case.is_done());
    let asked = told_at(&world, asks_for_offsets);
    assert!(told_at(&world, |m| matches!(m, ToAgent::Flush { .. })) < asked);
    assert!(asked < told_at(&world, |m| matches!(m, ToAgent::Finish { .. })));
    assert_eq!(times_asked(&world), 1, "all had been read by then");
}

#[test]
fn a_client_that_can_do_nothing_more_ends_the_load_and_offsets_are_read_all_the_same() {
    let mut world = World::new(|_| {});
    world.start();
    world.run_until(2 * SECOND, prompt);
    let text = "the log has forgotten its sequence numbers".to_owned();
    world.say(1, FromAgent::Failed(AgentFailure { kind: FailureKind::Other, text }));
    world.run_until(u64::MAX, prompt);
    world.pass(20 * SECOND);
    assert!(world.case.is_done());
    let stopped = told_at(&world, |m| matches!(m, ToAgent::StopLoad));
    let flushed = told_at(&world, |m| matches!(m, ToAgent::Flush { .. }));
    assert!(stopped < flushed && flushed < told_at(&world, asks_for_offsets));
    assert_eq!(times_asked(&world), 1, "what is unread then is not waited for");
}

#[test]
fn ends_that_were_read_while_a_producer_still_flushed_prove_no_loss() {
    let mut world = World::new(|_| {});
    let partitions = world.plan.topics[0].partitions;
    // Nothing of what was acknowledged lies below these.
    world.log = LogBounds { ends: ends(0, partitions), ..LogBounds::default() };
    world.start();
    world.flushes_late.push(1);
    world.run_until(u64::MAX, prompt);
    world.pass(120 * SECOND);
    assert!(world.case.is_done() && world.told(asks_for_offsets));
    let codes = world.reason_codes();
    assert!(!codes.iter().any(|code| code == "records_lost"), "{codes:?}");
}

#[test]
fn consumers_read_on_up_to_the_ends_for_as_long_as_finishing_may_take() {
    let mut world = World::new(|_| {});
    let partitions = world.plan.topics[0].partitions;
    world.log = LogBounds { ends: ends(1_000_000, partitions), ..LogBounds::default() };
    world.start();
    world.run_until(u64::MAX, swallows);
    // The drain waits for what is missing.
    let longest = micros(world.plan.longest());
    while !world.told(asks_for_offsets) {
        assert!(world.now_us < 2 * longest);
        world.pass(SECOND);
    }
    world.pass(8 * SECOND);
    assert!(!world.told(|m| matches!(m, ToAgent::Finish { .. })), "they read on");
    world.pass(4 * SECOND);
    assert!(world.told(|m| matches!(m, ToAgent::Finish { .. })));
    assert_eq!(times_asked(&world), 2, "retention may have moved the starts meanwhile");
}

#[test]
fn markers_alone_are_waited_for_a_moment_only() {
    let mut world = World::new(|_| {});
    let partitions = world.plan.topics[0].partitions;
    world.log = LogBounds { ends: ends(1_000_000, partitions), ..LogBounds::default() };
    world.start();
    world.run_until(u64::MAX, prompt);
    while !world.told(asks_for_offsets) {
        world.pass(SECOND);
    }
    world.pass(4 * SECOND);
    assert!(world.told(|m| matches!(m, ToAgent::Finish { .. })), "nothing is missing by count");
}

#[test]
fn offsets_that_nobody_can_read_end_no_case() {
    let mut world = World::new(|_| {});
    world.start();
    world.log.missing = Some("partition 0 of t: no leader".into());
    world.run_until(u64::MAX, prompt);
    world.pass(30 * SECOND);
    assert!(world.case.is_done());
    let noted = |effect: &Effect| matches!(effect, Effect::Emit(RunEvent::Note { text, .. }) if text.contains("no leader"));
    assert!(world.place(noted).is_some());
}
