//! A client that posts, over plain HTTP.

use super::head::{Timed, malformed};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    io::{self, Write},
    net::{TcpStream, ToSocketAddrs},
    str::FromStr,
    time::Duration,
};

/// Where something is posted to: `http://collector:4318/v1/metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Name or address, an IPv6 address without its brackets.
    host: String,
    /// As in the URL: `[::1]:4318`.
    authority: String,
    port: u16,
    /// With the leading slash; empty if none was given.
    path: String,
}

impl Target {
    /// The same, at this path if none was given.
    #[must_use]
    pub fn or_path(self, path: &str) -> Self {
        if self.path.is_empty() || self.path == "/" {
            return Self { path: path.to_owned(), ..self };
        }
        self
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("http://") else {
            let why = "expected a URL that begins with http://, such as http://127.0.0.1:4318";
            return Err(match text.starts_with("https://") {
                true => format!(
                    "{why}; TLS is not spoken here: let a collector on this machine forward what it gets"
                ),
                false => why.to_owned(),
            });
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err(
                "a URL with a login would be seen by whoever lists processes: leave it out".into(),
            );
        }
        if rest.contains(['?', '#']) || rest.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err("expected a URL without query and spaces".into());
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, port.ok_or("expected a port from 1 to 65535 after the colon")?)
            }
            _ => (authority, 80),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("expected a host after http://".into());
        }
        let (host, authority, path) = (host.to_owned(), authority.to_owned(), path.to_owned());
        Ok(Self { host, authority, port, path })
    }
}

/// Why something was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Nobody could be reached, or the connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It was refused.
    #[error("it answers with status {0}")]
    Status(u16),
}

/// Posts bytes, and waits for the answer.
///
/// # Errors
///
/// When nobody answers in time, or with anything but success.
pub fn post(
    target: &Target,
    content_type: &str,
    body: &[u8],
    within: Duration,
) -> Result<(), PostError> {
    let stream = connect(target, within)?;
    stream.set_write_timeout(Some(within))?;
    let Target { authority, path, .. } = target;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: mallard\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    (&stream).write_all(head.as_bytes())?;
    (&stream).write_all(body)?;
    let (lines, _) = Timed::new(&stream, within).head()?;
    let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse::<u16>().ok());
    match status.ok_or_else(|| malformed("an answer without a status"))? {
        200..=299 => Ok(()),
        status => Err(PostError::Status(status)),
    }
}

/// Connects to the first address that answers.
fn connect(target: &Target, within: Duration) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (target.host.as_str(), target.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, within) {
            Ok(stream) => return Ok(stream),
            Err(cause) => failed = cause,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_wrong_ones_say_what_is_allowed() {
        let target: Target = "http://[::1]:4318".parse().unwrap();
        assert_eq!((&*target.host, &*target.authority, target.port), ("::1", "[::1]:4318", 4318));
        assert_eq!(target.or_path("/v1/metrics").path, "/v1/metrics");
        let target: Target = "http://collector/otlp/v1/metrics".parse().unwrap();
        assert_eq!((target.port, &*target.or_path("/v1/metrics").path), (80, "/otlp/v1/metrics"));
        for (text, says) in [
            ("collector:4318", "begins with http://"),
            ("https://collector:4318", "TLS"),
            ("http://:4318", "a host"),
            ("http://a:0", "a port"),
            ("http://me:secret@a:1", "login"),
            ("http://a:1/x?token=y", "without query"),
        ] {
            let refused = text.parse::<Target>().unwrap_err();
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }
}
