//! A container engine, spoken with by hand: the guard needs five short requests, and must be small.

use serde_json::Value as Json;
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

/// How long the engine may take to answer. Freezing and starting take it a moment.
const PATIENCE: Duration = Duration::from_secs(15);

/// Most bytes of an answer: what an engine knows of a container takes some kilobytes.
const ANSWER_BYTES: u64 = 4 << 20;

/// Where an engine is.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    address: String,
}

/// An answer of an engine.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: String,
}

impl Engine {
    pub(crate) fn at(address: &str) -> Self {
        Self { address: address.to_owned() }
    }

    /// What the engine says of a thing.
    ///
    /// # Errors
    /// It does not answer, or says no.
    pub(crate) fn get(&self, path: &str) -> io::Result<Json> {
        let answer = self.request("GET", path)?;
        if answer.status != 200 {
            return Err(answer.refusal());
        }
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// Whether the engine says that there is no such thing.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) fn lacks(&self, path: &str) -> io::Result<bool> {
        Ok(self.request("GET", path)?.status == 404)
    }

    /// Has the engine do something; one of these statuses is a yes.
    ///
    /// # Errors
    /// It does not answer, or says no.
    pub(crate) fn post(&self, path: &str, yes: &[u16]) -> io::Result<()> {
        let answer = self.request("POST", path)?;
        if yes.contains(&answer.status) { Ok(()) } else { Err(answer.refusal()) }
    }

    fn request(&self, method: &str, path: &str) -> io::Result<Answer> {
        let told = |cause: io::Error| {
            io::Error::new(cause.kind(), format!("the engine at {}: {cause}", self.address))
        };
        self.exchange(method, path).map_err(told)
    }

    fn exchange(&self, method: &str, path: &str) -> io::Result<Answer> {
        // Version 1.0 has neither chunks nor connections that stay.
        let request =
            format!("{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Length: 0\r\n\r\n");
        let mut answer = Vec::new();
        match self.address.split_once("://") {
            Some(("unix", path)) => {
                let mut stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.write_all(request.as_bytes())?;
                stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
            }
            Some(("tcp" | "http", host)) => {
                let mut stream = TcpStream::connect(host)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.write_all(request.as_bytes())?;
                stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
            }
            _ => return Err(io::Error::other("only unix:// and tcp:// are spoken here")),
        }
        parse(&answer).ok_or_else(|| io::Error::other("what it says is no HTTP"))
    }
}

impl Answer {
    fn refusal(&self) -> io::Error {
        let said = serde_json::from_str::<Json>(&self.body).ok();
        let said = said.as_ref().and_then(|said| said["message"].as_str());
        let said = said.unwrap_or("no reason given").trim();
        io::Error::other(format!("the engine says {}: {said}", self.status))
    }
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_engines_words() {
        let answer =
            b"HTTP/1.0 409 Conflict\r\nA: b\r\n\r\n{\"message\":\"Container x is not running\"}";
        let answer = parse(answer).unwrap();
        assert_eq!(answer.status, 409);
        assert!(answer.refusal().to_string().ends_with("says 409: Container x is not running"));
        assert!(parse(b"SSH-2.0").is_none());
    }
}
