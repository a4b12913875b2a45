//! Network namespaces of brokers: which one a process is in, which addresses it has, and on which ports the process
//! listens.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::MetadataExt,
};

/// Never touched: whoever broke it could not mend it any more.
const SSH_PORT: u16 = 22;

/// A listening socket in `/proc/PID/net/tcp`.
const LISTENS: &str = "0A";

/// A network namespace, by a process in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Space {
    pid: i32,
    inode: u64,
}

impl Space {
    /// The namespace of a process.
    ///
    /// # Errors
    /// It is gone, or may not be looked at.
    pub(crate) fn of(pid: i32) -> io::Result<Self> {
        let path = format!("/proc/{pid}/ns/net");
        let found = fs::metadata(&path).map_err(|cause| told(&path, &cause))?;
        Ok(Self { pid, inode: found.ino() })
    }

    /// Whether it is this process's own.
    pub(crate) fn is_own(self) -> bool {
        fs::metadata("/proc/self/ns/net").is_ok_and(|own| own.ino() == self.inode)
    }

    /// Whether both are the same.
    pub(crate) fn is(self, other: Self) -> bool {
        self.inode == other.inode
    }

    /// Processes in it.
    pub(crate) fn processes(self) -> Vec<i32> {
        let is_in = |pid: &i32| Self::of(*pid).is_ok_and(|of| of.is(self));
        processes().filter(is_in).collect()
    }

    /// Opens it; `None` if the process is not in it any more. What was in a namespace that nobody is in is gone with it.
    pub(crate) fn open(self) -> Option<File> {
        let file = File::open(format!("/proc/{}/ns/net", self.pid)).ok()?;
        file.metadata().is_ok_and(|found| found.ino() == self.inode).then_some(file)
    }

    /// Its addresses that others reach.
    pub(crate) fn addresses(self) -> BTreeSet<IpAddr> {
        let read = |name| fs::read_to_string(format!("/proc/{}/net/{name}", self.pid));
        let four = read("fib_trie").unwrap_or_default();
        let six = read("if_inet6").unwrap_or_default();
        let four = four_of(&four).into_iter().map(IpAddr::V4);
        let six = six.lines().filter_map(six_of).map(IpAddr::V6);
        four.chain(six).filter(|address| !address.is_loopback()).collect()
    }

    /// The ports on which processes in it listen.
    ///
    /// # Errors
    /// Nobody listens, as far as this user may know.
    pub(crate) fn ports(self, of: &[i32]) -> io::Result<BTreeSet<u16>> {
        let sockets: BTreeSet<u64> = of.iter().flat_map(|pid| sockets(*pid)).collect();
        let mut ports = BTreeSet::new();
        for name in ["tcp", "tcp6"] {
            let text = fs::read_to_string(format!("/proc/{}/net/{name}", self.pid));
            let found = text.unwrap_or_default();
            let listening = found.lines().filter_map(listening);
            ports.extend(listening.filter(|(_, socket)| sockets.contains(socket)).map(|of| of.0));
        }
        ports.remove(&SSH_PORT);
        if ports.is_empty() {
            let text = format!("process {} listens on no port that this user can see", self.pid);
            return Err(io::Error::other(text));
        }
        Ok(ports)
    }
}

/// All processes of this host, as far as they are seen from here.
pub(crate) fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn told(path: &str, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("{path}: {cause}"))
}

/// Inodes of the sockets that a process has open.
fn sockets(pid: i32) -> BTreeSet<u64> {
    let files = fs::read_dir(format!("/proc/{pid}/fd"));
    let links =
        files.into_iter().flatten().flatten().filter_map(|file| file.path().read_link().ok());
    links
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

/// Port and inode of a listening socket, from a line of `/proc/PID/net/tcp`.
fn listening(line: &str) -> Option<(u16, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, port) = fields.get(1)?.rsplit_once(':')?;
    if *fields.get(3)? != LISTENS {
        return None;
    }
    Some((u16::from_str_radix(port, 16).ok()?, fields.get(9)?.parse().ok()?))
}

/// Addresses of a namespace, from its `/proc/PID/net/fib_trie`: a leaf's address stands before what it is.
fn four_of(text: &str) -> BTreeSet<Ipv4Addr> {
    let mut leaf = None;
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line.starts_with("/32 host LOCAL") {
            found.extend(leaf);
        }
    }
    found
}

/// An address of a namespace, from a line of its `/proc/PID/net/if_inet6`.
fn six_of(line: &str) -> Option<Ipv6Addr> {
    let digits = line.split_ascii_whitespace().next()?;
    u128::from_str_radix(digits, 16).ok().map(Ipv6Addr::from_bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_process_listens_where_it_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pid = i32::try_from(std::process::id()).unwrap();
        let space = Space::of(pid).unwrap();
        assert!(space.is_own());
        assert!(space.ports(&[pid]).unwrap().contains(&port));
        space.ports(&[]).expect_err("nobody is no listener");
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let text = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.1.0.0\n        /24 link UNICAST\n     |-- 10.1.0.7\n        \
                    /32 host LOCAL\n     |-- 10.1.0.255\n        /32 link BROADCAST\n";
        assert_eq!(four_of(text), BTreeSet::from([Ipv4Addr::new(10, 1, 0, 7)]));
        let line = "fe800000000000000000000000000001 02 40 20 80     eth0";
        assert_eq!(six_of(line), Some("fe80::1".parse().unwrap()));
    }
}
