//! The archive as a whole: what is written is read back, and what is cut off is still read.

use super::{
    hlog::{Latencies, LogLine},
    read::RunArchive,
    *,
};
use crate::model::{
    events::{Level, RunEvent, TimedEvent},
    result::{ErrorRow, LagRow, ResourceRow, SeriesRow},
};
use jiff::Timestamp;
use mallard_protocol::{histogram::Histogram, interval::IntervalReport};
use std::fs;

fn histogram(values: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    values.iter().for_each(|value| histogram.record(*value));
    histogram
}

fn cells(of: &Histogram) -> Vec<(u64, u64, u64)> {
    of.buckets().collect()
}

fn append(case: &mut CaseFolder, second: u64, phase: &str, values: &[u64]) {
    let start_us = second * 1_000_000;
    let end_us = start_us + 1_000_000;
    let row = SeriesRow { start_us, end_us, phase: phase.into(), acked: 7, ..SeriesRow::default() };
    let agent = "local-1".to_owned();
    let resources =
        [ResourceRow { start_us, end_us, agent, cpu_cores: 0.25, ..Default::default() }];
    let errors =
        [ErrorRow { start_us, end_us, code: "a,\"b\"".into(), count: 2, ..Default::default() }];
    let lag = [LagRow { start_us, end_us, consumer: "flink".into(), lag: 3, lag_max: 2 }];
    let (of, none) = (histogram(values), Histogram::new());
    let latencies = Latencies { service: &of, response: &of, end_to_end: &none, slip: &none };
    case.append_interval(&row, &resources, &errors, &lag, latencies).unwrap();
}

fn note(text: &str) -> TimedEvent {
    let event = RunEvent::Note { level: Level::Info, source: String::new(), text: text.into() };
    TimedEvent { at: "2026-01-02T03:04:05.000006Z".into(), event }
}

fn lines_of(run: &RunArchive) -> Vec<LogLine> {
    let mut lines = Vec::new();
    assert_eq!(run.cases[0].latencies(|line| lines.push(line)), None);
    lines
}

#[test]
fn what_is_written_is_read_back() {
    let results = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(results.path(), "steady", Some("one")).unwrap();
    run.hide(&["hunter2".into()]);
    run.event(&note("login hunter2 refused")).unwrap();
    let mut case = run.case("steady").unwrap();
    case.load_started("2026-01-02T03:04:05.678Z".parse().unwrap());
    append(&mut case, 0, "hold", &[0, 1, 1_000, 2_047, 2_048, 5_000_001]);
    append(&mut case, 1, "hold", &[3_600_000_000]);
    let mut log = case.agent_log("local-1").unwrap();
    log.append(b"first hunt").unwrap();
    log.append(b"er2\nlast").unwrap();
    log.finish().unwrap();
    let read = RunArchive::read(run.path()).unwrap();
    assert_eq!(read.events, [note("login *** refused")]);
    let first = &read.cases[0];
    assert_eq!((first.series.len(), first.series[1].start_us), (2, 1_000_000));
    assert_eq!(first.errors[0].code, "a,\"b\"");
    assert_eq!((first.lag.len(), first.resources.len()), (2, 2));
    assert!(first.gaps.iter().any(|gap| gap == "result.json is missing"), "{:?}", first.gaps);
    let lines = lines_of(&read);
    assert_eq!(lines.len(), 4);
    assert_eq!((lines[2].tag, lines[2].start_us, lines[2].end_us), (0, 1_000_000, 2_000_000));
    let expected = histogram(&[0, 1, 1_000, 2_047, 2_048, 5_000_001]);
    assert_eq!(cells(&lines[0].histogram), cells(&expected));
    assert_eq!(lines[0].histogram.max(), Some(5_000_001));
    let agent_log = fs::File::open(case.path().join("agents/local-1/agent.log.gz")).unwrap();
    let agent_log = std::io::read_to_string(flate2::read::GzDecoder::new(agent_log)).unwrap();
    assert_eq!(agent_log, "first ***\nlast\n");
}

#[test]
fn a_long_runs_log_is_rolled_up_without_losing_a_record() {
    let results = tempfile::tempdir().unwrap();
    let run = RunFolder::create(results.path(), "soak", None).unwrap();
    let mut case = run.case("soak").unwrap();
    case.load_started(Timestamp::UNIX_EPOCH);
    let first = 7_190;
    (first..first + 100).for_each(|second| append(&mut case, second, "hold", &[second]));
    append(&mut case, first + 100, "drain", &[9]);
    drop(case);
    let lines = lines_of(&RunArchive::read(run.path()).unwrap());
    let service: Vec<_> = lines.iter().filter(|line| line.tag == 0).collect();
    // Ten single seconds, nine tens, and the drain, which shares no line with the hold.
    assert_eq!(service.len(), 10 + 9 + 1);
    let mut sum = Histogram::new();
    service.iter().for_each(|line| sum.add(&line.histogram));
    let mut expected = histogram(&(first..first + 100).collect::<Vec<_>>());
    expected.add(&histogram(&[9]));
    assert_eq!(cells(&sum), cells(&expected));
}

#[test]
fn a_file_that_was_cut_short_is_read_up_to_there_and_said() {
    let results = tempfile::tempdir().unwrap();
    let run = RunFolder::create(results.path(), "cut", None).unwrap();
    let mut case = run.case("cut").unwrap();
    (0..3).for_each(|second| append(&mut case, second, "hold", &[second]));
    for name in ["series.csv", "latency.hlog"] {
        let path = case.path().join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    }
    fs::write(case.path().join("result.json"), "{").unwrap();
    let read = RunArchive::read(run.path()).unwrap();
    let case = &read.cases[0];
    assert_eq!(case.series.len(), 2);
    assert!(case.gaps.iter().any(|gap| gap.starts_with("series.csv ends within a line")));
    assert!(case.gaps.iter().any(|gap| gap.starts_with("result.json is damaged")));
    let mut lines = 0;
    assert!(case.latencies(|_| lines += 1).unwrap().starts_with("latency.hlog, line 11: "));
    assert_eq!(lines, 5);
    assert!(RunArchive::read(results.path()).unwrap_err().to_string().contains("holds no run"));
}

#[test]
fn raw_intervals_go_whole_when_they_are_more_than_is_kept() {
    let results = tempfile::tempdir().unwrap();
    let run = RunFolder::create(results.path(), "large", None).unwrap();
    let case = run.case("large").unwrap();
    let mut logs = ["local-1", "local-2"].map(|agent| case.interval_log(agent, 0).unwrap());
    logs.iter_mut().for_each(|log| log.append(&IntervalReport::default()).unwrap());
    let files = intervals::files(case.path()).unwrap();
    let bytes: u64 = files.iter().map(|(_, path)| fs::metadata(path).unwrap().len()).sum();
    assert_eq!((files.len(), case.limit_intervals(bytes).unwrap()), (2, None));
    assert!(files.iter().all(|(_, path)| path.is_file()));
    assert_eq!(case.limit_intervals(bytes - 1).unwrap(), Some(bytes));
    assert!(intervals::files(case.path()).unwrap().is_empty());
    // A report that comes late hurts nobody.
    logs.iter_mut().for_each(|log| log.append(&IntervalReport::default()).unwrap());
}
