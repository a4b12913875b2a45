//! How a test asks for a part of the machine that not every machine has.
//!
//! A test begins with `testkit::require!(kafka);`, or with several names. Where the part is
//! missing, the test prints `skipped: NAME needs PART` and returns; with `CI` set it fails instead,
//! so that a broken installation can never pass for a green run. The file named by
//! `MALLARD_TEST_SKIPPED` gets a line for each skipped test, for `./test` to count.
//! `MALLARD_TEST_QUICK` leaves all parts out on purpose, also with `CI` set.
//!
//! Each function here is the name of a part; it says what is missing and how to get it.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::{browser, java, paths, report};

/// What a test needs, or else what is missing and how to get it.
pub type Part = Result<(), String>;

/// Ends the test at once, successfully, where a part that it needs is missing; fails it with `CI`
/// set.
///
/// ```ignore
/// #[test]
/// fn lag_is_what_the_group_tool_says() {
///     testkit::require!(kafka);
///     // …
/// }
/// ```
#[macro_export]
macro_rules! require {
    ($($part:ident),+ $(,)?) => {
        $(
            if !$crate::require::is_given(
                {
                    fn here() {}
                    ::std::any::type_name_of_val(&here)
                },
                stringify!($part),
                $crate::require::$part,
            ) {
                return;
            }
        )+
    };
}

/// Apache Kafka's jars and a Java to run them.
///
/// # Errors
///
/// When one of the two is missing.
pub fn kafka() -> Part {
    java()?;
    let libs = paths::kafka_libs();
    let jars = std::fs::read_dir(&libs).map(|mut files| files.any(|file| is_broker_jar(&file)));
    if jars.unwrap_or(false) {
        return Ok(());
    }
    Err(format!("no jars of Apache Kafka in {}; ./test fetches them by Maven", libs.display()))
}

/// The Flink job of `examples/flink`, built.
///
/// # Errors
///
/// When it is not, or there is no Java to run it.
pub fn flink() -> Part {
    java()?;
    let folder = paths::flink();
    if folder.join("built").is_file() {
        return Ok(());
    }
    Err(format!("no Flink job in {}; ./test builds it by examples/flink/build", folder.display()))
}

/// A Java 17 or newer, with its compiler: the witnesses are single files of source.
///
/// # Errors
///
/// When there is no Java, or only an older one or one without the compiler.
pub fn java() -> Part {
    match java::version() {
        Some(17..) => Ok(()),
        Some(old) => Err(format!("Java {old} is too old: a JDK 17 or newer is needed")),
        None => {
            Err("no JDK: install one of version 17 or newer (Debian: default-jdk-headless)"
                .to_owned())
        }
    }
}

/// A Python with SciPy, whose answers ours are held against.
///
/// # Errors
///
/// When there is none.
pub fn python_oracles() -> Part {
    let python = paths::oracles_python();
    if python.is_file() {
        return Ok(());
    }
    let python = python.display();
    Err(format!("no Python with SciPy at {python}; ./test makes it from PyPI"))
}

/// A headless Chromium.
///
/// # Errors
///
/// When none is installed.
pub fn chromium() -> Part {
    let missing = "no Chromium: install one (Debian: chromium-headless-shell or chromium)";
    browser::program().map(|_| ()).ok_or_else(|| missing.to_owned())
}

/// A Go toolchain, for the peers of the bench that are written in Go.
///
/// # Errors
///
/// When none is installed.
pub fn go() -> Part {
    programs(&["go"], "a Go toolchain (1.26 or newer)")
}

/// Prometheus, which scrapes what runs give out.
///
/// # Errors
///
/// When it is not installed.
pub fn prometheus() -> Part {
    programs(&["prometheus"], "prometheus")
}

/// valgrind, which watches how memory is used.
///
/// # Errors
///
/// When it is not installed.
pub fn valgrind() -> Part {
    programs(&["valgrind"], "valgrind")
}

/// The right to mount a file system: small ones show what a full disk does.
///
/// # Errors
///
/// When this user may not, as is usual for others than root.
pub fn mounting() -> Part {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64k,mode=700", "none"]).arg(folder.path());
    let mounted = mount.output().is_ok_and(|output| output.status.success());
    if !mounted {
        return Err("no permission to mount a small file system: run as root".to_owned());
    }
    let _ = Command::new("umount").arg(folder.path()).output();
    Ok(())
}

/// A memory file system that a broker's log fits into.
///
/// # Errors
///
/// When there is none, or too little of it is free.
pub fn memory_file_system() -> Part {
    const NEEDED: u64 = 2 << 30;
    let free = rustix::fs::statvfs("/dev/shm").map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    if free >= NEEDED {
        return Ok(());
    }
    Err(format!("less than {} GiB are free in /dev/shm", NEEDED >> 30))
}

