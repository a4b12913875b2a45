//! Makes payloads up: users with habits, devices they keep, samples that belong together.

use crate::{
    DataType, Defect, InvalidShares, Payload, Sample, payload::SAMPLES_LIMIT, person::Person,
    random::Random,
};
use jiff::Timestamp;
use std::time::Duration;

/// Marks streams of payloads apart from those of users.
const STREAM: u64 = 0x7061_796c;

/// When the first payload was sent unless a configuration says otherwise: 2025-11-15T10:00:00Z. It is
/// fixed, or no two runs would send the same bytes.
pub const DEFAULT_START_MS: i64 = 1_763_200_800_000;

/// From one payload's time to the next one's, unless a configuration says otherwise: 1 s.
const DEFAULT_STEP_US: u64 = 1_000_000;

/// From one sample's start to the next one's: 5 min.
const SAMPLE_STEP_MS: i64 = 300_000;

/// From a sample's start to its end: 1 min.
const SAMPLE_MS: i64 = 60_000;

/// Last moment that a configuration may start at: the end of the year 9000. Times stay writable.
const LAST_START_MS: i64 = 221_876_928_000_000;

/// What payloads are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Number of users. Each sends equally often, in no order.
    pub users: u32,
    /// Number of devices. A user keeps one, or two.
    pub devices: u32,
    /// Samples in a payload.
    pub samples: u32,
    /// Types of samples, each drawn equally often.
    pub types: Vec<DataType>,
    /// Which payloads are invalid.
    pub invalid: InvalidShares,
    /// The time of the first payload, in milliseconds since 1970.
    pub start_ms: i64,
    /// From one payload's time to the next one's, in microseconds.
    pub step_us: u64,
    /// Whatever is random follows from it.
    pub seed: u64,
    /// Stands in sample ids: another run's samples are never taken for this one's.
    pub run: u32,
    /// Stands in sample ids: the producer among those of the run. Other producers make other payloads.
    pub producer: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            users: 100,
            devices: 50,
            samples: 5,
            types: DataType::EVERYDAY.to_vec(),
            invalid: InvalidShares::default(),
            start_ms: DEFAULT_START_MS,
            step_us: DEFAULT_STEP_US,
            seed: 1,
            run: 0,
            producer: 0,
        }
    }
}

/// A configuration that cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is nobody to send.
    #[error("payloads need at least one user")]
    NoUsers,
    /// There is nothing to send with.
    #[error("payloads need at least one device")]
    NoDevices,
    /// There is nothing to measure.
    #[error("samples need at least one type")]
    NoTypes,
    /// The payload would not fit anywhere.
    #[error("a payload has at most {SAMPLES_LIMIT} samples, not {0}")]
    TooManySamples(u32),
    /// A defect of a sample is asked for, and there are no samples.
    #[error("payloads without samples cannot have invalid ones")]
    NoSampleToSpoil,
    /// The start is before 1970 or far in the future.
    #[error("payloads start between the years 1970 and 9000")]
    Start,
}

impl Config {
    /// Checks that payloads can be made.
    ///
    /// # Errors
    /// The first thing that stands in the way.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.users == 0 {
            return Err(ConfigError::NoUsers);
        }
        if self.devices == 0 {
            return Err(ConfigError::NoDevices);
        }
        if self.types.is_empty() && self.samples > 0 {
            return Err(ConfigError::NoTypes);
        }
        if self.samples > SAMPLES_LIMIT {
            return Err(ConfigError::TooManySamples(self.samples));
        }
        if self.samples == 0 && self.invalid.needs_samples() {
            return Err(ConfigError::NoSampleToSpoil);
        }
        if !(0..=LAST_START_MS).contains(&self.start_ms) {
            return Err(ConfigError::Start);
        }
        Ok(())
    }
}

/// Generates synthetic health data for performance tests.
///
/// ```
/// use mallard_health::HealthDataLoadGenerator;
///
/// let mut generator = HealthDataLoadGenerator::new(100, 50);
/// let payload = generator.generate_payload(5, None);
/// assert_eq!(payload.samples.len(), 5);
///
/// // The same seed gives the same payloads, everywhere.
/// let again = HealthDataLoadGenerator::new(100, 50).generate_payload(5, None);
/// assert_eq!(payload, again);
/// ```
#[derive(Clone, Debug)]
pub struct HealthDataLoadGenerator {
    config: Config,
    next: u64,
}

