//! `report.html`: one file with everything inside.
//!
//! It answers in the order in which a reader asks: did it pass; if not, what, when, by how much; can I
//! trust it; what did it look like over time; where does the time go; which partition, agent or client;
//! what exactly ran. Words and tables are made here, so that the page reads without a script; charts
//! are drawn by the script when a case is opened.

mod case;
mod compared;
mod events;
mod figures;
mod journal;
mod meaning;
mod parts;
mod set;

use super::{Format, ReportError, templates::Templates, words};
use crate::{
    archive::read::RunArchive,
    model::{
        result::{ComparisonMade, Reason, Verdict},
        shard::{MergedShard, Shard},
    },
    text::{format, plural::noun},
};
use case::CaseView;
use compared::ComparedView;
use serde::Serialize;
use set::SetView;
use std::collections::BTreeMap;

/// The format.
#[derive(Clone, Copy, Debug)]
pub struct Html<'a> {
    /// Templates to render with.
    pub templates: &'a Templates,
    /// For a page that follows the run: bytes of the journal that it knows already.
    pub live: Option<u64>,
}

/// What the template of the page gets.
#[derive(Serialize)]
struct Page<'a> {
    run_id: &'a str,
    name: &'a str,
    word: &'static str,
    sign: &'static str,
    /// The run of which this one repeats what did not pass.
    parent: Option<&'a str>,
    /// Which part of the cases this is.
    shard: Option<String>,
    /// The runs that it was put together from.
    merged: &'a [MergedShard],
    sentence: String,
    started_at: Option<&'a str>,
    duration_us: Option<u64>,
    command_line: String,
    reasons: &'a [Reason],
    gaps: &'a [String],
    versions: BTreeMap<&'a str, &'a str>,
    tally: String,
    sets: Vec<SetView>,
    warnings: &'a [Reason],
    compared: Vec<ComparedView<'a>>,
    comparisons: &'a [ComparisonMade],
    cases: Vec<CaseView<'a>>,
    live: Option<u64>,
}

impl Format for Html<'_> {
    fn file(&self) -> &'static str {
        "report.html"
    }

    fn render(&self, run: &RunArchive) -> Result<Vec<u8>, ReportError> {
        let mut cases = Vec::new();
        for (at, case) in run.cases.iter().enumerate() {
            cases.push(case::view(run, at, case)?);
        }
        if self.live.is_some() {
            // What is not there yet is not missing.
            cases.iter_mut().for_each(CaseView::forget_gaps);
        }
        open_what_matters(&mut cases);
        let result = run.result.as_ref();
        let versions = result.iter().flat_map(|r| &r.versions);
        let page = Page {
            run_id: &run.id,
            name: result.map_or("", |r| &r.name),
            word: result.map_or(words::state(None, run.is_running), |r| words::of_run(r).0),
            sign: result.map_or(words::sign(None), |r| words::of_run(r).1),
            parent: result.and_then(|r| r.parent.as_deref()),
            shard: result.and_then(|r| r.shard.as_ref()).map(part),
            merged: result.map_or(&[], |r| &r.merged),
            sentence: sentence(run),
            started_at: result.map(|r| r.started_at.as_str()),
            duration_us: result.and_then(|r| format::between(&r.started_at, &r.ended_at)),
            command_line: command_line(result.map_or(&[], |r| &r.command_line)),
            reasons: result.map_or(&[], |r| &r.reasons),
            gaps: if self.live.is_some() { &[] } else { &run.gaps },
            versions: versions.map(|(k, v)| (k.as_str(), v.as_str())).collect(),
            tally: tally(run),
            sets: set::views(run),
            warnings: result.map_or(&[], |r| &r.warnings),
            compared: result.map_or(&[][..], |r| &r.compared).iter().map(compared::view).collect(),
            comparisons: result.map_or(&[], |r| &r.comparisons),
            cases,
            live: self.live,
        };
        self.templates.render("report.html", &page)
    }
}

/// Which part of the cases a run is.
fn part(of: &Shard) -> String {
    let (own, all) = (of.own.len(), of.cases.len());
    let across = match of.across.is_empty() {
        true => "",
        false => {
            " Expectations across cases are judged when `mallard merge` puts all shards together."
        }
    };
    format!("Shard {} of {}: {own} of {all} {}.{across}", of.number, of.of, noun(all, "case"))
}

/// One case is open; of several the first that did not pass.
fn open_what_matters(cases: &mut [CaseView<'_>]) {
    let single = cases.len() == 1;
    let first_bad = cases.iter_mut().find(|case| single || case.word != Verdict::Pass.as_str());
    if let Some(case) = first_bad {
        case.open = true;
    }
}

/// The run's sentence, without the verdict's word, which stands before it.
fn sentence(run: &RunArchive) -> String {
    let Some(result) = &run.result else {
        let judged = run.cases.iter().filter(|case| case.result.is_some()).count();
        let all = run.cases.len();
        if run.is_running {
            return format!("the run goes on; {judged} of {all} cases were judged so far");
        }
        return format!(
            "the run was cut off before its end; {judged} of {all} cases were judged, and the page \
             shows what was measured until then"
        );
    };
    let word = result.verdict.as_str();
    let rest = result.sentence.strip_prefix(word).unwrap_or(&result.sentence);
    rest.trim_start_matches([':', ' ']).to_owned()
}

/// `5 cases: 4 pass, 1 fail`.
fn tally(run: &RunArchive) -> String {
    let mut counts: BTreeMap<(Verdict, &str), usize> = BTreeMap::new();
    for case in run.result.iter().flat_map(|result| &result.cases) {
        *counts.entry((case.verdict, words::of_case(case).0)).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|((_, word), n)| format!("{n} {word}")).collect();
    let all = run.cases.len();
    let noun = noun(all, "case");
    if counts.is_empty() {
        format!("{all} {noun}")
    } else {
        format!("{all} {noun}: {}", counts.join(", "))
    }
}

/// The command line as a shell would take it.
fn command_line(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@%".contains(c);
    let quoted = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            return word.clone();
        }
        format!("'{}'", word.replace('\'', r"'\''"))
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let words = ["mallard", "run", "a b.yaml", "--set", "x='1'", ""].map(str::to_owned);
        assert_eq!(command_line(&words), r"mallard run 'a b.yaml' --set 'x='\''1'\''' ''");
    }
}
