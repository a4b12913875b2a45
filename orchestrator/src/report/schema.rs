//! JSON Schemas of `run.json` and `result.json`, made from the types and checked in under `schemas/`.

use crate::model::result::{CaseResult, RunResult};
use schemars::{JsonSchema, generate::SchemaSettings};

/// Schema of `run.json`.
#[must_use]
pub fn run() -> String {
    schema::<RunResult>("Mallard: run.json")
}

/// Schema of `result.json`.
#[must_use]
pub fn result() -> String {
    schema::<CaseResult>("Mallard: result.json")
}

fn schema<T: JsonSchema>(title: &str) -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_schemas_that_are_checked_in_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
        for (name, text) in [("run", super::run()), ("result", super::result())] {
            testkit::snapshot::hold(&folder.join(format!("{name}.schema.json")), &text);
        }
    }
}
