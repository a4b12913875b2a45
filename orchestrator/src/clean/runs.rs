//! Which runs live, as far as this machine can tell.

use super::{Leftover, Place};
use crate::archive::read;
use mallard_protocol::agent_command;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// What becomes of what a run has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The run is dead, which is known by this. Its leftovers may go.
    Dead(String),
    /// They stay, for this reason.
    Stays(String),
}

/// What is known of runs.
#[derive(Debug)]
pub struct Runs {
    results: PathBuf,
    /// Runs that live, with who works for them.
    living: BTreeMap<String, String>,
    /// Hosts over ssh on which every agent that works is known.
    looked_at: BTreeSet<String>,
}

/// What a run's order says, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
struct Order {
    #[serde(default)]
    keep: bool,
    #[serde(default)]
    ssh_hosts: BTreeSet<String>,
}

impl Runs {
    /// Looks at this machine's processes, and at the archive in a folder.
    #[must_use]
    pub fn look(results: &Path) -> Self {
        Self { results: results.to_owned(), living: living(), looked_at: BTreeSet::new() }
    }

    /// Notes that a run lives, by what its containers show.
    pub fn lives(&mut self, run_id: &str, why: &str) {
        self.living.entry(run_id.to_owned()).or_insert_with(|| why.to_owned());
    }

    /// Notes that it is known of a host which runs have agents on it.
    pub fn looked_at(&mut self, host: &str) {
        self.looked_at.insert(host.to_owned());
    }

    /// Ids of the runs in the archive.
    #[must_use]
    pub fn archived(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(&self.results).into_iter().flatten().flatten();
        let runs = entries.filter(|entry| {
            entry.file_type().is_ok_and(|kind| kind.is_dir()) && read::is_run(&entry.path())
        });
        runs.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Those of them that are not over, and so can be resumed.
    #[must_use]
    pub fn unfinished(&self) -> BTreeSet<String> {
        let mut archived = self.archived();
        archived.retain(|run_id| !self.results.join(run_id).join("run.json").is_file());
        archived
    }

    /// Whether a run is dead.
    pub(super) fn fate(&self, run_id: &str, leftovers: &[Leftover], is_named: bool) -> Fate {
        if let Some(who) = self.living.get(run_id) {
            return Fate::Stays(format!("it lives: {who}"));
        }
        let folder = self.results.join(run_id);
        let is_known = read::is_run(&folder);
        let only_brokers = leftovers.iter().all(|leftover| leftover.place == Place::Brokers);
        // Hosts are shared: somebody else may still want what lies there, and collect it.
        let on_hosts = leftovers.iter().any(|leftover| leftover.place == Place::Hosts);
        let order: Order = read::order(&folder).unwrap_or_default();
        if is_known && !is_named && only_brokers && order.keep {
            return Fate::Stays("it was started with `--keep`".to_owned());
        }
        if folder.join("run.json").is_file() {
            return Fate::Dead("it is over".to_owned());
        }
        if !is_known && (only_brokers || on_hosts) && !is_named {
            let results = self.results.display();
            return Fate::Stays(format!(
                "{results} knows no such run, which may be somebody else's; `--run {run_id}` removes it"
            ));
        }
        if let Some(host) = order.ssh_hosts.difference(&self.looked_at).next() {
            return Fate::Stays(format!("an agent may work on {host}, which was not looked at"));
        }
        Fate::Dead("its mallard has ended, and none of its agents works".to_owned())
    }
}

/// Runs that processes of this machine work for. A controller holds the lock in its run's folder open, and
/// an agent has the run's id on its command line.
fn living() -> BTreeMap<String, String> {
    let mut living = BTreeMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = process.path();
        let pid = process.file_name().to_string_lossy().into_owned();
        if !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        if let Some(run_id) = run_of_agent(&String::from_utf8_lossy(&line)) {
            living.entry(run_id).or_insert_with(|| format!("an agent works, process {pid}"));
        }
        for file in fs::read_dir(path.join("fd")).into_iter().flatten().flatten() {
            let target = fs::read_link(file.path()).unwrap_or_default();
            if let Some(run_id) = run_of_lock(&target) {
                living.insert(run_id, format!("process {pid} runs it"));
            }
        }
    }
    living
}

/// The run of an agent, by its command line as the kernel keeps it.
fn run_of_agent(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split('\0').collect();
    agent_command::run_of_agent(&words).map(str::to_owned)
}

/// The run whose folder a lock lies in.
fn run_of_lock(path: &Path) -> Option<String> {
    let is_lock = path.file_name() == Some(OsStr::new(crate::archive::LOCK));
    let folder = path.parent().filter(|folder| is_lock && read::is_run(folder))?;
    folder.file_name()?.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_known_by_its_command_line() {
        let line = "/opt/mallard-agent\0daemon\0--detached\0--run\0r-1\0--name\0local-1\0";
        assert_eq!(run_of_agent(line), Some("r-1".to_owned()));
        assert_eq!(run_of_agent("mallard-agent\0connect\0--run\0r-1\0"), None);
        assert_eq!(run_of_agent("mallard-agent\0daemon\0--run\0"), Some(String::new()));
        assert_eq!(run_of_agent("mallard-agent\0daemon\0"), None);
    }

    #[test]
    fn a_run_lives_as_long_as_its_lock_is_held() {
        let results = tempfile::tempdir().unwrap();
        let held = crate::archive::RunFolder::create(results.path(), "x", Some("a-run")).unwrap();
        let fate = |named| Runs::look(results.path()).fate("a-run", &[], named);
        assert!(matches!(fate(true), Fate::Stays(why) if why.contains("runs it")));
        drop(held);
        assert!(matches!(fate(false), Fate::Dead(_)));
    }

    #[test]
    fn a_run_may_live_on_hosts_that_were_not_looked_at() {
        let results = tempfile::tempdir().unwrap();
        drop(crate::archive::RunFolder::create(results.path(), "x", Some("far-run")).unwrap());
        let order = r#"{"ssh_hosts": ["load-1", "load-2"]}"#;
        fs::write(results.path().join("far-run/order.json"), order).unwrap();
        let mut runs = Runs::look(results.path());
        runs.looked_at("load-1");
        assert!(
            matches!(runs.fate("far-run", &[], true), Fate::Stays(why) if why.contains("load-2"))
        );
        runs.looked_at("load-2");
        assert!(matches!(runs.fate("far-run", &[], false), Fate::Dead(_)));
        runs.lives("far-run", "an agent works on load-2");
        assert!(matches!(runs.fate("far-run", &[], false), Fate::Stays(_)));
    }

    #[test]
    fn what_runs_that_nobody_here_knows_have_elsewhere_stays_unless_they_are_named() {
        let results = tempfile::tempdir().unwrap();
        let runs = Runs::look(results.path());
        let of = |place| Leftover {
            run_id: "other".to_owned(),
            place,
            sort: super::super::Sort::Topic,
            name: "orders-other-0".to_owned(),
            note: String::new(),
            has_measurements: false,
        };
        assert!(matches!(runs.fate("other", &[of(Place::Brokers)], false), Fate::Stays(_)));
        assert!(matches!(runs.fate("other", &[of(Place::Brokers)], true), Fate::Dead(_)));
        let shared = [of(Place::Here), of(Place::Hosts)];
        assert!(matches!(runs.fate("other", &shared, false), Fate::Stays(_)));
        assert!(matches!(runs.fate("other", &shared, true), Fate::Dead(_)));
        assert!(matches!(runs.fate("other", &[of(Place::Here)], false), Fate::Dead(_)));
    }
}
