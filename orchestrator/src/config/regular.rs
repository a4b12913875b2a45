//! Files that somebody named: only regular ones, only up to a size.
//!
//! A pipe without a writer waits for ever when it is opened, and a device has no end. Neither is a file
//! that can be read twice, as a plan that is made again does.

use rustix::fs::OFlags;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum RegularError {
    /// The system refuses.
    #[error("cannot be read: {}", reason(.0))]
    Io(#[from] io::Error),
    /// A folder.
    #[error("is a folder, not a file")]
    Folder,
    /// A pipe, a socket or a device.
    #[error("is {0}, not a regular file")]
    Special(&'static str),
    /// More bytes than allowed.
    #[error("is too large: it has {found_bytes} bytes or more, and {limit_bytes} is the limit")]
    TooLarge {
        /// What is allowed.
        limit_bytes: u64,
        /// As many as it has, or as were read.
        found_bytes: u64,
    },
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Opens a regular file for reading, without ever waiting.
///
/// # Errors
///
/// It is missing, unreadable, a folder, or no regular file.
pub fn open(path: &Path) -> Result<File, RegularError> {
    // Looked at before it is opened: opening some devices does something already.
    check(&fs::metadata(path)?)?;
    // A pipe that has taken the file's place in the meantime is opened without waiting, and refused.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file. The limit holds for what is read, not only for what the file system says, so
/// that a growing file cannot get around it.
///
/// # Errors
///
/// As [`open`], or when the file has more bytes.
pub fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, RegularError> {
    let file = open(path)?;
    let found_bytes = file.metadata()?.len();
    if found_bytes > limit_bytes {
        return Err(RegularError::TooLarge { limit_bytes, found_bytes });
    }
    let mut bytes = Vec::new();
    file.take(limit_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(RegularError::TooLarge { limit_bytes, found_bytes: bytes.len() as u64 });
    }
    Ok(bytes)
}

fn check(facts: &fs::Metadata) -> Result<(), RegularError> {
    let kind = facts.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(RegularError::Folder);
    }
    Err(RegularError::Special(if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_pipe_without_a_writer_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let said = |path: &Path| read(path, 10).unwrap_err().to_string();
        assert_eq!(said(&pipe), "is a pipe, not a regular file");
        assert_eq!(said(Path::new("/dev/zero")), "is a device, not a regular file");
        assert_eq!(said(folder.path()), "is a folder, not a file");
    }

    #[test]
    fn the_limit_is_what_may_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, [0; 10]).unwrap();
        assert_eq!(read(&file, 10).unwrap().len(), 10);
        assert!(matches!(read(&file, 9), Err(RegularError::TooLarge { found_bytes: 10, .. })));
        // What the kernel makes up has no size before it is read.
        assert!(matches!(
            read(Path::new("/proc/self/maps"), 9),
            Err(RegularError::TooLarge { limit_bytes: 9, found_bytes: 10 })
        ));
    }
}
