//! Hosts and what is to be said of them, for people.

use super::{Finding, Weight};
use crate::{
    hosts::Problem,
    text::{
        figures::{bytes_text, latency},
        table::Table,
        units::count,
    },
};
use mallard_protocol::preflight::Facts;
use std::collections::BTreeMap;

/// What each host answered.
pub type Answers = BTreeMap<String, Result<Facts, Problem>>;

/// A row for each host, a row for each address of a broker and host, and what was found.
#[must_use]
pub fn text(answers: &Answers, findings: &[Finding]) -> String {
    let mut hosts = Table::new(&[
        "host",
        "reached",
        "architecture",
        "kernel",
        "cores",
        "memory",
        "free disk",
        "files",
        "clock",
        "governor",
        "brokers",
    ]);
    let mut brokers = Table::new(&["from", "broker", "connected in"]);
    for (name, answer) in answers {
        match answer {
            Ok(facts) => {
                host_row(&mut hosts, name, facts);
                broker_rows(&mut brokers, name, facts);
            }
            Err(problem) => hosts.row([name.as_str(), "no", &*format!("({})", problem.phase)]),
        }
    }
    let mut text = hosts.text();
    if answers.values().flatten().any(|facts| !facts.brokers.is_empty()) {
        text += &format!("\n{}", brokers.text());
    }
    let problems = answers.values().filter_map(|answer| answer.as_ref().err());
    let problems: String =
        problems.map(|problem| said("error", &problem.to_string(), &problem.remedy)).collect();
    let findings: String = findings
        .iter()
        .map(|found| {
            let level = if found.weight == Weight::Spoils { "error" } else { "warning" };
            said(level, &format!("{}: {}", found.host, found.text), &found.remedy)
        })
        .collect();
    if !(problems.is_empty() && findings.is_empty()) {
        text += &format!("\n{problems}{findings}");
    }
    text
}

fn said(level: &str, text: &str, remedy: &str) -> String {
    format!("{level}: {text}\n  = help: {remedy}\n")
}

fn host_row(table: &mut Table, name: &str, facts: &Facts) {
    let synchronised = match facts.clock_synchronised {
        Some(true) => "synchronised",
        Some(false) => "not synchronised",
        None => "unknown",
    };
    let governor = match facts.governors.as_slice() {
        [] => "none shown".to_owned(),
        all => all.join(", "),
    };
    let times: Vec<u64> =
        facts.brokers.iter().filter_map(|it| it.connect_us.clone().ok()).collect();
    let brokers = match facts.brokers.len() {
        0 => "not looked for".to_owned(),
        all => format!("{} of {all}", times.len()),
    };
    table.row([
        name,
        "yes",
        &*facts.host.architecture,
        &*facts.host.kernel,
        &*facts.host.cores.to_string(),
        &*bytes_text(facts.host.memory_bytes),
        &*bytes_text(facts.free_disk_bytes),
        &*count(facts.open_files),
        &*format!("{}, {synchronised}", facts.clock_source),
        &*governor,
        &*brokers,
    ]);
}

fn broker_rows(table: &mut Table, host: &str, facts: &Facts) {
    for broker in &facts.brokers {
        let outcome = match &broker.connect_us {
            Ok(us) => latency(*us),
            Err(cause) => format!("not: {cause}"),
        };
        table.row([host, &*broker.address, &*outcome]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hosts::Phase, preflight};

    #[test]
    fn a_table_reads_like_this() {
        let problem =
            Problem::new("load-2", Phase::Connect, "it cannot be reached", "switch it on");
        let answers = Answers::from([
            ("load-1".to_owned(), Ok(preflight::tests::sound())),
            ("load-2".to_owned(), Err(problem)),
        ]);
        let finding = Finding {
            host: "load-1".to_owned(),
            weight: Weight::Doubtful,
            text: "it hums".to_owned(),
            remedy: "oil it".to_owned(),
        };
        let told = text(&answers, &[finding]);
        let row = |start: &str| told.lines().find(|line| line.starts_with(start)).unwrap_or("");
        assert!(row("load-1  yes").contains("tsc, synchronised"), "{told}");
        assert!(row("load-1  yes").ends_with("1 of 1"), "{told}");
        assert!(row("load-1  broker-1:9092").contains("412"), "{told}");
        assert!(row("load-2  no").contains("(connect)"), "{told}");
        let problem = "error: load-2: connect: it cannot be reached\n  = help: switch it on\n";
        assert!(told.contains(problem), "{told}");
        assert!(told.ends_with("warning: load-1: it hums\n  = help: oil it\n"), "{told}");
    }
}
