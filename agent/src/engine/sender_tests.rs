//! The sender's decisions, driven by a clock and a client made of numbers.

use super::{
    outlet::{HeldUp, Offer, Outlet},
    pacer::SHORTEST_TICK_US,
    partitioner::Partitioner,
    parts::SentPart,
    sender::{Sender, SenderSettings},
};
use crate::librdkafka::{Code, Message, TransactionError};
use mallard_protocol::{
    counters::Counter,
    ids::{InstanceId, TopicId},
    schedule::{Pace, Phase, PhaseKind, Schedule, Segment, Timeline},
    stamp::Stamp,
    workload::{
        KeySpec, Partitioning, PayloadSpec, ProducerSpec, SizeSpec, StampPlace, TransactionSpec,
    },
};
use proptest::prelude::*;
use std::collections::VecDeque;

/// A client with room for so many records.
#[derive(Default)]
struct Client {
    room: usize,
    taken: Vec<(Message, Stamp, u64)>,
    /// Every so many records, one is refused for good.
    refuse_every: usize,
    offered: usize,
    acked: u64,
    now_us: u64,
    /// What the calls to commit and abort will say.
    outcomes: VecDeque<Result<(), TransactionError>>,
    calls: Vec<&'static str>,
}

impl Client {
    fn call(&mut self, name: &'static str) -> Result<(), TransactionError> {
        self.calls.push(name);
        self.outcomes.pop_front().unwrap_or(Ok(()))
    }
}

impl Outlet for Client {
    fn offer(
        &mut self,
        (values, _): (&[u8], &[u8]),
        messages: &[Message],
        now_us: u64,
        refused: &mut Vec<(usize, Code)>,
    ) -> Offer {
        let before = self.taken.len();
        let taken = |client: &Self| (client.taken.len() - before) as u64;
        for (index, message) in messages.iter().enumerate() {
            if self.refuse_every > 0 && (self.offered + 1).is_multiple_of(self.refuse_every) {
                self.offered += 1;
                refused.push((index, Code::TOO_LARGE));
                continue;
            }
            if self.room == 0 {
                let held_up = Some(HeldUp::Full);
                return Offer { handled: index, taken: taken(self), held_up };
            }
            self.offered += 1;
            self.room -= 1;
            let stamp = Stamp::from_bytes(message.value(values)).unwrap();
            self.taken.push((*message, stamp, now_us));
        }
        Offer { handled: messages.len(), taken: taken(self), held_up: None }
    }
    fn now_us(&self) -> u64 {
        self.now_us
    }
    fn acked(&self) -> u64 {
        self.acked
    }
    fn in_flight(&self) -> u64 {
        0
    }
    fn flush(&mut self) -> bool {
        self.calls.push("flush");
        self.acked = self.taken.len() as u64;
        true
    }
    fn begin(&mut self) -> Result<(), TransactionError> {
        self.calls.push("begin");
        Ok(())
    }
    fn commit(&mut self) -> Result<(), TransactionError> {
        self.call("commit")
    }
    fn abort(&mut self) -> Result<(), TransactionError> {
        self.call("abort")
    }
}

pub(super) fn spec(pace: Pace, end_us: u64) -> ProducerSpec {
    ProducerSpec {
        instance: InstanceId(9),
        name: "gateway-1".into(),
        topic: TopicId(0),
        schedule: Schedule::new([Segment { start_us: 0, end_us, pace }]),
        stride: 1,
        offset: 0,
        partitioning: Partitioning::RoundRobin,
        payload: PayloadSpec::Bytes { size: SizeSpec::Fixed(40), random_share: 0.0 },
        key: KeySpec::None,
        headers: Vec::new(),
        stamp: StampPlace::Payload,
        client: Vec::new(),
        transactions: None,
        seed: 1,
    }
}

pub(super) fn rate(per_s: f64) -> Pace {
    Pace::Rate { from_per_s: per_s, to_per_s: per_s }
}

