//! The agent's program on its way to hosts: found by content, copied at most once to each.
//!
//! On a host it lies at `CACHE/SHA256/mallard-agent`. It is written to a name of its own, checked, and
//! moved into place, so that any number of runs may deploy at once; a host that has the content gets
//! nothing. What a host is asked to do stands in `scripts/`, and needs no more than a POSIX shell, `/proc`
//! and a program that knows SHA-256.

pub mod agent_binary;
pub mod ask;
pub mod elf;
mod program;

pub(in crate::hosts) use program::LIMIT_BYTES as PROGRAM_LIMIT_BYTES;
pub use program::{AgentOption, Programs};

use crate::hosts::{Phase, Problem};
use elf::Glibc;
use program::Program;
use std::collections::BTreeMap;

/// Looks at a host: `$1` the cache folder or nothing, then the contents that mallard has.
pub const PROBE: &str = include_str!("scripts/probe.sh");
/// Takes the program from stdin: `$1` its folder, `$2` its SHA-256, `$3` a name of its own, `$4` how it
/// is packed.
pub const PUT: &str = include_str!("scripts/put.sh");
/// Removes old programs: `$1` the cache folder, `$2` the content in use.
pub const PRUNE: &str = include_str!("scripts/prune.sh");

/// Exit codes of `put.sh`.
const NO_FOLDER: i32 = 71;
const NOT_WRITTEN: i32 = 72;
const OTHER_CONTENT: i32 = 73;
const NO_CHECKSUM: i32 = 74;

/// What `probe.sh` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// As `uname -m` says it.
    pub architecture: String,
    /// As `uname -s` says it.
    pub system: String,
    /// The folder for programs and runs.
    pub cache: String,
    /// Why others could put another program there, if they could.
    pub open: Option<String>,
    /// Whether it can unpack gzip.
    pub gunzips: bool,
    /// The version of the GNU C library, if it has one and says so.
    pub glibc: Option<Glibc>,
    /// Contents that are there, checked.
    pub has: Vec<String>,
}

impl Probe {
    /// Reads what the script printed; `None` if it did not get to its end.
    #[must_use]
    pub fn parse(said: &str) -> Option<Self> {
        let mut values: BTreeMap<&str, &str> = BTreeMap::new();
        let mut has = Vec::new();
        // A login shell may print a greeting first.
        for line in said.lines().filter_map(|line| line.strip_prefix("mallard-probe ")) {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("has", content) => has.push(content.to_owned()),
                (key, value) => drop(values.insert(key, value)),
            }
        }
        values.get("end")?;
        let of = |key: &str| values.get(key).copied().unwrap_or_default().to_owned();
        Some(Self {
            architecture: of("architecture"),
            system: of("system"),
            cache: of("cache"),
            open: values.get("open").map(|why| (*why).to_owned()),
            gunzips: values.contains_key("gzip"),
            // `glibc 2.36`, or the first line of `ldd --version`, whose last word is the version.
            glibc: of("libc").split_whitespace().last().and_then(Glibc::parse),
            has,
        })
    }

    /// The program that suits the host.
    ///
    /// # Errors
    /// There is none.
    pub fn choose(&self, host: &str, programs: &Programs) -> Result<Program, Problem> {
        let architecture = &self.architecture;
        if let Some(why) = &self.open {
            let cause = format!("others could put another program into {}: {why}", self.cache);
            let remedy = "`chmod go-w` that folder, or name another one with `cache` of the host";
            return Err(Problem::new(host, Phase::Inspect, cause, remedy));
        }
        if self.system != "Linux" {
            let cause = format!("it runs {}, and agents need Linux", self.system);
            return Err(Problem::new(host, Phase::Inspect, cause, "take another host"));
        }
        let Some(program) = programs.of(architecture) else {
            let cause = format!(
                "it is {architecture}, and the agent's program at hand is for {}",
                programs.architectures().join(", ")
            );
            let remedy = format!(
                "build the agent for it (docs/hosts.md says how) and name it with --agent {architecture}=PATH"
            );
            return Err(Problem::new(host, Phase::Inspect, cause, remedy));
        };
        if let (Some(needed), Some(there)) = (program.needs.glibc, self.glibc)
            && needed > there
        {
            let cause = format!(
                "its C library is {there}, and the agent's program {} needs {needed}",
                program.path.display()
            );
            let remedy = "build the agent with scripts/portable-agent, which needs 2.28, and name it with --agent PATH";
            return Err(Problem::new(host, Phase::Inspect, cause, remedy));
        }
        Ok(program)
    }
}

