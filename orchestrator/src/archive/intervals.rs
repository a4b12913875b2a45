//! `agents/<agent>/intervals`: what an agent reported, interval by interval, as it came.
//!
//! Everything else that a case measures follows from these reports, so a controller that takes over a
//! case whose controller died reads them back and knows what that one knew. An agent lets go of an
//! interval only after it stands here.
//!
//! The file is one line of text (who wrote it), then a block for each report: four bytes of length,
//! big-endian, and the report in postcard's format, deflated (zlib). No block needs another one, so a
//! file that was cut is good up to the cut. In archives of runs a quarter to three fifths of the bytes
//! are left, of large reports up to four fifths; a window that all reports share leaves as much, and the
//! greatest effort little less.

use super::{ArchiveError, file::Appender};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use mallard_protocol::{
    BUILD_ID, PROTOCOL_VERSION,
    frame::{self, MAX_FRAME_BYTES},
    interval::IntervalReport,
};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

/// Name of the file in an agent's folder.
pub const FILE: &str = "intervals";

/// Longest first line in bytes.
const HEADER_LIMIT: u64 = 1024;

/// Bytes of a block's length.
const PREFIX_BYTES: usize = 4;

/// A report of so many bytes, with about a thousand partitions, is deflated with the least effort, which takes
/// half the time and leaves a quarter more: a hundred agents may send one a second.
const LARGE_BYTES: usize = 32 << 10;

/// Longest block: what cannot be made shorter gets a few bytes longer.
const MAX_BLOCK_BYTES: usize = MAX_FRAME_BYTES + MAX_FRAME_BYTES / 1024;

/// The agents of a case that left reports, with their files, by name.
///
/// # Errors
///
/// When the case's folder cannot be listed.
pub fn files(case: &Path) -> Result<Vec<(String, PathBuf)>, ArchiveError> {
    let folder = case.join("agents");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(ArchiveError::read(folder, source)),
    };
    let named = entries
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path().join(FILE)));
    let mut files: Vec<_> = named.filter(|(_, path)| path.is_file()).collect();
    files.sort();
    Ok(files)
}

/// Writes an agent's reports.
#[derive(Debug)]
pub struct IntervalLog {
    file: Appender,
}

impl IntervalLog {
    /// Starts the file, which must not exist.
    pub(super) fn create(path: PathBuf) -> Result<Self, ArchiveError> {
        let mut file = Appender::create(path)?;
        file.append_bytes(header().as_bytes())?;
        Ok(Self { file })
    }

    /// Goes on with a file of which so many bytes are whole.
    pub(super) fn reopen(path: PathBuf, whole_bytes: u64) -> Result<Self, ArchiveError> {
        Ok(Self { file: Appender::reopen(path, whole_bytes)? })
    }

    /// Appends a report. When this returns, the whole of it is in the file: nothing waits for the next.
    ///
    /// # Errors
    ///
    /// When it cannot be written. What was written of it is cut off again.
    pub fn append(&mut self, report: &IntervalReport) -> Result<(), ArchiveError> {
        let block = block(report).map_err(|error| ArchiveError::encode(self.file.path(), error))?;
        self.file.append_bytes(&block)
    }
}

fn header() -> String {
    format!("mallard intervals, deflated, protocol {PROTOCOL_VERSION}, build {BUILD_ID}\n")
}

/// A report as it stands in the file.
fn block(report: &IntervalReport) -> io::Result<Vec<u8>> {
    let frame = frame::encode(report).map_err(io::Error::other)?;
    let effort = if frame.len() < LARGE_BYTES { 2 } else { 1 };
    let mut deflated = ZlibEncoder::new(vec![0; PREFIX_BYTES], Compression::new(effort));
    deflated.write_all(&frame[PREFIX_BYTES..])?;
    let mut block = deflated.finish()?;
    let length = u32::try_from(block.len() - PREFIX_BYTES).map_err(io::Error::other)?;
    block[..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(block)
}

/// Reads an agent's reports back, in order.
#[derive(Debug)]
pub struct IntervalReader {
    /// None once nothing whole comes any more.
    input: Option<BufReader<File>>,
    whole_bytes: u64,
}

impl IntervalReader {
    /// Opens a file. One that is missing has no reports.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or another build wrote it.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { input: None, whole_bytes: 0 });
            }
            Err(source) => return Err(ArchiveError::read(path, source)),
        };
        let mut input = BufReader::new(file);
        let mut line = Vec::new();
        let begun = (&mut input).take(HEADER_LIMIT).read_until(b'\n', &mut line);
        let bytes = begun.map_err(|source| ArchiveError::read(path, source))?;
        if line.last() != Some(&b'\n') {
            return Ok(Self { input: None, whole_bytes: 0 });
        }
        if line != header().as_bytes() {
            return Err(ArchiveError::Damaged {
                path: path.to_owned(),
                line: Some(1),
                what: format!("another build wrote it, and this is build {BUILD_ID}"),
            });
        }
        Ok(Self { input: Some(input), whole_bytes: bytes as u64 })
    }

    /// How many bytes the whole reports take that were read so far, the first line included.
    #[must_use]
    pub fn whole_bytes(&self) -> u64 {
        self.whole_bytes
    }
}

