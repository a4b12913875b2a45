//! What this host is fit for, asked before a run: limits, clock, brokers within reach, leftovers.

use super::{facts, threads};
use crate::{
    admin::{Deadline, describe_cluster},
    folder, sys,
};
use mallard_protocol::{
    agent_command,
    preflight::{BrokerReach, Facts, Leftover, Question},
    workload::ClientProperties,
};
use std::{
    collections::BTreeSet,
    fs,
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    thread,
    time::Instant,
};

/// Brokers that are tried at most: a cluster of hundreds is judged by its first ones.
const BROKERS: usize = 64;

/// Answers a question about this host. `runs` is the folder in which agents have theirs.
#[must_use]
pub fn answer(question: &Question, runs: &Path) -> Facts {
    let (brokers, cluster_problem) = brokers(question);
    Facts {
        host: facts::facts(),
        free_disk_bytes: free_disk_bytes(runs),
        open_files: sys::raise_file_limit(),
        threads: threads::limit(),
        clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        clock_synchronised: sys::clock_synchronised(),
        governors: governors(),
        brokers,
        cluster_problem,
        leftovers: leftovers(runs),
    }
}

/// Connects to every address of `bootstrap.servers`, asks for the cluster, and connects to every address
/// that the brokers give: clients use those, and they may be names that only the brokers know.
fn brokers(question: &Question) -> (Vec<BrokerReach>, Option<String>) {
    let Question { connection, within_ms } = question;
    if connection.is_empty() {
        return (Vec::new(), None);
    }
    let deadline = Deadline::within_ms(*within_ms);
    // A broker that is down may swallow what is sent to it: others must not pay for that.
    let a_part = || Deadline::within(deadline.remaining() / 3);
    let mut reached = connect_all(&bootstrap(connection), &a_part());
    let (given, problem) = match describe_cluster(connection, &deadline) {
        Ok(cluster) => (cluster.brokers.into_iter().map(|(_, address)| address).collect(), None),
        Err(failure) => (Vec::new(), Some(failure.text)),
    };
    if problem.is_none() {
        // Brokers that were just starting are there now.
        let failed = reached.iter().filter(|broker| broker.connect_us.is_err());
        let again: Vec<String> = failed.map(|broker| broker.address.clone()).collect();
        reached.retain(|broker| broker.connect_us.is_ok());
        reached.extend(connect_all(&again, &a_part()));
    }
    let tried: BTreeSet<String> = reached.iter().map(|it| it.address.clone()).collect();
    let given: BTreeSet<String> = given.into_iter().collect();
    let more: Vec<String> = given.difference(&tried).cloned().collect();
    reached.extend(connect_all(&more, &deadline));
    for broker in &mut reached {
        broker.advertised = given.contains(&broker.address);
    }
    (reached, problem)
}

fn bootstrap(connection: &ClientProperties) -> Vec<String> {
    let servers = connection.iter().filter(|(key, _)| key == "bootstrap.servers");
    let addresses = servers.flat_map(|(_, list)| list.split(','));
    // librdkafka allows `PLAINTEXT://host:port`.
    let bare = |text: &str| {
        let text = text.trim();
        text.rsplit_once("://").map_or(text, |(_, address)| address).to_owned()
    };
    addresses.map(bare).filter(|address| !address.is_empty()).collect()
}

fn connect_all(addresses: &[String], deadline: &Deadline) -> Vec<BrokerReach> {
    let addresses = &addresses[..addresses.len().min(BROKERS)];
    thread::scope(|scope| {
        let tries: Vec<_> = addresses
            .iter()
            .map(|address| scope.spawn(move || connect(address, deadline)))
            .collect();
        let outcomes = tries.into_iter().map(|one| one.join());
        addresses
            .iter()
            .zip(outcomes)
            .map(|(address, outcome)| BrokerReach {
                address: address.clone(),
                advertised: false,
                connect_us: outcome.unwrap_or_else(|_| Err("it could not be tried".to_owned())),
            })
            .collect()
    })
}

fn connect(address: &str, deadline: &Deadline) -> Result<u64, String> {
    let began = Instant::now();
    let resolved = address.to_socket_addrs().map_err(|cause| cause.to_string())?;
    let mut last = "the name has no address".to_owned();
    for socket in resolved {
        let left = deadline.remaining();
        if left.is_zero() {
            return Err("timed out".to_owned());
        }
        match TcpStream::connect_timeout(&socket, left) {
            Ok(_) => return Ok(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)),
            Err(cause) => last = cause.to_string(),
        }
    }
    Err(last)
}

/// Free bytes where the folder is, or will be.
fn free_disk_bytes(folder: &Path) -> u64 {
    let there = folder.ancestors().find_map(|path| rustix::fs::statvfs(path).ok());
    there.map_or(0, |disk| disk.f_bavail * disk.f_frsize)
}

fn governors() -> Vec<String> {
    let Ok(cores) = fs::read_dir("/sys/devices/system/cpu") else { return Vec::new() };
    let files = cores.flatten().map(|core| core.path().join("cpufreq/scaling_governor"));
    let all: BTreeSet<String> = files.map(line).filter(|text| !text.is_empty()).collect();
    all.into_iter().collect()
}

/// Runs that have a folder here, and whether an agent of theirs lives.
fn leftovers(runs: &Path) -> Vec<Leftover> {
    let folders = |path: &Path| -> Vec<_> {
        let entries = fs::read_dir(path).map(|all| all.flatten().collect()).unwrap_or_default();
        let entries: Vec<fs::DirEntry> = entries;
        entries.into_iter().filter(|entry| entry.path().is_dir()).collect()
    };
    let mut left: Vec<Leftover> = folders(runs)
        .into_iter()
        .map(|run| {
            let agents = folders(&run.path());
            Leftover {
                run_id: run.file_name().to_string_lossy().into_owned(),
                alive: agents.iter().any(|agent| folder::is_owned(&agent.path())),
                spool_bytes: agents.iter().map(|agent| spool_bytes(&agent.path())).sum(),
            }
        })
        .collect();
    left.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    left
}

/// What an agent has measured and nobody has collected.
fn spool_bytes(agent: &Path) -> u64 {
    let files = fs::read_dir(agent.join(agent_command::SPOOL)).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

fn line(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn brokers_are_tried_and_causes_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap().to_string();
        let deadline = Deadline::within_ms(5_000);
        let reached = connect_all(&[open, "127.0.0.1:1".to_owned()], &deadline);
        assert!(reached[0].connect_us.is_ok(), "{reached:?}");
        assert!(reached[1].connect_us.as_ref().is_err_and(|text| text.contains("refused")));
    }

    #[test]
    fn runs_that_left_something_are_told() {
        let runs = tempfile::tempdir().unwrap();
        let spool = runs.path().join("20260101-000000-x-0000/0-local-1/spool");
        fs::create_dir_all(&spool).unwrap();
        fs::write(spool.join("1"), [0; 300]).unwrap();
        fs::create_dir_all(runs.path().join("20260101-000000-x-0000/0-local-2")).unwrap();
        let left = leftovers(runs.path());
        let run_id = "20260101-000000-x-0000".to_owned();
        assert_eq!(left, [Leftover { run_id, alive: false, spool_bytes: 300 }]);
    }

    #[test]
    fn bootstrap_addresses_lose_their_protocol() {
        let connection = vec![("bootstrap.servers".to_owned(), "SASL_SSL://a:1, b:2,".to_owned())];
        assert_eq!(bootstrap(&connection), ["a:1", "b:2"]);
    }
}
