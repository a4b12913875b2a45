//! Figures over many runs that were never measured: changes that are known, breaks, what is accepted, and the page.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/synthetic.rs"]
#[expect(dead_code, unreachable_pub, reason = "other tests use the rest of it")]
mod synthetic;

use mallard::{
    model::result::{CaseResult, Verdict},
    over_time::{
        fingerprint, index,
        trend::{self, Asked, Direction, Series, Standing, Trend, accepted},
    },
    report::templates::Templates,
};
use std::{fs, path::Path};
use synthetic::{Case, Dice, finish_run, metric, phase, start_run, summary};
use tempfile::TempDir;
use testkit::browser::{Page, View};

const METRIC: &str = "produce.response.p99";

/// A run whose repetitions have these latencies, in milliseconds, on a Kafka of this version.
fn run(results: &Path, number: usize, values: &[f64], kafka: &str) {
    let names: Vec<String> = (0..values.len())
        .map(|at| if at == 0 { "steady".to_owned() } else { format!("steady+{}", at + 1) })
        .collect();
    let cases: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut run = start_run(results, &format!("run-{number:03}"), "steady", &cases);
    let mut lines = Vec::new();
    for (name, value) in names.iter().zip(values) {
        let mut case = Case::start(&run, name, 1, vec![phase("hold", "hold", 0..1)]);
        let mut result: CaseResult = case.result(&run, Vec::new());
        result.scenario = "steady".into();
        result.verdict = Verdict::Pass;
        result.versions.insert("kafka".into(), kafka.into());
        result.metrics.insert(METRIC.into(), metric(Some(value * 1e3), "us"));
        result.metrics.insert("records.lost".into(), metric(Some(0.0), "records"));
        case.folder.finish(&result, &[], None).unwrap();
        let mut line = summary(&result, "pass", 1_000_000);
        line.fingerprint = Some(fingerprint::of(&result, None, None));
        lines.push(line);
    }
    let (day, hour) = (1 + number / 24, number % 24);
    let at = format!("2026-03-{day:02}T{hour:02}:00:00Z");
    finish_run(&mut run, "steady", lines, &at, &at);
}

/// So many runs at each level, of 2 % spread.
fn archive(levels: &[(f64, usize, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(7);
    let mut number = 0;
    for (level, runs, kafka) in levels {
        for _ in 0..*runs {
            let bell = (0..12).map(|_| dice.unit()).sum::<f64>() - 6.0;
            run(folder.path(), number, &[level * (0.02 * bell).exp()], kafka);
            number += 1;
        }
    }
    folder
}

fn asked() -> Asked {
    Asked { scenario: "steady".into(), metrics: Vec::new(), since: None, tolerance: 0.05 }
}

fn trend_of(results: &Path) -> Trend {
    let (runs, _) = trend::all_metrics(results, "steady");
    trend::build(runs, &asked(), &accepted::read(results).unwrap())
}

fn p99(of: &Trend) -> &Series {
    of.series.iter().find(|series| series.metric == METRIC).unwrap()
}

#[test]
fn a_known_change_for_the_worse_is_found_named_and_fails() {
    let folder = archive(&[(10.0, 20, "4.1.1"), (12.0, 15, "4.1.1")]);
    let of = trend_of(folder.path());
    assert_eq!((of.word, of.exit_code()), ("worse", 1), "{}", trend::text(&of));
    let series = p99(&of);
    let [change] = series.changes.as_slice() else { panic!("{:#?}", series.changes) };
    assert_eq!((change.at, change.run.as_str()), (20, "run-020"));
    assert_eq!((change.direction, change.standing), (Direction::Worse, Standing::Confirmed));
    assert!(change.low < 1.2 && change.high > 1.2, "{change:?}");
    assert_eq!(series.regimes[0].levels.len(), 2);
    assert!(of.sentence.contains("since run-020"), "{}", of.sentence);
}

#[test]
fn a_change_is_suspect_until_more_than_five_runs_are_beside_it() {
    for (after, standing, code) in
        [(4, Standing::Suspect, 0), (5, Standing::Suspect, 0), (6, Standing::Confirmed, 1)]
    {
        let folder = archive(&[(10.0, 20, "4.1.1"), (12.0, after, "4.1.1")]);
        let of = trend_of(folder.path());
        let changes = &p99(&of).changes;
        assert_eq!(changes.len(), 1, "{after}: {changes:#?}");
        assert_eq!((changes[0].standing, of.exit_code()), (standing, code), "{after}");
    }
    let one = archive(&[(10.0, 20, "4.1.1"), (14.0, 1, "4.1.1")]);
    let of = trend_of(one.path());
    assert_eq!((of.word, of.exit_code()), ("suspect", 0), "{}", trend::text(&of));
    assert_eq!(p99(&of).suspects[0].run, "run-020");
}

#[test]
fn what_was_taken_back_fails_no_more_and_a_change_for_the_better_never_does() {
    let back = archive(&[(10.0, 12, "4.1.1"), (13.0, 12, "4.1.1"), (10.0, 12, "4.1.1")]);
    let of = trend_of(back.path());
    assert_eq!(p99(&of).changes.len(), 2, "{:#?}", p99(&of).changes);
    assert!(of.exit_code() == 0 && !p99(&of).is_worse(), "{}", trend::text(&of));
    let better = archive(&[(10.0, 15, "4.1.1"), (8.0, 15, "4.1.1")]);
    assert_eq!(trend_of(better.path()).exit_code(), 0);
}

#[test]
fn another_kafka_breaks_the_series_and_is_no_change() {
    let folder = archive(&[(10.0, 15, "4.1.1"), (14.0, 15, "4.4.0")]);
    let of = trend_of(folder.path());
    let series = p99(&of);
    assert_eq!((of.exit_code(), series.changes.len()), (0, 0), "{}", trend::text(&of));
    let [at] = series.breaks.as_slice() else { panic!("{:#?}", series.breaks) };
    assert_eq!((at.at, at.run.as_str()), (15, "run-015"));
    assert_eq!(at.differs[0].0, "kafka.version");
    assert!(
        trend::text(&of).contains("break: kafka.version 4.1.1 → 4.4.0"),
        "{}",
        trend::text(&of)
    );
}

#[test]
fn a_run_of_another_kind_in_between_leaves_the_level_whole() {
    let folder = archive(&[(10.0, 10, "4.1.1"), (30.0, 1, "4.4.0"), (10.0, 10, "4.1.1")]);
    let of = trend_of(folder.path());
    let series = p99(&of);
    assert_eq!((series.regimes.len(), series.changes.len()), (2, 0), "{series:#?}");
    assert_eq!(series.regimes[0].levels[0].runs, 20);
}

#[test]
fn repetitions_of_a_run_are_one_point_at_their_median() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 0, &[10.0, 50.0, 11.0], "4.1.1");
    let of = trend_of(folder.path());
    let [point] = p99(&of).points.as_slice() else { panic!("one run") };
    assert_eq!((point.value, point.low, point.high, point.repeats), (11e3, 10e3, 50e3, 3));
}

