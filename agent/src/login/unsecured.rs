//! Unsecured tokens (RFC 7515, appendix A.5), as test brokers take them: anybody can make one.

use super::{
    Refusal,
    token::{Token, now_ms},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// The property that holds the claims, in librdkafka's spelling.
const CONFIG: &str = "sasl.oauthbearer.config";

/// Lifetime where the property says none, in seconds. librdkafka's own.
const LIFE_SECONDS: u64 = 3_600;

/// What is said in an unsecured token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unsecured {
    principal: String,
    principal_claim: String,
    scope_claim: String,
    scope: Vec<String>,
    life_s: u64,
    extensions: Vec<(String, String)>,
}

impl Unsecured {
    /// Reads `principal=… scope=a,b lifeSeconds=20 extension_x=y`.
    pub(super) fn of(config: &str) -> Result<Self, Refusal> {
        let refused = |reason: String| Refusal::new(CONFIG, reason);
        let mut read = Self {
            principal: String::new(),
            principal_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            scope: Vec::new(),
            life_s: LIFE_SECONDS,
            extensions: Vec::new(),
        };
        for pair in config.split_whitespace() {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                refused("it is made of name=value, separated by spaces".to_owned())
            })?;
            let value = value.to_owned();
            match name {
                "principal" => read.principal = value,
                "principalClaimName" => read.principal_claim = value,
                "scopeClaimName" => read.scope_claim = value,
                "scope" => read.scope = value.split(',').map(str::to_owned).collect(),
                "lifeSeconds" => {
                    let seconds =
                        value.parse::<u64>().ok().filter(|seconds| (1..=1 << 31).contains(seconds));
                    read.life_s = seconds
                        .ok_or_else(|| refused("lifeSeconds is a number of seconds".into()))?;
                }
                _ => match name.strip_prefix("extension_") {
                    Some(extension) => read.extensions.push((extension.to_owned(), value)),
                    None => {
                        let known = "principal, principalClaimName, scope, scopeClaimName, lifeSeconds and \
                                     extension_NAME";
                        return Err(refused(format!("it knows {known}, and not {name}")));
                    }
                },
            }
        }
        if read.principal.is_empty() {
            return Err(refused("it needs principal=NAME".to_owned()));
        }
        Ok(read)
    }

    /// A new token.
    pub(super) fn token(&self) -> Token {
        let now_ms = now_ms();
        let expires_ms = now_ms + self.life_s * 1_000;
        let mut claims = Map::new();
        claims.insert(self.principal_claim.clone(), json!(self.principal));
        claims.insert("iat".to_owned(), seconds(now_ms));
        claims.insert("exp".to_owned(), seconds(expires_ms));
        if !self.scope.is_empty() {
            claims.insert(self.scope_claim.clone(), json!(self.scope));
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let value = format!("{}.{}.", part(&json!({"alg": "none"})), part(&Value::Object(claims)));
        Token {
            value,
            expires_ms,
            principal: self.principal.clone(),
            extensions: self.extensions.clone(),
        }
    }
}

/// Seconds with their fraction: rounded down, a token would expire before librdkafka believes it does.
fn seconds(ms: u64) -> Value {
    json!(ms as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_its_property_says() {
        let unsecured =
            Unsecured::of("principal=admin lifeSeconds=20 scope=a,b extension_pool=x").unwrap();
        let token = unsecured.token();
        let claims = token.value.split('.').nth(1).unwrap();
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!((&claims["sub"], &claims["scope"]), (&json!("admin"), &json!(["a", "b"])));
        let life = claims["exp"].as_f64().unwrap() - claims["iat"].as_f64().unwrap();
        assert!((life - 20.0).abs() < 0.01, "{claims}");
        assert_eq!(token.extensions, [("pool".to_owned(), "x".to_owned())]);
        assert!((19..=20).contains(&token.left().as_secs()));
    }

    #[test]
    fn what_it_cannot_say_is_refused() {
        for config in [
            "",
            "principal",
            "lifeSeconds=20",
            "principal=a lifeSeconds=soon",
            "principal=a life=3",
        ] {
            assert_eq!(Unsecured::of(config).unwrap_err().key, CONFIG, "{config}");
        }
    }
}
