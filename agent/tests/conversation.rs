//! The daemon and `connect`, as `mallard` uses them.

mod support;

use mallard_protocol::message::{AgentState, Answer, FromAgent, Question, ToAgent};
use std::{fs, io::Write, os::unix::fs::PermissionsExt, process::Stdio, time::Duration};
use support::{PATIENCE, Place, Talk, hello, interval, lives, run, signal, wait_until};

#[test]
fn an_agent_is_started_greets_and_leaves_nothing_behind() {
    let place = Place::new();
    let mut talk = place.connect(30);
    let (host, state) = talk.hello();
    assert_eq!((state, host.pid), (AgentState::Idle, place.pid()));
    let command = fs::read_to_string(format!("/proc/{}/cmdline", host.pid)).unwrap();
    assert!(command.contains("test-run") && command.contains("agent-1"), "{command}");
    assert_eq!(fs::metadata(&place.dir).unwrap().permissions().mode() & 0o777, 0o700);
    talk.say(&hello(0));
    assert!(talk.hear_heartbeat() && talk.hear_heartbeat());
    talk.say(&ToAgent::Exit { keep_folder: false });
    wait_until("the agent is gone", PATIENCE, || !lives(host.pid));
    assert!(!place.dir.exists());
    assert_eq!(talk.exit_code(), Some(4));
}

#[test]
fn without_an_agent_connect_says_how_to_start_one() {
    let place = Place::new();
    let output = run(&["connect", "--dir", place.dir()]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("none runs there") && said.contains("--lease"), "{said}");
}

#[test]
fn a_second_daemon_in_a_folder_says_who_is_there() {
    let place = Place::new();
    let arguments = ["daemon", "--dir", place.dir(), "--lease", "30", "--name", "a", "--run", "r"];
    assert_eq!(run(&arguments).status.code(), Some(0));
    let second = run(&arguments);
    assert_eq!(second.status.code(), Some(5));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(&place.pid().to_string()), "{said}");
}

#[test]
fn ten_connects_at_once_start_one_agent() {
    let place = Place::new();
    let talks: Vec<_> = (0..8).map(|_| place.connect(30)).collect();
    let pids: Vec<_> = talks.iter().map(|talk| talk.hello().0.pid).collect();
    assert!(pids.windows(2).all(|pair| pair[0] == pair[1]), "{pids:?}");
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let place = Place::new();
    fs::create_dir(&place.dir).unwrap();
    fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o777)).unwrap();
    let mut talk = place.connect(30);
    assert_eq!(talk.exit_code(), Some(3));
    assert_eq!(fs::read_dir(&place.dir).unwrap().count(), 0);
}

#[test]
fn a_folder_with_a_very_long_name_works() {
    let mut place = Place::new();
    for _ in 0..6 {
        place.dir = place.dir.join("a-part-of-a-path-that-is-far-too-long-for-a-socket");
    }
    assert!(place.greeted(30, 0).ask(Question::Clock).is_ok());
}

#[test]
fn the_clock_is_answered_with_two_readings() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    let Ok(Answer::Clock { received_us, sent_us }) = talk.ask(Question::Clock) else { panic!() };
    assert!(sent_us >= received_us && sent_us - received_us < 100_000);
}

#[test]
fn the_newest_connection_takes_charge() {
    let place = Place::new();
    let mut first = place.greeted(30, 0);
    assert!(first.ask(Question::Clock).is_ok());
    let mut second = place.greeted(30, 0);
    assert!(second.ask(Question::Clock).is_ok());
    let note = first.hear_until("the note", |message| match message {
        FromAgent::Note { text, .. } => Some(text),
        _ => None,
    });
    assert!(note.contains("taken charge"), "{note}");
    assert_eq!(first.hear(), None);
    assert_eq!(first.exit_code(), Some(4));
    assert!(second.ask(Question::Clock).is_ok());
}

#[test]
fn a_stranger_that_never_greets_disturbs_nobody() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    let stranger = place.connect(30);
    stranger.hello();
    assert!(talk.ask(Question::Clock).is_ok());
}