/// OpenSSH's server and client, for hosts reached by ssh.
///
/// # Errors
///
/// When either is missing.
pub fn sshd() -> Part {
    programs(&["sshd", "ssh", "ssh-keygen"], "openssh-server and openssh-client")
}

/// What builds several hosts on one machine: network namespaces, a packet filter, and the right to
/// use them.
///
/// # Errors
///
/// When one of these is missing.
pub fn netns() -> Part {
    const PROGRAMS: [&str; 6] = ["ip", "iptables", "unshare", "nsenter", "setpriv", "hostname"];
    programs(&PROGRAMS, "iproute2, iptables, util-linux and hostname")?;
    let allowed = Command::new("unshare").args(["--net", "true"]).output();
    if allowed.is_ok_and(|outcome| outcome.status.success()) {
        return Ok(());
    }
    Err("no right to make network namespaces: run the tests as root".to_owned())
}

/// Packet rules of nftables, in network namespaces.
///
/// # Errors
///
/// When nft is missing, or the right to make network namespaces.
pub fn nftables() -> Part {
    programs(&["nft", "perl"], "nftables and perl-base")?;
    netns()
}

/// What delays packets and shifts clocks in a lab of hosts: a C compiler and the kernel's TAPs.
///
/// # Errors
///
/// When either is missing.
pub fn slow_wires() -> Part {
    programs(&["cc"], "a C compiler (Debian: gcc)")?;
    let missing = "no /dev/net/tun: load the kernel's module `tun`";
    Path::new("/dev/net/tun").exists().then_some(()).ok_or_else(|| missing.to_owned())
}

/// What starts a Docker engine of the tests' own; see [`crate::engine`].
///
/// # Errors
///
/// When the engine, its client or busybox is missing, or the right to make network namespaces.
pub fn docker() -> Part {
    programs(&["dockerd", "docker"], "docker.io")?;
    programs(&["busybox"], "busybox-static")?;
    netns()
}

/// What starts a Podman engine of the tests' own; see [`crate::engine`].
///
/// # Errors
///
/// When Podman, what its networks need, Docker's client or busybox is missing, or the right to make network
/// namespaces.
pub fn podman() -> Part {
    // Where Podman itself looks for the programs that make its networks and resolve names in them.
    const HELPERS: [&str; 4] = [
        "/usr/lib/podman",
        "/usr/libexec/podman",
        "/usr/local/lib/podman",
        "/usr/local/libexec/podman",
    ];
    programs(&["podman", "crun"], "podman and crun")?;
    for name in ["netavark", "aardvark-dns"] {
        let is_there = HELPERS.iter().any(|folder| Path::new(folder).join(name).is_file());
        is_there.then_some(()).ok_or_else(|| format!("no {name} for Podman: install it"))?;
    }
    programs(&["docker"], "docker.io, whose client asks Podman, too")?;
    programs(&["busybox"], "busybox-static")?;
    netns()
}

/// Whether a test may go on. For [`require!`](crate::require!), which gives the path of a function
/// inside the test for `here`.
///
/// # Panics
///
/// When the part is missing and `CI` is set.
#[must_use]
pub fn is_given(here: &str, name: &str, part: fn() -> Part) -> bool {
    let quick = is_set("MALLARD_TEST_QUICK");
    let given = if quick { Err("a quick run leaves it out".to_owned()) } else { part() };
    let Err(missing) = given else { return true };
    let test = here.strip_suffix("::here").unwrap_or(here);
    assert!(
        quick || !is_set("CI"),
        "{test} needs {name}, which must not be missing where CI is set: {missing}"
    );
    skip(test, name, &missing);
    false
}

/// Says that a test is skipped where people and `./test` see it.
///
/// # Panics
///
/// When the file of skipped tests cannot be written: a skip that nobody counts is a lie.
fn skip(test: &str, name: &str, missing: &str) {
    // Written past the test harness, which would swallow what a passing test prints.
    let _unseen = writeln!(std::io::stderr(), "skipped: {test} needs {name}: {missing}");
    report::line("MALLARD_TEST_SKIPPED", &format!("{test}\t{name}\t{missing}"));
}

fn programs(names: &[&str], packages: &str) -> Part {
    match names.iter().find(|name| paths::program(name).is_none()) {
        None => Ok(()),
        Some(name) => Err(format!("no program {name}: install {packages}")),
    }
}

fn is_broker_jar(file: &std::io::Result<std::fs::DirEntry>) -> bool {
    file.as_ref().is_ok_and(|file| file.file_name().to_string_lossy().starts_with("kafka_2.13-"))
}

/// Set to something: an empty variable is as good as none, and `CI=false` is what some people
/// write.
fn is_set(variable: &str) -> bool {
    env::var(variable).is_ok_and(|value| !value.is_empty() && value != "false")
}