/// What it means that `put.sh` ended with a code other than 0.
#[must_use]
pub fn put_problem(host: &str, folder: &str, code: Option<i32>, words: &str) -> Problem {
    let words = words.trim();
    let said = if words.is_empty() { String::new() } else { format!(": {words}") };
    let full = ["No space left", "Disk quota exceeded"].iter().any(|full| words.contains(full));
    let elsewhere = "let its user write there, or name another folder with `cache` of the host";
    let (cause, remedy) = match code {
        _ if full => (
            format!("the disk below {folder} is full{said}"),
            "make room (the agent's program has about 10 MB), or name another folder with `cache` of the host",
        ),
        Some(NO_FOLDER) => (format!("{folder} cannot be made{said}"), elsewhere),
        Some(NOT_WRITTEN) => (format!("{folder} cannot be written to{said}"), elsewhere),
        Some(OTHER_CONTENT) => (
            format!("what arrived is not what was sent{said}"),
            "run again; if it stays so, look at the host's disk and memory",
        ),
        Some(NO_CHECKSUM) => (
            "it has neither sha256sum nor shasum nor openssl".to_owned(),
            "install coreutils on it",
        ),
        _ => (
            format!("the agent's program could not be copied{said}"),
            "run again; if it stays so, look into the log of its sshd",
        ),
    };
    Problem::new(host, Phase::Deploy, cause, remedy)
}

/// What it means that a program that was put on a host does not start there.
#[must_use]
pub fn start_problem(host: &str, program: &str, code: Option<i32>, words: &str) -> Problem {
    let words = words.trim();
    let (cause, remedy) = if words.contains("GLIBC_") {
        (
            format!("its C library is too old for the agent: {words}"),
            "build the agent with scripts/portable-agent and name it with --agent PATH",
        )
    } else if code == Some(126) || words.contains("Permission denied") {
        (
            format!("{program} is there and may not be executed: {words}"),
            "the folder is probably mounted noexec: name another one with `cache` of the host",
        )
    } else {
        let words = if words.is_empty() { "it said nothing" } else { words };
        (
            format!("{program} does not start: {words}"),
            "log in and start it by hand with `version`; build it with scripts/portable-agent if libraries are missing",
        )
    };
    Problem::new(host, Phase::Start, cause, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_read_past_greetings() {
        let said = "Welcome!\nmallard-probe system Linux\nmallard-probe architecture x86_64\n\
                    mallard-probe cache /home/b c/.cache/mallard\nmallard-probe libc ldd (Debian GLIBC 2.36-9) 2.36\n\
                    mallard-probe gzip\nmallard-probe has abc\nmallard-probe end\n";
        let probe = Probe::parse(said).expect("whole");
        assert_eq!(probe.cache, "/home/b c/.cache/mallard");
        assert_eq!((probe.glibc, probe.gunzips), (Some(Glibc(2, 36)), true));
        assert_eq!(probe.has, ["abc"]);
        assert_eq!(Probe::parse("mallard-probe system Linux\n"), None);
    }

    #[test]
    fn a_cache_that_others_could_change_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let top = tempfile::tempdir().unwrap();
        let (open, cache) = (top.path().join("open"), top.path().join("open/own/cache"));
        std::fs::create_dir_all(open.join("own")).unwrap();
        let looked = || {
            let mut shell = std::process::Command::new("sh");
            let said = shell.args(["-c", PROBE, "sh"]).arg(&cache).output().unwrap();
            Probe::parse(&String::from_utf8(said.stdout).unwrap()).unwrap()
        };
        assert_eq!(looked().open, None);
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        let why = looked().open.unwrap();
        let folder = std::fs::canonicalize(&open).unwrap();
        assert_eq!(why, format!("others can write to {} (drwxrwxrwx)", folder.display()));
    }

    #[test]
    fn causes_of_a_failed_copy_are_told_apart() {
        let of = |code, words| put_problem("h", "/x", Some(code), words).cause;
        assert!(of(NOT_WRITTEN, "sh: write error: No space left on device").contains("is full"));
        assert!(of(NO_FOLDER, "mkdir: Permission denied").contains("cannot be made"));
        assert!(of(OTHER_CONTENT, "").contains("not what was sent"));
        let noexec = start_problem("h", "/x/mallard-agent", Some(126), "sh: Permission denied");
        assert!(noexec.remedy.contains("noexec"));
    }
}
