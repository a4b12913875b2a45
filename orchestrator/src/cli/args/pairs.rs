//! Arguments about pairs of runs.

use super::share::tolerance;
use clap::Args;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What cases are held against, run by run.
#[derive(Debug, Args, Clone, Default, Serialize, Deserialize)]
#[command(next_help_heading = "Pairs")]
pub struct PairArgs {
    /// Run SCENARIO and this one in turns, and compare them pair by pair, with the words and exit codes of `mallard compare`.
    /// The same file is an A/A test: how often does this lab cry wolf?
    #[arg(long, value_name = "SCENARIO", requires = "pairs", conflicts_with_all = ["shard", "repeat"])]
    pub against: Option<PathBuf>,
    /// How many pairs of runs; three are the least that know their own spread
    #[arg(long, value_name = "N", requires = "against", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub pairs: Option<u32>,
    /// Give a parameter another value in --against only; may be repeated
    #[arg(long, value_name = "NAME=VALUE", requires = "against")]
    pub against_set: Vec<String>,
    /// Draws which side of a pair goes first [default: 1]
    #[arg(long, value_name = "N", requires = "against")]
    pub seed: Option<u64>,
    /// Within which share figures of pairs count as the same [default: 5%]
    #[arg(long, value_name = "SHARE", requires = "against", value_parser = tolerance)]
    pub tolerance: Option<f64>,
    /// Decide pairs by this metric instead of the five headline ones; may be repeated
    #[arg(long = "metric", value_name = "METRIC", requires = "against")]
    pub decide_by: Vec<String>,
}

impl PairArgs {
    /// The seed of the coin.
    pub(in crate::cli) fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }
}
