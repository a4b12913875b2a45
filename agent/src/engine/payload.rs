//! Record values, prepared so that little is left to do for each of them.
//!
//! Values of bytes come from a ring of bodies made in advance. For each record only its stamp is
//! written, and its incompressible words are XORed with a number that is new every time: one pass that
//! vectorises, after which no compressor finds what it has seen before.
//!
//! Larger values of one size are not made anew at all: the client is lent them ([`Lender`]), each in a slot of its own
//! for as long as it is under way. A slot's body is made when it is first taken, and each record's stamp is written into
//! it. Two records that are under way together never have the same body, so no batch has anything twice.

use super::{
    numbers::Numbers,
    random::{Random, random},
    sizes::Sizes,
    template::Renderer,
};
use crate::librdkafka::Lender;
use mallard_health::{HealthDataLoadGenerator, Payload, encode::Encoder, headers};
use mallard_protocol::{
    field,
    health::HealthSpec,
    ids::InstanceId,
    stamp::{STAMP_BYTES, value_sum},
    workload::{PayloadSpec, ProducerSpec, SizeSpec, StampPlace},
};
use rand::Rng;

/// Bytes that a ring of bodies may take. Hundreds of instances share an agent's memory.
const RING_BYTES: usize = 512 * 1024;

/// Bodies in a ring at most: the longest batch.
pub(crate) const RING_BODIES: usize = 512;

/// A body's words of eight bytes are dealt in stripes of this many: first the incompressible ones, then
/// text. So a body cut short keeps about its share.
const STRIPE_WORDS: usize = 32;

/// Smaller values are copied by the client: that takes less than keeping account of slots.
const LENT_FROM_BYTES: u32 = 512;

/// Bytes behind a value in its slot: the sum of its content.
const SUM_BYTES: usize = 8;

/// What the compressible part repeats.
const TEXT: &[u8] = b"all work and no play makes a fine and compressible payload; ";

/// Makes values in an arena.
pub(crate) struct Payloads {
    arena: Vec<u8>,
    source: Source,
}

enum Source {
    Ring { ring: Ring, sizes: Sizes, random: Random },
    Lent { lender: Lender, bodies: Bodies },
    Lines { lines: Vec<(u32, u32)> },
    Template(Box<Renderer>),
    Health(Box<Health>),
}

/// Health payloads: the generator, and the payload made last.
struct Health {
    generator: HealthDataLoadGenerator,
    payload: Payload,
    encoder: Encoder,
    /// Whether values of headers are put behind each value.
    headers: bool,
}

/// What bodies of one size are made of.
struct Bodies {
    bytes: u32,
    noisy: Vec<(usize, usize)>,
    random: Random,
    batch: usize,
}

struct Ring {
    body_bytes: usize,
    bodies: usize,
    next: usize,
    /// Words of a body that are incompressible, as ranges of bytes.
    noisy: Vec<(usize, usize)>,
}

/// A producer's values, if the client may be lent them: they are all of one size, large, and carry their stamps. With
/// headers each is handed over by a call that copies it.
pub(crate) fn lendable(spec: &ProducerSpec) -> Option<Lendable> {
    let PayloadSpec::Bytes { size: SizeSpec::Fixed(bytes), .. } = spec.payload else { return None };
    let is_plain = spec.stamp == StampPlace::Payload && spec.headers.is_empty();
    if !is_plain || bytes < LENT_FROM_BYTES {
        return None;
    }
    let slot_bytes = bytes.checked_next_multiple_of(8)?.checked_add(8)?;
    Some(Lendable { bytes, slot_bytes, batch: bodies_of(slot_bytes as usize) as u64 })
}

/// Values that a client may be lent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lendable {
    /// Bytes of each.
    pub(crate) bytes: u32,
    /// Bytes of a slot.
    pub(crate) slot_bytes: u32,
    /// Records of a batch at most.
    pub(crate) batch: u64,
}

/// Bodies of so many bytes in a batch at most.
fn bodies_of(body_bytes: usize) -> usize {
    (RING_BYTES / body_bytes).clamp(1, RING_BODIES)
}

impl Payloads {
    /// Values of a producer that is lent them, see [`lendable`].
    pub(crate) fn lent(bytes: u32, random_share: f64, seed: u64, lender: Lender) -> Self {
        let body_bytes = (bytes as usize).next_multiple_of(8);
        let noisy = noisy_ranges(body_bytes, random_share, STAMP_BYTES);
        let batch = bodies_of(body_bytes + SUM_BYTES);
        let bodies = Bodies { bytes, noisy, random: random(seed, 2), batch };
        Self { arena: Vec::new(), source: Source::Lent { lender, bodies } }
    }

