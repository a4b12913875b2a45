//! The wire between a host and the switch: a pair of interfaces, or a relay that delays and loses.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use super::{
    compiled,
    steps::{STEP_WITHIN, must_in_network_of},
};
use crate::guard::Guarded;
use crate::wait;

/// How slow and lossy a wire is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slowness {
    /// Delay of what the host sends, in milliseconds.
    pub out_ms: f64,
    /// Delay of what is sent to it, in milliseconds.
    pub back_ms: f64,
    /// Share of frames that are lost in either direction, from 0 to 1.
    pub loss: f64,
}

/// One host's end of the network.
#[derive(Debug)]
pub(super) struct Wire {
    number: usize,
    address: Ipv4Addr,
    gateway: Ipv4Addr,
    /// Processes in the host's and in the switch's namespace.
    host: u32,
    switch: u32,
}

impl Wire {
    pub(super) fn new(
        (number, address): (usize, Ipv4Addr),
        gateway: Ipv4Addr,
        host: u32,
        switch: u32,
    ) -> Self {
        Self { number, address, gateway, host, switch }
    }

    /// Plugs the host in by a wire as good as the kernel makes them.
    pub(super) fn plug_in(&self) {
        let (port, host) = (self.port(), self.host);
        must_in_network_of(
            self.switch,
            &format!("ip link add {port} type veth peer name eth0 netns {host}"),
        );
        self.set_up();
    }

    /// Replaces the wire by a relay, which ends what was there; it lives as long as what is returned.
    pub(super) fn replace_by_relay(&self, slowness: Slowness, folder: &Path) -> Guarded {
        let relay = compiled::relay(folder);
        let port = self.port();
        must_in_network_of(self.switch, &format!("ip link del {port} 2>/dev/null || true"));
        let log = folder.join(format!("relay-{}.log", self.number));
        let _former = fs::remove_file(&log);
        let microseconds = |ms: f64| format!("{:.0}", ms * 1e3);
        let arguments = [
            relay.display().to_string(),
            self.host.to_string(),
            self.switch.to_string(),
            port,
            microseconds(slowness.out_ms),
            microseconds(slowness.back_ms),
            format!("{:.0}", slowness.loss * 1e6),
        ];
        let guarded = Guarded::start(&arguments, &log, None);
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let ready = wait::poll(STEP_WITHIN, || said().contains("ready").then_some(()));
        assert!(ready.is_some(), "the relay did not start: {}", said());
        self.set_up();
        guarded
    }

    fn port(&self) -> String {
        format!("p{}", self.number)
    }

    /// The hardware address stays the same over all wires, so that no neighbour has to learn it anew.
    fn set_up(&self) {
        let Self { number, address, gateway, .. } = self;
        must_in_network_of(self.switch, &format!("ip link set p{number} master br0 up"));
        must_in_network_of(
            self.host,
            &format!(
                "ip link set eth0 address 02:00:00:00:00:{number:02x}; \
                 ip addr add {address}/24 dev eth0; ip link set eth0 up; \
                 ip route replace default via {gateway}"
            ),
        );
    }
}
