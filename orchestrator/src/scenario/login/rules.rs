//! What of a login does not fit together, whoever the brokers are.
//!
//! librdkafka itself says it only once a client is made, and some of it never: a mechanism without SASL is
//! silently unused, and a login by nothing at all is one by Kerberos.

use super::{pem, token::TokenCommand};
use crate::config::{
    shape::{Property, Reader},
    source::Place,
};
use mallard_protocol::private_file;

/// Mechanisms that this build of librdkafka has.
const MECHANISMS: &str = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER";

const METHOD: &str = "sasl.oauthbearer.method";
const UNSECURED: &str = "enable.sasl.oauthbearer.unsecure.jwt";
const UNSECURED_CONFIG: &str = "sasl.oauthbearer.config";

/// What tokens by client credentials need.
const OIDC: [&str; 3] = [
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
];

const WAYS_TO_TOKENS: &str = "let a program give them, `token: {command: [PROGRAM, …]}` beside `client`, or a token \
     endpoint, `sasl.oauthbearer.method: oidc`; for test brokers that verify nothing, \
     `enable.sasl.oauthbearer.unsecure.jwt: \"true\"`";

/// Notes what does not fit together in the client properties of a cluster file.
pub(in crate::scenario) fn check(
    client: &[Property],
    token: Option<&TokenCommand>,
    reader: &mut Reader,
) {
    let login = Login { client, token };
    let Some(protocol) = login.protocol() else { return };
    let mechanism = login.last(&["sasl.mechanism", "sasl.mechanisms"]);
    if protocol.has_sasl {
        match mechanism {
            Some(mechanism) => login.check_mechanism(mechanism, reader),
            None => login.without_mechanism(reader),
        }
    } else {
        login.check_unused_sasl(mechanism, &protocol, reader);
    }
    if protocol.has_tls {
        login.check_tls(reader);
    } else if let Some(unused) = client.iter().find(|p| is_of_tls(&p.key.value)) {
        let message = format!("`{}` has no effect without TLS", unused.key.value);
        let help =
            format!("{}; for TLS say `security.protocol: SSL` or `SASL_SSL`", protocol.said());
        reader.warn(&unused.key.at, message, help);
    }
}

/// A client's login as it is written.
struct Login<'a> {
    client: &'a [Property],
    token: Option<&'a TokenCommand>,
}

/// What `security.protocol` says.
struct Protocol {
    name: &'static str,
    is_written: bool,
    has_tls: bool,
    has_sasl: bool,
}

impl Protocol {
    fn said(&self) -> String {
        let default = if self.is_written { "" } else { ", the default" };
        format!("`security.protocol` is {}{default}", self.name)
    }
}

