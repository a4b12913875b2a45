//! Faults of a scenario, on real brokers that are processes of this machine: what Mallard says of them is held against
//! what the kernel says of the brokers.

use crate::world::{PATIENCE, assert_accounts_add_up, metric};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};
use testkit::{
    kafka::KafkaCluster,
    mallard::{Sandbox, codes},
    process::{Finished, Signal},
};

/// A cluster file for brokers of this machine whose process ids are in `broker-ID.pid`, and which are started again by
/// whoever sees `broker-ID.start`.
pub(super) fn cluster(kafka: &KafkaCluster, sandbox: &Sandbox, allowed: &str) -> String {
    let mut nodes = String::new();
    for id in 1..=kafka.size() {
        write_pid(kafka, sandbox, id);
        let start = sandbox.path(format!("broker-{id}.start"));
        nodes += &format!(
            "    - local: {{broker: {id}, process: {{pid_file: broker-{id}.pid, start: [touch, '{}']}}}}\n",
            start.display()
        );
    }
    format!(
        "kafka:\n  bootstrap: \"{}\"\n  faults: {{allow: [{allowed}]}}\n  nodes:\n{nodes}\
         hosts: [local: {{agents: 1}}]\n\
         deadlines: {{connect: 60s, topics: 60s, ready: 60s, agent_silence: 20s, undo: 20s}}\n",
        kafka.bootstrap()
    )
}

fn write_pid(kafka: &KafkaCluster, sandbox: &Sandbox, id: usize) {
    sandbox.file(&format!("broker-{id}.pid"), format!("{}\n", kafka.broker_pid(id)));
}

/// The state of a process as the kernel has it; `None` without one.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.trim_start().chars().next().filter(|state| *state != 'Z')
}

/// A stretch in which a broker was not well, in seconds since the load started by the test's own clock.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) broker: usize,
    pub(super) from_s: f64,
    pub(super) to_s: f64,
}

/// Watches the brokers, and starts again those that are to be.
pub(super) fn watch(
    kafka: &KafkaCluster,
    sandbox: &Sandbox,
    started: Instant,
    over: &AtomicBool,
) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    let mut ill: Vec<Option<f64>> = vec![None; kafka.size()];
    while !over.load(Ordering::Relaxed) {
        for id in 1..=kafka.size() {
            let start = sandbox.path(format!("broker-{id}.start"));
            if start.exists() {
                fs::remove_file(&start).expect("it is there");
                kafka.restart_broker(id);
                write_pid(kafka, sandbox, id);
            }
            let now_s = started.elapsed().as_secs_f64();
            let is_well = !matches!(state(kafka.broker_pid(id)), None | Some('T'));
            match (is_well, ill[id - 1]) {
                (false, None) => ill[id - 1] = Some(now_s),
                (true, Some(from_s)) => {
                    ill[id - 1] = None;
                    seen.push(Seen { broker: id, from_s, to_s: now_s });
                }
                _ => {}
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    seen
}

/// Runs a shipped scenario in a short form beside a watch.
pub(super) fn run(
    kafka: &KafkaCluster,
    sandbox: &Sandbox,
    scenario: &str,
) -> (Finished, Vec<Seen>) {
    sandbox.shipped("scenarios");
    let short = ["rate=300/s", "before=8s", "away=12s", "hold=60s"];
    let mut command = vec!["run", scenario, "--cluster", "c.yaml"];
    command.extend(short.iter().flat_map(|set| ["--set", *set]));
    let mut running = sandbox.spawn(command);
    running.wait_for_output("load starts", 3 * PATIENCE);
    let (started, over) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        let watching = scope.spawn(|| watch(kafka, sandbox, started, &over));
        let outcome = running.wait(4 * PATIENCE);
        over.store(true, Ordering::Relaxed);
        (outcome, watching.join().expect("the watch goes on to the end"))
    })
}

