//! A little language for tests that drive the real program.
#![expect(dead_code, reason = "every test file uses another part")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "these are tests")]

use mallard_protocol::{
    BUILD_ID, PROTOCOL_VERSION,
    frame::{self, Decoder},
    message::{AgentFailure, AgentState, Answer, FromAgent, HostFacts, Question, ToAgent},
    workload::{Assignment, TopicSpec},
};
use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mallard-agent"))
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    program().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// A folder for an agent. Whatever agent is left in it at the end is killed.
pub(crate) struct Place {
    _parent: tempfile::TempDir,
    pub(crate) dir: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("agent");
        Self { _parent: parent, dir }
    }

    pub(crate) fn dir(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        fs::read_to_string(self.dir.join("agent.pid")).unwrap().trim().parse().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("agent.log")).unwrap_or_default()
    }

    /// Starts an agent, if none runs, and connects to it.
    pub(crate) fn connect(&self, lease_s: u64) -> Talk {
        let lease = lease_s.to_string();
        let arguments = ["--lease", &lease, "--name", "agent-1", "--run", "test-run"];
        Talk::start(&self.dir, &arguments)
    }

    /// Connects, is greeted, and keeps the conversation alive.
    pub(crate) fn greeted(&self, lease_s: u64, resume_at: u64) -> Talk {
        let mut talk = self.connect(lease_s);
        talk.hello();
        talk.say(&hello(resume_at));
        talk.keep_alive();
        talk
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log());
        }
        if let Ok(pid) = fs::read_to_string(self.dir.join("agent.pid")) {
            signal(pid.trim().parse().unwrap_or(0), "KILL");
        }
    }
}

pub(crate) fn hello(resume_at: u64) -> ToAgent {
    ToAgent::Hello { protocol_version: PROTOCOL_VERSION, build_id: BUILD_ID.into(), resume_at }
}

pub(crate) fn signal(pid: u32, name: &str) {
    if pid > 0 {
        let _ = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    }
}

/// Whether a process lives. One that is dead and not yet waited for does not.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().unwrap_or_default().chars().next();
    state.is_some_and(|state| state != 'Z')
}

pub(crate) fn wait_until(what: &str, within: Duration, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < within, "{what}: not within {within:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A conversation with an agent through `connect`.
pub(crate) struct Talk {
    pub(crate) child: Child,
    stdin: Arc<Mutex<Option<ChildStdin>>>,
    heard: Receiver<FromAgent>,
    next_request: u32,
}

impl Talk {
    pub(crate) fn start(dir: &Path, arguments: &[&str]) -> Self {
        let mut child = program()
            .args(["connect", "--dir"])
            .arg(dir)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = Arc::new(Mutex::new(child.stdin.take()));
        let mut stdout = child.stdout.take().unwrap();
        let (say, heard) = channel();
        thread::spawn(move || {
            let mut decoder = Decoder::default();
            let mut buffer = vec![0; 65536];
            while let Ok(bytes @ 1..) = stdout.read(&mut buffer) {
                decoder.push(&buffer[..bytes]);
                while let Some(message) = decoder.next_message().unwrap() {
                    if say.send(message).is_err() {
                        return;
                    }
                }
            }
        });
        Self { child, stdin, heard, next_request: 1 }
    }

    pub(crate) fn say(&mut self, message: &ToAgent) {
        self.say_bytes(&frame::encode(message).unwrap());
    }

    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        write(&self.stdin, bytes);
    }

    /// Sends heartbeats from now on, as a controller does.
    pub(crate) fn keep_alive(&self) {
        let stdin = Arc::downgrade(&self.stdin);
        let heartbeat = frame::encode(&ToAgent::Heartbeat).unwrap();
        thread::spawn(move || {
            while let Some(stdin) = stdin.upgrade() {
                write(&stdin, &heartbeat);
                drop(stdin);
                thread::sleep(Duration::from_secs(1));
            }
        });
    }

    pub(crate) fn stop_talking(&mut self) {
        *self.stdin.lock().unwrap() = None;
    }

    /// The next message that is no heartbeat; `None` when the conversation is over.
    pub(crate) fn hear(&self) -> Option<FromAgent> {
        loop {
            match self.heard.recv_timeout(PATIENCE) {
                Ok(FromAgent::Heartbeat) => {}
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("nothing heard for {PATIENCE:?}"),
            }
        }
    }

    pub(crate) fn hear_heartbeat(&self) -> bool {
        matches!(self.heard.recv_timeout(PATIENCE), Ok(FromAgent::Heartbeat))
    }

    /// The next message that a test looks for; others are passed over.
    pub(crate) fn hear_until<T>(
        &self,
        what: &str,
        mut pick: impl FnMut(FromAgent) -> Option<T>,
    ) -> T {
        loop {
            let message = self.hear().unwrap_or_else(|| panic!("the end came before {what}"));
            if let Some(found) = pick(message) {
                return found;
            }
        }
    }

    pub(crate) fn hello(&self) -> (Box<HostFacts>, AgentState) {
        match self.hear() {
            Some(FromAgent::Hello { host, state, build_id, .. }) => {
                assert_eq!(build_id, BUILD_ID);
                (host, state)
            }
            other => panic!("{other:?} is not a Hello"),
        }
    }

    pub(crate) fn ask(&mut self, question: Question) -> Result<Answer, AgentFailure> {
        let request = self.next_request;
        self.next_request += 1;
        self.say(&ToAgent::Ask { request, question });
        self.hear_until("the answer", |message| match message {
            FromAgent::Answer { request: of, result } if of == request => Some(result),
            _ => None,
        })
    }

    /// Sequences of the next intervals.
    pub(crate) fn intervals(&self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.hear_until("an interval", interval)).collect()
    }

    /// Prepares and starts something, and waits for its start.
    pub(crate) fn start_load(&mut self) {
        self.say(&ToAgent::Prepare(Box::new(nothing_to_do())));
        self.hear_until("Prepared", |m| matches!(m, FromAgent::Prepared).then_some(()));
        // Ten minutes ago, so that there are intervals at once; and not since the machine was switched
        // on, which may be months.
        let at_clock_us = mallard_agent::engine::monotonic_us().saturating_sub(600_000_000).max(1);
        self.say(&ToAgent::Start { at_clock_us });
        self.hear_until("Started", |m| matches!(m, FromAgent::Started { .. }).then_some(()));
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("connect ends", PATIENCE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

fn write(stdin: &Mutex<Option<ChildStdin>>, bytes: &[u8]) {
    if let Some(stdin) = stdin.lock().unwrap().as_mut() {
        let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn interval(message: FromAgent) -> Option<u64> {
    match message {
        FromAgent::Interval(report) => Some(report.sequence),
        _ => None,
    }
}

pub(crate) fn nothing_to_do() -> Assignment {
    Assignment { run: 7, ..Assignment::default() }
}

pub(crate) fn topic(name: &str, partitions: i32) -> TopicSpec {
    TopicSpec {
        name: name.into(),
        alias: name.into(),
        partitions,
        replication: None,
        config: Vec::new(),
        existing: false,
    }
}
