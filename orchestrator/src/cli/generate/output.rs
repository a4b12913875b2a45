//! Where generated payloads go: standard output, or a file that is there whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Stdout, Write},
    path::{Path, PathBuf},
    process,
};

/// How generating ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Everything is written.
    Whole,
    /// Whoever read has had enough, as `head` has: no error.
    NobodyReads,
    /// Somebody asked for an end.
    Interrupted,
}

/// An open output.
pub(super) enum Output {
    Standard(Stdout),
    Part(Part),
}

/// A file under a temporary name, which is removed unless it was finished.
pub(super) struct Part {
    file: File,
    temporary: PathBuf,
    place: PathBuf,
    is_finished: bool,
}

impl Output {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Standard(io::stdout()));
        }
        let name = path.file_name().ok_or_else(|| io::Error::other("this is not a file's name"))?;
        let temporary =
            path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        Ok(Self::Part(Part { file, temporary, place: path.to_owned(), is_finished: false }))
    }

    /// Writes; whether anybody still reads.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<bool> {
        match self {
            Self::Part(part) => part.file.write_all(bytes).map(|()| true),
            Self::Standard(stdout) => is_read(stdout.write_all(bytes)),
        }
    }

    /// Makes it durable and puts it in its place.
    pub(super) fn close(self) -> io::Result<Ended> {
        match self {
            Self::Standard(mut stdout) => {
                Ok(if is_read(stdout.flush())? { Ended::Whole } else { Ended::NobodyReads })
            }
            Self::Part(mut part) => {
                part.file.sync_all()?;
                fs::rename(&part.temporary, &part.place)?;
                part.is_finished = true;
                Ok(Ended::Whole)
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_finished {
            // Nothing can be done about a file that does not go.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn is_read(outcome: io::Result<()>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}
