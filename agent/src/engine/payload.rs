//! Record values, prepared so that little is left to do for each of them.
//!
//! Values of bytes come from a ring of bodies made in advance. For each record only its stamp is
//! written, and its incompressible words are XORed with a number that is new every time: one pass that
//! vectorises, after which no compressor finds what it has seen before.

use super::{
    numbers::Numbers,
    random::{Random, random},
    sizes::Sizes,
    template::Renderer,
};
use mallard_health::{HealthDataLoadGenerator, Payload, encode::Encoder, headers};
use mallard_protocol::{
    field, health::HealthSpec, ids::InstanceId, stamp::STAMP_BYTES, workload::PayloadSpec,
};
use rand::Rng;

/// Bytes that a ring of bodies may take. Hundreds of instances share an agent's memory.
const RING_BYTES: usize = 512 * 1024;

/// Bodies in a ring at most: the longest batch.
pub(crate) const RING_BODIES: usize = 512;

/// A body's words of eight bytes are dealt in stripes of this many: first the incompressible ones, then
/// text. So a body cut short keeps about its share.
const STRIPE_WORDS: usize = 32;

/// What the compressible part repeats.
const TEXT: &[u8] = b"all work and no play makes a fine and compressible payload; ";

/// Makes values in an arena.
pub(crate) struct Payloads {
    arena: Vec<u8>,
    source: Source,
}

enum Source {
    Ring { ring: Ring, sizes: Sizes, random: Random },
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

struct Ring {
    body_bytes: usize,
    bodies: usize,
    next: usize,
    /// Words of a body that are incompressible, as ranges of bytes.
    noisy: Vec<(usize, usize)>,
}

impl Payloads {
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
    #[inline]
    pub(crate) fn prepare(&mut self, numbers: Numbers) -> Result<(u32, u32), String> {
        match &mut self.source {
            Source::Ring { ring, sizes, random } => {
                let at = ring.next * ring.body_bytes;
                ring.next = if ring.next + 1 == ring.bodies { 0 } else { ring.next + 1 };
                let size = sizes.draw();
                if !ring.noisy.is_empty() {
                    ring.refresh(&mut self.arena[at..][..size as usize], random.next_u64());
                }
                #[expect(clippy::cast_possible_truncation, reason = "rings are small")]
                Ok((at as u32, size))
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
    pub(crate) fn arena(&self) -> &[u8] {
        &self.arena
    }

    /// The place of a stamp at the start of a value.
    #[inline]
    pub(crate) fn stamp_place(&mut self, value_at: u32) -> &mut [u8] {
        &mut self.arena[value_at as usize..][..STAMP_BYTES]
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

impl Ring {
    fn new(largest: usize, share: f64, skipped: usize, random: &mut Random) -> (Vec<u8>, Self) {
        // Whole words, so that the passes over them need no remainder.
        let body_bytes = largest.max(1).next_multiple_of(8);
        let bodies = (RING_BYTES / body_bytes).clamp(1, RING_BODIES);
        let noisy = noisy_ranges(body_bytes, share, skipped);
        let mut arena = vec![0; body_bytes * bodies];
        for body in arena.chunks_exact_mut(body_bytes) {
            body.iter_mut().zip(TEXT.iter().cycle()).for_each(|(byte, text)| *byte = *text);
            for (from, to) in &noisy {
                random.fill_bytes(&mut body[*from..*to]);
            }
        }
        (arena, Self { body_bytes, bodies, next: 0, noisy })
    }

    /// XORs the incompressible words with a number. A body cut short may end within a word.
    #[inline]
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