    /// Values of a producer. With `stamped`, their first bytes are left to the stamp.
    pub(crate) fn new(
        spec: &PayloadSpec,
        (run, instance): (u32, InstanceId),
        seed: u64,
        stamped: bool,
    ) -> Result<Self, String> {
        match spec {
            PayloadSpec::Bytes { size, random_share } => {
                let sizes = Sizes::new(size, seed)?;
                if stamped && (sizes.smallest() as usize) < STAMP_BYTES {
                    return Err(format!("a stamp takes {STAMP_BYTES} bytes of a payload"));
                }
                let mut random = random(seed, 2);
                let skipped = if stamped { STAMP_BYTES } else { 0 };
                let (arena, ring) =
                    Ring::new(sizes.largest() as usize, *random_share, skipped, &mut random);
                Ok(Self { arena, source: Source::Ring { ring, sizes, random } })
            }
            PayloadSpec::Lines { .. } | PayloadSpec::Template { .. } | PayloadSpec::Health(_)
                if stamped =>
            {
                Err("only payloads of bytes have room for a stamp".to_owned())
            }
            PayloadSpec::Lines { lines } => Self::of_lines(lines),
            PayloadSpec::Template { source } => {
                let renderer = Box::new(Renderer::new(source, (run, instance), seed)?);
                Ok(Self { arena: Vec::new(), source: Source::Template(renderer) })
            }
            PayloadSpec::Health(spec) => {
                let health = Health::new(spec, run, instance, seed)?;
                Ok(Self { arena: Vec::new(), source: Source::Health(Box::new(health)) })
            }
        }
    }

    fn of_lines(lines: &[Vec<u8>]) -> Result<Self, String> {
        let mut arena = Vec::with_capacity(lines.iter().map(Vec::len).sum());
        let mut places = Vec::with_capacity(lines.len());
        for line in lines {
            places.push(place(arena.len(), line.len())?);
            arena.extend_from_slice(line);
        }
        if places.is_empty() {
            return Err("there is no line to send".to_owned());
        }
        Ok(Self { arena, source: Source::Lines { lines: places } })
    }

    /// Records in a batch at most: values of one batch must not share memory.
    pub(crate) fn batch_limit(&self) -> usize {
        match &self.source {
            Source::Ring { ring, .. } => ring.bodies,
            Source::Lent { bodies, .. } => bodies.batch,
            Source::Lines { .. } | Source::Template(_) | Source::Health(_) => RING_BODIES,
        }
    }

    /// Starts a batch: values of the one before are not needed any more.
    pub(crate) fn start_batch(&mut self) {
        if let Source::Template(_) | Source::Health(_) = self.source {
            self.arena.clear();
        }
    }

    /// Makes the value of a record and says where in the arena it is: first byte and length.
    #[inline(always)]
    pub(crate) fn prepare(&mut self, numbers: Numbers) -> Result<(u32, u32), String> {
        match &mut self.source {
            Source::Ring { ring, sizes, random } => {
                Ok(ring.prepare(&mut self.arena, sizes.draw(), random))
            }
            Source::Lent { .. }
            | Source::Lines { .. }
            | Source::Template(_)
            | Source::Health(_) => self.prepare_other(numbers),
        }
    }