impl Iterator for IntervalReader {
    type Item = IntervalReport;

    fn next(&mut self) -> Option<IntervalReport> {
        let next = self.input.as_mut().and_then(next);
        match next {
            Some((report, bytes)) => {
                self.whole_bytes += bytes;
                Some(report)
            }
            None => {
                self.input = None;
                None
            }
        }
    }
}

/// The next whole report and its bytes.
fn next(input: &mut BufReader<File>) -> Option<(IntervalReport, u64)> {
    let mut prefix = [0; PREFIX_BYTES];
    input.read_exact(&mut prefix).ok()?;
    let length = u32::from_be_bytes(prefix);
    if length as usize > MAX_BLOCK_BYTES {
        return None;
    }
    let mut deflated = Vec::new();
    let read = input.take(u64::from(length)).read_to_end(&mut deflated).ok()?;
    if read != length as usize {
        return None;
    }
    // What a damaged block would swell to is bounded, too.
    let mut body = Vec::new();
    let limit = MAX_FRAME_BYTES as u64;
    ZlibDecoder::new(deflated.as_slice()).take(limit).read_to_end(&mut body).ok()?;
    Some((frame::decode(&body).ok()?, PREFIX_BYTES as u64 + u64::from(length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::simulate::{Fate, Shape, reports};

    fn report(sequence: u64) -> IntervalReport {
        IntervalReport { sequence, ..IntervalReport::default() }
    }

    fn sequences(path: &Path) -> (Vec<u64>, u64) {
        let mut reader = IntervalReader::open(path).unwrap();
        let seen = reader.by_ref().map(|report| report.sequence).collect();
        (seen, reader.whole_bytes())
    }

    #[test]
    fn a_file_that_was_cut_is_good_up_to_the_cut_and_goes_on_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(sequences(&path), (vec![], 0));
        let mut log = IntervalLog::create(path.clone()).unwrap();
        (0..3).for_each(|at| log.append(&report(at)).unwrap());
        let bytes = fs::read(&path).unwrap();
        assert_eq!(sequences(&path), (vec![0, 1, 2], bytes.len() as u64));
        for cut in 0..bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let (seen, whole) = sequences(&path);
            assert!(seen.len() < 3 && whole <= cut as u64, "cut at {cut}");
            let next = seen.len() as u64;
            if whole > 0 {
                let mut log = IntervalLog::reopen(path.clone(), whole).unwrap();
                log.append(&report(next)).unwrap();
                assert_eq!(sequences(&path).0, (0..=next).collect::<Vec<_>>(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn reports_take_less_than_their_frames_and_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let plan = Shape { agents: 1, partitions: 100, ..Shape::default() }.plan();
        let reports = reports(&plan, |_, _| Fate::default());
        let reports: Vec<_> = reports.into_iter().map(|(_, report)| report).collect();
        let mut log = IntervalLog::create(path.clone()).unwrap();
        reports.iter().for_each(|report| log.append(report).unwrap());
        let read: Vec<_> = IntervalReader::open(&path).unwrap().collect();
        assert_eq!(read, reports);
        let frames: usize = reports.iter().map(|report| frame::encode(report).unwrap().len()).sum();
        let bytes = fs::metadata(&path).unwrap().len();
        assert!(bytes < frames as u64 / 2, "{bytes} of {frames} bytes");
    }

    #[test]
    fn what_another_build_wrote_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "mallard intervals, protocol 0, build other\n").unwrap();
        let error = IntervalReader::open(&path).unwrap_err().to_string();
        assert!(error.contains("another build"), "{error}");
    }
}
