//! Payloads as bytes.

pub mod avro;
pub mod container;
mod fixed;
mod json;

use crate::{Defect, Payload, text::Times};

pub(crate) use fixed::APP_VERSION;

/// How payloads are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON, without spaces.
    Json,
    /// Avro's binary encoding of [`avro::SCHEMA`], without any header.
    Avro,
    /// The same in Confluent's wire format: a zero byte, the schema's id as four bytes, big-endian, then
    /// the Avro body.
    Confluent {
        /// The schema's id in the registry.
        schema_id: u32,
    },
}

/// Writes payloads.
#[derive(Clone, Debug)]
pub struct Encoder {
    encoding: Encoding,
    times: Times,
}

impl Encoder {
    /// An encoder.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        Self { encoding, times: Times::default() }
    }

    /// Appends a payload.
    ///
    /// ```
    /// use mallard_health::{Encoding, HealthDataLoadGenerator, encode::Encoder};
    ///
    /// let payload = HealthDataLoadGenerator::new(100, 50).generate_payload(1, None);
    /// let mut bytes = Vec::new();
    /// Encoder::new(Encoding::Json).encode(&payload, &mut bytes);
    /// assert!(bytes.starts_with(b"{\"deviceId\":\"device-00"));
    /// ```
    pub fn encode(&mut self, payload: &Payload, out: &mut Vec<u8>) {
        let begin = out.len();
        match self.encoding {
            Encoding::Json => json::write(payload, &mut self.times, out),
            Encoding::Avro => avro::write(payload, &mut self.times, out),
            Encoding::Confluent { schema_id } => {
                out.push(avro::CONFLUENT_MAGIC);
                out.extend_from_slice(&schema_id.to_be_bytes());
                avro::write(payload, &mut self.times, out);
            }
        }
        if payload.defect == Some(Defect::Undecodable) {
            out.truncate(begin + (out.len() - begin) / 2);
        }
    }
}
