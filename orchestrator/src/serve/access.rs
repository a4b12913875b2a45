//! Who may look. On the loopback whoever is on this machine; elsewhere whoever has the token.
//!
//! Invariant: the token is in no URL. It comes in the body of a form or in a header, and stays in a cookie that scripts
//! cannot read.

use crate::http::{Request, Response};
use std::{fmt, fs::File, io::Read, net::SocketAddr};

/// Fewest characters of a token that somebody chose.
const TOKEN_MIN: usize = 16;

const COOKIE: &str = "mallard";

/// What proves that somebody may look.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why a token is none.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It could be guessed.
    #[error("a token has at least {TOKEN_MIN} characters")]
    Short,
    /// It could not be sent.
    #[error("a token is made of letters, digits and -._~")]
    Letters,
    /// There is nothing to make one of.
    #[error("make a token")]
    Random(#[from] std::io::Error),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token")
    }
}

impl Token {
    /// A token that somebody chose.
    ///
    /// # Errors
    ///
    /// When it is too short, or has letters that a header cannot.
    pub fn chosen(text: &str) -> Result<Self, TokenError> {
        if text.len() < TOKEN_MIN {
            return Err(TokenError::Short);
        }
        let may_stand = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if !text.chars().all(may_stand) {
            return Err(TokenError::Letters);
        }
        Ok(Self(text.to_owned()))
    }

    /// A new one of 128 random bits.
    ///
    /// # Errors
    ///
    /// When the kernel gives none.
    pub fn random() -> Result<Self, TokenError> {
        let mut bytes = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The text, for whoever started the server.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether a text is this token. It takes as long for a text that is nearly right as for one that is all wrong.
    fn is(&self, text: &str) -> bool {
        let (mine, theirs) = (self.0.as_bytes(), text.as_bytes());
        let mut differs = mine.len() ^ theirs.len();
        for (at, byte) in mine.iter().enumerate() {
            let other = theirs.get(at).copied().unwrap_or(0);
            differs |= usize::from(byte ^ other);
        }
        std::hint::black_box(differs) == 0
    }
}

/// Who may look at a site.
#[derive(Debug)]
pub(super) struct Access {
    address: SocketAddr,
    token: Option<Token>,
}

impl Access {
    pub(super) fn new(address: SocketAddr, token: Option<Token>) -> Self {
        Self { address, token }
    }

    /// Why a request is not answered; `None` if it is.
    pub(super) fn refusal(&self, request: &Request) -> Option<Response> {
        if self.address.ip().is_loopback() && !names_loopback(request) {
            // A page elsewhere whose name was made to point here.
            return Some(Response::text(403, "ask for this page as localhost"));
        }
        let Some(token) = &self.token else { return None };
        if request.path == "/login" || given(request).is_some_and(|given| token.is(given)) {
            return None;
        }
        let wants_page =
            request.header("accept").is_some_and(|accept| accept.contains("text/html"));
        if wants_page && request.method == "GET" {
            return Some(Response::text(303, "").with("Location", "/login"));
        }
        Some(
            Response::text(401, "a token is needed: see /login").with("WWW-Authenticate", "Bearer"),
        )
    }

    /// Takes the token of a form, and lets its sender in.
    pub(super) fn login(&self, request: &Request) -> Response {
        let form = request.form();
        let given = form.iter().find(|(name, _)| name == "token").map(|(_, value)| value.trim());
        match (&self.token, given) {
            (Some(token), Some(given)) if token.is(given) => {
                let cookie = format!("{COOKIE}={given}; Path=/; HttpOnly; SameSite=Strict");
                Response::text(303, "").with("Location", "/").with("Set-Cookie", cookie)
            }
            (None, _) => Response::text(303, "").with("Location", "/"),
            _ => Response::text(403, "that is not the token: go back and try again"),
        }
    }
}

/// Whether a request names this machine's loopback as the host that it asks.
fn names_loopback(request: &Request) -> bool {
    let host = request.header("host").unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The token that a request brings, in a header or a cookie.
fn given(request: &Request) -> Option<&str> {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let cookies = request.header("cookie").unwrap_or_default().split(';');
    let mut cookies = cookies.filter_map(|pair| pair.trim().split_once('='));
    bearer.or_else(|| cookies.find(|(name, _)| *name == COOKIE).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Request {
            method: "GET".into(),
            path: "/".into(),
            headers: headers.collect(),
            ..Request::default()
        }
    }

    #[test]
    fn the_loopback_answers_to_its_own_names_only() {
        let access = Access::new("127.0.0.1:8080".parse().unwrap(), None);
        for host in ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"] {
            assert!(access.refusal(&asking(&[("host", host)])).is_none(), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8080", ""] {
            assert_eq!(access.refusal(&asking(&[("host", host)])).unwrap().status, 403, "{host}");
        }
    }

    #[test]
    fn elsewhere_the_token_is_asked_for() {
        let token = Token::chosen("correct-horse-battery").unwrap();
        let access = Access::new("10.0.0.1:8080".parse().unwrap(), Some(token));
        let refused = |headers: &[(&str, &str)]| access.refusal(&asking(headers)).map(|r| r.status);
        assert_eq!(refused(&[]), Some(401));
        assert_eq!(refused(&[("accept", "text/html")]), Some(303));
        assert_eq!(refused(&[("authorization", "Bearer correct-horse-batterx")]), Some(401));
        assert_eq!(refused(&[("authorization", "Bearer correct-horse-battery-")]), Some(401));
        assert_eq!(refused(&[("authorization", "Bearer ")]), Some(401));
        assert_eq!(refused(&[("authorization", "Bearer correct-horse-battery")]), None);
        assert_eq!(refused(&[("cookie", "a=b; mallard=correct-horse-battery")]), None);
        let form = |text: &str| Request { body: text.into(), ..Request::default() };
        assert_eq!(access.login(&form("token=wrong")).status, 403);
        let entered = access.login(&form("token=correct-horse-battery"));
        assert!(
            entered
                .headers
                .iter()
                .any(|(name, value)| *name == "Set-Cookie" && value.contains("HttpOnly"))
        );
    }

    #[test]
    fn tokens_that_could_be_guessed_or_not_be_sent_are_refused() {
        assert!(Token::chosen("short").is_err());
        assert!(Token::chosen("long enough but spaced").is_err());
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert!(one != other && one.reveal().len() == 32 && Token::chosen(one.reveal()).is_ok());
        assert_eq!(format!("{one:?}"), "a token");
    }
}