/// What is said of the one fault is what the kernel saw of the brokers.
#[track_caller]
fn assert_agrees(result: &Value, seen: &[Seen], proof: &str) {
    assert_accounts_add_up(result);
    let [fault] = result["faults"].as_array().expect("faults").as_slice() else {
        panic!("{:#}", result["faults"])
    };
    let [seen] = seen else { panic!("{seen:?} {fault:#}") };
    assert_eq!(fault["broker"], seen.broker, "{fault:#}");
    let at_s = |key: &str| fault[key].as_f64().unwrap_or_else(|| panic!("{key}: {fault:#}")) / 1e6;
    assert_eq!(fault["planned_us"], 18_000_000);
    // Its guard stood ready before it was due.
    assert!(at_s("armed_us") < 18.0 && at_s("begun_us") >= 18.0, "{fault:#}");
    within(seen.from_s, at_s("begun_us") - 2.0, at_s("begun_us") + 2.0);
    assert!(at_s("ended_us") - at_s("begun_us") >= 11.9, "{fault:#}");
    // It is well again before that is proved.
    within(seen.to_s, at_s("ended_us") - 2.0, at_s("undone_us") + 2.0);
    assert!(fault["effect"].as_str().is_some_and(|of| of.contains(proof)), "{fault:#}");
    assert!(fault["undone"].as_str().is_some_and(|of| of.ends_with("answers")), "{fault:#}");
    assert_eq!(fault["undone_by"], "the guard");
    assert_eq!(metric(result, "records.lost"), 0.0);
    let of_faults = codes(result).into_iter().filter(|code| code.starts_with("fault"));
    assert_eq!(of_faults.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[track_caller]
fn within(value: f64, low: f64, high: f64) {
    assert!((low..=high).contains(&value), "{value:.2} is not from {low:.2} to {high:.2}");
}

/// Where guards of the superuser note what they do.
const NOTES: &str = "/run/mallard/faults";

/// Removes what a test that fails leaves there: its brokers are gone then, and runs of other tests would try to undo it.
pub(super) struct Notes<'a>(pub(super) &'a Sandbox);

impl Drop for Notes<'_> {
    fn drop(&mut self) {
        let sandbox = self.0.path(".").display().to_string();
        for name in notes_left() {
            let note = Path::new(NOTES).join(name);
            if fs::read_to_string(&note)
                .is_ok_and(|text| text.contains(sandbox.trim_end_matches('.')))
            {
                let _ = fs::remove_file(note);
            }
        }
    }
}

pub(super) fn notes_left() -> Vec<String> {
    let folder = fs::read_dir(NOTES);
    let files = folder.into_iter().flatten().flatten().map(|entry| entry.file_name());
    files.map(|name| name.to_string_lossy().into_owned()).collect()
}

#[test]
fn a_broker_that_the_scenario_kills_is_proved_dead_and_started_again() {
    testkit::require!(kafka);
    let kafka = KafkaCluster::start(3);
    let sandbox = Sandbox::new();
    let _notes = Notes(&sandbox);
    sandbox.file("c.yaml", cluster(&kafka, &sandbox, "kill"));
    let (outcome, seen) = run(&kafka, &sandbox, "scenarios/faults/broker-killed.yaml");
    let run = sandbox.latest_run();
    let result = run.only_result();
    assert_agrees(&result, &seen, "refuses connections");
    run.assert_went_well(&outcome);
    let archived = run.text("cases/broker-killed/faults.jsonl");
    let mut archived: Value =
        serde_json::from_str(archived.lines().next().expect("a line")).expect("JSON");
    archived["did"] = result["faults"][0]["did"].clone();
    assert_eq!(archived, result["faults"][0], "all but what it did to the load");
    let page = run.text("report.html");
    for words in [
        "What was broken on purpose",
        "kill of leader of orders/0",
        "\"kind\":\"fault\"",
        "partitions without acknowledgements",
    ] {
        assert!(page.contains(words), "{words:?} is not on the page");
    }
    assert!(notes_left().iter().all(|note| !note.contains(&run.id())), "{:?}", notes_left());
}

