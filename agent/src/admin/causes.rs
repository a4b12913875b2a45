//! Why a login fails, in one line with what to do: read from the lines of librdkafka's log.

/// A reason that does not go away by waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// What is wrong, as the broker or OpenSSL has it.
    pub(super) what: String,
    /// What to do.
    pub(super) remedy: &'static str,
}

/// Words of a log line, and what to do where they stand.
const KNOWN: [(&str, &str); 12] = [
    ("certificate has expired", "renew the broker's certificate"),
    ("certificate is not yet valid", "compare the clocks of this host and the broker"),
    (
        "hostname mismatch",
        "in `bootstrap` and the broker's advertised.listeners, take a name that the broker's certificate carries",
    ),
    (
        "IP address mismatch",
        "in `bootstrap` and the broker's advertised.listeners, take an address that the broker's certificate carries",
    ),
    (
        "certificate required",
        "name a client certificate: `ssl.certificate.location` and `ssl.key.location`",
    ),
    (
        "alert bad certificate",
        "the broker wants a client certificate that it trusts: name one by `ssl.certificate.location` and `ssl.key.location`",
    ),
    (
        "alert unknown ca",
        "the broker does not trust the authority that signed this client's certificate",
    ),
    ("certificate verify failed", AUTHORITY),
    ("issuer certificate", AUTHORITY),
    ("self-signed certificate", AUTHORITY),
    ("Unsupported SASL mechanism", "set `sasl.mechanism` to one that the broker's listener offers"),
    ("SASL authentication error", "check `sasl.mechanism` and its user, password or token"),
];

const AUTHORITY: &str =
    "let `ssl.ca.location` name the authority that signed the broker's certificate";

/// The first of these reasons that says why no login will succeed.
pub(super) fn of(reasons: &[String]) -> Option<Cause> {
    // Names of hosts mismatch within a verification that fails: the narrower words come first.
    KNOWN.iter().find_map(|(words, remedy)| {
        let lower = words.to_ascii_lowercase();
        let reason = reasons.iter().find(|reason| reason.to_ascii_lowercase().contains(&lower))?;
        Some(Cause { what: reason.clone(), remedy })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_cause_is_named() {
        let remedy = |reason: &str| of(&[reason.to_owned()]).map(|cause| cause.remedy);
        let verify = "ssl://h:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: \
                      broker certificate could not be verified, verify that ssl.ca.location is correctly configured";
        assert_eq!(remedy(verify), Some(AUTHORITY));
        assert!(remedy(&format!("{verify}: certificate has expired")).unwrap().contains("renew"));
        assert!(remedy(&format!("{verify}: Hostname mismatch")).unwrap().contains("bootstrap"));
        let password = "sasl://h:1/bootstrap: SASL authentication error: Authentication failed";
        assert!(remedy(password).unwrap().contains("password"));
        assert_eq!(
            remedy("h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused"),
            None
        );
    }
}
