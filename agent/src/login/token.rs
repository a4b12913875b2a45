//! A token, and what can be read from one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a client is called where the token does not say it. It shows in librdkafka's debug log only.
const NOBODY: &str = "mallard";

/// Times since 1970 beyond this are in milliseconds: as seconds it would be the year 5138.
const SECONDS_UP_TO: u64 = 100_000_000_000;

/// A token. It has no `Debug`, so that it gets into no text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// What is sent to brokers.
    pub(crate) value: String,
    /// When it expires, in milliseconds since 1970.
    pub(crate) expires_ms: u64,
    /// Whose it is.
    pub(crate) principal: String,
    /// SASL extensions.
    pub(crate) extensions: Vec<(String, String)>,
}

impl Token {
    /// A token in the text that an endpoint or a program gives: a JWT, or JSON with a token and its expiry.
    /// The reason never quotes the text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("nothing came".to_owned());
        }
        if !text.starts_with('{') {
            return Self::with_expiry(text.to_owned(), None, None);
        }
        let json: Value = serde_json::from_str(text).map_err(|_| "it is not valid JSON")?;
        let value =
            ["access_token", "token", "accessToken"].iter().find_map(|key| json[*key].as_str());
        let value = value.ok_or("its JSON has neither `access_token` nor `token`")?.to_owned();
        let seconds =
            number(&json["expires_in"]).map(|s| now_ms().saturating_add(s.saturating_mul(1_000)));
        let at = ["expires_at", "expires_on"]
            .iter()
            .find_map(|key| number(&json[*key]))
            .map(|at| if at <= SECONDS_UP_TO { at * 1_000 } else { at });
        let principal = json["principal"].as_str().map(str::to_owned);
        let mut token = Self::with_expiry(value, seconds.or(at), principal)?;
        if let Some(extensions) = json["extensions"].as_object() {
            let texts =
                extensions.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())));
            token.extensions = texts.collect();
        }
        Ok(token)
    }

    fn with_expiry(
        value: String,
        expires_ms: Option<u64>,
        principal: Option<String>,
    ) -> Result<Self, String> {
        // RFC 7628: the value of `auth` is made of visible characters.
        if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err("it is no token: it has characters that none may have".to_owned());
        }
        let claims = claims(&value);
        let expires =
            expires_ms.or_else(|| number(&claims["exp"]).map(|at| at.saturating_mul(1_000)));
        let expires_ms = expires
            .ok_or("it says neither `expires_in` nor `expires_at`, and is no JWT with `exp`")?;
        if expires_ms <= now_ms() {
            return Err("its token has expired already".to_owned());
        }
        let principal = principal.or_else(|| claims["sub"].as_str().map(str::to_owned));
        let principal = principal.unwrap_or_else(|| NOBODY.to_owned());
        Ok(Self { value, expires_ms, principal, extensions: Vec::new() })
    }

    /// How long it is still good.
    pub(super) fn left(&self) -> Duration {
        Duration::from_millis(self.expires_ms.saturating_sub(now_ms()))
    }
}

/// The claims of a JWT, unverified; nothing if it is none.
fn claims(token: &str) -> Value {
    let decoded = token
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
    decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null)
}

/// A whole number, which some write as text or with a fraction.
fn number(value: &Value) -> Option<u64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (number.is_finite() && (0.0..1e15).contains(&number)).then_some(number as u64)
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    fn fails(text: &str) -> String {
        Token::read(text).err().expect("it is no token")
    }

    #[test]
    fn a_bare_jwt_says_itself_when_it_expires() {
        let token = Token::read(&format!(" {}\n", jwt(r#"{"sub":"bench","exp":33000000000}"#)))
            .ok()
            .unwrap();
        assert_eq!((token.principal.as_str(), token.expires_ms), ("bench", 33_000_000_000_000));
    }

    #[test]
    fn json_may_say_it_in_four_ways() {
        let expiry = |more: &str| {
            let text = format!(r#"{{"access_token": "opaque", {more}}}"#);
            Token::read(&text).ok().unwrap().left().as_secs()
        };
        let at = now_ms() / 1_000 + 600;
        for more in [
            "\"expires_in\": 600".to_owned(),
            "\"expires_in\": \"600\"".to_owned(),
            format!("\"expires_at\": {at}"),
            format!("\"expires_at\": {}", at * 1_000),
            format!("\"expires_on\": \"{at}\""),
        ] {
            assert!((597..=600).contains(&expiry(&more)), "{more}: {}", expiry(&more));
        }
    }

    #[test]
    fn extensions_and_principal_are_taken() {
        let text =
            r#"{"token": "t", "expires_in": 60, "principal": "p", "extensions": {"pool": "x"}}"#;
        let token = Token::read(text).ok().unwrap();
        assert_eq!(token.principal, "p");
        assert_eq!(token.extensions, [("pool".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_quoted() {
        for text in ["", "hunter2", "{\"hunter2\": 1}", "{hunter2", "hunter2\u{1b}[0m"] {
            assert!(!fails(text).contains("hunter2"), "{text}: {}", fails(text));
        }
        assert!(fails(&jwt(r#"{"exp": 1000}"#)).contains("expired"));
    }
}
