//! The lab's network: a bridge in a namespace of its own, with one leg in this machine's.
//!
//! The bridge must not lie in this machine's namespace: a container engine's packet filter would drop
//! what it forwards.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::steps::{STEP_WITHIN, must, must_in_network_of};
use crate::guard::Guarded;
use crate::{process, wait};

/// Labs of one machine at most: each has a third byte of `10.77.X.0/24`.
const LABS: u32 = 250;

/// The last byte of this machine's address in a lab.
const GATEWAY: u8 = 254;

/// The last byte of the address of a guest in a lab.
const GUEST: u8 = 253;

#[derive(Debug)]
pub(super) struct Switch {
    namespace: Guarded,
    lab: u8,
}

impl Switch {
    /// Makes the network; `folder` is removed when it goes.
    pub(super) fn start(folder: &Path) -> Self {
        let command = ["unshare", "--net", "--fork", "--kill-child", "sleep", "infinity"];
        let namespace = Guarded::start(&command, &folder.join("switch.log"), Some(folder));
        wait_for_namespace(namespace.pid());
        let lab = plug_in(namespace.pid());
        let switch = Self { namespace, lab };
        let (interface, gateway) = (switch.interface(), format!("{}/24", switch.gateway()));
        must("ip", &["addr", "add", &gateway, "dev", &interface]);
        must("ip", &["link", "set", &interface, "up"]);
        must_in_network_of(
            switch.pid(),
            "ip link add br0 type bridge; ip link set br0 up; ip link set lo up; \
             ip link set up0 master br0 up",
        );
        switch
    }

    /// A process in its namespace.
    pub(super) fn pid(&self) -> u32 {
        self.namespace.pid()
    }

    pub(super) fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.lab, GATEWAY)
    }

    pub(super) fn address_of(&self, number: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.lab, u8::try_from(number).unwrap_or(u8::MAX))
    }

    /// Plugs the network namespace of another process in. The kernel removes the wire with the lab.
    pub(super) fn admit(&self, pid: u32) -> Ipv4Addr {
        let (address, interface) = (self.address_of(GUEST.into()), self.interface());
        must_in_network_of(
            self.pid(),
            &format!(
                "ip link add guest type veth peer name {interface} netns {pid}; \
                 ip link set guest master br0 up"
            ),
        );
        must_in_network_of(
            pid,
            &format!("ip addr add {address}/24 dev {interface}; ip link set {interface} up"),
        );
        address
    }

    fn interface(&self) -> String {
        format!("mlab{}", self.lab)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // The kernel removes the other leg with the namespace; doing it now frees the number at once.
        let interface = self.interface();
        let _gone = process::run(Command::new("ip").args(["link", "del", &interface]), STEP_WITHIN);
    }
}

/// Makes the leg between this machine and the switch; its name is the claim to a lab's number.
fn plug_in(switch: u32) -> u8 {
    let first = std::process::id();
    for step in 0..LABS {
        let lab = u8::try_from((first + step) % LABS + 1).unwrap_or(1);
        let (interface, switch) = (format!("mlab{lab}"), switch.to_string());
        let mut add = Command::new("ip");
        add.args(["link", "add", &interface, "type", "veth", "peer", "name", "up0"]);
        let outcome = process::run(add.args(["netns", &switch]), STEP_WITHIN);
        match outcome.code() {
            Some(0) => return lab,
            _ if outcome.stderr.contains("File exists") => {}
            _ => panic!("failed to make the lab's network\n{outcome}"),
        }
    }
    panic!("all {LABS} labs are taken: `ip link` shows them as mlab1 and so on")
}

/// Waits until a process that was just started is in a network namespace of its own.
pub(super) fn wait_for_namespace(pid: u32) {
    let of = |pid: &str| PathBuf::from(format!("/proc/{pid}/ns/net")).read_link().ok();
    let ours = of("self");
    wait::until("a network namespace", STEP_WITHIN, || {
        of(&pid.to_string()).filter(|theirs| Some(theirs) != ours.as_ref())
    });
}
