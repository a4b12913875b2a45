//! Windows, scopes and slopes, judged while the load runs.

use super::run;
use crate::measure::{
    Collector, Judged,
    simulate::{Fate, Shape, reports},
};
use mallard_protocol::schedule::PhaseKind;

fn judged(expect: &'static str, model: fn(u64, u64) -> Fate) -> Judged {
    let shape = Shape { expect: vec![expect], ..Shape::default() };
    run(&shape, model).1.judged.remove(0)
}

/// Slow from 9.2 s to 9.6 s on the run's clock: in the window that begins 6 s into the hold.
fn slow_second(_: u64, due_us: u64) -> Fate {
    let slow = (9_200_000..9_600_000).contains(&due_us);
    Fate { service_us: if slow { 300_000 } else { 2_000 }, ..Fate::default() }
}

#[test]
fn the_first_failing_window_is_named() {
    let judged = judged("produce.response.p99 < 250ms in every 2s", slow_second);
    assert_eq!((judged.windows, judged.failed), (5, 1));
    let first = judged.first_failing.unwrap();
    // The hold begins at 2.5 s; a bound that lies within an interval moves to its end.
    assert_eq!((first.start_us, first.end_us), (9_000_000, 11_000_000));
    assert_eq!(first.value, Some(300_050.0));
}

#[test]
fn a_rest_of_the_time_is_judged_in_a_full_window_of_its_own() {
    let judged = judged("produce.acked.rate >= 199/s in every 4s", |_, _| Fate::default());
    // 0–4, 4–8, and 6–10 s of the hold.
    assert_eq!((judged.windows, judged.failed), (3, 0));
    let worst = judged.worst.unwrap();
    assert!((worst.value.unwrap() - 200.0).abs() < 1.0, "{worst:?}");
}

#[test]
fn a_record_that_is_late_past_the_end_is_judged_in_the_last_window() {
    fn late(_: u64, due_us: u64) -> Fate {
        let last = due_us >= 12_400_000;
        Fate { service_us: if last { 3_000_000 } else { 2_000 }, ..Fate::default() }
    }
    let windowed = judged("produce.response.max < 1s in every 5s", late);
    assert_eq!((windowed.windows, windowed.failed), (2, 1));
    let last = judged("produce.response.max < 1s in the last 1s", late);
    assert_eq!(last.first_failing.unwrap().value, Some(3_000_050.0));
}

#[test]
fn the_worst_member_is_named() {
    fn one_partition(record: u64, _: u64) -> Fate {
        Fate { service_us: if record % 4 == 2 { 9_000 } else { 2_000 }, ..Fate::default() }
    }
    let judged = judged("produce.service.p50 of every partition < 5ms", one_partition);
    let worst = judged.worst.unwrap();
    assert_eq!(worst.member.as_deref(), Some("partition orders/2"));
    assert_eq!(worst.value, Some(9_000.0));
}

#[test]
fn no_samples_are_a_failure() {
    fn mute(_: u64, _: u64) -> Fate {
        Fate { received_us: None, ..Fate::default() }
    }
    for expect in ["end_to_end.p99 < 1s", "end_to_end.p99 < 1s in every 2s"] {
        let judged = judged(expect, mute);
        assert_eq!(judged.failed, judged.windows);
        assert_eq!(judged.first_failing.unwrap().value.is_some(), expect.ends_with("in every 2s"));
    }
}

#[test]
fn a_window_in_which_nothing_came_shows_how_long_its_records_waited() {
    // Nothing is acknowledged from 4.5 to 9.5 s.
    fn stalled(_: u64, due_us: u64) -> Fate {
        let until_us = if (4_500_000..9_500_000).contains(&due_us) { 9_500_000 } else { 0 };
        Fate { service_us: 2_000 + until_us.max(due_us) - due_us, ..Fate::default() }
    }
    let judged = judged("produce.response.max < 1s in every 2s", stalled);
    // Windows begin at 2.5 s; the first one without a sample at 6.5 or before, by cuts of a second.
    let worst = judged.worst.clone().expect("it was judged");
    assert!(judged.failed >= 2, "{judged:?}");
    let value_s = worst.value.expect("a wait, not a lack of samples") / 1e6;
    assert!((4.0..=5.1).contains(&value_s), "{judged:?}");
}

