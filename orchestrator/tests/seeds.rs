//! Every row of docs/seeds.md names commands, and each is one that works: mallard takes it, on scenarios that
//! plan and files that are there, or cargo finds the examples that it tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use clap::Parser;
use mallard::{
    bounds::Outside,
    cli::{
        args::{Cli, Command, GenerateArgs, Kind, PlanArgs},
        validate,
    },
    config::{Diagnostic, Environment, render::render, source::Source},
    plan::{Plan, PlanOptions, plan},
    scenario::{self, cluster::Cluster},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The cluster file of the reader's own, which the README shows and nobody ships.
const READERS_CLUSTER: &str = "kafka.yaml";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page() -> String {
    fs::read_to_string(root().join("docs/seeds.md")).unwrap()
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

/// The rows of a page's tables, heads aside: each with its line, and with what stands in backticks in its last
/// cell.
fn rows(page: &str) -> Vec<(usize, Vec<String>)> {
    let is_row = |line: &str| line.starts_with("| ") && !line.starts_with("| the seed |");
    let lines = page.lines().enumerate().filter(|(_, line)| is_row(line));
    let row = |(number, line): (usize, &str)| {
        let cell = line.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let spans = cell.split('`').skip(1).step_by(2).map(str::to_owned);
        (number + 1, spans.collect())
    };
    lines.map(row).collect()
}

/// The cluster file that a command names, else the one that lies in the root.
fn cluster(named: Option<&Path>) -> Result<Cluster, String> {
    let named = named.unwrap_or(Path::new("cluster.yaml"));
    let text = if named == Path::new(READERS_CLUSTER) {
        "kafka: {bootstrap: \"localhost:9092\"}\nhosts: [local: {agents: 2}]\n".to_owned()
    } else {
        let read = fs::read_to_string(root().join(named));
        read.map_err(|why| format!("{}: {why}", named.display()))?
    };
    scenario::cluster::from_source(&Source::new(named, text), &|_| None)
        .map_err(|mistakes| render(&mistakes, false))
}

/// Paths of a command, all of which must be there.
fn there(files: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let files: Vec<_> = files.iter().map(|file| root().join(file)).collect();
    match files.iter().find(|file| !file.exists()) {
        Some(missing) => Err(format!("there is no {}", missing.display())),
        None => Ok(files),
    }
}

/// Plans what a command would run, and says what is wrong with that.
fn planned(args: &PlanArgs, environment: Environment<'_>) -> Result<Plan, String> {
    let files = there(&args.scenarios)?;
    let set = args.set.iter().map(|set| set.split_once('=').unwrap());
    let bounds = Outside::new(args.bounds.as_deref(), environment);
    let bounds = Outside { file: bounds.file.map(|file| root().join(file)), ..bounds };
    let options = PlanOptions {
        set: set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        only: args.only.clone(),
        bounds,
        ..PlanOptions::new("run-1")
    };
    let cluster = cluster(args.cluster.as_deref())?;
    scenario::scenario_files(&files, &|_| None)
        .and_then(|(scenarios, _)| plan(&scenarios, &cluster, &options))
        .map_err(|mistakes| render(&mistakes, false))
}

/// Validates the files that a command names.
fn validated(files: &[PathBuf]) -> Result<usize, String> {
    let found = validate::check(&there(files)?);
    if found.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(render(&found.diagnostics, false));
    }
    Ok(found.sound.len())
}

/// How many payloads a command would make.
fn generated(args: &GenerateArgs) -> Result<usize, String> {
    let Kind::Health(args) = &args.kind;
    if args.topic.is_some() {
        cluster(args.cluster.as_deref())?;
    }
    Ok(usize::try_from(args.payloads.unwrap_or(1)).unwrap())
}

/// What a command of mallard's is about, counted: cases, files, payloads; else 1.
fn of_mallard(words: &[String], environment: Environment<'_>) -> Result<usize, String> {
    let cases = |args: &PlanArgs| planned(args, environment).map(|plan| plan.cases.len());
    match Cli::try_parse_from(words).map_err(|refusal| refusal.to_string())?.command {
        Command::Run(args) => cases(&args.plan),
        Command::Plan(args) | Command::List(args) => cases(&args),
        Command::Validate(args) => validated(&args.files),
        Command::Check(args) => cluster(args.cluster.as_deref()).map(|_| 1),
        Command::Generate(args) => generated(&args),
        Command::Report(args) if args.run == "latest" => Ok(1),
        Command::Metrics(_) => Ok(1),
        other => Err(format!("nobody has said how to check {other:?}")),
    }
}

/// How many examples `cargo test --release --doc -p CRATE NAME` tests.
fn of_cargo(words: &[String]) -> Result<usize, String> {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let ["cargo", "test", "--release", "--doc", "-p", package, name] = words[..] else {
        return Err("is not `cargo test --release --doc -p CRATE NAME`".to_owned());
    };
    let folder = match package {
        "mallard" => "orchestrator",
        "mallard-health" => "health",
        _ => return Err(format!("there is no crate {package}")),
    };
    let mut files = Vec::new();
    sources(&root().join(folder).join("src"), &mut files);
    Ok(files.iter().map(|text| examples(text, name)).sum())
}

fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// Items of a source whose first line has this name and whose documentation has an example.
fn examples(text: &str, name: &str) -> usize {
    let (mut count, mut has_example) = (0, false);
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("///") {
            has_example |= line.starts_with("/// ```");
        } else if !line.starts_with("#[") {
            count += usize::from(has_example && line.contains(name));
            has_example = false;
        }
    }
    count
}

