//! The server: a thread that accepts connections, and one for each of them. A connection is for one request.

use super::{request::Request, response::Response};
use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Connections at a time; whoever comes beyond is told to come again.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take none of what is written to it.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// How long nothing is accepted after accepting has failed: there are no more files to open, for one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A server, until it is dropped. Answers that are being written are finished by threads of their own.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Server {
    /// Answers requests by a function from now on.
    ///
    /// # Errors
    ///
    /// When there is no thread for it.
    pub fn start<A>(listener: TcpListener, answer: A) -> io::Result<Self>
    where
        A: Fn(&Request) -> Response + Send + Sync + 'static,
    {
        let address = listener.local_addr()?;
        let over = Arc::<AtomicBool>::default();
        let (is_over, answer) = (Arc::clone(&over), Arc::new(answer));
        thread::Builder::new()
            .name("http".into())
            .spawn(move || accept(&listener, &is_over, &answer))?;
        Ok(Self { address, over })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Wakes it from waiting for a client.
        let _ = TcpStream::connect_timeout(&self.address, ACCEPT_AGAIN);
    }
}

fn accept<A>(listener: &TcpListener, over: &AtomicBool, answer: &Arc<A>)
where
    A: Fn(&Request) -> Response + Send + Sync + 'static,
{
    let open = Arc::<AtomicUsize>::default();
    for stream in listener.incoming() {
        if over.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else {
            thread::sleep(ACCEPT_AGAIN);
            continue;
        };
        if stream.set_write_timeout(Some(TAKEN_WITHIN)).is_err() {
            continue;
        }
        if open.load(Ordering::Acquire) >= CONNECTIONS_MAX {
            let busy = Response::text(503, "too many connections: try again");
            let _ = busy.write(&mut &stream, true);
            continue;
        }
        let place = Place::take(&open);
        let answer = Arc::clone(answer);
        let begun = thread::Builder::new().name("http client".into()).spawn(move || {
            let _place = place;
            // A client that goes away in the middle is its own affair.
            let _ = serve(&stream, answer.as_ref());
            let _ = stream.shutdown(Shutdown::Write);
        });
        drop(begun);
    }
}

/// A connection's place among those that are open.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn serve(stream: &TcpStream, answer: &impl Fn(&Request) -> Response) -> io::Result<()> {
    let request = match Request::read(stream) {
        Ok(request) => request,
        Err(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            return Response::text(400, &cause.to_string()).write(&mut &*stream, true);
        }
        Err(cause) => return Err(cause),
    };
    let with_body = request.method != "HEAD";
    answer(&request).write(&mut io::BufWriter::new(stream), with_body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::Ipv4Addr,
    };

    fn echo() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Server::start(listener, |request| Response::text(200, &request.path)).unwrap()
    }

    fn ask(server: &Server, text: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_request_is_answered_and_one_that_is_none_is_refused() {
        let server = echo();
        let answer = ask(&server, "GET /a%20b HTTP/1.1\r\nHost: here\r\n\r\n");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("/a b\n"),
            "{answer}"
        );
        let head = ask(&server, "HEAD /a HTTP/1.1\r\n\r\n");
        assert!(head.contains("Content-Length: 3") && head.ends_with("\r\n\r\n"), "{head}");
        for wrong in ["GET\r\n\r\n", "GET / HTTP/1.1\r\nnothing\r\n\r\n"] {
            let answer = ask(&server, wrong);
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request"), "{answer}");
        }
    }

    #[test]
    fn a_head_without_end_ends_the_connection() {
        let server = echo();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let line = format!("X: {}\r\n", "x".repeat(1_000));
        let begun = stream.write_all(b"GET / HTTP/1.1\r\n").is_ok();
        assert!(begun && (0..100_000).any(|_| stream.write_all(line.as_bytes()).is_err()));
    }

    #[test]
    fn clients_that_say_nothing_hold_nobody_up() {
        let server = echo();
        let silent: Vec<_> = (0..CONNECTIONS_MAX - 1)
            .map(|_| TcpStream::connect(server.address()).unwrap())
            .collect();
        assert!(ask(&server, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
        drop(silent);
    }

    #[test]
    fn a_server_that_is_dropped_gives_its_port_back() {
        let server = echo();
        let address = server.address();
        drop(server);
        let free = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(20));
            TcpListener::bind(address).is_ok()
        });
        assert!(free, "the port is still taken");
    }
}
