//! Several hosts on one machine: network namespaces with an sshd each, and a real Kafka within their
//! reach.
//!
//! ```ignore
//! testkit::require!(netns, sshd, kafka);
//! let lab = Lab::start(3);                       // load-1, load-2, load-3
//! let kafka = lab.kafka(1);                      // brokers that all hosts and this process reach
//! let sandbox = Sandbox::new();
//! sandbox.file("c.yaml", lab.cluster_file(&kafka, "  - ssh: {name: 'load-[1-3]'}"));
//! sandbox.file("s.yaml", "…");
//! let run = sandbox.spawn(["run", "s.yaml", "--cluster", "c.yaml"]);
//! lab.host(1).cut();                             // every packet to and from load-1 is dropped
//! lab.host(1).heal();
//! lab.host(2).slow(Slowness { out_ms: 20.0, back_ms: 20.0, loss: 0.0 });
//! lab.host(3).power_off();                       // its processes and its network are gone
//! let seen = lab.host(1).run("ls ~/.cache/mallard");   // as the user that Mallard logs in as
//! ```
//!
//! Each host has a network, host name, host key, process table, `/tmp`-like folders and homes of its own;
//! the kernel, its monotonic clock and the programs in `/usr` are this machine's. Mallard logs in as
//! `bench`, who is not root, by [`Lab::ssh_config`]. How a host differs from others is a
//! [`HostOptions`]: another clock, a small or unfriendly home, other variables.
//!
//! Nothing is left when the lab is dropped, or when the test process ends however it ends: all hangs on
//! the processes of the namespaces, which are under guard ([`crate::guard`]). No packet filter and no
//! address of this machine is touched but those of the lab's own interface, `mlab` and a number.

mod compiled;
mod host;
mod keys;
mod steps;
mod switch;
mod wire;

use crate::kafka::KafkaCluster;
use std::{
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};
use steps::write;
use switch::Switch;

pub use steps::USER;

pub use host::{Host, HostOptions};
pub use wire::Slowness;

/// A set of hosts.
#[derive(Debug)]
pub struct Lab {
    // Dropped in this order: the hosts' guards, then the switch's, which removes the folder.
    hosts: Vec<Host>,
    switch: Switch,
    folder: PathBuf,
}

impl Lab {
    /// Starts so many hosts, `load-1` and so on, and waits until all of them take logins.
    ///
    /// # Panics
    ///
    /// When something cannot be started.
    #[must_use]
    pub fn start(hosts: usize) -> Self {
        Self::start_with(&vec![HostOptions::default(); hosts])
    }

    /// Starts a host for each of these options, `load-1` and so on.
    ///
    /// # Panics
    ///
    /// When something cannot be started.
    #[must_use]
    pub fn start_with(options: &[HostOptions]) -> Self {
        assert!((1..=200).contains(&options.len()), "a lab has 1 to 200 hosts");
        let folder = new_folder();
        let switch = Switch::start(&folder);
        keys::make_client_key(&folder);
        let addresses = (1..=options.len()).map(|number| (number, switch.address_of(number)));
        host::write_shared_files(&folder, addresses.clone());
        let hosts: Vec<Host> = addresses
            .zip(options)
            .map(|((number, address), options)| {
                Host::start(number, address, options, &folder, &switch)
            })
            .collect();
        let lab = Self { hosts, switch, folder };
        lab.write_ssh_config();
        lab.hosts.iter().for_each(Host::wait_until_ready);
        lab
    }

    /// A host by its number, from 1: `host(1)` is `load-1`.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn host(&self, number: usize) -> &Host {
        let host = number.checked_sub(1).and_then(|index| self.hosts.get(index));
        host.unwrap_or_else(|| panic!("no host {number}: there are {}", self.hosts.len()))
    }

    /// All hosts.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// This machine's address in the lab's network.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        self.switch.gateway()
    }

    /// Plugs the network namespace of another process into the lab's network, such as that of a
    /// container engine. Returns its address there; a lab has room for one such guest.
    #[must_use]
    pub fn admit(&self, pid: u32) -> Ipv4Addr {
        self.switch.admit(pid)
    }

    /// Starts Kafka on this machine's address in the lab: every host and this process reach it there.
    ///
    /// # Panics
    ///
    /// When a broker does not start.
    #[must_use]
    pub fn kafka(&self, brokers: usize) -> KafkaCluster {
        KafkaCluster::start_at(self.gateway(), brokers, &[])
    }

    /// The ssh configuration by which hosts are reached by name: `ssh -F FILE load-1`.
    #[must_use]
    pub fn ssh_config(&self) -> PathBuf {
        self.folder.join("ssh_config")
    }

    /// The host keys that [`ssh_config`](Self::ssh_config) trusts, for tests that change them.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.folder.join("known_hosts")
    }

    /// The private key that every host lets in.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.folder.join("id")
    }

    /// The lab's folder, which goes with it: a place for files that hosts see, too.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A cluster file with a Kafka and lines of hosts, such as `"  - ssh: {name: load-1}"`, and
    /// whatever stands after those.
    #[must_use]
    pub fn cluster_file(&self, kafka: &KafkaCluster, hosts_and_more: &str) -> String {
        format!(
            "kafka: {{bootstrap: \"{}\"}}\nssh_config: {}\nhosts:\n{hosts_and_more}\n",
            kafka.bootstrap(),
            self.ssh_config().display()
        )
    }

    fn write_ssh_config(&self) {
        let mut text = String::new();
        for host in &self.hosts {
            text += &format!("Host {}\n  HostName {}\n", host.name(), host.address());
        }
        let (identity, known) = (self.identity(), self.known_hosts());
        text += &format!(
            "Host *\n  User {USER}\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n",
            identity.display(),
            known.display()
        );
        write(&self.ssh_config(), &text);
    }
}

/// A folder that hosts may look into, for a lab that is about to be.
fn new_folder() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("mallard-test-lab-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder)
        .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)))
        .unwrap_or_else(|error| panic!("failed to make {}: {error}", folder.display()));
    folder
}