impl HealthDataLoadGenerator {
    /// A generator for so many users and devices (at least one of each), and otherwise
    /// [`Config::default`].
    #[must_use]
    pub fn new(num_users: u32, num_devices: u32) -> Self {
        let config =
            Config { users: num_users.max(1), devices: num_devices.max(1), ..Config::default() };
        Self { config, next: 0 }
    }

    /// A generator with everything as configured.
    ///
    /// # Errors
    /// The configuration cannot be met.
    pub fn with_config(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { config, next: 0 })
    }

    /// What payloads are made of.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The next payload, with so many samples (at most 10,000), sent at a moment or, without one, when
    /// it is its turn by the configuration.
    ///
    /// ```
    /// use mallard_health::HealthDataLoadGenerator;
    ///
    /// let mut generator = HealthDataLoadGenerator::new(1_000, 500);
    /// let timestamp = "2025-11-15T10:00:00Z".parse()?;
    /// let payload = generator.generate_payload(10, Some(timestamp));
    /// assert_eq!(payload.timestamp_ms, timestamp.as_millisecond());
    /// assert_eq!(payload.samples[0].start_ms, payload.timestamp_ms);
    /// # Ok::<(), jiff::Error>(())
    /// ```
    pub fn generate_payload(&mut self, num_samples: u32, timestamp: Option<Timestamp>) -> Payload {
        let mut payload = Payload::default();
        let samples = num_samples.min(SAMPLES_LIMIT);
        self.make(
            (self.next, self.next),
            samples,
            timestamp.map(Timestamp::as_millisecond),
            &mut payload,
        );
        self.next += 1;
        payload
    }

    /// The next payloads.
    ///
    /// ```
    /// use mallard_health::HealthDataLoadGenerator;
    ///
    /// let mut generator = HealthDataLoadGenerator::new(100, 50);
    /// let batch = generator.generate_batch(1_000, 5);
    /// assert_eq!(batch.len(), 1_000);
    /// assert_eq!(batch[999].sequence, 999);
    /// ```
    pub fn generate_batch(&mut self, batch_size: usize, samples_per_payload: u32) -> Vec<Payload> {
        (0..batch_size).map(|_| self.generate_payload(samples_per_payload, None)).collect()
    }

    /// Payloads at a constant rate, each with the moment at which it is due from the stream's start.
    /// Their own times follow the rate, too. The stream does not wait: whoever sends does.
    ///
    /// ```
    /// use mallard_health::HealthDataLoadGenerator;
    /// use std::time::Duration;
    ///
    /// let mut generator = HealthDataLoadGenerator::new(100, 50);
    /// let stream: Vec<_> =
    ///     generator.generate_continuous_stream(Duration::from_secs(60), 100, 5).collect();
    /// assert_eq!(stream.len(), 6_000);
    /// assert_eq!(stream[250].after, Duration::from_millis(2_500));
    /// ```
    pub fn generate_continuous_stream(
        &mut self,
        duration: Duration,
        rate_per_second: u32,
        samples_per_payload: u32,
    ) -> impl Iterator<Item = Due> {
        let rate = u64::from(rate_per_second);
        let count = duration.as_nanos() * u128::from(rate) / 1_000_000_000;
        let first_ms = self.turn_ms(self.next);
        (0..u64::try_from(count).unwrap_or(u64::MAX)).map(move |index| {
            let after_us = index.saturating_mul(1_000_000) / rate.max(1);
            let after = Duration::from_micros(after_us);
            let at_ms = first_ms.saturating_add_unsigned(after_us / 1_000);
            let timestamp = Timestamp::from_millisecond(at_ms).ok();
            Due { after, payload: self.generate_payload(samples_per_payload, timestamp) }
        })
    }

    /// Makes the payload of a sequence number, as configured, in the place of another. It depends on
    /// nothing that was made before, and leaves [`HealthDataLoadGenerator::generate_payload`]'s own
    /// count alone.
    pub fn generate_into(&self, sequence: u64, payload: &mut Payload) {
        self.generate_in_turn(sequence, sequence, payload);
    }

    /// The same where several producers share one order of payloads: `turn` is the payload's place in it,
    /// from 0. Its time follows from that, and whether it is invalid.
    ///
    /// ```
    /// use mallard_health::{Config, HealthDataLoadGenerator, Payload};
    ///
    /// // The third payload of the second of four producers.
    /// let generator = HealthDataLoadGenerator::with_config(Config { producer: 1, ..Config::default() })?;
    /// let mut payload = Payload::default();
    /// generator.generate_in_turn(2, 9, &mut payload);
    /// assert_eq!(payload.sequence, 2);
    /// assert_eq!(payload.timestamp_ms - generator.config().start_ms, 9_000);
    /// # Ok::<(), mallard_health::ConfigError>(())
    /// ```
    pub fn generate_in_turn(&self, sequence: u64, turn: u64, payload: &mut Payload) {
        self.make((sequence, turn), self.config.samples, None, payload);
    }

    fn turn_ms(&self, turn: u64) -> i64 {
        let after_us = u128::from(turn) * u128::from(self.config.step_us);
        let after_ms = u64::try_from(after_us / 1_000).unwrap_or(u64::MAX);
        self.config.start_ms.saturating_add_unsigned(after_ms)
    }

    fn make(
        &self,
        (sequence, turn): (u64, u64),
        samples: u32,
        at_ms: Option<i64>,
        payload: &mut Payload,
    ) {
        let Config { users, devices, seed, producer, run, .. } = self.config;
        let mut random = Random::of(&[STREAM, seed, u64::from(producer), sequence]);
        let user = u32::try_from(random.below(users.into())).unwrap_or(0);
        let person = Person::of(seed, user, users, devices);
        payload.run = run;
        payload.producer = producer;
        payload.sequence = sequence;
        payload.user = user;
        payload.device = person.device(&mut random);
        payload.timestamp_ms = at_ms.unwrap_or_else(|| self.turn_ms(turn));
        let defect = self.config.invalid.of(turn);
        payload.defect = defect.filter(|defect| samples > 0 || !defect.is_of_sample());
        payload.defect_at = usize::try_from(random.below(samples.into())).unwrap_or(0);
        payload.samples.clear();
        let mut making = Making { random, person, types: &self.config.types };
        making.samples(samples as usize, payload.timestamp_ms, &mut payload.samples);
        if payload.defect == Some(Defect::OutOfRange) {
            making.spoil(&mut payload.samples[payload.defect_at]);
        }
    }
}

