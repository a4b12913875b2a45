//! One broker with every way to log in, a listener each, and rights that differ by user.

use super::{
    certificates::{self, THIS_MACHINE, certificate, openssl},
    node::{CLUSTER_ID, Node, Seat, take_seats},
};
use crate::{
    java,
    process::{self, Finished},
};
use std::{
    fmt::Write,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

/// A way to reach the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Without TLS or login; who comes here may do everything.
    Plaintext,
    /// TLS 1.2 alone.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
    /// TLS with client certificates.
    MutualTls,
    /// User and password behind TLS: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.
    SaslTls,
    /// Unsecured tokens, without TLS.
    Unsecured,
    /// Unsecured tokens behind TLS.
    UnsecuredTls,
    /// Tokens of the issuer whose key the broker knows, behind TLS.
    Oidc,
    /// TLS with a certificate that has expired.
    Expired,
    /// TLS with a certificate of another host.
    OtherHost,
}

const LISTENERS: [Listener; 10] = [
    Listener::Plaintext,
    Listener::Tls12,
    Listener::Tls13,
    Listener::MutualTls,
    Listener::SaslTls,
    Listener::Unsecured,
    Listener::UnsecuredTls,
    Listener::Oidc,
    Listener::Expired,
    Listener::OtherHost,
];

impl Listener {
    /// Its name in the broker's settings, and the protocol that it speaks.
    fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Plaintext => ("PLAINTEXT", "PLAINTEXT"),
            Self::Tls12 => ("TLSA", "SSL"),
            Self::Tls13 => ("TLSB", "SSL"),
            Self::MutualTls => ("MUTUAL", "SSL"),
            Self::SaslTls => ("LOGIN", "SASL_SSL"),
            Self::Unsecured => ("UNSECURED", "SASL_PLAINTEXT"),
            Self::UnsecuredTls => ("UNSECUREDTLS", "SASL_SSL"),
            Self::Oidc => ("OIDC", "SASL_SSL"),
            Self::Expired => ("EXPIRED", "SSL"),
            Self::OtherHost => ("ELSEWHERE", "SSL"),
        }
    }
}

/// The password of every user.
pub const PASSWORD: &str = "Tr0ub4dor-and-3";

/// The password of the encrypted key and of the PKCS#12 store.
pub const KEY_PASSWORD: &str = "c0rrect-horse";

/// Who may do everything.
pub const ADMIN: &str = "admin";

/// Users who lack one right each, and what they lack, as `AclCommand` takes it.
pub const LACKING: [(&str, &[&str]); 5] = [
    ("no-topic", &["--operation", "Write", "--topic", "*"]),
    ("no-group", &["--operation", "Read", "--group", "*"]),
    ("no-transactions", &["--operation", "Write", "--transactional-id", "*"]),
    ("no-configs", &["--operation", "DescribeConfigs", "--topic", "*"]),
    ("no-create", &["--operation", "Create", "--cluster", "--topic", "*"]),
];

/// The broker. Dropping it kills it and removes its files.
#[derive(Debug)]
pub struct SecureBroker {
    folder: PathBuf,
    host: Ipv4Addr,
    ports: Vec<u16>,
    node: Node,
}

/// The broker that all tests of this process share.
#[must_use]
pub fn shared_secure() -> &'static SecureBroker {
    static BROKER: OnceLock<SecureBroker> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    BROKER.get_or_init(|| SecureBroker::start_at(Ipv4Addr::LOCALHOST))
}

