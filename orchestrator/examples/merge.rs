//! What a controller does with 100 agents × 1,000 partitions × 1 s: how much of a core it takes to
//! decode, audit, merge and archive that, how much memory, and how large the archive gets.
//! `cargo run --release --example merge -- [--short] [AGENTS [PARTITIONS [SECONDS [RECORDS_PER_S]]]]`
#![expect(clippy::print_stdout, reason = "an example speaks for itself")]

#[path = "../tests/support/merging.rs"]
mod merging;

use merging::Scale;
use std::error::Error;

/// What was promised.
const FULL: Scale = Scale { agents: 100, partitions: 1_000, seconds: 30, records_per_s: 1_000_000 };

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_short = arguments.iter().any(|argument| argument == "--short");
    let scale = if is_short { Scale::SHORT } else { FULL };
    let numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let mut numbers = numbers.filter(|number| *number > 0);
    let mut next = |otherwise| numbers.next().unwrap_or(otherwise);
    let scale = Scale {
        agents: next(scale.agents),
        partitions: next(scale.partitions),
        seconds: next(scale.seconds),
        records_per_s: next(scale.records_per_s),
    };
    let results = tempfile::tempdir()?;
    println!("{}", merging::run(results.path(), scale));
    Ok(())
}
