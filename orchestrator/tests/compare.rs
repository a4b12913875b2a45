//! Comparisons of archives that were never measured: what is said, that it stays the same, and that the page
//! is sound in a browser.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/synthetic.rs"]
#[expect(dead_code, unreachable_pub, reason = "other tests use the rest of it")]
mod synthetic;

use mallard::{
    archive::Latencies,
    model::{
        fingerprint::Fingerprint,
        result::{CaseResult, SeriesRow, Verdict},
    },
    over_time::{
        compare::{self, Asked, Comparison, Figure},
        fingerprint,
        history::History,
        judge::{Basis, Word},
    },
    report::templates::Templates,
};
use mallard_protocol::histogram::Histogram;
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};
use synthetic::{
    Case, Dice, case_events, finish_run, metric, partitions, phase, simulate, start_run, summary,
};
use tempfile::TempDir;
use testkit::browser::{Page, View};

/// What the broker does.
#[derive(Clone, Copy)]
enum Broker {
    /// Answers in about so many microseconds.
    Answers(f64),
    /// Stands still for two seconds of the load.
    Stalls,
}

const QUICK: Broker = Broker::Answers(4_000.0);
const SLOW: Broker = Broker::Answers(6_000.0);

/// Steady load, every record with a latency of its own.
fn answer(case: &mut Case, middle: f64, dice: &mut Dice) {
    for second in 0..40 {
        let mut h: [Histogram; 4] = Default::default();
        let sends = second < 38;
        for _ in 0..if sends { 800 } else { 0 } {
            let bell = (0..6).map(|_| dice.unit()).sum::<f64>() - 3.0;
            let us = (middle * (0.2 * bell).exp()) as u64;
            for (h, us) in h.iter_mut().zip([us, us + 50, us + 900, 40]) {
                h.record_n(us, 5);
            }
        }
        let records = if sends { 4_000 } else { 0 };
        let row = SeriesRow {
            start_us: second * 1_000_000,
            end_us: (second + 1) * 1_000_000,
            scheduled: records,
            sent: records,
            acked: records,
            received: records,
            lag: Some(40),
            ..SeriesRow::default()
        };
        case.append(row, &h, &[], dice);
    }
}

/// A run of one case, changed in its result before it is written.
fn run_with(
    results: &Path,
    (id, seed): (&str, u64),
    broker: Broker,
    change: impl FnOnce(&mut CaseResult),
) -> PathBuf {
    let mut run = start_run(results, id, "steady", &["steady"]);
    let mut dice = Dice::new(seed);
    let phases = vec![
        phase("warm-up", "warm-up", 0..3),
        phase("hold", "hold", 3..38),
        phase("drain", "drain", 38..40),
    ];
    let mut case = Case::start(&run, "steady", 2, phases);
    match broker {
        Broker::Answers(us) => answer(&mut case, us, &mut dice),
        Broker::Stalls => simulate(&mut case, 40, 38, 18_000..20_000, &mut dice),
    }
    let mut result = case.result(&run, Vec::new());
    result.metrics.insert("records.lost".into(), metric(Some(0.0), "records"));
    let (rows, series) = partitions(&case, "health-data-raw", 6, 20, &mut dice);
    result.partitions = rows;
    change(&mut result);
    case_events(&mut run, "steady", &result, "pass");
    let [service, response, end_to_end, slip] = &case.totals.clone();
    let latencies = Latencies { service, response, end_to_end, slip };
    case.folder.finish(&result, &series, Some(latencies)).unwrap();
    let line = summary(&result, "pass", 42_000_000);
    let started_at = format!("2026-03-14T14:{:02}:38Z", seed % 60);
    finish_run(&mut run, "steady", vec![line], &started_at, "2026-03-14T15:03:04Z")
}

fn run(results: &Path, id: &str, seed: u64, broker: Broker) -> PathBuf {
    run_with(results, (id, seed), broker, |_| {})
}

