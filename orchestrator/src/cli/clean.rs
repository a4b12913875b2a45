//! `mallard clean`: finds what runs have left, shows it, and removes what dead ones have left.

use super::{Outcome, args::CleanArgs, files};
use crate::{
    clean::{
        self, Leftover, OfRun, Place, Sort,
        brokers::Brokers,
        local,
        runs::{Fate, Runs},
    },
    hosts::{
        Hosts, Problem,
        container::{self, Engine},
        deploy::Programs,
        kafka::{Swept, undo_what_is_left},
    },
    model::exit_code,
    scenario::cluster::Cluster,
    text::{error_chain::error_text, plural::noun, untrusted},
};
use mallard_protocol::workload::ClientProperties;
use std::{
    fmt::Write as _,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

/// How long a member that ended without leaving its group counts as one, where nobody has set its session, and
/// a little more.
const SESSION: Duration = Duration::from_secs(50);

/// How long groups without members may take.
const AT_ONCE: Duration = Duration::from_secs(4);

/// Finds, shows, asks, removes.
pub(super) fn clean(args: &CleanArgs) -> Outcome {
    let cluster = match files::cluster(args.cluster.as_deref()) {
        Ok(cluster) => cluster,
        Err(mistakes) => return files::refused(&mistakes),
    };
    let programs = match Programs::find(&args.agent) {
        Ok(programs) => Arc::new(programs),
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            let over_ssh = cluster.hosts.iter().filter_map(|host| {
                let name = host.name.as_deref()?;
                host.kind.is_over_ssh().then_some((name, &host.kind))
            });
            match Hosts::without_run(over_ssh, &programs) {
                Ok(all) => {
                    let (hosts, unfit) = all.fit(&cluster.deadlines).await;
                    let outcome = Cleaning { args, cluster, programs, hosts, unfit }.clean().await;
                    all.close().await;
                    outcome
                }
                Err(cause) => Outcome::failed(exit_code::ERROR, error_text(&cause)),
            }
        }),
        Err(cause) => Outcome::failed(exit_code::ERROR, error_text(&cause)),
    }
}

struct Cleaning<'a> {
    args: &'a CleanArgs,
    cluster: Cluster,
    programs: Arc<Programs>,
    /// Hosts over ssh that are ready: this machine and the engine are looked at as they are.
    hosts: Hosts,
    /// Why others are not.
    unfit: Vec<Problem>,
}

/// What was found, and what could not be looked at.
struct Found {
    runs: Vec<OfRun>,
    problems: Vec<String>,
}

