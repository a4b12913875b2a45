//! The agent's log: one file in the run folder, capped.
//!
//! Invariants: the file never holds more than [`LOG_CAP_BYTES`] and a line; its head (how everything
//! began) and its tail (what happened last) are what is kept; a secret is never written, because nobody
//! hands one in.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use mallard_protocol::message::Level;

/// Largest log in bytes. A soak of days at a few lines a minute stays far below; a log beyond it is
/// somebody repeating himself, and must not fill the disk of the machine that is being measured.
pub const LOG_CAP_BYTES: u64 = 16 * 1024 * 1024;

/// Of a log that reached its cap, how many bytes of its beginning and of its end are kept.
const KEPT_BYTES: u64 = LOG_CAP_BYTES / 4;

/// Largest line in bytes; a longer one is cut.
const LINE_CAP_BYTES: usize = 4096;

static LOG: Mutex<Option<Log>> = Mutex::new(None);

/// Makes a file the log of this process. Before that, and without, lines go nowhere.
///
/// # Errors
/// The file cannot be opened.
pub fn install(path: &Path) -> io::Result<()> {
    let log = Log::open(path, LOG_CAP_BYTES, KEPT_BYTES)?;
    *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
    Ok(())
}

/// Writes a line. A disk that refuses it costs the line and nothing else.
pub fn line(level: Level, text: &str) {
    if let Some(log) = LOG.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        let _ = log.line(level, text);
    }
}

/// Writes a line of good news.
pub fn info(text: impl AsRef<str>) {
    line(Level::Info, text.as_ref());
}

/// Writes a line of doubt.
pub fn warn(text: impl AsRef<str>) {
    line(Level::Warning, text.as_ref());
}

/// Writes a line of bad news.
pub fn error(text: impl AsRef<str>) {
    line(Level::Error, text.as_ref());
}

/// Reads a log, at most `limit_bytes` of it: of a longer one the head and the tail, with a line between
/// them that says how much is missing.
///
/// # Errors
/// The file cannot be read.
pub fn head_and_tail(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if length <= limit_bytes {
        return read_range(&mut file, 0, length);
    }
    let marker = gap_marker(length - limit_bytes);
    let room = limit_bytes.saturating_sub(marker.len() as u64);
    let mut bytes = read_range(&mut file, 0, room / 2)?;
    bytes.extend_from_slice(marker.as_bytes());
    let tail = room - room / 2;
    bytes.extend(read_range(&mut file, length - tail, tail)?);
    bytes.truncate(usize::try_from(limit_bytes).unwrap_or(usize::MAX));
    Ok(bytes)
}

fn gap_marker(bytes: u64) -> String {
    format!("\n[about {bytes} bytes are left out here: the log is longer than its limit]\n")
}

fn read_range(file: &mut File, from: u64, bytes: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut piece = Vec::new();
    file.take(bytes).read_to_end(&mut piece)?;
    Ok(piece)
}

/// An open log file.
struct Log {
    file: File,
    cap_bytes: u64,
    kept_bytes: u64,
}

impl Log {
    fn open(path: &Path, cap_bytes: u64, kept_bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        Ok(Self { file, cap_bytes, kept_bytes })
    }

    fn line(&mut self, level: Level, text: &str) -> io::Result<()> {
        let level = match level {
            Level::Info => "info ",
            Level::Warning => "warn ",
            Level::Error => "error",
        };
        let mut line = format!("{} {level} {text}", utc(SystemTime::now()));
        if line.len() > LINE_CAP_BYTES {
            let end = (0..=LINE_CAP_BYTES).rev().find(|at| line.is_char_boundary(*at));
            line.truncate(end.unwrap_or(0));
            line.push_str(" […]");
        }
        line = line.replace('\n', "\n    ");
        line.push('\n');
        // One write a line, so that a reader never sees half of one.
        self.file.write_all(line.as_bytes())?;
        if self.file.metadata()?.len() > self.cap_bytes { self.shorten() } else { Ok(()) }
    }

    /// Takes the middle out. The file stays the same one, because stderr points at it as well.
    fn shorten(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let tail = read_range(&mut self.file, length - self.kept_bytes, self.kept_bytes)?;
        self.file.set_len(self.kept_bytes)?;
        self.file.write_all(gap_marker(length - 2 * self.kept_bytes).as_bytes())?;
        self.file.write_all(&tail)
    }
}

/// A moment as `2026-01-31T23:59:59.123Z`.
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let ms = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar. The algorithm is Howard
/// Hinnant's `civil_from_days` ("chrono-Compatible Low-Level Date Algorithms"), for days after 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Duration};

    #[test]
    fn a_log_beyond_its_cap_keeps_head_and_tail_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.log");
        let mut log = Log::open(&path, 2000, 500).unwrap();
        for i in 0..1000 {
            log.line(Level::Info, &format!("line {i}")).unwrap();
            assert!(fs::metadata(&path).unwrap().len() <= 2000);
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("line 0\n") && text.contains("line 999\n"), "{text}");
        assert!(text.contains("bytes are left out here"), "{text}");
    }

    #[test]
    fn head_and_tail_fit_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.log");
        let text: String = (0..200).map(|i| format!("line {i}\n")).collect();
        fs::write(&path, &text).unwrap();
        assert_eq!(head_and_tail(&path, 100_000).unwrap(), text.as_bytes());
        let cut = String::from_utf8(head_and_tail(&path, 400).unwrap()).unwrap();
        assert!(cut.len() <= 400, "{}", cut.len());
        assert!(cut.starts_with("line 0\n") && cut.ends_with("line 199\n"), "{cut}");
        assert!(cut.contains("left out"), "{cut}");
        assert!(head_and_tail(&path, 10).unwrap().len() <= 10);
    }

    #[test]
    fn times_are_written_as_utc() {
        let at = |s, ms| utc(UNIX_EPOCH + Duration::from_secs(s) + Duration::from_millis(ms));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_827_696, 7), "2000-02-29T12:34:56.007Z");
        assert_eq!(at(1_798_761_599, 999), "2026-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.log");
        let mut log = Log::open(&path, LOG_CAP_BYTES, KEPT_BYTES).unwrap();
        log.line(Level::Error, &"ä".repeat(100_000)).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 5000);
    }
}
