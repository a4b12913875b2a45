//! Logins from hosts over ssh and from containers: certificates and what gets tokens come there with the run's
//! connection, nobody else on the host can read them, and nothing of them is there afterwards.

use crate::world::{self, PATIENCE, RUN};
use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::{
    engine::{self, LIBC},
    kafka::secure::{KEY_PASSWORD, Listener, SecureBroker},
    lab::Lab,
    mallard::{Run, Sandbox},
    process::{self, Process},
    tokens::{CLIENT_ID, CLIENT_SECRET, SCOPE, TokenServer},
};

/// Files beside the broker that the cluster files name.
const FILES: [&str; 3] = ["ca.pem", "client.pem", "client-encrypted.key"];

/// A user of this machine and of the lab's hosts who has nothing to do with it.
const NOBODY: u32 = 65534;

/// Places on a host where something could be left, the agents' own among them.
const PLACES: [&str; 6] = ["home", "root", "var/tmp", "dev/shm", "mallard", "run/mallard"];

/// A client certificate whose key is encrypted.
const CERTIFICATE: [&str; 5] = [
    "security.protocol: SSL",
    "ssl.ca.location: certs/ca.pem",
    "ssl.certificate.location: certs/client.pem",
    "ssl.key.location: certs/client-encrypted.key",
    "ssl.key.password: \"${KEY_PASSWORD}\"",
];

/// Tokens of an endpoint, behind TLS.
fn tokens(endpoint: &TokenServer) -> Vec<String> {
    vec![
        "security.protocol: SASL_SSL".to_owned(),
        "ssl.ca.location: certs/ca.pem".to_owned(),
        "sasl.mechanism: OAUTHBEARER".to_owned(),
        "sasl.oauthbearer.method: oidc".to_owned(),
        format!("sasl.oauthbearer.token.endpoint.url: \"{}\"", endpoint.url()),
        format!("sasl.oauthbearer.client.id: {CLIENT_ID}"),
        "sasl.oauthbearer.client.secret: \"${CLIENT_SECRET}\"".to_owned(),
        format!("sasl.oauthbearer.scope: {SCOPE}"),
        "https.ca.location: certs/ca.pem".to_owned(),
    ]
}

fn sandbox(
    (lab, broker): (&Lab, &SecureBroker),
    (listener, client): (Listener, &[String]),
    hosts: &str,
) -> Sandbox {
    let mut sandbox = world::sandbox(lab, world::NO_KAFKA, hosts);
    for name in FILES {
        sandbox.file(&format!("certs/{name}"), fs::read(broker.file(name)).unwrap());
    }
    let cluster = fs::read_to_string(sandbox.path("c.yaml")).unwrap();
    let (_, rest) = cluster.split_once('\n').unwrap();
    let (bootstrap, client) = (broker.address(listener), client.join("\n    "));
    let kafka = format!("kafka:\n  bootstrap: \"{bootstrap}\"\n  client:\n    {client}\n");
    sandbox.file("c.yaml", kafka + rest).file("s.yaml", world::steady("6s", ""));
    sandbox.set("KEY_PASSWORD", KEY_PASSWORD).set("CLIENT_SECRET", CLIENT_SECRET);
    sandbox
}

/// What must be nowhere: a line of the key, passwords, and how a token begins.
fn secrets(broker: &SecureBroker) -> [String; 4] {
    let key = fs::read_to_string(broker.file("client-encrypted.key")).unwrap();
    let line = key.lines().nth(3).expect("a key has many lines");
    [line, KEY_PASSWORD, CLIENT_SECRET, "eyJhbGciOi"].map(str::to_owned)
}

/// The agents of a run that are under way, on whichever host: all are processes of this machine's kernel.
fn agents(run: &Run) -> Vec<Process> {
    let mut found = process::with_command_line(&run.id());
    found.retain(|process| {
        let program = fs::read_link(format!("/proc/{}/exe", process.pid)).unwrap_or_default();
        program.ends_with("mallard-agent") && process.command_line.contains(" daemon")
    });
    found
}

/// Whether a user without rights to a process is refused a look into it: its memory holds what it logs in with.
fn is_closed_to_others(agent: &Process) -> bool {
    ["mem", "environ", "fd/0"].iter().all(|name| {
        let mut read = Command::new("head");
        read.args(["-c", "1"]).arg(format!("/proc/{}/{name}", agent.pid));
        let outcome = process::run(read.uid(NOBODY).gid(NOBODY), PATIENCE);
        outcome.code() != Some(0) && outcome.stderr.contains("Permission denied")
    })
}

/// Whether an agent still has the files open that it makes in memory while its clients read them.
fn has_files_in_memory(agent: &Process) -> bool {
    let fds = fs::read_dir(format!("/proc/{}/fd", agent.pid)).into_iter().flatten().flatten();
    let mut files = fds.filter_map(|fd| fs::read_link(fd.path()).ok());
    files.any(|to| to.to_string_lossy().starts_with("/memfd:mallard"))
}

