//! What determined a case's figures, so that a difference between two runs can be named.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What determines figures, in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fingerprint {
    /// Topics, load, payloads, keys, clients' properties as the clients had them.
    pub plan: Part,
    /// Kafka: version, brokers, how it was deployed.
    pub kafka: Part,
    /// The agents' hosts without their names: cores, memory, CPU, kernel, limits.
    pub hosts: Part,
    /// Versions of Mallard and librdkafka.
    pub tools: Part,
    /// Instances by host.
    pub placement: Part,
}

impl Fingerprint {
    /// The parts with their names, in the order in which differences are listed.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, &Part); 5] {
        [
            ("plan", &self.plan),
            ("kafka", &self.kafka),
            ("hosts", &self.hosts),
            ("tools", &self.tools),
            ("placement", &self.placement),
        ]
    }
}

/// A part of what determines figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// First 32 hexadecimal digits of the SHA-256 of the canonical JSON of `of`: keys sorted, no white space.
    pub digest: String,
    /// What it is made of; null where something is not known.
    pub of: Value,
}
