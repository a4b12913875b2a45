//! A sink that Prometheus scrapes: `GET /metrics`.
//!
//! Invariant: the run never waits for a reader. What is answered is a copy that is made at once; writing it is the
//! matter of a thread that a slow reader has for itself.

mod binary;
mod fetchers;
mod text;

use super::{board::Board, family::Family};
use crate::{
    http::{Body, Request, Response, Server},
    model::{events::TimedEvent, figures::IntervalFigures, sink::EventSink},
};
use async_trait::async_trait;
use fetchers::{Fetcher, Fetchers};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// Figures of a run, for whoever fetches them.
#[derive(Debug)]
pub(super) struct MetricsEndpoint {
    board: Arc<Mutex<Board>>,
    _server: Server,
    /// Whoever follows the run has fetched what stands at its end.
    fetched: Arc<Notify>,
    linger: Duration,
}

impl MetricsEndpoint {
    /// Listens from now on. At the end of the run it stays until it is asked once more, for so long at most.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub(super) fn open(address: SocketAddr, linger: Duration) -> io::Result<Self> {
        let board = Arc::<Mutex<Board>>::default();
        let fetched = Arc::<Notify>::default();
        let (shown, told) = (Arc::clone(&board), Arc::clone(&fetched));
        let fetchers = Arc::<Mutex<Fetchers>>::default();
        let listener = TcpListener::bind(address)?;
        let server =
            Server::start(listener, move |request| match (&*request.method, &*request.path) {
                ("GET" | "HEAD", "/metrics") => metrics(request, &shown, &fetchers, &told),
                ("GET" | "HEAD", "/") => index(&lock(&shown)),
                ("GET" | "HEAD", _) => Response::text(404, "there is /metrics"),
                _ => Response::text(405, "there is GET /metrics"),
            })?;
        Ok(Self { board, _server: server, fetched, linger })
    }
}

#[async_trait(?Send)]
impl EventSink for MetricsEndpoint {
    fn take(&mut self, event: &TimedEvent) {
        lock(&self.board).take(event);
    }

    fn figures(&mut self, interval: IntervalFigures<'_>) {
        lock(&self.board).figures(interval);
    }

    async fn end(&mut self) {
        let _nobody_came = timeout(self.linger, self.fetched.notified()).await;
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn metrics(
    request: &Request,
    board: &Mutex<Board>,
    fetchers: &Arc<Mutex<Fetchers>>,
    fetched: &Arc<Notify>,
) -> Response {
    let board = lock(board);
    let (content_type, bytes) = render(&board.families(), wants_binary(request));
    let is_last = board.is_over();
    drop(board);
    let (who, fetchers, fetched) =
        (Fetcher::of(request), Arc::clone(fetchers), Arc::clone(fetched));
    let length = bytes.len().to_string();
    let mut response = Response::new(200, content_type, "");
    response.body = Body::Stream(Box::new(move |to| {
        to.write_all(&bytes)?;
        to.flush()?;
        // Who waits for the last fetch ends this process: not before all of it is written.
        if lock(&fetchers).note(who, is_last) {
            fetched.notify_one();
        }
        Ok(())
    }));
    response.with("Content-Length", length)
}

fn render(families: &[Family<'_>], binary: bool) -> (&'static str, Vec<u8>) {
    if binary {
        (binary::CONTENT_TYPE, binary::write(families))
    } else {
        (text::CONTENT_TYPE, text::write(families).into_bytes())
    }
}

/// Whether a server asks for protocol buffers, as Prometheus does where native histograms are switched on.
fn wants_binary(request: &Request) -> bool {
    request.header("accept").is_some_and(|accept| {
        accept.contains("application/vnd.google.protobuf")
            && accept.contains("io.prometheus.client.MetricFamily")
    })
}

fn index(board: &Board) -> Response {
    Response::text(200, &format!("mallard run {}: its figures are at /metrics", board.run()))
}
