//! The arguments, with the help that teaches them.

mod pairs;
mod shard;
mod share;

pub use pairs::PairArgs;
pub use shard::{MergeArgs, ShardArgs};

use self::share::tolerance;
use crate::{config::shape::units, hosts::deploy::AgentOption, http::Target, sinks::Exports};
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use mallard_health::{Defect, InvalidShares};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Load and soak testing of Kafka that can be trusted.
///
/// Mallard reads a scenario, starts agents that make producer and consumer load, and leaves an archived
/// report that says pass, fail or invalid, and why.
#[derive(Debug, Parser)]
#[command(name = "mallard", version = mallard_protocol::BUILD_ID, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  mallard run scenarios/quickstart.yaml                     no Kafka needed: an embedded broker
  mallard run scenarios/steady.yaml --cluster kafka.yaml    against your cluster
  mallard run scenarios/steady.yaml --set rate=200/s --set hold=30s
  mallard run scenarios --only 'codecs@*'                   every scenario of a folder, some cases
  mallard plan scenarios/soak.yaml                          who runs what where, how long, how many bytes
  mallard calibrate cluster.yaml                            what rate is safe on these hosts
  mallard validate scenarios/*.yaml cluster.yaml            every mistake, nothing touched
  mallard run scenarios/soak.yaml --detach                  a soak that needs no terminal
  mallard status                                            how far it is
  mallard stop latest                                       end it early, with a verdict
  mallard resume latest                                     take over a run whose mallard died
  mallard clean cluster.yaml --dry-run                      what dead runs have left
  mallard generate health --payloads 10000 --out data.ndjson
  mallard check lab.yaml                                    whether the hosts are fit for a run
  mallard report latest                                     the pages again, from the archive
  mallard run new.yaml --against old.yaml --pairs 10        in turns, compared pair by pair
  mallard run scenarios --shard 2/5                         a part of the cases, for the second of five machines
  mallard compare main --with latest                        is it worse than the baseline?
  mallard trend steady                                      since when is it worse?

Exit codes: 0 pass, 1 an expectation failed, 2 wrong usage or a mistake in a file, 3 the harness or
the infrastructure broke, 4 the measurement cannot be trusted, 130 interrupted.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios and archive a verdict
    Run(Box<RunArgs>),
    /// Take over a run whose mallard died, and bring it to its end
    Resume(ResumeArgs),
    /// Show how far runs are; touch nothing
    Status(StatusArgs),
    /// End a run early: what was measured until then is judged
    ///
    /// Finds the `mallard` that runs it by the lock in its folder and sends it SIGTERM. The load stops,
    /// consumers catch up for at most as long as the drain, and the verdict, marked `stopped early`, is on
    /// what was measured: windows that were complete, and totals until then. An expectation about a time
    /// that did not come (`in the last 1h`, a later phase) makes the case `interrupted`, unless another one
    /// failed. Cases that had not begun are not started, and the run is `interrupted`. Then this command
    /// ends with the exit code of the run.
    ///
    /// The same by hand: `kill PID` with the process id that `mallard status` shows. Ctrl-C is something
    /// else: it breaks the run off, and its verdict is `interrupted`. Asking a second time ends agents at
    /// once, without waiting for what is still under way.
    #[command(
        after_help = "Examples:\n  mallard stop latest                      and wait for the verdict\n  mallard stop 20260301-140300-soak-3fa9 --no-wait"
    )]
    Stop(StopArgs),
    /// Find what runs have left, and remove what dead ones have left
    Clean(CleanArgs),
    /// List cases by name, as --only takes them
    List(PlanArgs),
    /// Find every mistake in scenario and cluster files; touch nothing
    Validate(ValidateArgs),
    /// Check whether the hosts of a cluster file are fit for a run
    ///
    /// Logs in to every host at once, brings the agent's program there, and prints what each one is: its
    /// cores, memory, free disk, file limit, clock and frequency governor, which brokers it reaches and
    /// how fast, and what dead runs have left on it. Of a container engine it tells whether it answers and has the
    /// images; nothing is made there. The exit code is 3 if something would spoil a run.
    #[command(
        after_help = "Examples:\n  mallard check lab.yaml\n  mallard check lab.yaml --agent aarch64=target/aarch64/mallard-agent"
    )]
    Check(CheckArgs),
    /// Show who runs what where, how long, and how many bytes
    Plan(PlanArgs),
    /// List every metric that an expectation may name, with unit, meaning and formula
    Metrics(MetricsArgs),
    /// Find what the agents of a cluster's hosts can do: rate ceiling, timer, clock
    Calibrate(CalibrateArgs),
    /// Make payloads: to a file, to standard output, or to a topic
    Generate(super::args::GenerateArgs),
    /// Make the pages of a run again, from its archive
    Report(ReportArgs),
    /// Make one run of runs that had a shard of the cases each
    Merge(MergeArgs),
    /// Show the archive in a browser: runs by search, one that goes on live, two compared
    Serve(ServeArgs),
    /// Hold runs against others: what differs, and what got worse by more than chance
    Compare(CompareArgs),
    /// Follow a scenario's figures over all its runs: levels, breaks, and changes that nothing explains
    Trend(TrendArgs),
    /// Give runs a name to compare with
    Baseline(BaselineArgs),
    /// Print what agents reported, interval by interval, before anything was merged
    Intervals(IntervalsArgs),
    /// Print the JSON Schema of a kind of file, for editors
    Schema {
        /// The kind of file
        of: super::schema::SchemaOf,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Which scenarios, and how they are changed from outside.
#[derive(Debug, Args, Clone, Default, Serialize, Deserialize)]
pub struct PlanArgs {
    /// Scenario files, or folders of them
    #[arg(value_name = "SCENARIO|FOLDER")]
    pub scenarios: Vec<PathBuf>,
    /// Where Kafka and the agents' hosts are [default: cluster.yaml here, else an embedded broker]
    #[arg(long, value_name = "FILE")]
    pub cluster: Option<PathBuf>,
    /// Give a parameter another value; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Only cases whose name matches; `*` stands for anything; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// Judge by these bounds [default: $BENCHMARK_BOUNDS_CONFIG, else `bounds:` of the scenario, else
    /// benchmark_bounds.json beside it]
    #[arg(long, value_name = "FILE")]
    pub bounds: Option<PathBuf>,
    /// Run every case so many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub repeat: u32,
    /// Which part of the cases.
    #[command(flatten)]
    #[serde(default)]
    pub shard: ShardArgs,
    /// What it is held against, run by run.
    #[command(flatten)]
    #[serde(default)]
    pub pairs: PairArgs,
}

/// `mallard run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which scenarios.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Name the run's folder, instead of by time and scenario
    #[arg(long, value_name = "NAME")]
    pub id: Option<String>,
    /// Print the verdict only
    #[arg(long, short)]
    pub quiet: bool,
    /// Run once more what did not pass in this run (its id, folder, or `latest`): cases that failed, were invalid, broke, were
    /// not run, or are new. Without SCENARIO: those of that run, with its settings. A case that passes after it had
    /// failed is `flaky`
    #[arg(long, value_name = "RUN")]
    pub rerun: Option<String>,
    /// Leave created topics and groups on the broker
    #[arg(long)]
    pub keep: bool,
    /// Run in the background, without a terminal; `mallard status` shows how far it is
    #[arg(long)]
    pub detach: bool,
    /// Is in the background already: given by `--detach` to the process that it starts
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub detached: bool,
    /// The agent's program [default: mallard-agent beside this program]; for hosts of another
    /// architecture: ARCHITECTURE=PATH, such as aarch64=PATH; may be repeated
    #[arg(long, value_name = "PATH")]
    pub agent: Vec<AgentOption>,
    /// Templates to use instead of those built in
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Who follows the run from outside.
    #[command(flatten)]
    pub export: ExportArgs,
}

/// Who follows a run from outside while it goes on.
#[derive(Debug, Args, Clone, Default)]
#[command(next_help_heading = "Live export")]
pub struct ExportArgs {
    /// Give Prometheus the figures of the run at http://ADDRESS/metrics; a port alone is one of 127.0.0.1
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    pub metrics: Option<SocketAddr>,
    /// With --metrics: when the run is over, stay until the figures were fetched once more, for so long at most
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub linger: Duration,
    /// Push the figures of the run to a collector by OTLP over HTTP, every second: http://127.0.0.1:4318
    #[arg(long, value_name = "URL")]
    pub otlp: Option<Target>,
}

impl ExportArgs {
    pub(super) fn exports(&self) -> Exports {
        Exports { metrics: self.metrics, linger: self.linger, otlp: self.otlp.clone() }
    }
}

/// Where to listen: `9464`, `127.0.0.1:9464`, `[::1]:9464`.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let alone = text.strip_prefix("localhost:").unwrap_or(text).parse().ok();
    let address = alone.map(|port: u16| (Ipv4Addr::LOCALHOST, port).into());
    address.or_else(|| text.parse().ok()).ok_or_else(|| {
        "expected an address with a port, such as 127.0.0.1:9464 or [::1]:9464, or a port of this machine's \
         loopback: 9464"
            .to_owned()
    })
}

/// `mallard resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// A run's folder, its id, or `latest`
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Print the verdict only
    #[arg(long, short)]
    pub quiet: bool,
}

/// `mallard status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// A run's folder, its id, or `latest` [default: every run that is not over, else the latest]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Go on showing what happens until the run is over
    #[arg(long, short)]
    pub follow: bool,
}

/// `mallard stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// A run's folder, its id, or `latest`
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Return at once instead of waiting for the verdict; the exit code is then 0
    #[arg(long)]
    pub no_wait: bool,
}

/// `mallard clean`.
///
/// Looks at this machine and the hosts over ssh of the cluster file (folders of agents), at the container engine
/// (containers, networks) and at the brokers of the cluster file (topics, consumer groups), shows what is there by
/// run, and removes what is left of dead runs: those that no `mallard` runs, and none of whose agents works. What a
/// living run has stays, and so does what runs that this archive knows nothing about have on hosts over ssh and on
/// brokers, and topics that a run was told to keep, unless `--run` names them.
///
/// It logs in to every host at once, and brings the agent's program there, as a run does.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Where Kafka and the hosts are [default: cluster.yaml here, else this machine and no brokers]
    #[arg(value_name = "CLUSTER")]
    pub cluster: Option<PathBuf>,
    /// Only what this run has left, also where nothing else is known of it
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Show what there is, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove without asking
    #[arg(long, short, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Remove measurements, too, that no run has collected; without this, folders that hold some stay
    #[arg(long)]
    pub discard: bool,
    /// The archive, which tells which runs are over
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// The agent's program, which talks to the brokers and looks at hosts [default: mallard-agent beside
    /// this program]; for hosts of another architecture: ARCHITECTURE=PATH; may be repeated
    #[arg(long, value_name = "PATH")]
    pub agent: Vec<AgentOption>,
}

/// `mallard validate`.
#[derive(Debug, Default, Args)]
pub struct ValidateArgs {
    /// Scenario, cluster and bounds files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Judge scenarios by this cluster file [default: the first among FILE, else cluster.yaml here unless
    /// its broker is embedded, else none: hosts, labels and brokers are then not judged]
    #[arg(long, value_name = "FILE")]
    pub cluster: Option<PathBuf>,
    /// Give a parameter another value; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// The archive whose baselines scenarios may name: one that it does not have is a mistake
    #[arg(long, value_name = "DIR")]
    pub results: Option<PathBuf>,
    /// Lay these bounds over those of the scenarios, as `run` would
    #[arg(long, value_name = "FILE")]
    pub bounds: Option<PathBuf>,
    /// The agent's program, which checks client properties [default: beside this program, if there]
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,
}

/// `mallard check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The cluster file [default: cluster.yaml here]
    #[arg(value_name = "CLUSTER")]
    pub cluster: Option<PathBuf>,
    /// The agent's program [default: mallard-agent beside this program]; for hosts of another
    /// architecture: ARCHITECTURE=PATH, such as aarch64=PATH; may be repeated
    #[arg(long, value_name = "PATH")]
    pub agent: Vec<AgentOption>,
}

/// `mallard metrics`.
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `mallard report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run's folder, its id, or `latest`
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Templates to use instead of those built in
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
}

/// `mallard serve`.
///
/// Lists every run of an archive, with search and filters; shows one that goes on live, with the charts of its report; holds two
/// ticked runs against each other; gives out the files. It reads the archive and changes nothing, so it may be ended and
/// started again at any time. It listens on the loopback; on any other address a token is required, which is printed at
/// the start, or taken from MALLARD_SERVE_TOKEN, never from the command line.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mallard serve\n  mallard serve /mnt/soaks --listen 9000\n  MALLARD_SERVE_TOKEN=$(cat token) mallard serve --listen 10.0.0.5:8080"
)]
pub struct ServeArgs {
    /// The archive
    #[arg(value_name = "RESULTS", default_value = "results")]
    pub results: PathBuf,
    /// Where to listen; a port alone is one of 127.0.0.1, and 0 is any
    #[arg(long, value_name = "ADDRESS", default_value = "8080", value_parser = listen_address)]
    pub listen: SocketAddr,
    /// Templates to use instead of those built in
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
}

/// `mallard compare`.
///
/// Says first what differs between the two sides: plan, Kafka, hosts, tools, placement. Then, for every figure,
/// the change with its interval and one of four words:
///
///   worse    more than the tolerance worse, with a chance of 1 % of being wrong
///   better   more than the tolerance better, likewise
///   same     shown to be equal within the tolerance
///   unclear  anything else; the number of repeats that would decide it is given
///
/// Three runs a side are the least that know their own spread: `mallard run S --repeat 3`, whose repetitions count as
/// runs. One run a side is held against what eight or more earlier runs of the same fingerprint spread, else it is
/// `unclear`. Percentiles of several runs come from their merged histograms.
///
/// `comparison.json` and `comparison.html`, one page that needs no network, are written into the newest run's folder.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_EXAMPLES)]
pub struct CompareArgs {
    /// What is held against: runs by id, folder or `latest`, or baselines
    #[arg(value_name = "BASE", required = true)]
    pub base: Vec<String>,
    /// What is held against it: runs or baselines
    #[arg(long, value_name = "NEW", required = true, num_args = 1..)]
    pub with: Vec<String>,
    /// Within which share figures count as the same; at least 0.2 %, what the histograms resolve
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = tolerance)]
    pub tolerance: f64,
    /// Decide by this metric instead of the five headline ones; may be repeated
    #[arg(long = "metric", value_name = "METRIC")]
    pub metrics: Vec<String>,
    /// What was varied on purpose, by its place: plan.client.linger.ms, kafka.version, hosts; may be repeated
    #[arg(long, value_name = "PLACE")]
    pub across: Vec<String>,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Where comparison.json and comparison.html go [default: the newest run's folder]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print comparison.json instead of the table
    #[arg(long)]
    pub json: bool,
    /// Templates to use instead of those built in
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
}

const COMPARE_EXAMPLES: &str = "\
Examples:
  mallard compare main --with latest
  mallard compare 20260301-140300-steady-3fa9 --with 20260302-140300-steady-77ab --tolerance 10%
  mallard compare main --with latest --metric produce.response.p99 --metric records.lost
  mallard compare before-1 before-2 before-3 --with after-1 after-2 after-3 --across kafka.version

Exit codes: 0 nothing that decides got worse, 1 something did, 2 wrong usage, 4 it is unclear or nothing could be
compared.";

/// `mallard trend`.
///
/// Follows each figure over the judged runs of a scenario's cases, oldest first. Repetitions of a run are one point, their
/// median. Runs of one fingerprint (plan, Kafka, hosts, tools, placement) belong together; where another one
/// begins, the series breaks: what differs is named, and the step there is no change.
///
/// Within a fingerprint, changes of level are looked for by energy distances and kept if Welch's test gives p <= 0.001
/// and they are larger than the tolerance and twice what runs spread. A change is `confirmed` once more than five runs are on
/// both sides of it, `suspect` before that, and `accepted` if accepted.yaml in the archive says why it is right:
///
///   - {scenario: steady, metric: produce.response.p99, run: RUN, reason: bigger batches on purpose}
///
/// `trend-SCENARIO.html`, one page that needs no network, and `trend-SCENARIO.json` are written into the archive.
#[derive(Debug, Args)]
#[command(after_help = TREND_EXAMPLES)]
pub struct TrendArgs {
    /// The scenario, by its name
    #[arg(value_name = "SCENARIO")]
    pub scenario: String,
    /// Follow this metric instead of the five headline ones; may be repeated
    #[arg(long = "metric", value_name = "METRIC")]
    pub metrics: Vec<String>,
    /// Only runs that were started at most so long before the newest one, as 90d
    #[arg(long, value_name = "DURATION", value_parser = since)]
    pub since: Option<Duration>,
    /// Below which share a change of level does not count; at least 0.2 %, what the histograms resolve
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = tolerance)]
    pub tolerance: f64,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Where the files go [default: the archive]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print trend-SCENARIO.json instead of text
    #[arg(long)]
    pub json: bool,
    /// Templates to use instead of those built in
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
}

const TREND_EXAMPLES: &str = "\
Examples:
  mallard trend steady
  mallard trend soak --metric end_to_end.p99 --since 90d

Exit codes: 0 no change for the worse stands, 1 one does: confirmed, not accepted, of the newest fingerprint and not
taken back since; 2 wrong usage, a mistake in accepted.yaml, or no such runs.";

/// A duration as it is written: `90d`.
fn since(text: &str) -> Result<Duration, String> {
    units::duration(text).map_err(|wrong| format!("{}; {}", wrong.message, wrong.help))
}

/// `mallard baseline`.
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: BaselineAction,
}

/// What to do with baselines.
#[derive(Debug, Subcommand)]
pub enum BaselineAction {
    /// Give runs a name, or give the name to other runs
    #[command(
        after_help = "Examples:\n  mallard baseline set main latest\n  mallard baseline set kafka-4.1 run-1 run-2 run-3 --remark 'before the upgrade'"
    )]
    Set {
        /// The baseline's name
        #[arg(value_name = "NAME")]
        name: String,
        /// Runs by id, folder or `latest`
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<String>,
        /// What is to be remembered of it
        #[arg(long, value_name = "TEXT", default_value = "")]
        remark: String,
        /// The archive
        #[arg(long, value_name = "DIR", default_value = "results")]
        results: PathBuf,
    },
    /// List baselines with their runs
    List {
        /// The archive
        #[arg(long, value_name = "DIR", default_value = "results")]
        results: PathBuf,
    },
    /// Take a baseline's name away; its runs stay
    Remove {
        /// The baseline's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The archive
        #[arg(long, value_name = "DIR", default_value = "results")]
        results: PathBuf,
    },
}

/// `mallard calibrate`.
///
/// What is found is kept in `$XDG_DATA_HOME/mallard/calibration.json` (by default
/// `~/.local/share/mallard/calibration.json`), by host and build; `plan` and `run` warn of loads beyond
/// 70 % of it.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// Where Kafka and the hosts are [default: cluster.yaml here, else this machine and no Kafka]
    #[arg(value_name = "CLUSTER")]
    pub cluster: Option<PathBuf>,
    /// How long each rate is measured; there are three to five a host
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// The agent's program [default: mallard-agent beside this program]
    #[arg(long, value_name = "PATH")]
    pub agent: Vec<AgentOption>,
}

/// `mallard intervals`.
#[derive(Debug, Args)]
pub struct IntervalsArgs {
    /// A run's folder, its id, or `latest`
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Only cases whose name matches; `*` stands for anything; may be repeated
    #[arg(long = "case", value_name = "PATTERN")]
    pub cases: Vec<String>,
    /// Only agents whose name matches; may be repeated
    #[arg(long = "agent", value_name = "PATTERN")]
    pub agents: Vec<String>,
    /// JSON: a line an interval, with all there is; CSV: a row an instance and interval
    #[arg(long, value_enum, default_value_t = IntervalsFormat::Csv)]
    pub format: IntervalsFormat,
}

/// What `mallard intervals` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum IntervalsFormat {
    /// A row an instance and interval: accounts and percentiles.
    Csv,
    /// A line an interval: everything, histograms with their cells.
    Json,
}

/// `mallard generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Of what kind.
    #[command(subcommand)]
    pub kind: Kind,
}

/// Kinds of payloads.
#[derive(Debug, Subcommand)]
pub enum Kind {
    /// Health data, as wearables send it
    Health(HealthArgs),
}

/// How payloads are written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON array
    Json,
    /// One JSON object a line
    Ndjson,
    /// An Avro object container file; to a topic, Avro without a header
    Avro,
}

/// `mallard generate health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// How many payloads
    #[arg(long, value_name = "N", required_unless_present = "lasting")]
    pub payloads: Option<u64>,
    /// Samples in a payload
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub samples: u32,
    /// Number of users
    #[arg(long, value_name = "U", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub users: u32,
    /// Number of devices [default: half as many as users]
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..))]
    pub devices: Option<u32>,
    /// Payloads a second, in their own times and, to a topic, in real time [default: 1 in their own
    /// times, 1000 to a topic]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rate: Option<u32>,
    /// How long such a rate lasts, instead of --payloads: `60s`, `5m`
    #[arg(long = "for", id = "lasting", value_name = "TIME", value_parser = duration, conflicts_with = "payloads")]
    pub lasting: Option<Duration>,
    /// The time of the first payload, RFC 3339 [default: 2025-11-15T10:00:00Z]
    #[arg(long, value_name = "TIME")]
    pub start: Option<Timestamp>,
    /// The same seed makes the same payloads
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=u64::from(u32::MAX)))]
    pub seed: u64,
    /// How payloads are written
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    pub format: Format,
    /// Share of payloads that are invalid, such as `1%`, dealt evenly to all classes; `CLASS=1%` for
    /// one class, may be repeated
    #[arg(long, value_name = "[CLASS=]SHARE", value_parser = invalid)]
    pub invalid: Vec<(Option<Defect>, u32)>,
    /// The file, which is there whole or not at all; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-", conflicts_with = "topic")]
    pub out: PathBuf,
    /// An existing topic. Agents send; the run is archived like any other
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// A schema registry, for Avro in Confluent's wire format with the id that it gives to the schema
    #[arg(long, value_name = "URL", requires = "topic")]
    pub registry: Option<String>,
    /// Its user, whose password is in MALLARD_REGISTRY_PASSWORD
    #[arg(long, value_name = "NAME", requires = "registry")]
    pub registry_user: Option<String>,
    /// Headers that say of every record what its payload is
    #[arg(long, requires = "topic")]
    pub headers: bool,
    /// Where Kafka and the agents' hosts are
    #[arg(long, value_name = "FILE", requires = "topic")]
    pub cluster: Option<PathBuf>,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results", requires = "topic")]
    pub results: PathBuf,
}

impl HealthArgs {
    /// How many payloads are made.
    pub(super) fn count(&self, rate: u32) -> u64 {
        let by_rate = |lasting: Duration| {
            u64::try_from(lasting.as_nanos() * u128::from(rate) / 1_000_000_000).unwrap_or(u64::MAX)
        };
        self.payloads.or(self.lasting.map(by_rate)).unwrap_or(0)
    }

    /// From one payload's own time to the next one's, wherever payloads go.
    pub(super) fn step_us(&self) -> u64 {
        1_000_000 / u64::from(self.rate.unwrap_or(1))
    }

    /// Which payloads are invalid. What is said of a class several times is added up.
    pub(super) fn invalid_shares(&self) -> Result<InvalidShares, String> {
        // A payload that is cut off would spoil a file that is one whole.
        let possible = |defect: &Defect| {
            *defect != Defect::Undecodable || self.topic.is_some() || self.format == Format::Ndjson
        };
        let classes: Vec<_> = Defect::ALL.into_iter().filter(possible).collect();
        let mut parts: BTreeMap<Defect, u32> = BTreeMap::new();
        let mut add = |defect, share| {
            let part = parts.entry(defect).or_default();
            *part = part.saturating_add(share);
        };
        for (defect, share) in &self.invalid {
            match defect {
                Some(defect) if !possible(defect) => {
                    return Err(format!(
                        "class `{defect}` needs `--format ndjson`: a payload that is cut off would spoil the file"
                    ));
                }
                Some(defect) => add(*defect, *share),
                None => {
                    let evenly = InvalidShares::evenly(*share, &classes)?;
                    evenly.parts().for_each(|(defect, part)| add(defect, part));
                }
            }
        }
        InvalidShares::new(parts)
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).map_err(|wrong| wrong.message)
}

pub(super) fn invalid(text: &str) -> Result<(Option<Defect>, u32), String> {
    let (class, share) = text.rsplit_once('=').map_or((None, text), |(c, s)| (Some(c), s));
    let share = units::share(share).map_err(|wrong| wrong.message)?;
    let defect = class.map(|class| {
        let names: Vec<_> = Defect::ALL.iter().map(|defect| defect.name()).collect();
        let unknown = || format!("there is no class `{class}`: take one of {}", names.join(", "));
        Defect::from_name(class).ok_or_else(unknown)
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is from 0 to 1"
    )]
    let millionths = (share * WHOLE).round() as u32;
    Ok((defect.transpose()?, millionths))
}

/// Millionths in the whole.
pub(super) const WHOLE: f64 = 1e6;
