//! What files of certificates and keys hold, by their first bytes, and how one kind is made of another.

/// What must be in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Certificates of whoever is trusted, in PEM.
    Authorities,
    /// A client's certificate, in PEM.
    Certificate,
    /// A client's private key, in PEM.
    Key,
    /// Certificate and key in a PKCS#12 store.
    Store,
    /// Certificates that are not valid any more, in PEM.
    Revoked,
}

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pem,
    /// A key store of Java's own.
    Jks,
    Pkcs12,
    /// One certificate or key in binary.
    Der,
    Other,
}

impl Holds {
    /// How the first line of what is wanted ends.
    fn label(self) -> &'static str {
        match self {
            Self::Authorities | Self::Certificate | Self::Store => "CERTIFICATE-----",
            Self::Key => "PRIVATE KEY-----",
            Self::Revoked => "X509 CRL-----",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Authorities | Self::Certificate => "certificate",
            Self::Key => "private key",
            Self::Store => "PKCS#12 store",
            Self::Revoked => "list of revoked certificates",
        }
    }
}

/// What is wrong with a file's content, and how to make it right; nothing if it is what it should be, as far as
/// that shows without passwords. `name` is the file's, for commands.
pub(super) fn mistake(holds: Holds, content: &[u8], name: &str) -> Option<(String, String)> {
    let kind = kind_of(content);
    match (holds, kind) {
        (Holds::Store, Kind::Pkcs12) => None,
        (Holds::Store, _) => Some(no_store(kind, name)),
        (_, Kind::Pem) => {
            let lacks = !has_block(content, holds.label());
            lacks.then(|| {
                let found = blocks(content).join(", ");
                let message = format!("has no {}: it holds {found}", holds.what());
                (message, format!("name the file that has a line `-----BEGIN … {}`", holds.label()))
            })
        }
        (_, Kind::Jks) => Some(of_java(holds, name)),
        (_, Kind::Pkcs12) => {
            Some(("is a PKCS#12 store, and PEM is wanted".to_owned(), of_store(holds, name)))
        }
        (_, Kind::Der) => {
            Some(("is binary (DER), and PEM is wanted".to_owned(), of_der(holds, name)))
        }
        (_, Kind::Other) => Some((
            "is not PEM".to_owned(),
            format!("a {} in PEM has a line `-----BEGIN … {}`", holds.what(), holds.label()),
        )),
    }
}

