//! `events.jsonl`, read while it may still grow.

use super::ArchiveError;
use crate::model::events::TimedEvent;
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

/// A journal, event by event.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    input: BufReader<File>,
    /// A line without its end, so far.
    open_line: Vec<u8>,
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
        Ok(Self { path, input: BufReader::new(file), open_line: Vec::new() })
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
            if let Ok(event) = serde_json::from_slice(&line) {
                return Ok(Some(event));
            }
        }
    }
}
