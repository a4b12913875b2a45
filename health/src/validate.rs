//! The rules of a consumer: which payloads are rejected, which samples are dropped.
//!
//! A payload without a device or a user, or without a time, is rejected as a whole. A sample without id,
//! type or value, with a bad date, an end before its start, or a value beyond the range of its type is
//! dropped alone. A payload without samples is sound and gives no rows. A type that is not known is
//! sound, unless validation is strict.

use crate::{
    DataType, Defect,
    decode::{Decoded, DecodedSample, Text},
};
use jiff::Timestamp;

/// Why a payload is rejected, or a sample dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// One of the defects that payloads can be made with.
    Defect(Defect),
    /// Strict validation does not know the sample's type.
    UnknownType,
}

impl Reason {
    /// Number of reasons.
    pub const COUNT: usize = Defect::ALL.len() + 1;

    /// All reasons: those of whole payloads, then those of samples.
    pub fn all() -> impl Iterator<Item = Self> {
        Defect::ALL.into_iter().map(Self::Defect).chain([Self::UnknownType])
    }

    /// Its place among all.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Defect(defect) => defect as usize,
            Self::UnknownType => Defect::ALL.len(),
        }
    }

    /// Its name: `out-of-range`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Defect(defect) => defect.name(),
            Self::UnknownType => "unknown-type",
        }
    }

    /// Whether a sample is dropped for it, and the rest of the payload goes on.
    #[must_use]
    pub fn is_of_sample(self) -> bool {
        !matches!(self, Self::Defect(defect) if !defect.is_of_sample())
    }
}

/// Validates payloads, one after another. It keeps what one payload needs, so that the next one does not
/// allocate.
#[derive(Clone, Debug, Default)]
pub struct Validator {
    strict: bool,
    checked: Checked,
}

/// What validation found out about a payload, in the order of its samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The payload's own time, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// For every sample its times, or why it is dropped.
    pub samples: Vec<Result<Span, Reason>>,
}

/// When a sample was measured, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its start.
    pub start_ms: i64,
    /// Its end, not before its start.
    pub end_ms: i64,
}

impl Validator {
    /// A validator. A strict one drops samples of types that it does not know.
    #[must_use]
    pub fn new(strict: bool) -> Self {
        Self { strict, checked: Checked::default() }
    }

    /// Applies the rules.
    ///
    /// # Errors
    /// Why the whole payload is rejected.
    pub fn validate(&mut self, payload: &Decoded<'_>) -> Result<&Checked, Reason> {
        let says = |text: &Option<Text<'_>>| text.as_ref().is_some_and(|text| !text.is_empty());
        if !says(&payload.device_id) {
            return Err(Reason::Defect(Defect::NoDeviceId));
        }
        if !says(&payload.user_id) {
            return Err(Reason::Defect(Defect::NoUserId));
        }
        let timestamp = time_ms(payload.timestamp.as_ref());
        self.checked.timestamp_ms = timestamp.ok_or(Reason::Defect(Defect::BadTimestamp))?;
        let strict = self.strict;
        self.checked.samples.clear();
        self.checked.samples.extend(payload.samples.iter().map(|s| check_sample(s, strict)));
        Ok(&self.checked)
    }
}

fn check_sample(sample: &DecodedSample<'_>, strict: bool) -> Result<Span, Reason> {
    let some = |text: &Option<Text<'_>>, defect| {
        let said = text.as_ref().is_some_and(|text| !text.is_empty());
        if said { Ok(()) } else { Err(Reason::Defect(defect)) }
    };
    some(&sample.id, Defect::NoSampleId)?;
    some(&sample.data_type, Defect::NoType)?;
    let value = sample.value.ok_or(Reason::Defect(Defect::NoValue))?;
    let time =
        |text: &Option<Text<'_>>| time_ms(text.as_ref()).ok_or(Reason::Defect(Defect::BadDate));
    let span = Span { start_ms: time(&sample.start_date)?, end_ms: time(&sample.end_date)? };
    if span.start_ms > span.end_ms {
        return Err(Reason::Defect(Defect::StartAfterEnd));
    }
    match sample.data_type.as_deref().and_then(DataType::from_name) {
        None if strict => Err(Reason::UnknownType),
        Some(data_type) if !is_within(value, data_type.valid()) => {
            Err(Reason::Defect(Defect::OutOfRange))
        }
        _ => Ok(span),
    }
}

fn is_within(value: f64, (low, high): (f64, f64)) -> bool {
    (low..=high).contains(&value)
}

