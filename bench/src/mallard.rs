//! Mallard's side: `mallard run` on a scenario of the bench, and its own `result.json`.
//!
//! Nothing is switched off for the bench: what is measured is what any run measures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::paths;

use crate::{
    access::Access,
    cpu::{self, Costed, Started},
    latency::Latency,
    place,
};

/// How long a run may take.
const WITHIN: Duration = Duration::from_secs(400);

/// Verdicts under which there are figures: pass, fail, invalid. A closed loop on a full machine may well
/// be told that its figures depend on the machine.
const MEASURED: [i32; 3] = [0, 1, 4];

/// The program and where it finds the broker.
#[derive(Debug)]
pub(crate) struct Mallard {
    cluster: PathBuf,
    archive: PathBuf,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// CPU seconds of `mallard` and of its agent.
    pub(crate) cpu_s: f64,
    /// Its `result.json`.
    result: Value,
    /// The case's folder.
    folder: PathBuf,
}

impl Mallard {
    /// Writes a cluster file of this name, whose clients have these properties beside what the way takes.
    pub(crate) fn at(name: &str, access: &Access, client: &[(&str, &str)]) -> Result<Self> {
        let (cluster, archive) = (place::results().join(name), place::results().join("results"));
        let own = client.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let properties: Vec<String> = access
            .librdkafka()
            .into_iter()
            .chain(own)
            .map(|(key, value)| format!("{key}: \"{value}\""))
            .collect();
        let text = format!(
            "kafka:\n  bootstrap: \"{}\"\n  client: {{{}}}\nhosts:\n  - local: {{agents: 1}}\n",
            access.address(),
            properties.join(", ")
        );
        fs::write(&cluster, text)
            .with_context(|| format!("failed to write {}", cluster.display()))?;
        Ok(Self { cluster, archive })
    }

    /// Runs a scenario to its end.
    pub(crate) fn run(&self, scenario: &str, settings: &[String]) -> Result<Done> {
        self.finish(self.start(scenario, settings)?)
    }

    /// Starts a scenario.
    pub(crate) fn start(&self, scenario: &str, settings: &[String]) -> Result<Started> {
        let mut command = Command::new(paths::built("mallard"));
        command.arg("run").arg(place::scenario(scenario));
        command.arg("--cluster").arg(&self.cluster).arg("--results").arg(&self.archive);
        command.arg("--quiet").args(settings.iter().flat_map(|setting| ["--set", setting]));
        command.env("NO_COLOR", "1");
        cpu::start(&mut command)
    }

    /// Waits for its end.
    pub(crate) fn finish(&self, started: Started) -> Result<Done> {
        let Costed { finished, cpu_s } = started.wait(WITHIN)?;
        ensure!(
            finished.code().is_some_and(|code| MEASURED.contains(&code)),
            "no figures:\n{finished}"
        );
        let folder = only_case(&self.archive.join("latest/cases"))?;
        let file = folder.join("result.json");
        let text = fs::read_to_string(&file)
            .with_context(|| format!("failed to read {}", file.display()))?;
        let result = serde_json::from_str(&text)
            .with_context(|| format!("{} is no JSON", file.display()))?;
        Ok(Done { cpu_s, result, folder })
    }
}

impl Done {
    /// A metric by its name.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        let value = &self.result["metrics"][name]["value"];
        value.as_f64().with_context(|| format!("no {name} in {}", self.folder.display()))
    }

    /// A count of the measured phases: `acked`, `scheduled`.
    pub(crate) fn account(&self, name: &str) -> Result<u64> {
        self.count("accounts", name)
    }

    /// A count of the whole load, warm-up included.
    pub(crate) fn whole_account(&self, name: &str) -> Result<u64> {
        self.count("accounts_whole", name)
    }

    /// Percentiles of a latency: `response`, `service`.
    pub(crate) fn latency(&self, kind: &'static str) -> Latency {
        let value = |statistic| self.metric(&format!("produce.{kind}.{statistic}")).ok();
        Latency {
            kind,
            p50_us: value("p50"),
            p90_us: value("p90"),
            p99_us: value("p99"),
            max_us: value("max"),
        }
    }

    /// Why the verdict is not `pass`, if it is not.
    pub(crate) fn doubt(&self) -> Option<String> {
        let reason = self.result["reasons"].as_array()?.first()?;
        let verdict = self.result["verdict"].as_str().unwrap_or_default();
        Some(format!("{verdict}: {}", reason["text"].as_str().unwrap_or_default()))
    }

    /// Records received in each interval, with the interval's length in seconds.
    pub(crate) fn received(&self) -> Result<Vec<(u64, f64)>> {
        let file = self.folder.join("series.csv");
        let text = fs::read_to_string(&file)
            .with_context(|| format!("failed to read {}", file.display()))?;
        columns(&text, ["start_us", "end_us", "received"])
            .map(|rows| {
                rows.into_iter()
                    .map(|[start, end, received]| (received, micros(end - start)))
                    .collect()
            })
            .with_context(|| format!("not understood: {}", file.display()))
    }

    fn count(&self, accounts: &str, name: &str) -> Result<u64> {
        let value = self.result[accounts][name].as_u64();
        value.with_context(|| format!("no {accounts}.{name} in {}", self.folder.display()))
    }
}

fn only_case(cases: &Path) -> Result<PathBuf> {
    let entries =
        fs::read_dir(cases).with_context(|| format!("failed to read {}", cases.display()))?;
    let folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let [folder] = folders.as_slice() else { anyhow::bail!("not one case but {folders:?}") };
    Ok(folder.clone())
}

/// Columns of whole numbers of a CSV file, by their names.
fn columns<const N: usize>(text: &str, names: [&str; N]) -> Option<Vec<[u64; N]>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next()?.split(',').collect();
    let mut places = [0; N];
    for (place, name) in places.iter_mut().zip(names) {
        *place = header.iter().position(|column| *column == name)?;
    }
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let mut row = [0; N];
        for (value, place) in row.iter_mut().zip(places) {
            *value = fields.get(place)?.parse().ok()?;
        }
        Some(row)
    };
    lines.map(row).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a few seconds at most")]
fn micros(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let text = "phase,end_us,received\nhold,5,7\ndrain,6,\n";
        assert_eq!(columns(text, ["received", "end_us"]), None, "an empty field is no number");
        let text = "phase,end_us,received\nhold,5,7\ndrain,6,0\n";
        assert_eq!(columns(text, ["received", "end_us"]), Some(vec![[7, 5], [0, 6]]));
    }
}
