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
    use std::{fs, path::Path};

    #[test]
    fn the_schemas_that_are_checked_in_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
        for (name, text) in [("run", super::run()), ("result", super::result())] {
            let path = folder.join(format!("{name}.schema.json"));
            if std::env::var_os("MALLARD_BLESS").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, &text).unwrap();
            }
            let checked_in = fs::read_to_string(&path).unwrap_or_default();
            assert!(checked_in == text, "{name}: run the tests with MALLARD_BLESS=1");
        }
    }
}
