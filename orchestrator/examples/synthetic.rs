//! Writes synthetic archives and their pages: `cargo run --example synthetic -- FOLDER [KIND…]`, with
//! kinds `passing`, `failing`, `matrix`, `hostile`, `unfinished`, `soak` (24 h, 100 agents, 1,000 partitions).
#![expect(clippy::print_stdout, reason = "a tool for designing the pages")]

#[path = "../tests/support/mod.rs"]
mod support;

use mallard::{over_time::index, report::templates::Templates};
use std::{error::Error, path::PathBuf, time::Instant};
use support::archives;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let results = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let kinds: Vec<String> = arguments.collect();
    let templates = Templates::load(None)?;
    for kind in kinds {
        let start = Instant::now();
        let run = match kind.as_str() {
            "passing" => archives::passing(&results),
            "failing" => archives::failing(&results),
            "matrix" => archives::matrix(&results),
            "hostile" => archives::hostile(&results),
            "unfinished" => archives::unfinished(&results),
            "soak" => archives::soak(&results, 24, 100, 1_000),
            path => PathBuf::from(path),
        };
        let written = start.elapsed();
        let page = index::with_reports(&run, &templates)?;
        let bytes = std::fs::metadata(&page)?.len();
        let rendered = start.elapsed() - written;
        println!(
            "{}: written in {written:.1?}, rendered in {rendered:.1?}, {bytes} bytes",
            page.display()
        );
    }
    Ok(())
}
