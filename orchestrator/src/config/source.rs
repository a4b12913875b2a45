//! Files as text, under a size limit, and places in them.

use super::{
    Diagnostic, Location, Severity,
    regular::{self, RegularError},
};
use crate::text::figures::bytes_text;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Largest scenario or cluster file. A real one has a few kilobytes; what is larger is another file.
pub const FILE_LIMIT_BYTES: u64 = 1 << 20;

/// A file's text with its name.
#[derive(Debug)]
pub struct Source {
    /// The file, as the user named it.
    pub path: PathBuf,
    /// Its text, without a byte order mark.
    pub text: String,
}

impl Source {
    /// Text that did not come out of a file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { path: path.into(), text: text.into() })
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it is missing, a folder, empty, binary, not UTF-8 or larger than [`FILE_LIMIT_BYTES`].
    pub fn read(path: &Path) -> Result<Arc<Self>, Diagnostic> {
        let bytes = read_limited(path, FILE_LIMIT_BYTES)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Diagnostic::error(path, format!("is not text: byte {at} is not UTF-8"))
                .with_help("save the file as UTF-8")
        })?;
        if let Some(at) = text.find('\0') {
            return Err(Diagnostic::error(path, format!("is a binary file: byte {at} is zero")));
        }
        let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
        if text.trim().is_empty() {
            return Err(Diagnostic::error(path, "is empty")
                .with_help("see scenarios/quickstart.yaml for a scenario to begin with"));
        }
        Ok(Self::new(path, text))
    }

    /// The whole file as a place.
    #[must_use]
    pub fn whole(self: &Arc<Self>) -> Place {
        Place { source: Arc::clone(self), start: 0, end: 0, via: None }
    }
}

/// Reads a regular file's bytes unless there are too many.
///
/// # Errors
///
/// When the file is missing, unreadable, no regular file or too large.
pub fn read_limited(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, Diagnostic> {
    regular::read(path, limit_bytes).map_err(|cause| match cause {
        RegularError::TooLarge { limit_bytes, found_bytes } => {
            let limit = bytes_text(limit_bytes);
            Diagnostic::error(path, format!("is too large: {limit} is the limit"))
                .with_help(format!("the file has {} or more", bytes_text(found_bytes)))
        }
        RegularError::Special(_) => Diagnostic::error(path, cause.to_string())
            .with_help("write what it would give into a file, and name that"),
        RegularError::Io(_) | RegularError::Folder => Diagnostic::error(path, cause.to_string()),
    })
}

/// A stretch of a file's text.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// How the value came here, if not from this place: `--set rate=5`.
    pub via: Option<Arc<str>>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        (self.start, self.end, &self.source.path) == (other.start, other.end, &other.source.path)
    }
}

impl Eq for Place {}

impl Place {
    /// The text there.
    #[must_use]
    pub fn text(&self) -> &str {
        self.source.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Line of the first byte, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.source.text.as_bytes()[..self.start.min(self.source.text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// Line, column and the line's text.
    #[must_use]
    pub fn location(&self) -> Location {
        let text = &self.source.text;
        let start = floor_boundary(text, self.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor_boundary(text, self.end).clamp(start, line_end);
        Location {
            line: self.line(),
            column: text[line_start..start].chars().count() + 1,
            span: (self.start, self.end),
            text: text[line_start..line_end].trim_end_matches('\r').to_owned(),
            width: text[start..end].trim_end().chars().count().max(1),
        }
    }

    /// A part of the place: bytes `from..to` counted from its start.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Self {
        Self { start: self.start + from, end: self.start + to, ..self.clone() }
    }

    /// A diagnostic about this place.
    #[must_use]
    pub fn diagnostic(
        &self,
        severity: Severity,
        message: String,
        help: Option<String>,
    ) -> Diagnostic {
        let via = self.via.as_ref().map(|via| format!("the value comes from {via}"));
        let help = match (help, via) {
            (Some(help), Some(via)) => Some(format!("{help}; {via}")),
            (help, via) => help.or(via),
        };
        let file = self.source.path.clone();
        Diagnostic { severity, file, location: Some(Box::new(self.location())), message, help }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
