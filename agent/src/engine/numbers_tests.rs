//! What counts in records counts by the schedule's number, once over all instances.

use super::{
    outlet::{HeldUp, Offer, Outlet},
    pacer::SHORTEST_TICK_US,
    partitioner::Partitioner,
    sender::{Sender, SenderSettings},
    sender_tests::{rate, spec},
};
use crate::librdkafka::{Code, Message, TransactionError};
use mallard_protocol::{
    ids::InstanceId,
    schedule::{Pace, Phase, PhaseKind, Schedule, Segment, Share, Timeline},
    workload::{KeySpec, PayloadSpec, ProducerSpec, StampPlace},
};

const LINES: u64 = 4_000;

/// A client with room for so many records, which keeps their values.
#[derive(Default)]
struct Reader {
    room: usize,
    values: Vec<String>,
    keys: Vec<String>,
}

impl Outlet for Reader {
    fn offer(
        &mut self,
        (values, keys): (&[u8], &[u8]),
        messages: &[Message],
        _now_us: u64,
        _refused: &mut Vec<(usize, Code)>,
    ) -> Offer {
        let text = |arena: &[u8], at: u32, len: u32| {
            String::from_utf8(arena[at as usize..][..len as usize].to_vec()).unwrap()
        };
        let taken = messages.len().min(self.room);
        for message in &messages[..taken] {
            self.values.push(text(values, message.value_at, message.value_len));
            if message.key_len != Message::NO_KEY {
                self.keys.push(text(keys, message.key_at, message.key_len));
            }
        }
        self.room -= taken;
        let held_up = (taken < messages.len()).then_some(HeldUp::Full);
        Offer { handled: taken, taken: taken as u64, held_up }
    }
    fn now_us(&self) -> u64 {
        0
    }
    fn acked(&self) -> u64 {
        0
    }
    fn in_flight(&self) -> u64 {
        0
    }
    fn flush(&mut self) -> bool {
        true
    }
    fn begin(&mut self) -> Result<(), TransactionError> {
        Ok(())
    }
    fn commit(&mut self) -> Result<(), TransactionError> {
        Ok(())
    }
    fn abort(&mut self) -> Result<(), TransactionError> {
        Ok(())
    }
}

/// One of so many instances with this payload; 4,000 records are due in four seconds.
fn instance(payload: PayloadSpec, (stride, offset): (u32, u32)) -> ProducerSpec {
    ProducerSpec {
        instance: InstanceId(u16::try_from(offset).unwrap()),
        stride,
        offset,
        payload,
        stamp: StampPlace::Header,
        ..spec(rate(1_000.0), 4_000_000)
    }
}

fn sender(spec: &ProducerSpec, room: usize) -> Sender<'_, Reader> {
    let settings = SenderSettings {
        partitioner: Partitioner::new(spec, 3, 0).unwrap(),
        tick_us: SHORTEST_TICK_US,
        numbered: None,
        lender: None,
    };
    let outlet = Reader { room, ..Reader::default() };
    let hold = Phase { name: "hold".into(), kind: PhaseKind::Hold, start_us: 0, end_us: 5_000_000 };
    Sender::new(spec, 5, settings, &Timeline(vec![hold]), outlet).unwrap()
}

fn settle(sender: &mut Sender<'_, Reader>, now_us: u64) {
    while sender.turn(now_us, &mut |_| {}) <= now_us {}
}

/// Texts read as numbers, in order.
fn sorted<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<u64> {
    let mut numbers: Vec<u64> = texts.into_iter().map(|text| text.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn all() -> Vec<u64> {
    (0..LINES).collect()
}

fn lines() -> PayloadSpec {
    PayloadSpec::Lines { lines: (0..LINES).map(|line| line.to_string().into_bytes()).collect() }
}

#[test]
fn four_instances_send_every_line_once_and_deal_sequential_keys_out_evenly() {
    let specs: Vec<_> = (0..4)
        .map(|offset| ProducerSpec {
            key: KeySpec::Sequential { count: 1_000 },
            ..instance(lines(), (4, offset))
        })
        .collect();
    let mut senders: Vec<_> = specs.iter().map(|spec| sender(spec, usize::MAX)).collect();
    senders.iter_mut().for_each(|sender| settle(sender, 4_500_000));
    let values = senders.iter().flat_map(|sender| &sender.outlet.values);
    assert_eq!(sorted(values), all());
    let keys = sorted(senders.iter().flat_map(|sender| &sender.outlet.keys));
    assert!(keys.iter().copied().eq((0..LINES).map(|at| at / 4)), "each of 1,000 keys four times");
}

#[test]
fn a_template_counts_over_all_instances_and_its_marks_by_the_instance() {
    let source = "{{ sequence }} {{ mark() }}";
    let spec = instance(PayloadSpec::Template { source: source.into() }, (4, 3));
    let mut sender = sender(&spec, usize::MAX);
    settle(&mut sender, 11_000);
    let values = &sender.outlet.values;
    // The third record of the fourth instance.
    assert!(values[2].starts_with("11 ") && values[2].contains("-0003-000000000002"), "{values:?}");
}

#[test]
fn what_a_lost_instance_had_to_send_comes_once_by_those_that_are_left() {
    const LOST_AT_US: u64 = 1_500_000;
    let specs: Vec<_> = (0..4).map(|offset| instance(lines(), (4, offset))).collect();
    let mut senders: Vec<_> = specs.iter().map(|spec| sender(spec, usize::MAX)).collect();
    senders.iter_mut().for_each(|sender| settle(sender, LOST_AT_US - 1));
    let mut lost = senders.remove(2);
    for (part, sender) in (0..3).zip(&mut senders) {
        let share = Share::of_instance(4, 2).part(part, 3, LOST_AT_US).unwrap();
        assert_eq!(sender.take_over(share), LOST_AT_US);
        settle(sender, 4_500_000);
    }
    lost.stop_at(LOST_AT_US);
    settle(&mut lost, 4_500_000);
    let values = senders.iter().chain([&lost]).flat_map(|sender| &sender.outlet.values);
    assert_eq!(sorted(values), all());
}

#[test]
fn a_closed_loop_numbers_its_records_beyond_the_schedule_without_holes() {
    let closed = Segment { start_us: 0, end_us: 10_000, pace: Pace::Max };
    let open = Segment { start_us: 10_000, end_us: 20_000, pace: rate(1_000.0) };
    let specs: Vec<_> = (0..2)
        .map(|offset| ProducerSpec {
            schedule: Schedule::new([closed, open]),
            ..instance(lines(), (2, offset))
        })
        .collect();
    let mut senders: Vec<_> = specs.iter().map(|spec| sender(spec, 100)).collect();
    for sender in &mut senders {
        // A full client leaves prepared records over, which are given up when the closed loop ends.
        sender.turn(0, &mut |_| {});
        sender.outlet.room = 50;
        sender.turn(5_000, &mut |_| {});
        sender.outlet.room = usize::MAX;
        settle(sender, 25_000);
    }
    let numbers = sorted(senders.iter().flat_map(|sender| &sender.outlet.values));
    // Ten by the schedule and twice 150 beyond it.
    assert!(numbers.iter().copied().eq(0..310), "{numbers:?}");
}
