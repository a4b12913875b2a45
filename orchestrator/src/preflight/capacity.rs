//! Whether hosts can carry the clients of a run: files, threads and memory that these take, beside what the
//! host allows.

use super::{Finding, Weight};
use crate::text::{format::count, units};
use mallard_protocol::preflight::Facts;

/// What a client takes of a host, by the number of brokers: librdkafka has a thread and a socket for each
/// one. Counted on agents that carried 2 and 21 clients with 1 and with 3 brokers, while they sent and
/// received a little. A producer has three files less than a consumer. What clients hold of records comes on top.
const THREADS: (u64, u64) = (4, 1);
const FILES: (u64, u64) = (5, 3);
const MEMORY_BYTES: (u64, u64) = (800 << 10, 280 << 10);

/// What an agent has open, and its threads, without any client.
const AGENT_FILES: u64 = 30;
const AGENT_THREADS: u64 = 14;

/// Share of a host's memory beyond which its clients leave too little for records and for others.
const MEMORY_SHARE: f64 = 0.8;

/// What a run asks of a host at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Clients of each of its agents.
    pub clients: Vec<u64>,
    /// Brokers that each client connects to.
    pub brokers: u64,
}

impl Demand {
    fn all(&self) -> u64 {
        self.clients.iter().sum()
    }

    fn times(&self, (alone, per_broker): (u64, u64), clients: u64) -> u64 {
        per_broker.saturating_mul(self.brokers).saturating_add(alone).saturating_mul(clients)
    }
}

/// What is to be said of a host that is asked for more than it has.
#[must_use]
pub fn findings(host: &str, facts: &Facts, demand: &Demand) -> Vec<Finding> {
    let found = [
        too_many_files(facts, demand),
        too_many_threads(facts, demand),
        too_much_memory(facts, demand),
    ];
    let finding = |(text, remedy): (String, &str)| Finding {
        host: host.to_owned(),
        weight: Weight::Doubtful,
        text,
        remedy: remedy.to_owned(),
    };
    found.into_iter().flatten().map(finding).collect()
}

fn too_many_files(facts: &Facts, demand: &Demand) -> Option<(String, &'static str)> {
    let most = demand.clients.iter().copied().max()?;
    let needed = AGENT_FILES + demand.times(FILES, most);
    (needed > facts.open_files).then(|| {
        let text = format!(
            "an agent with {} clients opens about {} files, and may open {}",
            count(most),
            count(needed),
            count(facts.open_files)
        );
        (text, "raise `nofile` (docs/hosts.md), or deal the instances out to more agents or hosts")
    })
}

fn too_many_threads(facts: &Facts, demand: &Demand) -> Option<(String, &'static str)> {
    let limit = facts.threads?;
    let agents = demand.clients.len() as u64;
    let needed = agents * AGENT_THREADS + demand.times(THREADS, demand.all());
    (needed > limit).then(|| {
        let text = format!(
            "{} clients have about {} threads, and the host allows {}",
            count(demand.all()),
            count(needed),
            count(limit)
        );
        let remedy = "raise `nproc` of the user, `pids.max` of the control group or `kernel.threads-max`, or deal the instances out to more hosts";
        (text, remedy)
    })
}

fn too_much_memory(facts: &Facts, demand: &Demand) -> Option<(String, &'static str)> {
    let needed = demand.times(MEMORY_BYTES, demand.all());
    let has = facts.host.memory_bytes;
    (has > 0 && needed as f64 > has as f64 * MEMORY_SHARE).then(|| {
        let human = |bytes: u64| units::human(bytes as f64, "bytes");
        let text = format!(
            "{} clients take about {} of memory before they hold a record, and the host has {}",
            count(demand.all()),
            human(needed),
            human(has)
        );
        (text, "deal the instances out to more hosts")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::tests::sound;
    use mallard_protocol::message::HostFacts;

    fn texts(facts: &Facts, clients: &[u64], brokers: u64) -> Vec<String> {
        let demand = Demand { clients: clients.to_vec(), brokers };
        findings("load-1", facts, &demand).into_iter().map(|found| found.text).collect()
    }

    #[test]
    fn a_host_that_has_enough_is_not_warned_of() {
        assert_eq!(texts(&sound(), &[250, 250], 3), Vec::<String>::new());
        let small = Facts { open_files: 1_024, threads: Some(1_000), ..sound() };
        assert_eq!(texts(&small, &[40, 40], 3), Vec::<String>::new());
    }

    #[test]
    fn five_hundred_clients_on_a_small_host_are_warned_of_with_numbers() {
        let host = HostFacts { memory_bytes: 512 << 20, ..sound().host };
        let small = Facts { host, open_files: 4_096, threads: Some(2_048), ..sound() };
        assert_eq!(
            texts(&small, &[500], 3),
            [
                "an agent with 500 clients opens about 7,030 files, and may open 4,096",
                "500 clients have about 3,514 threads, and the host allows 2,048",
                "500 clients take about 800.8 MiB of memory before they hold a record, and the host has 512 MiB",
            ]
        );
    }

    #[test]
    fn files_are_an_agents_own_and_threads_are_shared() {
        let facts = Facts { open_files: 1_024, threads: Some(700), ..sound() };
        assert_eq!(texts(&facts, &[130], 1).len(), 1, "130 x 8 + 30 files, 130 x 5 + 14 threads");
        assert_eq!(texts(&facts, &[60, 60], 1).len(), 0);
        assert_eq!(texts(&facts, &[70, 70], 1).len(), 1, "140 x 5 + 28 threads");
    }
}
