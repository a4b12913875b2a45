//! Payloads from JSON, with fields that may be anything.

use super::{Decoded, DecodedSample, Text};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// A payload, read field by field.
pub(super) struct Payload<'a>(pub(super) Decoded<'a>);

struct Sample<'a>(DecodedSample<'a>);

/// A field's name. Borrowed in all but the oddest payloads.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Payload<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PayloadVisitor)
    }
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a payload")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut into = Decoded::default();
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "deviceId" => into.device_id = text(&mut map)?,
                "userId" => into.user_id = text(&mut map)?,
                "timestamp" => into.timestamp = text(&mut map)?,
                "appVersion" => into.app_version = text(&mut map)?,
                "timezone" => into.timezone = text(&mut map)?,
                "samples" => {
                    let samples: Option<Vec<Sample<'de>>> = map.next_value()?;
                    into.samples = samples.unwrap_or_default().into_iter().map(|s| s.0).collect();
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Payload(into))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Sample<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SampleVisitor).map(Self)
    }
}

/// Takes whatever stands in the place of a sample. What is no object has nothing that a sample needs, so
/// validation drops it, and it alone.
struct SampleVisitor;

impl<'de> Visitor<'de> for SampleVisitor {
    type Value = DecodedSample<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(DecodedSample::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(DecodedSample::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(DecodedSample::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(DecodedSample::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(DecodedSample::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(DecodedSample::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        // Skipped without recursion, however deep they are.
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(DecodedSample::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut into = DecodedSample::default();
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "id" => into.id = text(&mut map)?,
                "type" => into.data_type = text(&mut map)?,
                "value" => into.value = map.next_value::<Any<'de>>()?.number(),
                "unit" => into.unit = text(&mut map)?,
                "startDate" => into.start_date = text(&mut map)?,
                "endDate" => into.end_date = text(&mut map)?,
                "sourceBundle" => into.source_bundle = text(&mut map)?,
                "metadata" => {
                    let raw: &'de RawValue = map.next_value()?;
                    into.metadata = Some(Cow::Borrowed(raw.get()));
                }
                "isSynced" => into.is_synced = map.next_value::<Any<'de>>()?.boolean(),
                "createdAt" => into.created_at = text(&mut map)?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(into)
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Text<'de>>, A::Error> {
    Ok(map.next_value::<Any<'de>>()?.text())
}

/// A field's value, whatever it is.
enum Any<'a> {
    Text(Text<'a>),
    Number(f64),
    Boolean(bool),
    Other,
}

impl<'a> Any<'a> {
    fn text(self) -> Option<Text<'a>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn number(self) -> Option<f64> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    fn boolean(self) -> Option<bool> {
        if let Self::Boolean(boolean) = self { Some(boolean) } else { None }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Any<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Any::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Any::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Any::Number(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "the value's type has no more digits to give")]
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Any::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "the value's type has no more digits to give")]
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Any::Number(number as f64))
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Self::Value, E> {
        Ok(Any::Boolean(boolean))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Any::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Any::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Any::Other)
    }
}
