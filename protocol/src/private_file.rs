//! Files whose content travels in a client property: certificates, keys, key stores.
//!
//! The controller reads them; an agent keeps them in memory for as long as clients are made. Nothing of them is
//! ever written to an agent's host.

use base64::{Engine, engine::general_purpose::STANDARD};

/// What a value begins with that carries a file.
const MARK: &str = "mallard-file:";

/// A property's value that carries a file: its name, for texts, and its content.
#[must_use]
pub fn encode(name: &str, content: &[u8]) -> String {
    format!("{MARK}{}:{name}", STANDARD.encode(content))
}

/// The name and the content of the file that a value carries, if it carries one.
#[must_use]
pub fn decode(value: &str) -> Option<(&str, Vec<u8>)> {
    let (content, name) = value.strip_prefix(MARK)?.split_once(':')?;
    Some((name, STANDARD.decode(content).ok()?))
}

/// A value as it may be shown: of a file, its name.
#[must_use]
pub fn shown(value: &str) -> &str {
    value.strip_prefix(MARK).and_then(|rest| rest.split_once(':')).map_or(value, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_out_as_it_went_in_and_only_its_name_is_shown() {
        let value = encode("certs/c:a.pem", b"\x00\xffPEM");
        assert_eq!(decode(&value), Some(("certs/c:a.pem", b"\x00\xffPEM".to_vec())));
        assert_eq!(shown(&value), "certs/c:a.pem");
        assert_eq!((decode("/etc/ca.pem"), shown("/etc/ca.pem")), (None, "/etc/ca.pem"));
    }
}
