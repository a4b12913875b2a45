//! Agent programs at hand: one for each architecture.

use super::elf::{self, Needs};
use crate::{
    config::regular,
    hosts::deploy::agent_binary::{self, AgentBinaryError},
};
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io,
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, OnceLock},
};

/// A word of `--agent`: `PATH`, or `ARCHITECTURE=PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentOption {
    /// The architecture that it is for, if it is said.
    pub architecture: Option<String>,
    /// The file.
    pub path: PathBuf,
}

impl FromStr for AgentOption {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        Ok(match text.split_once('=').filter(|(word, _)| is_word(word)) {
            Some((architecture, path)) => {
                Self { architecture: Some(architecture.to_owned()), path: path.into() }
            }
            None => Self { architecture: None, path: text.into() },
        })
    }
}

/// Largest program that is read. One with all its symbols has some 200 MB.
pub(in crate::hosts) const LIMIT_BYTES: u64 = 1 << 30;

/// A program that can be copied.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// What it asks of a host.
    pub needs: Needs,
    plain: Arc<[u8]>,
    packed: Arc<OnceLock<Arc<[u8]>>>,
}

impl Program {
    fn read(path: &Path) -> Result<Self, AgentBinaryError> {
        let unusable = |source| AgentBinaryError::Unusable { path: path.to_owned(), source };
        let bytes =
            regular::read(path, LIMIT_BYTES).map_err(|cause| unusable(io::Error::other(cause)))?;
        let needs = elf::needs(&bytes).map_err(|cause| unusable(io::Error::other(cause)))?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = path.to_owned();
        Ok(Self { path, sha256, needs, plain: bytes.into(), packed: Arc::default() })
    }

    /// Its bytes as they are sent: compressed, once for all hosts, where the host can undo that.
    #[must_use]
    pub fn to_send(&self, gzip: bool) -> Arc<[u8]> {
        if !gzip {
            return Arc::clone(&self.plain);
        }
        let pack = || -> io::Result<Arc<[u8]>> {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&self.plain)?;
            Ok(encoder.finish()?.into())
        };
        // Writing to memory does not fail.
        Arc::clone(self.packed.get_or_init(|| pack().unwrap_or_default()))
    }
}

/// The programs of a run.
#[derive(Debug)]
pub struct Programs {
    own: PathBuf,
    by_architecture: BTreeMap<String, OnceLock<Program>>,
    paths: BTreeMap<String, PathBuf>,
}

impl Programs {
    /// Finds them: what `--agent` names, and for this machine by default the one beside this program.
    ///
    /// # Errors
    /// One is missing, is no program, is for another architecture than is said, or is of another build.
    pub fn find(options: &[AgentOption]) -> Result<Self, AgentBinaryError> {
        let ours = std::env::consts::ARCH;
        let is_ours = |option: &&AgentOption| {
            option.architecture.as_deref().is_none_or(|architecture| architecture == ours)
        };
        let asked_for = options.iter().rfind(is_ours).map(|option| &*option.path);
        let own = agent_binary::find(asked_for)?;
        let mut paths = BTreeMap::from([(ours.to_owned(), own.clone())]);
        for option in options.iter().filter(|option| !is_ours(option)) {
            let architecture = option.architecture.clone().unwrap_or_default();
            let program = Program::read(&option.path)?;
            if program.needs.architecture != architecture {
                let cause = format!("it is for {}, not {architecture}", program.needs.architecture);
                let source = io::Error::other(cause);
                return Err(AgentBinaryError::Unusable { path: option.path.clone(), source });
            }
            paths.insert(architecture, option.path.clone());
        }
        let by_architecture = paths.keys().map(|key| (key.clone(), OnceLock::new())).collect();
        Ok(Self { own, by_architecture, paths })
    }

    /// The one for this machine.
    #[must_use]
    pub fn own(&self) -> &Path {
        &self.own
    }

    /// The one for an architecture. It is read when it is asked for first: a run on this machine alone
    /// need not.
    #[must_use]
    pub fn of(&self, architecture: &str) -> Option<Program> {
        let cell = self.by_architecture.get(architecture)?;
        if let Some(program) = cell.get() {
            return Some(program.clone());
        }
        let program = Program::read(self.paths.get(architecture)?).ok()?;
        Some(cell.get_or_init(|| program).clone())
    }

    /// How they would be named by `--agent`, from any folder.
    ///
    /// # Errors
    /// The current folder is gone.
    pub fn options(&self) -> io::Result<Vec<AgentOption>> {
        let option = |(architecture, path): (&String, &PathBuf)| {
            let architecture = Some(architecture.clone());
            Ok(AgentOption { architecture, path: std::path::absolute(path)? })
        };
        self.paths.iter().map(option).collect()
    }

    /// The architectures that there is one for.
    #[must_use]
    pub fn architectures(&self) -> Vec<String> {
        self.paths.keys().cloned().collect()
    }

    /// The contents that there are, for hosts to look for.
    #[must_use]
    pub fn contents(&self) -> Vec<String> {
        self.architectures().iter().filter_map(|key| Some(self.of(key)?.sha256)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_may_name_an_architecture() {
        let parse = |text: &str| text.parse::<AgentOption>().unwrap();
        assert_eq!(parse("aarch64=/a/b").architecture.as_deref(), Some("aarch64"));
        assert_eq!(parse("/opt/x=y/agent").architecture, None);
        assert_eq!(parse("/opt/x=y/agent").path, Path::new("/opt/x=y/agent"));
    }
}
