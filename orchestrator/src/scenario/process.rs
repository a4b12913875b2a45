//! Pipelines: what a consumer does with health payloads.

use super::{health, payload::mention};
use crate::config::shape::{
    Fields, Located, Shape, either, flag, integer, record, scalar, tagged, units::Wrong, words,
};
use mallard_protocol::{
    health::{HealthFormat, HealthSpec},
    pipeline::DecodeSpec,
};
use serde_json::json;

/// Most threads of one pipeline.
const PARALLELISM_LIMIT: u64 = 256;

/// Most rows in a file, which are in memory until it is written: about half a gigabyte.
const BATCH_LIMIT: u64 = 1_000_000;

/// Rows in a file unless the scenario says otherwise.
const BATCH_DEFAULT: u32 = 10_000;

/// Most payloads in memory: half a gigabyte of five samples each.
const MEMORY_LIMIT: u64 = 300_000;

/// Payloads in memory unless the scenario says otherwise: too many for the processor's caches.
const MEMORY_DEFAULT: u64 = 10_000;

/// What a consumer does with every record.
#[derive(Clone, Debug)]
pub struct Process {
    /// How values are decoded.
    pub decode: Decode,
    /// Whether payloads and samples are validated.
    pub validate: bool,
    /// Whether types that are not known are invalid.
    pub strict: bool,
    /// Whether payloads are flattened into rows.
    pub flatten: bool,
    /// Threads that do it.
    pub parallelism: u32,
    /// Where rejected payloads go.
    pub dead_letter: Option<Located<String>>,
    /// Where rows go.
    pub rows: Rows,
}

/// How values are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decode {
    /// From a format.
    From(HealthFormat),
    /// Not in the measurement.
    Beforehand,
}

/// Where rows go.
#[derive(Clone, Debug)]
pub enum Rows {
    /// Nowhere.
    Nowhere,
    /// To a topic.
    Topic(Located<String>),
    /// To Parquet files.
    Files {
        /// Their folder, from the root.
        folder: String,
        /// Rows in each.
        batch_rows: u32,
    },
}

/// Payloads from memory.
#[derive(Clone, Debug)]
pub struct Memory {
    /// How many are made before the load.
    pub payloads: u32,
    /// What they are made of.
    pub health: HealthSpec,
}

impl Process {
    /// Topics that it writes to.
    pub fn topics(&self) -> impl Iterator<Item = &Located<String>> {
        let rows = match &self.rows {
            Rows::Topic(topic) => Some(topic),
            Rows::Nowhere | Rows::Files { .. } => None,
        };
        rows.into_iter().chain(&self.dead_letter)
    }
}

impl Decode {
    /// As agents are told.
    #[must_use]
    pub fn spec(&self) -> DecodeSpec {
        match self {
            Self::From(HealthFormat::Json) => DecodeSpec::Json,
            Self::From(HealthFormat::Avro) => DecodeSpec::Avro,
            Self::From(HealthFormat::Confluent { schema_id }) => {
                DecodeSpec::Confluent { schema_id: Some(*schema_id) }
            }
            Self::From(HealthFormat::Registry(registry)) => DecodeSpec::Registry(registry.clone()),
            Self::Beforehand => DecodeSpec::Beforehand,
        }
    }
}

/// The shape of `process`.
pub(super) fn shape() -> impl Shape<Value = Process> {
    record("a pipeline", process)
}

fn process(fields: &mut Fields<'_>) -> Option<Process> {
    let decode = fields.required(
        "decode",
        "How values are decoded; `none` decodes payloads from memory before the load.",
        decode(),
    );
    let validate = fields.default(
        "validate",
        "Whether payloads and samples are validated.",
        flag(),
        true,
        true,
    );
    let strict = fields.default(
        "strict",
        "Whether samples of types that are not known are dropped.",
        flag(),
        false,
        false,
    );
    let flatten = fields.default(
        "flatten",
        "Whether payloads become rows, one a sample.",
        flag(),
        true,
        true,
    );
    let parallelism = fields.default(
        "parallelism",
        "Threads of each instance that do it.",
        integer(1..=PARALLELISM_LIMIT).map(|n| u32::try_from(n).unwrap_or(1)),
        1,
        1,
    );
    let dead_letter = fields.optional(
        "dead_letter",
        "The topic for payloads that are rejected, with the reason in headers.",
        mention(),
    );
    let rows = fields.default(
        "rows",
        "Where rows go: nowhere, to a topic, or to Parquet files.",
        record("rows", rows),
        json!({"to": "none"}),
        Rows::Nowhere,
    );
    let (validate, strict, flatten, rows) = (validate?, strict?, flatten?, rows?);
    if !flatten && !matches!(rows, Rows::Nowhere) {
        let at = fields.place_of("rows").unwrap_or_else(|| fields.at());
        fields.error(&at, "without `flatten` there are no rows", "remove one of the two keys");
    }
    if !validate && strict {
        let at = fields.place_of("strict").unwrap_or_else(|| fields.at());
        fields.error(&at, "without `validate` nothing is strict", "remove one of the two keys");
    }
    Some(Process {
        decode: decode?,
        validate,
        strict,
        flatten,
        parallelism: parallelism?,
        dead_letter: dead_letter?,
        rows,
    })
}

fn decode() -> impl Shape<Value = Decode> {
    either(
        words([
            ("json", Decode::From(HealthFormat::Json)),
            ("avro", Decode::From(HealthFormat::Avro)),
            ("none", Decode::Beforehand),
        ]),
        health::wire_formats().map(Decode::From),
    )
}

fn rows(fields: &mut Fields<'_>) -> Option<Rows> {
    fields.required(
        "to",
        "Where rows go.",
        either(
            words([("none", Rows::Nowhere)]),
            tagged("a place for rows")
                .variant(
                    "topic",
                    "A topic: one record a row, as JSON, with the user's id as key.",
                    mention().map(Rows::Topic),
                )
                .variant(
                    "files",
                    "Parquet files on the hosts of the agents, written by each thread for itself.",
                    record("files of rows", files),
                ),
        ),
    )
}

fn files(fields: &mut Fields<'_>) -> Option<Rows> {
    let folder = fields.required(
        "folder",
        "The folder, from the root: hosts have no common place to start from. Made if need be.",
        folder(),
    );
    let batch = fields.default(
        "batch",
        "Rows in a file.",
        integer(1..=BATCH_LIMIT).map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
        10_000,
        BATCH_DEFAULT,
    );
    Some(Rows::Files { folder: folder?, batch_rows: batch? })
}

fn folder() -> impl Shape<Value = String> {
    scalar("a folder such as `/var/tmp/rows`", json!({"type": "string", "pattern": "^/"}), |s| {
        if s.text.starts_with('/') {
            Ok(s.text.clone())
        } else {
            let help = "write it from the root, such as `/var/tmp/rows`";
            Err(Wrong::new(format!("`{}` does not begin at the root", s.text), help))
        }
    })
}

/// The shape of `source`.
pub(super) fn source() -> impl Shape<Value = Memory> {
    tagged("a source").variant(
        "memory",
        "Payloads that are made before the load, and taken in turn as fast as they are processed.",
        record("payloads from memory", memory),
    )
}

fn memory(fields: &mut Fields<'_>) -> Option<Memory> {
    let payloads = fields.default(
        "payloads",
        "How many are made.",
        integer(1..=MEMORY_LIMIT).map(|n| u32::try_from(n).unwrap_or(1)),
        MEMORY_DEFAULT,
        10_000,
    );
    let health = fields.required("health", "What they are made of.", health::shape());
    Some(Memory { payloads: payloads?, health: health? })
}