impl Cleaning<'_> {
    async fn clean(&self) -> Outcome {
        let swept = self.undo_faults().await;
        let engine = self.engine().await;
        let found = self.find(engine.as_ref()).await;
        let told: String = swept.iter().map(|fault| format!("{}\n", fault.text)).collect();
        let mut outcome = Outcome::ok(told + &shown(&found, self.args.discard));
        if swept.iter().any(|fault| !fault.is_undone) {
            outcome.code = exit_code::ERROR;
        }
        if !found.problems.is_empty() {
            outcome.code = exit_code::ERROR;
        }
        let dead = self.removable(found.runs);
        let things: usize = dead.iter().map(|run| run.leftovers.len()).sum();
        if things == 0 || self.args.dry_run {
            return outcome;
        }
        if !self.args.yes {
            // Shown before the question, and not once more at the end.
            let _ = io::stdout().write_all(std::mem::take(&mut outcome.stdout).as_bytes());
            match asked(things, dead.len()) {
                Some(true) => {}
                Some(false) => return outcome,
                None => {
                    let text =
                        "error: nothing was removed: stdin is not a terminal; pass `--yes`\n";
                    return Outcome::failed(exit_code::USAGE, text.to_owned());
                }
            }
        }
        let left = self.remove(engine.as_ref(), dead).await;
        let _ =
            writeln!(outcome.stdout, "removed {} of {things}", things.saturating_sub(left.len()));
        for (what, cause) in &left {
            let _ = writeln!(
                outcome.stderr,
                "error: {} is left: {}",
                untrusted::line(what),
                untrusted::text(cause)
            );
            outcome.code = exit_code::ERROR;
        }
        outcome
    }

    /// Undoes faults that nobody holds any more. Not asked for: nobody wants a broker to stay broken.
    async fn undo_faults(&self) -> Vec<Swept> {
        if self.args.dry_run { Vec::new() } else { undo_what_is_left(self.programs.own()).await }
    }

    /// What may go of dead runs.
    fn removable(&self, mut runs: Vec<OfRun>) -> Vec<OfRun> {
        runs.retain(is_dead);
        if !self.args.discard {
            runs.iter_mut().for_each(OfRun::spare_measurements);
        }
        runs.retain(|run| !run.leftovers.is_empty());
        runs
    }

    /// The engine, if one is there or has to be.
    async fn engine(&self) -> Option<Result<Engine, container::Problem>> {
        let is_needed = self.cluster.kafka.containers().is_some()
            || self.cluster.hosts.iter().any(|host| host.kind.is_of_run());
        match Engine::connect().await {
            Err(_) if !is_needed => None,
            engine => Some(engine),
        }
    }

    async fn find(&self, engine: Option<&Result<Engine, container::Problem>>) -> Found {
        let mut runs = Runs::look(&self.args.results);
        // First what tells which runs live.
        let (mut all, silent) = clean::hosts::find(&self.hosts, &mut runs).await;
        let mut problems: Vec<String> =
            self.unfit.iter().chain(&silent).map(ToString::to_string).collect();
        let mut note = |found: Result<Vec<Leftover>, String>| match found {
            Ok(found) => all.extend(found),
            Err(cause) => problems.push(cause),
        };
        match engine {
            Some(Ok(engine)) => {
                let found = clean::engine::find(engine, &mut runs).await;
                note(found.map_err(|problem| problem.to_string()));
            }
            Some(Err(problem)) => note(Err(problem.to_string())),
            None => {}
        }
        note(local::find(&runs).map_err(|cause| format!("folders of agents: {cause}")));
        if let Some(brokers) = self.brokers() {
            let mut known = runs.archived();
            known.extend(self.args.run.clone());
            note(brokers.find(&known).map_err(|cause| format!("the brokers: {cause}")));
        }
        Found { runs: clean::by_run(all, &runs, self.args.run.as_deref()), problems }
    }

    fn brokers(&self) -> Option<Brokers<'_>> {
        // Others go with their run.
        let connection: &ClientProperties = self.cluster.kafka.connection()?;
        Some(Brokers {
            agent: self.programs.own(),
            connection,
            within: self.cluster.deadlines.topics,
        })
    }

    /// Removes what dead runs have left, and returns what is still there, with the cause.
    async fn remove(
        &self,
        engine: Option<&Result<Engine, container::Problem>>,
        dead: Vec<OfRun>,
    ) -> Vec<(String, String)> {
        // Looked at again: somebody may have taken a run over while the question stood.
        let mut runs = Runs::look(&self.args.results);
        let _ = clean::hosts::find(&self.hosts, &mut runs).await;
        let all = dead.into_iter().flat_map(|run| run.leftovers).collect();
        let still = clean::by_run(all, &runs, self.args.run.as_deref());
        let (dead, alive): (Vec<_>, Vec<_>) = still.into_iter().partition(is_dead);
        let mut left: Vec<_> = alive
            .into_iter()
            .map(|run| (format!("run {}", run.run_id), "it was taken over meanwhile".to_owned()))
            .collect();
        let at = |place: Place| -> Vec<Leftover> {
            let all = dead.iter().flat_map(|run| &run.leftovers);
            all.filter(|leftover| leftover.place == place).cloned().collect()
        };
        for folder in at(Place::Here) {
            let removed = local::remove(&folder);
            left.extend(removed.err().map(|cause| (folder.name.clone(), cause.to_string())));
        }
        left.extend(clean::hosts::remove(&self.hosts, &at(Place::Hosts)).await);
        if let (Some(Ok(engine)), contained @ [_, ..]) = (engine, at(Place::Engine).as_slice()) {
            left.extend(clean::engine::remove(engine, contained).await);
        }
        if let (Some(brokers), names @ [_, ..]) = (self.brokers(), at(Place::Brokers).as_slice()) {
            left.extend(remove_from(&brokers, names));
        }
        left
    }
}

