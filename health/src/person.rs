//! A user: the traits that stay the same from one payload to the next.

use crate::random::Random;

/// Marks streams of users apart from those of payloads.
const STREAM: u64 = 0x7573_6572;

/// Of a hundred users, so many have a second device.
const WITH_SECOND_DEVICE: u64 = 30;

/// Of a hundred payloads of a user with two devices, so many come from the first.
const FROM_FIRST_DEVICE: u64 = 80;

/// A user's traits. They follow from the seed and the user's number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    first_device: u32,
    second_device: Option<u32>,
    /// Length of a step, in centimetres: 70 to 80.
    pub(crate) step_cm: i64,
    /// In tenths of kilograms: 50 to 110 kg.
    pub(crate) mass: i64,
    /// In tenths of centimetres: 150 to 200 cm.
    pub(crate) height: i64,
    /// In tenths of beats a minute: 57 to 83.
    pub(crate) resting_heart_rate: i64,
    /// In tenths of mL/(kg·min).
    pub(crate) vo2_max: i64,
    /// In tenths of percent.
    pub(crate) body_fat: i64,
}

impl Person {
    pub(crate) fn of(seed: u64, user: u32, users: u32, devices: u32) -> Self {
        let mut random = Random::of(&[STREAM, seed, u64::from(user)]);
        let first_device = user % devices.max(1);
        let has_second = random.below(100) < WITH_SECOND_DEVICE;
        let draw = random.next();
        Self {
            first_device,
            second_device: has_second.then(|| second_device(first_device, users, devices, draw)),
            step_cm: random.between(70, 80),
            mass: random.between(500, 1_100),
            height: random.between(1_500, 2_000),
            resting_heart_rate: random.between(570, 830),
            vo2_max: random.between(250, 600),
            body_fat: random.between(100, 350),
        }
    }

    /// The device that the user wears for a payload.
    pub(crate) fn device(&self, random: &mut Random) -> u32 {
        match self.second_device {
            Some(second) if random.below(100) >= FROM_FIRST_DEVICE => second,
            _ => self.first_device,
        }
    }

    /// Body mass index in tenths, of the mass of a moment.
    pub(crate) fn mass_index(&self, mass: i64) -> i64 {
        // Tenths of kg by the square of tenths of cm: 1e6 square tenths of cm are a square metre.
        mass * 1_000_000 / (self.height * self.height)
    }
}

/// One that is nobody's first if there are any, else another user's.
fn second_device(first: u32, users: u32, devices: u32, draw: u64) -> u32 {
    let pick = |count: u32| u32::try_from(draw % u64::from(count.max(1))).unwrap_or(0);
    if devices > users {
        users + pick(devices - users)
    } else if devices > 1 {
        (first + 1 + pick(devices - 1)) % devices
    } else {
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_user_keeps_one_or_two_devices() {
        for (users, devices) in [(100, 50), (100, 100), (50, 120), (7, 1)] {
            for user in 0..users {
                let person = Person::of(1, user, users, devices);
                let mut random = Random::of(&[u64::from(user)]);
                let used: BTreeSet<_> = (0..50).map(|_| person.device(&mut random)).collect();
                assert!((1..=2).contains(&used.len()), "{used:?}");
                assert!(used.iter().all(|device| *device < devices));
            }
        }
    }

    #[test]
    fn with_enough_devices_nobody_shares_the_first() {
        let firsts: BTreeSet<_> = (0..50).map(|u| Person::of(1, u, 50, 120).first_device).collect();
        assert_eq!(firsts.len(), 50);
    }
}
