//! Why a folder cannot be an agent's.

use std::{io, path::PathBuf};

/// Why a folder is not usable.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refuses.
    #[error("use the folder {path}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not a folder, or a link to one.
    #[error("use {path}: it is not a folder (and must not be a link)")]
    NotAFolder {
        /// What was named.
        path: PathBuf,
    },
    /// Somebody else's.
    #[error(
        "use the folder {path}: it belongs to user {owner}, not to user {user}; name one of this user's own (by XDG_CACHE_HOME on this machine, by `cache` of a host over ssh)"
    )]
    ForeignOwner {
        /// The folder.
        path: PathBuf,
        /// Its owner's id.
        owner: u32,
        /// Our id.
        user: u32,
    },
    /// Others may write.
    #[error(
        "use the folder {path}: others can write to it (mode {mode:03o}); `chmod go-w` it or name another one"
    )]
    OpenToOthers {
        /// The folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}