#[test]
fn a_broker_that_the_scenario_pauses_stands_still_and_goes_on() {
    testkit::require!(kafka);
    let kafka = KafkaCluster::start(3);
    let sandbox = Sandbox::new();
    let _notes = Notes(&sandbox);
    sandbox.file("c.yaml", cluster(&kafka, &sandbox, "pause"));
    let pids: Vec<u32> = (1..=3).map(|id| kafka.broker_pid(id)).collect();
    let (outcome, seen) = run(&kafka, &sandbox, "scenarios/faults/broker-paused.yaml");
    let run = sandbox.latest_run();
    assert_agrees(&run.only_result(), &seen, "is silent");
    run.assert_went_well(&outcome);
    assert_eq!((1..=3).map(|id| kafka.broker_pid(id)).collect::<Vec<_>>(), pids);
}

/// A fault of a stranger: the file names a process that is no broker.
#[test]
fn a_fault_that_hits_another_process_than_the_broker_is_no_pass() {
    testkit::require!(kafka);
    let kafka = testkit::kafka::shared(1);
    let sandbox = Sandbox::new();
    let _notes = Notes(&sandbox);
    let mut stranger = std::process::Command::new("sleep").arg("300").spawn().expect("sleep");
    let scenario = "name: wrong\ntopics: {orders: {partitions: 1}}\n\
        load: [hold: {rate: 50/s, for: 30s}, drain: {within: 20s}]\n\
        producers: {shop: {topic: orders, payload: {size: 100B}}}\n\
        faults: [pause: {node: any broker, at: 3s, for: 4s}]\n";
    let cluster = format!(
        "kafka: {{bootstrap: \"{}\", nodes: [local: {{}}], process: {{pid_file: pid}}, faults: {{allow: [pause]}}}}\n\
         hosts: [local: {{}}]\n",
        kafka.bootstrap()
    );
    sandbox.file("s.yaml", scenario).file("c.yaml", cluster).file("pid", stranger.id().to_string());
    let outcome = sandbox.mallard(["run", "s.yaml", "--cluster", "c.yaml"]);
    let result = sandbox.latest_run().only_result();
    stranger.kill().expect("it runs");
    stranger.wait().expect("it ends");
    assert_eq!(outcome.code(), Some(4), "{}", outcome.stdout);
    assert!(codes(&result).contains(&"fault_without_effect"), "{:#}", result["reasons"]);
    let fault = &result["faults"][0];
    assert!(
        fault["effect"].as_str().is_some_and(|of| of.contains("answers all the same")),
        "{fault:#}"
    );
    assert!(fault["undone_us"].is_u64(), "{fault:#}");
}

/// Nobody runs the case when its fault ends: the guard undoes it by itself.
#[test]
fn a_fault_is_undone_after_its_controller_was_killed() {
    testkit::require!(kafka);
    let kafka = KafkaCluster::start(1);
    let sandbox = Sandbox::new();
    let _notes = Notes(&sandbox);
    let scenario = "name: alone\ntopics: {orders: {partitions: 1}}\n\
        load: [hold: {rate: 50/s, for: 60s}, drain: {within: 20s}]\n\
        producers: {shop: {topic: orders, payload: {size: 100B}}}\n\
        faults: [pause: {node: broker 1, at: 3s, for: 6s}]\n";
    sandbox.file("s.yaml", scenario).file("c.yaml", cluster(&kafka, &sandbox, "pause"));
    let mut running = sandbox.spawn(["run", "s.yaml", "--cluster", "c.yaml"]);
    running.wait_for_output("fault pause begun", 2 * PATIENCE);
    let pid = kafka.broker_pid(1);
    assert_eq!(state(pid), Some('T'));
    running.signal(Signal::KILL);
    let _ = running.wait(PATIENCE);
    let goes_on = || (state(pid) != Some('T')).then_some(());
    testkit::wait::until("the broker to go on", PATIENCE, goes_on);
    let id = sandbox.latest_run().id();
    let is_clean = || notes_left().iter().all(|note| !note.contains(&id)).then_some(());
    testkit::wait::until("the guard's note to go", PATIENCE, is_clean);
    assert!(Path::new(&format!("/proc/{pid}")).exists());
}
