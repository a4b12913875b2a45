//! Topics and consumer groups, listed or deleted for `mallard clean`: `mallard-agent brokers`, in JSON.

use crate::workload::ClientProperties;
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// How clients connect.
    pub connection: ClientProperties,
    /// How long it may take, in milliseconds.
    pub within_ms: u64,
    /// What to delete; without it, names are asked for.
    pub delete: Option<Names>,
}

/// Topics and consumer groups, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Topics.
    pub topics: Vec<String>,
    /// Consumer groups.
    pub groups: Vec<String>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// All there is, internal topics aside.
    Found(Names),
    /// What could not be deleted, with the cause.
    Left(Vec<(String, String)>),
    /// The brokers cannot be asked, and why.
    Failed(String),
}
