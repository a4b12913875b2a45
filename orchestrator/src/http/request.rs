//! A request, as it came.

use super::head::{Timed, headers, malformed};
use std::{
    io,
    net::{IpAddr, TcpStream},
    time::Duration,
};

/// How long a client may take to say what it wants.
const ASKED_WITHIN: Duration = Duration::from_secs(10);

/// Longest body that is read, in bytes: a form with a token.
const BODY_MAX_BYTES: usize = 4 << 10;

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`.
    pub method: String,
    /// The path, decoded, without the query: `/runs/a b`.
    pub path: String,
    /// The query's pairs, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty without one.
    pub body: Vec<u8>,
    /// Who asks.
    pub peer: Option<IpAddr>,
}

impl Request {
    /// Reads one from a connection.
    ///
    /// # Errors
    ///
    /// When it does not come in time, is too long, or is none.
    pub(super) fn read(stream: &TcpStream) -> io::Result<Self> {
        let mut timed = Timed::new(stream, ASKED_WITHIN);
        let (lines, begun) = timed.head()?;
        let (line, rest) =
            lines.split_first().ok_or_else(|| malformed("a request without a line"))?;
        let mut request = Self { headers: headers(rest)?, ..Self::of_line(line)? };
        let length = match request.header("content-length") {
            None => 0,
            Some(length) => length.parse().map_err(|_| malformed("a length that is none"))?,
        };
        if length > BODY_MAX_BYTES || request.header("transfer-encoding").is_some() {
            return Err(malformed("a body that is too long"));
        }
        request.body = timed.body(begun, length)?;
        request.peer = stream.peer_addr().ok().map(|peer| peer.ip());
        Ok(request)
    }

    fn of_line(line: &str) -> io::Result<Self> {
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(malformed("a request line that is none"));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = decode(path, false).ok_or_else(|| malformed("a path that is no text"))?;
        Ok(Self { method: method.to_owned(), path, query: pairs(query), ..Self::default() })
    }

    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a name in the query.
    #[must_use]
    pub fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// The pairs of a form in the body.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        std::str::from_utf8(&self.body).map(pairs).unwrap_or_default()
    }
}

/// Pairs of a query or a form; what cannot be decoded is left out.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name, true)?, decode(value, true)?))
    };
    text.split('&').filter(|pair| !pair.is_empty()).filter_map(pair).collect()
}

/// Undoes percent encoding; in a query `+` is a space.
fn decode(text: &str, is_query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' if is_query => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_decoded_once() {
        let request = Request::of_line("GET /runs/a%20b%252F?q=a+b%26c&latest HTTP/1.1").unwrap();
        assert_eq!(request.path, "/runs/a b%2F");
        assert_eq!(request.asked("q"), Some("a b&c"));
        assert_eq!(request.asked("latest"), Some(""));
    }

    #[test]
    fn lines_that_are_none_are_refused() {
        for line in [
            "",
            "GET /",
            "GET / HTTP/2",
            "GET / HTTP/1.1 more",
            "GET /%f HTTP/1.1",
            "GET /%00 HTTP/1.1",
        ] {
            assert!(Request::of_line(line).is_err(), "{line}");
        }
    }
}
