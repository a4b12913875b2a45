//! Health payloads.

use super::registry;
use crate::config::shape::{
    Fields, Shape, Tagged, either, flag, integer, list_of_some,
    quantity::{duration, share},
    record, scalar, tagged,
    units::Wrong,
    words,
};
use jiff::Timestamp;
use mallard_health::{Config, DataType, Defect, InvalidShares};
use mallard_protocol::health::{HealthFormat, HealthSpec};
use serde_json::json;

/// Most users, and most devices: their numbers have this many digits at most.
const CROWD_LIMIT: u64 = 100_000_000;

/// Most samples in a payload: about 3 MB of JSON.
const SAMPLES_LIMIT: u64 = 10_000;

/// Millionths in the whole.
const WHOLE: f64 = 1e6;

/// The shape of `health`.
pub(super) fn shape() -> impl Shape<Value = HealthSpec> {
    record("health payloads", health)
}

fn health(fields: &mut Fields<'_>) -> Option<HealthSpec> {
    let defaults = Config::default();
    let crowd = || integer(1..=CROWD_LIMIT).map(narrow);
    let users = fields.default(
        "users",
        "Number of users. A user keeps one or two devices.",
        crowd(),
        defaults.users,
        defaults.users,
    );
    let devices = fields.default(
        "devices",
        "Number of devices.",
        crowd(),
        defaults.devices,
        defaults.devices,
    );
    let samples = fields.default(
        "samples",
        "Samples in a payload.",
        integer(0..=SAMPLES_LIMIT).map(narrow),
        defaults.samples,
        defaults.samples,
    );
    let everyday: Vec<_> = DataType::EVERYDAY.iter().map(|t| t.name().to_owned()).collect();
    let types = fields.default(
        "types",
        "Types of samples, or `all`.",
        types(),
        json!(everyday.clone()),
        everyday,
    );
    let invalid = fields.default(
        "invalid",
        "Share of payloads that are invalid, dealt evenly to all classes, or a share for each class.",
        invalid(),
        0,
        Vec::new(),
    );
    let (format, headers) = form(fields);
    let seed = fields.optional(
        "seed",
        "Its own seed. The same seed gives the same payloads.",
        integer(0..=u64::from(u32::MAX)),
    );
    let (start_ms, step_us) = times(fields);
    let spec = HealthSpec {
        users: users?,
        devices: devices?,
        samples: samples?,
        types: types?,
        invalid: invalid?,
        format: format?,
        headers: headers?,
        seed: seed?,
        start_ms: start_ms?,
        step_us: step_us?,
    };
    if let Err(error) = spec.config(0, 0, 0) {
        let at = fields.at();
        fields.error(&at, error.to_string(), "");
        return None;
    }
    Some(spec)
}

/// How payloads are written, and whether headers say what they are.
fn form(fields: &mut Fields<'_>) -> (Option<HealthFormat>, Option<bool>) {
    let format = fields.default(
        "format",
        "How payloads are written: JSON, Avro, or Avro in Confluent's wire format.",
        format(),
        "json",
        HealthFormat::Json,
    );
    let headers = fields.default(
        "headers",
        "Whether every record says in headers what its payload is: `request-id`, `device-id`, `app-version`, `sample-count`.",
        flag(),
        false,
        false,
    );
    (format, headers)
}

/// When payloads say that they were sent.
fn times(fields: &mut Fields<'_>) -> (Option<Option<i64>>, Option<u64>) {
    let start = fields.optional("start", "The time of the first payload, RFC 3339.", moment());
    let step = fields.default(
        "step",
        "From one payload's time to the next one's.",
        duration().map(|step| u64::try_from(step.as_micros()).unwrap_or(u64::MAX)),
        "1s",
        Config::default().step_us,
    );
    (start, step)
}

fn types() -> impl Shape<Value = Vec<String>> {
    let owned = |t: DataType| t.name().to_owned();
    let all: Vec<_> = DataType::all().map(owned).collect();
    either(
        words([("all", all)]),
        list_of_some(words(DataType::all().map(|t| (t.name(), t.name().to_owned())))),
    )
}

fn invalid() -> impl Shape<Value = Vec<(String, u32)>> {
    let evenly = share().map(|share| {
        let shares = InvalidShares::evenly(millionths(share), &Defect::ALL).unwrap_or_default();
        shares.parts().map(|(defect, part)| (defect.name().to_owned(), part)).collect()
    });
    either(evenly, record("shares of invalid payloads", by_class))
}

fn by_class(fields: &mut Fields<'_>) -> Option<Vec<(String, u32)>> {
    let mut parts = Vec::new();
    for defect in Defect::ALL {
        let part = fields.default(
            defect.name(),
            if defect.is_of_sample() {
                "Share of payloads with one such sample, which is dropped alone."
            } else {
                "Share of such payloads, which are rejected as a whole."
            },
            share(),
            0,
            0.0,
        );
        parts.extend(part.map(|share| (defect.name().to_owned(), millionths(share))));
    }
    parts.retain(|(_, part)| *part > 0);
    Some(parts)
}

fn format() -> impl Shape<Value = HealthFormat> {
    either(words([("json", HealthFormat::Json), ("avro", HealthFormat::Avro)]), wire_formats())
}

/// Confluent's wire format, by where the schema's id comes from.
pub(super) fn wire_formats() -> Tagged<HealthFormat> {
    let id = integer(0..=u64::from(u32::MAX));
    tagged("a format")
        .variant(
            "confluent",
            "Avro in Confluent's wire format, with this schema id.",
            id.map(|id| HealthFormat::Confluent { schema_id: narrow(id) }),
        )
        .variant(
            "registry",
            "Avro in Confluent's wire format, with the id that this schema registry gives.",
            registry::shape().map(HealthFormat::Registry),
        )
}

fn moment() -> impl Shape<Value = i64> {
    scalar("a time such as `2025-11-15T10:00:00Z`", json!({"type": "string"}), |s| {
        let help = "RFC 3339, such as `2025-11-15T10:00:00Z`";
        let wrong = |_| Wrong::new(format!("`{}` is not a time", s.text), help);
        s.text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(wrong)
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is from 0 to 1"
)]
fn millionths(share: f64) -> u32 {
    (share * WHOLE).round() as u32
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
