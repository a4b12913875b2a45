//! What there is on a cluster by name, and its removal, for `mallard clean`.

use crate::admin::{self, Deadline};
use mallard_protocol::workload::ClientProperties;
use serde::{Deserialize, Serialize};

/// What comes in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    connection: ClientProperties,
    within_ms: u64,
    /// What to delete; without it, names are asked for.
    delete: Option<Names>,
}

/// Topics and consumer groups.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Names {
    topics: Vec<String>,
    groups: Vec<String>,
}

/// What goes out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Report {
    /// All there is, internal topics aside.
    Found(Names),
    /// What could not be deleted, with the cause.
    Left(Vec<(String, String)>),
    /// The brokers cannot be asked.
    Failed(String),
}

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
