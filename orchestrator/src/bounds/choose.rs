//! Which bounds hold for a case.
//!
//! A file comes first: that of `--bounds`, else of [`CONFIG_VARIABLE`], else of `bounds:` in the scenario,
//! else [`DEFAULT_FILE`] beside it. The first two are named from outside and are taken as they are; over
//! the others are laid the keys of the scenario's `bounds:`, and then the cluster file's, because what
//! hardware can do belongs to the hardware. What `cases:` says of this very case is laid over all.

use super::{
    file,
    limits::{Limits, some},
};
use crate::config::{
    Environment,
    shape::{Fields, Located, Reader, Shape, either, entries, record, text},
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The file that is looked for where none is named.
pub const DEFAULT_FILE: &str = "benchmark_bounds.json";

/// The variable that names a file, relative to the working directory.
pub const CONFIG_VARIABLE: &str = "BENCHMARK_BOUNDS_CONFIG";

/// `bounds:` of a scenario or of a cluster file.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// A bounds file, relative to the file in which it is named.
    pub file: Option<Located<String>>,
    /// Keys that are set in place.
    pub limits: Limits,
    /// Keys that are set for some cases: pattern over the case's name, keys.
    pub cases: Vec<(Located<String>, Limits)>,
}

/// What says from outside which bounds hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// The file of `--bounds`, else of [`CONFIG_VARIABLE`].
    pub file: Option<PathBuf>,
    /// The environment of [`file::ENVIRONMENT_VARIABLE`].
    pub environment: Option<String>,
}

impl Outside {
    /// From the command line and the process's environment. A variable that is empty is not set.
    #[must_use]
    pub fn new(file: Option<&Path>, environment: Environment<'_>) -> Self {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        let file = file.map(Path::to_owned);
        Self {
            file: file.or_else(|| variable(CONFIG_VARIABLE).map(PathBuf::from)),
            environment: variable(file::ENVIRONMENT_VARIABLE),
        }
    }
}

/// The shape of `bounds:` in a scenario.
pub(crate) fn of_scenario() -> impl Shape<Value = Written> {
    either(file_name(), record("bounds", with_cases))
}

/// The shape of `bounds:` in a cluster file.
pub(crate) fn of_cluster() -> impl Shape<Value = Written> {
    either(file_name(), record("bounds", keys))
}

fn file_name() -> impl Shape<Value = Written> {
    text().located().map(|file| Written { file: Some(file), ..Written::default() })
}

fn keys(fields: &mut Fields<'_>) -> Option<Written> {
    let doc = "A bounds file, relative to this one.";
    let file = fields.optional("file", doc, text().located());
    let limits = some(fields);
    Some(Written { file: file?, limits: limits?, cases: Vec::new() })
}

fn with_cases(fields: &mut Fields<'_>) -> Option<Written> {
    let doc = "Bounds of some cases, by case name; `*` and `?` stand for anything, as in `--only`.";
    let shape = entries("bounds by case", record("bounds", some));
    let cases = fields.default("cases", doc, shape, json!({}), Vec::new());
    let written = keys(fields);
    Some(Written { cases: cases?, ..written? })
}

/// Where the bounds of a case come from.
pub(crate) struct Sources<'a> {
    /// The scenario's folder.
    pub(crate) folder: &'a Path,
    /// The scenario's `bounds:`.
    pub(crate) scenario: Option<&'a Written>,
    /// The cluster file's `bounds:`, with the file's folder.
    pub(crate) cluster: Option<(&'a Written, &'a Path)>,
    /// What is said from outside.
    pub(crate) outside: &'a Outside,
}

impl Sources<'_> {
    /// The bounds of a case; `is_case` says whether a pattern means it.
    pub(crate) fn of_case(&self, is_case: impl Fn(&str) -> bool, reader: &mut Reader) -> Limits {
        let mut limits = match &self.outside.file {
            Some(path) => self.read(path, reader),
            None => self.of_files(reader),
        };
        for (pattern, over) in self.scenario.iter().flat_map(|written| &written.cases) {
            if is_case(&pattern.value) {
                limits.lay_over(over);
            }
        }
        limits
    }

    /// What scenario and cluster file say.
    fn of_files(&self, reader: &mut Reader) -> Limits {
        let beside = self.folder.join(DEFAULT_FILE);
        let named = self.scenario.is_some_and(|written| written.file.is_some());
        let mut limits = match self.scenario {
            Some(written) if named => self.of_written(written, self.folder, reader),
            _ if beside.is_file() => self.read(&beside, reader),
            _ => Limits::default(),
        };
        if let Some(written) = self.scenario {
            limits.lay_over(&written.limits);
        }
        if let Some((written, folder)) = self.cluster {
            limits.lay_over(&self.of_written(written, folder, reader));
        }
        limits
    }

    /// The file that is named, with the keys beside the name over it.
    fn of_written(&self, written: &Written, folder: &Path, reader: &mut Reader) -> Limits {
        let mut limits = match &written.file {
            Some(file) if is_there(folder, file, reader) => {
                self.read(&folder.join(&file.value), reader)
            }
            _ => Limits::default(),
        };
        limits.lay_over(&written.limits);
        limits
    }

    fn read(&self, path: &Path, reader: &mut Reader) -> Limits {
        let environment = self.outside.environment.as_deref();
        file::read(path, environment, reader).unwrap_or_default()
    }
}

/// Whether a file that is named in another one is there; if not, that is told where it is named.
fn is_there(folder: &Path, file: &Located<String>, reader: &mut Reader) -> bool {
    let path = folder.join(&file.value);
    if path.exists() {
        return true;
    }
    let message = format!("there is no bounds file {}", path.display());
    reader.error(&file.at, message, "the name starts from the folder of the file it stands in");
    false
}