    /// As [`Payloads::prepare`], where more is to do than a call takes.
    #[inline(never)]
    fn prepare_other(&mut self, numbers: Numbers) -> Result<(u32, u32), String> {
        match &mut self.source {
            Source::Ring { ring, sizes, random } => {
                Ok(ring.prepare(&mut self.arena, sizes.draw(), random))
            }
            Source::Lent { lender, bodies } => {
                let (at, is_new) = lender.take().ok_or("the client holds more than it may")?;
                if is_new {
                    bodies.make(lender.slot_mut(at));
                }
                Ok((at, bodies.bytes))
            }
            Source::Lines { lines } =>
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a remainder is below the length"
                )]
                Ok(lines[(numbers.number % lines.len() as u64) as usize])
            }
            Source::Template(renderer) => {
                let at = self.arena.len();
                renderer.render(numbers, &mut self.arena)?;
                place(at, self.arena.len() - at)
            }
            Source::Health(health) => {
                let at = self.arena.len();
                let Numbers { sequence, number } = numbers;
                health.generator.generate_in_turn(sequence, number, &mut health.payload);
                health.encoder.encode(&health.payload, &mut self.arena);
                let value = place(at, self.arena.len() - at);
                if health.headers {
                    headers::write(&health.payload, &mut self.arena);
                }
                value
            }
        }
    }

    /// Appends what the value prepared last has in a field.
    pub(crate) fn push_field(
        &self,
        name: &str,
        (value_at, value_len): (u32, u32),
        arena: &mut Vec<u8>,
    ) -> Result<(), String> {
        match (&self.source, name) {
            // Known without a look at the bytes, and even where a defect has taken them away: a record
            // has the key of its user all the same.
            (Source::Health(health), "userId") => health.payload.write_user_id(arena),
            (Source::Health(health), "deviceId") => health.payload.write_device_id(arena),
            _ => {
                let value = &self.arena[value_at as usize..][..value_len as usize];
                field::push(value, name, arena)?;
            }
        }
        Ok(())
    }

    /// All values, as [`Payloads::prepare`] placed them.
    #[inline]
    pub(crate) fn arena(&self) -> &[u8] {
        match &self.source {
            Source::Lent { lender, .. } => lender.all(),
            _ => &self.arena,
        }
    }

    /// The place of a stamp at the start of a value.
    #[inline]
    pub(crate) fn stamp_place(&mut self, value_at: u32) -> &mut [u8] {
        match &mut self.source {
            Source::Lent { lender, .. } => &mut lender.slot_mut(value_at)[..STAMP_BYTES],
            _ => &mut self.arena[value_at as usize..][..STAMP_BYTES],
        }
    }

    /// The sum of a value's content, without its stamp.
    #[inline(always)]
    pub(crate) fn value_sum(&self, value_at: u32, value_len: u32) -> u64 {
        let value = &self.arena()[value_at as usize..];
        match &self.source {
            Source::Lent { bodies, .. } => bodies.sum_in(value),
            _ => value_sum(&value[STAMP_BYTES..value_len as usize]),
        }
    }

    /// A value is not needed: its record was not handed over.
    pub(crate) fn keep(&mut self, value_at: u32) {
        if let Source::Lent { lender, .. } = &mut self.source {
            lender.keep(value_at);
        }
    }
}

impl Health {
    fn new(spec: &HealthSpec, run: u32, instance: InstanceId, seed: u64) -> Result<Self, String> {
        let config = spec.config(run, instance.0.into(), seed).map_err(|e| e.to_string())?;
        let generator = HealthDataLoadGenerator::with_config(config).map_err(|e| e.to_string())?;
        let encoding = spec.format.encoding().ok_or("its schema has no id yet")?;
        let encoder = Encoder::new(encoding);
        Ok(Self { generator, payload: Payload::default(), encoder, headers: spec.headers })
    }
}

impl Bodies {
    /// Makes the body of a slot, with the sum of its content behind it.
    #[cold]
    fn make(&mut self, slot: &mut [u8]) {
        let (body, sum) = slot.split_at_mut(slot.len() - SUM_BYTES);
        fill(body, &self.noisy, &mut self.random);
        sum.copy_from_slice(&value_sum(&body[STAMP_BYTES..self.bytes as usize]).to_ne_bytes());
    }

    /// The sum of the content of a slot's value.
    #[inline]
    fn sum_in(&self, slot: &[u8]) -> u64 {
        let body_bytes = (self.bytes as usize).next_multiple_of(8);
        slot[body_bytes..].first_chunk().map_or(0, |sum| u64::from_ne_bytes(*sum))
    }
}

/// Fills a body: text, and what is incompressible in its places.
fn fill(body: &mut [u8], noisy: &[(usize, usize)], random: &mut Random) {
    for part in body.chunks_mut(TEXT.len()) {
        part.copy_from_slice(&TEXT[..part.len()]);
    }
    for (from, to) in noisy {
        random.fill_bytes(&mut body[*from..*to]);
    }
}

impl Ring {
    fn new(largest: usize, share: f64, skipped: usize, random: &mut Random) -> (Vec<u8>, Self) {
        // Whole words, so that the passes over them need no remainder.
        let body_bytes = largest.max(1).next_multiple_of(8);
        let bodies = bodies_of(body_bytes);
        let noisy = noisy_ranges(body_bytes, share, skipped);
        let mut arena = vec![0; body_bytes * bodies];
        for body in arena.chunks_exact_mut(body_bytes) {
            fill(body, &noisy, random);
        }
        (arena, Self { body_bytes, bodies, next: 0, noisy })
    }

    /// Takes the next body and makes it new.
    #[inline(always)]
    fn prepare(&mut self, arena: &mut [u8], size: u32, random: &mut Random) -> (u32, u32) {
        let at = self.next * self.body_bytes;
        self.next = if self.next + 1 == self.bodies { 0 } else { self.next + 1 };
        if !self.noisy.is_empty() {
            self.refresh(&mut arena[at..][..size as usize], random.next_u64());
        }
        #[expect(clippy::cast_possible_truncation, reason = "rings are small")]
        (at as u32, size)
    }