impl SecureBroker {
    /// Starts one that listens on an address of this machine, which its certificate names.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start_at(host: Ipv4Addr) -> Self {
        let seats = take_seats(host, LISTENERS.len());
        let ports: Vec<u16> = seats.iter().map(|seat| seat.client_port).collect();
        let seat = Seat { id: 1, ..seats[0] };
        let name = format!("mallard-test-secure-kafka-{}-{}", std::process::id(), ports[0]);
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("no folder: {error}"));
        make_certificates(&folder, host);
        let mut node = Node::new(1, folder.clone());
        let settings = settings(&folder, (host, &ports), seat.controller_port);
        let settings: Vec<_> = settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        node.write_settings(&[seat], &settings);
        format_storage(&node);
        node.launch();
        let broker = Self { folder, host, ports, node };
        broker.node.wait_until_ready();
        broker.give_rights();
        broker
    }

    /// The address of a listener.
    #[must_use]
    pub fn address(&self, listener: Listener) -> String {
        let at = LISTENERS.iter().position(|known| *known == listener).unwrap_or(0);
        format!("{}:{}", self.host, self.ports[at])
    }

    /// The address that it listens on.
    #[must_use]
    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// A file beside the broker: `ca.pem`, `other-ca.pem`, `client.pem`, `client.key`, `client-encrypted.key`,
    /// `client.p12`, `server.pem`, `server.key`, `issuer.key`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// All end offsets of a topic together, as Kafka's own tool reads them.
    #[must_use]
    pub fn end_offset(&self, topic: &str) -> u64 {
        let words = ["--bootstrap-server", &self.address(Listener::Plaintext), "--topic", topic];
        let told = tool("org.apache.kafka.tools.GetOffsetShell", &words).expect_code(0);
        let ends = told.stdout.lines().filter_map(|line| line.rsplit_once(':'));
        ends.filter_map(|(_, end)| end.trim().parse::<u64>().ok()).sum()
    }

    fn give_rights(&self) {
        let bootstrap = self.address(Listener::Plaintext);
        let acl = |more: &[&str]| {
            let all = [&["--bootstrap-server", &bootstrap, "--add"][..], more].concat();
            tool("org.apache.kafka.tools.AclCommand", &all).assert_code(0);
        };
        let users: Vec<String> = LACKING.iter().map(|(user, _)| format!("User:{user}")).collect();
        let mut allow: Vec<&str> =
            users.iter().flat_map(|user| ["--allow-principal", user.as_str()]).collect();
        allow.extend(["--topic", "*", "--group", "*", "--transactional-id", "*", "--cluster"]);
        acl(&allow);
        for ((_, right), user) in LACKING.iter().zip(&users) {
            acl(&[&["--deny-principal", user.as_str()], *right].concat());
        }
    }
}

fn tool(class: &str, words: &[&str]) -> Finished {
    process::run(java::command().arg(class).args(words), java::WITHIN)
}

fn format_storage(node: &Node) {
    let mut format = java::command();
    format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]);
    format.arg(node.settings_file());
    let users = LACKING.iter().map(|(user, _)| *user).chain([ADMIN]);
    for user in users {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            format.arg("--add-scram");
            format.arg(format!("{mechanism}=[name={user},password={PASSWORD}]"));
        }
    }
    process::run(&mut format, java::WITHIN).assert_code(0);
}