fn several(results: &Path, name: &str, seeds: Range<u64>, broker: Broker) -> Vec<PathBuf> {
    seeds.map(|seed| run(results, &format!("{name}-{seed}"), seed, broker)).collect()
}

fn compared(base: &[PathBuf], with: &[PathBuf], asked: &Asked) -> Comparison {
    let sides = compare::read((vec!["a".into()], base), (vec!["b".into()], with)).unwrap();
    compare::compare(sides, asked, &|_| History::default())
}

fn asked() -> Asked {
    Asked { tolerance: 0.05, ..Asked::default() }
}

fn figure<'a>(of: &'a Comparison, metric: &str) -> &'a Figure {
    of.cases[0].figures.iter().find(|figure| figure.metric == metric).unwrap()
}

fn page(of: &Comparison) -> Vec<u8> {
    compare::page(of, &Templates::load(None).unwrap()).unwrap()
}

/// Three runs on a quick broker and three on a slow one.
fn slower() -> (TempDir, Comparison) {
    let folder = tempfile::tempdir().unwrap();
    let base = several(folder.path(), "base", 1..4, QUICK);
    let new = several(folder.path(), "new", 11..14, SLOW);
    let comparison = compared(&base, &new, &asked());
    (folder, comparison)
}

#[test]
fn a_slower_broker_makes_latency_worse_and_leaves_the_rate_the_same() {
    let (_folder, of) = slower();
    assert_eq!((of.word, of.exit_code()), (Word::Worse, 1), "{}", compare::text(&of));
    let p99 = figure(&of, "produce.response.p99");
    assert_eq!((p99.judged.word, p99.judged.basis), (Some(Word::Worse), Basis::BetweenRuns));
    let (low, high) = (p99.judged.low.unwrap(), p99.judged.high.unwrap());
    assert!((1.3..1.5).contains(&low) && (1.5..1.7).contains(&high), "{p99:?}");
    assert_eq!(figure(&of, "produce.acked.rate").judged.word, Some(Word::Same));
    assert_eq!(figure(&of, "records.lost").judged.word, Some(Word::Same));
    assert!(of.sentence.starts_with("worse: produce.response.p99"), "{}", of.sentence);
    let ranks = p99.judged.ranks.unwrap();
    assert!((ranks.p - 0.1).abs() < 1e-9 && (ranks.smallest_p - 0.1).abs() < 1e-9);
}

#[test]
fn three_runs_a_side_of_one_system_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let base = several(folder.path(), "base", 1..4, QUICK);
    let new = several(folder.path(), "new", 11..14, QUICK);
    let of = compared(&base, &new, &asked());
    assert_eq!((of.word, of.exit_code()), (Word::Same, 0), "{}", compare::text(&of));
    assert!(of.cases[0].differences.is_empty(), "{:?}", of.cases[0].differences);
    assert!(of.cases[0].unknown.iter().any(|path| path == "kafka.topics_in_effect"));
}

#[test]
fn percentiles_of_a_side_come_from_merged_histograms() {
    let folder = tempfile::tempdir().unwrap();
    let base = several(folder.path(), "base", 1..4, QUICK);
    let mixed =
        [run(folder.path(), "x-1", 21, QUICK), run(folder.path(), "x-2", 22, Broker::Answers(9e6))];
    let of = compared(&base, &mixed, &asked());
    let p50 = figure(&of, "produce.response.p50");
    let mean = p50.with_runs.iter().sum::<f64>() / 2.0;
    let merged = p50.with.unwrap();
    assert!(merged < mean / 2.0, "half of the records are quick: {merged}, mean {mean}");
}

