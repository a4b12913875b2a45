//! What was found, kept for the next plan: one file of the user, an entry a host and build.

use crate::archive::write_whole;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Version of the file's layout. A file of another version is as good as none.
const VERSION: u32 = 2;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It holds something else.
    #[error("read {}: it is no store of `mallard calibrate`; remove it, and calibrate again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// It cannot be written.
    #[error("keep what was found")]
    Write(#[from] crate::archive::ArchiveError),
    /// Its folder cannot be made.
    #[error("make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Rates of one producer instance in a closed loop, in records a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// With values of [`Rates::SMALL_BYTES`].
    pub small_per_s: f64,
    /// With values of [`Rates::LARGE_BYTES`].
    pub large_per_s: f64,
}

impl Rates {
    /// Bytes of a small value.
    pub const SMALL_BYTES: u32 = 100;
    /// Bytes of a large value.
    pub const LARGE_BYTES: u32 = 1_024;

    /// The rate with records of this size: the time a record takes is a part of its own and a part for
    /// each byte, both taken from the two rates that were measured.
    #[must_use]
    pub fn at_bytes(&self, bytes: f64) -> f64 {
        let (small, large) = (1.0 / self.small_per_s, 1.0 / self.large_per_s);
        let (from, to) = (f64::from(Self::SMALL_BYTES), f64::from(Self::LARGE_BYTES));
        let byte = ((large - small) / (to - from)).max(0.0);
        // Noise may make large records look cheap; a smaller record never costs less than nothing.
        let seconds = (small + byte * (bytes - from)).max(small / 10.0);
        1.0 / seconds
    }

    /// The larger of two, size by size.
    #[must_use]
    pub fn best(self, other: Self) -> Self {
        Self {
            small_per_s: self.small_per_s.max(other.small_per_s),
            large_per_s: self.large_per_s.max(other.large_per_s),
        }
    }
}

/// What was found of a host's agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// When, RFC 3339, UTC.
    pub at: String,
    /// Against the mock cluster inside of the agent's process.
    pub alone: Rates,
    /// Against the cluster's brokers; `None` if the cluster file has none.
    pub with_cluster: Option<Rates>,
    /// Due to sent at a thousand records a second: 99th percentile, in microseconds.
    pub timer_p99_us: f64,
    /// The same: largest.
    pub timer_max_us: f64,
    /// Half the width of the clock's error against the controller's, in microseconds: 0 where both are one
    /// clock, `None` where it was not measured.
    #[serde(default)]
    pub clock_error_us: Option<u64>,
}

impl Calibration {
    /// What the agent has been seen to do.
    #[must_use]
    pub fn ceiling(&self) -> Rates {
        self.with_cluster.map_or(self.alone, |rates| rates.best(self.alone))
    }
}

/// All hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Store {
    version: u32,
    /// By host, then by build.
    hosts: BTreeMap<String, BTreeMap<String, Calibration>>,
}

/// What every version of the file begins with.
#[derive(Deserialize)]
struct Layout {
    version: u32,
}

impl Store {
    /// The user's file: `$XDG_DATA_HOME/mallard/calibration.json`, by default below `~/.local/share`;
    /// `None` where there is no home.
    #[must_use]
    pub fn place() -> Option<PathBuf> {
        let folder = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = || folder("HOME").map(|home| home.join(".local/share"));
        let data = folder("XDG_DATA_HOME").or_else(home)?;
        Some(data.join("mallard/calibration.json"))
    }

    /// Reads a file; an empty store if there is none, or one of another version.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be read.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(StoreError::Read { path: path.to_owned(), source }),
        };
        let damaged = |source| StoreError::Damaged { path: path.to_owned(), source };
        let Layout { version } = serde_json::from_str(&text).map_err(damaged)?;
        if version != VERSION {
            return Ok(Self::default());
        }
        serde_json::from_str(&text).map_err(damaged)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), StoreError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
        }
        let mut text = serde_json::to_string_pretty(&Self { version: VERSION, ..self.clone() })
            .map_err(|source| StoreError::Damaged { path: path.to_owned(), source })?;
        text.push('\n');
        Ok(write_whole(path, text.as_bytes())?)
    }

    /// Keeps what was found of a host by a build.
    pub fn keep(&mut self, host: &str, build: &str, calibration: Calibration) {
        self.hosts.entry(host.to_owned()).or_default().insert(build.to_owned(), calibration);
    }

    /// What a build has found of a host.
    #[must_use]
    pub fn of(&self, host: &str, build: &str) -> Option<&Calibration> {
        self.hosts.get(host)?.get(build)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { small_per_s: 1_000_000.0, large_per_s: 250_000.0 };

    #[test]
    fn a_rate_at_another_size_lies_on_the_line_through_both() {
        assert!((RATES.at_bytes(100.0) - 1_000_000.0).abs() < 1.0);
        assert!((RATES.at_bytes(1_024.0) - 250_000.0).abs() < 1.0);
        // Half way: 2.5 µs a record.
        assert!((RATES.at_bytes(562.0) - 400_000.0).abs() < 1.0);
        assert!(RATES.at_bytes(10_240.0) < 30_000.0);
        let noisy = Rates { small_per_s: 1e5, large_per_s: 2e5 };
        assert!((noisy.at_bytes(1e6) - 1e5).abs() < 1.0);
    }

    #[test]
    fn what_is_kept_comes_back_for_its_host_and_its_build() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/calibration.json");
        assert_eq!(Store::read(&path).unwrap(), Store::default());
        let found = Calibration { alone: RATES, ..Calibration::default() };
        let mut store = Store::default();
        store.keep("load-1", "0.1.0+aa", found.clone());
        store.write(&path).unwrap();
        let store = Store::read(&path).unwrap();
        assert_eq!(store.of("load-1", "0.1.0+aa"), Some(&found));
        assert_eq!(store.of("load-1", "0.2.0+bb"), None);
        assert_eq!(store.of("load-2", "0.1.0+aa"), None);
        let older = r#"{"version": 1, "hosts": {"load-1": {"0.1.0+aa": {"clock_error_us": 0.0}}}}"#;
        fs::write(&path, older).unwrap();
        assert_eq!(Store::read(&path).unwrap(), Store::default(), "it knew of no clock");
        fs::write(&path, "{").unwrap();
        assert!(Store::read(&path).unwrap_err().to_string().contains("calibrate again"));
    }

    #[test]
    fn the_ceiling_is_the_best_that_was_seen() {
        let with_cluster = Some(Rates { small_per_s: 2e6, large_per_s: 1e5 });
        let found = Calibration { alone: RATES, with_cluster, ..Calibration::default() };
        assert_eq!(found.ceiling(), Rates { small_per_s: 2e6, large_per_s: 250_000.0 });
    }
}
