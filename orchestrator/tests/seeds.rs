//! Every command that docs/seeds.md names is one that mallard takes, on scenarios that plan.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use clap::Parser;
use mallard::{
    cli::args::{Cli, Command, PlanArgs},
    load::{self, cluster::Cluster, render::render, source::Source},
    plan::{PlanOptions, plan},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Words as a shell splits them, as far as the page needs it: quotes keep spaces.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut quote, mut open) = (Vec::new(), None, false);
    for letter in command.chars() {
        match (quote, letter) {
            (Some(end), _) if end == letter => quote = None,
            (None, '\'' | '"') => (quote, open) = (Some(letter), open_word(&mut words, open)),
            (None, ' ') => open = false,
            _ => {
                open = open_word(&mut words, open);
                words.last_mut().unwrap().push(letter);
            }
        }
    }
    words
}

fn open_word(words: &mut Vec<String>, open: bool) -> bool {
    if !open {
        words.push(String::new());
    }
    true
}

/// The commands of a page: its line, and what stands in backticks and begins with `mallard`.
fn commands(page: &str) -> Vec<(usize, String)> {
    let mut commands = Vec::new();
    for (number, line) in page.lines().enumerate() {
        let spans = line.split('`').skip(1).step_by(2).map(str::to_owned);
        let of_line = spans.filter(|span| span.starts_with("mallard ") && !span.contains("::"));
        commands.extend(of_line.map(|command| (number + 1, command)));
    }
    commands
}

fn cluster(args: &PlanArgs) -> Cluster {
    let real = "kafka: {bootstrap: \"localhost:9092\"}\nhosts: [local: {agents: 2}]\n";
    let own = fs::read_to_string(root().join("cluster.yaml")).unwrap();
    let text = if args.cluster.is_some() { real } else { &own };
    load::cluster::from_source(&Source::new("cluster.yaml", text), &|_| None).unwrap()
}

/// Plans what a command would run, and says what is wrong with that.
fn planned(args: &PlanArgs) -> Result<usize, String> {
    let files: Vec<_> = args.scenarios.iter().map(|file| root().join(file)).collect();
    if let Some(missing) = files.iter().find(|file| !file.exists()) {
        return Err(format!("there is no {}", missing.display()));
    }
    let set = args.set.iter().map(|set| set.split_once('=').unwrap());
    let options = PlanOptions {
        set: set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        only: args.only.clone(),
        ..PlanOptions::new("run-1")
    };
    load::scenario_files(&files, &|_| None)
        .and_then(|(scenarios, _)| plan(&scenarios, &cluster(args), &options))
        .map(|plan| plan.cases.len())
        .map_err(|mistakes| render(&mistakes, false))
}

#[test]
fn every_command_of_the_seeds_page_is_taken_and_plans() {
    let page = fs::read_to_string(root().join("docs/seeds.md")).unwrap();
    let (mut wrong, mut runs) = (Vec::new(), 0);
    for (line, command) in commands(&page) {
        let outcome = match Cli::try_parse_from(words(&command)).map(|cli| cli.command) {
            Err(refusal) => Err(refusal.to_string()),
            Ok(Command::Run(args)) => planned(&args.plan),
            Ok(Command::Plan(args) | Command::List(args)) => planned(&args),
            Ok(_) => Ok(1),
        };
        match outcome {
            Ok(0) => wrong.push(format!("docs/seeds.md:{line}: `{command}` has no case")),
            Ok(_) => runs += 1,
            Err(why) => wrong.push(format!("docs/seeds.md:{line}: `{command}`: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(runs >= 20, "only {runs} commands were found");
}

#[test]
fn words_are_split_as_a_shell_does() {
    assert_eq!(words("a --only 'b@c d' \"e f\"g"), ["a", "--only", "b@c d", "e fg"]);
}
