//! Cases that have ended, and the run's result that follows from them.

use super::{
    against::Against,
    order::Rerun,
    progress::{self, Judged},
};
use crate::{
    archive,
    model::{
        kind::Kind,
        result::{
            AcrossResult, CaseSummary, Reason, RunResult, SCHEMA_VERSION, TimeSpent, Verdict,
        },
        shard::{MergedShard, Shard},
    },
    text::{error_chain::chain, plural::noun},
    verdict::{self, Judgement, whole_run::WholeRun},
};
use std::collections::BTreeMap;

/// Cases that have ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) cases: Vec<CaseSummary>,
    pub(super) versions: BTreeMap<String, String>,
    pub(super) reasons: Vec<Reason>,
    pub(super) across: Vec<AcrossResult>,
    pub(super) against: Against,
    /// Cases that were not started.
    pub(super) skipped: usize,
    pub(super) time: TimeSpent,
    /// What the run is a part of.
    pub(super) shard: Option<Shard>,
    /// The runs that it is put together from.
    pub(super) merged: Vec<MergedShard>,
    /// Why a case could not be archived to its end, where it can be resumed.
    pub(super) unfinished: Option<String>,
}

/// What a result says of the run beside what came of its cases.
#[derive(Debug)]
pub(super) struct Named<'a> {
    pub(super) run_id: &'a str,
    pub(super) name: &'a str,
    pub(super) started_at: &'a str,
    pub(super) ended_at: String,
    pub(super) parent: Option<String>,
    pub(super) command_line: &'a [String],
}

impl Ended {
    pub(super) fn add(&mut self, judgement: &Judgement) {
        self.time.add(&judgement.spent);
        self.versions.extend(judgement.result.versions.clone());
        let duration_us = progress::duration_us(&judgement.result);
        self.cases.push(verdict::summary(judgement, duration_us));
    }

    /// A case that an earlier controller has judged.
    pub(super) fn add_judged(&mut self, case: Judged) {
        self.versions.extend(case.versions);
        self.cases.push(case.summary);
    }

    pub(super) fn broke(&mut self, cause: &archive::ArchiveError) {
        self.reasons.push(Kind::ArchiveFailed.reason(chain(cause)));
    }

    /// Notes what came of cases in the runs that this one repeats.
    pub(super) fn remember(&mut self, rerun: &Rerun) {
        for case in &mut self.cases {
            case.earlier = rerun.earlier.get(&case.name).cloned().unwrap_or_default();
        }
    }

    /// The run's result.
    pub(super) fn into_result(mut self, of: Named<'_>) -> RunResult {
        if self.skipped > 0 {
            let cases = if self.skipped == 1 { "case was" } else { "cases were" };
            let text = format!("{} {cases} not started", self.skipped);
            self.reasons.push(Kind::Interrupted.reason(text));
        }
        let failed = self.across.iter().filter(|across| !across.passed);
        let failed = failed.map(|across| Kind::AcrossCasesFailed.reason(&across.sentence));
        self.reasons.extend(failed);
        self.reasons.extend(self.against.reasons());
        let whole = WholeRun {
            cases: &self.cases,
            across: &self.across,
            compared: &self.against.results,
            reasons: &self.reasons,
            skipped: self.skipped,
        };
        let verdict = match self.has_nothing_to_do() && self.reasons.is_empty() {
            true => Verdict::Pass,
            false => whole.verdict(),
        };
        let sentence = self.with_parts(whole.sentence(verdict));
        RunResult {
            schema_version: SCHEMA_VERSION,
            run_id: of.run_id.to_owned(),
            name: of.name.to_owned(),
            started_at: of.started_at.to_owned(),
            ended_at: of.ended_at,
            verdict,
            sentence,
            warnings: self.against.warnings(),
            reasons: self.reasons,
            cases: self.cases,
            across: self.across,
            compared: self.against.results,
            comparisons: self.against.made,
            parent: of.parent,
            shard: self.shard,
            merged: self.merged,
            versions: self.versions,
            command_line: of.command_line.to_vec(),
            time: self.time,
        }
    }

    /// Whether it is a part of more parts than there are cases.
    fn has_nothing_to_do(&self) -> bool {
        self.shard.as_ref().is_some_and(|shard| shard.own.is_empty())
    }

    /// The sentence, with what the run is a part of or is put together from.
    fn with_parts(&self, said: String) -> String {
        match (&self.shard, self.merged.len()) {
            (Some(of), _) if of.own.is_empty() => {
                let cases = of.cases.len();
                format!("pass: none of {cases} cases falls to shard {} of {}", of.number, of.of)
            }
            (Some(of), _) => format!("{said}; shard {} of {}", of.number, of.of),
            (None, 0) => said,
            (None, shards) => format!("{said}; merged from {shards} {}", noun(shards, "shard")),
        }
    }
}
