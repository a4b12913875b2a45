//! Starting a cluster, and doing to its brokers what happens to brokers.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::node::{CLUSTER_ID, Node, Seat, take_seats};
use crate::java;
use crate::process::{self, Signal};

/// How long a broker may take to shut down in good order.
const SHUT_DOWN_WITHIN: Duration = Duration::from_secs(60);

/// How long a killed process may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Apache Kafka on this machine, by default on loopback: KRaft nodes, each a broker and a controller in a JVM of its own.
///
/// Brokers are named by Kafka's own node ids, which begin at 1. Topics are created on first use, as
/// on any Kafka with default settings. Dropping the cluster kills it and removes its files; so does
/// the end of the test process, whatever ended it.
#[derive(Debug)]
pub struct KafkaCluster {
    seats: Vec<Seat>,
    nodes: Mutex<Vec<Node>>,
}

/// The cluster of this size that all tests of this process share. It is started by the first that
/// asks. Tests that break brokers start one of their own; the others give their topics names of
/// their own.
///
/// # Panics
///
/// When it cannot be started.
#[must_use]
pub fn shared(brokers: usize) -> &'static KafkaCluster {
    static CLUSTERS: Mutex<BTreeMap<usize, &'static KafkaCluster>> = Mutex::new(BTreeMap::new());
    // Others wait here while the first one starts it; if it fails to, each of them tries and tells.
    let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
    clusters.entry(brokers).or_insert_with(|| Box::leak(Box::new(KafkaCluster::start(brokers))))
}

impl KafkaCluster {
    /// Starts a cluster and waits until all of its brokers take requests.
    ///
    /// # Panics
    ///
    /// When a broker does not start: the message shows the end of its log.
    #[must_use]
    pub fn start(brokers: usize) -> Self {
        Self::start_with(brokers, &[])
    }

