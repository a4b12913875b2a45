//! The course of the whole thing.

use std::fs;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::broker::Broker;
use crate::experiments::{Bench, Experiment, Outcome};
use crate::mallard::Mallard;
use crate::options::{HELP, Options};
use crate::page::{self, Machine};
use crate::peers::franz_go::FranzGo;
use crate::peers::java_loop::JavaLoop;
use crate::peers::rdkafka::Rdkafka;
use crate::{cpu, place};

/// Everything went well.
const DONE: u8 = 0;
/// The command line is wrong.
const USAGE: u8 = 2;
/// Something that the bench stands on did not work.
const BROKEN: u8 = 3;

/// Runs the bench with these arguments.
pub fn main(args: impl Iterator<Item = String>) -> ExitCode {
    let options = match Options::read(args) {
        Ok(options) => options,
        Err(error) => return end(USAGE, &format!("{error}\n")),
    };
    if options.help {
        print(HELP);
        return ExitCode::from(DONE);
    }
    match compare(options) {
        Ok(()) => ExitCode::from(DONE),
        Err(error) => end(BROKEN, &format!("{error:#}\n")),
    }
}

fn compare(options: Options) -> Result<()> {
    let (began, machine) = (Instant::now(), Machine::look());
    fs::create_dir_all(place::results()).context("failed to make target/bench")?;
    cpu::adopt_orphans()?;
    say("building peers");
    let (rdkafka, franz_go, java_loop) = (Rdkafka::build()?, FranzGo::build()?, JavaLoop::build()?);
    say("starting the broker");
    let broker = Broker::start(franz_go.clone(), place::log_bytes(options.short))?;
    let mallard = Mallard::at("cluster.yaml", broker.plain(), &[])?;
    let bench = Bench { options, broker, mallard, rdkafka, franz_go, java_loop };
    let outcomes = bench.options.only.iter().map(|name| -> Result<Outcome> {
        Experiment::prepare(*name, &bench)?.make(&bench, &mut say)
    });
    let outcomes: Vec<Outcome> = outcomes.collect::<Result<_>>()?;
    let tables: Vec<_> = outcomes.iter().map(page::table).collect();
    let head = page::Head { machine, short: bench.options.short, rounds: bench.options.rounds };
    let markdown = page::markdown::page(&head, &tables);
    print(&markdown);
    write("bench.md", &markdown)?;
    write("bench.html", &page::html::page(&head, &tables))?;
    say(&format!(
        "{} and bench.html beside it, after {:.0} s",
        place::results().join("bench.md").display(),
        began.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn write(name: &str, text: &str) -> Result<()> {
    let file = place::results().join(name);
    fs::write(&file, text).with_context(|| format!("failed to write {}", file.display()))
}

fn say(text: &str) {
    // Nobody to tell is no reason to stop.
    let _unseen = writeln!(std::io::stderr(), "{text}");
}

fn print(text: &str) {
    let _unseen = std::io::stdout().write_all(text.as_bytes());
}

fn end(code: u8, text: &str) -> ExitCode {
    let _unseen = write!(std::io::stderr(), "mallard-bench: {text}");
    ExitCode::from(code)
}