#[test]
fn another_build_is_told_which_one_this_is() {
    let place = Place::new();
    let mut talk = place.connect(30);
    talk.hello();
    let build_id = "0.0.1+another".to_owned();
    talk.say(&ToAgent::Hello { protocol_version: 99, build_id, resume_at: 0 });
    let Some(FromAgent::Failed(failure)) = talk.hear() else { panic!() };
    assert!(failure.text.contains("0.0.1+another"), "{}", failure.text);
    assert!(failure.text.contains(mallard_protocol::BUILD_ID), "{}", failure.text);
    assert_eq!(talk.hear(), None);
    assert!(place.greeted(30, 0).ask(Question::Clock).is_ok());
}

#[test]
fn garbage_ends_its_own_conversation_only() {
    let place = Place::new();
    let bystander = place.connect(30);
    bystander.hello();
    let garbage: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], &[0, 0, 0, 2, 99, 99], &[0, 0, 0, 0]];
    for bytes in garbage {
        let mut talk = place.connect(30);
        talk.hello();
        talk.say_bytes(bytes);
        talk.hear_until("the refusal", |m| matches!(m, FromAgent::Failed(_)).then_some(()));
        assert_eq!(talk.hear(), None, "{bytes:?}");
    }
    let mut talk = place.greeted(30, 0);
    assert!(talk.ask(Question::Clock).is_ok());
    talk.say_bytes(&[0, 0, 0, 3, 200, 200, 200]);
    talk.hear_until("the refusal", |m| matches!(m, FromAgent::Failed(_)).then_some(()));
    assert!(place.greeted(30, 0).ask(Question::Clock).is_ok());
}

#[test]
fn intervals_come_again_from_where_the_orchestrator_says() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    talk.start_load();
    assert_eq!(talk.intervals(3), [0, 1, 2]);
    signal(talk.child.id(), "KILL");
    assert_eq!(talk.exit_code(), None);
    // The load goes on, and nothing is lost while nobody listens.
    std::thread::sleep(Duration::from_millis(500));
    let talk = {
        let mut talk = place.connect(30);
        assert_eq!(talk.hello().1, AgentState::Running);
        talk.say(&hello(2));
        talk
    };
    talk.hear_until("Prepared again", |m| matches!(m, FromAgent::Prepared).then_some(()));
    talk.hear_until("Started again", |m| matches!(m, FromAgent::Started { .. }).then_some(()));
    assert_eq!(talk.intervals(4), [2, 3, 4, 5]);
}

#[test]
fn finished_comes_after_the_last_interval_and_again_after_a_reconnect() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    talk.start_load();
    talk.say(&ToAgent::StopLoad);
    talk.say(&ToAgent::Finish { within_ms: 1000 });
    let mut last = None;
    talk.hear_until("Finished", |message| {
        last = interval(message.clone()).or(last);
        matches!(message, FromAgent::Finished { .. }).then_some(())
    });
    let last = last.unwrap();
    talk.say(&ToAgent::Collected { resume_at: last });
    drop(talk);
    let mut talk = place.connect(30);
    assert_eq!(talk.hello().1, AgentState::Finished);
    talk.say(&hello(last));
    let mut heard = Vec::new();
    talk.hear_until("Finished", |message| {
        heard.extend(interval(message.clone()));
        matches!(message, FromAgent::Finished { .. }).then_some(())
    });
    assert_eq!(heard, [last]);
}

#[test]
fn the_end_of_a_lease_keeps_the_spool_and_nothing_else() {
    let place = Place::new();
    let mut talk = place.greeted(1, 0);
    talk.start_load();
    let pid = place.pid();
    drop(talk);
    wait_until("the lease ends the agent", PATIENCE, || !lives(pid));
    let mut left: Vec<_> = fs::read_dir(&place.dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["agent.log", "final-reports", "spool"]);
    assert!(place.log().contains("no controller came back"), "{}", place.log());
    // Another agent in the same folder hands over what the first one has measured.
    let mut talk = place.connect(30);
    assert_eq!(talk.hello().1, AgentState::Finished);
    talk.say(&hello(0));
    let mut heard = Vec::new();
    talk.hear_until("Finished", |message| {
        heard.extend(interval(message.clone()));
        matches!(message, FromAgent::Finished { .. }).then_some(())
    });
    assert!(heard.len() > 5, "{heard:?}");
    assert!(heard.iter().zip(0..).all(|(a, b)| *a == b), "{heard:?}");
}