impl<'a> Login<'a> {
    /// The property that counts, by any of its names.
    fn last(&self, names: &[&str]) -> Option<&'a Property> {
        self.client.iter().rev().find(|property| names.contains(&property.key.value.as_str()))
    }

    fn has(&self, name: &str) -> bool {
        self.last(&[name]).is_some_and(|property| !property.value.value.is_empty())
    }

    /// The protocol, unless librdkafka knows none of that name, which it says itself.
    fn protocol(&self) -> Option<Protocol> {
        let written = self.last(&["security.protocol"]);
        let name = written.map_or("plaintext", |property| property.value.value.as_str());
        let known = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
        let name = known.into_iter().find(|known| known.eq_ignore_ascii_case(name))?;
        Some(Protocol {
            name,
            is_written: written.is_some(),
            has_tls: name.ends_with("SSL"),
            has_sasl: name.starts_with("SASL"),
        })
    }

    fn without_mechanism(&self, reader: &mut Reader) {
        let Some(protocol) = self.last(&["security.protocol"]) else { return };
        let message = "SASL needs `sasl.mechanism`, which is not set";
        let help = format!(
            "{MECHANISMS}; left out, librdkafka takes GSSAPI (Kerberos), which this build does not have"
        );
        reader.error(&protocol.value.at, message, help);
    }

    fn check_mechanism(&self, mechanism: &Property, reader: &mut Reader) {
        let at = &mechanism.value.at;
        let name = mechanism.value.value.to_ascii_uppercase();
        if name != "OAUTHBEARER"
            && let Some(token) = self.token
        {
            let message = "`token` is for OAUTHBEARER, and another mechanism is set";
            reader.error(
                &token.at,
                message,
                "set `sasl.mechanism: OAUTHBEARER`, or remove `token`",
            );
        }
        match name.as_str() {
            "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" => {
                let help = "the password best by `${NAME}`, from the environment";
                let needed = ["sasl.username", "sasl.password"];
                self.require(&needed, &name, at, help, reader);
            }
            "OAUTHBEARER" => self.check_tokens(at, reader),
            "GSSAPI" => {
                let help = format!(
                    "brokers can offer several mechanisms on a listener: for the load test let them take {MECHANISMS}"
                );
                reader.error(at, "this build of librdkafka has no GSSAPI (Kerberos)", help);
            }
            "AWS_MSK_IAM" => {
                let help = "MSK takes the same login by `sasl.mechanism: OAUTHBEARER` and `token: {command: [PROGRAM, …]}` with a \
                            program that prints a token of Amazon's signer";
                reader.error(at, "AWS_MSK_IAM is a mechanism of Java's clients alone", help);
            }
            _ => {
                let help = format!("this build of librdkafka has {MECHANISMS}");
                reader.error(at, "this is no mechanism of librdkafka's", help);
            }
        }
    }

    /// Notes what of these properties is missing.
    fn require(&self, needed: &[&str], who: &str, at: &Place, help: &str, reader: &mut Reader) {
        let missing = needed.iter().filter(|name| !self.has(name)).map(|name| format!("`{name}`"));
        let missing: Vec<String> = missing.collect();
        if !missing.is_empty() {
            let message = format!("{who} needs {}, too", missing.join(" and "));
            reader.error(at, message, help);
        }
    }

    fn check_tokens(&self, at: &Place, reader: &mut Reader) {
        let method = self.last(&[METHOD]);
        let oidc = method.filter(|method| method.value.value.eq_ignore_ascii_case("oidc"));
        let unsecured = self.last(&[UNSECURED]).filter(|p| is_on(&p.value.value));
        if let Some(other) = method
            .filter(|method| oidc.is_none() && !method.value.value.eq_ignore_ascii_case("default"))
        {
            reader.error(&other.value.at, "this is no way to tokens", "`oidc`, or `default`");
            return;
        }
        let beside_token = self.token.and(oidc.or(unsecured));
        match (beside_token, oidc, unsecured) {
            (Some(second), ..) => {
                let message = format!("`token` and `{}` exclude each other", second.key.value);
                reader.error(&second.key.at, message, "remove one of them");
            }
            (None, Some(method), _) => {
                let help = "the endpoint's address, and the client that it knows; `sasl.oauthbearer.scope` where it asks for one";
                self.require(&OIDC, "`oidc`", &method.value.at, help, reader);
            }
            (None, None, Some(unsecured)) => {
                let help = "`sasl.oauthbearer.config: \"principal=NAME lifeSeconds=600\"`";
                let who = "an unsecured token";
                self.require(&[UNSECURED_CONFIG], who, &unsecured.value.at, help, reader);
            }
            (None, None, None) if self.token.is_none() => {
                reader.error(at, "nothing says where OAUTHBEARER tokens come from", WAYS_TO_TOKENS);
            }
            _ => {}
        }
    }

    /// A login that is written and that nobody asks for: a mistake where it says how to log in, since brokers that want one
    /// hang up without a word.
    fn check_unused_sasl(
        &self,
        mechanism: Option<&Property>,
        protocol: &Protocol,
        reader: &mut Reader,
    ) {
        let with_sasl = if protocol.has_tls {
            "SASL_SSL"
        } else {
            "SASL_SSL, or SASL_PLAINTEXT where the listener has no TLS"
        };
        let help = format!("{}; set it to {with_sasl}", protocol.said());
        if let Some(mechanism) = mechanism {
            let message = format!("`{}` has no effect without SASL", mechanism.key.value);
            reader.error(&mechanism.key.at, message, help);
        } else if let Some(token) = self.token {
            reader.error(&token.at, "`token` has no effect without SASL", help);
        } else if let Some(unused) = self.last(&["sasl.username", "sasl.password"]) {
            let message = format!("`{}` has no effect without SASL", unused.key.value);
            reader.warn(&unused.key.at, message, help);
        }
    }

    fn check_tls(&self, reader: &mut Reader) {
        let certificate = self.last(&["ssl.certificate.location", "ssl.certificate.pem"]);
        let key = self.last(&["ssl.key.location", "ssl.key.pem"]);
        let pair = match (certificate, key) {
            (Some(certificate), None) => {
                Some((certificate, "`ssl.key.location` (or `ssl.key.pem`)"))
            }
            (None, Some(key)) => {
                Some((key, "`ssl.certificate.location` (or `ssl.certificate.pem`)"))
            }
            _ => None,
        };
        if let Some((one, other)) = pair {
            let message = format!("`{}` needs {other}, too", one.key.value);
            let help = "a client certificate and its key belong together; both may be in one file, named twice";
            reader.error(&one.key.at, message, help);
        }
        let Some(key) = key.filter(|_| !self.has("ssl.key.password")) else { return };
        let value = key.value.value.as_str();
        let file = private_file::decode(value).map(|(_, content)| content);
        if pem::is_encrypted(file.as_deref().unwrap_or(value.as_bytes())) {
            let message = "this key is encrypted, and `ssl.key.password` is not set";
            reader.error(&key.key.at, message, "`ssl.key.password: ${NAME}`, from the environment");
        }
    }
}

/// As librdkafka reads flags.
fn is_on(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "true" | "t" | "1")
}

/// Whether a property only matters with TLS to brokers.
fn is_of_tls(key: &str) -> bool {
    ["ssl.ca.", "ssl.certificate.", "ssl.key.", "ssl.keystore."]
        .iter()
        .any(|of| key.starts_with(of))
}
