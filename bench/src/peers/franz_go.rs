//! A plain loop over franz-go, in `peers/franz-go` of this crate.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{paths, process};

use super::peer::{Done, Paced, read_loop, run};
use crate::access::Access;
use crate::{finished::succeeded, place, topics::PARTITIONS};

/// Fetching a few modules and compiling them.
const BUILD_WITHIN: Duration = Duration::from_secs(300);

/// What is asked of a broker between two measurements is a matter of milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The program, built.
#[derive(Clone, Debug)]
pub(crate) struct FranzGo {
    program: PathBuf,
}

impl FranzGo {
    /// Compiles the program.
    pub(crate) fn build() -> Result<Self> {
        ensure!(
            paths::program("go").is_some(),
            "no Go: the peer in bench/peers/franz-go needs a toolchain, 1.26 or newer"
        );
        let program = place::results().join("franz-go");
        let mut go = Command::new("go");
        go.current_dir(place::own().join("peers/franz-go"));
        go.args(["build", "-buildvcs=false", "-o"]).arg(&program).arg(".");
        succeeded(process::run(&mut go, BUILD_WITHIN))?;
        Ok(Self { program })
    }

    /// Produces, waits for all acknowledgements, and says how fast that was.
    pub(crate) fn produce(
        &self,
        access: &Access,
        topic: &str,
        records: u64,
        value_bytes: u32,
    ) -> Result<Done> {
        let mut command = self.command(access, topic, records);
        command.args(["-value-bytes", &value_bytes.to_string()]);
        read_loop(&run(&mut command)?)
    }

    /// Produces at a rate with the client's defaults, and measures latency.
    pub(crate) fn produce_paced(&self, order: &Paced<'_>) -> Result<Done> {
        let all = u64::from(order.rate_per_s) * (order.warm_up_s + order.seconds);
        let mut command = self.command(order.access, order.topic, all);
        command.args(["-do", "paced", "-value-bytes", &order.value_bytes.to_string()]);
        command.args(["-rate", &order.rate_per_s.to_string()]);
        command.args(["-warm-up", &format!("{}s", order.warm_up_s)]);
        read_loop(&run(&mut command)?)
    }

    /// Consumes as a group from the beginning.
    pub(crate) fn consume(
        &self,
        access: &Access,
        topic: &str,
        group: &str,
        records: u64,
    ) -> Result<Done> {
        let mut command = self.command(access, topic, records);
        command.args(["-do", "consume", "-group", group]);
        read_loop(&run(&mut command)?)
    }

    /// Creates a topic; with `keep`, one that keeps all of its records.
    pub(crate) fn create(&self, (access, topic): Topic<'_>, keep: bool) -> Result<()> {
        let mut command = self.about((access, topic), "create");
        if keep {
            command.arg("-keep");
        }
        succeeded(process::run(&mut command, ANSWER_WITHIN)).map(|_| ())
    }

    /// Deletes a topic.
    pub(crate) fn remove(&self, topic: Topic<'_>) -> Result<()> {
        succeeded(process::run(&mut self.about(topic, "remove"), ANSWER_WITHIN)).map(|_| ())
    }

    /// Records that were ever written to a topic, as the broker's end offsets say.
    pub(crate) fn written(&self, topic: Topic<'_>) -> Result<u64> {
        let answer = succeeded(process::run(&mut self.about(topic, "written"), ANSWER_WITHIN))?;
        let outcome: Value = serde_json::from_str(&answer.stdout)
            .with_context(|| format!("no answer in\n{answer}"))?;
        outcome["records"].as_u64().with_context(|| format!("no number in\n{answer}"))
    }

    /// Lets a client's consumers fetch only so many bytes a second; without a number, all they like.
    pub(crate) fn hold_back(
        &self,
        access: &Access,
        client_id: &str,
        bytes_per_s: Option<u32>,
    ) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(access.go()).args(["-do", "hold-back", "-client-id", client_id]);
        command.args(["-bytes-per-second", &bytes_per_s.unwrap_or(0).to_string()]);
        succeeded(process::run(&mut command, ANSWER_WITHIN)).map(|_| ())
    }

    fn about(&self, (access, topic): Topic<'_>, what: &str) -> Command {
        let mut command = self.command(access, topic, 0);
        command.args(["-do", what, "-partitions", &PARTITIONS.to_string()]);
        command
    }

    fn command(&self, access: &Access, topic: &str, records: u64) -> Command {
        let mut command = Command::new(&self.program);
        command.args(access.go()).args(["-topic", topic, "-records", &records.to_string()]);
        command
    }
}

/// A topic: the way to the broker, and its name.
type Topic<'a> = (&'a Access, &'a str);
