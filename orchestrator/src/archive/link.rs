//! Folders of finished cases, taken over into another run.

use super::ArchiveError;
use std::{fs, io, path::Path};

/// Puts a folder of files that nobody writes any more also in another place: linked where both are on one file
/// system, copied elsewhere. Files of an archive are replaced and never changed, so neither place can spoil the
/// other. Links and special files are left out.
///
/// # Errors
///
/// When something cannot be read or written.
pub fn link_tree(from: &Path, to: &Path) -> Result<(), ArchiveError> {
    fs::create_dir_all(to).map_err(|source| ArchiveError::write(to, source))?;
    let entries = fs::read_dir(from).map_err(|source| ArchiveError::read(from, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| ArchiveError::read(from, source))?;
        let kind = entry.file_type().map_err(|source| ArchiveError::read(entry.path(), source))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            link_tree(&entry.path(), &target)?;
        } else if kind.is_file() {
            link_file(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// The same for a file.
///
/// # Errors
///
/// When it cannot be read or written.
pub fn link_file(from: &Path, to: &Path) -> Result<(), ArchiveError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(ArchiveError::Exists { path: to.to_owned() })
        }
        Err(_) => fs::copy(from, to).map(|_| ()).map_err(|source| ArchiveError::write(to, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_there_twice_and_each_place_is_replaced_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b/c"));
        fs::create_dir_all(from.join("agents/one")).unwrap();
        fs::write(from.join("result.json"), "1").unwrap();
        fs::write(from.join("agents/one/intervals"), "2").unwrap();
        link_tree(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("agents/one/intervals")).unwrap(), "2");
        crate::archive::write_whole(&to.join("result.json"), b"3").unwrap();
        assert_eq!(fs::read_to_string(from.join("result.json")).unwrap(), "1");
        assert!(link_file(&from.join("result.json"), &to.join("result.json")).is_err());
    }
}
