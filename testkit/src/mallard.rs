//! A tiny language that drives the real programs in a folder of their own.
//!
//! ```ignore
//! let sandbox = Sandbox::new();
//! sandbox.file("scenario.yaml", "name: first\n…");
//! let outcome = sandbox.mallard(["run", "scenario.yaml"]);
//! outcome.assert_code(0);
//! let result = sandbox.latest_run().json("run.json");
//! ```

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{self, Finished, Process, Running};
use crate::{forgiven, paths, wait};

/// How long a command may take unless the test says otherwise: longer than any scenario of the
/// tests, shorter than the patience of CI.
pub const WITHIN: Duration = Duration::from_secs(180);

/// A folder of its own for one test, with a home and a place for temporary files inside: what the
/// programs leave behind is seen there, and disturbs nobody.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
    environment: Vec<(String, String)>,
    before: Vec<OsString>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// Makes an empty one. It is removed when it is dropped, unless `MALLARD_TEST_KEEP` is set.
    ///
    /// # Panics
    ///
    /// When no folder can be made.
    #[must_use]
    pub fn new() -> Self {
        let keep = std::env::var_os("MALLARD_TEST_KEEP").is_some();
        let folder =
            tempfile::Builder::new().prefix("mallard-test-").disable_cleanup(keep).tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("failed to make a sandbox: {error}"));
        let sandbox = Self { folder, environment: Vec::new(), before: Vec::new() };
        for inside in [sandbox.home(), sandbox.temporary()] {
            fs::create_dir(&inside)
                .unwrap_or_else(|error| panic!("failed to make {}: {error}", inside.display()));
        }
        sandbox
    }

    /// A path inside.
    #[must_use]
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// What the programs take for the user's home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// What the programs take for the place of temporary files.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.path("tmp")
    }

    /// Sets a variable in the environment of the programs that are started from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Puts words before the programs that are started from now on, such as those that enter a network
    /// namespace and then become the program.
    pub fn run_behind(&mut self, words: Vec<OsString>) -> &mut Self {
        self.before = words;
        self
    }

    /// Writes a file, and the folders above it.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    #[track_caller]
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let file = self.path(name);
        let folder = file.parent().unwrap_or(self.folder.path());
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, content))
            .unwrap_or_else(|error| panic!("failed to write {}: {error}", file.display()));
        self
    }

    /// Copies a file or folder of the repository to the same place inside, such as `scenarios`.
    ///
    /// # Panics
    ///
    /// When it cannot be copied.
    #[track_caller]
    pub fn shipped(&self, name: &str) -> &Self {
        let from = paths::workspace().join(name);
        copy(&from, &self.path(name))
            .unwrap_or_else(|error| panic!("failed to copy {}: {error}", from.display()));
        self
    }

    /// Runs `mallard` with these arguments to its end, within [`WITHIN`].
    ///
    /// # Panics
    ///
    /// When it is not built, or does not end in time.
    #[track_caller]
    #[must_use]
    pub fn mallard<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Finished {
        self.spawn(args).wait(WITHIN)
    }

    /// Starts `mallard` with these arguments, for tests that interrupt it or look on.
    ///
    /// # Panics
    ///
    /// When it is not built.
    #[track_caller]
    #[must_use]
    pub fn spawn<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Running {
        process::start(self.command("mallard").args(args))
    }

    /// A command for one of the built programs that runs inside: the folder, the home, the
    /// temporary files, no colours, and nothing that would tell it that it is tested.
    ///
    /// # Panics
    ///
    /// When it is not built.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut words = self.before.clone();
        words.push(paths::built(program).into_os_string());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(self.folder.path())
            .env("HOME", self.home())
            .env("TMPDIR", self.temporary())
            .env("NO_COLOR", "1")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("CI")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The folder of the newest run, which `results/latest` points at.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    #[must_use]
    pub fn latest_run(&self) -> Run {
        let latest = self.path("results/latest");
        let folder = latest.canonicalize();
        Run::at(folder.unwrap_or_else(|error| panic!("no run at {}: {error}", latest.display())))
    }

    /// The folders of all runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let mut folders = folders_in(&self.path("results"));
        folders.retain(|folder| !folder.is_symlink());
        folders.into_iter().map(Run::at).collect()
    }

    /// Waits until there is a run that is under way, for tests that break things in it. Its folder
    /// may still lack everything.
    ///
    /// # Panics
    ///
    /// When none begins in time.
    #[track_caller]
    #[must_use]
    pub fn wait_for_run(&self, within: Duration) -> Run {
        wait::until("a run to begin", within, || self.runs().pop())
    }

    /// The files below a folder inside, by their path from there, sorted; for looking what was
    /// left.
    #[must_use]
    pub fn files_below(&self, inside: impl AsRef<Path>) -> Vec<PathBuf> {
        let root = self.path(inside);
        let mut files = Vec::new();
        walk(&root, &mut files);
        files.iter().filter_map(|file| Some(file.strip_prefix(&root).ok()?.to_path_buf())).collect()
    }
}

/// Codes of a result's reasons and warnings.
#[must_use]
pub fn codes(result: &Value) -> Vec<&str> {
    let all = ["reasons", "warnings"].into_iter().filter_map(|list| result[list].as_array());
    all.flatten().filter_map(|reason| reason["code"].as_str()).collect()
}

