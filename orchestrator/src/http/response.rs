//! An answer, and how it is written.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Write},
};

/// Writes the body of an answer until it returns.
pub type Stream = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// What an answer consists of.
pub enum Body {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A file's first bytes, so many.
    File(File, u64),
    /// What is written until the function returns; the end of the connection is its end.
    Stream(Stream),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File(_, length) => write!(f, "a file's {length} bytes"),
            Self::Stream(_) => f.write_str("a stream"),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// The status: 200.
    pub status: u16,
    /// Headers beside those of length and connection.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// An answer of a type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", content_type.to_owned())];
        Self { status, headers, body: Body::Bytes(bytes.into()) }
    }

    /// A line of text, as an error has it.
    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{text}\n"))
    }

    /// The same with another header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Writes it, without its body where that was not asked for.
    pub(super) fn write(self, to: &mut impl Write, with_body: bool) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            // A value that ends its line would begin another header.
            let value: String = value.chars().filter(|c| !c.is_control()).collect();
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match &self.body {
            Body::Bytes(bytes) => head.push_str(&format!("Content-Length: {}\r\n", bytes.len())),
            Body::File(_, length) => head.push_str(&format!("Content-Length: {length}\r\n")),
            Body::Stream(_) => {}
        }
        head.push_str("Connection: close\r\n\r\n");
        to.write_all(head.as_bytes())?;
        if with_body {
            match self.body {
                Body::Bytes(bytes) => to.write_all(&bytes)?,
                Body::File(file, length) => drop(io::copy(&mut file.take(length), to)?),
                Body::Stream(write) => write(to)?,
            }
        }
        to.flush()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        303 => "See Other",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    }
}
