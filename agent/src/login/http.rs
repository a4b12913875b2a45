//! One request over HTTP or HTTPS, for token endpoints: a bounded answer within a bounded time.
//!
//! It follows no redirection, because credentials must not go where nobody sent them, and knows no proxy.

use native_tls::{Certificate, HandshakeError, TlsConnector, TlsStream};
use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

/// Most bytes of an answer, its head included.
const ANSWER_CAP_BYTES: usize = 1024 * 1024;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its status code.
    pub(super) status: u16,
    /// Its body.
    pub(super) body: Vec<u8>,
}

/// Posts a body. `authority` holds certificates in PEM that are trusted beside the system's.
pub(super) fn post(
    url: &str,
    headers: &[(&str, String)],
    body: &[u8],
    authority: Option<&[u8]>,
    within: Duration,
) -> Result<Answer, String> {
    let deadline = Instant::now() + within;
    let url = Url::of(url)?;
    let mut stream = connect(&url, authority, deadline)?;
    let mut request = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
        url.path,
        url.authority,
        body.len()
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    let sent = stream.write_all(request.as_bytes()).and_then(|()| stream.write_all(body));
    sent.and_then(|()| stream.flush())
        .map_err(|cause| format!("it could not be asked: {cause}"))?;
    let bytes = read(&mut stream, deadline).map_err(|cause| match cause.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("no answer within {within:?}")
        }
        _ => format!("its answer could not be read: {cause}"),
    })?;
    parse(&bytes).ok_or_else(|| "its answer is no whole HTTP answer".to_owned())
}

/// The parts of an address.
#[derive(Debug, PartialEq, Eq)]
struct Url<'a> {
    secure: bool,
    authority: &'a str,
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Url<'a> {
    fn of(url: &'a str) -> Result<Self, String> {
        let (scheme, rest) =
            url.split_once("://").ok_or("it is no address with http:// or https://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("its address begins neither with http:// nor with https://".to_owned()),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split('#').next().unwrap_or_default();
        let sound = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.contains('@') || !sound(authority) || !sound(path) {
            return Err("its address has characters that none may have".to_owned());
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| "its address has no sound port")?)
            }
            _ => (authority, if secure { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("its address names no host".to_owned());
        }
        let path = if path.starts_with('/') { path } else { "/" };
        Ok(Self { secure, authority, host, port, path })
    }
}

/// What is wrong with the certificate of whoever listens at `host:port`, in OpenSSL's words.
pub(super) fn certificate_fault(
    address: &str,
    authority: Option<&[u8]>,
    within: Duration,
) -> Option<String> {
    let url = format!("https://{address}");
    let why = connect(&Url::of(&url).ok()?, authority, Instant::now() + within).err()?;
    // `certificate verify failed:../ssl/statem/statem_clnt.c:1890: (certificate has expired)`
    let (_, fault) = why.strip_suffix(')')?.rsplit_once('(')?;
    why.contains("certificate verify failed").then(|| fault.to_owned())
}

/// Whether this is an address that can be asked.
pub(super) fn is_address(url: &str) -> Result<(), String> {
    Url::of(url).map(|_| ())
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

fn connect(url: &Url<'_>, authority: Option<&[u8]>, deadline: Instant) -> Result<Stream, String> {
    let addresses = (url.host, url.port)
        .to_socket_addrs()
        .map_err(|cause| format!("its host {} is not known: {cause}", url.host))?;
    let mut failure = format!("its host {} has no address", url.host);
    let mut connected = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(deadline)) {
            Ok(socket) => {
                connected = Some(socket);
                break;
            }
            Err(cause) => failure = format!("connecting to {address}: {cause}"),
        }
    }
    let socket = connected.ok_or(failure)?;
    let patience = Some(left(deadline));
    socket
        .set_read_timeout(patience)
        .and_then(|()| socket.set_write_timeout(patience))
        .map_err(|cause| cause.to_string())?;
    if !url.secure {
        return Ok(Stream::Plain(socket));
    }
    let tls =
        connector(authority).map_err(|cause| format!("its authority's certificates: {cause}"))?;
    match tls.connect(url.host, socket) {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(HandshakeError::Failure(cause)) => Err(format!("its TLS handshake failed: {cause}")),
        Err(HandshakeError::WouldBlock(_)) => {
            Err("its TLS handshake did not end in time".to_owned())
        }
    }
}

