//! Makes a producer's records: key, value, stamp and partition.
//!
//! A record has two numbers. Its sequence number is the instance's own count, which stands in its stamp
//! and which accounts go by. Its number in the schedule, which all instances share, is what its content
//! goes by: whatever counts, counts once over all instances, also where one sends for another.

use super::{
    keys::Keys,
    numbers::Numbers,
    pacer::Due,
    partitioner::Partitioner,
    payload::{Payloads, place},
};
use crate::librdkafka::Message;
use mallard_protocol::{
    ids::InstanceId,
    stamp::Stamp,
    workload::{KeySpec, ProducerSpec, StampPlace},
};

/// Makes records: key, value, stamp and partition.
pub(crate) struct Maker {
    payloads: Payloads,
    keys: Keys,
    /// The field of the value that keys come from, if they do.
    key_field: Option<String>,
    key_arena: Vec<u8>,
    stamp: Option<(u32, InstanceId)>,
    partitioner: Partitioner,
    next_sequence: u64,
    beyond: Beyond,
    /// The batch in the making.
    pub(crate) due: Vec<Due>,
}

/// Numbers of records that a closed loop sends: beyond those of the schedule, and dealt out to the
/// instances in the same way, so that no two records of a producer have the same one.
struct Beyond {
    next: u64,
    stride: u64,
}

impl Beyond {
    fn new(spec: &ProducerSpec) -> Self {
        let next = spec.schedule.total().saturating_add(spec.offset.into());
        Self { next, stride: spec.stride.max(1).into() }
    }

    fn take(&mut self) -> u64 {
        let number = self.next;
        self.next = number.saturating_add(self.stride);
        number
    }

    fn give_back(&mut self, count: usize) {
        self.next = self.next.saturating_sub(self.stride.saturating_mul(count as u64));
    }
}

impl Maker {
    pub(crate) fn new(
        spec: &ProducerSpec,
        run: u32,
        partitioner: Partitioner,
    ) -> Result<Self, String> {
        let stamped = spec.stamp == StampPlace::Payload;
        Ok(Self {
            payloads: Payloads::new(&spec.payload, (run, spec.instance), spec.seed, stamped)?,
            keys: Keys::new(&spec.key, spec.seed)?,
            key_field: match &spec.key {
                KeySpec::Field { name } => Some(name.clone()),
                _ => None,
            },
            key_arena: Vec::new(),
            stamp: stamped.then_some((run, spec.instance)),
            partitioner,
            next_sequence: 0,
            beyond: Beyond::new(spec),
            due: Vec::new(),
        })
    }

    pub(crate) fn batch_limit(&self) -> usize {
        self.payloads.batch_limit()
    }

    pub(crate) fn arenas(&self) -> (&[u8], &[u8]) {
        (self.payloads.arena(), &self.key_arena)
    }

    /// Makes every record that is due. Records of one partition stand together, in order of their due
    /// times: librdkafka then looks a partition up once and not for every record.
    pub(crate) fn make(&mut self, into: &mut Vec<Message>) -> Result<(), String> {
        self.payloads.start_batch();
        self.key_arena.clear();
        let count = self.due.len();
        let lanes = self.partitioner.lanes(count);
        for lane in 0..lanes {
            for at in (lane..count).step_by(lanes) {
                let due = self.due[at];
                let partition = self.partitioner.partition(lane, due.at_us);
                let message = self.make_one(due, partition)?;
                into.push(message);
            }
        }
        self.partitioner.advance(count);
        Ok(())
    }

    #[inline]
    fn make_one(&mut self, due: Due, partition: i32) -> Result<Message, String> {
        let Due { at_us: due_us, number } = due;
        let sequence = self.next_sequence;
        let number = number.unwrap_or_else(|| self.beyond.take());
        let (value_at, value_len) = self.payloads.prepare(Numbers { sequence, number })?;
        let (key_at, key_len) = match &self.key_field {
            None => self.keys.push(number, &mut self.key_arena).unwrap_or((0, Message::NO_KEY)),
            Some(field) => {
                let at = self.key_arena.len();
                self.payloads.push_field(field, (value_at, value_len), &mut self.key_arena)?;
                place(at, self.key_arena.len() - at)?
            }
        };
        self.write_stamp(value_at, sequence, due_us);
        self.next_sequence += 1;
        Ok(Message { due_us, sequence, value_at, value_len, key_at, key_len, partition })
    }

    #[inline]
    fn write_stamp(&mut self, value_at: u32, sequence: u64, due_us: u64) {
        if let Some((run, instance)) = self.stamp {
            let stamp = Stamp { run, instance, sequence, due_us };
            self.payloads.stamp_place(value_at).copy_from_slice(&stamp.to_bytes());
        }
    }

    pub(crate) fn stamp_again(&mut self, messages: &mut [Message], due_us: u64) {
        for message in messages {
            message.due_us = due_us;
            self.write_stamp(message.value_at, message.sequence, due_us);
        }
    }

    /// Takes records of a closed loop back that will never be sent, so that their numbers are used by
    /// others.
    pub(crate) fn give_back(&mut self, messages: &[Message]) {
        if let Some(first) = messages.first() {
            self.next_sequence = first.sequence;
            self.beyond.give_back(messages.len());
        }
    }
}
