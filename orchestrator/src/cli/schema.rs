//! `mallard schema`: the JSON Schemas of the files that users write.

use super::Outcome;
use crate::{
    config::shape::file_schema,
    scenario::{self, cluster},
};
use serde_json::Value as Json;

/// A kind of file that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SchemaOf {
    /// Scenario files.
    Scenario,
    /// Cluster files.
    Cluster,
}

/// The schema of a kind of file, as it is checked in under `schemas/`.
#[must_use]
pub fn schema_text(of: SchemaOf) -> String {
    let schema: Json = match of {
        SchemaOf::Scenario => {
            file_schema("Mallard scenario", "mallard:scenario.schema.json", &scenario::shape())
        }
        SchemaOf::Cluster => file_schema(
            "Mallard cluster file",
            "mallard:cluster.schema.json",
            &cluster::schema_shape(),
        ),
    };
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    format!("{text}\n")
}

/// Prints a schema.
#[must_use]
pub fn schema(of: SchemaOf) -> Outcome {
    Outcome::ok(schema_text(of))
}
