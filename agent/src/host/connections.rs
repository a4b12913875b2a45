//! What the kernel knows of this process's TCP connections, which are its clients' to the brokers.

use crate::sys::{self, TcpFigures};
use mallard_protocol::interval::Witness;
use std::{collections::HashMap, fs, os::fd::RawFd};

/// Connections that are looked at in a sample: each takes a system call, and a few hundred tell the same
/// as thousands.
const LOOKED_AT: usize = 512;

/// Takes the difference between one look and the next.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// Segments sent and lost of each connection, at the last look.
    before: HashMap<RawFd, (u32, u32)>,
}

impl Connections {
    /// Adds what is known of all connections now, and what they sent since the last look.
    pub(crate) fn sample(&mut self, into: &mut Witness) {
        self.add(open_descriptors().filter_map(|of| Some((of, sys::tcp_figures(of)?))), into);
    }

    fn add(&mut self, all: impl Iterator<Item = (RawFd, TcpFigures)>, into: &mut Witness) {
        let mut now = HashMap::with_capacity(self.before.len());
        for (descriptor, figures) in all.take(LOOKED_AT) {
            let TcpFigures { sent, sent_again, had_arrived, .. } = figures;
            // A kernel sends again what a process that is stopped, or waits for a CPU, makes the other one
            // acknowledge late. Nothing was lost then. That it had arrived is known a moment later.
            let lost = sent_again.saturating_sub(had_arrived);
            // A connection that has sent less than the last one of its number is a new one.
            let before = self.before.get(&descriptor).copied();
            let (sent_before, lost_before) =
                before.filter(|before| before.0 <= sent).unwrap_or((0, 0));
            into.segments += u64::from(sent - sent_before);
            into.segments_again += u64::from(lost.saturating_sub(lost_before));
            into.unacked_max = into.unacked_max.max(figures.unacked);
            into.unsent_bytes += u64::from(figures.unsent_bytes);
            into.wire_us = into.wire_us.max(u64::from(figures.shortest_us));
            now.insert(descriptor, (sent, lost.max(lost_before)));
        }
        self.before = now;
    }
}

fn open_descriptors() -> impl Iterator<Item = RawFd> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd,
        time::{Duration, Instant},
    };

    #[test]
    fn a_connection_of_this_process_is_seen_with_what_it_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let mut connections = Connections::default();
        connections.sample(&mut Witness::default());
        for _ in 0..20 {
            near.write_all(b"ping").unwrap();
            far.read_exact(&mut [0; 4]).unwrap();
            far.write_all(b"pong").unwrap();
            near.read_exact(&mut [0; 4]).unwrap();
        }
        let mut witness = Witness::default();
        connections.sample(&mut witness);
        assert!(witness.segments >= 40, "{witness:?}");
        assert!(witness.wire_us > 0 && witness.wire_us < 1_000_000, "{witness:?}");
    }

    #[test]
    fn only_what_was_sent_since_counts_and_a_new_connection_counts_whole() {
        let figures = |sent, sent_again| TcpFigures { sent, sent_again, ..TcpFigures::default() };
        let mut connections = Connections::default();
        let mut look = |all: Vec<(RawFd, TcpFigures)>| {
            let mut witness = Witness::default();
            connections.add(all.into_iter(), &mut witness);
            (witness.segments, witness.segments_again)
        };
        assert_eq!(look(vec![(3, figures(100, 1)), (4, figures(50, 0))]), (150, 1));
        assert_eq!(look(vec![(3, figures(120, 3)), (4, figures(7, 0))]), (27, 2));
    }

    #[test]
    fn what_had_arrived_was_not_lost_also_where_that_is_known_only_later() {
        let figures = |sent, sent_again, had_arrived| TcpFigures {
            sent,
            sent_again,
            had_arrived,
            ..TcpFigures::default()
        };
        let mut connections = Connections::default();
        let mut lost = |of| {
            let mut witness = Witness::default();
            connections.add(std::iter::once((3, of)), &mut witness);
            witness.segments_again
        };
        assert_eq!(lost(figures(100, 8, 8)), 0);
        assert_eq!(lost(figures(200, 10, 9)), 1);
        assert_eq!(lost(figures(300, 11, 11)), 0);
        assert_eq!(lost(figures(400, 12, 11)), 0, "the same one");
        assert_eq!(lost(figures(500, 15, 11)), 3);
    }

    /// Two small segments whose acknowledgement comes late, as when the reader is busy or stopped.
    #[test]
    fn a_loopback_loses_nothing_although_its_kernel_sends_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_far, _) = listener.accept().unwrap();
        near.set_nodelay(true).unwrap();
        let figures = || sys::tcp_figures(near.as_raw_fd()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut writer = near.try_clone().unwrap();
        while figures().sent_again == 0 && Instant::now() < deadline {
            writer.write_all(b"a").unwrap();
            writer.write_all(b"b").unwrap();
            while figures().unacked > 0 && Instant::now() < deadline {
                std::thread::yield_now();
            }
        }
        while figures().had_arrived < figures().sent_again && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let TcpFigures { sent_again, had_arrived, .. } = figures();
        assert!(sent_again > 0, "the kernel sent nothing again");
        assert_eq!(had_arrived, sent_again);
    }
}
