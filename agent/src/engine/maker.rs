//! Makes a producer's records: key, value, stamp and partition.
//!
//! A record has two numbers. Its sequence number is the instance's own count, which stands in its stamp
//! and which accounts go by. Its number in the schedule, which all instances share, is what its content
//! goes by: whatever counts, counts once over all instances, also where one sends for another.

use super::{
    keys::Keys,
    numbers::Numbers,
    pacer::Due,
    partitioner::{Partitioner, by_key},
    payload::{Payloads, lendable, place},
};
use crate::librdkafka::{Lender, Message};
use mallard_protocol::{
    ids::InstanceId,
    stamp::{Placed, Stamp, content_sum_of},
    workload::{KeySpec, PayloadSpec, ProducerSpec, StampPlace},
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
    /// By partition, the number of the next record; empty where they are not counted.
    next_numbers: Vec<u64>,
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
    /// Records of an instance; with `numbered`, numbered in each of so many partitions.
    pub(crate) fn new(
        spec: &ProducerSpec,
        run: u32,
        partitioner: Partitioner,
        numbered: Option<usize>,
        lender: Option<Lender>,
    ) -> Result<Self, String> {
        let stamped = spec.stamp == StampPlace::Payload;
        Ok(Self {
            payloads: match (lender, lendable(spec), &spec.payload) {
                (Some(lender), Some(value), PayloadSpec::Bytes { random_share, .. }) => {
                    Payloads::lent(value.bytes, *random_share, spec.seed, lender)
                }
                (_, _, payload) => {
                    Payloads::new(payload, (run, spec.instance), spec.seed, stamped)?
                }
            },
            keys: Keys::new(&spec.key, spec.seed)?,
            key_field: match &spec.key {
                KeySpec::Field { name } => Some(name.clone()),
                _ => None,
            },
            key_arena: Vec::new(),
            stamp: stamped.then_some((run, spec.instance)),
            partitioner,
            next_sequence: 0,
            next_numbers: vec![0; numbered.unwrap_or(0)],
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
        // Asked once and not for every record.
        match self.is_numbered() {
            false => self.make_all::<false>(into)?,
            true => self.make_all::<true>(into)?,
        }
        self.partitioner.advance(self.due.len());
        Ok(())
    }

    fn make_all<const NUMBERED: bool>(&mut self, into: &mut Vec<Message>) -> Result<(), String> {
        let count = self.due.len();
        let lanes = self.partitioner.lanes(count);
        for lane in 0..lanes {
            for at in (lane..count).step_by(lanes) {
                let due = self.due[at];
                let partition = self.partitioner.partition(lane, due.at_us);
                let message = self.make_one::<NUMBERED>(due, partition)?;
                into.push(message);
            }
        }
        Ok(())
    }

    fn is_numbered(&self) -> bool {
        !self.next_numbers.is_empty()
    }

    #[inline(always)]
    fn make_one<const NUMBERED: bool>(
        &mut self,
        due: Due,
        partition: i32,
    ) -> Result<Message, String> {
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
        let (partition, number) = match NUMBERED {
            false => (partition, 0),
            true => self.take_number(partition, (key_at, key_len)),
        };
        let message =
            Message { due_us, sequence, number, value_at, value_len, key_at, key_len, partition };
        self.write_stamp::<NUMBERED>(&message);
        self.next_sequence += 1;
        Ok(message)
    }

    /// The next number of a record's partition. A record is numbered before the client has it, so where its key
    /// decides on its partition, that is done here.
    fn take_number(&mut self, partition: i32, (key_at, key_len): (u32, u32)) -> (i32, u64) {
        let partition = if partition < 0 && key_len != Message::NO_KEY {
            let key = &self.key_arena[key_at as usize..][..key_len as usize];
            by_key(key, self.next_numbers.len())
        } else {
            partition
        };
        let next = usize::try_from(partition).ok().and_then(|p| self.next_numbers.get_mut(p));
        let number = next.map_or(0, |next| std::mem::replace(next, *next + 1));
        (partition, number)
    }

    #[inline(always)]
    fn write_stamp<const NUMBERED: bool>(&mut self, message: &Message) {
        let Some((run, instance)) = self.stamp else { return };
        let Message { sequence, due_us, .. } = *message;
        let stamp = Stamp { run, instance, sequence, due_us };
        let bytes = match NUMBERED {
            false => stamp.to_bytes(),
            true => {
                let value = self.payloads.value_sum(message.value_at, message.value_len);
                let content = content_sum_of(message.key(&self.key_arena), value);
                placed(stamp, message).to_bytes(content)
            }
        };
        self.payloads.stamp_place(message.value_at).copy_from_slice(&bytes);
    }

    pub(crate) fn stamp_again(&mut self, messages: &mut [Message], due_us: u64) {
        for message in messages {
            message.due_us = due_us;
            match self.is_numbered() {
                false => self.write_stamp::<false>(message),
                true => self.write_stamp::<true>(message),
            }
        }
    }

    /// A record was refused for good: nobody needs its value.
    pub(crate) fn drop_refused(&mut self, message: &Message) {
        self.payloads.keep(message.value_at);
    }

    /// Takes records of a closed loop back that will never be sent, so that their numbers are used by
    /// others.
    pub(crate) fn give_back(&mut self, messages: &[Message]) {
        if let Some(first) = messages.first() {
            self.next_sequence = first.sequence;
            self.beyond.give_back(messages.len());
        }
        // From the last to the first, so that the lowest number of each partition stays.
        for message in messages.iter().rev() {
            self.payloads.keep(message.value_at);
            let partition = usize::try_from(message.partition).unwrap_or(usize::MAX);
            if let Some(next) = self.next_numbers.get_mut(partition) {
                *next = message.number;
            }
        }
    }
}

/// The stamp of a record that is numbered.
#[inline]
pub(crate) fn placed(stamp: Stamp, message: &Message) -> Placed {
    #[expect(clippy::cast_possible_truncation, reason = "a stamp has the low bits")]
    let partition = message.partition.cast_unsigned() as u16;
    Placed { stamp, partition, number: message.number }
}
