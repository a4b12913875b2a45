//! What there is on a cluster by name, and its removal, for `mallard clean`.

use crate::admin::{self, Deadline};
use mallard_protocol::brokers::{Names, Report, Request};

/// Answers a request in JSON with a report in JSON.
///
/// # Errors
/// The request is not what it should be.
pub fn answer(request: &str) -> serde_json::Result<String> {
    let Request { connection, within_ms, delete } = serde_json::from_str(request)?;
    let deadline = Deadline::within_ms(within_ms);
    let answered = match delete {
        None => admin::names(&connection, &deadline)
            .map(|(topics, groups)| Report::Found(Names { topics, groups })),
        Some(Names { topics, groups }) => {
            admin::delete(&connection, &topics, &groups, &deadline).map(Report::Left)
        }
    };
    serde_json::to_string(&answered.unwrap_or_else(|failure| Report::Failed(failure.text)))
}
