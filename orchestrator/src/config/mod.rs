//! From files to validated types: YAML with locations, every mistake at once.
//!
//! A file goes through four steps. [`source`] reads it under a size limit, [`yaml`] turns it into a
//! tree of located nodes, [`parameters`] puts values in the place of `$name`, and a [`shape`] reads
//! the tree into types and notes every mistake on the way. The same shapes write the JSON Schemas, so
//! that an editor and the loader cannot disagree.
//!
//! Invariant: nothing past this module sees a raw node, and no step stops at its first mistake but the
//! YAML syntax itself.

pub mod emit;
pub mod parameters;
pub mod regular;
pub mod render;
pub mod shape;
pub mod source;
pub mod yaml;

use std::path::PathBuf;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Allowed, and probably not meant.
    Warning,
    /// Nothing runs until it is fixed.
    Error,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Bytes from the start of the file: first, and first after.
    pub span: (usize, usize),
    /// The line itself, so that a message can be shown without the file.
    pub text: String,
    /// How many characters of the line, from the column on, it is about: at least 1.
    pub width: usize,
}

/// A mistake in a file, or something in it that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// Where, if it is about a place.
    pub location: Option<Box<Location>>,
    /// What is wrong: lower case, no final stop.
    pub message: String,
    /// What is allowed, the nearest name, what to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error that is about no place in a file.
    #[must_use]
    pub fn error(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            location: None,
            message: message.into(),
            help: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether nothing may run.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Puts diagnostics in the order of their files and places, and drops repetitions: two cases of one
/// scenario have most of their mistakes in common.
pub fn tidy(diagnostics: &mut Vec<Diagnostic>) {
    let place = |d: &Diagnostic| d.location.as_ref().map(|l| l.span);
    diagnostics.sort_by(|a, b| {
        (&a.file, place(a), b.severity, &a.message).cmp(&(
            &b.file,
            place(b),
            a.severity,
            &b.message,
        ))
    });
    diagnostics.dedup();
}

/// Where `${NAME}` comes from: the process's environment, or a table in tests.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's own environment.
#[must_use]
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