    /// XORs the incompressible words with a number. A body cut short may end within a word.
    #[inline(always)]
    fn refresh(&self, body: &mut [u8], key: u64) {
        for (from, to) in &self.noisy {
            let to = (*to).min(body.len());
            let Some(range) = body.get_mut(*from..to) else { return };
            let (words, rest) = range.as_chunks_mut::<8>();
            for word in words {
                *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
            }
            rest.iter_mut().zip(key.to_ne_bytes()).for_each(|(byte, k)| *byte ^= k);
        }
    }
}

/// Which bytes of a body are incompressible, so that `share` of all words after the first `skipped`
/// bytes are.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of words in a body"
)]
fn noisy_ranges(body_bytes: usize, share: f64, skipped: usize) -> Vec<(usize, usize)> {
    let share = share.clamp(0.0, 1.0);
    let (first, end) = (skipped.div_ceil(8), body_bytes / 8);
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut noisy = 0;
    for start in (first..end).step_by(STRIPE_WORDS) {
        let stop = (start + STRIPE_WORDS).min(end);
        // What is owed by now, so that rounding does not add up over the stripes.
        let owed = ((stop - first) as f64 * share).round() as usize;
        let words = (owed - noisy).min(stop - start);
        noisy += words;
        match ranges.last_mut() {
            Some(last) if last.1 == start * 8 && words > 0 => last.1 = (start + words) * 8,
            _ if words > 0 => ranges.push((start * 8, (start + words) * 8)),
            _ => {}
        }
    }
    ranges
}

