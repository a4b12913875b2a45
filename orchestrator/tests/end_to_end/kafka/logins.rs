//! Every way to log in, on a real broker with a listener for each: what is right makes its load, what is wrong ends
//! within moments with one cause, and no secret is in what either leaves behind.

use crate::world::{assert_accounts_add_up, count, steady};
use serde_json::Value;
use std::{fs, time::Duration};
use testkit::{
    kafka::secure::{ADMIN, KEY_PASSWORD, Listener, PASSWORD, SecureBroker, shared_secure},
    mallard::{Run, Sandbox},
    process::Finished,
    tokens::{self, CLIENT_ID, CLIENT_SECRET, SCOPE, TokenServer},
};

const RUN: [&str; 4] = ["run", "s.yaml", "--cluster", "lab/c.yaml"];

/// Files beside the broker that cluster files name.
const FILES: [&str; 6] =
    ["ca.pem", "other-ca.pem", "client.pem", "client.key", "client-encrypted.key", "client.p12"];

/// A way to log in: where, and the lines of `kafka` below `bootstrap`.
struct Login {
    name: &'static str,
    listener: Listener,
    lines: Vec<String>,
}

/// Client properties.
fn client(name: &'static str, listener: Listener, properties: &[(&str, &str)]) -> Login {
    let of = |(key, value): &(&str, &str)| format!("    {key}: \"{value}\"");
    let lines = ["  client:".to_owned()].into_iter().chain(properties.iter().map(of)).collect();
    Login { name, listener, lines }
}

const TLS: [(&str, &str); 2] = [("security.protocol", "SSL"), ("ssl.ca.location", "certs/ca.pem")];

fn tls(name: &'static str, listener: Listener, more: &[(&str, &str)]) -> Login {
    client(name, listener, &[&TLS[..], more].concat())
}

fn password(name: &'static str, mechanism: &str, user: &str, password: &str) -> Login {
    let properties = [
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.location", "certs/ca.pem"),
        ("sasl.mechanism", mechanism),
        ("sasl.username", user),
        ("sasl.password", password),
    ];
    client(name, Listener::SaslTls, &properties)
}

/// Tokens without TLS, which one listener takes.
const OPEN_BEARER: [(&str, &str); 2] =
    [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "OAUTHBEARER")];

const BEARER: [(&str, &str); 3] = [
    ("security.protocol", "SASL_SSL"),
    ("ssl.ca.location", "certs/ca.pem"),
    ("sasl.mechanism", "OAUTHBEARER"),
];

fn bearer(listener: Listener) -> &'static [(&'static str, &'static str)] {
    if listener == Listener::Unsecured { &OPEN_BEARER } else { &BEARER }
}

fn unsecured(name: &'static str, listener: Listener, config: &str) -> Login {
    let own =
        [("enable.sasl.oauthbearer.unsecure.jwt", "true"), ("sasl.oauthbearer.config", config)];
    client(name, listener, &[bearer(listener), &own].concat())
}

fn oidc(name: &'static str, url: &str, secret: &str) -> Login {
    let own = [
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.oauthbearer.token.endpoint.url", url),
        ("sasl.oauthbearer.client.id", CLIENT_ID),
        ("sasl.oauthbearer.client.secret", secret),
        ("sasl.oauthbearer.scope", SCOPE),
        ("https.ca.location", "certs/ca.pem"),
    ];
    client(name, Listener::Oidc, &[&BEARER[..], &own].concat())
}

/// Tokens by a script that is given to a shell.
fn command(name: &'static str, listener: Listener, script: &str) -> Login {
    let mut login = client(name, listener, bearer(listener));
    login.lines.push(format!("  token: {{command: [sh, -c, {script:?}]}}"));
    login
}

/// A folder with a scenario, and a cluster file in a folder of its own, beside its certificates.
fn sandbox(broker: &SecureBroker, login: &Login, scenario: &str, more: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    for name in FILES {
        sandbox.file(&format!("lab/certs/{name}"), read(broker, name));
    }
    let (bootstrap, lines) = (broker.address(login.listener), login.lines.join("\n"));
    let hosts = "hosts:\n  - local: {agents: 2}";
    let cluster = format!("kafka:\n  bootstrap: \"{bootstrap}\"\n{lines}\n{hosts}\n{more}\n");
    sandbox.file("lab/c.yaml", cluster).file("s.yaml", scenario);
    let text = |name: &str| String::from_utf8_lossy(&read(broker, name)).into_owned();
    sandbox
        .set("KAFKA_PASSWORD", PASSWORD)
        .set("KEY_PASSWORD", KEY_PASSWORD)
        .set("CLIENT_SECRET", CLIENT_SECRET)
        .set("CA_PEM", text("ca.pem"))
        .set("CERTIFICATE_PEM", text("client.pem"))
        .set("KEY_PEM", text("client.key"));
    sandbox
}

