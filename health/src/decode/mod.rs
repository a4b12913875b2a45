//! Payloads read from bytes, with texts borrowed from them.
//!
//! Decoding asks for as little as possible: a field that is missing or of another type is `None`, a sample
//! that is no object has none of its fields, and whether that is bad is for [`crate::validate`] to say. Only
//! what is no payload at all is an error.

mod avro;
mod json;

use std::borrow::Cow;

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

/// A text of a payload: borrowed, unless JSON escaped something in it.
pub type Text<'a> = Cow<'a, str>;

/// A payload as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded<'a> {
    /// The device's id.
    pub device_id: Option<Text<'a>>,
    /// The user's id.
    pub user_id: Option<Text<'a>>,
    /// When it was sent, RFC 3339.
    pub timestamp: Option<Text<'a>>,
    /// Version of the app that sent it.
    pub app_version: Option<Text<'a>>,
    /// The user's time zone by its IANA name. Only JSON carries one.
    pub timezone: Option<Text<'a>>,
    /// What was measured.
    pub samples: Vec<DecodedSample<'a>>,
}

/// A sample as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecodedSample<'a> {
    /// Its id.
    pub id: Option<Text<'a>>,
    /// What was measured.
    pub data_type: Option<Text<'a>>,
    /// The value. Never infinite, and never `NaN`.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: Option<Text<'a>>,
    /// When measuring began, RFC 3339.
    pub start_date: Option<Text<'a>>,
    /// When it ended, RFC 3339.
    pub end_date: Option<Text<'a>>,
    /// The app that measured it.
    pub source_bundle: Option<Text<'a>>,
    /// Whatever else there is to say, as JSON text.
    pub metadata: Option<Text<'a>>,
    /// Whether it had been synchronised.
    pub is_synced: Option<bool>,
    /// When it was stored, RFC 3339.
    pub created_at: Option<Text<'a>>,
}

/// Bytes that are no payload.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or not an object with an array of samples.
    #[error("not a payload in JSON")]
    Json(#[source] serde_json::Error),
    /// The bytes do not follow the schema.
    #[error("not a payload in Avro: {what} at byte {at}")]
    Avro {
        /// What is wrong.
        what: &'static str,
        /// How many bytes were read before.
        at: usize,
    },
    /// The wire format's prefix is not there.
    #[error("not in Confluent's wire format: it starts with a zero byte and a schema's id")]
    Prefix,
    /// Another schema.
    #[error("written with schema {found}, expected {expected}")]
    Schema {
        /// The id in the prefix.
        found: u32,
        /// The only one that is taken.
        expected: u32,
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
