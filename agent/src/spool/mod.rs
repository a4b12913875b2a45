//! Intervals on disk, from when they are measured until the controller has them.
//!
//! Invariants: entries come back in the order of their sequences, each whole or not at all; what was
//! appended is there after the process died, however it died (the kernel has it; a power cut may take
//! the last seconds, which is the price for not making the disk wait every second); the files never
//! take more than [`Limits::disk_bytes`]. If that is not enough, the oldest entries go, and it is said
//! which. A disk that refuses an entry costs nothing as long as memory within
//! [`Limits::memory_bytes`] can bear it.

mod crc;
mod segment;

use segment::Segment;
use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

/// How much a spool may take, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All files together. The oldest file goes first.
    pub disk_bytes: u64,
    /// A file that reaches this is followed by a new one. Only whole files are let go of.
    pub segment_bytes: u64,
    /// Entries that the disk refused.
    pub memory_bytes: usize,
}

/// The limits of an agent. 256 MiB are more than an hour of an agent with 1,000 busy partitions and
/// many days of one with six; a controller that collects needs a few files.
pub const LIMITS: Limits = Limits {
    disk_bytes: 256 * 1024 * 1024,
    segment_bytes: 8 * 1024 * 1024,
    memory_bytes: 32 * 1024 * 1024,
};

/// What came of an append.
#[derive(Debug, Default)]
pub struct Appended {
    /// Sequences that were given up to stay within the limits; others may lie between, if there were
    /// gaps.
    pub dropped: Option<Range<u64>>,
    /// Why the disk refused the entry. It is in memory then.
    pub refused: Option<io::Error>,
}

/// Intervals in waiting.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    limits: Limits,
    segments: VecDeque<Segment>,
    memory: BTreeMap<u64, Vec<u8>>,
    end: u64,
}

impl Spool {
    /// Opens a spool, with what an earlier process left in it. Returns the bytes cut off from files that
    /// were not whole.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path, limits: Limits) -> io::Result<(Self, u64)> {
        fs::create_dir_all(folder)?;
        let mut segments = VecDeque::new();
        let mut cut = 0;
        for path in files(folder)? {
            let (segment, bytes) = Segment::recover(&path)?;
            cut += bytes;
            if segment.first().is_some() { segments.push_back(segment) } else { segment.remove() }
        }
        let end = segments.iter().filter_map(Segment::last).max().map_or(0, |last| last + 1);
        let folder = folder.to_path_buf();
        Ok((Self { folder, limits, segments, memory: BTreeMap::new(), end }, cut))
    }

    /// Adds an entry: an encoded frame. Sequences rise; one that does not is passed over.
    pub fn append(&mut self, sequence: u64, frame: &[u8]) -> Appended {
        if sequence < self.end {
            return Appended::default();
        }
        self.end = sequence + 1;
        let refused = self.append_to_disk(sequence, frame).err();
        if refused.is_some() {
            self.memory.insert(sequence, frame.to_vec());
        }
        Appended { dropped: self.keep_limits(), refused }
    }

    /// The first entry at or after a sequence. An entry that cannot be read any more is passed over.
    #[must_use]
    pub fn next_from(&self, sequence: u64) -> Option<(u64, Vec<u8>)> {
        let on_disk = self.next_on_disk(sequence);
        let in_memory = self.memory.range(sequence..).next();
        match (on_disk, in_memory) {
            (Some(disk), Some((at, _))) if disk.0 < *at => Some(disk),
            (_, Some((at, frame))) => Some((*at, frame.clone())),
            (disk, None) => disk,
        }
    }

    /// Lets go of entries before a sequence. Files go when nothing in them is needed any more.
    pub fn collected(&mut self, resume_at: u64) {
        self.memory = self.memory.split_off(&resume_at);
        while self.segments.front().is_some_and(|s| s.last().is_none_or(|last| last < resume_at)) {
            self.drop_oldest();
        }
    }

    /// One beyond the sequence of the last entry.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.memory.is_empty()
    }

    /// Forgets everything, for a case that starts at sequence 0.
    pub fn clear(&mut self) {
        while !self.segments.is_empty() {
            self.drop_oldest();
        }
        self.memory.clear();
        self.end = 0;
    }

    fn append_to_disk(&mut self, sequence: u64, frame: &[u8]) -> io::Result<()> {
        let full = self.segments.back().is_none_or(|s| s.bytes() >= self.limits.segment_bytes);
        if full {
            self.segments.push_back(Segment::create(&self.folder, sequence)?);
        }
        match self.segments.back_mut() {
            Some(segment) => segment.append(sequence, frame),
            None => Ok(()),
        }
    }

    fn next_on_disk(&self, sequence: u64) -> Option<(u64, Vec<u8>)> {
        let mut sequence = sequence;
        loop {
            let at = self.segments.partition_point(|s| s.last().is_none_or(|last| last < sequence));
            match self.segments.get(at)?.next_from(sequence)? {
                Ok(entry) => return Some(entry),
                Err(_) => sequence += 1,
            }
        }
    }

    fn keep_limits(&mut self) -> Option<Range<u64>> {
        let mut dropped: Option<Range<u64>> = None;
        let mut note = |first: u64, last: u64| match &mut dropped {
            Some(range) => *range = range.start.min(first)..range.end.max(last + 1),
            None => dropped = Some(first..last + 1),
        };
        let on_disk = |spool: &Self| spool.segments.iter().map(Segment::bytes).sum::<u64>();
        while self.segments.len() > 1 && on_disk(self) > self.limits.disk_bytes {
            if let Some((first, last)) = self.drop_oldest() {
                note(first, last);
            }
        }
        let in_memory = |spool: &Self| spool.memory.values().map(Vec::len).sum::<usize>();
        while self.memory.len() > 1 && in_memory(self) > self.limits.memory_bytes {
            if let Some((sequence, _)) = self.memory.pop_first() {
                note(sequence, sequence);
            }
        }
        dropped
    }

    fn drop_oldest(&mut self) -> Option<(u64, u64)> {
        let segment = self.segments.pop_front()?;
        let range = segment.first().zip(segment.last());
        segment.remove();
        range
    }
}

/// Removes the files of a spool.
pub fn remove_files(folder: &Path) {
    for path in files(folder).unwrap_or_default() {
        let _ = fs::remove_file(path);
    }
}

/// The files of a spool, in the order of their sequences.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == segment::SUFFIX) {
            paths.push(path);
        }
    }
    // The names are sequences, padded with zeros.
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests;