fn connector(authority: Option<&[u8]>) -> native_tls::Result<TlsConnector> {
    let mut builder = TlsConnector::builder();
    if let Some(pem) = authority {
        for certificate in Certificate::stack_from_pem(pem)? {
            builder.add_root_certificate(certificate);
        }
    }
    builder.build()
}

/// Time left, never zero: sockets take that for "no limit".
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Reads until the answer is whole or the connection ends.
fn read(stream: &mut Stream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.socket().set_read_timeout(Some(left(deadline)))?;
        let count = match stream.read(&mut chunk) {
            Ok(count) => count,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            // Some servers end TLS without saying so.
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(cause) => return Err(cause),
        };
        bytes.extend_from_slice(&chunk[..count]);
        if bytes.len() > ANSWER_CAP_BYTES {
            return Err(io::Error::other(format!("it is longer than {ANSWER_CAP_BYTES} bytes")));
        }
        if count == 0 || is_whole(&bytes) {
            return Ok(bytes);
        }
    }
}

/// The head of an answer, and where its body begins.
fn head(bytes: &[u8]) -> Option<(&str, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, end + 4))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn is_chunked(head: &str) -> bool {
    header(head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
}

/// Whether nothing more is to come, where the answer says its length.
fn is_whole(bytes: &[u8]) -> bool {
    let Some((head, body)) = head(bytes) else { return false };
    if is_chunked(head) {
        return unchunked(&bytes[body..]).is_some();
    }
    let length = header(head, "content-length").and_then(|value| value.parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() - body >= length)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let (head, at) = head(bytes)?;
    let status =
        head.lines().next()?.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?.parse().ok()?;
    let rest = &bytes[at..];
    let body = if is_chunked(head) {
        unchunked(rest)?
    } else {
        match header(head, "content-length") {
            Some(length) => rest.get(..length.parse().ok()?)?.to_vec(),
            None => rest.to_vec(),
        }
    };
    Some(Answer { status, body })
}

/// The body of an answer in chunks (RFC 9112, section 7.1); nothing if it is not whole.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    #[test]
    fn addresses_are_taken_apart() {
        let url = Url::of("https://idp.example:8443/realms/x/token?a=b").unwrap();
        assert_eq!((url.secure, url.host, url.port), (true, "idp.example", 8443));
        assert_eq!((url.authority, url.path), ("idp.example:8443", "/realms/x/token?a=b"));
        let url = Url::of("http://[::1]").unwrap();
        assert_eq!((url.host, url.port, url.path), ("::1", 80, "/"));
        for wrong in
            ["idp", "ftp://x", "http://", "http://a@b/", "http://x/\r\nEvil: 1", "http://x:none/"]
        {
            assert!(Url::of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bodies_are_read_in_all_three_forms() {
        let body = |text: &str| parse(text.as_bytes()).map(|answer| (answer.status, answer.body));
        let whole = Some((200, b"hello".to_vec()));
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), whole);
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\nhello"), whole);
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n";
        assert_eq!(body(chunks), whole);
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"), None);
        assert_eq!(body(&chunks[..chunks.len() - 10]), None);
        assert_eq!(body("SSH-2.0"), None);
    }

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for_longer_than_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let silent = thread::spawn(move || {
            listener.accept().map(|(socket, _)| {
                thread::sleep(Duration::from_secs(2));
                drop(socket);
            })
        });
        let why = post(&url, &[], b"", None, Duration::from_millis(200)).unwrap_err();
        assert_eq!(why, "no answer within 200ms");
        silent.join().unwrap().unwrap();
    }
}