/// What a command is about, counted; variables may be set before it, as in a shell.
fn checked(command: &str) -> Result<usize, String> {
    let words = words(command);
    let variable = |word: &String| {
        let (name, value) = word.split_once('=')?;
        let is_name = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        is_name.then(|| (name.to_owned(), value.to_owned()))
    };
    let set: Vec<_> = words.iter().map_while(variable).collect();
    let environment = |name: &str| {
        let found = set.iter().find(|(variable, _)| variable == name);
        found.map(|(_, value)| value.clone())
    };
    let words = &words[set.len()..];
    match words.first().map(String::as_str) {
        Some("mallard") => of_mallard(words, &environment),
        Some("cargo") => of_cargo(words),
        _ => Err("is neither mallard nor cargo".to_owned()),
    }
}

#[test]
fn every_row_of_the_seeds_page_has_commands_that_work() {
    let (mut wrong, mut sound) = (Vec::new(), 0);
    for (line, commands) in rows(&page()) {
        if commands.is_empty() {
            wrong.push(format!("docs/seeds.md:{line}: no command shows it"));
        }
        for command in commands {
            match checked(&command) {
                Ok(0) => wrong.push(format!("docs/seeds.md:{line}: `{command}` is about nothing")),
                Ok(_) => sound += 1,
                Err(why) => wrong.push(format!("docs/seeds.md:{line}: `{command}`: {why}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sound >= 50, "only {sound} commands were found");
}

#[test]
fn the_row_about_partitions_names_a_command_that_warns() {
    let commands: Vec<_> = rows(&page()).into_iter().flat_map(|(_, commands)| commands).collect();
    let command = commands.iter().find(|command| command.ends_with("--set partitions=1")).unwrap();
    let Ok(Cli { command: Command::Plan(args) }) = Cli::try_parse_from(words(command)) else {
        panic!("{command}")
    };
    let warnings = planned(&args, &|_| None).unwrap().warnings;
    assert!(
        warnings.iter().any(|warning| warning.message.ends_with(" 1 partition")),
        "{warnings:?}"
    );
}

#[test]
fn what_is_wrong_with_a_command_is_seen() {
    for (wrong, why) in [
        ("mallard run scenarios/nowhere.yaml", "there is no "),
        ("mallard run scenarios/health --only health.nothing", "matches no case"),
        ("mallard run scenarios/steady.yaml --cluster lab.yaml", "lab.yaml"),
        ("mallard run scenarios/producer --bounds ci_bounds.json", "ci_bounds.json"),
        ("BENCHMARK_BOUNDS_CONFIG=ci_bounds.json mallard run scenarios/producer", "ci_bounds.json"),
        ("mallard validate scenarios/nowhere.yaml", "there is no "),
        ("mallard generate health --samples 5", "--payloads"),
        ("cargo test MetricsBounds", "is not `cargo test"),
        ("ls", "neither"),
    ] {
        let told = checked(wrong).unwrap_err();
        assert!(told.contains(why), "`{wrong}`: {told}");
    }
    assert_eq!(checked("cargo test --release --doc -p mallard NoSuchThing"), Ok(0));
    assert_eq!(checked("cargo test --release --doc -p mallard-health generate_"), Ok(5));
}

#[test]
fn words_are_split_as_a_shell_does() {
    assert_eq!(words("a --only 'b@c d' \"e f\"g"), ["a", "--only", "b@c d", "e fg"]);
}