fn timeline() -> Timeline {
    let phase =
        |name: &str, kind, start_us, end_us| Phase { name: name.into(), kind, start_us, end_us };
    Timeline(vec![
        phase("warm-up", PhaseKind::WarmUp, 0, 700_000),
        phase("hold", PhaseKind::Hold, 700_000, 3_000_000),
    ])
}

fn sender(spec: &ProducerSpec, room: usize) -> Sender<'_, Client> {
    let client = Client { room, ..Client::default() };
    let partitioner = Partitioner::new(spec, 3, 0).unwrap();
    let settings =
        SenderSettings { partitioner, tick_us: SHORTEST_TICK_US, numbered: None, lender: None };
    Sender::new(spec, 5, settings, &timeline(), client).unwrap()
}

/// Turns until nothing more is to be done at a moment.
fn settle(sender: &mut Sender<'_, Client>, now_us: u64, parts: &mut Vec<SentPart>) -> u64 {
    sender.outlet.now_us = now_us;
    loop {
        let wake_us = sender.turn(now_us, &mut |part| parts.push(part));
        if wake_us > now_us {
            return wake_us;
        }
    }
}

#[test]
fn what_is_due_goes_out_with_its_due_time_and_slip() {
    let spec = spec(rate(1_000.0), 1_000_000);
    let mut sender = sender(&spec, usize::MAX);
    let mut parts = Vec::new();
    assert_eq!(settle(&mut sender, 0, &mut parts), 1_000);
    assert_eq!(settle(&mut sender, 2_300, &mut parts), 3_000);
    let taken: Vec<_> =
        sender.outlet.taken.iter().map(|(m, stamp, at)| (m.partition, stamp.due_us, *at)).collect();
    assert_eq!(taken, [(0, 0, 0), (1, 1_000, 2_300), (2, 2_000, 2_300)]);
    settle(&mut sender, 700_000, &mut parts);
    let slice = &parts[0].slices[0];
    assert_eq!((slice.scheduled, slice.sent, slice.slip.count()), (700, 3, 3));
    assert_eq!(slice.slip.max(), Some(1_300));
}

#[test]
fn what_it_takes_to_make_records_is_slip_and_no_service() {
    let spec = spec(rate(1_000.0), 1_000_000);
    let mut sender = sender(&spec, usize::MAX);
    let mut parts = Vec::new();
    // The turn begins at 2.3 ms; the records are made by 2.9 ms.
    sender.outlet.now_us = 2_900;
    let wake_us = sender.turn(2_300, &mut |part| parts.push(part));
    assert_eq!(wake_us, 3_400, "a tick after it was done, and not once more at once");
    let sent: Vec<_> = sender.outlet.taken.iter().map(|(m, _, at)| (m.due_us, *at)).collect();
    assert_eq!(sent, [(0, 2_900), (1_000, 2_900), (2_000, 2_900)]);
    settle(&mut sender, 700_000, &mut parts);
    assert_eq!(parts[0].slices[0].unexplained_slip.max(), Some(2_900));
}

#[test]
fn a_closed_loop_begins_while_records_of_the_rate_before_it_are_sent() {
    let at = |start_us, end_us, pace| Segment { start_us, end_us, pace };
    let schedule = Schedule::new([at(0, 10_000, rate(1_000.0)), at(10_000, 20_000, Pace::Max)]);
    let spec = ProducerSpec { schedule, ..spec(rate(1.0), 1) };
    let mut sender = sender(&spec, 100);
    settle(&mut sender, 11_000, &mut Vec::new());
    let closed_loop = sender.outlet.taken.iter().filter(|(m, ..)| m.due_us == 11_000).count();
    assert_eq!((sender.outlet.taken.len(), closed_loop), (100, 90));
}

