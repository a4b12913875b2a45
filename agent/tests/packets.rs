//! Guards on the packets of what stands for a broker, in a network namespace of its own: whoever is killed, and at
//! whatever moment, the kernel's packet rules are as they were, those of strangers to the byte.

#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "support/guard.rs"]
mod guard_process;

use guard_process::Guard;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Child, Command},
    thread,
    time::Duration,
};
use testkit::{
    process::{self, Signal},
    wait,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Where what stands for a broker listens.
const PORT: u16 = 9192;

/// Answers whatever it is sent, on any number of connections.
const SERVER: &str = r#"
use IO::Socket::INET; use IO::Select;
my $listener = IO::Socket::INET->new(LocalAddr => "0.0.0.0:$ARGV[0]", Listen => 50, ReuseAddr => 1) or die;
my $all = IO::Select->new($listener);
while (1) {
  for my $one ($all->can_read) {
    if ($one == $listener) { $all->add($listener->accept); next }
    if (sysread($one, my $piece, 65536)) { syswrite($one, $piece) } else { $all->remove($one); close $one }
  }
}
"#;

/// Asks for as long as it lives, on new connections when there is no answer.
const CLIENT: &str = r#"
use IO::Socket::INET; use IO::Select;
while (1) {
  my $one = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]", Timeout => 1);
  if (!$one) { select(undef, undef, undef, 0.02); next }
  while (syswrite($one, "x" x $ARGV[1]) && IO::Select->new($one)->can_read(0.5)) {
    sysread($one, my $piece, 65536) or last;
    select(undef, undef, undef, 0.002);
  }
  close $one;
}
"#;

/// Rules that are there before: a stranger's by nft, another's by iptables.
const STRANGERS: &str = "ip link set lo up
nft -f - <<'END'
table inet stranger {
  set ports { type inet_service; elements = { 9192, 80 } }
  chain input { type filter hook input priority 0; policy accept; tcp dport @ports accept; ct state invalid drop; }
}
END
iptables -A INPUT -p tcp --dport 9 -j DROP";

/// A server in a namespace with rules of strangers, and perhaps a client.
struct Scene {
    folder: tempfile::TempDir,
    server: Child,
    client: Option<Child>,
    rules: String,
}

