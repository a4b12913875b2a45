//! The command line: arguments in, exit code out.

mod against;
pub mod args;
mod baseline;
mod calibrate;
mod check;
mod clean;
mod compare;
mod detach;
mod ended;
pub mod files;
pub mod generate;
mod intervals;
pub mod list;
mod make_ready;
mod merge;
mod order;
mod outcome;
mod pairs;
pub mod plan;
pub mod planning;
mod progress;
pub mod properties;
mod report;
mod rerun;
mod resume;
mod run;
mod run_id;
pub mod schema;
mod serve;
mod status;
mod stop;
mod trend;
pub mod validate;

use crate::model::exit_code;
use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::Write;

pub use outcome::Outcome;

/// Runs the program and returns its exit code.
#[must_use]
pub fn main() -> i32 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            return if usage.use_stderr() { exit_code::USAGE } else { exit_code::PASS };
        }
    };
    raise_file_limit();
    let outcome = dispatch(cli);
    let wrote = std::io::stdout().write_all(outcome.stdout.as_bytes());
    // A reader that has gone away, as `head` does, is no error.
    let _ = wrote.and_then(|()| std::io::stdout().flush());
    let _ = std::io::stderr().write_all(outcome.stderr.as_bytes());
    outcome.code
}

/// Lets this process open as many files as it may at all. Every host over ssh takes about ten, and the usual limit
/// of 1,024 is soon reached.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, a file that cannot be opened says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn dispatch(cli: Cli) -> Outcome {
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Resume(args) => resume::resume(&args),
        Command::Status(args) => status::status(&args),
        Command::Stop(args) => stop::stop(&args),
        Command::List(args) => list::list(&args),
        Command::Validate(args) => validate::validate(&args),
        Command::Check(args) => check::check(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Metrics(args) => {
            Outcome::ok(if args.json { crate::metrics::json() } else { crate::metrics::table() })
        }
        Command::Report(args) => report::report(&args),
        Command::Merge(args) => merge::merge(&args),
        Command::Serve(args) => serve::serve(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Trend(args) => trend::trend(&args),
        Command::Baseline(args) => baseline::baseline(&args),
        Command::Clean(args) => clean::clean(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Intervals(args) => intervals::intervals(&args),
        Command::Generate(args) => generate::generate(&args),
        Command::Schema { of } => schema::schema(of),
        Command::Completions { shell } => completions(shell),
        Command::Man => man(),
    }
}

fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mallard", &mut script);
    Outcome::ok(String::from_utf8_lossy(&script).into_owned())
}

/// The man page: the program's own page, then one section a subcommand.
fn man() -> Outcome {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
    match rendered {
        Ok(()) => Outcome::ok(String::from_utf8_lossy(&page).into_owned()),
        Err(cause) => Outcome::failed(exit_code::ERROR, format!("error: {cause}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Of two arguments with one name the later one is read for both. `clap` looks for it in debug builds alone.
    #[test]
    fn each_argument_of_a_command_has_a_name_of_its_own() {
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let (mut names, mut flags) = (BTreeSet::new(), BTreeSet::new());
            for argument in command.get_arguments() {
                let place = format!("{} {}", command.get_name(), argument.get_id());
                assert!(names.insert(argument.get_id().clone()), "{place} is there twice");
                let flag = argument.get_long().map(str::to_owned);
                assert!(
                    flag.is_none_or(|flag| flags.insert(flag)),
                    "{place}: its flag is there twice"
                );
            }
        }
    }
}
