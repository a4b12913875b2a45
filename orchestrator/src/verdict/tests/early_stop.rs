//! A load that was ended in order before its planned end is judged by what was measured until then.

use super::*;

const STOPPED_US: u64 = 9_000_000;

/// 9 of 12.5 s were measured; of these the first 2.5 s are warm-up. What is sent later was not sent.
fn stopped(expect: &[&'static str], model: Model) -> Trial {
    let mut trial = Trial::new(expect, model);
    trial.facts.early_stop =
        Some(EarlyStop { by: "SIGTERM".into(), at_us: STOPPED_US, planned_us: 12_500_000 });
    trial.spoil = |_, report| report.end_us <= STOPPED_US;
    trial
}

#[test]
fn what_was_measured_until_then_passes_and_says_so() {
    let judgement = stopped(&["produce.acked.rate >= 198/s", "records.failed == 0"], well).judge();
    let result = &judgement.result;
    assert_eq!(result.verdict, Verdict::Pass, "{:#?}", result.reasons);
    let warning = find(&result.warnings, Kind::StoppedEarly);
    assert_eq!(warning.text, "stopped early: SIGTERM ended the load at 9 s of 12.5 s");
    assert!(judgement.sentence.starts_with("pass (stopped early): "), "{}", judgement.sentence);
    let phases: Vec<_> = result.phases.iter().map(|p| (&*p.name, p.start_us, p.end_us)).collect();
    let (warm_up, hold) = (("warm-up", 0, 2_500_000), ("hold", 2_500_000, STOPPED_US));
    assert_eq!(phases, [warm_up, hold, ("drain", STOPPED_US, STOPPED_US + 5_000_000)]);
}

#[test]
fn a_rate_is_of_the_time_until_the_stop_however_long_the_drain_takes() {
    let mut trial = stopped(&[], well);
    // The consumers catch up for two seconds more, in which nothing is sent.
    trial.spoil = |_, report| {
        if report.start_us >= STOPPED_US {
            report.producers.clear();
        }
        report.end_us <= STOPPED_US + 2_000_000
    };
    let result = trial.result();
    let rate = result.metrics["produce.acked.rate"].value;
    assert!(rate.is_some_and(|rate| (rate - 200.0).abs() < 2.0), "{rate:?}");
}

#[test]
fn a_bound_that_failed_until_then_has_failed() {
    let judgement = stopped(&["produce.service.p99 < 1ms"], well).judge();
    assert_eq!(judgement.result.verdict, Verdict::Fail);
    assert!(judgement.sentence.starts_with("fail (stopped early): "), "{}", judgement.sentence);
}

#[test]
fn windows_that_were_complete_are_judged_and_no_others() {
    let result = stopped(&["produce.acked.rate >= 150/s in every 2s"], well).result();
    assert_eq!(result.verdict, Verdict::Pass, "{:#?}", result.reasons);
    assert_eq!(result.expectations[0].windows, Some((3, 0)), "from 2.5 to 9 s");
}

#[test]
fn an_expectation_about_a_time_that_did_not_come_is_neither_held_nor_failed() {
    let expect = ["records.failed == 0", "produce.acked.rate >= 150/s in the last 2s"];
    let result = stopped(&expect, well).result();
    assert_eq!(result.verdict, Verdict::Interrupted, "{:#?}", result.reasons);
    assert_eq!(
        result.reasons[0].text,
        "stopped early: SIGTERM ended the load at 9 s of 12.5 s, before 1 of 2 expectations could be \
         judged: produce.acked.rate >= 150/s in the last 2s"
    );
    let (first, last) = (&result.expectations[0], &result.expectations[1]);
    assert!(first.passed && !first.not_reached);
    assert!(!last.passed && last.not_reached);
    assert!(last.sentence.contains("the load was stopped before that"), "{}", last.sentence);
    // What failed has failed, whatever else was not reached.
    let expect = ["produce.service.p99 < 1ms", "produce.acked.rate >= 150/s in the last 2s"];
    let result = stopped(&expect, well).result();
    assert_eq!(result.verdict, Verdict::Fail, "{:#?}", result.reasons);
    find(&result.warnings, Kind::StoppedEarly);
}

#[test]
fn a_stop_before_anything_was_measured_is_an_interruption_and_nothing_else() {
    let mut trial = stopped(&["records.failed == 0"], well);
    trial.facts.early_stop =
        trial.facts.early_stop.map(|stop| EarlyStop { at_us: 1_000_000, ..stop });
    trial.spoil = |_, report| report.end_us <= 1_000_000;
    let result = trial.result();
    assert_eq!(result.verdict, Verdict::Interrupted);
    assert_eq!(result.reasons.len(), 1, "{:#?}", result.reasons);
    assert!(result.reasons[0].text.ends_with("before anything was measured"), "{result:#?}");
}