#[test]
fn an_idle_agent_leaves_nothing_at_the_end_of_its_lease() {
    let place = Place::new();
    let talk = place.greeted(1, 0);
    let pid = place.pid();
    drop(talk);
    wait_until("the lease ends the agent", PATIENCE, || !lives(pid));
    assert!(!place.dir.exists());
}

#[test]
fn sigterm_finishes_and_says_so() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    talk.start_load();
    let pid = place.pid();
    signal(pid, "TERM");
    talk.hear_until("the reason", |m| match m {
        FromAgent::Note { text, .. } => text.contains("SIGTERM").then_some(()),
        _ => None,
    });
    talk.hear_until("Finished", |m| matches!(m, FromAgent::Finished { .. }).then_some(()));
    wait_until("the agent is gone", PATIENCE, || !lives(pid));
    assert!(place.dir.join("spool").exists());
}

#[test]
fn an_agent_that_was_killed_is_followed_by_another() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    talk.start_load();
    assert_eq!(talk.intervals(3), [0, 1, 2]);
    signal(place.pid(), "KILL");
    talk.hear_until_end();
    assert_eq!(talk.exit_code(), Some(4));
    let mut talk = place.connect(30);
    assert_eq!(talk.hello().1, AgentState::Idle);
    talk.say(&hello(0));
    assert_eq!(talk.intervals(3), [0, 1, 2]);
}

#[test]
fn closing_stdin_ends_connect_and_not_the_agent() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    assert!(talk.ask(Question::Clock).is_ok());
    talk.stop_talking();
    assert_eq!(talk.exit_code(), Some(0));
    assert!(lives(place.pid()));
}

#[test]
fn a_silent_orchestrator_is_given_up_after_ten_seconds() {
    let place = Place::new();
    let mut talk = place.connect(60);
    talk.hello();
    talk.say(&hello(0));
    assert!(talk.ask(Question::Clock).is_ok());
    let silent_since = std::time::Instant::now();
    talk.hear_until_end();
    let waited = silent_since.elapsed();
    assert!(waited > Duration::from_secs(9) && waited < Duration::from_secs(13), "{waited:?}");
    assert_eq!(talk.exit_code(), Some(4));
}

#[test]
fn an_orchestrator_that_does_not_read_holds_nothing_up() {
    let place = Place::new();
    let mut deaf = support::program()
        .args(["connect", "--dir", place.dir(), "--lease", "30", "--name", "a", "--run", "r"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut say = deaf.stdin.take().unwrap();
    for message in [hello(0), ToAgent::SendLog { limit_bytes: 1 << 20 }] {
        say.write_all(&mallard_protocol::frame::encode(&message).unwrap()).unwrap();
    }
    for _ in 0..2000 {
        let ask = ToAgent::Ask { request: 1, question: Question::Clock };
        say.write_all(&mallard_protocol::frame::encode(&ask).unwrap()).unwrap();
    }
    let mut talk = place.greeted(30, 0);
    assert!(talk.ask(Question::Clock).is_ok());
    deaf.kill().unwrap();
    deaf.wait().unwrap();
}

#[test]
fn the_log_comes_in_pieces_within_its_limit() {
    let place = Place::new();
    let mut talk = place.greeted(30, 0);
    for (limit_bytes, whole) in [(1 << 20, true), (300, false)] {
        talk.say(&ToAgent::SendLog { limit_bytes });
        let mut log = Vec::new();
        talk.hear_until("the last piece", |message| match message {
            FromAgent::Log { bytes, last } => {
                log.extend(bytes);
                last.then_some(())
            }
            _ => None,
        });
        let log = String::from_utf8_lossy(&log).into_owned();
        assert_eq!(log.contains("this log keeps head and tail"), whole, "{log}");
        assert!(log.len() <= usize::try_from(limit_bytes).unwrap());
    }
}

impl Talk {
    fn hear_until_end(&self) {
        while self.hear().is_some() {}
    }
}
