//! Lines of a head, read within a length and a time.

use std::{
    io::{self, Read},
    net::TcpStream,
    time::{Duration, Instant},
};

/// Longest head, in bytes: more than browsers send, less than a flood.
pub(super) const HEAD_MAX_BYTES: usize = 16 << 10;

/// Reads from a connection until a moment, however slowly the other side sends.
pub(super) struct Timed<'a> {
    stream: &'a TcpStream,
    until: Instant,
}

impl<'a> Timed<'a> {
    pub(super) fn new(stream: &'a TcpStream, within: Duration) -> Self {
        Self { stream, until: Instant::now() + within }
    }

    /// Reads at most so much; an empty read is the end of the connection.
    fn some(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(into)
    }

    /// Reads up to and with the empty line. Gives back the head's lines, and what has come after it.
    ///
    /// # Errors
    ///
    /// When it does not end in time or within [`HEAD_MAX_BYTES`], or is no text.
    pub(super) fn head(&mut self) -> io::Result<(Vec<String>, Vec<u8>)> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                bytes.truncate(end);
                let text = String::from_utf8(bytes).map_err(|_| malformed("a head is no text"))?;
                return Ok((text.split("\r\n").map(str::to_owned).collect(), rest));
            }
            if bytes.len() > HEAD_MAX_BYTES {
                return Err(malformed("a head is too long"));
            }
            match self.some(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => bytes.extend_from_slice(&chunk[..length]),
            }
        }
    }

    /// Reads a body of a known length, of which a part has come with the head.
    ///
    /// # Errors
    ///
    /// When it does not come whole in time.
    pub(super) fn body(&mut self, begun: Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
        let mut body = begun;
        body.truncate(length);
        let mut chunk = [0; 4096];
        while body.len() < length {
            let most = chunk.len().min(length - body.len());
            match self.some(&mut chunk[..most])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => body.extend_from_slice(&chunk[..length]),
            }
        }
        Ok(body)
    }
}

/// Headers by name in lower case.
pub(super) fn headers(lines: &[String]) -> io::Result<Vec<(String, String)>> {
    let header = |line: &String| {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header is none"))?;
        Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    lines.iter().map(header).collect()
}

pub(super) fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
