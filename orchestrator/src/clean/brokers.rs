//! Topics and consumer groups of runs, by the run's id in their names. Only the agent's program talks to
//! Kafka, so it is asked.

use super::{Leftover, Place, Sort};
use crate::hosts::deploy::ask::{Limits, ask};
use mallard_protocol::{
    agent_command,
    brokers::{Names, Report, Request},
    workload::ClientProperties,
};
use std::{collections::BTreeSet, io, path::Path, process::Command, time::Duration};

/// What the agent's program may take beyond the time that the brokers have: starting, and ending.
const GRACE: Duration = Duration::from_secs(10);

/// Longest answer: a hundred thousand topics with the longest names that Kafka takes have 25 MB.
const REPORT_LIMIT_BYTES: u64 = 64 << 20;

/// A cluster that can be asked.
#[derive(Debug)]
pub struct Brokers<'a> {
    /// The agent's program.
    pub agent: &'a Path,
    /// How to connect.
    pub connection: &'a ClientProperties,
    /// How long it may take.
    pub within: Duration,
}

impl Brokers<'_> {
    /// Finds topics and groups whose names carry the id of a run: one of these, or one that was made up
    /// from a time and a name.
    ///
    /// # Errors
    ///
    /// The brokers cannot be reached, or the program not be asked.
    pub fn find(&self, known: &BTreeSet<String>) -> io::Result<Vec<Leftover>> {
        let names = match self.ask(None)? {
            Report::Found(names) => names,
            Report::Failed(cause) => return Err(io::Error::other(cause)),
            Report::Left(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        let topics = names.topics.into_iter().map(|name| (Sort::Topic, name));
        let all = topics.chain(names.groups.into_iter().map(|name| (Sort::Group, name)));
        let of_runs = all.filter_map(|(sort, name)| {
            let run_id = run_of(&name, known)?;
            let (place, note) = (Place::Brokers, String::new());
            Some(Leftover { run_id, place, sort, name, note, has_measurements: false })
        });
        Ok(of_runs.collect())
    }

    /// Deletes topics and groups, and returns what could not be deleted, with the cause.
    #[must_use]
    pub fn remove(&self, leftovers: &[Leftover]) -> Vec<(String, String)> {
        let names = |sort: Sort| {
            let mine = leftovers.iter().filter(|leftover| leftover.sort == sort);
            mine.map(|leftover| leftover.name.clone()).collect()
        };
        let all = Names { topics: names(Sort::Topic), groups: names(Sort::Group) };
        let failed = |cause: String| vec![("topics and groups".to_owned(), cause)];
        match self.ask(Some(all)) {
            Ok(Report::Left(left)) => left,
            Ok(Report::Failed(cause)) => failed(cause),
            Ok(Report::Found(_)) => {
                failed("the agent's program answered something else".to_owned())
            }
            Err(cause) => failed(cause.to_string()),
        }
    }

    fn ask(&self, delete: Option<Names>) -> io::Result<Report> {
        let within_ms = u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX);
        let request = Request { connection: self.connection.clone(), within_ms, delete };
        // Over its stdin, because a command line is everybody's to read, and there are passwords in it.
        let request = serde_json::to_vec(&request)?;
        let mut command = Command::new(self.agent);
        let limits = Limits { within: self.within + GRACE, stdout_bytes: REPORT_LIMIT_BYTES };
        let report = ask(command.arg(agent_command::BROKERS), &request, limits)
            .map_err(|cause| io::Error::other(format!("`mallard-agent brokers`: {cause}")))?;
        serde_json::from_slice(&report).map_err(io::Error::from)
    }
}

/// The run that a topic or group belongs to. Its name is `<name>-<run id>-<case>`.
fn run_of(name: &str, known: &BTreeSet<String>) -> Option<String> {
    let (rest, case) = name.rsplit_once('-')?;
    if case.is_empty() || !case.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ends_with = |id: &&String| rest.strip_suffix(id.as_str()).is_some_and(|r| r.ends_with('-'));
    known.iter().filter(ends_with).max_by_key(|id| id.len()).cloned().or_else(|| made_up(rest))
}

/// The id at the end of a name, if it looks as ids do that nobody has chosen:
/// `20260131-120000-steady-1f2e`.
fn made_up(name: &str) -> Option<String> {
    let (_, random) = name.rsplit_once('-')?;
    let is_random = random.len() == 4 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_time = |at: usize| {
        let digits = |text: &str, count: usize| {
            text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let mut parts = name[at..].splitn(3, '-');
        let (date, time) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        digits(date, 8) && digits(time, 6) && parts.next().is_some()
    };
    let starts = name.match_indices('-').map(|(at, _)| at + 1);
    starts.filter(|_| is_random).find(|at| is_time(*at)).map(|at| name[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_in_the_names_of_what_it_made() {
        let known = BTreeSet::from(["nightly".to_owned(), "very-nightly".to_owned()]);
        let run = |name: &str| run_of(name, &known);
        let id = "20260131-120000-steady-1f2e";
        assert_eq!(run(&format!("orders-{id}-0")).as_deref(), Some(id));
        assert_eq!(run(&format!("my-orders-eu-{id}-17")).as_deref(), Some(id));
        assert_eq!(run("orders-nightly-3").as_deref(), Some("nightly"));
        assert_eq!(run("orders-very-nightly-3").as_deref(), Some("very-nightly"));
        for other in ["orders", "orders-3", "nightly-3", "orders-nightly", "orders-nightly-x"] {
            assert_eq!(run(other), None, "{other}");
        }
        assert_eq!(run("orders-20260131-120000-steady-xyzw-0"), None);
        assert_eq!(run("orders-2026013-120000-steady-1f2e-0"), None);
    }
}
