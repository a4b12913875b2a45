//! Client properties, checked by the librdkafka of the agent's program for `mallard validate`: `mallard-agent properties`,
//! in JSON.

use crate::workload::ClientProperties;
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What every client gets first.
    #[serde(default)]
    pub connection: ClientProperties,
    /// The clients.
    pub clients: Vec<Client>,
}

/// A client whose properties are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// What it does.
    pub kind: ClientKind,
    /// Its name, by which refusals name it.
    pub name: String,
    /// What it gets beside the connection's.
    #[serde(default)]
    pub properties: ClientProperties,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientKind {
    /// It sends.
    Producer,
    /// It receives.
    Consumer,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the library that was asked.
    pub librdkafka: String,
    /// What it refuses.
    pub refused: Vec<Refusal>,
}

/// A property that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The client's name.
    pub client: String,
    /// The property; empty where several do not go together.
    pub key: String,
    /// Why.
    pub reason: String,
}