#[test]
fn a_full_queue_keeps_records_waiting_and_their_slip_is_explained() {
    let spec = spec(rate(1_000.0), 2_000_000);
    let mut sender = sender(&spec, 10);
    let mut parts = Vec::new();
    for now_us in (0..=500_000).step_by(500) {
        settle(&mut sender, now_us, &mut parts);
    }
    assert_eq!(sender.outlet.taken.len(), 10);
    sender.outlet.room = usize::MAX;
    settle(&mut sender, 500_500, &mut parts);
    assert_eq!(sender.outlet.taken.len(), 501);
    for now_us in (501_000..=700_000).step_by(500) {
        settle(&mut sender, now_us, &mut parts);
    }
    let part = &parts[0];
    let slice = &part.slices[0];
    assert_eq!((part.scheduled, part.not_sent, part.handed), (700, 0, 700));
    assert_eq!((slice.sent, slice.slip.count()), (700, 700));
    // Ten went out before the queue was full, 199 after the debt was worked off.
    assert_eq!(slice.unexplained_slip.count(), 209);
    assert_eq!(slice.unexplained_slip.max(), Some(0));
    let refused_us = part.counters.get(Counter::BackpressureUs);
    assert!((489_000..492_000).contains(&refused_us), "{refused_us}");
    let queue_full = part.counters.get(Counter::QueueFull);
    assert!(slice.late > 480 && queue_full > 900, "{} {queue_full}", slice.late);
}

#[test]
fn a_closed_loop_that_ends_leaves_no_hole_in_its_sequence() {
    let max = Segment { start_us: 0, end_us: 10_000, pace: Pace::Max };
    let after = Segment { start_us: 10_000, end_us: 20_000, pace: rate(1_000.0) };
    let mut spec = spec(Pace::Max, 1);
    spec.schedule = Schedule::new([max, after]);
    let mut sender = sender(&spec, 100);
    let mut parts = Vec::new();
    settle(&mut sender, 0, &mut parts);
    sender.outlet.room = 50;
    settle(&mut sender, 5_000, &mut parts);
    sender.outlet.room = 50;
    settle(&mut sender, 12_000, &mut parts);
    let taken = &sender.outlet.taken;
    assert_eq!(taken.len(), 153);
    let mut sequences: Vec<_> = taken.iter().map(|(_, stamp, _)| stamp.sequence).collect();
    sequences.sort_unstable();
    assert!(sequences.iter().copied().eq(0..153));
    // In a closed loop a record is due when there is room for it.
    assert!(taken[..150].iter().all(|(m, stamp, at)| stamp.due_us == *at && m.due_us == *at));
    settle(&mut sender, 700_000, &mut parts);
    // Seven more are due by then, and go out after the interval's end.
    assert_eq!((parts[0].scheduled, parts[0].not_sent), (160, 7));
    assert_eq!(parts[0].slices[0].slip.count(), 3);
}

#[test]
fn stopping_never_takes_back_what_was_due() {
    let spec = spec(rate(1_000.0), 2_000_000);
    let mut sender = sender(&spec, usize::MAX);
    let mut parts = Vec::new();
    settle(&mut sender, 100_000, &mut parts);
    sender.stop_at(50_000);
    settle(&mut sender, 900_000, &mut parts);
    assert_eq!((parts[0].scheduled, parts[0].not_sent), (101, 0));
    assert!(sender.is_done());
}

fn transactional(
    outcomes: Vec<Result<(), TransactionError>>,
    abort_share: f64,
) -> (ProducerSpec, VecDeque<Result<(), TransactionError>>) {
    let mut spec = spec(rate(1_000.0), 100_000);
    spec.transactions =
        Some(TransactionSpec { every_records: Some(10), every_us: Some(50_000), abort_share });
    (spec, outcomes.into())
}

/// Every millisecond up to the end of the first interval.
fn settle_over_time(sender: &mut Sender<'_, Client>, parts: &mut Vec<SentPart>) {
    for now_us in (0..=700_000).step_by(1_000) {
        settle(sender, now_us, parts);
    }
}

