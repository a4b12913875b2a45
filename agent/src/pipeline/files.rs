//! Rows in files: every worker writes its own, a batch each, so that workers never wait for one another.

use mallard_health::{flatten::Row, parquet::RowBatch};
use std::{
    fs::{self, OpenOptions},
    io,
    path::PathBuf,
};

/// The files of one worker.
pub(super) struct Files {
    pub(super) folder: PathBuf,
    /// What their names begin with: run, consumer and worker.
    pub(super) prefix: String,
    /// Rows in a file.
    pub(super) batch_rows: usize,
    pub(super) waiting: RowBatch,
    /// How many of these are of payloads that were due in each phase.
    pub(super) of_phases: Vec<u64>,
    /// Files written.
    pub(super) written: u64,
}

impl Files {
    /// Adds rows of a payload that was due in a phase, and writes a file when there are enough. Returns
    /// how many rows were written, by phase.
    pub(super) fn add(&mut self, rows: &[Row<'_>], phase: usize) -> io::Result<Vec<u64>> {
        rows.iter().for_each(|row| self.waiting.push(row));
        if self.of_phases.len() <= phase {
            self.of_phases.resize(phase + 1, 0);
        }
        self.of_phases[phase] += rows.len() as u64;
        if self.waiting.len() < self.batch_rows { Ok(Vec::new()) } else { self.write() }
    }

    /// Writes what waits. A file is there whole or not at all.
    pub(super) fn write(&mut self) -> io::Result<Vec<u64>> {
        let batch = std::mem::take(&mut self.waiting);
        let of_phases = std::mem::take(&mut self.of_phases);
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let name = format!("{}-{:06}.parquet", self.prefix, self.written);
        self.written += 1;
        let temporary = self.folder.join(format!(".{name}.part"));
        let outcome = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .and_then(|file| batch.write(file).map_err(io::Error::other))
            .and_then(|()| fs::rename(&temporary, self.folder.join(&name)));
        if let Err(error) = outcome {
            // The first error is the one to tell.
            let _ = fs::remove_file(&temporary);
            return Err(io::Error::new(
                error.kind(),
                format!("{}: {error}", self.folder.join(name).display()),
            ));
        }
        Ok(of_phases)
    }
}
