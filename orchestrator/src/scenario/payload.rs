//! Payloads and keys.

use crate::config::shape::{
    Fields, Located, Property, Shape, either, integer, number,
    quantity::{share, size},
    record, scalar, tagged, text,
    units::Wrong,
    words,
};
use mallard_protocol::{
    health::HealthSpec,
    workload::{KeySpec, SizeSpec},
};
use serde_json::json;

/// Largest record value: far above `message.max.bytes` of any sensible cluster.
pub const VALUE_LIMIT_BYTES: u64 = 64 << 20;

/// Where a size distribution is cut off unless the scenario says otherwise: the stamp's length, and
/// Kafka's default for the largest record.
const DEFAULT_MIN: u64 = 32;
const DEFAULT_MAX: u64 = 1_000_000;

/// What record values are made of.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Bytes that Mallard makes up.
    Bytes {
        /// Their sizes.
        size: SizeSpec,
        /// Share of incompressible bytes.
        random_share: f64,
    },
    /// Lines of a file.
    Lines(Located<String>),
    /// A template.
    Template(Located<String>),
    /// A template in a file.
    TemplateFile(Located<String>),
    /// Health data.
    Health(HealthSpec),
}

/// The shape of `payload`.
pub fn shape() -> impl Shape<Value = Payload> {
    Choice
}

/// `{size, random}`, `{lines}` or `{template}`: the keys that are there say which record it is.
struct Choice;

impl Choice {
    fn tagged() -> crate::config::shape::Tagged<Payload> {
        tagged("a payload")
            .variant(
                "lines",
                "A text file: its lines in turn, over and over. Relative to the scenario.",
                text().located().map(Payload::Lines),
            )
            .variant(
                "template",
                "A minijinja template with `sequence`, `instance`, `now_ms`, `int(low, high)`, `float(low, high)`, `choice(list)`, `uuid()`.",
                either(
                    text().located().map(Payload::Template),
                    tagged("a template").variant(
                        "file",
                        "A file with the template. Relative to the scenario.",
                        text().located().map(Payload::TemplateFile),
                    ),
                ),
            )
            .variant(
                "health",
                "Health data as wearables send it: made up, or invalid on purpose.",
                super::health::shape().map(Payload::Health),
            )
            .beside("size")
    }

    fn bytes() -> crate::config::shape::Record<Payload> {
        record("a payload", bytes)
    }
}

impl Shape for Choice {
    type Value = Payload;

    fn read(
        &self,
        node: &crate::config::yaml::Node,
        reader: &mut crate::config::shape::Reader,
    ) -> Option<Payload> {
        let other = ["lines", "template", "health"].into_iter().find_map(|key| node.get(key));
        if let (Some(other), Some(_)) = (other, node.get("size")) {
            let help = "made-up bytes have a `size`; other payloads have their own";
            reader.error(other.anchor(), "a payload cannot be this and have a `size`", help);
            None
        } else if other.is_some() {
            Self::tagged().read(node, reader)
        } else {
            Self::bytes().read(node, reader)
        }
    }

    fn schema(&self) -> serde_json::Value {
        json!({"anyOf": [Self::bytes().schema(), Self::tagged().schema()]})
    }

    fn takes(&self) -> crate::config::shape::Takes {
        Self::bytes().takes()
    }

    fn expected(&self) -> String {
        "a payload (`size`, `lines`, `template` or `health`)".to_owned()
    }
}

fn bytes(fields: &mut Fields<'_>) -> Option<Payload> {
    let size = fields.required("size", "Bytes of a value, fixed or distributed.", size_shape());
    let random = fields.default(
        "random",
        "Share of incompressible bytes; the rest is like text.",
        share(),
        0.5,
        0.5,
    );
    // Known here as well, so that a misspelt one is met with its right name.
    for key in ["lines", "template", "health"] {
        fields.elsewhere(key);
    }
    Some(Payload::Bytes { size: size?, random_share: random? })
}

fn byte_size() -> impl Shape<Value = u32> {
    size(0..=VALUE_LIMIT_BYTES).map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX))
}

fn size_shape() -> impl Shape<Value = SizeSpec> {
    let distributed = tagged("a size distribution")
        .variant(
            "uniform",
            "Every size from min to max equally often.",
            record("a uniform size", uniform),
        )
        .variant(
            "normal",
            "Normally distributed, cut off at min and max.",
            record("a normal size", normal),
        )
        .variant(
            "log-normal",
            "Log-normally distributed, cut off at min and max: many small, few large.",
            record("a log-normal size", log_normal),
        );
    either(byte_size().map(SizeSpec::Fixed), distributed)
}

