//! From files to validated types: YAML with locations, every mistake at once.

use std::path::PathBuf;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Allowed, and probably not meant.
    Warning,
    /// Nothing runs until it is mended.
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
}

/// A mistake in a file, or something in it that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// Where, if it is about a place.
    pub location: Option<Location>,
    /// What is wrong: lower case, no final stop.
    pub message: String,
    /// What is allowed, the nearest name, what to do.
    pub help: Option<String>,
}
