//! Reports, made from archives: what is in them, that they stay the same, and that they stay small.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/merging.rs"]
mod merging;
mod support;

use mallard::{
    archive::{IntervalReader, RunFolder, intervals, read::RunArchive},
    over_time::index,
    report::{schema, templates::Templates},
};
use merging::Scale;
use std::{
    fs,
    path::{Path, PathBuf},
};
use support::archives;
use tempfile::TempDir;
use testkit::callgrind;

/// A page for a day of a hundred agents and a thousand partitions stays below this.
const PAGE_LIMIT_BYTES: u64 = 5_000_000;

fn made(make: fn(&Path) -> PathBuf) -> (TempDir, PathBuf) {
    let results = tempfile::tempdir().unwrap();
    let run = make(results.path());
    index::with_reports(&run, &Templates::load(None).unwrap()).unwrap();
    (results, run)
}

fn text(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn valid(schema: &str, document: &Path) {
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text(document.into())).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let complaints: Vec<_> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn run_and_result_are_what_their_schemas_say() {
    for make in [archives::passing, archives::failing, archives::matrix, archives::hostile] {
        let (_results, run) = made(make);
        valid(&schema::run(), &run.join("run.json"));
        for case in fs::read_dir(run.join("cases")).unwrap() {
            valid(&schema::result(), &case.unwrap().path().join("result.json"));
        }
    }
}

#[test]
fn junit_reads_like_this() {
    let (_results, run) = made(archives::matrix);
    testkit::snapshot!("report/junit_reads_like_this", text(run.join("junit.xml")));
}

#[test]
fn tables_and_run_read_like_this() {
    let (_results, run) = made(archives::failing);
    let case = run.join("cases/steady");
    let head = |name: &str, lines: usize| {
        text(case.join(name)).lines().take(lines).collect::<Vec<_>>().join("\n")
    };
    testkit::snapshot!("report/series", head("series.csv", 4));
    testkit::snapshot!("report/resources", head("resources.csv", 3));
    testkit::snapshot!("report/partitions", head("partitions.csv", 2));
    testkit::snapshot!("report/run", text(run.join("run.json")));
}

#[test]
fn a_report_made_again_is_the_same_byte_for_byte() {
    for make in [archives::passing, archives::matrix, archives::hostile, archives::unfinished] {
        let (results, run) = made(make);
        let files = ["report.html", "junit.xml", "../index.html"];
        let before = files.map(|name| fs::read(run.join(name)).unwrap());
        // Elsewhere, too: nothing but the folder's name may matter.
        let copy = tempfile::tempdir().unwrap();
        let elsewhere = copy.path().join(run.file_name().unwrap());
        copy_folder(&run, &elsewhere);
        for run in [run.clone(), elsewhere] {
            index::with_reports(&run, &Templates::load(None).unwrap()).unwrap();
            assert!(before == files.map(|name| fs::read(run.join(name)).unwrap()));
        }
        drop(results);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn a_failing_page_says_what_when_and_by_how_much_before_any_script_runs() {
    let (_results, run) = made(archives::failing);
    let page = text(run.join("report.html")).replace('\u{a0}', " ");
    for expected in [
        "produce.response.p99 was 4.81 s in 14:02:54–14:02:55, limit 250 ms",
        "first at 0:13–0:14 (14:02:54–14:02:55 UTC)",
        "5 of 15 windows failed",
        "✗ failed",
        "Why response is longer than service.",
        "Every sum holds",
        "few_samples_p9999",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn nothing_hostile_leaves_its_place() {
    let (results, run) = made(archives::hostile);
    for page in [run.join("report.html"), results.path().join("index.html")] {
        let page = text(page);
        assert!(!page.contains("<script>window.pwned"));
        assert!(!page.contains("<img"));
    }
    let xml = text(run.join("junit.xml"));
    assert!(!xml.contains("<script>") && !xml.contains('\u{0}'));
}

#[test]
fn an_unfinished_run_has_a_page_and_is_in_the_index() {
    let (results, run) = made(archives::unfinished);
    let page = text(run.join("report.html"));
    assert!(page.contains("the run was cut off before its end"));
    assert!(page.contains("run.json is missing") && page.contains("lost: no word for 4 s"));
    assert!(text(run.join("junit.xml")).contains("errors=\"1\""));
    let index = text(results.path().join("index.html"));
    assert!(index.contains("… unfinished") && index.contains("2026-03-18 12:00:00"));
}

#[test]
fn a_run_that_goes_on_is_told_from_one_that_was_cut_off() {
    let results = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(results.path(), "steady", Some("mine")).unwrap();
    let pages = || {
        index::with_reports(&results.path().join("mine"), &Templates::load(None).unwrap()).unwrap();
        (text(results.path().join("index.html")), text(results.path().join("mine/report.html")))
    };
    let (index, page) = pages();
    assert!(index.contains("… running") && index.contains("still going on"));
    assert!(page.contains("the run goes on"));
    drop(folder);
    let (index, page) = pages();
    assert!(index.contains("… unfinished") && index.contains("cut off before its end"));
    assert!(page.contains("the run was cut off before its end"));
}

#[test]
fn an_archive_with_damage_anywhere_still_has_a_page_that_names_it() {
    let (_results, run) = made(archives::passing);
    let case = run.join("cases/steady");
    fs::write(case.join("series.csv"), "start_us,end_us\nx,y\n").unwrap();
    fs::write(case.join("latency.hlog"), "#[StartTime: 1.0 (s)]\nTag=service,0.0,1.0,1.0,AAAA\n")
        .unwrap();
    fs::write(case.join("result.json"), "[]").unwrap();
    fs::write(run.join("events.jsonl"), "{}\nno json\n").unwrap();
    fs::remove_file(case.join("lag.csv")).unwrap();
    index::with_reports(&run, &Templates::load(None).unwrap()).unwrap();
    let page = text(run.join("report.html"));
    for gap in [
        "series.csv is damaged in row 1",
        "latency.hlog, line 2",
        "result.json is damaged",
        "events.jsonl, line 2",
        "lag.csv is missing",
    ] {
        assert!(page.contains(gap), "{gap}");
    }
}

#[test]
fn the_index_lists_all_runs_newest_first_with_trends_of_each_scenario() {
    let results = tempfile::tempdir().unwrap();
    let templates = Templates::load(None).unwrap();
    for make in [archives::passing, archives::failing, archives::matrix] {
        index::with_reports(&make(results.path()), &templates).unwrap();
    }
    let index = text(results.path().join("index.html"));
    let place = |id: &str| index.find(&format!("{id}/report.html")).unwrap();
    assert!(place("20260316-101500-codecs-0c33") < place("20260315-090000-steady-0b22"));
    assert!(place("20260315-090000-steady-0b22") < place("20260314-140238-steady-0a11"));
    assert!(index.contains("in the newest of 2 runs"));
    let latest = fs::read_link(results.path().join("latest")).unwrap();
    assert_eq!(latest, Path::new("20260316-101500-codecs-0c33"));
}

#[test]
fn runs_at_once_in_one_folder_do_not_disturb_each_other() {
    let results = tempfile::tempdir().unwrap();
    let makes: [fn(&Path) -> PathBuf; 3] =
        [archives::passing, archives::failing, archives::unfinished];
    std::thread::scope(|scope| {
        for make in makes {
            let results = results.path();
            scope.spawn(move || {
                let run = make(results);
                index::with_reports(&run, &Templates::load(None).unwrap()).unwrap();
            });
        }
    });
    let entries = fs::read_dir(results.path()).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 5, "three runs, the index, latest, and no temporary file: {names:?}");
    let latest = fs::read_link(results.path().join("latest")).unwrap();
    assert!(results.path().join(latest).join("report.html").is_file());
}

#[test]
fn a_day_of_a_hundred_agents_with_a_thousand_partitions_fits_a_page() {
    let results = tempfile::tempdir().unwrap();
    let run = archives::soak(results.path(), 24, 100, 1_000);
    let page = index::with_reports(&run, &Templates::load(None).unwrap()).unwrap();
    let bytes = fs::metadata(page).unwrap().len();
    assert!(bytes < PAGE_LIMIT_BYTES, "{bytes} bytes");
}

#[test]
fn what_made_up_agents_reported_is_merged_judged_and_all_of_it_is_read_back() {
    let results = tempfile::tempdir().unwrap();
    let (scale, total) = (Scale::SHORT, Scale::SHORT.total());
    let outcome = merging::run(results.path(), scale);
    assert_eq!((outcome.accounts.acked, outcome.accounts.received), (total, total), "{outcome}");
    let run = RunArchive::read(&results.path().join(merging::RUN)).unwrap();
    let case = &run.cases[0];
    assert!(run.gaps.is_empty() && case.gaps.is_empty(), "{:?} {:?}", run.gaps, case.gaps);
    assert_eq!(case.series.len() as u64, scale.seconds);
    assert_eq!(case.series.iter().map(|row| row.acked).sum::<u64>(), total);
    let mut logged = [0; 4];
    assert_eq!(case.latencies(|line| logged[line.tag] += line.histogram.count()), None);
    assert_eq!(logged, [total, total, total, 0]);
    let (mut reports, mut acked) = (0, 0);
    for (_, path) in intervals::files(&case.path).unwrap() {
        for report in IntervalReader::open(&path).unwrap() {
            reports += 1;
            let parts = report.producers[0].slices.iter().flat_map(|slice| &slice.partitions);
            acked += parts.map(|part| part.service.count()).sum::<u64>();
        }
    }
    assert_eq!((reports, acked), (scale.agents * scale.seconds, total));
    assert!(results.path().join(merging::RUN).join("report.html").is_file());
}

#[test]
fn a_second_of_ten_agents_costs_no_more_instructions_than_is_written_here() {
    testkit::require!(valgrind);
    let merges = "what_made_up_agents_reported_is_merged_judged_and_all_of_it_is_read_back";
    let all = callgrind::instructions(merges, "*Work*second*", &[]);
    // Decoded, audited, merged and written to all logs: those of the release profile on x86-64.
    let counts = [("a second", all / Scale::SHORT.seconds, 74_120_500)];
    let off = callgrind::off(&counts, 3);
    assert!(off.is_empty(), "{}", off.join("\n"));
}

#[test]
fn java_reads_the_latency_log_and_takes_the_junit_report() {
    testkit::require!(kafka);
    let (_results, run) = made(archives::failing);
    let intervals = testkit::java::read_hlog(&run.join("cases/steady/latency.hlog"));
    let counted: u64 =
        intervals.iter().filter(|i| i.tag.as_deref() == Some("response")).map(|i| i.count).sum();
    assert_eq!(counted, 360_000);
    for make in [archives::matrix, archives::hostile, archives::unfinished] {
        let (_results, run) = made(make);
        testkit::java::validate_junit(&run.join("junit.xml")).unwrap();
    }
}
