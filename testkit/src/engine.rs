//! Container engines that belong to the tests, Docker's and Podman's, with images made on this machine.
//!
//! An engine runs in namespaces of its own: its bridges and packet rules are in a network namespace, its
//! mounts in a mount namespace, its processes in a process namespace. So it meets no other engine, and
//! the end of its first process is the end of everything in it. What talks to containers through
//! published ports runs in the engine's network namespace, too; see [`Engine::enter`].
//!
//! Both are asked with Docker's client: it speaks the language that Mallard speaks to both.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::guard::Guarded;
use crate::process::{self, Finished};
use crate::{paths, wait};

/// An image with busybox alone: it has no C library.
pub const BARE: &str = "mallard-test/bare:1";

/// An image with this machine's C library: agents can run in it.
pub const LIBC: &str = "mallard-test/libc:1";

/// An image with a broker that is set up as Apache's own image is.
pub const KAFKA: &str = "mallard-test/kafka:1";

/// How long the engine may take to answer. It takes a third of a second on an idle machine.
const START_WITHIN: Duration = Duration::from_secs(60);

/// How long a command of its client may take; a large image takes two seconds.
const CLIENT_WITHIN: Duration = Duration::from_secs(120);

/// What an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `dockerd`.
    Docker,
    /// `podman system service`.
    Podman,
}

impl Kind {
    /// The name of its script in `testkit/engine` and of its socket.
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// A running engine. Dropping it ends it, with all that runs in it.
#[derive(Debug)]
pub struct Engine {
    process: Guarded,
    socket: PathBuf,
    log: PathBuf,
    _folder: TempDir,
}

/// The Docker engine that all tests of this process share, started by the first that asks, with all
/// images.
///
/// # Panics
///
/// When it cannot be started, or an image cannot be made.
#[must_use]
pub fn docker() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::start(Kind::Docker))
}

/// The same of Podman.
///
/// # Panics
///
/// When it cannot be started, or an image cannot be made.
#[must_use]
pub fn podman() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::start(Kind::Podman))
}

