//! The way to a folder: who could put another one in its place.
//!
//! A private folder is worth nothing in a folder of somebody else's, who renames it and makes one of that
//! name. So every folder above it is looked at, as sshd does before it trusts a file of keys
//! (`StrictModes`): it belongs to root or to this user, and nobody else may write to it. One with the
//! sticky bit, as `/tmp`, is closed enough: there nobody moves what is not theirs.

use super::error::FolderError;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Checks every folder above a path that is there already.
///
/// # Errors
/// One of them is somebody else's, or open to others.
pub(super) fn check(path: &Path) -> Result<(), FolderError> {
    let io_error = |source| FolderError::Io { path: path.to_path_buf(), source };
    let there = path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(path);
    // Links are followed: what counts is where the folder lies.
    let there = fs::canonicalize(there).map_err(io_error)?;
    let user = crate::sys::effective_user();
    // Where users have other ids, as in some containers, root's own folders belong to nobody that is known.
    let top = fs::metadata("/").map(|facts| facts.uid()).unwrap_or(0);
    for folder in there.ancestors() {
        let facts = fs::metadata(folder).map_err(io_error)?;
        judge(folder, (facts.uid(), facts.mode()), &[0, top, user])?;
    }
    Ok(())
}

fn judge(folder: &Path, (owner, mode): (u32, u32), trusted: &[u32]) -> Result<(), FolderError> {
    let path = || PathBuf::from(folder);
    if !trusted.contains(&owner) {
        let user = crate::sys::effective_user();
        return Err(FolderError::ForeignOwner { path: path(), owner, user });
    }
    if mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0 {
        return Err(FolderError::OpenToOthers { path: path(), mode: mode & 0o777 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn somebody_elses_folder_on_the_way_is_refused() {
        let judged = |owner, mode| judge(Path::new("/srv/cache"), (owner, mode), &[0, 1_000]);
        assert!(judged(1_000, 0o755).is_ok() && judged(0, 0o1777).is_ok());
        assert!(matches!(
            judged(1_001, 0o755),
            Err(FolderError::ForeignOwner { owner: 1_001, .. })
        ));
        // Sticky or not: its owner may move what is in it.
        assert!(matches!(judged(1_001, 0o1777), Err(FolderError::ForeignOwner { .. })));
        for mode in [0o777, 0o775, 0o757] {
            assert!(matches!(judged(1_000, mode), Err(FolderError::OpenToOthers { .. })));
        }
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_found_however_far_above() {
        let top = tempfile::tempdir().unwrap();
        let deep = top.path().join("cache/mallard/runs/run-1/agent");
        assert!(check(&deep).is_ok());
        fs::create_dir_all(top.path().join("cache/mallard")).unwrap();
        let open = top.path().join("cache");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = check(&deep).unwrap_err().to_string();
        assert!(refused.contains(&open.display().to_string()), "{refused}");
        assert!(refused.contains("mode 777"), "{refused}");
    }
}