#[test]
fn one_stall_in_each_run_may_be_chance_and_is_not_called_worse() {
    let folder = tempfile::tempdir().unwrap();
    let base = several(folder.path(), "base", 1..4, QUICK);
    let new = several(folder.path(), "new", 11..14, Broker::Stalls);
    let of = compared(&base, &new, &asked());
    let p99 = figure(&of, "produce.response.p99");
    assert_eq!(p99.judged.word, Some(Word::Unclear), "{p99:?}");
    assert!(p99.judged.ratio.unwrap() > 10.0 && p99.judged.spread.unwrap() > 0.5, "{p99:?}");
}

#[test]
fn one_run_a_side_is_unclear_and_says_what_would_tell() {
    let folder = tempfile::tempdir().unwrap();
    let base = [run(folder.path(), "one", 1, QUICK)];
    let new = [run(folder.path(), "two", 2, QUICK)];
    let of = compared(&base, &new, &asked());
    assert_eq!((of.word, of.exit_code()), (Word::Unclear, 4));
    let text = compare::text(&of);
    assert!(
        text.contains("within these runs only; --repeat 5 on both sides would decide it"),
        "{text}"
    );
    let p99 = figure(&of, "produce.response.p99");
    assert_eq!(p99.judged.basis, Basis::WithinRuns);
    assert!(p99.judged.low.unwrap() < 1.0 && p99.judged.high.unwrap() > 1.0, "{p99:?}");
}

#[test]
fn one_run_a_side_is_told_by_the_spread_of_earlier_runs() {
    let folder = tempfile::tempdir().unwrap();
    several(folder.path(), "old", 31..40, QUICK);
    let base = [run(folder.path(), "one", 1, QUICK)];
    let new = [run(folder.path(), "two", 2, SLOW)];
    let sides = compare::read((vec![], &base), (vec![], &new)).unwrap();
    let but = ["one".to_owned(), "two".to_owned()];
    let of = compare::compare(sides, &asked(), &|of| History::read(folder.path(), of.key(), &but));
    let p99 = figure(&of, "produce.response.p99");
    assert_eq!((p99.judged.word, p99.judged.basis), (Some(Word::Worse), Basis::History));
    assert!(p99.says.starts_with("earlier runs spread by"), "{}", p99.says);
}

#[test]
fn a_single_lost_record_is_worse() {
    let folder = tempfile::tempdir().unwrap();
    let base = [run(folder.path(), "one", 1, QUICK)];
    let lost = |result: &mut CaseResult| {
        result.metrics.insert("records.lost".into(), metric(Some(1.0), "records"));
    };
    let new = [run_with(folder.path(), ("two", 2), QUICK, lost)];
    let of = compared(&base, &new, &Asked { metrics: vec!["records.lost".into()], ..asked() });
    assert_eq!((of.word, of.exit_code()), (Word::Worse, 1));
    assert_eq!(figure(&of, "records.lost").judged.basis, Basis::Exact);
}

#[test]
fn a_metric_that_was_to_decide_and_is_not_there_is_named_and_unclear() {
    let folder = tempfile::tempdir().unwrap();
    let base = several(folder.path(), "base", 1..4, QUICK);
    let new = several(folder.path(), "new", 11..14, QUICK);
    let metrics = vec!["produce.response.p50".to_owned(), "consume.queue.max".to_owned()];
    let of = compared(&base, &new, &Asked { metrics, ..asked() });
    assert_eq!((of.word, of.exit_code()), (Word::Unclear, 4));
    assert!(of.sentence.contains("same: produce.response.p50"), "{}", of.sentence);
    assert!(of.sentence.contains("not on both sides: consume.queue.max"), "{}", of.sentence);
}