#[test]
fn a_commit_that_takes_long_holds_records_up_and_explains_it() {
    let (spec, outcomes) =
        transactional(vec![Err(TransactionError::NotYet), Err(TransactionError::NotYet)], 0.0);
    let mut sender = sender(&spec, usize::MAX);
    sender.outlet.outcomes = outcomes;
    let mut parts = Vec::new();
    for now_us in [0, 20_000, 40_000, 60_000] {
        sender.outlet.now_us = now_us;
        for _ in 0..4 {
            sender.turn(now_us, &mut |part| parts.push(part));
        }
    }
    settle(&mut sender, 700_000, &mut parts);
    let done = &parts[0].transactions;
    assert!(done.committed > 1 && done.aborted == 0 && done.failed == 0, "{done:?}");
    assert_eq!(done.commit.count(), done.committed);
    let slice = &parts[0].slices[0];
    assert!(slice.unexplained_slip.count() < slice.slip.count());
}

#[test]
fn transactions_aborted_on_purpose_are_flushed_first() {
    let (spec, _) = transactional(Vec::new(), 1.0);
    let mut sender = sender(&spec, usize::MAX);
    let mut parts = Vec::new();
    settle(&mut sender, 9_500, &mut parts);
    settle(&mut sender, 700_000, &mut parts);
    assert_eq!(&sender.outlet.calls[..4], ["begin", "flush", "abort", "begin"]);
    assert_eq!(parts[0].transactions.aborted_records, 10);
}

#[test]
fn a_transaction_that_cannot_be_committed_is_aborted_and_counted_as_failed() {
    let must = || Err(TransactionError::MustAbort("a record timed out".into()));
    let (spec, outcomes) = transactional(vec![must()], 0.0);
    let mut sender = sender(&spec, usize::MAX);
    sender.outlet.outcomes = outcomes;
    let mut parts = Vec::new();
    settle(&mut sender, 10_000, &mut parts);
    settle(&mut sender, 700_000, &mut parts);
    assert_eq!(&sender.outlet.calls[..3], ["begin", "commit", "abort"]);
    assert_eq!(parts[0].transactions.failed, 1);
    assert_eq!(sender.take_death(), None);
}

#[test]
fn a_commit_that_the_client_takes_for_out_of_step_is_called_again_but_not_for_ever() {
    let out = || Err(TransactionError::OutOfStep("not valid in state BeginCommit".into()));
    let (spec, outcomes) = transactional(vec![out(), Ok(())], 0.0);
    let mut patient = sender(&spec, usize::MAX);
    patient.outlet.outcomes = outcomes;
    let mut parts = Vec::new();
    settle_over_time(&mut patient, &mut parts);
    assert_eq!(&patient.outlet.calls[..4], ["begin", "commit", "commit", "begin"]);
    let done = &parts[0].transactions;
    assert!(done.committed > 1 && done.failed == 0, "{done:?}");

    let mut hopeless = sender(&spec, usize::MAX);
    hopeless.outlet.outcomes = (0..1_000).map(|_| out()).collect();
    settle_over_time(&mut hopeless, &mut Vec::new());
    assert_eq!(hopeless.take_death().as_deref(), Some("not valid in state BeginCommit"));
}

#[test]
fn few_transactions_have_the_share_of_aborts_that_was_asked_for() {
    let (spec, _) = transactional(Vec::new(), 0.1);
    let mut sender = sender(&spec, usize::MAX);
    let mut parts = Vec::new();
    settle_over_time(&mut sender, &mut parts);
    let done = &parts[0].transactions;
    assert_eq!((done.committed, done.aborted), (9, 1), "a hundred records, ten a transaction");
}

#[test]
fn a_sender_that_has_given_up_sends_nothing_that_it_still_owes() {
    let spec = spec(rate(1_000.0), 500_000);
    let mut sender = sender(&spec, 100);
    let mut parts = Vec::new();
    settle(&mut sender, 600_000, &mut parts);
    sender.give_up(600_000);
    sender.outlet.room = usize::MAX;
    settle(&mut sender, 700_000, &mut parts);
    assert_eq!(sender.outlet.taken.len(), 100, "400 were due, and are not sent");
    assert_eq!((parts[0].scheduled, parts[0].not_sent), (500, 400));
}

