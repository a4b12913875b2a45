//! What dead runs have left on hosts, in the engine and on the brokers: found by run id, shown, removed.
//!
//! A run is over when its folder in the archive says so. It lives while a process holds the lock in that
//! folder, or an agent of it works, here, on a host over ssh or in its containers: agents go on alone for their lease, and until
//! then the run may be taken over. Only what a dead run has left is removed. Of a run whose agents may be on hosts that
//! were not looked at, and of one that this archive knows nothing about, nothing is assumed where it has topics or
//! folders on hosts over ssh, which several people may share: it is left alone unless it is named. Measurements that
//! nobody has collected are left alone unless somebody says that they may go.

pub mod brokers;
pub mod engine;
pub mod hosts;
mod leftover;
pub mod local;
pub mod runs;

use runs::{Fate, Runs};
use std::collections::BTreeMap;

pub use leftover::{Leftover, Place, Sort};

/// Everything of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfRun {
    /// The run's id.
    pub run_id: String,
    /// Whether it is dead, and how that is known.
    pub fate: Fate,
    /// What there is of it.
    pub leftovers: Vec<Leftover>,
}

impl OfRun {
    /// Leaves out what holds measurements that nobody has collected, and the network of a container that does.
    pub fn spare_measurements(&mut self) {
        let in_engine = |leftover: &Leftover| leftover.place == Place::Engine;
        let spared = self.leftovers.iter().any(|it| in_engine(it) && it.has_measurements);
        self.leftovers.retain(|it| !(it.has_measurements || (spared && in_engine(it))));
    }
}

/// What goes with an agent's folder, and how to have it.
fn note_of_spool(bytes: u64, run_id: &str, can_resume: bool) -> String {
    match (bytes, can_resume) {
        (0, _) => String::new(),
        (_, false) => "with measurements that were not collected".to_owned(),
        (_, true) => {
            format!("with measurements that were not collected: `mallard resume {run_id}` would")
        }
    }
}

/// Puts what was found together by run, and says of each run whether it is dead. `named` is a run that was
/// asked for by name: it counts as dead where nothing is known of it, and what it was to leave goes, too.
#[must_use]
pub fn by_run(found: Vec<Leftover>, runs: &Runs, named: Option<&str>) -> Vec<OfRun> {
    let mut all: BTreeMap<String, Vec<Leftover>> = BTreeMap::new();
    for leftover in found {
        if named.is_none_or(|named| named == leftover.run_id) {
            all.entry(leftover.run_id.clone()).or_default().push(leftover);
        }
    }
    let of_run = |(run_id, mut leftovers): (String, Vec<Leftover>)| {
        leftovers.sort();
        let fate = runs.fate(&run_id, &leftovers, named.is_some());
        OfRun { run_id, fate, leftovers }
    };
    all.into_iter().map(of_run).collect()
}
