//! Files of a run, as they are.
//!
//! Invariant: nothing outside of the run's folder is given out, whatever a path or a link in it says.

use crate::http::{Body, Response};
use serde::Serialize;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// Pages that Mallard made may run their own scripts, as from a file, and see nothing else of this site.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-downloads";

/// Most files that are listed.
const LISTED_MAX: usize = 5_000;

/// Sends a file, by the parts of its path in the run's folder.
pub(super) fn send(run: &Path, parts: &[&str]) -> Response {
    let none = || Response::text(404, "there is no such file");
    let is_part = |part: &&str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
    if !parts.iter().all(is_part) {
        return none();
    }
    let path = parts.iter().fold(run.to_owned(), |path, part| path.join(part));
    let (Ok(inside), Ok(folder)) = (path.canonicalize(), run.canonicalize()) else { return none() };
    if !inside.starts_with(&folder) || !inside.is_file() {
        return none();
    }
    let Ok(file) = File::open(&inside) else {
        return Response::text(403, "this file cannot be read");
    };
    let length = file.metadata().map_or(0, |facts| facts.len());
    let name = parts.last().copied().unwrap_or_default();
    let is_page = Path::new(name).extension().is_some_and(|ext| ext == "html");
    let response = if is_page {
        Response::new(200, "text/html; charset=utf-8", "")
            .with("Content-Security-Policy", PAGE_POLICY)
    } else {
        let quoted: String =
            name.chars().filter(|c| c.is_ascii_graphic() && !"\"\\".contains(*c)).collect();
        Response::new(200, kind(name), "")
            .with("Content-Disposition", format!("attachment; filename=\"{quoted}\""))
    };
    Response { body: Body::File(file, length), ..response }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("json") => "application/json",
        Some("csv") => "text/csv; charset=utf-8",
        Some("xml") => "application/xml",
        Some("yaml" | "jsonl" | "hlog" | "log") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A file in the list.
#[derive(Debug, Serialize)]
pub(super) struct FileRow {
    /// Its path in the run's folder.
    pub(super) path: String,
    pub(super) bytes: u64,
}

/// The files of a run, sorted, and whether there are more.
pub(super) fn list(run: &Path) -> (Vec<FileRow>, bool) {
    let mut rows = Vec::new();
    let mut folders: Vec<PathBuf> = vec![run.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(facts) = entry.metadata() else { continue };
            let Ok(path) = entry.path().strip_prefix(run).map(Path::to_path_buf) else { continue };
            let Some(path) = path.to_str().map(str::to_owned) else { continue };
            if facts.is_dir() {
                folders.push(entry.path());
            } else if facts.is_file() && !path.split('/').any(|part| part.starts_with('.')) {
                rows.push(FileRow { path, bytes: facts.len() });
            }
        }
        if rows.len() > LISTED_MAX {
            break;
        }
    }
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    let more = rows.len() > LISTED_MAX;
    rows.truncate(LISTED_MAX);
    (rows, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_of_a_run_is_given_out() {
        let results = tempfile::tempdir().unwrap();
        let run = results.path().join("run");
        fs::create_dir_all(run.join("cases/a")).unwrap();
        fs::write(run.join("cases/a/series.csv"), "x").unwrap();
        fs::write(run.join(".hidden"), "x").unwrap();
        fs::write(results.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", run.join("link")).unwrap();
        assert_eq!(send(&run, &["cases", "a", "series.csv"]).status, 200);
        for parts in [
            &["..", "secret"][..],
            &["link"],
            &["cases"],
            &[".hidden"],
            &["", "etc", "passwd"],
            &["a/../../secret"],
        ] {
            assert_eq!(send(&run, parts).status, 404, "{parts:?}");
        }
        let (rows, more) = list(&run);
        assert!(!more && rows.len() == 1 && rows[0].path == "cases/a/series.csv", "{rows:?}");
    }
}
