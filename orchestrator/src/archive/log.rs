//! `agents/<agent>/agent.log.gz`, `brokers/<broker>.log.gz`: logs as agents and brokers wrote them, secrets masked, compressed.

use super::{ArchiveError, file::Appender, redact::Redactor};
use flate2::{Compression, write::GzEncoder};
use std::{io::Write, path::PathBuf};

/// A log that comes in pieces.
#[derive(Debug)]
pub struct LogFile {
    file: Appender,
    /// What it has made stands in its buffer until it is written.
    encoder: GzEncoder<Vec<u8>>,
    redactor: Redactor,
    /// The last piece's unfinished line: a secret may be cut in two there.
    open_line: Vec<u8>,
}

impl LogFile {
    /// Starts a file. What a controller that died while it collected logs has left of it goes.
    pub(super) fn create(path: PathBuf, redactor: Redactor) -> Result<Self, ArchiveError> {
        let file = Appender::reopen(path, 0)?;
        let encoder = GzEncoder::new(Vec::new(), Compression::default());
        Ok(Self { file, encoder, redactor, open_line: Vec::new() })
    }

    /// Appends a piece, which may end anywhere. Secrets are masked.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn append(&mut self, piece: &[u8]) -> Result<(), ArchiveError> {
        let end = piece.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (whole, open) = piece.split_at(end);
        if !whole.is_empty() {
            self.open_line.extend_from_slice(whole);
            let lines = std::mem::take(&mut self.open_line);
            self.compress(&lines)?;
        }
        self.open_line.extend_from_slice(open);
        Ok(())
    }

    /// Writes the last line, if it has no end yet, and makes the log durable.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), ArchiveError> {
        if !self.open_line.is_empty() {
            self.append(b"\n")?;
        }
        let ended = self.encoder.try_finish();
        ended.map_err(|error| ArchiveError::encode(self.file.path(), error))?;
        self.write()?;
        self.file.sync()
    }

    fn compress(&mut self, lines: &[u8]) -> Result<(), ArchiveError> {
        let taken = self.encoder.write_all(&self.redactor.bytes(lines));
        taken.map_err(|error| ArchiveError::encode(self.file.path(), error))?;
        self.write()
    }

    fn write(&mut self) -> Result<(), ArchiveError> {
        self.file.append_bytes(&std::mem::take(self.encoder.get_mut()))
    }
}

/// A log, or what fits of it into a limit: head and tail in whole lines, with a line between them that
/// says how much is left out.
#[must_use]
pub fn head_and_tail(log: &[u8], limit_bytes: usize) -> Vec<u8> {
    if log.len() <= limit_bytes {
        return log.to_vec();
    }
    let half = limit_bytes / 2;
    let head_end = log[..half].iter().rposition(|byte| *byte == b'\n').map_or(half, |at| at + 1);
    let tail = &log[log.len() - half..];
    let tail_start = tail.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let tail = &tail[tail_start..];
    let left_out = log.len() - head_end - tail.len();
    let between =
        format!("[{left_out} bytes are left out here: the log is longer than its limit]\n");
    [&log[..head_end], between.as_bytes(), tail].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_head_and_tail_in_whole_lines_and_says_how_much_is_missing() {
        let log: String = (0..1_000).map(|i| format!("line {i}\n")).collect();
        assert_eq!(head_and_tail(log.as_bytes(), log.len()), log.as_bytes());
        let short = String::from_utf8(head_and_tail(log.as_bytes(), 400)).unwrap();
        assert!(
            short.starts_with("line 0\nline 1\n") && short.ends_with("\nline 999\n"),
            "{short}"
        );
        let gap = short.lines().find(|line| line.starts_with('[')).unwrap();
        let left_out: usize = gap[1..].split(' ').next().unwrap().parse().unwrap();
        assert_eq!(short.len() - gap.len() - 1 + left_out, log.len());
        assert!(short.lines().all(|line| line == gap || log.contains(&format!("{line}\n"))));
    }
}