#[test]
fn an_accepted_change_does_not_fail_and_an_entry_without_a_change_is_a_warning() {
    let folder = archive(&[(10.0, 20, "4.1.1"), (12.0, 15, "4.1.1")]);
    let entry = |run: &str| {
        format!("- {{scenario: steady, metric: {METRIC}, run: {run}, reason: bigger batches}}\n")
    };
    fs::write(folder.path().join(accepted::FILE), entry("run-020")).unwrap();
    let of = trend_of(folder.path());
    assert_eq!((of.word, of.exit_code(), of.warnings.len()), ("steady", 0, 0), "{of:#?}");
    assert_eq!(p99(&of).changes[0].standing, Standing::Accepted);
    fs::write(folder.path().join(accepted::FILE), entry("run-005")).unwrap();
    let of = trend_of(folder.path());
    assert_eq!((of.exit_code(), of.warnings.len()), (1, 1), "{:?}", of.warnings);
    assert!(of.warnings[0].contains("accepted.yaml, line 1"), "{:?}", of.warnings);
}

#[test]
fn the_same_archive_gives_the_same_bytes() {
    let folder = archive(&[(10.0, 20, "4.1.1"), (12.0, 8, "4.1.1"), (9.0, 8, "4.4.0")]);
    let templates = Templates::load(None).unwrap();
    let made = || {
        let of = trend_of(folder.path());
        index::write(folder.path(), &templates).unwrap();
        let index = fs::read(folder.path().join("index.html")).unwrap();
        (trend::page(&of, &templates).unwrap(), trend::json(&of).unwrap(), index)
    };
    assert!(made() == made());
}

#[test]
fn pages_draw_levels_breaks_and_changes() {
    testkit::require!(chromium);
    let folder = archive(&[(10.0, 20, "4.1.1"), (12.0, 8, "4.1.1"), (9.0, 8, "4.4.0")]);
    let templates = Templates::load(None).unwrap();
    let of = trend_of(folder.path());
    let path = folder.path().join("trend-steady.html");
    fs::write(&path, trend::page(&of, &templates).unwrap()).unwrap();
    for view in [View::DESKTOP, View::PHONE.dark()] {
        let mut page = Page::open(&path, view);
        assert_eq!(page.count("[data-series$='response.p99'] .level"), 3);
        assert_eq!(page.count("[data-series$='response.p99'] .break"), 1);
        assert_eq!(page.count("[data-series$='response.p99'] .change.worse"), 1);
        assert_eq!(page.count("[data-series$='response.p99'] .marks li"), 2);
        assert_eq!(page.errors(), []);
    }
    index::write(folder.path(), &templates).unwrap();
    let mut page = Page::open(&folder.path().join("index.html"), View::DESKTOP);
    assert!(page.count(".trends .break") >= 1);
    assert_eq!(page.count(".trends .change.worse"), 1);
}
