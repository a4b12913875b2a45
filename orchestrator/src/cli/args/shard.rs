//! Arguments about parts of the cases, and about putting them together.

use crate::model::shard::{Slice, slice};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which part of the cases.
#[derive(Debug, Args, Clone, Default, Serialize, Deserialize)]
pub struct ShardArgs {
    /// Only the K-th of N parts of the cases, for machines that share them; `mallard merge` makes one run of all parts.
    /// Repetitions of a case stay together
    #[arg(long, value_name = "K/N", value_parser = slice)]
    pub shard: Option<Slice>,
    /// With --shard: make the parts equally long by what is known of the loads, instead of dealing out cases in turn
    #[arg(long, requires = "shard")]
    pub balance: bool,
}

impl ShardArgs {
    /// The part that is asked for.
    pub(in crate::cli) fn slice(&self) -> Option<Slice> {
        self.shard.map(|slice| Slice { balanced: self.balance, ..slice })
    }
}

/// `mallard merge`.
///
/// Takes one run of every shard, makes sure that they belong together (one division of one plan, every shard once, the same
/// Kafka, hosts and tools), judges what scenarios expect across cases, and writes a run as any other: one page, one
/// `junit.xml`, one verdict. Cases are linked where both lie on one file system, and copied elsewhere; the shards stay
/// as they are, and `trend`, `compare` and the list of runs count each case once.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MergeArgs {
    /// The runs: by folder, id or `latest`
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<String>,
    /// The archive that the new run goes to
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Name the new run's folder, instead of by time and scenario
    #[arg(long, value_name = "NAME")]
    pub id: Option<String>,
    /// What may differ between the shards, by its place: hosts, kafka.version, tools; may be repeated
    #[arg(long, value_name = "PLACE")]
    pub across: Vec<String>,
    /// Templates to use instead of those built in
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  mallard merge shard-1/20260301-* shard-2/20260301-* shard-3/20260301-*
  mallard merge run-1 run-2 --across hosts          machines of different kinds, told on the page

Exit codes: those of `mallard run` over all cases; 2 if the runs do not belong together.";
