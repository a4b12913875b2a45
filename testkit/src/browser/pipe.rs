//! The DevTools protocol over a pipe: JSON messages, each ended by a zero byte.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wait;

/// How long the browser may take for anything that it is asked.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How long it may take to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Starts the browser with the pipe on the file descriptors that it expects, which a shell can
/// arrange without any unsafe code, and removes its profile after it: `$1` is the profile, the rest
/// the command.
const START: &str = r#"
profile=$1; shift
"$@" 3<&0 4>&1 </dev/null >/dev/null 2>"$profile/stderr.log"
rm -rf "$profile"
"#;

/// The browser talks to itself, to its makers and to the desktop unless told not to.
const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--mute-audio",
    "--remote-debugging-pipe",
];

/// One browser with one page.
#[derive(Debug)]
pub(super) struct Pipe {
    shell: Child,
    profile: TempDir,
    to_browser: Option<ChildStdin>,
    from_browser: Receiver<Value>,
    session: String,
    last_id: u64,
    events: Vec<Value>,
}

impl Pipe {
    /// Starts a browser with an empty page.
    #[track_caller]
    pub(super) fn start(browser: &Path) -> Self {
        let profile = tempfile::Builder::new().prefix("mallard-test-browser-").tempdir();
        let profile = profile.unwrap_or_else(|error| panic!("failed to make a profile: {error}"));
        let mut shell = Command::new("sh")
            .args(["-c", START, "browser"])
            .arg(profile.path())
            .arg(browser)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own, so that all of the browser's processes can be ended together.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {}: {error}", browser.display()));
        let to_browser = shell.stdin.take();
        let (sender, from_browser) = channel();
        if let Some(stdout) = shell.stdout.take() {
            std::thread::spawn(move || receive(stdout, &sender));
        }
        let session = String::new();
        let mut pipe = Self {
            shell,
            profile,
            to_browser,
            from_browser,
            session,
            last_id: 0,
            events: Vec::new(),
        };
        let page = pipe.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        pipe.session = pipe.call("Target.attachToTarget", attach)["sessionId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        pipe
    }

    /// Calls a method and returns its result.
    #[track_caller]
    pub(super) fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let written =
            self.to_browser.as_mut().map(|pipe| pipe.write_all(&bytes).and_then(|()| pipe.flush()));
        assert!(
            matches!(written, Some(Ok(()))),
            "the browser is gone before {method}{}",
            self.last_words()
        );
        let mut answer = self.wait_for(method, |message| message["id"] == id);
        assert!(answer["error"].is_null(), "the browser refused {method}: {}", answer["error"]);
        answer["result"].take()
    }

    /// Waits until an event has come, unless it has come already.
    #[track_caller]
    pub(super) fn wait_for_event(&mut self, method: &str) {
        if !self.events.iter().any(|event| event["method"] == method) {
            let event = self.wait_for(method, |message| message["method"] == method);
            self.events.push(event);
        }
    }

    /// The events that have come so far.
    pub(super) fn events(&mut self) -> &[Value] {
        self.events.extend(self.from_browser.try_iter());
        &self.events
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + ANSWER_WITHIN;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(message) = self.from_browser.recv_timeout(left) else {
                panic!("no answer from the browser to {what}{}", self.last_words())
            };
            if is_it(&message) {
                return message;
            }
            self.events.push(message);
        }
    }

    fn last_words(&self) -> String {
        let log =
            std::fs::read_to_string(self.profile.path().join("stderr.log")).unwrap_or_default();
        format!("; its standard error:\n{log}")
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // The browser closes at the end of its input.
        drop(self.to_browser.take());
        let ended = wait::poll(CLOSE_WITHIN, || self.shell.try_wait().ok().flatten());
        if ended.is_none() {
            let group =
                i32::try_from(self.shell.id()).ok().and_then(rustix::process::Pid::from_raw);
            if let Some(group) = group {
                let _gone =
                    rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _status = self.shell.wait();
        }
    }
}

fn receive(pipe: ChildStdout, sender: &Sender<Value>) {
    let mut pipe = BufReader::new(pipe);
    let mut message = Vec::new();
    while matches!(pipe.read_until(0, &mut message), Ok(1..)) {
        message.pop();
        let understood = serde_json::from_slice(&message);
        message.clear();
        // Nobody listens any more once the page is dropped.
        if understood.is_ok_and(|message| sender.send(message).is_err()) {
            return;
        }
    }
}
