//! `mallard check`: whether the hosts of a cluster file are fit for a run. What it puts on them is the
//! agent's program, which a run needs anyway.

use super::{Outcome, args::CheckArgs, files::refused, run::error_text};
use crate::{
    deploy::Programs,
    exit_code,
    hosts::Hosts,
    load::cluster::Cluster,
    plan::{Deadlines, HostPlan, KafkaPlan},
    preflight::{
        self, Weight,
        table::{self, Answers},
    },
};
use mallard_protocol::preflight::Question;
use std::{io, sync::Arc, time::Duration};

/// What an answer takes beside looking for brokers.
const ANSWER: Duration = Duration::from_secs(10);

/// Checks all hosts at once and prints what they are, and what is wrong with them.
pub(super) fn check(args: &CheckArgs) -> Outcome {
    let cluster = match super::files::cluster(args.cluster.as_deref()) {
        Ok(cluster) => cluster,
        Err(mistakes) => return refused(&mistakes),
    };
    let programs = match Programs::find(&args.agent) {
        Ok(programs) => Arc::new(programs),
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answers = runtime.and_then(|runtime| runtime.block_on(ask(&cluster, &programs)));
    let answers = match answers {
        Ok(answers) => answers,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let facts = answers.iter().filter_map(|(name, answer)| Some((&**name, answer.as_ref().ok()?)));
    let findings = preflight::findings(facts);
    let spoilt = findings.iter().any(|found| found.weight == Weight::Spoils);
    let fit = answers.values().all(Result::is_ok) && !spoilt;
    let code = if fit { exit_code::PASS } else { exit_code::ERROR };
    let mut stdout = table::text(&answers, &findings);
    if cluster.hosts.iter().any(|host| matches!(host.kind, HostPlan::Container(_))) {
        stdout.push_str("containers come to be with a run, and are not looked at before\n");
    }
    Outcome { code, stdout, ..Outcome::default() }
}

/// Makes all hosts ready, and asks those that are.
async fn ask(cluster: &Cluster, programs: &Arc<Programs>) -> io::Result<Answers> {
    let named =
        cluster.hosts.iter().map(|host| (host.name.as_deref().unwrap_or("local"), &host.kind));
    let hosts = Hosts::new(named, programs)?;
    let (fit, problems) = hosts.fit(&cluster.deadlines).await;
    let within = cluster.deadlines.topics;
    let question = serde_json::to_vec(&question(&cluster.kafka, &cluster.deadlines))?;
    let mut answers = fit.inspect(&question, within + ANSWER).await;
    hosts.close().await;
    answers.extend(problems.into_iter().map(|problem| (problem.host.clone(), Err(problem))));
    Ok(answers)
}

fn question(kafka: &KafkaPlan, deadlines: &Deadlines) -> Question {
    let connection = match kafka {
        KafkaPlan::External { connection } => connection.clone(),
        // It comes to be with a run.
        KafkaPlan::Embedded { .. } | KafkaPlan::Containers(_) => Vec::new(),
    };
    let within_ms = u64::try_from(deadlines.topics.as_millis()).unwrap_or(u64::MAX);
    Question { connection, within_ms }
}
