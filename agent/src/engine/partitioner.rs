//! Which partition each record of an instance goes to, where the client does not choose it itself.

use mallard_protocol::workload::{Partitioning, ProducerSpec};

/// Chooses the partition of each record of an instance.
#[derive(Debug)]
pub(crate) enum Partitioner {
    /// The client's partitioner chooses.
    Client,
    /// These partitions in turn; the next record goes to the one at `next`.
    InTurn { partitions: Vec<i32>, next: usize },
    /// One partition for a while, then the next one.
    Sticky(Sticky),
}

/// What Kafka's clients do with records without keys: one partition for a while, so that batches are
/// full. They take the next one by chance; here it is the next in turn, so that each gets its part.
#[derive(Debug)]
pub(crate) struct Sticky {
    partitions: i32,
    partition: i32,
    for_us: u64,
    /// When the first record of this partition's turn was due.
    since_us: Option<u64>,
}

impl Partitioner {
    /// The partitioner of an instance, of a topic with so many partitions. A sticky partition is kept for
    /// `sticky_us`.
    ///
    /// # Errors
    /// A partition that is asked for and does not exist.
    pub(crate) fn new(
        spec: &ProducerSpec,
        partitions: i32,
        sticky_us: u64,
    ) -> Result<Self, String> {
        let list: Vec<i32> = match &spec.partitioning {
            Partitioning::Client => return Ok(Self::Client),
            Partitioning::RoundRobin | Partitioning::Sticky => (0..partitions).collect(),
            Partitioning::Fixed(list) => list.clone(),
        };
        if let Some(beyond) = list.iter().find(|p| !(0..partitions).contains(*p)) {
            return Err(format!("there is no partition {beyond}, the topic has {partitions}"));
        }
        // Instances start at different partitions, or they would all crowd the first one.
        let next = spec.offset as usize % list.len().max(1);
        Ok(match (&spec.partitioning, list.get(next)) {
            (_, None) => Self::Client,
            (Partitioning::Sticky, Some(partition)) => Self::Sticky(Sticky {
                partitions,
                partition: *partition,
                for_us: sticky_us,
                since_us: None,
            }),
            (_, Some(_)) => Self::InTurn { partitions: list, next },
        })
    }

    /// In how many lanes a batch of so many records is laid out. Of *n* lanes, lane *k* has its records
    /// *k*, *k + n*, …; if there is more than one, the records of a lane go to one partition.
    pub(crate) fn lanes(&self, records: usize) -> usize {
        match self {
            Self::InTurn { partitions, .. } => partitions.len().clamp(1, records.max(1)),
            Self::Client | Self::Sticky(_) => 1,
        }
    }

    /// The partition of a lane's next record; -1 if the client chooses.
    #[inline]
    pub(crate) fn partition(&mut self, lane: usize, due_us: u64) -> i32 {
        match self {
            Self::Client => -1,
            // There are at most as many lanes as partitions, and a division for every record would show.
            Self::InTurn { partitions, next } => match (*next + lane).checked_sub(partitions.len())
            {
                Some(from_the_first) => partitions[from_the_first],
                None => partitions[*next + lane],
            },
            Self::Sticky(sticky) => sticky.partition(due_us),
        }
    }

    /// A batch of so many records has its partitions.
    pub(crate) fn advance(&mut self, records: usize) {
        if let Self::InTurn { partitions, next } = self {
            *next = (*next + records) % partitions.len();
        }
    }
}

/// The partition that Java's clients give a key: murmur2, without its sign, modulo the partitions
/// (org.apache.kafka.common.utils.Utils).
pub(crate) fn by_key(key: &[u8], partitions: usize) -> i32 {
    let hash = murmur2(key) & 0x7fff_ffff;
    i32::try_from(hash as usize % partitions.max(1)).unwrap_or(0)
}

/// MurmurHash2 by Austin Appleby, in 32 bits, with the seed of Kafka.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mix = |word: u32| {
        let word = word.wrapping_mul(M);
        (word ^ word >> 24).wrapping_mul(M)
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the algorithm takes the length's low bits"
    )]
    let seeded = 0x9747_b28c ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = words
        .iter()
        .fold(seeded, |hash, word| hash.wrapping_mul(M) ^ mix(u32::from_le_bytes(*word)));
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    hash ^ hash >> 15
}

impl Sticky {
    #[inline]
    fn partition(&mut self, due_us: u64) -> i32 {
        // Due times, not the clock: what is sent late, all at once, is spread as it would have been.
        let turn_is_over = |since_us| due_us.saturating_sub(since_us) >= self.for_us;
        if self.since_us.is_some_and(turn_is_over) {
            self.partition = (self.partition + 1) % self.partitions;
            self.since_us = None;
        }
        self.since_us.get_or_insert(due_us);
        self.partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sender_tests::{rate, spec};

    fn dealt(partitioning: Partitioning, offset: u32, due_us: &[u64]) -> Vec<i32> {
        let spec = ProducerSpec { partitioning, offset, ..spec(rate(1.0), 1) };
        let mut partitioner = Partitioner::new(&spec, 3, 10_000).unwrap();
        due_us.iter().map(|due_us| partitioner.partition(0, *due_us)).collect()
    }

    #[test]
    fn keys_are_hashed_as_java_does() {
        // From Kafka's own test of its hash (UtilsTest.testMurmur2).
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        assert_eq!(by_key(b"foobar", 3), ((-790_332_482_i32) & i32::MAX) % 3);
    }

    #[test]
    fn a_sticky_partition_is_kept_for_its_time_and_followed_by_the_next() {
        let due_us = [0, 4_000, 9_999, 10_000, 19_000, 20_000, 30_000, 31_000];
        assert_eq!(dealt(Partitioning::Sticky, 0, &due_us), [0, 0, 0, 1, 1, 2, 0, 0]);
        assert_eq!(dealt(Partitioning::Sticky, 5, &due_us)[..4], [2, 2, 2, 0]);
    }

    #[test]
    fn rare_records_come_to_every_partition_however_their_distance_divides_the_turn() {
        for distance_us in [10_000, 15_000, 20_000, 30_000, 100_000, 1_000_000] {
            let due_us: Vec<u64> = (0..6).map(|record| record * distance_us).collect();
            let dealt = dealt(Partitioning::Sticky, 0, &due_us);
            assert_eq!(dealt, [0, 1, 2, 0, 1, 2], "{distance_us} µs");
        }
    }

    #[test]
    fn without_a_time_to_stick_every_record_goes_to_the_next_partition() {
        let spec = ProducerSpec { partitioning: Partitioning::Sticky, ..spec(rate(1.0), 1) };
        let mut partitioner = Partitioner::new(&spec, 3, 0).unwrap();
        assert_eq!([0, 0, 0, 7].map(|due_us| partitioner.partition(0, due_us)), [0, 1, 2, 0]);
    }

    #[test]
    fn a_partition_that_does_not_exist_is_named() {
        let partitioning = Partitioning::Fixed(vec![1, 3]);
        let spec = ProducerSpec { partitioning, ..spec(rate(1.0), 1) };
        let refused = Partitioner::new(&spec, 3, 0).unwrap_err();
        assert_eq!(refused, "there is no partition 3, the topic has 3");
    }
}