/// Reasons that a busy machine gives: tests share two cores with brokers and each other, and Mallard
/// rightly refuses to vouch for figures taken so. What tests look at does not depend on them.
const OF_A_BUSY_MACHINE: [&str; 5] = [
    "generator_slip",
    "agent_cpu_saturated",
    "host_cpu_saturated",
    "intervals_late",
    "started_apart",
];

/// The exit code of a run whose measurement is not to be trusted.
const INVALID: i32 = 4;

/// The archive of one run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
}

impl Run {
    /// The archive in this folder.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The run id, which is the folder's name.
    #[must_use]
    pub fn id(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A path inside the archive.
    #[must_use]
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.folder.join(inside)
    }

    /// A text file of the archive.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    #[track_caller]
    #[must_use]
    pub fn text(&self, inside: &str) -> String {
        let file = self.path(inside);
        fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("failed to read {}: {error}", file.display()))
    }

    /// A JSON file of the archive.
    ///
    /// # Panics
    ///
    /// When it cannot be read or is no JSON.
    #[track_caller]
    #[must_use]
    pub fn json(&self, inside: &str) -> Value {
        let text = self.text(inside);
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{inside} is no JSON: {error}\n{text}"))
    }

    /// The folders of its cases, in the order of their names.
    #[must_use]
    pub fn cases(&self) -> Vec<PathBuf> {
        folders_in(&self.path("cases"))
    }

    /// The result of its only case.
    ///
    /// # Panics
    ///
    /// When it has none or several.
    #[track_caller]
    #[must_use]
    pub fn only_result(&self) -> Value {
        let cases = self.cases();
        let [case] = cases.as_slice() else { panic!("not one case but {cases:?}") };
        Run::at(case.clone()).json("result.json")
    }

    /// The series of each of its cases begins with the load, and every interval follows the one before.
    ///
    /// # Panics
    ///
    /// When there is a hole, or no interval at all: the message shows the series.
    #[track_caller]
    pub fn assert_no_hole(&self) {
        for case in self.cases() {
            let series = Run::at(case).text("series.csv");
            let mut until_us = 0;
            for row in series.lines().skip(1) {
                let mut times = row.split(',').map(|cell| cell.parse::<u64>().expect("a time"));
                let (start_us, end_us) = (times.next(), times.next());
                assert_eq!(start_us, Some(until_us), "there is a hole: {series}");
                until_us = end_us.expect("an end");
            }
            assert!(until_us > 0, "there are intervals: {series}");
        }
    }

    /// The run went well: it passed, or is invalid for nothing but the noise of this machine, which is counted:
    /// see [`crate::forgiven`].
    ///
    /// # Panics
    ///
    /// When it did not: the message shows the run's output.
    #[track_caller]
    pub fn assert_went_well(&self, outcome: &Finished) {
        let busy = self.assert_ended(outcome, 0);
        for code in self.reasons() {
            assert!(busy.contains(&code), "{code}: {}", outcome.stdout);
        }
    }

    /// The run ended with this exit code, or is invalid, for the noise of this machine if for nothing else, which is
    /// counted as that of [`assert_went_well`](Self::assert_went_well) is. Returns the reasons of the noise.
    ///
    /// # Panics
    ///
    /// When it ended otherwise: the message shows the run's output.
    #[track_caller]
    pub fn assert_ended(&self, outcome: &Finished, code: i32) -> Vec<String> {
        if outcome.code() == Some(code) {
            forgiven::record(&[]);
            return Vec::new();
        }
        outcome.assert_code(INVALID);
        let mut busy = self.reasons();
        busy.retain(|code| OF_A_BUSY_MACHINE.contains(&code.as_str()));
        assert!(!busy.is_empty(), "invalid, and not for a busy machine: {outcome}");
        forgiven::record(&busy);
        busy
    }

    /// Codes of the reasons of all its cases.
    fn reasons(&self) -> Vec<String> {
        let results = self.cases().into_iter().map(|case| Run::at(case).json("result.json"));
        let codes = |result: Value| {
            let reasons = result["reasons"].as_array().cloned().unwrap_or_default();
            reasons.into_iter().filter_map(|reason| Some(reason["code"].as_str()?.to_owned()))
        };
        results.flat_map(codes).collect()
    }

    /// Processes of this machine that carry this run's id in their command line: its agents and
    /// whatever else it has started. Only these may be signalled.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        let mut processes = process::with_command_line(&self.id());
        // Podman's own: it keeps the outcome of a command in a container for five minutes, by a process that
        // has the container's name in its command line.
        processes.retain(|process| !process.command_line.contains("conmon "));
        processes
    }

    /// Waits until no process carries this run's id any more.
    ///
    /// # Panics
    ///
    /// When some still do after `within`: the message lists them.
    #[track_caller]
    pub fn wait_for_no_orphans(&self, within: Duration) {
        let gone = wait::poll(within, || self.processes().is_empty().then_some(()));
        assert!(gone.is_some(), "orphans after {within:?}: {:#?}", self.processes());
    }
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        entries(folder).into_iter().filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries = entries(folder);
    entries.sort();
    for entry in entries {
        if entry.is_dir() && !entry.is_symlink() {
            walk(&entry, files);
        } else {
            files.push(entry);
        }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_file() {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        return fs::copy(from, to).map(|_| ());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
