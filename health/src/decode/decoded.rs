//! What a payload holds once it is decoded, or why it is none.

use std::borrow::Cow;

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