#[test]
fn a_sender_that_has_given_up_ends_its_transaction_and_begins_no_other() {
    let (spec, _) = transactional(Vec::new(), 0.0);
    let mut sender = sender(&spec, 5);
    settle(&mut sender, 90_000, &mut Vec::new());
    sender.give_up(90_000);
    sender.outlet.room = usize::MAX;
    let mut parts = Vec::new();
    for now_us in (91_000..=700_000).step_by(1_000) {
        settle(&mut sender, now_us, &mut parts);
    }
    assert_eq!(sender.outlet.calls, ["begin", "commit"]);
    assert_eq!((parts[0].transactions.committed, sender.outlet.taken.len()), (1, 5));
}

#[test]
fn a_fenced_producer_ends_and_says_why() {
    let fatal = Err(TransactionError::Fatal("fenced".into()));
    let (spec, outcomes) = transactional(vec![fatal], 0.0);
    let mut sender = sender(&spec, usize::MAX);
    sender.outlet.outcomes = outcomes;
    settle(&mut sender, 10_000, &mut Vec::new());
    assert_eq!(sender.take_death().as_deref(), Some("fenced"));
    assert_eq!(sender.take_death(), None);
    assert!(sender.is_done());
}

#[derive(Clone, Debug)]
struct Step {
    after_us: u64,
    room: usize,
}

proptest! {
    #[test]
    fn accounts_add_up_whatever_the_client_does(
        steps in prop::collection::vec(
            (0_u64..200_000, 0_usize..400).prop_map(|(after_us, room)| Step { after_us, room }), 1..60),
        per_s in 1.0..5_000.0, refuse_every in prop_oneof![Just(0_usize), 2_usize..50],
        stop_at_step in 0_usize..60, closed_loop: bool,
    ) {
        let spec = spec(if closed_loop { Pace::Max } else { rate(per_s) }, 2_000_000);
        let mut sender = sender(&spec, 0);
        sender.outlet.refuse_every = refuse_every;
        let mut parts: Vec<SentPart> = Vec::new();
        let mut now_us = 0;
        for (index, step) in steps.iter().enumerate() {
            now_us += step.after_us;
            sender.outlet.room = step.room;
            if index == stop_at_step { sender.stop_at(now_us); }
            settle(&mut sender, now_us, &mut parts);
        }
        let taken = sender.outlet.taken.clone();
        sender.finish(now_us + 1, &mut |part| parts.push(part));

        let (mut scheduled, mut sent, mut failed, mut end_us) = (0, 0, 0, 0);
        for (index, part) in parts.iter().enumerate() {
            prop_assert_eq!((part.interval.index, part.interval.start_us), (index as u64, end_us));
            end_us = part.interval.end_us;
            for slice in &part.slices {
                scheduled += slice.scheduled;
                sent += slice.sent;
                failed += slice.failed.iter().map(|(_, n)| n).sum::<u64>();
                prop_assert_eq!(slice.record_bytes.count(), slice.sent);
                prop_assert_eq!(slice.sent_bytes, slice.sent * 40);
                prop_assert!(slice.unexplained_slip.count() <= slice.slip.count());
                prop_assert_eq!(slice.slip.count(), if closed_loop { 0 } else { slice.sent });
            }
            prop_assert_eq!(part.scheduled, scheduled);
            prop_assert_eq!(part.scheduled, sent + part.not_sent);
            prop_assert_eq!(part.handed, sent - failed);
        }
        prop_assert_eq!(end_us, now_us + 1);
        prop_assert_eq!(taken.len() as u64, sent - failed);
        let mut last = [(0, 0); 3];
        for (message, stamp, at_us) in taken {
            prop_assert!(stamp.due_us <= at_us && stamp.due_us == message.due_us);
            prop_assert_eq!((stamp.run, stamp.instance), (5, InstanceId(9)));
            let lane = &mut last[message.partition as usize];
            prop_assert!(*lane <= (stamp.due_us, stamp.sequence));
            *lane = (stamp.due_us, stamp.sequence);
        }
    }
}