/// Nothing on the hosts of these agents that others could look at says a secret: no file, no argument, no variable.
#[track_caller]
fn assert_secret_on_hosts(agents: &[Process], secrets: &[String]) {
    for Process { pid, .. } in agents {
        for name in ["cmdline", "environ"] {
            assert_holds_none(Path::new(&format!("/proc/{pid}/{name}")), secrets);
        }
        let root = PathBuf::from(format!("/proc/{pid}/root"));
        for file in PLACES.iter().flat_map(|place| files_below(&root.join(place))) {
            assert_holds_none(&file, secrets);
        }
    }
}

#[track_caller]
fn assert_holds_none(file: &Path, secrets: &[String]) {
    let content = match fs::read(file) {
        // The agent's program.
        Ok(content) if content.starts_with(b"\x7fELF") => return,
        Ok(content) => content,
        // A file that came to its end meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => panic!("{}: {error}", file.display()),
    };
    for secret in secrets {
        let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{} holds {secret}", file.display());
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect()
}

/// Runs a load by two agents, looks at them in the middle of it, and has it be what it should be.
#[track_caller]
fn assert_loads_in_private(broker: &SecureBroker, sandbox: &Sandbox) -> Run {
    let mut running = sandbox.spawn([&RUN[..], &["--keep"]].concat());
    running.wait_for_output("load starts", PATIENCE * 2);
    let run = sandbox.latest_run();
    let (agents, secrets) = (agents(&run), secrets(broker));
    assert_eq!(agents.len(), 2, "{agents:#?}");
    for agent in &agents {
        assert!(is_closed_to_others(agent), "{agent:?}");
        assert!(!has_files_in_memory(agent), "{agent:?}");
    }
    assert_secret_on_hosts(&agents, &secrets);

    let outcome = running.wait(PATIENCE);
    run.assert_went_well(&outcome);
    let result = run.only_result();
    world::assert_complete(&result, 7 * 200);
    let topic = format!("orders-{}-[0-9]+", run.id());
    assert_eq!(broker.end_offset(&topic), 7 * 200, "{topic}");
    run.wait_for_no_orphans(PATIENCE);
    for file in sandbox.files_below("results") {
        assert_holds_none(&sandbox.path(file), &secrets);
    }
    run
}

/// After a run, the same of a host's own files.
#[track_caller]
fn assert_nothing_stays(lab: &Lab, sandbox: &Sandbox, secrets: &[String]) {
    world::assert_nothing_left(lab, sandbox);
    let patterns = lab.folder().join("secrets");
    fs::write(&patterns, secrets.join("\n")).unwrap();
    for host in lab.hosts() {
        let search = format!(
            "grep -rlsF --exclude=mallard-agent -f {} /home /root /var/tmp /dev/shm",
            patterns.display()
        );
        let found = host.run_as_root(&search);
        assert_eq!((found.code(), found.stdout.as_str()), (Some(1), ""), "{found}");
    }
}

#[test]
fn hosts_over_ssh_log_in_by_certificate_and_keep_none() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(2);
    let broker = SecureBroker::start_at(lab.gateway());
    let client = CERTIFICATE.map(str::to_owned);
    let login = (Listener::MutualTls, &client[..]);
    let sandbox = sandbox((&lab, &broker), login, "  - ssh: {name: 'load-[1-2]'}");
    assert_loads_in_private(&broker, &sandbox);
    assert_nothing_stays(&lab, &sandbox, &secrets(&broker));
}

#[test]
fn hosts_over_ssh_log_in_by_tokens_behind_tls_and_keep_none() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(2);
    let broker = SecureBroker::start_at(lab.gateway());
    let endpoint = TokenServer::start(&broker, PATIENCE);
    let login = (Listener::Oidc, &tokens(&endpoint)[..]);
    let sandbox = sandbox((&lab, &broker), login, "  - ssh: {name: 'load-[1-2]'}");
    assert_loads_in_private(&broker, &sandbox);
    // One or two for each host, before the load and in it, and not one for each of their clients.
    let given = endpoint.given();
    println!("tokens given: {given}");
    assert!((2..=6).contains(&given), "{given} tokens");
    assert_nothing_stays(&lab, &sandbox, &secrets(&broker));
}

#[test]
fn containers_log_in_by_certificate_and_by_tokens_and_keep_none() {
    testkit::require!(netns, sshd, docker, kafka);
    let lab = Lab::start(1);
    let engine = engine::docker();
    let _address = lab.admit(engine.network_pid());
    let broker = SecureBroker::start_at(lab.gateway());
    let endpoint = TokenServer::start(&broker, PATIENCE);
    let hosts = format!(
        "  - container: {{image: '{LIBC}'}}\n  - container: {{image: '{LIBC}', network: host}}\n\
         deadlines: {{connect: 60s, topics: 60s, ready: 60s, agent_silence: 20s, collect: 30s, teardown: 30s}}"
    );
    let certificate = CERTIFICATE.map(str::to_owned);
    let logins =
        [(Listener::MutualTls, &certificate[..]), (Listener::Oidc, &tokens(&endpoint)[..])];
    for (listener, client) in logins {
        let mut sandbox = sandbox((&lab, &broker), (listener, client), &hosts);
        sandbox.set("DOCKER_HOST", engine.address()).run_behind(engine.enter());
        let run = assert_loads_in_private(&broker, &sandbox);
        assert_eq!(engine.labelled(&run.id()), Vec::<String>::new());
    }
}
