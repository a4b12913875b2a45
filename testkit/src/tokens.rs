//! A token endpoint: gives signed tokens to one client for its credentials, over HTTPS.
//!
//! RFC 6749 (section 4.4) and RFC 7519, as far as a client's credentials go.

use crate::{
    base64, http, java,
    kafka::secure::{KEY_ID, SecureBroker},
    process,
};
use native_tls::{Identity, TlsAcceptor};
use std::{
    fs,
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The client that gets tokens.
pub const CLIENT_ID: &str = "mallard-bench";

/// Its secret.
pub const CLIENT_SECRET: &str = "s3cret-of-the-client";

/// What must be asked for.
pub const SCOPE: &str = "kafka bench";

/// How long a client may take to say what it wants.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// An endpoint on a port of its broker's address, until it is dropped.
#[derive(Debug)]
pub struct TokenServer {
    address: SocketAddr,
    given: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TokenServer {
    /// Starts one beside a broker, whose tokens the broker takes, each for this long. Its certificate is the broker's.
    ///
    /// # Panics
    ///
    /// When no port is free.
    #[must_use]
    pub fn start(broker: &SecureBroker, life: Duration) -> Self {
        let read = |name: &str| {
            fs::read(broker.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let identity = Identity::from_pkcs8(&read("server.pem"), &read("server.key"));
        let tls = identity.and_then(TlsAcceptor::new);
        let tls = tls.unwrap_or_else(|error| panic!("no certificate for the endpoint: {error}"));
        let listener = TcpListener::bind((broker.host(), 0));
        let listener = listener.unwrap_or_else(|error| panic!("no port is free: {error}"));
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|error| panic!("a port without a number: {error}"));
        let (given, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, over, key) =
            (Arc::clone(&given), Arc::clone(&is_over), broker.file("issuer.key"));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    break;
                }
                // A client that goes away in the middle is its own affair.
                let _ = stream.and_then(|stream| {
                    stream.set_read_timeout(Some(REQUEST_WITHIN))?;
                    let stream = tls.accept(stream).map_err(io::Error::other)?;
                    serve(stream, &key, life, &count)
                });
            }
        });
        Self { address, given, is_over, thread: Some(thread) }
    }

    /// Where tokens are asked for.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}/token", self.address)
    }

    /// How many tokens it has given.
    #[must_use]
    pub fn given(&self) -> usize {
        self.given.load(Ordering::Acquire)
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // Wakes it from waiting for a client.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve<S: Read + Write>(
    stream: S,
    key: &Path,
    life: Duration,
    given: &AtomicUsize,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let request = http::request(&mut reader)?;
    let body = String::from_utf8_lossy(&request.body);
    let right =
        format!("Basic {}", base64::encode(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes()));
    let asked = format!("grant_type=client_credentials&scope={}", SCOPE.replace(' ', "%20"));
    let (status, answer) = if request.headers.get("authorization") != Some(&right) {
        (
            "401 Unauthorized",
            r#"{"error": "invalid_client", "error_description": "no such client"}"#.to_owned(),
        )
    } else if body != asked {
        ("400 Bad Request", r#"{"error": "invalid_scope"}"#.to_owned())
    } else {
        given.fetch_add(1, Ordering::AcqRel);
        let (token, seconds) = (jwt(key, life), life.as_secs());
        (
            "200 OK",
            format!(
                r#"{{"access_token": "{token}", "token_type": "Bearer", "expires_in": {seconds}}}"#
            ),
        )
    };
    let stream = reader.get_mut();
    // In chunks, as servers do that do not know the length beforehand.
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{answer}\r\n0\r\n\r\n",
        answer.len()
    )?;
    stream.flush()
}

/// A token for the broker's admin, signed by the issuer's key.
#[must_use]
pub fn jwt(key: &Path, life: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let head = base64::encode_for_url(format!(r#"{{"alg":"RS256","kid":"{KEY_ID}"}}"#).as_bytes());
    let claims = format!(
        r#"{{"sub":"admin","aud":"kafka","iss":"testkit","scope":"kafka","iat":{now},"exp":{}}}"#,
        now + life.as_secs()
    );
    let signed = format!("{head}.{}", base64::encode_for_url(claims.as_bytes()));
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder: {error}"));
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    fs::write(file("text"), &signed).unwrap_or_else(|error| panic!("no text to sign: {error}"));
    let mut sign = Command::new("openssl");
    sign.args(["dgst", "-sha256", "-sign"])
        .arg(key)
        .arg("-out")
        .arg(file("signature"))
        .arg(file("text"));
    process::run(&mut sign, java::WITHIN).assert_code(0);
    let signature = fs::read(file("signature")).unwrap_or_default();
    format!("{signed}.{}", base64::encode_for_url(&signature))
}
