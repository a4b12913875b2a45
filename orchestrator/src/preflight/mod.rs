//! Whether hosts are fit for a run: what spoils a result before it is made, and what casts doubt on it.
//!
//! Pure: it judges what hosts have reported of themselves ([`Facts`]).

pub mod capacity;
pub mod table;

use crate::text::units;
use mallard_protocol::preflight::Facts;
use std::collections::BTreeSet;

/// Free disk that logs and spools of a run need in any case.
const LEAST_DISK_BYTES: u64 = 256 << 20;

/// What an agent may keep on disk at most: a spool of 256 MiB while nobody collects it, and its log.
const AGENT_DISK_BYTES: u64 = 272 << 20;

/// Files that an agent needs in any case: a client has a socket for each broker, and some more.
const LEAST_FILES: u64 = 1_024;

/// Clock sources that are read without asking the kernel, so that taking the time costs nothing.
const QUICK_CLOCKS: [&str; 5] =
    ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "s390-tod"];

/// What was found about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The host's name in the cluster file.
    pub host: String,
    /// How bad it is.
    pub weight: Weight,
    /// What.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The result may be worse than it need be, or harder to read.
    Doubtful,
    /// There will be no result, or a wrong one.
    Spoils,
}

/// What is to be said of hosts, worst first. With each one goes what it reported, and how many agents it is to
/// have.
#[must_use]
pub fn findings<'a>(
    hosts: impl Iterator<Item = (&'a str, &'a Facts, u64)> + Clone,
) -> Vec<Finding> {
    let kernels: BTreeSet<&str> = hosts.clone().map(|(_, facts, _)| &*facts.host.boot_id).collect();
    let brokers = hosts.clone().flat_map(|(_, facts, _)| &facts.brokers);
    let answering = brokers.filter(|it| it.connect_us.is_ok()).map(|it| it.address.as_str());
    let around = Around { several_kernels: kernels.len() > 1, answering: answering.collect() };
    let mut found: Vec<Finding> =
        hosts.flat_map(|(host, facts, agents)| of_host(host, facts, agents, &around)).collect();
    found.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.host.cmp(&b.host)));
    found
}

/// What is judged by all hosts together.
struct Around<'a> {
    several_kernels: bool,
    /// Addresses of brokers that at least one host reaches.
    answering: BTreeSet<&'a str>,
}

fn of_host(host: &str, facts: &Facts, agents: u64, around: &Around<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |weight, text: String, remedy: &str| {
        let remedy = remedy.to_owned();
        found.push(Finding { host: host.to_owned(), weight, text, remedy });
    };
    use Weight::{Doubtful, Spoils};
    if let Some(problem) = &facts.cluster_problem {
        let remedy =
            "look at `kafka` of the cluster file, and at packet filters between host and brokers";
        say(Spoils, format!("the brokers do not answer it: {problem}"), remedy);
    }
    let reaches_some = facts.brokers.iter().any(|it| it.advertised && it.connect_us.is_ok());
    for broker in &facts.brokers {
        let Err(cause) = &broker.connect_us else { continue };
        let text = format!("it does not reach {}: {cause}", broker.address);
        // A broker that no host reaches, while others answer, is one that is down: clusters are tested like that.
        let is_down = reaches_some && !around.answering.contains(broker.address.as_str());
        let (weight, remedy) = match is_down {
            true => (
                Doubtful,
                "the run goes on with the brokers that answer; start it, or leave it out of `bootstrap`",
            ),
            false => (
                Spoils,
                "brokers give clients the addresses of `advertised.listeners`, which every host must reach",
            ),
        };
        say(weight, text, remedy);
    }
    if let Some((weight, text)) = too_little_disk(facts.free_disk_bytes, agents) {
        say(weight, text, "make room, or name another folder with `cache` of the host");
    }
    if facts.open_files < LEAST_FILES {
        let text = format!("an agent may open {} files only", facts.open_files);
        say(Spoils, text, "raise `nofile` in /etc/security/limits.conf (docs/hosts.md)");
    }
    if around.several_kernels && facts.clock_synchronised == Some(false) {
        let remedy = "start chrony or systemd-timesyncd; mallard measures and corrects offsets, and steps of the clock hurt least with one of them";
        say(Doubtful, "its clock is not synchronised".to_owned(), remedy);
    }
    if !QUICK_CLOCKS.contains(&&*facts.clock_source) && !facts.clock_source.is_empty() {
        let text = format!("its clock source is {}, which is slow to read", facts.clock_source);
        say(Doubtful, text, "boot with `clocksource=tsc` if the hardware's is sound");
    }
    if let Some(slow) = facts.governors.iter().find(|governor| *governor != "performance") {
        let text = format!("its cores change their frequency (governor {slow})");
        say(Doubtful, text, "`cpupower frequency-set -g performance`");
    }
    let dead: Vec<&str> =
        facts.leftovers.iter().filter(|left| !left.alive).map(|left| &*left.run_id).collect();
    if !dead.is_empty() {
        let text = format!("dead runs have left something: {}", dead.join(", "));
        let remedy = "`mallard clean` with this cluster file removes what runs of this archive have left; `--run RUN` names another";
        say(Doubtful, text, remedy);
    }
    let living = facts.leftovers.iter().filter(|left| left.alive).count();
    if living > 0 {
        let text = format!("{living} other run(s) have agents on it now");
        say(Doubtful, text, "wait for their end: runs on one host disturb each other");
    }
    found
}

