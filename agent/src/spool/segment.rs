//! One file of the spool: entries one after the other, in rising sequence.
//!
//! An entry is a header of 16 bytes (length of the frame, CRC-32 of sequence and frame, sequence; all
//! big-endian) and the frame. A file that was cut is good up to the cut.

use super::crc::crc32;
use mallard_protocol::frame::MAX_FRAME_BYTES;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Ends the names of a spool's files.
pub(super) const SUFFIX: &str = "spool";

const HEADER_BYTES: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Entry {
    sequence: u64,
    offset: u64,
    length: usize,
}

/// An open file of the spool.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    bytes: u64,
}

impl Segment {
    /// Makes the file that begins with a sequence.
    pub(super) fn create(folder: &Path, first: u64) -> io::Result<Self> {
        let path = folder.join(format!("{first:020}.{SUFFIX}"));
        let file = OpenOptions::new().create_new(true).read(true).append(true).open(&path)?;
        Ok(Self { path, file, entries: Vec::new(), bytes: 0 })
    }

    /// Opens a file of an earlier process, cuts off what is not whole, and says how many bytes that
    /// were.
    pub(super) fn recover(path: &Path) -> io::Result<(Self, u64)> {
        let content = fs::read(path)?;
        let file = OpenOptions::new().read(true).append(true).open(path)?;
        let mut segment = Self { path: path.to_path_buf(), file, entries: Vec::new(), bytes: 0 };
        let mut rest = content.as_slice();
        while let Some((sequence, length)) = whole_entry(rest) {
            if segment.last().is_some_and(|last| sequence <= last) {
                break;
            }
            segment.note(sequence, length);
            rest = &rest[HEADER_BYTES + length..];
        }
        let cut = rest.len() as u64;
        if cut > 0 {
            segment.file.set_len(segment.bytes)?;
        }
        Ok((segment, cut))
    }

    /// Writes an entry. After a failure the file is as it was before.
    pub(super) fn append(&mut self, sequence: u64, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + frame.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(frame);
        let checksum = crc32(&bytes[8..]);
        bytes[4..8].copy_from_slice(&checksum.to_be_bytes());
        if let Err(error) = self.file.write_all(&bytes) {
            let _ = self.file.set_len(self.bytes);
            return Err(error);
        }
        self.note(sequence, frame.len());
        Ok(())
    }

    /// The first entry at or after a sequence.
    pub(super) fn next_from(&self, sequence: u64) -> Option<io::Result<(u64, Vec<u8>)>> {
        let at = self.entries.partition_point(|entry| entry.sequence < sequence);
        let entry = self.entries.get(at)?;
        let mut frame = vec![0; entry.length];
        let read = self.file.read_exact_at(&mut frame, entry.offset);
        Some(read.map(|()| (entry.sequence, frame)))
    }

    /// Sequence of the first entry.
    pub(super) fn first(&self) -> Option<u64> {
        self.entries.first().map(|entry| entry.sequence)
    }

    /// Sequence of the last entry.
    pub(super) fn last(&self) -> Option<u64> {
        self.entries.last().map(|entry| entry.sequence)
    }

    /// Size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Removes the file.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }

    fn note(&mut self, sequence: u64, length: usize) {
        let offset = self.bytes + HEADER_BYTES as u64;
        self.entries.push(Entry { sequence, offset, length });
        self.bytes = offset + length as u64;
    }
}

/// Sequence and frame length of the entry that some bytes begin with, if it is whole.
fn whole_entry(bytes: &[u8]) -> Option<(u64, usize)> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let length = u32::from_be_bytes(header[..4].try_into().ok()?) as usize;
    let checksum = u32::from_be_bytes(header[4..8].try_into().ok()?);
    let whole = length <= MAX_FRAME_BYTES + 4 && length <= rest.len();
    let sound = whole && crc32(&bytes[8..HEADER_BYTES + length]) == checksum;
    let sequence = u64::from_be_bytes(header[8..].try_into().ok()?);
    sound.then_some((sequence, length))
}