/// Whether a private key in PEM is encrypted (RFC 5958, or RFC 1421 as OpenSSL once wrote it).
pub(super) fn is_encrypted(content: &[u8]) -> bool {
    let text = String::from_utf8_lossy(content);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn no_store(kind: Kind, name: &str) -> (String, String) {
    match kind {
        Kind::Jks => (
            "is a key store of Java's own format (JKS), which OpenSSL cannot read".to_owned(),
            format!("{}, and name that", pkcs12_of(name)),
        ),
        Kind::Pem => (
            "is PEM, and a PKCS#12 store is wanted".to_owned(),
            "name it by `ssl.certificate.location`, and its key by `ssl.key.location`".to_owned(),
        ),
        Kind::Der | Kind::Other | Kind::Pkcs12 => (
            "is not a PKCS#12 store".to_owned(),
            "make one: `openssl pkcs12 -export -in client.pem -inkey client.key -out client.p12`"
                .to_owned(),
        ),
    }
}

/// How a store of Java's becomes PKCS#12.
fn pkcs12_of(name: &str) -> String {
    format!(
        "convert it: `keytool -importkeystore -srckeystore {name} -destkeystore client.p12 -deststoretype PKCS12`"
    )
}

fn of_java(holds: Holds, name: &str) -> (String, String) {
    let message = "is a key store of Java's own format (JKS), and PEM is wanted".to_owned();
    let help = match holds {
        Holds::Authorities | Holds::Revoked => {
            format!("take its certificates out: `keytool -list -rfc -keystore {name} > ca.pem`")
        }
        Holds::Certificate | Holds::Key | Holds::Store => {
            format!("{}, and name that by `ssl.keystore.location`", pkcs12_of(name))
        }
    };
    (message, help)
}

fn of_store(holds: Holds, name: &str) -> String {
    match holds {
        Holds::Authorities | Holds::Revoked => {
            format!("take its certificates out: `openssl pkcs12 -in {name} -nokeys -out ca.pem`")
        }
        Holds::Certificate | Holds::Key | Holds::Store => {
            "name it by `ssl.keystore.location`, and its password by `ssl.keystore.password`"
                .to_owned()
        }
    }
}

fn of_der(holds: Holds, name: &str) -> String {
    let (command, into) = match holds {
        Holds::Key => ("pkey", "key.pem"),
        Holds::Revoked => ("crl", "crl.pem"),
        Holds::Authorities | Holds::Certificate | Holds::Store => ("x509", "certificate.pem"),
    };
    format!("convert it: `openssl {command} -inform DER -in {name} -out {into}`")
}

fn kind_of(content: &[u8]) -> Kind {
    match content {
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => Kind::Jks,
        _ if !blocks(content).is_empty() => Kind::Pem,
        [0x30, ..] if is_pkcs12(content) => Kind::Pkcs12,
        [0x30, length, ..] if *length >= 0x80 => Kind::Der,
        _ => Kind::Other,
    }
}

/// RFC 7292, section 4: a sequence that begins with the integer 3.
fn is_pkcs12(content: &[u8]) -> bool {
    let Some(length) = content.get(1) else { return false };
    let more = if *length < 0x80 { 0 } else { usize::from(length & 0x7f) };
    content.get(2 + more..).is_some_and(|rest| rest.starts_with(&[0x02, 0x01, 0x03]))
}

fn has_block(content: &[u8], label: &str) -> bool {
    let begins = |line: &str| line.starts_with("-----BEGIN ") && line.ends_with(label);
    String::from_utf8_lossy(content).lines().map(str::trim).any(begins)
}

/// What the blocks of a PEM file are called: `CERTIFICATE`, `PRIVATE KEY`. Each once.
fn blocks(content: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(content);
    let name = |line: &str| {
        let name = line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----")?;
        let sound = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ');
        (sound && name.len() <= LONGEST_LABEL).then(|| name.to_owned())
    };
    let mut names: Vec<String> = text.lines().filter_map(name).collect();
    names.dedup();
    names.truncate(MOST_LABELS);
    names
}

/// Longest label that is taken for one, and most of them that a message lists.
const LONGEST_LABEL: usize = 40;
const MOST_LABELS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &[u8] =
        b"Bag Attributes\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    const KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";

    fn help(holds: Holds, content: &[u8]) -> String {
        mistake(holds, content, "certs/x").map(|(_, help)| help).unwrap_or_default()
    }

    #[test]
    fn what_is_right_is_taken() {
        assert_eq!(mistake(Holds::Authorities, CERTIFICATE, "x"), None);
        assert_eq!(mistake(Holds::Key, KEY, "x"), None);
        assert_eq!(mistake(Holds::Store, &[0x30, 0x82, 0x0a, 0x00, 2, 1, 3, 0x30], "x"), None);
        let both = [CERTIFICATE, KEY].concat();
        assert_eq!(mistake(Holds::Certificate, &both, "x"), None);
        assert_eq!(mistake(Holds::Key, &both, "x"), None);
    }

    #[test]
    fn every_other_kind_is_answered_with_the_command_that_converts_it() {
        let jks = [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2];
        let der = [0x30, 0x82, 0x03, 0x00, 0x30, 0x82];
        let store = [0x30, 0x80, 2, 1, 3];
        assert!(help(Holds::Authorities, &jks).contains("keytool -list -rfc -keystore certs/x"));
        assert!(help(Holds::Store, &jks).contains("-srckeystore certs/x"));
        assert!(help(Holds::Authorities, &store).contains("openssl pkcs12 -in certs/x"));
        assert!(help(Holds::Key, &store).contains("ssl.keystore.location"));
        assert!(help(Holds::Authorities, &der).contains("openssl x509 -inform DER"));
        assert!(help(Holds::Key, &der).contains("openssl pkey -inform DER"));
        assert!(help(Holds::Store, CERTIFICATE).contains("ssl.certificate.location"));
    }

    #[test]
    fn a_file_of_something_else_says_what_it_holds() {
        let (what, _) = mistake(Holds::Key, CERTIFICATE, "x").unwrap();
        assert_eq!(what, "has no private key: it holds CERTIFICATE");
        assert_eq!(mistake(Holds::Authorities, b"hunter2", "x").unwrap().0, "is not PEM");
        assert_eq!(mistake(Holds::Authorities, b"", "x").unwrap().0, "is not PEM");
    }

    #[test]
    fn encrypted_keys_are_known_in_both_forms() {
        assert!(is_encrypted(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert!(is_encrypted(b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"));
        assert!(!is_encrypted(KEY));
    }
}
