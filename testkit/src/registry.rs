//! A schema registry as far as its documentation describes what registering a schema is answered with:
//! ids, a conflict, a missing login. No package of one is at hand that could be started as a whole.
//!
//! <https://docs.confluent.io/platform/current/schema-registry/develop/api.html#post--subjects-(string-%20subject)-versions>

use crate::{
    http::{self, Posted},
    java,
};
use native_tls::{Identity, TlsAcceptor};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// How long a client may take to say what it wants.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST /subjects/orders-value/versions`
    pub line: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Value,
}

/// What a registry does with what it is asked.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// The id of the schema by subject; subjects that are not here get 1.
    pub ids: BTreeMap<String, u32>,
    /// Subjects whose schema is another one already.
    pub taken: Vec<String>,
    /// Value of the header that authorises; anybody may ask without one.
    pub authorization: Option<String>,
}

/// A certificate for 127.0.0.1 that nobody has signed but itself.
#[derive(Debug)]
pub struct Certificate {
    folder: tempfile::TempDir,
}

/// It guards nothing.
const STORE_PASSWORD: &str = "changeit";

impl Certificate {
    /// Makes one, with Java's own tool.
    ///
    /// # Panics
    ///
    /// When there is no `keytool`, or when it fails.
    #[track_caller]
    #[must_use]
    pub fn make() -> Self {
        let folder = tempfile::tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("failed to make a folder: {error}"));
        let made = Self { folder };
        let (store, pem) = (made.store(), made.pem());
        let words =
            ["-genkeypair", "-alias", "registry", "-keyalg", "EC", "-groupname", "secp256r1"];
        let name = ["-dname", "CN=registry", "-ext", "SAN=IP:127.0.0.1", "-validity", "30"];
        java::keytool(&store, STORE_PASSWORD, &[&words[..], &name[..]].concat());
        let pem = pem.to_string_lossy();
        let words = ["-exportcert", "-rfc", "-alias", "registry", "-file", &*pem];
        java::keytool(&store, STORE_PASSWORD, &words);
        made
    }

    /// The certificate alone: who trusts this file trusts the registry.
    #[must_use]
    pub fn pem(&self) -> PathBuf {
        self.folder.path().join("registry.pem")
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("registry.p12")
    }

    #[track_caller]
    fn acceptor(&self) -> TlsAcceptor {
        let store = fs::read(self.store()).unwrap_or_else(|error| panic!("no key: {error}"));
        let acceptor = Identity::from_pkcs12(&store, STORE_PASSWORD).and_then(TlsAcceptor::new);
        acceptor.unwrap_or_else(|error| panic!("a key that is none: {error}"))
    }
}

/// A registry on a port of the loopback, until it is dropped.
#[derive(Debug)]
pub struct SchemaRegistry {
    address: SocketAddr,
    scheme: &'static str,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SchemaRegistry {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When no port is free.
    #[must_use]
    pub fn start(behaviour: Behaviour) -> Self {
        Self::listen(behaviour, None)
    }

    /// Starts one behind TLS.
    ///
    /// # Panics
    ///
    /// When no port is free.
    #[must_use]
    pub fn start_behind(certificate: &Certificate, behaviour: Behaviour) -> Self {
        Self::listen(behaviour, Some(certificate.acceptor()))
    }

    fn listen(behaviour: Behaviour, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.unwrap_or_else(|error| panic!("no port is free: {error}"));
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|error| panic!("a port without a number: {error}"));
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let is_over = Arc::<AtomicBool>::default();
        let (noted, over) = (Arc::clone(&requests), Arc::clone(&is_over));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    break;
                }
                // A client that goes away in the middle is its own affair.
                let _ = stream.and_then(|stream| {
                    stream.set_read_timeout(Some(REQUEST_WITHIN))?;
                    match &tls {
                        None => serve(stream, &behaviour, &noted),
                        Some(tls) => {
                            let stream = tls.accept(stream).map_err(io::Error::other)?;
                            serve(stream, &behaviour, &noted)
                        }
                    }
                });
            }
        });
        Self { address, scheme, requests, is_over, thread: Some(thread) }
    }

    /// Its address: `http://127.0.0.1:41234`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// What it was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for SchemaRegistry {
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
    behaviour: &Behaviour,
    noted: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let Posted { line, headers, body } = http::request(&mut reader)?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let request = Request { line, headers, body };
    let (status, answer) = answer(&request, behaviour);
    noted.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let answer = answer.to_string();
    let stream = reader.get_mut();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    )?;
    stream.flush()
}

fn answer(request: &Request, behaviour: &Behaviour) -> (&'static str, Value) {
    let error = |code: u32, message: String| json!({"error_code": code, "message": message});
    let given = request.headers.get("authorization");
    if behaviour.authorization.as_ref().is_some_and(|right| given != Some(right)) {
        return ("401 Unauthorized", error(401, "Unauthorized".to_owned()));
    }
    let path = request.line.strip_prefix("POST /subjects/");
    let Some(subject) = path.and_then(|path| path.strip_suffix("/versions")) else {
        return ("404 Not Found", error(404, "HTTP 404 Not Found".to_owned()));
    };
    let schema = request.body["schema"].as_str().map(serde_json::from_str::<Value>);
    if !matches!(schema, Some(Ok(_))) {
        return ("422 Unprocessable Entity", error(42201, "Invalid schema".to_owned()));
    }
    if behaviour.taken.iter().any(|taken| taken == subject) {
        let message = format!(
            "Schema being registered is incompatible with an earlier schema for subject \"{subject}\""
        );
        return ("409 Conflict", error(409, message));
    }
    ("200 OK", json!({"id": behaviour.ids.get(subject).unwrap_or(&1)}))
}
