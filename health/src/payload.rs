//! A payload as it was made up, before it is bytes.

use crate::{DataType, Defect, text};

/// Highest number of samples in a payload.
pub(crate) const SAMPLES_LIMIT: u32 = 10_000;

/// A payload: what one device of one user sent at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    pub(crate) run: u32,
    pub(crate) producer: u32,
    /// The producer's own count of payloads, from 0.
    pub sequence: u64,
    /// Number of the device, from 0.
    pub device: u32,
    /// Number of the user, from 0.
    pub user: u32,
    /// When it was sent, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What was measured.
    pub samples: Vec<Sample>,
    /// What is wrong with it.
    pub defect: Option<Defect>,
    /// The sample that has the defect, if it is one of a sample.
    pub(crate) defect_at: usize,
}

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What was measured.
    pub data_type: DataType,
    /// The value, in tenths of its unit.
    pub value_tenths: i64,
    /// When measuring began, in milliseconds since 1970.
    pub start_ms: i64,
    /// When it ended.
    pub end_ms: i64,
}

impl Payload {
    /// The user's id: `user-000017`.
    #[must_use]
    pub fn user_id(&self) -> String {
        readable(|out| self.write_user_id(out))
    }

    /// The device's id: `device-0042`.
    #[must_use]
    pub fn device_id(&self) -> String {
        readable(|out| self.write_device_id(out))
    }

    /// The id of a sample by its index: run, producer, sequence number and index, each at a width of
    /// its own, so that no two samples of a cluster ever share one.
    #[must_use]
    pub fn sample_id(&self, index: usize) -> String {
        readable(|out| self.write_sample_id(index, out))
    }

    /// Appends the user's id. A record's key follows the user even if the payload forgets to say it.
    pub fn write_user_id(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"user-");
        text::padded(out, self.user.into(), 6);
    }

    /// Appends the device's id.
    pub fn write_device_id(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"device-");
        text::padded(out, self.device.into(), 4);
    }

    /// Appends run, producer and sequence number: what all of its samples' ids begin with.
    pub(crate) fn write_id(&self, out: &mut Vec<u8>) {
        text::hex(out, self.run.into(), 8);
        out.push(b'-');
        text::hex(out, self.producer.into(), 4);
        out.push(b'-');
        text::hex(out, self.sequence, 12);
    }

    pub(crate) fn write_sample_id(&self, index: usize, out: &mut Vec<u8>) {
        self.write_id(out);
        out.push(b'-');
        text::hex(out, index as u64, 4);
    }

    /// The defect of a sample by its index.
    pub(crate) fn defect_of(&self, index: usize) -> Option<Defect> {
        self.defect.filter(|defect| defect.is_of_sample() && index == self.defect_at)
    }

    /// The defect of the whole payload.
    pub(crate) fn own_defect(&self) -> Option<Defect> {
        self.defect.filter(|defect| !defect.is_of_sample())
    }
}

fn readable(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::with_capacity(40);
    write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}