/// A payload and when it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// From the stream's start.
    pub after: Duration,
    /// The payload.
    pub payload: Payload,
}

/// Payloads for tests.
///
/// ```
/// let data = mallard_health::generate_test_data(10_000, 5, 100);
/// assert_eq!(data.len(), 10_000);
/// assert!(data.iter().all(|payload| payload.samples.len() == 5 && payload.user < 100));
/// ```
#[must_use]
pub fn generate_test_data(
    num_payloads: usize,
    samples_per_payload: u32,
    num_users: u32,
) -> Vec<Payload> {
    // Half as many devices as users, as the generator of the field does it.
    HealthDataLoadGenerator::new(num_users, num_users.div_ceil(2))
        .generate_batch(num_payloads, samples_per_payload)
}

/// One payload's samples in the making.
struct Making<'a> {
    random: Random,
    person: Person,
    types: &'a [DataType],
}

impl Making<'_> {
    /// Draws samples until there are enough. What is measured together stands together, at the same
    /// time: the two pressures of the blood, steps and the way they went.
    fn samples(&mut self, count: usize, from_ms: i64, into: &mut Vec<Sample>) {
        let mut start_ms = from_ms;
        while into.len() < count {
            let drawn = self.types[self.random.below(self.types.len() as u64) as usize];
            let first = self.leader(drawn);
            let follower = follower(first).filter(|follower| self.types.contains(follower));
            let sample = |data_type, value_tenths| Sample {
                data_type,
                value_tenths,
                start_ms,
                end_ms: start_ms.saturating_add(SAMPLE_MS),
            };
            let value = self.value(first);
            if into.len() + 1 < count
                && let Some(second) = follower
            {
                into.push(sample(first, value));
                into.push(sample(second, self.following(second, value)));
            } else if follower.is_some() && self.has_singles() {
                // No room for both: something else takes the last place.
                continue;
            } else {
                into.push(sample(first, value));
            }
            start_ms = start_ms.saturating_add(SAMPLE_STEP_MS);
        }
    }

    /// A type that comes after another comes with it and not alone.
    fn leader(&self, drawn: DataType) -> DataType {
        let leader = match drawn {
            DataType::BloodPressureDiastolic => DataType::BloodPressureSystolic,
            DataType::Distance => DataType::Steps,
            other => other,
        };
        if self.types.contains(&leader) { leader } else { drawn }
    }

    /// Whether there is a type that comes alone.
    fn has_singles(&self) -> bool {
        let pair = |t: DataType| follower(self.leader(t)).is_some_and(|f| self.types.contains(&f));
        !self.types.iter().all(|data_type| pair(*data_type))
    }

    /// A value in tenths.
    fn value(&mut self, data_type: DataType) -> i64 {
        let (random, person) = (&mut self.random, &self.person);
        match data_type {
            DataType::HeartRate => whole(random.bell(720, 80, (500, 1_800))),
            // Most minutes have few steps: of two numbers the product, not the mean.
            DataType::Steps => whole(random.between(0, 100) * random.between(0, 1_000)),
            DataType::Distance => random.between(0, 50_000),
            DataType::ActiveEnergyBurned => random.between(0, 5_000),
            DataType::BasalEnergyBurned => random.between(500, 900),
            DataType::BloodPressureSystolic => whole(random.bell(1_180, 100, (900, 1_400))),
            DataType::BloodPressureDiastolic => whole(random.bell(760, 60, (600, 900))),
            DataType::BloodGlucose => whole(random.bell(930, 100, (700, 1_200))),
            DataType::OxygenSaturation => random.bell(970, 15, (900, 1_000)),
            DataType::BodyTemperature => random.bell(367, 3, (360, 375)),
            DataType::RespiratoryRate => whole(random.bell(150, 15, (120, 180))),
            DataType::RestingHeartRate => {
                whole(person.resting_heart_rate + random.between(-20, 20))
            }
            DataType::Vo2Max => person.vo2_max + random.between(-10, 10),
            DataType::BodyMass => person.mass + random.between(-5, 5),
            DataType::Height => person.height,
            DataType::BodyMassIndex => {
                let mass = person.mass + random.between(-5, 5);
                person.mass_index(mass)
            }
            DataType::BodyFatPercentage => person.body_fat + random.between(-5, 5),
        }
    }

    /// The value of a sample that follows from another one's.
    fn following(&mut self, data_type: DataType, leader: i64) -> i64 {
        match data_type {
            // Steps in tenths by centimetres are millimetres; a tenth of a metre has a hundred.
            DataType::Distance => leader * self.person.step_cm / 100,
            // About two thirds of the systolic pressure, and always well below it.
            DataType::BloodPressureDiastolic => {
                let typical = leader * 65 / 100;
                whole(self.random.bell(typical, 40, (600, 900.min(leader - 200))))
            }
            other => self.value(other),
        }
    }

    /// Puts a value beyond the range of its type.
    fn spoil(&mut self, sample: &mut Sample) {
        let (_, high) = sample.data_type.valid();
        // Ranges end at whole numbers.
        sample.value_tenths = high as i64 * 10 + self.random.between(10, 1_000);
    }
}

/// The type that is measured together with another and comes right after it.
fn follower(data_type: DataType) -> Option<DataType> {
    match data_type {
        DataType::BloodPressureSystolic => Some(DataType::BloodPressureDiastolic),
        DataType::Steps => Some(DataType::Distance),
        _ => None,
    }
}

/// A number of tenths without tenths.
fn whole(tenths: i64) -> i64 {
    tenths - tenths.rem_euclid(10)
}
