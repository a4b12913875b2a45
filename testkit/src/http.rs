//! As much HTTP as tests need: a question to a server, and a server that keeps what is posted to it.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// How long the other side may take.
const WITHIN: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status: 200.
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks for a path, with further headers, as `GET`. The answer ends with the connection.
///
/// # Errors
///
/// When nobody listens, or what is answered is no HTTP.
pub fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
    send(address, &format!("GET {path}"), headers, "")
}

/// Sends a request of a method and a path, with a body.
///
/// # Errors
///
/// When nobody listens, or what is answered is no HTTP.
pub fn send(
    address: SocketAddr,
    what: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    // Of version 1.0, so that the body comes in one piece.
    let mut head = format!("{what} HTTP/1.0\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut reader = BufReader::new(stream);
    let (line, headers) = head_of(&mut reader)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status in {line:?}")))?;
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    Ok(Answer { status, headers, body })
}

/// A port of the loopback that is free now.
///
/// # Panics
///
/// When none is.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.unwrap_or_else(|error| panic!("no port is free: {error}")).port()
}

/// What was posted.
#[derive(Clone, Debug)]
pub struct Posted {
    /// `POST /v1/metrics`
    pub line: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A server on a port of the loopback that keeps what is posted to it, until it is dropped.
#[derive(Debug)]
pub struct Mailbox {
    address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mailbox {
    /// Opens one at a port; 0 is any. The first requests, so many, are answered with a status.
    ///
    /// # Panics
    ///
    /// When the port is not free.
    #[must_use]
    pub fn open(port: u16, refused: usize, status: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = listener.unwrap_or_else(|error| panic!("port {port} is not free: {error}"));
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|error| panic!("a port without a number: {error}"));
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        let is_over = Arc::<AtomicBool>::default();
        let (kept, over) = (Arc::clone(&posted), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                if over.load(Ordering::Acquire) {
                    break;
                }
                let status = if at < refused { status } else { "200 OK" };
                // A client that goes away in the middle is its own affair.
                let taken = stream.and_then(|stream| take(stream, status));
                if let Ok(posted) = taken
                    && at >= refused
                {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(posted);
                }
            }
        });
        Self { address, posted, is_over, thread: Some(thread) }
    }

    /// Its address: `http://127.0.0.1:41234`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was posted and not refused.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // Wakes it from waiting for a client.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn take(stream: TcpStream, status: &str) -> io::Result<Posted> {
    stream.set_read_timeout(Some(WITHIN))?;
    let mut reader = BufReader::new(stream);
    let posted = request(&mut reader)?;
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes())?;
    Ok(posted)
}

/// A request as a server reads it.
pub(crate) fn request(reader: &mut impl BufRead) -> io::Result<Posted> {
    let (line, headers) = head_of(reader)?;
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    Ok(Posted { line, headers, body })
}

fn head_of(reader: &mut impl BufRead) -> io::Result<(String, BTreeMap<String, String>)> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Ok((line.trim_end().to_owned(), headers))
}
