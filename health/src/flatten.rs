//! From a payload to rows: one a sample, with the columns of the payload repeated.

use crate::{
    decode::{Decoded, DecodedSample},
    validate::{Checked, Span, time_ms},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

/// A row. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "columns named as the field names them")]
pub struct Row<'a> {
    pub device_id: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub sample_id: Option<&'a str>,
    pub data_type: Option<&'a str>,
    pub value: Option<f64>,
    pub unit: Option<&'a str>,
    pub start_date: Option<i64>,
    pub end_date: Option<i64>,
    pub source_bundle: Option<&'a str>,
    /// JSON text.
    pub metadata: Option<&'a str>,
    pub is_synced: Option<bool>,
    pub created_at: Option<i64>,
    pub payload_timestamp: Option<i64>,
    pub app_version: Option<&'a str>,
    pub processing_time: i64,
    /// An IANA name; `UTC` where the payload has none, or one that is not known.
    pub timezone: &'a str,
    /// Minutes east of UTC at the payload's time.
    pub timezone_offset: i32,
}

/// The zone of payloads that do not say theirs.
const FALLBACK_ZONE: &str = "UTC";

/// A row for every sample that validation kept. Without validation there is one for every sample, and
/// what is missing in it is null.
pub fn flatten<'a>(
    payload: &'a Decoded<'a>,
    checked: Option<&'a Checked>,
    processing_time_ms: i64,
) -> impl Iterator<Item = Row<'a>> {
    let payload_timestamp = match checked {
        Some(checked) => Some(checked.timestamp_ms),
        None => time_ms(payload.timestamp.as_ref()),
    };
    let (timezone, timezone_offset) = zone(payload, payload_timestamp);
    payload.samples.iter().enumerate().filter_map(move |(index, sample)| {
        let span = match checked {
            None => None,
            // Dropped.
            Some(checked) => Some((*checked.samples.get(index)?).ok()?),
        };
        let (start_date, end_date) = dates(sample, span);
        Some(Row {
            device_id: payload.device_id.as_deref(),
            user_id: payload.user_id.as_deref(),
            sample_id: sample.id.as_deref(),
            data_type: sample.data_type.as_deref(),
            value: sample.value,
            unit: sample.unit.as_deref(),
            start_date,
            end_date,
            source_bundle: sample.source_bundle.as_deref(),
            metadata: sample.metadata.as_deref(),
            is_synced: sample.is_synced,
            created_at: time_ms(sample.created_at.as_ref()),
            payload_timestamp,
            app_version: payload.app_version.as_deref(),
            processing_time: processing_time_ms,
            timezone,
            timezone_offset,
        })
    })
}

fn dates(sample: &DecodedSample<'_>, span: Option<Span>) -> (Option<i64>, Option<i64>) {
    match span {
        Some(span) => (Some(span.start_ms), Some(span.end_ms)),
        None => (time_ms(sample.start_date.as_ref()), time_ms(sample.end_date.as_ref())),
    }
}

fn zone<'a>(payload: &'a Decoded<'a>, at_ms: Option<i64>) -> (&'a str, i32) {
    let known = || {
        let name = payload.timezone.as_deref()?;
        let offset = offset_minutes(&TimeZone::get(name).ok()?, at_ms?)?;
        Some((name, offset))
    };
    known().unwrap_or((FALLBACK_ZONE, 0))
}

fn offset_minutes(zone: &TimeZone, at_ms: i64) -> Option<i32> {
    Some(zone.to_offset(Timestamp::from_millisecond(at_ms).ok()?).seconds() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::Decoding, validate::Validator};

    const TWO: &[u8] = br#"{"deviceId": "device-0042", "userId": "user-000017",
        "timestamp": "2025-11-15T10:00:00Z", "appVersion": "1.0.0", "timezone": "Mars/Olympus",
        "samples": [
            {"id": "a", "type": "heartRate", "value": 72, "unit": "count/min",
             "startDate": "2025-11-15T10:00:00Z", "endDate": "2025-11-15T10:01:00Z",
             "sourceBundle": "com.apple.health", "metadata": {"k": 1}, "isSynced": true,
             "createdAt": "2025-11-15T10:01:00Z"},
            {"id": "b", "type": "heartRate"}]}"#;

    #[test]
    fn a_kept_sample_is_a_row_and_a_dropped_one_is_none() {
        let decoded = Decoding::Json.decode(TWO).unwrap();
        let mut validator = Validator::new(true);
        let checked = validator.validate(&decoded).unwrap();
        let rows: Vec<_> = flatten(&decoded, Some(checked), 5).collect();
        let json = serde_json::to_string(&rows).unwrap();
        assert_eq!(
            json,
            r#"[{"device_id":"device-0042","user_id":"user-000017","sample_id":"a","data_type":"heartRate","value":72.0,"unit":"count/min","start_date":1763200800000,"end_date":1763200860000,"source_bundle":"com.apple.health","metadata":"{\"k\": 1}","is_synced":true,"created_at":1763200860000,"payload_timestamp":1763200800000,"app_version":"1.0.0","processing_time":5,"timezone":"UTC","timezone_offset":0}]"#
        );
    }

    #[test]
    fn without_validation_every_sample_is_a_row() {
        let decoded = Decoding::Json.decode(TWO).unwrap();
        let rows: Vec<_> = flatten(&decoded, None, 5).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[1].sample_id, rows[1].value, rows[1].start_date), (Some("b"), None, None));
    }

    #[test]
    fn an_offset_is_that_of_the_moment() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(offset_minutes(&zone, 1_763_200_800_000), Some(60));
        assert_eq!(offset_minutes(&zone, 1_752_573_600_000), Some(120));
    }
}