/// Removes topics and groups. A group that still has members is tried again for as long as the session of one
/// lasts that ended without leaving.
fn remove_from(brokers: &Brokers<'_>, names: &[Leftover]) -> Vec<(String, String)> {
    let (topics, groups): (Vec<_>, Vec<_>) =
        names.iter().cloned().partition(|leftover| leftover.sort == Sort::Topic);
    let remove = |within, names: &[Leftover]| match names {
        [] => Vec::new(),
        names => Brokers { within, ..*brokers }.remove(names),
    };
    let mut left = remove(brokers.within, &topics);
    left.extend(remove(AT_ONCE.min(brokers.within), &groups));
    let is_busy = |leftover: &&Leftover| {
        let what = format!("consumer group {}", leftover.name);
        left.iter().any(|(name, cause)| *name == what && cause.contains("still has members"))
    };
    let busy: Vec<Leftover> = names.iter().filter(is_busy).cloned().collect();
    if busy.is_empty() {
        return left;
    }
    let (count, within) = (busy.len(), SESSION.as_secs());
    let _ = writeln!(
        io::stdout(),
        "waiting up to {within} s for brokers to remove members that ended without leaving from {count} consumer {}",
        noun(count, "group")
    );
    let again = remove(SESSION, &busy);
    let is_other = |(what, _): &(String, String)| {
        busy.iter().all(|group| *what != format!("consumer group {}", group.name))
    };
    left.into_iter().filter(is_other).chain(again).collect()
}

fn is_dead(run: &OfRun) -> bool {
    matches!(run.fate, Fate::Dead(_))
}

/// What was found, run by run.
fn shown(found: &Found, discards: bool) -> String {
    let mut text = String::new();
    for run in &found.runs {
        let _ = match &run.fate {
            Fate::Dead(why) => writeln!(text, "{} is dead: {why}", run.run_id),
            Fate::Stays(why) => writeln!(text, "{} stays: {why}", run.run_id),
        };
        for leftover in &run.leftovers {
            let (place, sort) = (leftover.place.as_str(), leftover.sort.as_str());
            let _ = write!(text, "  {place:<12}  {sort:<14}  {}", untrusted::line(&leftover.name));
            match leftover.note.as_str() {
                "" => text.push('\n'),
                note => {
                    let _ = writeln!(text, "  ({note})");
                }
            }
        }
    }
    let mut dead = found.runs.iter().filter(|run| is_dead(run)).flat_map(|run| &run.leftovers);
    if !discards && dead.any(|leftover| leftover.has_measurements) {
        text.push_str("folders with measurements stay unless `--discard` is given\n");
    }
    if found.runs.is_empty() {
        text.push_str("nothing is left of any run\n");
    }
    for problem in &found.problems {
        let _ = writeln!(text, "could not be looked at: {}", untrusted::text(problem));
    }
    text
}

/// Asks whether to remove all that; `None` if there is nobody to ask.
fn asked(things: usize, runs: usize) -> Option<bool> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let of = if runs == 1 { "1 dead run".to_owned() } else { format!("{runs} dead runs") };
    let _ = write!(io::stdout(), "remove {things} leftovers of {of}? [y/N] ");
    let _ = io::stdout().flush();
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}
