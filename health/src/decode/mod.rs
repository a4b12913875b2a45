//! Payloads read from bytes, with texts borrowed from them.
//!
//! Decoding asks for as little as possible: a field that is missing or of another type is `None`, a sample
//! that is no object has none of its fields, and whether that is bad is for [`crate::validate`] to say. Only
//! what is no payload at all is an error.

mod avro;
mod decoded;
mod json;

pub use decoded::{DecodeError, Decoded, DecodedSample, Text};

/// How payloads are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoding {
    /// JSON.
    Json,
    /// Avro's binary encoding of [`crate::encode::avro::SCHEMA`].
    Avro,
    /// The same in Confluent's wire format, whose schema id must be this one if one is given.
    Confluent {
        /// The only id that is taken.
        schema_id: Option<u32>,
    },
}

impl Decoding {
    /// Reads a payload.
    ///
    /// ```
    /// use mallard_health::decode::Decoding;
    ///
    /// let payload = Decoding::Json.decode(br#"{"userId": "user-000017", "samples": []}"#)?;
    /// assert_eq!(payload.user_id.as_deref(), Some("user-000017"));
    /// assert_eq!(payload.device_id, None);
    /// # Ok::<(), mallard_health::decode::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// The bytes are no payload.
    pub fn decode(self, bytes: &[u8]) -> Result<Decoded<'_>, DecodeError> {
        match self {
            Self::Json => serde_json::from_slice::<json::Payload<'_>>(bytes)
                .map(|payload| payload.0)
                .map_err(DecodeError::Json),
            Self::Avro => avro::read(bytes),
            Self::Confluent { schema_id } => {
                let Some(([0, id @ ..], body)) = bytes.split_first_chunk::<5>() else {
                    return Err(DecodeError::Prefix);
                };
                let found = u32::from_be_bytes(*id);
                match schema_id {
                    Some(expected) if expected != found => {
                        Err(DecodeError::Schema { found, expected })
                    }
                    _ => avro::read(body),
                }
            }
        }
    }
}