fn settings(
    folder: &Path,
    (host, ports): (Ipv4Addr, &[u16]),
    controller_port: u16,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut set = |key: &str, value: &str| all.push((key.to_owned(), value.to_owned()));
    let (mut listeners, mut map) = (String::new(), "CONTROLLER:PLAINTEXT".to_owned());
    for (listener, port) in LISTENERS.iter().zip(ports) {
        let (name, protocol) = listener.name();
        let _ = write!(listeners, "{name}://{host}:{port},");
        let _ = write!(map, ",{name}:{protocol}");
    }
    let listeners = listeners.trim_end_matches(',');
    set("listener.security.protocol.map", &map);
    set("advertised.listeners", listeners);
    // The controller's listener is the one that `Node` has chosen.
    set("listeners", &format!("{listeners},CONTROLLER://{host}:{controller_port}"));
    set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    let supers =
        ["ANONYMOUS", ADMIN, "CN=client", "CN=localhost"].map(|name| format!("User:{name}"));
    set("super.users", &supers.join(";"));
    let file = |name: &str| folder.join(name).display().to_string();
    set("ssl.keystore.type", "PEM");
    set("ssl.truststore.type", "PEM");
    set("ssl.keystore.location", &file("server.full"));
    set("ssl.truststore.location", &file("ca.pem"));
    set("listener.name.tlsa.ssl.enabled.protocols", "TLSv1.2");
    set("listener.name.tlsb.ssl.enabled.protocols", "TLSv1.3");
    set("listener.name.mutual.ssl.client.auth", "required");
    set("listener.name.expired.ssl.keystore.location", &file("expired.full"));
    set("listener.name.elsewhere.ssl.keystore.location", &file("elsewhere.full"));
    set("listener.name.login.sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512");
    let module = "org.apache.kafka.common.security";
    for mechanism in ["scram-sha-256", "scram-sha-512"] {
        let key = format!("listener.name.login.{mechanism}.sasl.jaas.config");
        set(&key, &format!("{module}.scram.ScramLoginModule required;"));
    }
    let plain = format!("{module}.plain.PlainLoginModule required user_{ADMIN}=\"{PASSWORD}\";");
    set("listener.name.login.plain.sasl.jaas.config", &plain);
    let bearer = format!("{module}.oauthbearer.OAuthBearerLoginModule required");
    for name in ["unsecured", "unsecuredtls", "oidc"] {
        set(&format!("listener.name.{name}.sasl.enabled.mechanisms"), "OAUTHBEARER");
        // The broker hangs up on whoever has not logged in again when the token of the last login expires.
        let again = format!("listener.name.{name}.oauthbearer.connections.max.reauth.ms");
        set(&again, "3600000");
    }
    let unsecured = format!("{bearer} unsecuredLoginStringClaim_sub=\"{ADMIN}\";");
    for name in ["unsecured", "unsecuredtls"] {
        set(&format!("listener.name.{name}.oauthbearer.sasl.jaas.config"), &unsecured);
    }
    set("listener.name.oidc.oauthbearer.sasl.jaas.config", &format!("{bearer};"));
    set(
        "listener.name.oidc.oauthbearer.sasl.server.callback.handler.class",
        &format!("{module}.oauthbearer.OAuthBearerValidatorCallbackHandler"),
    );
    set(
        "listener.name.oidc.sasl.oauthbearer.jwks.endpoint.url",
        &format!("file://{}", file("jwks.json")),
    );
    set("listener.name.oidc.sasl.oauthbearer.expected.audience", "kafka");
    all
}

/// Everything that openssl makes: an authority, another one that nobody knows, the broker's certificates, a client's in
/// every form, and the key that signs tokens.
fn make_certificates(folder: &Path, host: Ipv4Addr) {
    let names = format!("{THIS_MACHINE},IP:{host}");
    ["ca", "other-ca"].into_iter().for_each(|name| certificates::authority(folder, name));
    certificate(folder, "server", "/CN=localhost", &names, "30");
    certificate(folder, "expired", "/CN=localhost", &names, "-1");
    certificate(folder, "elsewhere", "/CN=elsewhere", "subjectAltName=DNS:elsewhere.example", "30");
    certificate(folder, "client", "/CN=client", "extendedKeyUsage=clientAuth", "30");
    let password = format!("pass:{KEY_PASSWORD}");
    let encrypt = [
        "pkcs8",
        "-topk8",
        "-in",
        "client.key",
        "-out",
        "client-encrypted.key",
        "-passout",
        &password,
    ];
    openssl(folder, &encrypt);
    let store = [
        "pkcs12",
        "-export",
        "-in",
        "client.pem",
        "-inkey",
        "client.key",
        "-out",
        "client.p12",
        "-passout",
        &password,
    ];
    openssl(folder, &store);
    openssl(folder, &["genrsa", "-out", "issuer.key", "2048"]);
    let modulus = openssl(folder, &["rsa", "-in", "issuer.key", "-noout", "-modulus"]);
    let hex = modulus.trim().rsplit('=').next().unwrap_or_default();
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .filter_map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok())
        .collect();
    let keys = format!(
        "{{\"keys\": [{{\"kty\": \"RSA\", \"kid\": \"{KEY_ID}\", \"alg\": \"RS256\", \"use\": \"sig\", \
         \"n\": \"{}\", \"e\": \"AQAB\"}}]}}",
        crate::base64::encode_for_url(&bytes)
    );
    certificates::write(&folder.join("jwks.json"), &keys);
}

/// The name of the key that signs tokens.
pub(crate) const KEY_ID: &str = "testkit";