/// What is to be said of the room for logs and spools, if it is little.
fn too_little_disk(free_bytes: u64, agents: u64) -> Option<(Weight, String)> {
    let human = |bytes: u64| units::human(bytes as f64, "bytes");
    let (free, most) = (human(free_bytes), agents.saturating_mul(AGENT_DISK_BYTES));
    if free_bytes < LEAST_DISK_BYTES {
        let text = format!("only {free} of disk are free for logs and spools");
        return Some((Weight::Spoils, text));
    }
    (free_bytes < most).then(|| {
        let most = human(most);
        let text = format!(
            "{free} of disk are free, and logs and spools of {agents} agent(s) may grow to {most} while no controller collects them"
        );
        (Weight::Doubtful, text)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use mallard_protocol::{
        message::HostFacts,
        preflight::{BrokerReach, Leftover},
    };

    /// A host that nothing can be said against.
    pub(crate) fn sound() -> Facts {
        Facts {
            host: HostFacts {
                hostname: "load-1".to_owned(),
                boot_id: "a".to_owned(),
                architecture: "x86_64".to_owned(),
                kernel: "6.1.0-18-amd64".to_owned(),
                cores: 16,
                memory_bytes: 64 << 30,
                ..HostFacts::default()
            },
            free_disk_bytes: 200 << 30,
            open_files: 1_048_576,
            threads: Some(4_194_304),
            clock_source: "tsc".to_owned(),
            clock_synchronised: Some(true),
            governors: vec!["performance".to_owned()],
            brokers: vec![broker("broker-1:9092", Ok(412))],
            cluster_problem: None,
            leftovers: Vec::new(),
        }
    }

    fn texts(facts: &Facts) -> Vec<(Weight, String)> {
        let other =
            Facts { host: HostFacts { boot_id: "b".to_owned(), ..sound().host }, ..sound() };
        let hosts = [("load-1", facts, 1), ("load-2", &other, 1)];
        findings(hosts.into_iter()).into_iter().map(|found| (found.weight, found.text)).collect()
    }

    fn broker(address: &str, connect_us: Result<u64, String>) -> BrokerReach {
        BrokerReach { address: address.to_owned(), advertised: true, connect_us }
    }

    fn refused() -> Result<u64, String> {
        Err("Connection refused".to_owned())
    }

    #[test]
    fn a_broker_that_is_down_is_a_warning_and_one_out_of_reach_or_all_of_them_are_errors() {
        let weights = |brokers: &[BrokerReach]| {
            let facts = Facts { brokers: brokers.to_vec(), ..sound() };
            texts(&facts).into_iter().map(|(weight, _)| weight).collect::<Vec<_>>()
        };
        let down = BrokerReach { advertised: false, ..broker("broker-3:9092", refused()) };
        let (first, second) = (broker("broker-1:9092", Ok(412)), broker("broker-2:9092", Ok(300)));
        assert_eq!(weights(&[first.clone(), second.clone(), down.clone()]), [Weight::Doubtful]);
        // The other host reaches this one: it is this host's network that is at fault.
        assert_eq!(weights(&[broker("broker-1:9092", refused()), second]), [Weight::Spoils]);
        // What answers in `bootstrap` is no broker that clients are sent to.
        let entry = BrokerReach { advertised: false, ..broker("entry:9092", Ok(9)) };
        assert_eq!(weights(&[entry, broker("inside:9092", refused())]), [Weight::Spoils]);
        assert_eq!(weights(&[down]), [Weight::Spoils]);
    }

    #[test]
    fn a_sound_host_gives_no_findings() {
        assert_eq!(texts(&sound()), []);
    }

    #[test]
    fn every_agent_needs_room_for_what_it_keeps() {
        let weight = |mib: u64, agents| Some(too_little_disk(mib << 20, agents)?.0);
        assert_eq!(weight(200, 1), Some(Weight::Spoils));
        assert_eq!((weight(300, 1), weight(300, 4)), (None, Some(Weight::Doubtful)));
        assert_eq!(weight(2_000, 4), None);
    }

    #[test]
    fn what_spoils_comes_before_what_is_doubtful() {
        let facts = Facts {
            free_disk_bytes: 1 << 20,
            open_files: 256,
            clock_source: "hpet".to_owned(),
            clock_synchronised: Some(false),
            governors: vec!["powersave".to_owned()],
            brokers: vec![broker("broker-2:9092", refused())],
            cluster_problem: Some("no broker answers".to_owned()),
            leftovers: vec![
                Leftover { run_id: "old".to_owned(), alive: false, spool_bytes: 0 },
                Leftover { run_id: "now".to_owned(), alive: true, spool_bytes: 0 },
            ],
            ..sound()
        };
        let told = texts(&facts);
        let spoiling = told.iter().take_while(|(weight, _)| *weight == Weight::Spoils).count();
        assert_eq!((spoiling, told.len()), (4, 9), "{told:#?}");
    }
}
