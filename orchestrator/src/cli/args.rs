//! The arguments, with the help that teaches them.

use crate::hosts::deploy::AgentOption;
use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
  mallard resume latest                                     take over a run whose mallard died
  mallard clean cluster.yaml --dry-run                      what dead runs have left
  mallard generate health --payloads 10000 --out data.ndjson
  mallard check lab.yaml                                    whether the hosts are fit for a run
  mallard report latest                                     the pages again, from the archive

Exit codes: 0 pass, 1 an expectation failed, 2 wrong usage or a mistake in a file, 3 the harness or
the infrastructure broke, 4 the measurement cannot be trusted, 130 interrupted.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios and archive a verdict
    Run(RunArgs),
    /// Take over a run whose mallard died, and bring it to its end
    Resume(ResumeArgs),
    /// Show how far runs are; touch nothing
    Status(StatusArgs),
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
    Generate(super::generate::GenerateArgs),
    /// Make the pages of a run again, from its archive
    Report(ReportArgs),
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
    #[arg(required = true, value_name = "SCENARIO|FOLDER")]
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
    /// The archive, which tells which runs are over
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// The agent's program, which talks to the brokers and looks at hosts [default: mallard-agent beside
    /// this program]; for hosts of another architecture: ARCHITECTURE=PATH; may be repeated
    #[arg(long, value_name = "PATH")]
    pub agent: Vec<AgentOption>,
}

/// `mallard validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Scenario, cluster and bounds files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
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