fn read(broker: &SecureBroker, name: &str) -> Vec<u8> {
    fs::read(broker.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Nothing that a run has written, wherever, holds a password, a key or a token.
#[track_caller]
fn assert_no_secrets(broker: &SecureBroker, sandbox: &Sandbox, outcome: &Finished) {
    let key = String::from_utf8_lossy(&read(broker, "client.key")).into_owned();
    // A line of its middle, and how that would look in base64 of the whole.
    let line = key.lines().nth(3).expect("a key has many lines").to_owned();
    let token = "eyJhbGciOi".to_owned();
    let secrets =
        [PASSWORD.to_owned(), KEY_PASSWORD.to_owned(), CLIENT_SECRET.to_owned(), line, token];
    let carried = "mallard-file:".to_owned();
    let all = || secrets.iter().chain([&carried]);
    for said in [&outcome.stdout, &outcome.stderr] {
        assert!(all().all(|secret| !said.contains(secret)), "{said}");
    }
    for file in sandbox.files_below("") {
        // Written by the test, and the agent's program, which knows the word.
        let is_input = file.starts_with("lab") || file.starts_with("witness");
        let content = fs::read(sandbox.path(&file)).unwrap_or_default();
        if is_input || content.starts_with(b"\x7fELF") {
            continue;
        }
        for secret in all() {
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds {secret}", file.display());
        }
    }
}

/// Runs a load by this login, and has it be what it should be, to the last record.
#[track_caller]
fn assert_loads(broker: &SecureBroker, login: &Login, rate: u64, seconds: u64) -> Value {
    let scenario = steady(
        &format!("{rate}/s"),
        &format!("{seconds}s"),
        "expect: [records.failed == 0, records.lost == 0]",
    );
    let sandbox = sandbox(broker, login, &scenario, "");
    let outcome = sandbox.mallard([&RUN[..], &["--keep"]].concat());
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    let expected = rate * (seconds + 1);
    for account in ["scheduled", "acked", "received"] {
        let found = count(&result, &format!("accounts_whole/{account}"));
        assert_eq!(found, expected, "{}: {account}", login.name);
    }
    // The tool takes an expression.
    let topic = format!("orders-{}-[0-9]+", run.id());
    assert_eq!(broker.end_offset(&topic), expected, "{}: {topic}", login.name);
    assert_no_secrets(broker, &sandbox, &outcome);
    result
}

#[test]
fn every_way_to_log_in_makes_its_load() {
    testkit::require!(kafka);
    let broker = shared_secure();
    let endpoint = TokenServer::start(broker, Duration::from_secs(60));
    let jwt = tokens::jwt(&broker.file("issuer.key"), Duration::from_secs(600));
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("jwt"), jwt).expect("a token in a file");
    let from_file = format!("cat {}", folder.path().join("jwt").display());
    let mutual = |name, more: &[(&str, &str)]| tls(name, Listener::MutualTls, more);
    let certificate = ("ssl.certificate.location", "certs/client.pem");
    let ways = [
        Login { name: "PLAINTEXT", listener: Listener::Plaintext, lines: Vec::new() },
        tls("TLS 1.2", Listener::Tls12, &[]),
        tls("TLS 1.3", Listener::Tls13, &[]),
        mutual("mTLS, PEM", &[certificate, ("ssl.key.location", "certs/client.key")]),
        mutual(
            "mTLS, encrypted key",
            &[
                certificate,
                ("ssl.key.location", "certs/client-encrypted.key"),
                ("ssl.key.password", "${KEY_PASSWORD}"),
            ],
        ),
        mutual(
            "mTLS, PKCS#12",
            &[
                ("ssl.keystore.location", "certs/client.p12"),
                ("ssl.keystore.password", "${KEY_PASSWORD}"),
            ],
        ),
        client(
            "mTLS, from the environment",
            Listener::MutualTls,
            &[
                ("security.protocol", "SSL"),
                ("ssl.ca.pem", "${CA_PEM}"),
                ("ssl.certificate.pem", "${CERTIFICATE_PEM}"),
                ("ssl.key.pem", "${KEY_PEM}"),
            ],
        ),
        password("PLAIN", "PLAIN", ADMIN, "${KAFKA_PASSWORD}"),
        password("SCRAM-SHA-256", "SCRAM-SHA-256", ADMIN, "${KAFKA_PASSWORD}"),
        password("SCRAM-SHA-512", "SCRAM-SHA-512", ADMIN, "${KAFKA_PASSWORD}"),
        unsecured(
            "OAUTHBEARER, unsecured",
            Listener::UnsecuredTls,
            "principal=admin lifeSeconds=60",
        ),
        unsecured("OAUTHBEARER without TLS", Listener::Unsecured, "principal=admin lifeSeconds=60"),
        oidc("OAUTHBEARER, oidc", &endpoint.url(), "${CLIENT_SECRET}"),
        command("OAUTHBEARER, a program", Listener::Oidc, &from_file),
    ];
    for login in &ways {
        assert_loads(broker, login, 500, 2);
    }
    assert!(endpoint.given() > 0);
}

#[test]
fn tokens_of_twenty_seconds_carry_a_load_for_longer() {
    testkit::require!(kafka);
    let broker = shared_secure();
    let login = unsecured("unsecured, 20 s", Listener::Unsecured, "principal=admin lifeSeconds=20");
    assert_loads(broker, &login, 200, 44);
}

#[test]
fn an_endpoint_is_asked_again_before_its_tokens_expire() {
    testkit::require!(kafka);
    let broker = shared_secure();
    let endpoint = TokenServer::start(broker, Duration::from_secs(20));
    let login = oidc("oidc, 20 s", &endpoint.url(), "${CLIENT_SECRET}");
    assert_loads(broker, &login, 200, 34);
    // Two agents; at 0, 16 and 32 seconds at least, and not once for each of their clients.
    let given = endpoint.given();
    println!("tokens given: {given}");
    assert!((6..=14).contains(&given), "{given} tokens");
}

#[test]
fn a_program_is_asked_again_before_its_tokens_expire() {
    testkit::require!(kafka);
    let broker = shared_secure();
    let witness = tempfile::tempdir().expect("a folder");
    let asked = witness.path().join("asked");
    // An unsecured token for eight seconds, as RFC 7519 has it.
    let script = format!(
        "echo asked >> {}; now=$(date +%s); enc() {{ base64 -w0 | tr '+/' '-_' | tr -d =; }}; \
         head=$(printf '{{\"alg\":\"none\"}}' | enc); \
         body=$(printf '{{\"sub\":\"admin\",\"iat\":%d,\"exp\":%d}}' $now $((now + 8)) | enc); \
         echo \"$head.$body.\"",
        asked.display()
    )
    // In a cluster file, a dollar is two.
    .replace('$', "$$");
    let login = command("a program, 8 s", Listener::UnsecuredTls, &script);
    assert_loads(broker, &login, 200, 18);
    let asked = fs::read_to_string(asked).expect("it was started").lines().count();
    println!("started {asked} times");
    assert!((6..=14).contains(&asked), "{asked} times, by two agents");
}

/// What happens where nobody renews: without this, the tests above would prove nothing.
#[test]
fn a_token_that_cannot_be_renewed_ends_the_load_when_it_expires_and_is_told() {
    testkit::require!(kafka);
    let broker = shared_secure();
    let folder = tempfile::tempdir().expect("a folder");
    let jwt = tokens::jwt(&broker.file("issuer.key"), Duration::from_secs(12));
    fs::write(folder.path().join("jwt"), jwt).expect("a token in a file");
    let script = format!("cat {}", folder.path().join("jwt").display());
    let login = command("never renewed", Listener::Oidc, &script);
    let scenario = steady("200/s", "24s", "expect: [records.failed == 0, records.lost == 0]");
    let sandbox = sandbox(broker, &login, &scenario, "");
    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    let result = run.only_result();
    let acked = count(&result, "accounts_whole/acked");
    println!("exit {:?}, {acked} acked: {}", outcome.code(), outcome.stdout);
    assert_ne!(outcome.code(), Some(0));
    assert!(acked < 200 * 20, "{acked} acknowledged");
    assert_no_secrets(broker, &sandbox, &outcome);
}

/// A login that cannot succeed, and words of its cause and of what to do about it.
struct Bad {
    login: Login,
    cause: &'static str,
    remedy: &'static str,
}

fn bad(login: Login, cause: &'static str, remedy: &'static str) -> Bad {
    Bad { login, cause, remedy }
}

/// What is wrong with how a run ended that was to end as an error within the time to connect, with one cause.
fn complaint(broker: &SecureBroker, bad: &Bad, scenario: &str) -> Option<String> {
    let name = bad.login.name;
    let sandbox = sandbox(broker, &bad.login, scenario, "deadlines: {connect: 15s, topics: 15s}");
    let outcome = sandbox.mallard(RUN);
    assert_no_secrets(broker, &sandbox, &outcome);
    let run = sandbox.latest_run().json("run.json");
    let cases = sandbox.latest_run().cases();
    let result = cases.first().map(|case| Run::at(case.clone()).json("result.json"));
    let reasons = result.as_ref().unwrap_or(&run)["reasons"].as_array().cloned();
    let reasons = reasons.unwrap_or_default();
    let told: Vec<String> =
        reasons.iter().map(|reason| format!("{} {}", reason["text"], reason["remedy"])).collect();
    let is_right = outcome.code() == Some(3)
        && outcome.took < Duration::from_secs(30)
        // Each agent may say it.
        && !told.is_empty()
        && told.iter().all(|one| one.contains(bad.cause) && one.contains(bad.remedy));
    (!is_right)
        .then(|| format!("{name}: exit {:?} after {:?}: {told:#?}", outcome.code(), outcome.took))
}

#[track_caller]
fn assert_nothing(complaints: &[String]) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
fn a_login_that_is_wrong_ends_within_moments_with_one_cause_and_its_remedy() {
    testkit::require!(kafka);
    let broker = shared_secure();
    let endpoint = TokenServer::start(broker, Duration::from_secs(60));
    let wrong = "n0t-the-password";
    let other = [("security.protocol", "SSL"), ("ssl.ca.location", "certs/other-ca.pem")];
    let all = [
        bad(password("wrong password, PLAIN", "PLAIN", ADMIN, wrong), "uthentication", "password"),
        bad(
            password("wrong password, SCRAM-SHA-256", "SCRAM-SHA-256", ADMIN, wrong),
            "uthentication",
            "password",
        ),
        bad(
            password("wrong password, SCRAM-SHA-512", "SCRAM-SHA-512", ADMIN, wrong),
            "uthentication",
            "password",
        ),
        bad(tls("expired certificate", Listener::Expired, &[]), "expired", "renew"),
        bad(client("unknown authority", Listener::Tls13, &other), "certificate", "ssl.ca.location"),
        bad(tls("another host's certificate", Listener::OtherHost, &[]), "mismatch", "bootstrap"),
        bad(
            tls("no client certificate", Listener::MutualTls, &[]),
            "certificate",
            "ssl.certificate.location",
        ),
        bad(oidc("wrong client secret", &endpoint.url(), wrong), "invalid_client", ""),
        bad(
            unsecured("a token that nobody signed", Listener::Oidc, "principal=admin"),
            "uthentication",
            "token",
        ),
        bad(
            command("a program that fails", Listener::Oidc, "echo hunter2; exit 7"),
            "exit status: 7",
            "",
        ),
    ];
    let scenario = steady("200/s", "2s", "");
    let complaints = all.iter().filter_map(|one| complaint(broker, one, &scenario));
    assert_nothing(&complaints.collect::<Vec<_>>());
}

#[test]
fn a_user_who_lacks_a_right_is_told_which() {
    testkit::require!(kafka);
    let broker = shared_secure();
    let user = |name: &'static str| password(name, "SCRAM-SHA-512", name, "${KAFKA_PASSWORD}");
    let plain = steady("200/s", "2s", "");
    let transactions = plain.replace("payload:", "transactions: {every: 50}, payload:");
    let all = [
        ("no-topic", "Topic authorization", "right to it: Write", &plain),
        ("no-group", "Group authorization", "right to Read on the group", &plain),
        ("no-transactions", "Transactional Id", "Write on the transactional id", &transactions),
        ("no-create", "create topics", "right to Create", &plain),
    ];
    let complaints = all.into_iter().filter_map(|(login, cause, remedy, scenario)| {
        complaint(broker, &bad(user(login), cause, remedy), scenario)
    });
    assert_nothing(&complaints.collect::<Vec<_>>());
}

/// Nothing but configurations cannot be compared then, and there is none here.
#[test]
fn a_user_who_may_not_describe_configurations_makes_the_load() {
    testkit::require!(kafka);
    let name = "no-configs";
    let login = password(name, "SCRAM-SHA-256", name, "${KAFKA_PASSWORD}");
    assert_loads(shared_secure(), &login, 200, 2);
}

#[test]
fn the_agents_program_checks_the_properties_of_a_cluster_file_by_itself() {
    let sandbox = Sandbox::new();
    let broken = "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n";
    let cluster = "kafka:\n  bootstrap: \"127.0.0.1:1\"\n  client:\n    security.protocol: SSL\n    \
                   ssl.ca.location: certs/ca.pem\n    socket.timeout.ms: soon\nhosts:\n  - local: {}\n";
    sandbox.file("lab/certs/ca.pem", broken).file("lab/c.yaml", cluster);
    let outcome = sandbox.mallard(["validate", "lab/c.yaml"]);
    outcome.assert_code(2);
    let told = &outcome.stderr;
    assert!(told.contains("lab/c.yaml:6:5") && told.contains("`socket.timeout.ms`"), "{told}");
    sandbox.file("lab/c.yaml", cluster.replace("soon", "1000"));
    let outcome = sandbox.mallard(["validate", "lab/c.yaml"]);
    outcome.assert_code(2);
    let told = &outcome.stderr;
    assert!(told.contains("lab/c.yaml:5:5") && told.contains("`ssl.ca.location`"), "{told}");
    assert!(!told.contains("mallard-file") && !told.contains("/proc/self"), "{told}");
}
