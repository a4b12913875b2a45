//! A plain loop over franz-go, in `peers/franz-go` of this crate.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{paths, process};

use super::peer::{Done, run};
use crate::cpu::Costed;
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
        broker: &str,
        topic: &str,
        records: u64,
        value_bytes: u32,
    ) -> Result<Done> {
        let mut command = self.command(broker, topic, records);
        command.args(["-value-bytes", &value_bytes.to_string()]);
        understood(&run(&mut command)?)
    }

    /// Consumes as a group from the beginning.
    pub(crate) fn consume(
        &self,
        broker: &str,
        topic: &str,
        group: &str,
        records: u64,
    ) -> Result<Done> {
        let mut command = self.command(broker, topic, records);
        command.args(["-do", "consume", "-group", group]);
        understood(&run(&mut command)?)
    }

    /// Creates a topic; with `keep`, one that keeps all of its records.
    pub(crate) fn create(&self, (broker, topic): Topic<'_>, keep: bool) -> Result<()> {
        let mut command = self.about((broker, topic), "create");
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
        broker: &str,
        client_id: &str,
        bytes_per_s: Option<u32>,
    ) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["-broker", broker, "-do", "hold-back", "-client-id", client_id]);
        command.args(["-bytes-per-second", &bytes_per_s.unwrap_or(0).to_string()]);
        succeeded(process::run(&mut command, ANSWER_WITHIN)).map(|_| ())
    }

    fn about(&self, (broker, topic): Topic<'_>, what: &str) -> Command {
        let mut command = self.command(broker, topic, 0);
        command.args(["-do", what, "-partitions", &PARTITIONS.to_string()]);
        command
    }

    fn command(&self, broker: &str, topic: &str, records: u64) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-broker", broker, "-topic", topic, "-records", &records.to_string()]);
        command
    }
}

/// A topic: the address of a broker, and its name.
type Topic<'a> = (&'a str, &'a str);

fn understood(done: &Costed) -> Result<Done> {
    let outcome: Value = serde_json::from_str(&done.finished.stdout)
        .with_context(|| format!("no result in\n{}", done.finished))?;
    let number = |name: &str| {
        outcome[name].as_f64().with_context(|| format!("no {name} in\n{}", done.finished))
    };
    let (records, seconds) = (number("records")?, number("seconds")?);
    anyhow::ensure!(number("failed")? == 0.0, "records failed:\n{}", done.finished);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    Ok(Done {
        records: records as u64,
        rate_per_s: records / seconds,
        cpu_s: done.cpu_s,
        latency: None,
    })
}
