//! Raw intervals of the archive: whoever doubts a figure adds it up again.

use crate::world::{RUN, assert_accounts_add_up, count, sandbox, steady};
use mallard::archive::{
    intervals::{FILE, IntervalReader, files},
    read::RunArchive,
};
use mallard_protocol::interval::{IntervalReport, ProducerTotals};
use std::{collections::BTreeMap, fs, path::Path};

/// What the intervals of a case add up to.
#[derive(Default)]
struct Sums {
    producers: BTreeMap<u16, ProducerTotals>,
    consumers: BTreeMap<u16, u64>,
    acked: u64,
    service: u64,
    response: u64,
    end_to_end: u64,
}

impl Sums {
    fn of(case: &Path) -> Self {
        let mut sums = Self::default();
        for agent in ["local-1", "local-2"] {
            let file = case.join("agents").join(agent).join(FILE);
            for (sequence, report) in (0..).zip(IntervalReader::open(&file).expect("raw intervals"))
            {
                assert_eq!(report.sequence, sequence, "{}", file.display());
                sums.add(&report);
            }
        }
        sums
    }

    fn add(&mut self, report: &IntervalReport) {
        for producer in &report.producers {
            self.producers.insert(producer.instance.0, producer.totals);
            for part in producer.slices.iter().flat_map(|slice| &slice.partitions) {
                self.acked += part.acked;
                self.service += part.service.count();
                self.response += part.response.count();
            }
        }
        for consumer in &report.consumers {
            self.consumers.insert(consumer.instance.0, consumer.totals.received);
            let parts = consumer.slices.iter().flat_map(|slice| &slice.partitions);
            self.end_to_end += parts.map(|part| part.end_to_end.count()).sum::<u64>();
        }
    }
}

#[test]
fn what_agents_reported_adds_up_to_the_accounts_and_to_the_latency_log() {
    let sandbox =
        sandbox(&steady("300/s", "3s", ""), "kafka: embedded\nhosts: [{local: {agents: 2}}]\n");
    let outcome = sandbox.mallard(["run", "s.yaml", "--cluster", "c.yaml"]);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    let case = run.cases().remove(0);
    let sums = Sums::of(&case);
    let whole = |name: &str| count(&result, &format!("accounts_whole/{name}"));
    let total = |pick: fn(&ProducerTotals) -> u64| sums.producers.values().map(pick).sum::<u64>();
    assert_eq!(total(|totals| totals.scheduled), whole("scheduled"));
    assert_eq!(total(|totals| totals.sent), whole("sent"));
    assert_eq!(total(|totals| totals.acked), whole("acked"));
    assert_eq!(sums.acked, whole("acked"));
    assert_eq!(sums.consumers.values().sum::<u64>(), whole("received"));
    let mut logged = [0; 4];
    let archive = RunArchive::read(&run.folder).unwrap();
    let damage = archive.cases[0].latencies(|line| logged[line.tag] += line.histogram.count());
    assert_eq!(damage, None);
    assert_eq!(logged[..3], [sums.service, sums.response, sums.end_to_end]);
}

#[test]
fn mallard_prints_intervals_as_a_table_and_as_json() {
    let sandbox = sandbox(
        &steady("200/s", "1s", "").replace("instances: 2", "instances: 1"),
        "kafka: embedded\nhosts: [{local: {agents: 2}}]\n",
    );
    let outcome = sandbox.mallard(["run", "s.yaml", "--cluster", "c.yaml"]);
    sandbox.latest_run().assert_went_well(&outcome);
    let scheduled = count(&sandbox.latest_run().only_result(), "accounts_whole/scheduled");

    let table = sandbox.mallard(["intervals", "latest"]);
    table.assert_code(0);
    let mut rows = csv::Reader::from_reader(table.stdout.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = rows.deserialize().map(Result::unwrap).collect();
    let shop = rows.iter().rfind(|row| row["role"] == "producer").expect("the producer's rows");
    assert_eq!(shop["scheduled_total"], scheduled.to_string());
    assert!(
        rows.iter()
            .any(|row| row["role"] == "consumer" && row["received_total"] == scheduled.to_string())
    );

    let agent = &shop["agent"];
    let lines = sandbox.mallard(["intervals", "latest", "--format", "json", "--agent", agent]);
    lines.assert_code(0);
    let lines = lines.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    assert_eq!(lines.len(), rows.iter().filter(|row| row["role"] == "producer").count());
    let last = lines.last().expect("the last interval");
    let totals = &last["interval"]["producers"][0]["totals"];
    assert_eq!(totals["scheduled"].as_u64(), Some(scheduled), "{last:#}");
    let slip = &lines[0]["interval"]["producers"][0]["slices"][0]["slip"];
    let cells = slip["cells"].as_array().expect("cells").iter();
    assert_eq!(
        cells.filter_map(|cell| cell[2].as_u64()).sum::<u64>(),
        slip["count"].as_u64().unwrap()
    );

    let nothing = sandbox.mallard(["intervals", "latest", "--agent", "nobody"]);
    nothing.assert_code(2);
    assert!(nothing.stderr.contains("no intervals of such a case and agent"), "{}", nothing.stderr);
}

#[test]
fn raw_intervals_beyond_what_is_kept_go_once_the_case_is_judged() {
    let sandbox = sandbox(
        &steady("200/s", "1s", "keep_intervals: 0"),
        "kafka: embedded\nhosts: [{local: {agents: 2}}]\n",
    );
    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    assert!(count(&run.only_result(), "accounts_whole/acked") > 0);
    assert!(files(&run.cases()[0]).expect("the case's folder").is_empty());
    let journal = fs::read_to_string(run.folder.join("events.jsonl")).expect("the journal");
    assert!(journal.contains("more than `keep_intervals` (0 B): they are removed"), "{journal}");
    let nothing = sandbox.mallard(["intervals", "latest"]);
    nothing.assert_code(2);
    assert!(nothing.stderr.contains("`keep_intervals`"), "{}", nothing.stderr);
    sandbox.mallard(["report", "latest"]).assert_code(0);
}
