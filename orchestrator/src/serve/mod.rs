//! The archive as pages: runs by search and filter, one that goes on live, two held against each other, files.
//!
//! Invariant: it reads the archive and nothing else, and changes nothing in it. Between two requests it knows no more
//! than what it has read, so it can be ended and started again at any time.

mod access;
mod files;
mod follow;
mod pages;
mod runs;

use crate::{
    archive::read,
    http::{Request, Response},
    report::templates::Templates,
};
use access::Access;
use pages::Pages;
use runs::Runs;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Mutex,
};

pub use access::{Token, TokenError};

/// What answers requests.
#[derive(Debug)]
pub struct Site {
    results: PathBuf,
    access: Access,
    pages: Pages,
    runs: Mutex<Runs>,
}

impl Site {
    /// An archive, at an address. Whoever has no token may see nothing, if there is one.
    #[must_use]
    pub fn new(
        results: PathBuf,
        address: SocketAddr,
        token: Option<Token>,
        templates: Templates,
    ) -> Self {
        Self {
            results,
            access: Access::new(address, token),
            pages: Pages::new(templates),
            runs: Mutex::default(),
        }
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Response {
        let response = self.access.refusal(request).unwrap_or_else(|| self.route(request));
        secured(response)
    }

    fn route(&self, request: &Request) -> Response {
        let words: Vec<&str> = request.path.split('/').skip(1).collect();
        match (&*request.method, words.as_slice()) {
            ("POST", ["login"]) => self.access.login(request),
            ("GET" | "HEAD", ["login"]) => self.pages.login(),
            ("GET" | "HEAD", [""]) => self.pages.index(&self.results, &self.runs, request),
            ("GET" | "HEAD", ["trends"]) => {
                Response::text(303, "").with("Location", "/runs/index.html")
            }
            ("GET" | "HEAD", ["compare"]) => self.pages.comparison(&self.results, request),
            ("GET" | "HEAD", ["runs", "index.html"]) => self.pages.trends(&self.results),
            ("GET" | "HEAD", ["live", run]) => self.with_run(run, |path| self.pages.live(path)),
            ("GET" | "HEAD", ["live", run, "events"]) => {
                self.with_run(run, |path| follow::events(path, request))
            }
            ("GET" | "HEAD", ["files", run]) => self.with_run(run, |path| self.pages.files(path)),
            ("GET" | "HEAD", ["runs", run]) => self.with_run(run, pages::where_it_is),
            ("GET" | "HEAD", ["runs", run, file @ ..]) => {
                self.with_run(run, |path| files::send(path, file))
            }
            ("GET" | "HEAD", _) => Response::text(404, "there is no such page: see /"),
            _ => Response::text(405, "this page is only for looking"),
        }
    }

    /// A run's folder by its name. Names that lead elsewhere are none.
    fn with_run(&self, name: &str, answer: impl FnOnce(&Path) -> Response) -> Response {
        let path = self.results.join(name);
        let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
        if is_name && (name == "latest" || !path.is_symlink()) && read::is_run(&path) {
            return answer(&path);
        }
        Response::text(404, "there is no such run: see /")
    }
}

/// What every answer says, whatever it is.
fn secured(response: Response) -> Response {
    let has_policy = response.headers.iter().any(|(name, _)| *name == "Content-Security-Policy");
    let response = response
        .with("X-Content-Type-Options", "nosniff")
        .with("X-Frame-Options", "DENY")
        .with("Referrer-Policy", "no-referrer")
        .with("Cross-Origin-Resource-Policy", "same-origin")
        .with("Cross-Origin-Opener-Policy", "same-origin")
        .with("Cache-Control", "no-store");
    if has_policy {
        return response;
    }
    response.with("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}