    /// Starts a cluster with further settings for all brokers, which win over those of
    /// [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// When a broker does not start: the message shows the end of its log.
    #[must_use]
    pub fn start_with(brokers: usize, settings: &[(&str, &str)]) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, brokers, settings)
    }

    /// Starts a cluster that listens on another address of this machine than loopback.
    ///
    /// # Panics
    ///
    /// When a broker does not start: the message shows the end of its log.
    #[must_use]
    pub fn start_at(address: Ipv4Addr, brokers: usize, settings: &[(&str, &str)]) -> Self {
        assert!(brokers > 0, "a cluster has at least one broker");
        let seats = take_seats(address, brokers);
        let name = new_name();
        let mut nodes: Vec<Node> =
            seats.iter().map(|seat| Node::new(seat.id, folder(&name, seat.id))).collect();
        for node in &nodes {
            node.write_settings(&seats, settings);
        }
        format_storage(&nodes);
        nodes.iter_mut().for_each(Node::launch);
        // Made before waiting: if a broker fails to start, dropping it ends the others.
        let cluster = Self { seats, nodes: Mutex::new(nodes) };
        cluster.nodes().iter().for_each(Node::wait_until_ready);
        cluster
    }

    /// The addresses of all brokers, as clients take them for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> =
            (1..=self.seats.len()).map(|id| self.broker_address(id)).collect();
        addresses.join(",")
    }

    /// The number of brokers, running or not.
    #[must_use]
    pub fn size(&self) -> usize {
        self.seats.len()
    }

    /// The address of one broker, as `127.0.0.1:PORT` unless it was started elsewhere.
    ///
    /// # Panics
    ///
    /// When there is no broker of this id.
    #[must_use]
    pub fn broker_address(&self, id: usize) -> String {
        let Seat { address, client_port, .. } = self.seats[self.index(id)];
        format!("{address}:{client_port}")
    }

    /// The process id of a broker's JVM.
    ///
    /// # Panics
    ///
    /// When there is no broker of this id.
    #[must_use]
    pub fn broker_pid(&self, id: usize) -> u32 {
        self.nodes()[self.index(id)].pid()
    }

    /// What a broker has logged since its latest start.
    ///
    /// # Panics
    ///
    /// When there is no broker of this id.
    #[must_use]
    pub fn broker_log(&self, id: usize) -> String {
        fs::read_to_string(self.nodes()[self.index(id)].log_file()).unwrap_or_default()
    }

    /// Stops a broker in its tracks, by SIGSTOP: its connections stay open and say nothing.
    ///
    /// # Panics
    ///
    /// When there is no broker of this id.
    pub fn stop_broker(&self, id: usize) {
        self.nodes()[self.index(id)].signal(Signal::STOP);
    }

    /// Lets a stopped broker go on.
    ///
    /// # Panics
    ///
    /// When there is no broker of this id.
    pub fn cont_broker(&self, id: usize) {
        self.nodes()[self.index(id)].signal(Signal::CONT);
    }

    /// Kills a broker by SIGKILL and waits until it is gone. The others notice that nine seconds
    /// later unless `broker.session.timeout.ms` says otherwise.
    ///
    /// # Panics
    ///
    /// When there is no broker of this id.
    pub fn kill_broker(&self, id: usize) {
        let nodes = self.nodes();
        let node = &nodes[self.index(id)];
        node.signal(Signal::KILL);
        node.wait_until_ended(GONE_WITHIN);
    }

    /// Shuts a broker down in good order, by SIGTERM: it hands over its partitions first.
    ///
    /// # Panics
    ///
    /// When there is no broker of this id, or it does not end.
    pub fn shut_down_broker(&self, id: usize) {
        let nodes = self.nodes();
        let node = &nodes[self.index(id)];
        node.signal(Signal::TERM);
        node.wait_until_ended(SHUT_DOWN_WITHIN);
    }

    /// Starts a broker again on its old files and ports, and waits until it takes requests. One
    /// that still runs is killed first.
    ///
    /// # Panics
    ///
    /// When there is no broker of this id, or it does not start.
    pub fn restart_broker(&self, id: usize) {
        let mut nodes = self.nodes();
        let node = &mut nodes[self.index(id)];
        node.launch();
        node.wait_until_ready();
    }

    fn index(&self, id: usize) -> usize {
        assert!(
            (1..=self.size()).contains(&id),
            "no broker {id}: they are numbered from 1 to {}",
            self.size()
        );
        id - 1
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name that no other cluster has, of this or of another test process.
fn new_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("mallard-test-kafka-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn folder(cluster: &str, id: usize) -> PathBuf {
    std::env::temp_dir().join(format!("{cluster}-broker-{id}"))
}

/// Formats the storage of all nodes: that of the first by Kafka's own tool, the others' as copies
/// of it, which differ only in their ids and save a second of start-up each.
fn format_storage(nodes: &[Node]) {
    let Some((first, others)) = nodes.split_first() else { return };
    let mut format = java::command();
    format
        .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
        .arg(first.settings_file());
    process::run(&mut format, java::WITHIN).assert_code(0);
    for (id, node) in (2..).zip(others) {
        copy_storage(&first.data_folder(), &node.data_folder(), id)
            .unwrap_or_else(|error| panic!("failed to format the storage of broker {id}: {error}"));
    }
}

fn copy_storage(from: &Path, to: &Path, id: usize) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    fs::copy(from.join("bootstrap.checkpoint"), to.join("bootstrap.checkpoint"))?;
    let meta = format!(
        "version=1\ncluster.id={CLUSTER_ID}\nnode.id={id}\ndirectory.id={}\n",
        directory_id(id)
    );
    fs::write(to.join("meta.properties"), meta)
}

/// An id for a data folder: 22 characters of URL-safe base64 that decode to 16 bytes, unlike those
/// of the other nodes of this cluster.
fn directory_id(id: usize) -> String {
    format!("MallardTestsBroker{id:03}A")
}

#[cfg(test)]
mod tests {
    use super::{CLUSTER_ID, directory_id};

    #[test]
    fn ids_have_the_length_that_kafka_decodes() {
        assert_eq!(CLUSTER_ID.len(), 22);
        assert_eq!(directory_id(2).len(), 22);
        assert_eq!(directory_id(41).len(), 22);
    }
}
