//! Tokens from an OpenID Connect provider, by its client credentials (RFC 6749, section 4.4).

use super::{http, token::Token};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::{fmt::Write, fs, time::Duration};

/// How long the provider may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Most characters of a provider's own words.
const QUOTED_CHARS: usize = 200;

/// Where to ask, and by which credentials.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Oidc {
    pub(super) url: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) scope: Option<String>,
    pub(super) extensions: Vec<(String, String)>,
    /// Whom the provider's certificate is to be signed by, beside the system's authorities.
    pub(super) authority: Option<Authority>,
}

/// Where an authority's certificates are.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Authority {
    /// In PEM.
    Pem(Vec<u8>),
    /// In a file of this host.
    File(String),
}

impl Oidc {
    /// Asks for a token.
    pub(super) fn token(&self) -> Result<Token, String> {
        let told = |why: String| {
            format!("the token endpoint {} was of no use: {}", self.url, self.mask(&why))
        };
        let authority = match &self.authority {
            None => None,
            Some(Authority::Pem(pem)) => Some(pem.clone()),
            Some(Authority::File(path)) => {
                let pem = fs::read(path).map_err(|cause| told(format!("{path}: {cause}")))?;
                Some(pem)
            }
        };
        let credentials = STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret));
        let mut body = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.scope {
            let _ = write!(body, "&scope={}", escaped(scope));
        }
        let headers = [
            ("Authorization", format!("Basic {credentials}")),
            ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
            ("Accept", "application/json".to_owned()),
        ];
        let answer = http::post(&self.url, &headers, body.as_bytes(), authority.as_deref(), WITHIN)
            .map_err(told)?;
        if answer.status != 200 {
            return Err(told(format!("it answered {}{}", answer.status, reason(&answer.body))));
        }
        let text =
            String::from_utf8(answer.body).map_err(|_| told("it answered no text".to_owned()))?;
        let mut token = Token::read(&text).map_err(told)?;
        token.extensions.clone_from(&self.extensions);
        Ok(token)
    }

    /// A provider's words may repeat what it was asked with.
    fn mask(&self, text: &str) -> String {
        text.replace(&self.client_secret, "***")
    }
}

/// What the provider says is wrong, as RFC 6749 (section 5.2) has it; of anything else, nothing: it may be a
/// page of a proxy.
fn reason(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let words = ["error", "error_description"].iter().filter_map(|key| json[*key].as_str());
    let words: Vec<String> = words
        .map(|text| text.chars().filter(|c| !c.is_control()).take(QUOTED_CHARS).collect())
        .collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(": ")) }
}

/// A value in a form.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_of_several_words_stays_one_value() {
        assert_eq!(escaped("kafka api://x/.default"), "kafka%20api%3A%2F%2Fx%2F.default");
    }

    #[test]
    fn a_provider_is_quoted_by_its_own_fields_only() {
        let body = br#"{"error": "invalid_client", "error_description": "no\u001b such client"}"#;
        assert_eq!(reason(body), " (invalid_client: no such client)");
        assert_eq!(reason(b"<html>"), "");
    }
}