/// A ramp and then a burst, with the moments at which the sender itself wants to be woken up; each time
/// the machine is late by so much.
fn most_behind(late_us: u64, stall: std::ops::Range<u64>) -> (u64, u64) {
    let ramp = Pace::Rate { from_per_s: 1_000.0, to_per_s: 40_000.0 };
    let mut spec = spec(ramp, 2_000_000);
    let burst = Segment { start_us: 2_000_000, end_us: 2_500_000, pace: rate(80_000.0) };
    let ramp = Segment { start_us: 0, end_us: 2_000_000, pace: ramp };
    spec.schedule = Schedule::new([ramp, burst]);
    let mut sender = sender(&spec, usize::MAX);
    let (mut parts, mut now_us) = (Vec::new(), 0);
    while now_us < 3_000_000 {
        sender.outlet.room = if stall.contains(&now_us) { 0 } else { usize::MAX };
        now_us = settle(&mut sender, now_us, &mut parts) + late_us;
    }
    let times = sender.outlet.taken.iter().map(|(message, _, at_us)| (message.due_us, *at_us));
    let times: Vec<_> = times.collect();
    assert!(times.iter().all(|(due_us, at_us)| at_us >= due_us), "nothing is sent early");
    assert_eq!(sender.outlet.taken.len() as u64, spec.schedule.total());
    sender.finish(3_000_001, &mut |part| parts.push(part));
    let most = parts.iter().map(|part| part.counters.get(Counter::BehindMax)).max().unwrap();
    // By hand: at each moment of sending, what was due by then and not sent before.
    let mut sent_before = 0;
    let by_hand = times.chunk_by(|a, b| a.1 == b.1).fold(0, |most, chunk| {
        let behind = spec.schedule.due_before(chunk[0].1 + 1) - sent_before;
        sent_before += chunk.len() as u64;
        most.max(behind)
    });
    (most, by_hand)
}

#[test]
fn ramps_and_bursts_follow_their_curve_and_the_largest_deviation_is_told() {
    let (punctual, by_hand) = most_behind(0, 0..0);
    assert_eq!(punctual, by_hand);
    // A tick at the burst's rate.
    assert!((40..=42).contains(&punctual), "{punctual}");
    let (late, by_hand) = most_behind(3_000, 0..0);
    assert_eq!(late, by_hand);
    assert!((280..=282).contains(&late), "{late}");
    // Beyond one batch, and beyond the end of an interval.
    let (stalled, by_hand) = most_behind(0, 1_900_000..2_300_000);
    assert_eq!(stalled, by_hand);
    assert!((27_500..28_500).contains(&stalled), "{stalled}");
}

/// How often an instance looks at its schedule in so many seconds of simulated time.
fn looks(per_s: f64, seconds: u64) -> u64 {
    let spec = spec(rate(per_s), seconds * 1_000_000);
    let mut sender = sender(&spec, usize::MAX);
    let (mut looks, mut now_us) = (0, 0);
    while (sender.outlet.taken.len() as u64) < spec.schedule.total() {
        now_us = now_us.max(sender.turn(now_us, &mut drop));
        looks += 1;
    }
    looks
}

#[test]
fn instances_sleep_between_their_records_so_that_hundreds_share_an_agent() {
    // Records and one more look after each, and the ends of intervals and of a phase.
    assert!(looks(0.2, 20) <= 2 * 4 + 20 + 1, "{}", looks(0.2, 20));
    assert!(looks(1.0, 60) <= 2 * 60 + 60 + 1, "{}", looks(1.0, 60));
    // However fast: one look for each tick of half a millisecond, and one after it.
    assert!(looks(1e6, 1) <= 2 * 2_000 + 2, "{}", looks(1e6, 1));
}
