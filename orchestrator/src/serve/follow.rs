//! A run's journal as server-sent events.
//!
//! Each event carries the place in the journal after it. A browser that lost its connection says the last one it has,
//! and gets what came since: from this process or another one.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use crate::{
    archive::{holder, journal::Journal},
    http::{Body, Request, Response},
    model::events::RunEvent,
};
use std::{
    io::{self, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Between two looks at the journal.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How long nothing is sent at most: a reader that has gone is noticed by it.
const BEAT_EVERY: Duration = Duration::from_secs(10);

/// Events of a run: all of them but intervals that lie before `after`, then what comes, until it is over.
pub(super) fn events(run: &Path, request: &Request) -> Response {
    let seen = request.header("last-event-id").and_then(|id| id.parse::<u64>().ok());
    let after = request.asked("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let journal = match Journal::open_at(run, seen.unwrap_or(0)) {
        Ok(journal) => journal,
        Err(_) => return Response::text(404, "this run has no journal yet"),
    };
    let run = run.to_owned();
    let mut response = Response::new(200, "text/event-stream", "");
    response.body = Body::Stream(Box::new(move |to| send(&run, journal, after, to)));
    response
}

fn send(run: &Path, mut journal: Journal, after: u64, to: &mut dyn Write) -> io::Result<()> {
    let mut last = Instant::now();
    loop {
        // Looked at first: what a controller wrote before it went is read after that.
        let alive = holder(run).is_some();
        let mut sent = false;
        while let Some(timed) = journal.next_event().map_err(io::Error::other)? {
            let at = journal.offset();
            let is_interval = matches!(timed.event, RunEvent::Interval(_));
            if is_interval && at <= after {
                continue;
            }
            let kind = if is_interval { "interval" } else { "step" };
            let json = serde_json::to_string(&timed)?;
            write!(to, "id: {at}\nevent: {kind}\ndata: {json}\n\n")?;
            sent = true;
        }
        if !alive {
            // Without a result nobody is at it any more, and somebody may take it over.
            let how = if run.join("run.json").is_file() { "over" } else { "left" };
            write!(to, "event: {how}\ndata: {{}}\n\n")?;
            return to.flush();
        }
        if sent || last.elapsed() >= BEAT_EVERY {
            write!(to, ": beat\n\n")?;
            to.flush()?;
            last = Instant::now();
        }
        thread::sleep(LOOK_AGAIN);
    }
}
