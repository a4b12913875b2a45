//! How clients log in beyond what librdkafka does by itself: OAUTHBEARER tokens, and files that came with
//! the connection.
//!
//! librdkafka asks for a token by an event on a queue that somebody must poll, and its own OIDC needs libcurl,
//! which is not in this build. So tokens are got here, once for all clients of a process, and given to every
//! client before the last one expires ([`Keeper`]), whether somebody polls it or not.
//!
//! Invariants: no token, secret or output of a token program is in any text that leaves this room; what came
//! as a file's content never gets a name on this host's disks.

mod command;
mod files;
mod http;
mod keeper;
mod oidc;
mod refusal;
mod source;
mod token;
mod unsecured;

pub(crate) use refusal::Refusal;

pub(crate) use files::PrivateFile;
pub(crate) use keeper::{Keeper, Registration, Taker};
pub(crate) use token::Token;

use mallard_protocol::private_file;
use source::Source;
use std::{fs, sync::Arc, time::Duration};

/// What a client needs to log in.
pub(crate) struct Login {
    properties: Vec<(String, String)>,
    files: Vec<PrivateFile>,
    source: Option<Source>,
}

impl Login {
    /// Takes properties apart: what librdkafka is to be given, files that must be there while a client is made, and where
    /// tokens come from.
    pub(crate) fn of<'a>(
        properties: impl IntoIterator<Item = &'a (String, String)>,
    ) -> Result<Self, Refusal> {
        let mut all: Vec<(String, String)> = properties.into_iter().cloned().collect();
        let source = Source::of(&all)?;
        if source.is_some() {
            all.retain(|(key, _)| !source::is_own(key));
        }
        let mut files = Vec::new();
        for (key, value) in &mut all {
            if let Some(file) = PrivateFile::of(value).map_err(|why| Refusal::new(key, why))? {
                *value = file.path();
                files.push(file);
            }
        }
        Ok(Self { properties: all, files, source })
    }

    /// What librdkafka is given. Paths in it hold for as long as this lives.
    pub(crate) fn properties(&self) -> &[(String, String)] {
        &self.properties
    }

    /// A text of librdkafka with the names that files have for the user.
    pub(crate) fn words(&self, text: &str) -> String {
        self.files.iter().fold(text.to_owned(), |text, file| file.name_in(&text))
    }

    /// Who gets tokens for these clients, if they log in by tokens.
    pub(crate) fn keeper(&self) -> Option<Arc<Keeper>> {
        self.source.as_ref().map(Keeper::shared)
    }
}

/// Whether a property is understood here rather than by librdkafka. `Err` says why such a property cannot
/// be used.
pub(crate) fn understands(key: &str) -> Result<bool, Refusal> {
    source::understands(key)
}

/// How long a broker may take to show its certificate.
const CERTIFICATE_WITHIN: Duration = Duration::from_secs(3);

/// What is wrong with a broker's certificate. librdkafka says only that it could not be verified, so it is looked at once
/// more, on a connection of its own.
pub(crate) fn certificate_fault(connection: &[(String, String)], address: &str) -> Option<String> {
    let get = |wanted: &str| {
        let found = connection.iter().rev().find(|(key, _)| key == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let authority = match (get("ssl.ca.pem"), get("ssl.ca.location")) {
        (Some(pem), _) => Some(pem.as_bytes().to_vec()),
        (None, Some(file)) => {
            private_file::decode(file).map(|(_, pem)| pem).or_else(|| fs::read(file).ok())
        }
        (None, None) => None,
    };
    http::certificate_fault(address, authority.as_deref(), CERTIFICATE_WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_file_that_came_along_can_be_read_while_the_login_lives() {
        let content = private_file::encode("certs/ca.pem", b"-----BEGIN");
        let login = Login::of(&properties(&[("ssl.ca.location", &content)])).unwrap();
        let path = login.properties()[0].1.clone();
        assert_eq!(fs::read(&path).unwrap(), b"-----BEGIN");
        assert_eq!(login.words(&format!("{path}: no certificate")), "certs/ca.pem: no certificate");
    }

    #[test]
    fn librdkafka_is_not_given_what_tokens_are_made_of() {
        let login = Login::of(&properties(&[
            ("sasl.mechanism", "OAUTHBEARER"),
            ("enable.sasl.oauthbearer.unsecure.jwt", "true"),
            ("sasl.oauthbearer.config", "principal=admin"),
        ]))
        .unwrap();
        assert_eq!(login.properties(), properties(&[("sasl.mechanism", "OAUTHBEARER")]));
        assert!(login.keeper().is_some());
    }

    #[test]
    fn other_mechanisms_have_no_keeper() {
        let login = Login::of(&properties(&[("sasl.mechanism", "PLAIN")])).unwrap();
        assert!(login.keeper().is_none());
    }
}
