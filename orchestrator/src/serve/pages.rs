//! The pages.

use super::{
    files,
    runs::{Filter, Row, Runs},
};
use crate::{
    archive::{journal::Journal, read, read::RunArchive},
    http::{Request, Response},
    over_time::{
        compare::{self, Asked},
        history::History,
        index,
    },
    report::{
        Format, ReportError,
        html::Html,
        templates::{Templates, encoded},
    },
    text::error_chain::chain,
};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Runs on a page of the list.
const ROWS: usize = 100;

/// Within which share figures of two ticked runs count as the same, as `mallard compare` has it.
const TOLERANCE: f64 = 0.05;

/// What a page of this site may do.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Makes pages.
#[derive(Debug)]
pub(super) struct Pages {
    templates: Templates,
}

/// What the template of the list gets.
#[derive(Serialize)]
struct List<'a> {
    filter: &'a Filter,
    scenarios: BTreeSet<&'a str>,
    verdicts: [&'static str; 8],
    rows: Vec<&'a Row>,
    found: usize,
    all: usize,
    /// From 1.
    page: usize,
    pages: usize,
    /// The query without its page.
    query: String,
}

/// What the template of a run's files gets.
#[derive(Serialize)]
struct Files {
    run: String,
    rows: Vec<files::FileRow>,
    more: bool,
}

impl Pages {
    pub(super) fn new(templates: Templates) -> Self {
        Self { templates }
    }

    pub(super) fn login(&self) -> Response {
        self.page("serve_login.html", &())
    }

    /// The list of runs.
    pub(super) fn index(&self, results: &Path, runs: &Mutex<Runs>, request: &Request) -> Response {
        let all = runs.lock().unwrap_or_else(PoisonError::into_inner).all(results);
        let all = match all {
            Ok(all) => all,
            Err(cause) => {
                return Response::text(503, &format!("the archive cannot be read: {cause}"));
            }
        };
        let asked = |name: &str| request.asked(name).unwrap_or_default().to_owned();
        let filter = Filter {
            q: asked("q"),
            scenario: asked("scenario"),
            verdict: asked("verdict"),
            from: asked("from"),
            to: asked("to"),
            fingerprint: asked("fingerprint"),
        };
        let found: Vec<&Row> = all.iter().filter(|row| filter.keeps(row)).collect();
        let pages = found.len().div_ceil(ROWS).max(1);
        let page = request.asked("page").and_then(|page| page.parse().ok()).unwrap_or(1);
        let page = page.clamp(1, pages);
        let list = List {
            scenarios: all.iter().map(|row| row.name.as_str()).collect(),
            verdicts: [
                "pass",
                "flaky",
                "fail",
                "invalid",
                "error",
                "interrupted",
                "running",
                "unfinished",
            ],
            rows: found.iter().skip((page - 1) * ROWS).take(ROWS).copied().collect(),
            found: found.len(),
            all: all.len(),
            page,
            pages,
            query: query_of(&filter),
            filter: &filter,
        };
        self.page("serve.html", &list)
    }

    /// Trends of scenarios, as `results/index.html` has them.
    pub(super) fn trends(&self, results: &Path) -> Response {
        answer(index::render(results, &self.templates))
    }

    /// A run that goes on; the report of one that is over.
    pub(super) fn live(&self, run: &Path) -> Response {
        if is_over(run) {
            return where_it_is(run);
        }
        // What comes after this is sent as events; what comes while the archive is read, too.
        let offset = Journal::end(run).unwrap_or(0);
        let html = Html { templates: &self.templates, live: Some(offset) };
        answer(RunArchive::read(run).map_err(ReportError::from).and_then(|run| html.render(&run)))
    }

    pub(super) fn files(&self, run: &Path) -> Response {
        let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (rows, more) = files::list(run);
        self.page("serve_files.html", &Files { run: name, rows, more })
    }

    /// Two runs held against each other, the older one as the base.
    pub(super) fn comparison(&self, results: &Path, request: &Request) -> Response {
        let ids: BTreeSet<&str> = request
            .query
            .iter()
            .filter(|(name, _)| name == "run")
            .map(|(_, id)| id.as_str())
            .collect();
        let mut runs: Vec<(String, PathBuf)> = Vec::new();
        for id in ids {
            let path = results.join(id);
            if id.contains(['/', '\\']) || id.starts_with('.') || !read::is_run(&path) {
                return Response::text(404, "there is no such run: see /");
            }
            let started = read::read_summary(&path).map(|result| result.started_at);
            runs.push((started.unwrap_or_default(), path));
        }
        runs.sort();
        let [(_, base), (_, with)] = runs.as_slice() else {
            return Response::text(400, "tick two runs to compare: go back");
        };
        answer(compared(results, base, with, &self.templates))
    }

    fn page(&self, template: &str, context: &impl Serialize) -> Response {
        answer(self.templates.render(template, context))
    }
}

fn compared(
    results: &Path,
    base: &Path,
    with: &Path,
    templates: &Templates,
) -> Result<Vec<u8>, ReportError> {
    let id = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (of_base, of_with) = (vec![id(base)], vec![id(with)]);
    let ids = [id(base), id(with)];
    let sides = compare::read((of_base, &[base.to_owned()]), (of_with, &[with.to_owned()]))?;
    let asked = Asked { tolerance: TOLERANCE, ..Asked::default() };
    let comparison = compare::compare(sides, &asked, &|of| History::read(results, of.key(), &ids));
    compare::page(&comparison, templates)
}

/// Whether a run has its result and its page, which is written last.
fn is_over(run: &Path) -> bool {
    run.join("run.json").is_file() && run.join("report.html").is_file()
}

/// Where a run's page is.
pub(super) fn where_it_is(run: &Path) -> Response {
    let id = run.file_name().unwrap_or_default().to_string_lossy();
    let to = if is_over(run) { format!("/runs/{id}/report.html") } else { format!("/live/{id}") };
    Response::text(303, "").with("Location", encoded(&to))
}

fn answer(page: Result<Vec<u8>, ReportError>) -> Response {
    match page {
        Ok(page) => Response::new(200, "text/html; charset=utf-8", page)
            .with("Content-Security-Policy", POLICY),
        Err(cause) => Response::text(503, &format!("this page cannot be made: {}", chain(&cause))),
    }
}

fn query_of(filter: &Filter) -> String {
    let pairs = [
        ("q", &filter.q),
        ("scenario", &filter.scenario),
        ("verdict", &filter.verdict),
        ("from", &filter.from),
        ("to", &filter.to),
        ("fingerprint", &filter.fingerprint),
    ];
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| format!("{name}={}&", encoded(value).replace('/', "%2F"))).collect()
}
