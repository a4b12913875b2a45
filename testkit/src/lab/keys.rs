//! Keys: one that every host lets in, and one that each host shows.

use std::fs;
use std::path::{Path, PathBuf};

use super::steps::must;

/// Makes the key that every host lets in, `id` and `id.pub`.
pub(super) fn make_client_key(folder: &Path) {
    make(&folder.join("id"), "lab");
}

/// Makes a host's key; returns the file and the line of `known_hosts` for it.
pub(super) fn make_host_key(folder: &Path, host: &str, address: &str) -> (PathBuf, String) {
    let key = folder.join("hostkey");
    make(&key, host);
    let public = key.with_extension("pub");
    let text = fs::read_to_string(&public)
        .unwrap_or_else(|error| panic!("failed to read {}: {error}", public.display()));
    let mut words = text.split_whitespace();
    let (kind, key_text) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    (key, format!("{address} {kind} {key_text}\n"))
}

fn make(file: &Path, comment: &str) {
    let file = file.display().to_string();
    must("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", &file]);
}
