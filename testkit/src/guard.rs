//! A program that cannot outlive the test process, however that ends.
//!
//! A destructor is no such promise: it does not run on SIGKILL, on abort, or for a static. So each
//! long-lived program is started by a small shell, the guard, that holds the reading end of a pipe
//! from the test process. The kernel closes the pipe when the test process is gone for whatever
//! reason; the guard then kills its program and removes its folder.
//!
//! Invariant: the guard waits for its program only after it has killed it. Until then the id of an
//! ended program stays taken, so a signal can never hit a stranger that got the same id.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::process::{self, Signal};

/// The guard: `$1` is the log, `$2` the folder to remove at the end (or nothing), `$3` what a shell
/// does after that (or nothing), the rest the program.
///
/// It says the id of the program on standard output, and then reads: the word `keep` spares the
/// folder.
const GUARD: &str = r#"
log=$1 folder=$2 afterwards=$3; shift 3
"$@" </dev/null >>"$log" 2>&1 &
echo "$!"
exec >/dev/null 2>&1
read -r word
kill -KILL "$!"
wait "$!"
[ "$word" = keep ] || [ -z "$folder" ] || rm -rf "$folder"
eval "$afterwards"
"#;

/// A program under guard. Dropping it kills the program and removes its folder.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    pid: u32,
}

impl Guarded {
    /// Starts a program under guard; its output is appended to `log`, and `folder` is removed when
    /// it is over.
    ///
    /// # Panics
    ///
    /// When the guard cannot be started.
    #[must_use]
    pub fn start<A: AsRef<OsStr>>(command: &[A], log: &Path, folder: Option<&Path>) -> Self {
        Self::start_and_then(command, log, folder, "")
    }

    /// The same for a program that leaves more behind than its folder: `afterwards` is what a shell
    /// does when it is over.
    ///
    /// # Panics
    ///
    /// When the guard cannot be started.
    #[must_use]
    pub fn start_and_then<A: AsRef<OsStr>>(
        command: &[A],
        log: &Path,
        folder: Option<&Path>,
        afterwards: &str,
    ) -> Self {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(log)
            .arg(folder.unwrap_or(Path::new("")))
            .arg(afterwards)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of the reach of a Ctrl-C at the terminal: the guard must see the end of the
            // tests.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start a guard by sh: {error}"));
        let mut line = String::new();
        if let Some(stdout) = guard.stdout.take() {
            let _unread = BufReader::new(stdout).read_line(&mut line);
        }
        let pid = line.trim().parse();
        Self {
            guard,
            pid: pid.unwrap_or_else(|_| panic!("a guard said {line:?} for a process id")),
        }
    }

    /// The id of the program.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the program has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        process::is_alive(self.pid)
    }

    /// Sends the program a signal; one that has ended already gets none.
    pub fn signal(&self, signal: Signal) {
        process::send(self.pid, signal);
    }

    /// Kills the program, if it has not ended by itself, but keeps its folder for a successor.
    pub fn end_and_keep(mut self) {
        if let Some(stdin) = &mut self.guard.stdin {
            let _gone = stdin.write_all(b"keep\n");
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // The end of its input is the guard's signal.
        drop(self.guard.stdin.take());
        let _status = self.guard.wait();
    }
}
