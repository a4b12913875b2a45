//! The targets: whoever reads bytes of others, or what a crash left of its own, refuses what makes no
//! sense and never panics. See the crate's documentation for how.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../../orchestrator/tests/support/controller.rs"]
mod simulate;

use mallard::{
    archive::{IntervalReader, RunFolder},
    hosts::channel::event::Input,
    run::{case::Case, checkpoint::Checkpoint, io::Effect},
};
use mallard_agent::spool::{LIMITS, Spool};
use mallard_fuzz::{
    damage::{Edit, damaged, edits},
    for_a_while, seeds,
};
use mallard_protocol::{
    frame::{self, Decoder, MAX_FRAME_BYTES},
    interval::IntervalReport,
    message::{AgentState, FromAgent},
};
use proptest::{prelude::*, sample::Index};
use serde::{Serialize, de::DeserializeOwned};
use simulate::{at, context};
use std::fs;

fn frames<M: Serialize>(messages: &[M]) -> Vec<Vec<u8>> {
    messages.iter().map(|message| frame::encode(message).unwrap()).collect()
}

/// A target that tries nothing finds nothing.
fn report(tried: u64, made_sense: u64) {
    let some = made_sense > 0 && made_sense < tried * 64;
    assert!(some, "{tried} inputs, of which {made_sense} still made sense");
}

#[test]
fn a_conversation_of_garbage_ends_and_takes_no_more_memory_than_came() {
    let case = seeds::case();
    let said = [frames(&seeds::to_agent(&case)), frames(&seeds::from_agent(&case, 0))].concat();
    let inputs = (prop::collection::vec((any::<Index>(), edits()), 1..6), 1_usize..5_000);
    let whole = std::cell::Cell::new(0);
    let tried = for_a_while(&inputs, |(picked, piece)| {
        let bytes: Vec<u8> = picked
            .iter()
            .flat_map(|(of, edits)| damaged(of.get::<Vec<u8>>(&said), edits))
            .collect();
        let mut decoder = Decoder::default();
        for piece in bytes.chunks(piece) {
            decoder.push(piece);
            loop {
                match decoder.next_body() {
                    Ok(Some(body)) => {
                        prop_assert!(body.len() <= MAX_FRAME_BYTES);
                        let _ = frame::hello_head(body);
                        whole.set(whole.get() + 1);
                    }
                    Ok(None) => break,
                    Err(_) => return Ok(()),
                }
            }
        }
        Ok(())
    });
    report(tried, whole.get());
}

#[test]
fn what_an_agent_is_told_is_understood_or_refused() {
    understood_or_refused(&seeds::to_agent(&seeds::case()));
}

#[test]
fn what_an_agent_says_is_understood_or_refused() {
    let case = seeds::case();
    understood_or_refused(&[seeds::from_agent(&case, 0), seeds::from_agent(&case, 1)].concat());
}

/// What is understood can be said again, and means the same then.
fn understood_or_refused<M: Serialize + DeserializeOwned>(messages: &[M]) {
    let bodies: Vec<_> = frames(messages).into_iter().map(|frame| frame[4..].to_vec()).collect();
    for body in &bodies {
        assert_eq!(frame::encode(&frame::decode::<M>(body).unwrap()).unwrap()[4..], body[..]);
    }
    let understood = std::cell::Cell::new(0);
    let tried = for_a_while(&(any::<Index>(), edits()), |(of, edits)| {
        let body = damaged(of.get::<Vec<u8>>(&bodies), &edits);
        let Ok(message) = frame::decode::<M>(&body) else { return Ok(()) };
        let again = frame::encode(&message).unwrap();
        let once_more = frame::encode(&frame::decode::<M>(&again[4..]).unwrap()).unwrap();
        prop_assert_eq!(again, once_more);
        understood.set(understood.get() + 1);
        Ok(())
    });
    report(tried, understood.get());
}

/// A case whose load runs.
fn running_case(plan: &mallard::plan::CasePlan) -> Case {
    let checkpoint: Checkpoint = serde_json::from_value(serde_json::json!({
        "started_at": "2026-01-01T12:00:00Z",
        "load_started_at": "2026-01-01T12:00:00Z",
        "start_clock_us": 1_000_000,
        "boot_id": "this boot",
        "own_brokers": ["127.0.0.1:9092", "127.0.0.1:9092"],
        "cluster": {"cluster_id": null, "brokers": [], "controller": null},
        "partitions": [3],
        "start_offsets": [],
        "clocks": {},
        "agents": [null, null],
    }))
    .unwrap();
    let mut case = Case::resume(plan.clone(), context(), at(2_000_000), &checkpoint);
    let _ = case.begin();
    for agent in 0..2 {
        let message = Box::new(seeds::hello(AgentState::Running));
        let _ = case.handle(at(2_100_000), Input::Message { agent, message });
    }
    case
}

