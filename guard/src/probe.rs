//! What a client sees of a broker: one connection and one request.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

/// How long a broker may take to be connected to, and to answer. One that lives answers in milliseconds.
const PATIENCE: Duration = Duration::from_millis(700);

/// `ApiVersions` in its version 0, as every broker of the last ten years answers it before any login: length, key 18,
/// version 0, correlation id, a client id of no length.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0, 0];

/// What came of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It answered.
    Answer,
    /// It closed the connection without an answer.
    Closed,
    /// It neither answered nor closed.
    Silence,
    /// Nobody listens there.
    Refused,
    /// The address means nothing here, or leads nowhere.
    Unknown,
}

impl Seen {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Answer => "answers",
            Self::Closed => "closes connections",
            Self::Silence => "is silent",
            Self::Refused => "refuses connections",
            Self::Unknown => "cannot be looked at from here",
        }
    }

    /// Whether a broker serves clients there.
    pub(crate) fn is_up(self, tls: bool) -> bool {
        self == Self::Answer || (tls && self == Self::Closed)
    }
}

/// Looks at a broker.
pub(crate) fn look(address: &str) -> Seen {
    let Ok(mut found) = address.to_socket_addrs() else { return Seen::Unknown };
    found.next().map_or(Seen::Unknown, |address| ask(&address))
}

fn ask(address: &SocketAddr) -> Seen {
    let mut stream = match TcpStream::connect_timeout(address, PATIENCE) {
        Ok(stream) => stream,
        Err(error) => return of_connect(error.kind()),
    };
    let timed =
        stream.set_read_timeout(Some(PATIENCE)).and(stream.set_write_timeout(Some(PATIENCE)));
    if timed.is_err() {
        return Seen::Unknown;
    }
    if let Err(error) = stream.write_all(&API_VERSIONS) {
        return of_stream(error.kind());
    }
    match stream.read(&mut [0; 1]) {
        Ok(0) => Seen::Closed,
        Ok(_) => Seen::Answer,
        Err(error) => of_stream(error.kind()),
    }
}

fn of_connect(kind: ErrorKind) -> Seen {
    match kind {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Seen::Refused,
        // A queue of connections that nobody takes is full.
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Seen::Silence,
        _ => Seen::Unknown,
    }
}

fn of_stream(kind: ErrorKind) -> Seen {
    match kind {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Seen::Silence,
        _ => Seen::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn who_answers_who_is_silent_and_who_is_not_there_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(
            look(&address),
            Seen::Silence,
            "the kernel takes connections for one that stands still"
        );
        // The connection before waits in the queue.
        let answering = std::thread::spawn(move || {
            let _first = listener.accept().unwrap();
            let (mut second, _) = listener.accept().unwrap();
            let mut request = [0; 14];
            second.read_exact(&mut request).unwrap();
            second.write_all(&[0, 0, 0, 6]).unwrap();
            request
        });
        assert_eq!(look(&address), Seen::Answer);
        assert_eq!(answering.join().unwrap(), API_VERSIONS);
        assert_eq!(look(&address), Seen::Refused);
        assert_eq!(look("no.such.host.invalid:9092"), Seen::Unknown);
    }
}
