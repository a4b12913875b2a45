//! `events.jsonl`, read while it may still grow.

use super::ArchiveError;
use crate::model::events::TimedEvent;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// A journal, event by event.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    input: BufReader<File>,
    /// A line without its end, so far.
    open_line: Vec<u8>,
    /// Bytes before the next line.
    offset: u64,
}

impl Journal {
    /// Opens the journal of a run.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn open(run: &Path) -> Result<Self, ArchiveError> {
        let path = run.join("events.jsonl");
        let file = File::open(&path).map_err(|source| ArchiveError::read(&path, source))?;
        Ok(Self { path, input: BufReader::new(file), open_line: Vec::new(), offset: 0 })
    }

    /// Opens the journal of a run behind so many bytes of it, which an earlier reader has read; at its beginning if it
    /// has fewer.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn open_at(run: &Path, offset: u64) -> Result<Self, ArchiveError> {
        let mut journal = Self::open(run)?;
        if offset <= Self::end(run)? {
            let sought = journal.input.seek(SeekFrom::Start(offset));
            journal.offset = sought.map_err(|source| ArchiveError::read(&journal.path, source))?;
        }
        Ok(journal)
    }

    /// Bytes that the journal of a run has now.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn end(run: &Path) -> Result<u64, ArchiveError> {
        let path = run.join("events.jsonl");
        let facts = fs::metadata(&path).map_err(|source| ArchiveError::read(&path, source))?;
        Ok(facts.len())
    }

    /// Bytes of it that were read as whole lines.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next event; `None` if there is none yet. Lines that are no event are passed over.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn next_event(&mut self) -> Result<Option<TimedEvent>, ArchiveError> {
        loop {
            let read = self.input.read_until(b'\n', &mut self.open_line);
            read.map_err(|source| ArchiveError::read(&self.path, source))?;
            if self.open_line.last() != Some(&b'\n') {
                return Ok(None);
            }
            let line = std::mem::take(&mut self.open_line);
            self.offset += line.len() as u64;
            if let Ok(event) = serde_json::from_slice(&line) {
                return Ok(Some(event));
            }
        }
    }
}