impl Engine {
    /// Starts an engine, waits until it answers, and gives it [`BARE`], [`LIBC`] and [`KAFKA`].
    ///
    /// # Panics
    ///
    /// When it does not answer in time: the message shows its log.
    #[must_use]
    pub fn start(kind: Kind) -> Self {
        let prefix = format!("mallard-test-{}-", kind.name());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("failed to make a folder: {error}"));
        let (inside, log) = (folder.path().join("engine"), folder.path().join("log"));
        let group = new_name();
        let namespaces =
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let mut command: Vec<OsString> = namespaces.map(OsString::from).into();
        command.push(paths::workspace().join("testkit/engine").join(kind.name()).into());
        command.extend([inside.clone().into(), group.clone().into()]);
        // The kernel keeps empty control groups for ever.
        let afterwards = format!(
            "rm -rf '{}'; find /sys/fs/cgroup -depth -type d -path '*/{group}*' -exec rmdir {{}} +",
            folder.path().display()
        );
        let engine = Self {
            process: Guarded::start_and_then(&command, &log, Some(&inside), &afterwards),
            socket: inside.join(format!("{}.sock", kind.name())),
            log,
            _folder: folder,
        };
        engine.wait_until_ready();
        engine.import_images();
        engine
    }

    fn wait_until_ready(&self) {
        let ready = wait::poll(START_WITHIN, || {
            let answer = process::run(self.client().arg("version"), CLIENT_WITHIN);
            match (answer.code() == Some(0), self.process.is_alive()) {
                (true, _) => Some(true),
                (false, false) => Some(false),
                (false, true) => None,
            }
        });
        let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(ready == Some(true), "the engine does not answer; its log:\n{}", log());
    }

    fn import_images(&self) {
        let archives = archives();
        let images: [(&str, &str, &[&str]); 3] = [
            (BARE, "bare.tar", &["ENV PATH=/usr/bin:/bin"]),
            (LIBC, "libc.tar", &["ENV PATH=/usr/bin:/bin"]),
            (
                KAFKA,
                "kafka.tar",
                &["ENV PATH=/opt/java/bin:/usr/bin:/bin", "CMD [\"/etc/kafka/docker/run\"]"],
            ),
        ];
        for (name, archive, changes) in images {
            let mut args = vec![OsString::from("import")];
            for change in changes {
                args.extend(["--change".into(), OsString::from(change)]);
            }
            args.extend([archives.join(archive).into(), name.into()]);
            self.docker(&args);
        }
    }

    /// Where it listens, as a value for `DOCKER_HOST`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Runs a command of its client and returns what it printed.
    ///
    /// # Panics
    ///
    /// When it fails or takes too long.
    #[track_caller]
    pub fn docker<A: AsRef<OsStr>>(&self, args: &[A]) -> String {
        self.try_docker(args).expect_code(0).stdout.trim().to_owned()
    }

    /// Runs a command of its client; how it ends is for the caller to judge.
    ///
    /// # Panics
    ///
    /// When it takes too long.
    #[track_caller]
    #[must_use]
    pub fn try_docker<A: AsRef<OsStr>>(&self, args: &[A]) -> Finished {
        process::run(self.client().args(args), CLIENT_WITHIN)
    }

    /// What has a label with this text in its value: containers, running or not, networks and
    /// volumes, a line each.
    ///
    /// # Panics
    ///
    /// When the engine does not answer.
    #[track_caller]
    #[must_use]
    pub fn labelled(&self, text: &str) -> Vec<String> {
        let containers =
            self.docker(&["ps", "--all", "--format", "container {{.Names}} {{.Labels}}"]);
        let networks = self.docker(&["network", "ls", "--format", "network {{.Name}} {{.Labels}}"]);
        let volumes = self.docker(&["volume", "ls", "--format", "volume {{.Name}} {{.Labels}}"]);
        let all = [containers, networks, volumes].join("\n");
        all.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    /// The words before a command that make it run where the engine's published ports are.
    #[must_use]
    pub fn enter(&self) -> Vec<OsString> {
        let namespace = format!("--net=/proc/{}/ns/net", self.process.pid());
        vec!["nsenter".into(), namespace.into(), "--".into()]
    }

    /// The processor time that the engine itself has taken so far, without its containers'.
    ///
    /// # Panics
    ///
    /// When the kernel does not tell.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        let service = process::with_command_line(&self.address());
        let service = service.first().unwrap_or_else(|| panic!("no process at {}", self.address()));
        let times = process::times(service.pid);
        times.unwrap_or_else(|| panic!("no times of process {}", service.pid)).own
    }

    /// The process whose network namespace the engine has: links to other namespaces go there.
    #[must_use]
    pub fn network_pid(&self) -> u32 {
        self.process.pid()
    }

    fn client(&self) -> Command {
        let mut client = Command::new("docker");
        client.env("DOCKER_HOST", self.address()).env_remove("DOCKER_CONTEXT");
        client
    }
}

/// The folder of the images' archives. They are made once; others who ask meanwhile wait.
fn archives() -> PathBuf {
    let libs = paths::kafka_libs();
    let folder = libs.with_file_name("images");
    let lock = folder.with_extension("lock");
    let script = paths::workspace().join("testkit/engine/images");
    // A folder of jars that nobody may write beside still serves.
    let (folder, lock) = if std::fs::File::create(&lock).is_ok() {
        (folder, lock)
    } else {
        let own = std::env::temp_dir().join("mallard-test-images");
        (own.clone(), own.with_extension("lock"))
    };
    let mut make = Command::new("flock");
    make.arg(lock).arg(script).args([&folder, &libs]);
    process::run(&mut make, CLIENT_WITHIN).assert_code(0);
    folder
}

/// A name that no other engine has, of this or of another test process.
fn new_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("mallard-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