#[test]
fn what_never_came_is_no_pass_however_wide_the_limit() {
    fn mute(_: u64, _: u64) -> Fate {
        Fate { received_us: None, ..Fate::default() }
    }
    let judged = judged("end_to_end.p99 < 1h in every 2s", mute);
    assert_eq!(judged.failed, judged.windows);
    assert_eq!(judged.first_failing.unwrap().value, None);
}

#[test]
fn a_pause_is_not_a_window_without_samples() {
    let shape = Shape {
        phases: vec![
            ("hold", PhaseKind::Hold, 4_000_000),
            ("pause", PhaseKind::Pause, 4_000_000),
            ("hold-2", PhaseKind::Hold, 4_000_000),
            ("drain", PhaseKind::Drain, 2_000_000),
        ],
        expect: vec!["produce.response.p99 < 250ms in every 2s"],
        ..Shape::default()
    };
    let judged = run(&shape, |_, _| Fate::default()).1.judged.remove(0);
    // 0–2, 2–4, 8–10, 10–12 s; the window from 4 s gets the last answers of the first hold.
    assert_eq!(judged.failed, 0);
    assert!((4..=5).contains(&judged.windows), "{judged:?}");
}

#[test]
fn a_slope_is_found() {
    fn rising(_: u64, due_us: u64) -> Fate {
        // One microsecond a millisecond: 3.6 s an hour.
        Fate { service_us: 2_000 + due_us / 1_000, ..Fate::default() }
    }
    let judged = judged("produce.service.p50 slope per hour < 1s", rising);
    let value = judged.worst.unwrap().value.unwrap();
    assert!((value / 3.6e6 - 1.0).abs() < 0.02, "{value}");
    assert_eq!(judged.failed, 1);
}

#[test]
fn a_phase_has_its_own_records_and_its_own_time() {
    let judged = judged("produce.sent.rate of phase warm-up >= 199/s", |_, _| Fate::default());
    let value = judged.worst.unwrap().value.unwrap();
    assert!((199.0..=201.0).contains(&value), "{value}");
}

#[test]
fn lag_is_end_offset_less_position() {
    fn behind(_: u64, _: u64) -> Fate {
        // Received half a second after the acknowledgement: 100 records behind at 200/s.
        Fate { received_us: Some(502_000), ..Fate::default() }
    }
    let judged = judged("consume.lag.max of consumer flink < 50", behind);
    let value = judged.worst.unwrap().value.unwrap();
    assert!((95.0..=105.0).contains(&value), "{value}");
}

#[test]
fn every_window_that_failed_is_kept_and_neighbours_are_one_stretch() {
    fn slow(_: u64, due_us: u64) -> Fate {
        let first = (4_500_000..6_400_000).contains(&due_us);
        let second = (9_500_000..10_400_000).contains(&due_us);
        Fate { service_us: if first || second { 40_000 } else { 2_000 }, ..Fate::default() }
    }
    let judged = judged("produce.service.p99 < 10ms in every 1s", slow);
    // 4–5, 5–6, 6–7, and 9–10, 10–11 s on the run's clock.
    assert_eq!((judged.windows, judged.failed), (10, 5));
    assert_eq!(judged.failing, [(4_000_000, 7_000_000), (9_000_000, 11_000_000)]);
}

#[test]
fn a_window_that_was_judged_before_the_load_was_stopped_is_not_judged_again() {
    let expect = vec!["produce.acked.rate >= 100/s in every 1s"];
    let plan = Shape { expect, ..Shape::default() }.plan();
    let mut collector = Collector::new(&plan);
    for (agent, report) in reports(&plan, |_, _| Fate::default()) {
        if report.start_us >= 9_000_000 {
            collector.stop(9_300_000);
        }
        let _ = collector.interval(agent, &report);
    }
    let judged =
        collector.conclude(&mallard_protocol::message::LogBounds::default()).judged.remove(0);
    assert_eq!((judged.windows, judged.failed), (6, 0), "2.5 to 9 s: {judged:?}");
}