impl Scene {
    fn quiet() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("notes")).unwrap();
        let script = format!("set -e\n{STRANGERS}\nexec perl -e '{SERVER}' {PORT}");
        let server = Command::new("unshare").args(["--net", "sh", "-c", &script]).spawn().unwrap();
        fs::write(folder.path().join("pid"), server.id().to_string()).unwrap();
        let mut scene = Self { folder, server, client: None, rules: String::new() };
        wait::until("the server", PATIENCE, || {
            let listening = scene.inside("cat /proc/net/tcp");
            listening.contains(&format!(":{PORT:04X} 00000000:0000 0A")).then_some(())
        });
        scene.rules = scene.ruleset();
        assert!(scene.rules.contains("stranger") && scene.rules.contains("dport 9"));
        scene
    }

    /// With a client that sends so many bytes at a time.
    fn busy(bytes: usize) -> Self {
        let mut scene = Self::quiet();
        let mut client = scene.enter();
        client.args(["perl", "-e", CLIENT, &PORT.to_string(), &bytes.to_string()]);
        scene.client = Some(client.spawn().unwrap());
        let connected = format!(":{PORT:04X}");
        wait::until("a connection", PATIENCE, || {
            let table = scene.inside("cat /proc/net/tcp");
            table
                .lines()
                .any(|line| line.contains(&connected) && line.contains(" 01 "))
                .then_some(())
        });
        scene
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.server.id()));
        command
    }

    fn inside(&self, script: &str) -> String {
        let output = self.enter().args(["sh", "-c", script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// All packet rules without their counters.
    fn ruleset(&self) -> String {
        self.inside("nft -s list ruleset")
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    fn order(&self, act: &Value, for_ms: u64) -> Value {
        let wire = json!({"clients": true});
        json!({
            "id": "net-1", "act": act, "address": null, "tls": false, "for_ms": for_ms, "undo_ms": 5_000,
            "lease_ms": 400, "wire": wire,
            "victim": {"process": {"pid_file": self.folder.path().join("pid"), "start": []}},
        })
    }

    fn guard(&self, act: &Value, for_ms: u64) -> Guard {
        Guard::start(&self.notes(), &self.order(act, for_ms))
    }

    /// The process that holds the table.
    fn holder(&self) -> u32 {
        let note: Value =
            serde_json::from_slice(&fs::read(self.notes().join("net-1.json")).unwrap()).unwrap();
        let held = &note["table"]["held"][0][0]["process"]["pid"];
        u32::try_from(held.as_u64().unwrap()).unwrap()
    }

    #[track_caller]
    fn assert_as_before(&self, what: &str) {
        let is_as_before = || (self.ruleset() == self.rules).then_some(());
        wait::poll(Duration::from_secs(2), is_as_before);
        assert_eq!(self.ruleset(), self.rules, "{what}");
    }

    fn sweep(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-agent"));
        let output = command.args(["guard", "--sweep", "--dir"]).arg(self.notes()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in self.client.iter_mut().chain([&mut self.server]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn cut(directions: &str) -> Value {
    json!({"cut": {"directions": directions}})
}

fn acts() -> [Value; 3] {
    [
        cut("both"),
        json!({"loss": {"share_ppm": 100_000}}),
        // Fewer than what the client sends and gets.
        json!({"limit": {"bytes_per_s": 50_000}}),
    ]
}

#[test]
fn packets_are_dropped_for_a_time_and_the_rules_are_as_before() {
    testkit::require!(nftables);
    for act in acts().into_iter().chain([cut("to"), cut("from")]) {
        let scene = Scene::busy(8_000);
        let mut guard = scene.guard(&act, 4_000);
        let armed = guard.expect("armed");
        let held_by = armed["held_by"].as_str().unwrap();
        assert!(held_by.starts_with("the kernel: the table mallard_net_1"), "{held_by}");
        let effect = guard.expect("effect");
        let during = scene.ruleset();
        assert!(during.contains("mallard_net_1") && during.contains("9192"), "{during}");
        let others = during.split("table inet mallard_net_1").next().unwrap();
        assert!(scene.rules.starts_with(others.trim_end()), "{others}");
        let undone = guard.expect("undone");
        assert!(
            undone["proof"].as_str().unwrap().contains("the table mallard_net_1 is gone"),
            "{act} {effect} {undone}"
        );
        assert_eq!(scene.ruleset(), scene.rules, "{act}");
        assert!(guard.until("anything more").is_none());
        assert_eq!(fs::read_dir(scene.notes()).unwrap().count(), 0);
    }
}

/// An independent witness: a client's own connections.
#[test]
fn what_is_cut_off_gets_no_answer_and_gets_one_afterwards() {
    testkit::require!(nftables);
    let scene = Scene::busy(100);
    let ask = || {
        let one = format!(
            "perl -MIO::Socket::INET -e 'exit(IO::Socket::INET->new(PeerAddr => \"127.0.0.1:{PORT}\", Timeout => 1) ? 0 : 1)'"
        );
        scene.enter().args(["sh", "-c", &one]).status().unwrap().success()
    };
    assert!(ask());
    let mut guard = scene.guard(&cut("both"), 600_000);
    guard.expect("effect");
    assert!(!ask());
    writeln!(guard.stdin.as_ref().unwrap(), "end").unwrap();
    guard.expect("undone");
    assert!(ask());
}

#[test]
fn a_wire_on_which_nothing_happens_is_no_effect() {
    testkit::require!(nftables);
    for act in acts() {
        let scene = Scene::quiet();
        let mut guard = scene.guard(&act, 1_000);
        let seen = guard.expect("no_effect");
        assert!(seen["seen"].as_str().unwrap().contains('0'), "{seen}");
        guard.expect("undone");
        assert_eq!(scene.ruleset(), scene.rules);
    }
}

#[test]
fn a_process_that_is_no_broker_is_not_taken_for_one() {
    testkit::require!(nftables);
    let scene = Scene::quiet();
    let mut idle = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(scene.folder.path().join("pid"), idle.id().to_string()).unwrap();
    let mut guard = scene.guard(&cut("both"), 1_000);
    let refused = guard.expect("not_begun");
    assert!(refused["cause"].as_str().unwrap().contains("listens on no port"), "{refused}");
    idle.kill().unwrap();
    idle.wait().unwrap();
}

/// Nobody is left to close the socket in good order, and the one who holds it is stopped: the kernel ends it.
#[test]
fn the_process_that_holds_the_rules_dies_with_its_guard_even_if_it_stands_still() {
    testkit::require!(nftables);
    let scene = Scene::busy(100);
    let mut guard = scene.guard(&cut("both"), 600_000);
    let twin = guard.twin();
    guard.expect("effect");
    let holder = scene.holder();
    process::send(holder, Signal::STOP);
    process::send(twin, Signal::KILL);
    guard.kill();
    wait::until("the end of nft", PATIENCE, || (!process::is_alive(holder)).then_some(()));
    scene.assert_as_before("the guard is gone");
}

#[test]
fn rules_whose_holder_somebody_ends_are_a_fault_that_ended() {
    testkit::require!(nftables);
    let scene = Scene::busy(100);
    let mut guard = scene.guard(&cut("both"), 600_000);
    guard.expect("effect");
    process::send(scene.holder(), Signal::KILL);
    assert_eq!(guard.expect("ended")["cause"], "the nft that held its rules ended");
    guard.expect("undone");
    assert_eq!(scene.ruleset(), scene.rules);
}

#[test]
fn a_stranger_who_flushes_all_rules_takes_his_own_and_not_the_faults() {
    testkit::require!(nftables);
    let scene = Scene::busy(100);
    let mut guard = scene.guard(&cut("both"), 600_000);
    guard.expect("effect");
    scene.inside("nft flush ruleset; nft delete table inet mallard_net_1");
    let left = scene.ruleset();
    assert!(left.contains("mallard_net_1") && !left.contains("stranger"), "{left}");
    writeln!(guard.stdin.as_ref().unwrap(), "end").unwrap();
    guard.expect("undone");
    assert_eq!(scene.ruleset(), "");
}

#[test]
fn a_guard_that_stands_still_itself_loses_its_rules_to_its_twin() {
    testkit::require!(nftables);
    let scene = Scene::busy(100);
    let mut guard = scene.guard(&cut("both"), 1_500);
    guard.expect("effect");
    process::send(guard.child.id(), Signal::STOP);
    assert_eq!(guard.expect("undone")["by"], "its twin");
    assert_eq!(scene.ruleset(), scene.rules);
    process::send(guard.child.id(), Signal::CONT);
    guard.expect("undone");
}

/// Whom a test kills.
#[derive(Clone, Copy, Debug)]
enum Killed {
    Controller,
    Guard,
    Twin,
    Both,
    Holder,
}

/// Moments by a linear congruential generator (Numerical Recipes), so that a failure can be had again.
fn moments(seed: u64, count: usize) -> impl Iterator<Item = Duration> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % (1 << 32);
        Duration::from_millis((state * 900) >> 32)
    })
    .take(count)
}

#[test]
fn whoever_is_killed_at_whatever_moment_the_rules_are_as_before() {
    testkit::require!(nftables);
    let kills = [Killed::Controller, Killed::Guard, Killed::Twin, Killed::Both, Killed::Holder];
    let scene = Scene::busy(8_000);
    for (at, act) in acts().into_iter().enumerate() {
        for (of, killed) in kills.into_iter().enumerate() {
            let seed = (at * kills.len() + of) as u64 + 1;
            for moment in moments(seed, 4) {
                let what = format!("{act} {killed:?} after {moment:?}");
                let mut guard = scene.guard(&act, 1_200);
                // The moment is what this test is about, and not what it waits for.
                thread::sleep(moment);
                kill(&scene, &mut guard, killed);
                while guard.until("undone").is_some() {}
                scene.assert_as_before(&what);
                // Who was killed may be ending still, and a sweep leaves alone what somebody holds.
                wait::until(&what, PATIENCE, || {
                    scene.sweep();
                    (fs::read_dir(scene.notes()).unwrap().count() == 0).then_some(())
                });
            }
        }
    }
}

fn kill(scene: &Scene, guard: &mut Guard, killed: Killed) {
    let twin = || {
        let noted = fs::read(scene.notes().join("net-1.twin")).ok()?;
        let noted: Value = serde_json::from_slice(&noted).ok()?;
        u32::try_from(noted["process"]["pid"].as_u64()?).ok()
    };
    let end = |pid: Option<u32>| {
        if let Some(pid) = pid {
            process::send(pid, Signal::KILL);
        }
    };
    match killed {
        Killed::Controller => drop(guard.stdin.take()),
        Killed::Guard => guard.kill(),
        Killed::Twin => end(twin()),
        Killed::Both => {
            let twin = twin();
            process::send(guard.child.id(), Signal::STOP);
            end(twin);
            guard.kill();
        }
        Killed::Holder => {
            let note = fs::read(scene.notes().join("net-1.json")).unwrap_or_default();
            let note: Value = serde_json::from_slice(&note).unwrap_or_default();
            let pid = note["table"]["held"][0][0]["process"]["pid"].as_u64();
            end(pid.and_then(|pid| u32::try_from(pid).ok()));
        }
    }
}
