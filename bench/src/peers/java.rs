//! `kafka-producer-perf-test` and `kafka-consumer-perf-test`, from Kafka's own jars.

use std::process::Command;

use anyhow::{Context, Result};
use testkit::{java, paths};

use super::peer::{Done, Order, expect_number, number_before, run};
use crate::access::Access;
use crate::cpu::Costed;
use crate::latency::Latency;

/// What `kafka-run-class.sh` gives the JVM by default for these tools.
pub(super) const JVM: [&str; 5] = [
    "-Xmx512m",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// Runs `kafka-producer-perf-test`.
pub(crate) fn produce(order: &Order<'_>) -> Result<Done> {
    let rate = order.rate_per_s.map_or_else(|| "-1".to_owned(), |rate| rate.to_string());
    let mut command = command("org.apache.kafka.tools.ProducerPerformance")?;
    command.args(["--topic", order.topic, "--throughput", &rate]);
    command.args(["--num-records", &order.records.to_string()]);
    command.args(["--record-size", &order.value_bytes.to_string(), "--producer-props"]);
    command.args(["acks=1", "linger.ms=5"]);
    command.args(order.client);
    command.arg("--producer.config").arg(order.access.java_file());
    produced(&run(&mut command)?)
}

/// Runs `kafka-consumer-perf-test`.
pub(crate) fn consume(access: &Access, topic: &str, group: &str, records: u64) -> Result<Done> {
    let mut command = command("org.apache.kafka.tools.ConsumerPerformance")?;
    command.args(["--bootstrap-server", access.address(), "--topic", topic, "--group", group]);
    command.args(["--messages", &records.to_string(), "--timeout", "60000", "--hide-header"]);
    consumed(&run(&mut command)?)
}

fn command(class: &str) -> Result<Command> {
    let mut command = Command::new(java::launcher().context("no java")?);
    command.args(JVM).arg("-cp").arg(paths::kafka_libs().join("*")).arg(class);
    Ok(command)
}

/// The last line is about the whole run: `2000000 records sent, 379867.0 records/sec (36.23 MB/sec), 6.93 ms
/// avg latency, 735.00 ms max latency, 6 ms 50th, 16 ms 95th, 24 ms 99th, 35 ms 99.9th.`
fn produced(done: &Costed) -> Result<Done> {
    let line = done.finished.stdout.lines().rfind(|line| line.contains(" ms 50th"));
    let line = line.with_context(|| format!("no result in\n{}", done.finished))?;
    let us = |word: &str| number_before(line, word).map(|ms| ms * 1000.0);
    let latency = Latency {
        kind: "service",
        p50_us: us(" ms 50th"),
        // It gives the 95th percentile, and no 90th.
        p90_us: None,
        p99_us: us(" ms 99th"),
        max_us: us(" ms max latency"),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count as text")]
    let records = expect_number(line, " records sent")? as u64;
    let rate_per_s = expect_number(line, " records/sec")?;
    Ok(Done { records, rate_per_s, cpu_s: done.cpu_s, latencies: vec![latency] })
}

/// Columns: start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s.
fn consumed(done: &Costed) -> Result<Done> {
    let fields = |line| str::split(line, ',').map(str::trim).collect::<Vec<&str>>();
    let row = done.finished.stdout.lines().map(fields).rfind(|fields| fields.len() == 10);
    let row = row.with_context(|| format!("no result in\n{}", done.finished))?;
    let number = |place: usize| row[place].parse::<f64>().context("no number");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count as text")]
    let records = number(4)? as u64;
    // Without the time in which the group was joined, as in the other tools.
    Ok(Done { records, rate_per_s: number(9)?, cpu_s: done.cpu_s, latencies: Vec::new() })
}