/// Who speaks, which message it is, what happens to it, and how long after the one before it comes.
type Said = (usize, Index, Vec<Edit>, u64);

#[test]
fn a_controller_bears_whatever_its_agents_may_come_to_say() {
    let plan = seeds::case();
    let said: Vec<Vec<Vec<u8>>> = (0..2)
        .map(|agent| {
            let all = frames(&seeds::from_agent(&plan, agent));
            all.into_iter().map(|frame| frame[4..].to_vec()).collect()
        })
        .collect();
    let one = (0_usize..2, any::<Index>(), edits(), 0_u64..2_000_000);
    let inputs = (any::<bool>(), prop::collection::vec(one, 1..24));
    let heard = std::cell::Cell::new(0);
    let tried = for_a_while(&inputs, |(runs, words): (bool, Vec<Said>)| {
        let mut case = running_case(&plan);
        if !runs {
            case = Case::new(plan.clone(), context(), at(0));
            let _ = case.begin();
        }
        let mut now_us = 2_200_000;
        let mut judged = 0;
        for (agent, of, edits, later_us) in words {
            now_us += later_us;
            let body = damaged(of.get::<Vec<u8>>(&said[agent]), &edits);
            let Ok(message) = frame::decode::<FromAgent>(&body) else { continue };
            heard.set(heard.get() + 1);
            let effects =
                case.handle(at(now_us), Input::Message { agent, message: Box::new(message) });
            judged += effects.iter().filter(|effect| matches!(effect, Effect::Judged(_))).count();
        }
        // However it went, it comes to its end, and to one judgement.
        for _ in 0..400 {
            now_us += 1_000_000;
            let effects = case.handle(at(now_us), Input::Tick);
            judged += effects.iter().filter(|effect| matches!(effect, Effect::Judged(_))).count();
        }
        prop_assert!(case.is_done());
        prop_assert_eq!(judged, 1);
        Ok(())
    });
    report(tried, heard.get());
}

/// A spool's files, which must be those of one that was appended to.
fn spooled() -> (tempfile::TempDir, Vec<Vec<u8>>) {
    let case = seeds::case();
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), LIMITS).unwrap();
    let entries = frames(&seeds::from_agent(&case, 0)[60..]);
    for (sequence, frame) in (0..).zip(&entries) {
        assert!(spool.append(sequence, frame).refused.is_none());
    }
    (folder, entries)
}

#[test]
fn a_spool_that_a_crash_left_gives_whole_entries_and_goes_on() {
    let (folder, entries) = spooled();
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&file).unwrap();
    let found = std::cell::Cell::new(0);
    let tried = for_a_while(&edits(), |edits| {
        let place = tempfile::tempdir().unwrap();
        let left = damaged(&bytes, &edits);
        fs::write(place.path().join(file.file_name().unwrap()), &left).unwrap();
        let (mut spool, cut) = Spool::open(place.path(), LIMITS).unwrap();
        prop_assert!(cut <= left.len() as u64);
        let mut next = 0;
        while let Some((sequence, frame)) = spool.next_from(next) {
            let at = usize::try_from(sequence).unwrap();
            prop_assert_eq!(entries.get(at), Some(&frame));
            found.set(found.get() + 1);
            next = sequence + 1;
        }
        let end = spool.end();
        prop_assert!(spool.append(end, b"one more").refused.is_none());
        prop_assert_eq!(spool.next_from(end), Some((end, b"one more".to_vec())));
        Ok(())
    });
    report(tried, found.get());
}

#[test]
fn reports_in_an_archive_that_a_crash_left_are_read_up_to_where_they_are_whole() {
    let case = seeds::case();
    let folder = tempfile::tempdir().unwrap();
    let reports: Vec<_> = (0..6).map(|sequence| seeds::interval(&case, 0, sequence)).collect();
    let run = RunFolder::create(folder.path(), "fuzz", Some("fuzz")).unwrap();
    let mut log = run.case("case").unwrap().interval_log("local-1", 0).unwrap();
    reports.iter().for_each(|report| log.append(report).unwrap());
    let path = run.path().join("cases/case/agents/local-1/intervals");
    let bytes = fs::read(&path).unwrap();
    let found = std::cell::Cell::new(0);
    let tried = for_a_while(&edits(), |edits| {
        let left = damaged(&bytes, &edits);
        fs::write(&path, &left).unwrap();
        let Ok(mut reader) = IntervalReader::open(&path) else { return Ok(()) };
        let read: Vec<IntervalReport> = reader.by_ref().collect();
        let whole = usize::try_from(reader.whole_bytes()).unwrap();
        prop_assert!(whole <= left.len());
        if edits.is_empty() {
            prop_assert_eq!(&read, &reports);
        }
        found.set(found.get() + read.len() as u64);
        Ok(())
    });
    report(tried, found.get());
}
