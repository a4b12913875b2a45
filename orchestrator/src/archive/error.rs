//! What can go wrong with the archive. Every variant names the file.

use std::{io, path::PathBuf};

/// An archive that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A run of this id is there already.
    #[error(
        "create the run's folder {}: it exists already; choose another --id, or leave --id away",
        path.display()
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A living controller has the run.
    #[error(
        "take over the run in {}: {holder} runs it; `mallard status` shows how far it is",
        path.display()
    )]
    Held {
        /// The run's folder.
        path: PathBuf,
        /// Who, in words.
        holder: String,
    },
    /// A name that cannot be a folder's.
    #[error(
        "use {name:?} as the name of a folder: allowed are up to {limit} letters, digits, `.`, `_`, \
         `-`, `@`, `=`, `,` and `+`, a letter or digit first"
    )]
    BadName {
        /// The name as given.
        name: String,
        /// Longest name in bytes.
        limit: usize,
    },
    /// A name that means something else in the archive.
    #[error(
        "use {name:?} as a run's id: no run can be named so, because the archive has a link or a file of \
         that name; choose another --id, or leave --id away"
    )]
    Reserved {
        /// The name as given.
        name: String,
    },
    /// The file system has no room left.
    #[error("write {}: no space left on the device; free some, or choose another --results", path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// The system's own error: no space, or a quota.
        source: io::Error,
    },
    /// Any other failure to write.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// A failure to read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// A file that does not hold what it should.
    #[error("read {}{}: {what}", path.display(), line.map(|n| format!(", line {n}")).unwrap_or_default())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Line, from 1, where one is known.
        line: Option<usize>,
        /// What is wrong.
        what: String,
    },
    /// No such run.
    #[error("find the run {name}: {why}")]
    NoRun {
        /// As given: a path, a run id or `latest`.
        name: String,
        /// Where it was looked for, and what is there.
        why: String,
    },
    /// A value that has no form in its file: a defect of Mallard.
    #[error("encode {}: {what}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder says.
        what: String,
    },
}

impl ArchiveError {
    /// A failure to write, distinguished by its cause.
    pub(crate) fn write(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoSpace { path, source }
            }
            _ => Self::Write { path, source },
        }
    }

    /// A failure to read.
    pub(crate) fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Read { path: path.into(), source }
    }

    /// A value without a form in its file.
    pub(crate) fn encode(path: impl Into<PathBuf>, what: impl ToString) -> Self {
        Self::Encode { path: path.into(), what: what.to_string() }
    }
}
