//! The two ways in which a file of the archive comes to be: growing by whole lines, or all at once
//! under a temporary name.

use super::ArchiveError;
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// Longest name of a run or case: file systems take 255 bytes, and suffixes are added to it.
pub(super) const NAME_LIMIT: usize = 160;

/// A file that grows while the run goes on. What is in it is always a number of whole lines.
#[derive(Debug)]
pub(super) struct Appender {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    len: u64,
}

impl Appender {
    /// Creates the file, which must not exist.
    pub(super) fn create(path: PathBuf) -> Result<Self, ArchiveError> {
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file, len: 0 }),
            Err(source) => Err(ArchiveError::write(path, source)),
        }
    }

    /// Opens a file of which so many bytes are whole, and cuts off the rest. It may be missing if none
    /// are.
    pub(super) fn reopen(path: PathBuf, whole_bytes: u64) -> Result<Self, ArchiveError> {
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        let cut = opened.and_then(|file| file.set_len(whole_bytes).map(|()| file));
        match cut {
            Ok(file) => Ok(Self { path, file, len: whole_bytes }),
            Err(source) => Err(ArchiveError::write(path, source)),
        }
    }

    /// Appends whole lines in one write. If that fails, what was written of them is cut off again.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), ArchiveError> {
        debug_assert!(lines.last().is_none_or(|byte| *byte == b'\n'));
        self.append_bytes(lines)
    }

    /// Appends bytes, in the same manner.
    pub(super) fn append_bytes(&mut self, lines: &[u8]) -> Result<(), ArchiveError> {
        if let Err(source) = self.file.write_all(lines) {
            // The first error is the one to report; a second one here changes nothing for the user.
            let _ = self.file.set_len(self.len);
            return Err(ArchiveError::write(&self.path, source));
        }
        self.len += lines.len() as u64;
        Ok(())
    }

    /// Makes sure that it survives a power cut.
    pub(super) fn sync(&self) -> Result<(), ArchiveError> {
        self.file.sync_data().map_err(|source| ArchiveError::write(&self.path, source))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes a file under a temporary name beside its place, makes it durable, and renames it. Readers
/// see the old file or the new one; after a failure no part of the new one stays.
///
/// # Errors
///
/// When the folder cannot be written or the disk is full; the error names `path`.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
    let temporary = temporary_beside(path);
    let written = write_durably(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = written {
        let _ = fs::remove_file(&temporary);
        return Err(ArchiveError::write(path, source));
    }
    sync_folder_of(path);
    Ok(())
}

/// Puts a symbolic link in place of the one that is there, in one step.
pub(super) fn replace_link(path: &Path, target: &str) -> Result<(), ArchiveError> {
    let temporary = temporary_beside(path);
    let linked =
        std::os::unix::fs::symlink(target, &temporary).and_then(|()| fs::rename(&temporary, path));
    linked.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        ArchiveError::write(path, source)
    })
}

/// Removes a file if it is there.
pub(super) fn remove(path: &Path) -> Result<(), ArchiveError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(ArchiveError::write(path, source))
        }
        _ => Ok(()),
    }
}

/// Makes a folder, which must not exist; its parents may.
pub(super) fn create_folder(path: &Path) -> Result<(), ArchiveError> {
    fs::create_dir(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => ArchiveError::Exists { path: path.to_owned() },
        _ => ArchiveError::write(path, source),
    })
}

/// Checks that a name is one step of a path, and nothing that a shell, a URL or `--only` trips over.
pub(super) fn check_name(name: &str) -> Result<(), ArchiveError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-@=,+".contains(c);
    let good = name.len() <= NAME_LIMIT
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(allowed);
    let refuse = || ArchiveError::BadName { name: name.to_owned(), limit: NAME_LIMIT };
    good.then_some(()).ok_or_else(refuse)
}

fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A rename is durable once its folder is. Some file systems refuse to sync a folder; that is theirs.
fn sync_folder_of(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

/// Unique among processes and threads; ends in `.part`, which git and the index ignore.
fn temporary_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{number}.part", process::id()))
}

/// Writes JSON for people and programs: indented, a line break at the end.
pub(crate) fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), ArchiveError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| ArchiveError::encode(path, error))?;
    bytes.push(b'\n');
    write_whole(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_with_its_file_and_leaves_no_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.csv");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        let error = Appender { path: path.clone(), file, len: 0 }.append(b"a,b\n").unwrap_err();
        assert!(matches!(error, ArchiveError::NoSpace { .. }), "{error:?}");
        assert!(error.to_string().contains("series.csv: no space left"), "{error}");
    }

    #[test]
    fn a_file_written_whole_replaces_the_old_one_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        write_whole(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_whole(&folder.path().join("missing/run.json"), b"x").is_err());
    }

    #[test]
    fn names_that_leave_the_archive_are_refused() {
        for name in ["", ".", "..", "../x", "a/b", "-x", ".hidden", "a b", "a\nb", "ä"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["steady", "steady@codec=gzip,rate=5000", "20260101-000000-a-00ff", "a.b+c_d"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
        assert!(check_name(&"x".repeat(NAME_LIMIT + 1)).is_err());
    }
}