/// A time of RFC 3339, in milliseconds since 1970.
pub(crate) fn time_ms(text: Option<&Text<'_>>) -> Option<i64> {
    text?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decoding;

    fn sample(changed: &str) -> String {
        let mut sample = serde_json::json!({
            "id": "s", "type": "heartRate", "value": 72, "unit": "count/min",
            "startDate": "2025-11-15T10:00:00Z", "endDate": "2025-11-15T10:01:00+00:00",
        });
        let changes: serde_json::Value = serde_json::from_str(changed).unwrap();
        for (key, value) in changes.as_object().unwrap() {
            sample[key] = value.clone();
        }
        sample.to_string()
    }

    fn verdict(strict: bool, changed: &str) -> Result<Span, &'static str> {
        let json = format!(
            r#"{{"deviceId": "d", "userId": "u", "timestamp": "2025-11-15T10:00:00Z", "samples": [{}]}}"#,
            sample(changed)
        );
        let decoded = Decoding::Json.decode(json.as_bytes()).unwrap();
        Validator::new(strict).validate(&decoded).unwrap().samples[0].map_err(Reason::name)
    }

    #[test]
    fn the_rules_of_samples() {
        let span = Span { start_ms: 1_763_200_800_000, end_ms: 1_763_200_860_000 };
        assert_eq!(verdict(true, "{}"), Ok(span));
        assert_eq!(verdict(true, r#"{"id": ""}"#), Err("no-sample-id"));
        assert_eq!(verdict(true, r#"{"id": 7}"#), Err("no-sample-id"));
        assert_eq!(verdict(true, r#"{"type": null}"#), Err("no-type"));
        assert_eq!(verdict(true, r#"{"value": "72"}"#), Err("no-value"));
        assert_eq!(verdict(true, r#"{"startDate": "2025-13-01T00:00:00Z"}"#), Err("bad-date"));
        assert_eq!(verdict(true, r#"{"endDate": "2025-11-15T10:01:00"}"#), Err("bad-date"));
        assert_eq!(verdict(true, r#"{"endDate": "2025-11-15T09:59:59Z"}"#), Err("start-after-end"));
        assert_eq!(
            verdict(true, r#"{"endDate": "2025-11-15T10:00:00Z"}"#).map(|s| s.end_ms),
            Ok(span.start_ms)
        );
        assert_eq!(verdict(true, r#"{"value": 250}"#), Ok(span));
        assert_eq!(verdict(true, r#"{"value": 250.1}"#), Err("out-of-range"));
        assert_eq!(verdict(true, r#"{"value": 29.9}"#), Err("out-of-range"));
        assert_eq!(verdict(true, r#"{"type": "mood"}"#), Err("unknown-type"));
        assert_eq!(verdict(false, r#"{"type": "mood"}"#), Ok(span));
    }

    #[test]
    fn what_is_no_sample_is_dropped_alone() {
        let nested = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
        let (arrays, objects) = (nested("[", "]"), nested("{\"a\":", "}").replace(":}", ":0}"));
        let inside = format!("{{\"id\": {arrays}, \"metadata\": {objects}}}");
        let flat = ["null", "true", "7", "-7", "0.5", "\"id\"", "\"\\n\"", "[]", "[1, {}]", "{}"];
        for odd in flat.into_iter().chain([&*arrays, &*objects, &*inside]) {
            let json = format!(
                r#"{{"deviceId": "d", "userId": "u", "timestamp": "2025-11-15T10:00:00Z", "samples": [{odd}, {}]}}"#,
                sample("{}")
            );
            let decoded = Decoding::Json.decode(json.as_bytes()).unwrap();
            let mut validator = Validator::new(true);
            let checked = validator.validate(&decoded).unwrap();
            let told: Vec<_> = checked.samples.iter().map(|s| s.err().map(Reason::name)).collect();
            assert_eq!(told, [Some("no-sample-id"), None], "{}", &odd[..odd.len().min(20)]);
        }
    }

    #[test]
    fn the_rules_of_payloads() {
        let verdict = |json: &str| {
            let decoded = Decoding::Json.decode(json.as_bytes()).unwrap();
            let mut validator = Validator::new(false);
            validator.validate(&decoded).map(|c| c.samples.len()).map_err(Reason::name)
        };
        let time = r#""timestamp": "2025-11-15T10:00:00Z""#;
        assert_eq!(verdict(&format!(r#"{{"userId": "u", {time}}}"#)), Err("no-device-id"));
        assert_eq!(verdict(&format!(r#"{{"deviceId": "d", {time}}}"#)), Err("no-user-id"));
        assert_eq!(verdict(r#"{"deviceId": "d", "userId": "u"}"#), Err("bad-timestamp"));
        assert_eq!(verdict(&format!(r#"{{"deviceId": "d", "userId": "u", {time}}}"#)), Ok(0));
        assert_eq!(
            verdict(&format!(r#"{{"deviceId": "d", "userId": "u", "samples": null, {time}}}"#)),
            Ok(0)
        );
    }

    #[test]
    fn a_reason_is_its_own_index() {
        for (index, reason) in Reason::all().enumerate() {
            assert_eq!(reason.index(), index);
        }
        assert_eq!(Reason::all().count(), Reason::COUNT);
    }
}