pub(crate) fn place(at: usize, len: usize) -> Result<(u32, u32), String> {
    let too_large = |_| "values of a batch take more than 4 GiB".to_owned();
    Ok((u32::try_from(at).map_err(too_large)?, u32::try_from(len).map_err(too_large)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::workload::SizeSpec;
    use proptest::prelude::*;

    fn bytes(size: u32, random_share: f64) -> Payloads {
        let spec = PayloadSpec::Bytes { size: SizeSpec::Fixed(size), random_share };
        Payloads::new(&spec, (7, InstanceId(0)), 1, true).unwrap()
    }

    /// The numbers of a record of the only instance.
    fn numbers(sequence: u64) -> Numbers {
        Numbers { sequence, number: sequence }
    }

    #[test]
    fn a_payload_too_small_for_its_stamp_is_refused() {
        let spec = PayloadSpec::Bytes { size: SizeSpec::Fixed(31), random_share: 0.0 };
        assert!(Payloads::new(&spec, (7, InstanceId(0)), 1, true).is_err());
        assert!(Payloads::new(&spec, (7, InstanceId(0)), 1, false).is_ok());
    }

    #[test]
    fn values_of_one_batch_do_not_overlap() {
        let mut payloads = bytes(100, 0.5);
        let mut places: Vec<_> = (0..payloads.batch_limit() as u64)
            .map(|i| payloads.prepare(numbers(i)).unwrap())
            .collect();
        places.sort_unstable();
        assert!(places.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
    }

    /// Values of a client that holds so many.
    fn lent(size: u32, random_share: f64, held: u64) -> Payloads {
        let slot_bytes = size.next_multiple_of(8) + SUM_BYTES as u32;
        Payloads::lent(size, random_share, 1, Lender::new(slot_bytes, held).unwrap())
    }

    #[test]
    fn values_under_way_differ_in_all_that_is_incompressible_and_carry_their_sums() {
        let held = 300;
        let mut payloads = lent(1_021, 0.5, held);
        let places: Vec<_> = (0..held).map(|i| payloads.prepare(numbers(i)).unwrap()).collect();
        assert!(payloads.prepare(numbers(held)).is_err(), "all are under way");
        let mut words: std::collections::BTreeSet<[u8; 8]> = std::collections::BTreeSet::new();
        let mut all = 0;
        for (at, len) in &places {
            assert_eq!((*len, payloads.stamp_place(*at).len()), (1_021, STAMP_BYTES));
            let value = &payloads.arena()[*at as usize..][..1_021];
            let (body, _) = value[STAMP_BYTES..].as_chunks::<8>();
            all += body.len();
            words.extend(body);
            assert_eq!(payloads.value_sum(*at, *len), value_sum(&value[STAMP_BYTES..]));
        }
        // Half of all words are like no other, and the rest are of the text.
        let (noisy, text) = (words.len().abs_diff(all / 2), TEXT.len());
        assert!(noisy <= places.len() + text, "{} of {all} words", words.len());
        payloads.keep(places[7].0);
        assert_eq!(payloads.prepare(numbers(held)).unwrap(), places[7]);
    }

    #[test]
    fn only_large_plain_values_of_one_size_with_stamps_are_lent() {
        let spec =
            crate::engine::sender_tests::spec(mallard_protocol::schedule::Pace::Max, 1_000_000);
        let of = |size| PayloadSpec::Bytes { size, random_share: 0.5 };
        let large = ProducerSpec { payload: of(SizeSpec::Fixed(1_024)), ..spec.clone() };
        let values = lendable(&large).unwrap();
        assert_eq!((values.bytes, values.slot_bytes, values.batch), (1_024, 1_032, 508));
        let any = SizeSpec::Uniform { min: 600, max: 900 };
        let headers = vec![("a".to_owned(), "b".to_owned())];
        for other in [
            ProducerSpec { payload: of(SizeSpec::Fixed(100)), ..spec.clone() },
            ProducerSpec { payload: of(any), ..spec },
            ProducerSpec { headers, ..large.clone() },
            ProducerSpec { stamp: StampPlace::Header, ..large },
        ] {
            assert!(lendable(&other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn incompressible_bytes_are_new_every_time_and_text_is_not() {
        let mut payloads = bytes(288, 0.5);
        let limit = payloads.batch_limit() as u64;
        let (at, len) = payloads.prepare(numbers(0)).unwrap();
        let first = payloads.arena()[at as usize..][..len as usize].to_vec();
        for sequence in 1..limit {
            payloads.prepare(numbers(sequence)).unwrap();
        }
        let (again, _) = payloads.prepare(numbers(limit)).unwrap();
        assert_eq!(at, again);
        let second = &payloads.arena()[at as usize..][..len as usize];
        let same = first.iter().zip(second).skip(STAMP_BYTES).filter(|(a, b)| a == b).count();
        // 256 bytes after the stamp, half of them text.
        assert!((128..140).contains(&same), "{same}");
    }

    #[test]
    fn health_payloads_carry_run_and_instance_and_their_user_as_key() {
        let spec = HealthSpec {
            users: 10,
            devices: 5,
            samples: 2,
            types: vec!["heartRate".into()],
            invalid: vec![("no-user-id".into(), 1_000_000)],
            format: mallard_protocol::health::HealthFormat::Json,
            headers: false,
            seed: None,
            start_ms: None,
            step_us: 1_000_000,
        };
        let spec = PayloadSpec::Health(spec);
        let mut payloads = Payloads::new(&spec, (0xbeef, InstanceId(3)), 1, false).unwrap();
        let places: Vec<_> =
            (0..2).map(|sequence| payloads.prepare(numbers(sequence)).unwrap()).collect();
        let text = |(at, len): (u32, u32)| {
            std::str::from_utf8(&payloads.arena()[at as usize..][..len as usize]).unwrap()
        };
        assert!(text(places[0]).contains("\"id\":\"0000beef-0003-000000000000-0001\""));
        assert!(text(places[1]).contains("\"id\":\"0000beef-0003-000000000001-0000\""));
        assert!(!text(places[1]).contains("userId"));
        let mut key = Vec::new();
        payloads.push_field("userId", places[1], &mut key).unwrap();
        assert!(key.starts_with(b"user-00000"), "{key:?}");
        payloads.push_field("appVersion", places[1], &mut key).unwrap();
        assert!(key.ends_with(b"1.0.0"), "{key:?}");
    }

    #[test]
    fn lines_come_in_turn() {
        let spec = PayloadSpec::Lines { lines: vec![b"one".to_vec(), b"three".to_vec()] };
        let mut payloads = Payloads::new(&spec, (7, InstanceId(0)), 1, false).unwrap();
        // The second record of an instance, and the fourth of all.
        let (at, len) = payloads.prepare(Numbers { sequence: 1, number: 3 }).unwrap();
        assert_eq!(&payloads.arena()[at as usize..][..len as usize], b"three");
    }

    proptest! {
        #[test]
        fn the_incompressible_share_is_kept(
            words in 0_usize..400, share in 0.0..=1.0_f64, skipped in 0_usize..40,
        ) {
            let ranges = noisy_ranges(words * 8, share, skipped);
            let noisy: usize = ranges.iter().map(|(from, to)| to - from).sum();
            let room = (words * 8).saturating_sub(skipped.next_multiple_of(8));
            prop_assert!((noisy as f64 - room as f64 * share).abs() <= 8.0);
            prop_assert!(ranges.iter().all(|(from, to)| from < to && *to <= words * 8 && *from >= skipped));
        }
    }
}
