//! Where tokens come from, read from client properties.

use super::{
    Refusal, command, http,
    oidc::{Authority, Oidc},
    token::Token,
    unsecured::Unsecured,
};
use mallard_protocol::{private_file, workload::TOKEN_COMMAND};

const METHOD: &str = "sasl.oauthbearer.method";
const UNSECURED: &str = "enable.sasl.oauthbearer.unsecure.jwt";
const CONFIG: &str = "sasl.oauthbearer.config";
const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const CLIENT_ID: &str = "sasl.oauthbearer.client.id";
const CLIENT_SECRET: &str = "sasl.oauthbearer.client.secret";
const SCOPE: &str = "sasl.oauthbearer.scope";
const EXTENSIONS: &str = "sasl.oauthbearer.extensions";
const CA_FILE: &str = "https.ca.location";
const CA_PEM: &str = "https.ca.pem";

/// Properties that tokens are got by. librdkafka is given none of them.
const OWN: [&str; 11] = [
    METHOD,
    UNSECURED,
    CONFIG,
    URL,
    CLIENT_ID,
    CLIENT_SECRET,
    SCOPE,
    EXTENSIONS,
    CA_FILE,
    CA_PEM,
    TOKEN_COMMAND,
];

/// Ways to tokens that librdkafka knows where it is built with libcurl.
const OTHER_WAYS: [&str; 3] = [
    "sasl.oauthbearer.grant.type",
    "sasl.oauthbearer.assertion.",
    "sasl.oauthbearer.metadata.authentication.type",
];

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Source {
    Unsecured(Unsecured),
    Oidc(Oidc),
    Command(command::Words),
}

/// Whether tokens are got by this property.
pub(super) fn is_own(key: &str) -> bool {
    OWN.contains(&key)
}

/// As [`super::understands`].
pub(super) fn understands(key: &str) -> Result<bool, Refusal> {
    if OTHER_WAYS.iter().any(|way| key.starts_with(way)) {
        let reason = "this build gets tokens by client credentials; for any other way let a program get them: \
                      `token: {command: [PROGRAM, …]}` beside `client`";
        return Err(Refusal::new(key, reason));
    }
    Ok(is_own(key))
}

impl Source {
    /// The source that properties name; nothing where clients log in by other means.
    pub(super) fn of(properties: &[(String, String)]) -> Result<Option<Self>, Refusal> {
        let get = |wanted: &str| {
            let found = properties.iter().rev().find(|(key, _)| key == wanted);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        for (key, _) in properties {
            understands(key)?;
        }
        let mechanism = properties
            .iter()
            .rev()
            .find(|(key, _)| key == "sasl.mechanism" || key == "sasl.mechanisms");
        if !mechanism.is_some_and(|(_, name)| name.eq_ignore_ascii_case("OAUTHBEARER")) {
            return Ok(None);
        }
        if let Some(words) = get(TOKEN_COMMAND) {
            let words = serde_json::from_str(words)
                .map_err(|_| Refusal::new(TOKEN_COMMAND, "it is a list of texts in JSON"))?;
            return Ok(Some(Self::Command(words)));
        }
        if get(METHOD).is_some_and(|method| method.eq_ignore_ascii_case("oidc")) {
            return oidc(get).map(|oidc| Some(Self::Oidc(oidc)));
        }
        if get(UNSECURED)
            .is_some_and(|on| matches!(on.to_ascii_lowercase().as_str(), "true" | "1" | "t"))
        {
            return Unsecured::of(get(CONFIG).unwrap_or_default())
                .map(|it| Some(Self::Unsecured(it)));
        }
        let reason = "OAUTHBEARER needs tokens: `sasl.oauthbearer.method: oidc` with its endpoint, or \
                      `token: {command: [PROGRAM, …]}` beside `client`, or, for tests, \
                      `enable.sasl.oauthbearer.unsecure.jwt: \"true\"`";
        Err(Refusal::new(mechanism.map_or("sasl.mechanism", |(key, _)| key.as_str()), reason))
    }

    /// A new token.
    pub(super) fn token(&self) -> Result<Token, String> {
        match self {
            Self::Unsecured(unsecured) => Ok(unsecured.token()),
            Self::Oidc(oidc) => oidc.token(),
            Self::Command(words) => command::token(words),
        }
    }
}

fn oidc<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Oidc, Refusal> {
    let needed = |key: &str| {
        get(key)
            .map(str::to_owned)
            .ok_or_else(|| Refusal::new(METHOD, format!("`oidc` needs `{key}`, too")))
    };
    let url = needed(URL)?;
    http::is_address(&url).map_err(|why| Refusal::new(URL, why))?;
    let authority = match (get(CA_PEM), get(CA_FILE)) {
        (Some(pem), _) => Some(Authority::Pem(pem.as_bytes().to_vec())),
        (None, Some(file)) => Some(match private_file::decode(file) {
            Some((_, pem)) => Authority::Pem(pem),
            None => Authority::File(file.to_owned()),
        }),
        (None, None) => None,
    };
    let extensions = get(EXTENSIONS).unwrap_or_default();
    let extensions = extensions.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| {
        let pair = pair.trim().split_once('=');
        let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
        pair.ok_or_else(|| {
            Refusal::new(EXTENSIONS, "it is made of name=value, separated by commas")
        })
    });
    Ok(Oidc {
        url,
        client_id: needed(CLIENT_ID)?,
        client_secret: needed(CLIENT_SECRET)?,
        scope: get(SCOPE).map(str::to_owned),
        extensions: extensions.collect::<Result<_, _>>()?,
        authority,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(pairs: &[(&str, &str)]) -> Result<Option<Source>, Refusal> {
        let mechanism = [("sasl.mechanism", "OAUTHBEARER")];
        let all = mechanism.iter().chain(pairs);
        Source::of(
            &all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>(),
        )
    }

    fn refused(pairs: &[(&str, &str)]) -> Refusal {
        source(pairs).err().expect("it is refused")
    }

    const ENDPOINT: [(&str, &str); 4] =
        [(METHOD, "oidc"), (URL, "https://idp/token"), (CLIENT_ID, "bench"), (CLIENT_SECRET, "s")];

    #[test]
    fn each_way_is_known_by_its_properties() {
        let unsecured = [(UNSECURED, "true"), (CONFIG, "principal=admin")];
        assert!(matches!(source(&unsecured), Ok(Some(Source::Unsecured(_)))));
        assert!(matches!(source(&ENDPOINT), Ok(Some(Source::Oidc(_)))));
        let command = [(TOKEN_COMMAND, r#"["signer", "--region", "x"]"#)];
        assert!(matches!(source(&command), Ok(Some(Source::Command(words))) if words.len() == 3));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(refused(&[]).reason.contains("token: {command"));
        let refusal = refused(&ENDPOINT[..3]);
        assert_eq!(refusal.key, METHOD);
        assert!(refusal.reason.contains(CLIENT_SECRET), "{}", refusal.reason);
        assert_eq!(refused(&[ENDPOINT[0], (URL, "idp/token")]).key, URL);
        let other = refused(&[("sasl.oauthbearer.assertion.algorithm", "RS256")]);
        assert!(other.reason.contains("command"), "{}", other.reason);
    }
}
