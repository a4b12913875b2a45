//! What guards note on their host: the order, whom it was found to be about, and how far it has come. Whoever finds
//! a note without a guard undoes by it.
//!
//! Notes are in a folder that a reboot empties, as it undoes faults, too.

use crate::{broker::Identity, sys, wire::Table};
use mallard_protocol::fault::{GuardReport, Order};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The note on one fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) order: Order,
    pub(crate) identity: Identity,
    /// What was found, in words.
    pub(crate) found: String,
    /// The table of packet rules, if it is a fault of the network.
    #[serde(default)]
    pub(crate) table: Option<Table>,
    /// The boot in which it was written: another one has undone everything.
    pub(crate) boot_id: String,
    /// The guard.
    pub(crate) guard: Identity,
    /// The fault was about to be done, or is. Written before it is done.
    pub(crate) is_begun: bool,
    /// When it is undone at the latest, by `CLOCK_BOOTTIME` in microseconds. 0 before it begins.
    pub(crate) latest_end_boot_us: u64,
}

/// A note and where it stands.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
}

/// The folder of this user's notes on this host.
///
/// # Errors
/// It cannot be made, or somebody else could write to it.
pub fn folder() -> io::Result<PathBuf> {
    let user = geteuid().as_raw();
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty());
    let base = match (user, runtime) {
        (0, _) => PathBuf::from("/run/mallard"),
        (_, Some(runtime)) => Path::new(&runtime).join("mallard"),
        (_, None) => PathBuf::from(format!("/tmp/mallard-{user}")),
    };
    let folder = base.join("faults");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    for made in [&base, &folder] {
        let found = fs::symlink_metadata(made)?;
        if !found.is_dir() || found.uid() != user || found.permissions().mode() & 0o022 != 0 {
            let path = made.display();
            let text = format!("{path} belongs to or can be written to by others; remove it");
            return Err(io::Error::other(text));
        }
    }
    Ok(folder)
}

/// This boot's id.
pub(crate) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

impl Journal {
    /// The note of a fault, by its id.
    pub(crate) fn of(folder: &Path, id: &str) -> Self {
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name: String = id.chars().map(safe).collect();
        Self { path: folder.join(format!("{name}.json")) }
    }

    /// The note in a file.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// All notes in a folder.
    pub(crate) fn all(folder: &Path) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                found.push(Self { path });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Where it stands.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it; what is read is never half a note.
    pub(crate) fn write(&self, note: &Note) -> io::Result<()> {
        let half = self.path.with_extension("new");
        fs::write(&half, serde_json::to_vec(note)?)?;
        fs::rename(half, &self.path)
    }

    /// Reads it; `None` if the fault is undone and the note gone.
    pub(crate) fn read(&self) -> io::Result<Option<Note>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes it: nothing is left to undo.
    pub(crate) fn remove(&self) {
        // With those that a guard was writing when it was killed.
        for extension in ["json", "new", "twin", "twin-new"] {
            let _ = fs::remove_file(self.path.with_extension(extension));
        }
    }

    /// Notes a twin, which is ready now.
    pub(crate) fn write_twin(&self, twin: &Identity) -> io::Result<()> {
        let half = self.path.with_extension("twin-new");
        fs::write(&half, serde_json::to_vec(twin)?)?;
        fs::rename(half, self.twin_file())
    }

    /// The twin that is noted.
    pub(crate) fn twin(&self) -> Option<Identity> {
        serde_json::from_slice(&fs::read(self.twin_file()).ok()?).ok()
    }

    fn twin_file(&self) -> PathBuf {
        self.path.with_extension("twin")
    }
}

/// Writes a report; whoever should read it may be gone.
pub(crate) fn say(report: &GuardReport) {
    use io::Write;
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let mut out = io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

/// Now, for a report.
pub(crate) fn now_us() -> u64 {
    sys::clock_us()
}