fn limits(fields: &mut Fields<'_>) -> (Option<u32>, Option<u32>) {
    let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let min = fields.default("min", "Smallest.", byte_size(), DEFAULT_MIN, narrow(DEFAULT_MIN));
    let max = fields.default("max", "Largest.", byte_size(), DEFAULT_MAX, narrow(DEFAULT_MAX));
    (min, max)
}

fn in_order(fields: &mut Fields<'_>, min: u32, middle: f64, max: u32) -> Option<()> {
    if min > max {
        let at = fields.place_of("max").unwrap_or_else(|| fields.at());
        fields.error(&at, format!("the largest size ({max}) is below the smallest ({min})"), "");
        return None;
    }
    if middle < f64::from(min) || middle > f64::from(max) {
        let at = fields.at();
        let message = format!("the middle ({middle} bytes) is outside of {min} to {max} bytes");
        fields.error(&at, message, "set `min` and `max` around it");
        return None;
    }
    Some(())
}

fn uniform(fields: &mut Fields<'_>) -> Option<SizeSpec> {
    let min = fields.required("min", "Smallest.", byte_size());
    let max = fields.required("max", "Largest.", byte_size());
    let (min, max) = (min?, max?);
    in_order(fields, min, f64::from(min), max)?;
    Some(SizeSpec::Uniform { min, max })
}

fn normal(fields: &mut Fields<'_>) -> Option<SizeSpec> {
    let mean = fields.required("mean", "Mean size.", byte_size());
    let deviation = fields.required("deviation", "Standard deviation.", byte_size());
    let (min, max) = limits(fields);
    let (mean, deviation, min, max) = (f64::from(mean?), f64::from(deviation?), min?, max?);
    in_order(fields, min, mean, max)?;
    Some(SizeSpec::Normal { mean, deviation, min, max })
}

fn log_normal(fields: &mut Fields<'_>) -> Option<SizeSpec> {
    let median = fields.required("median", "Median size.", byte_size());
    let sigma = fields.required(
        "sigma",
        "Standard deviation of the natural logarithm: 0.5 is mild, 1 is wide.",
        number(0.0, 10.0),
    );
    let (min, max) = limits(fields);
    let (median, sigma, min, max) = (f64::from(median?), sigma?, min?, max?);
    in_order(fields, min, median, max)?;
    Some(SizeSpec::LogNormal { median, sigma, min, max })
}

/// The shape of `key`.
pub fn key() -> impl Shape<Value = KeySpec> {
    let count = || integer(1..=1_000_000_000_000);
    let distributed = tagged("a key")
        .variant(
            "sequential",
            "So many keys in turn.",
            count().map(|count| KeySpec::Sequential { count }),
        )
        .variant(
            "uniform",
            "So many keys, equally often, at random.",
            count().map(|count| KeySpec::Uniform { count }),
        )
        .variant("zipf", "Few keys often, many seldom, by Zipf's law.", record("a Zipf key", zipf))
        .variant("hot", "A few hot keys among many.", record("a hot key", hot))
        .variant(
            "field",
            "The text or number that the value, an object in JSON, has in this field.",
            text().map(|name| KeySpec::Field { name }),
        );
    either(words([("none", KeySpec::None)]), distributed)
}

fn key_count(fields: &mut Fields<'_>) -> Option<u64> {
    fields.required("count", "Number of distinct keys.", integer(1..=1_000_000_000_000))
}

fn zipf(fields: &mut Fields<'_>) -> Option<KeySpec> {
    let count = key_count(fields);
    let exponent = fields.default(
        "exponent",
        "How uneven: 1 is Zipf's law, 0.1 is nearly even.",
        number(0.01, 20.0),
        1.0,
        1.0,
    );
    Some(KeySpec::Zipf { count: count?, exponent: exponent? })
}

fn hot(fields: &mut Fields<'_>) -> Option<KeySpec> {
    let count = key_count(fields);
    let hot = fields.required("hot", "How many of them are hot.", integer(1..=1_000_000_000));
    let share = fields.required("share", "Share of records that go to the hot ones.", share());
    let (count, hot) = (count?, hot?);
    if hot >= count {
        let at = fields.place_of("hot").unwrap_or_else(|| fields.at());
        fields.error(&at, format!("all {count} keys would be hot"), "`hot` must be below `count`");
        return None;
    }
    Some(KeySpec::Hot { count, hot, share: share? })
}

/// Headers: names and values.
pub fn headers() -> impl Shape<Value = Vec<Property>> {
    crate::config::shape::properties("headers")
}

/// A topic's name as other keys mention it.
pub fn mention() -> impl Shape<Value = Located<String>> {
    scalar("a name", json!({"type": "string"}), |s| {
        if s.text.is_empty() {
            Err(Wrong::new("expected a name, found nothing", ""))
        } else {
            Ok(s.text.clone())
        }
    })
    .shown()
    .located()
}