#[test]
fn what_differs_is_told_first_and_what_was_varied_on_purpose_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let base = [run(folder.path(), "one", 1, QUICK)];
    let changed = |result: &mut CaseResult| {
        let gateway = result.clients_in_effect.get_mut("gateway").unwrap();
        gateway.insert("batch.size".into(), "16384".into());
        result.versions.insert("kafka".into(), "4.4.0".into());
    };
    let new = [run_with(folder.path(), ("two", 2), QUICK, changed)];
    let across = vec!["plan.client.batch.size".to_owned()];
    let of = compared(&base, &new, &Asked { across, ..asked() });
    let text = compare::text(&of);
    let kafka = text.find("differs: kafka.version: 4.1.1 → 4.4.0").unwrap();
    let batch = text.find("varied: plan.client.gateway.batch.size: 1000000 → 16384").unwrap();
    assert!(kafka < batch && batch < text.find("  metric").unwrap(), "{text}");
}

#[test]
fn runs_that_cannot_be_trusted_are_left_out_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let base = [run(folder.path(), "one", 1, QUICK)];
    let invalid = |result: &mut CaseResult| result.verdict = Verdict::Invalid;
    let new = [run_with(folder.path(), ("two", 2), QUICK, invalid)];
    let of = compared(&base, &new, &asked());
    assert_eq!((of.word, of.exit_code(), of.cases.len()), (Word::Unclear, 4, 0));
    let text = compare::text(&of);
    assert!(text.contains("left out: two, case steady: its verdict is invalid"), "{text}");
    assert!(text.contains("left out: one, case steady: what is held against it has no"), "{text}");
    assert!(text.contains("unclear: nothing could be compared"), "{text}");
    assert!(String::from_utf8(page(&of)).unwrap().contains("nothing could be compared"));
}

#[test]
fn a_comparison_made_again_has_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let base = several(folder.path(), "base", 1..4, QUICK);
    let new = [run(folder.path(), "two", 12, SLOW)];
    let made = || {
        let of = compared(&base, &new, &asked());
        (serde_json::to_string(&of).unwrap(), page(&of), compare::text(&of))
    };
    assert_eq!(made(), made());
}

#[test]
fn an_archive_without_a_fingerprint_has_the_one_that_would_have_been_stored() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path(), "one", 1, QUICK);
    let read = |name: &str| fs::read_to_string(run.join("cases/steady").join(name)).unwrap();
    let stored = fs::read_to_string(run.join("run.json")).unwrap();
    assert!(!stored.contains("fingerprint"), "an archive of 0.1");
    let mut result = serde_json::from_str(&stored).unwrap();
    fingerprint::add(&run, &mut result);
    let added: &Fingerprint = result.cases[0].fingerprint.as_ref().unwrap();
    let case: CaseResult = serde_json::from_str(&read("result.json")).unwrap();
    let (scenario, cluster) = (read("scenario.yaml"), read("cluster.yaml"));
    assert_eq!(*added, fingerprint::of(&case, Some(&scenario), Some(&cluster)));
    assert_eq!(fingerprint::leaves(added)["plan.topics.health-data-raw.partitions"], "6");
}

#[test]
fn the_page_is_sound_in_every_view() {
    testkit::require!(chromium);
    let (folder, of) = slower();
    let file = folder.path().join("comparison.html");
    fs::write(&file, page(&of)).unwrap();
    for view in [View::DESKTOP, View::PHONE, View::DESKTOP.dark(), View::DESKTOP.without_scripts()]
    {
        let mut page = Page::open(&file, view);
        assert_eq!(page.errors(), []);
        assert!(page.requests().is_empty(), "{:?}", page.requests());
        assert_eq!(page.sideways_overflow_px(), 0);
    }
    let mut page = Page::open(&file, View::DESKTOP);
    let charts = page.evaluate("document.querySelectorAll('svg.plot path.series').length");
    // Three latencies as curves of two sides and as a shift; six runs in four charts over time.
    assert!(charts.as_u64().unwrap() >= 3 * 3 + 4 * 6, "{charts}");
    let bands = page.evaluate("document.querySelectorAll('path.bandarea').length");
    assert_eq!(bands.as_u64(), Some(3));
    let word = page.evaluate("document.querySelector('.verdict h1').textContent");
    assert_eq!(word, "worse");
}
