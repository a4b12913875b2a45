//! A guard that a test has started.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};
use testkit::process::{self, Signal};

/// A guard, and the other end of its pipes.
pub(crate) struct Guard {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) reports: BufReader<ChildStdout>,
}

impl Guard {
    /// Starts one with its order; its notes are in a folder of the test.
    pub(crate) fn start(notes: &Path, order: &Value) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-agent"));
        command.args(["guard", "--dir"]).arg(notes);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{order}").unwrap();
        let reports = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin: Some(stdin), reports }
    }

    /// The next report of a kind; `None` once guard and twin are gone.
    pub(crate) fn until(&mut self, kind: &str) -> Option<Value> {
        loop {
            let mut line = String::new();
            if self.reports.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let report: Value = serde_json::from_str(&line).unwrap();
            if report["report"] == kind {
                return Some(report);
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, kind: &str) -> Value {
        self.until(kind).unwrap_or_else(|| panic!("no {kind} was reported"))
    }

    /// The twin, as the guard names it when it arms.
    pub(crate) fn twin(&mut self) -> u32 {
        let armed = self.expect("armed");
        let (_, twin) = armed["held_by"].as_str().unwrap().rsplit_once(' ').unwrap();
        twin.parse().unwrap()
    }

    pub(crate) fn kill(&self) {
        process::send(self.child.id(), Signal::KILL);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ended = self.child.wait();
    }
}
