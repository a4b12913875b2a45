//! `rdkafka_performance`, the load program that librdkafka itself ships.
//!
//! It is compiled from the sources that the crate rdkafka-sys brings along, and linked against the very
//! library that Mallard's agent is linked against, so that only the program around the client differs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use testkit::process;

use super::peer::{Done, Order, expect_number, run};
use crate::access::Access;
use crate::cpu::Costed;
use crate::{finished::succeeded, latency::Latency, place};

/// Compiling one file, and librdkafka before it where nobody has done that yet.
const BUILD_WITHIN: Duration = Duration::from_secs(1200);

/// The program, built.
#[derive(Debug)]
pub(crate) struct Rdkafka {
    program: PathBuf,
}

impl Rdkafka {
    /// Compiles the program.
    pub(crate) fn build() -> Result<Self> {
        let folders = build_folders()?;
        let librdkafka = &folders.librdkafka;
        let program = place::results().join("rdkafka_performance");
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-o"]).arg(&program);
        compiler.arg("-I").arg(librdkafka).arg("-I").arg(librdkafka.join("src"));
        compiler.arg(librdkafka.join("examples/rdkafka_performance.c"));
        compiler.arg(librdkafka.join("src/librdkafka.a"));
        compiler.args(folders.libraries.iter().map(|folder| format!("-L{folder}")));
        compiler.args(["-lssl", "-lcrypto", "-lzstd", "-lz", "-lm", "-ldl", "-lpthread", "-lrt"]);
        succeeded(process::run(&mut compiler, BUILD_WITHIN))?;
        Ok(Self { program })
    }

    /// Produces, waits for all acknowledgements, and says how fast that was.
    pub(crate) fn produce(&self, order: &Order<'_>) -> Result<Done> {
        let mut command = self.produce_command(order);
        let latencies = place::broker().join("latencies");
        if order.latencies {
            command.arg("-l").arg("-A").arg(&latencies);
        }
        let done = run(&mut command)?;
        let latency = order.latencies.then(|| read_latencies(&latencies)).transpose()?;
        let latencies = latency.into_iter().collect();
        Ok(Done { latencies, ..understood(&done, " messages produced")? })
    }

    /// Consumes as a group from the beginning.
    pub(crate) fn consume(
        &self,
        access: &Access,
        topic: &str,
        group: &str,
        records: u64,
    ) -> Result<Done> {
        let mut command = Command::new(&self.program);
        command.args([
            "-G",
            group,
            "-t",
            topic,
            "-b",
            access.address(),
            "-c",
            &records.to_string(),
        ]);
        // In batches of a thousand, which makes it several times as fast as one by one.
        command.args(["-B", "1000"]);
        understood(&run(&mut command)?, " messages (")
    }

    fn produce_command(&self, order: &Order<'_>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-P", "-t", order.topic, "-b", order.access.address(), "-a", "1"]);
        command.args(["-c", &order.records.to_string(), "-s", &order.value_bytes.to_string()]);
        // Its own default of a second makes the last batches wait that long.
        command.args(["-X", "linger.ms=5"]);
        let login = order.access.librdkafka();
        command.args(login.iter().flat_map(|(k, v)| ["-X".to_owned(), format!("{k}={v}")]));
        command.args(order.client.iter().flat_map(|property| ["-X", property]));
        command.args(order.rate_per_s.iter().flat_map(|rate| ["-r".to_owned(), rate.to_string()]));
        command
    }
}

/// Where the build of the agent has put librdkafka and what it needs.
#[derive(Debug, Default)]
struct Folders {
    librdkafka: PathBuf,
    libraries: Vec<String>,
}

/// Asks Cargo, which builds what is not there yet: what users build, with the features that they get,
/// in the target folder that this program comes from.
fn build_folders() -> Result<Folders> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(testkit::paths::workspace());
    cargo.args(["build", "--release", "--quiet", "--message-format", "json"]);
    // The tests' harness prints times with it; crates would be compiled anew by it.
    cargo.env_remove("RUSTC_BOOTSTRAP");
    if let Some(target) = target_folder() {
        cargo.arg("--target-dir").arg(target);
    }
    let answer = succeeded(process::run(&mut cargo, BUILD_WITHIN))?;
    let messages =
        answer.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut folders = Folders::default();
    for message in messages.filter(|message| message["reason"] == "build-script-executed") {
        let paths = message["linked_paths"].as_array().into_iter().flatten();
        let path = |path: &Value| Some(path.as_str()?.trim_start_matches("native=").to_owned());
        folders.libraries.extend(paths.filter_map(path));
        if message["package_id"].as_str().is_some_and(|id| id.contains("rdkafka-sys")) {
            folders.librdkafka = message["out_dir"].as_str().unwrap_or_default().into();
        }
    }
    let library = folders.librdkafka.join("src/librdkafka.a");
    library.is_file().then_some(folders).context("Cargo does not say where it built librdkafka")
}

/// `target`, if this program is `target/release/mallard-bench`.
fn target_folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.parent()?.to_path_buf())
}

fn understood(done: &Costed, records: &str) -> Result<Done> {
    let line = done.finished.stdout.lines().rfind(|line| line.contains(" msgs/s"));
    let line = line.with_context(|| format!("no result in\n{}", done.finished))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count as text")]
    let records = expect_number(line, records)? as u64;
    let rate_per_s = expect_number(line, " msgs/s")?;
    Ok(Done { records, rate_per_s, cpu_s: done.cpu_s, latencies: Vec::new() })
}

/// One latency in microseconds a line, in no order.
fn read_latencies(file: &Path) -> Result<Latency> {
    let text = fs::read_to_string(file).context("failed to read latencies")?;
    let mut values: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    values.sort_by(f64::total_cmp);
    let at = |per_mille: usize| {
        values.get((values.len() * per_mille / 1000).min(values.len() - 1)).copied()
    };
    anyhow::ensure!(!values.is_empty(), "no latencies in {}", file.display());
    Ok(Latency {
        kind: "service",
        p50_us: at(500),
        p90_us: at(900),
        p99_us: at(990),
        max_us: values.last().copied(),
    })
}
