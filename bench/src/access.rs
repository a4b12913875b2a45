//! How clients reach the broker: by which listener, in the words of each client.

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who logs in where a login is asked for, and by which password. The broker listens on loopback and is gone with the
/// bench.
pub(crate) const USER: &str = "bench";
pub(crate) const PASSWORD: &str = "bench-secret";

/// How it logs in.
pub(crate) const MECHANISM: &str = "SCRAM-SHA-512";

/// A listener of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Neither TLS nor login.
    Plaintext,
    /// TLS.
    Ssl,
    /// TLS and a login.
    SaslSsl,
}

impl Listener {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Plaintext, Self::Ssl, Self::SaslSsl];

    /// The protocol as Kafka writes it, which also names the listener.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    fn has_tls(self) -> bool {
        self != Self::Plaintext
    }

    fn has_login(self) -> bool {
        self == Self::SaslSsl
    }
}

/// The way to a listener.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    listener: Listener,
    address: String,
    /// The authority that signed the broker's certificate.
    authority: PathBuf,
    /// Properties of Java's client.
    java_file: PathBuf,
}

impl Access {
    /// The way to a listener of a broker whose files are in this folder, and a file for Java's clients there.
    pub(crate) fn new(listener: Listener, address: String, folder: &Path) -> Result<Self> {
        let java_file = folder.join(format!("client-{}.properties", listener.protocol()));
        let access = Self { listener, address, authority: folder.join("ca.pem"), java_file };
        let lines: String = access.java().iter().map(|(k, v)| format!("{k}={v}\n")).collect();
        fs::write(&access.java_file, lines)
            .with_context(|| format!("failed to write {}", access.java_file.display()))?;
        Ok(access)
    }

    /// The address, as clients take it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Properties of librdkafka beside the address.
    pub(crate) fn librdkafka(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        if self.listener.has_tls() {
            all.push(("security.protocol", self.listener.protocol().to_owned()));
            all.push(("ssl.ca.location", self.authority.display().to_string()));
        }
        if self.listener.has_login() {
            all.push(("sasl.mechanism", MECHANISM.to_owned()));
            all.push(("sasl.username", USER.to_owned()));
            all.push(("sasl.password", PASSWORD.to_owned()));
        }
        all
    }

    /// A file of properties for Java's clients, the address among them.
    pub(crate) fn java_file(&self) -> &Path {
        &self.java_file
    }

    /// Arguments of the Go program.
    pub(crate) fn go(&self) -> Vec<String> {
        let mut all = vec!["-broker".to_owned(), self.address.clone()];
        if self.listener.has_tls() {
            all.extend(["-authority".to_owned(), self.authority.display().to_string()]);
        }
        if self.listener.has_login() {
            all.extend(["-user", USER, "-password", PASSWORD].map(str::to_owned));
        }
        all
    }

    fn java(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![("bootstrap.servers", self.address.clone())];
        if self.listener.has_tls() {
            all.push(("security.protocol", self.listener.protocol().to_owned()));
            all.push(("ssl.truststore.type", "PEM".to_owned()));
            all.push(("ssl.truststore.location", self.authority.display().to_string()));
        }
        if self.listener.has_login() {
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule";
            let login = format!("{module} required username=\"{USER}\" password=\"{PASSWORD}\";");
            all.push(("sasl.mechanism", MECHANISM.to_owned()));
            all.push(("sasl.jaas.config", login));
        }
        all
    }
}
