//! The short form of the bench runs to its end, and every cell of its tables has a figure.

use std::process::Command;
use std::time::Duration;

use testkit::{paths, process};

/// Building the peers comes first; the bench itself takes a minute, and more on a busy machine.
const WITHIN: Duration = Duration::from_secs(10 * 60);

#[test]
fn a_short_bench_gives_a_figure_in_every_cell() {
    testkit::require!(kafka, go, memory_file_system);
    testkit::alone!();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_mallard-bench"));
    let outcome = process::run(bench.arg("--short"), WITHIN).expect_code(0);

    let rows = |section: &str| section.lines().filter(|line| line.starts_with('|')).skip(2).count();
    let sections: Vec<&str> = outcome.stdout.split("\n## ").skip(1).collect();
    let tools: Vec<usize> = sections.iter().map(|section| rows(section)).collect();
    // Five tools produce, four consume, three are paced; latency is that of five settings of Mallard's client, two
    // of Java's, and two tools; of both stalls, Mallard reports two latencies beside those of two peers and the
    // arithmetic.
    assert_eq!(tools, [5, 5, 4, 4, 3, 9, 5, 5], "{outcome}");
    for section in &sections {
        let is_latency = section.starts_with("Latency at");
        for line in section.lines().filter(|line| line.starts_with('|')) {
            assert!(!line.contains("NaN") && !line.contains("inf"), "{line}");
            let empty = line.split('|').filter(|cell| cell.trim() == "–").count();
            assert!(empty <= not_said(line, is_latency), "{line}\n{outcome}");
        }
    }
    let page = paths::workspace().join("target/bench/bench.html");
    let page = std::fs::read_to_string(page).expect("a page");
    assert_eq!(page.matches("<table>").count(), sections.len());
    assert!(!page.contains("http"), "the page is one file with everything inside");
}

/// Cells in which a tool has nothing to say: Kafka's producer tool knows no 90th percentile and no times at which
/// records are due, and the arithmetic of a stall has no rate of deviation from itself.
fn not_said(line: &str, is_latency: bool) -> usize {
    if is_latency && line.contains("kafka-producer-perf-test") {
        return 3;
    }
    let in_stall = line.contains("kafka-producer-perf-test, service");
    usize::from(in_stall || line.contains("arithmetic"))
}

#[test]
fn help_is_printed_without_anything_else() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_mallard-bench"));
    let outcome = process::run(bench.arg("--help"), Duration::from_secs(20)).expect_code(0);
    assert!(outcome.stdout.contains("--rounds N"), "{outcome}");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn an_unknown_argument_is_a_mistake_of_usage() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_mallard-bench"));
    let outcome = process::run(bench.arg("--shrot"), Duration::from_secs(20)).expect_code(2);
    assert!(outcome.stderr.contains("--shrot"), "{outcome}");
}
