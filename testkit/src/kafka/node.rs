//! One broker: its settings, its folder, and the JVM that runs it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::guard::Guarded;
use crate::process::Signal;
use crate::{java, wait};

/// How long a broker may take to start. It is three seconds on an idle machine; test machines have
/// few cores, and several of them start at once.
const START_WITHIN: Duration = Duration::from_secs(120);

/// What a broker logs when it takes requests.
const STARTED: &str = "Kafka Server started";

/// Enough for a test's load; three brokers and a browser must fit beside each other.
const HEAP: [&str; 3] = ["-Xms64m", "-Xmx320m", "-XX:+ExitOnOutOfMemoryError"];

/// The name that all clusters of tests carry; each has a folder and ports of its own.
pub(super) const CLUSTER_ID: &str = "MallardTestClusterAAAQ";

/// The ports that brokers listen on, below the range from which the kernel gives ports to outgoing
/// connections: there, a port could be taken while its broker is down and about to be restarted.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Where one broker is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) id: usize,
    pub(super) address: Ipv4Addr,
    pub(super) client_port: u16,
    pub(super) controller_port: u16,
}

/// One broker and the files that it lives on.
#[derive(Debug)]
pub(super) struct Node {
    id: usize,
    folder: PathBuf,
    starts: usize,
    process: Option<Guarded>,
}

impl Node {
    /// A broker that lives in a folder of its own, which goes when its guard does.
    pub(super) fn new(id: usize, folder: PathBuf) -> Self {
        Self { id, folder, starts: 0, process: None }
    }

    pub(super) fn settings_file(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    pub(super) fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The log of the latest start.
    pub(super) fn log_file(&self) -> PathBuf {
        self.folder.join(format!("server-{}.log", self.starts))
    }

    pub(super) fn write_settings(&self, seats: &[Seat], extra: &[(&str, &str)]) {
        let seat = seats[self.id - 1];
        fs::create_dir_all(self.folder.join("tmp"))
            .and_then(|()| {
                fs::write(self.settings_file(), settings(seat, seats, &self.folder, extra))
            })
            .unwrap_or_else(|error| {
                panic!("failed to write {}: {error}", self.settings_file().display())
            });
    }

    /// Starts the JVM, without waiting for the broker to be ready. One that is still there is
    /// killed.
    pub(super) fn launch(&mut self) {
        if let Some(former) = self.process.take() {
            former.end_and_keep();
        }
        self.starts += 1;
        let java = java::launcher().unwrap_or_else(|| panic!("no java to run Kafka with"));
        let mut command = vec![java.into_os_string()];
        command.extend(java::options());
        command.extend(HEAP.map(OsString::from));
        // Native codecs are unpacked there, and go with the folder.
        command.push(format!("-Djava.io.tmpdir={}", self.folder.join("tmp").display()).into());
        // The keys of tokens, where there are some, are in a file, which Kafka reads from places that it is told only.
        let keys = self.folder.join("jwks.json");
        let allowed = "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://";
        command.push(format!("{allowed}{}", keys.display()).into());
        command.extend(["kafka.Kafka".into(), self.settings_file().into_os_string()]);
        self.process = Some(Guarded::start(&command, &self.log_file(), Some(&self.folder)));
    }

    /// Waits until the broker takes requests.
    pub(super) fn wait_until_ready(&self) {
        let outcome = wait::poll(START_WITHIN, || {
            let log = fs::read_to_string(self.log_file()).unwrap_or_default();
            match (log.contains(STARTED), self.process().is_alive()) {
                (true, _) => Some(Ok(())),
                (false, false) => Some(Err(log)),
                (false, true) => None,
            }
        });
        match outcome {
            Some(Ok(())) => {}
            Some(Err(log)) => {
                panic!("broker {} ended instead of starting:\n{}", self.id, last_lines(&log))
            }
            None => {
                let log = fs::read_to_string(self.log_file()).unwrap_or_default();
                panic!(
                    "broker {} not ready within {START_WITHIN:?}:\n{}",
                    self.id,
                    last_lines(&log)
                )
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process().pid()
    }

    pub(super) fn signal(&self, signal: Signal) {
        self.process().signal(signal);
    }

    /// Waits until the JVM has ended.
    pub(super) fn wait_until_ended(&self, within: Duration) {
        wait::until(format_args!("the end of broker {}", self.id), within, || {
            (!self.process().is_alive()).then_some(())
        });
    }

    fn process(&self) -> &Guarded {
        self.process.as_ref().unwrap_or_else(|| panic!("broker {} was never started", self.id))
    }
}

/// Takes free ports of an address of this machine for a cluster of `brokers`.
pub(super) fn take_seats(address: Ipv4Addr, brokers: usize) -> Vec<Seat> {
    let mut ports = free_ports(address, 2 * brokers).into_iter();
    let mut port = || ports.next().unwrap_or_else(|| panic!("no free ports in {PORTS:?}"));
    (1..=brokers)
        .map(|id| Seat { id, address, client_port: port(), controller_port: port() })
        .collect()
}

/// Chooses ports that nobody listens on, and none that this process has been given before: a broker
/// that is about to start does not listen yet.
fn free_ports(address: Ipv4Addr, count: usize) -> Vec<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let span = u32::from(PORTS.end - PORTS.start);
    // Test processes that run at once begin at different places.
    let first = std::process::id().wrapping_mul(97) % span;
    let candidates = (0..span).map(|step| PORTS.start + ((first + step) % span) as u16);
    let is_free = |port: &u16| TcpListener::bind((address, *port)).is_ok();
    let unused = candidates.filter(|port| !given.contains(port));
    let chosen: Vec<u16> = unused.filter(is_free).take(count).collect();
    given.extend(&chosen);
    chosen
}

fn settings(seat: Seat, seats: &[Seat], folder: &Path, extra: &[(&str, &str)]) -> String {
    let voters: Vec<String> = seats
        .iter()
        .map(|seat| format!("{}@{}:{}", seat.id, seat.address, seat.controller_port))
        .collect();
    let replicas = seats.len().min(3);
    let min_isr = replicas.div_ceil(2);
    let Seat { id, address, client_port, controller_port } = seat;
    let mut text = format!(
        "node.id={id}
process.roles=broker,controller
controller.quorum.voters={}
listeners=PLAINTEXT://{address}:{client_port},CONTROLLER://{address}:{controller_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={}
# Joining an empty group would wait three seconds for others.
group.initial.rebalance.delay.ms=0
# Fifty partitions for each of these are for busier clusters.
offsets.topic.num.partitions=6
transaction.state.log.num.partitions=6
share.coordinator.state.topic.num.partitions=6
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={min_isr}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={min_isr}
",
        voters.join(","),
        folder.join("data").display(),
    );
    // Of two lines with the same key, the later one holds.
    for (key, value) in extra {
        text += &format!("{key}={value}\n");
    }
    text
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
