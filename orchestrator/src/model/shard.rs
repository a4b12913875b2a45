//! A part of a run's cases, and runs that were put together from such parts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most parts that cases are divided into.
pub const MOST_SHARDS: u32 = 10_000;

/// Which part of the cases: the second of five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// From 1.
    pub number: u32,
    /// Of how many.
    pub of: u32,
    /// Whether parts are made equally long, instead of dealing out cases in turn.
    #[serde(default)]
    pub balanced: bool,
}

/// Reads `2/5`.
///
/// # Errors
///
/// What is allowed, in words.
pub fn slice(text: &str) -> Result<Slice, String> {
    let parts = text.split_once('/').and_then(|(number, of)| {
        Some((number.trim().parse::<u32>().ok()?, of.trim().parse::<u32>().ok()?))
    });
    match parts {
        Some((number, of)) if (1..=of).contains(&number) && of <= MOST_SHARDS => {
            Ok(Slice { number, of, balanced: false })
        }
        _ => Err(format!(
            "expected a part and the number of parts, such as 2/5: from 1/N to N/N, N up to {MOST_SHARDS}"
        )),
    }
}

/// What a run with `--shard` is a part of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Which part, from 1.
    pub number: u32,
    /// Of how many.
    pub of: u32,
    /// Whether parts were made equally long, instead of dealing out cases in turn.
    #[serde(default)]
    pub balanced: bool,
    /// Names of all cases, of all parts, in order.
    pub cases: Vec<String>,
    /// Names of those of this part.
    pub own: Vec<String>,
    /// Digests of what all cases are, by the keys of their scenarios: equal in all parts of one plan.
    pub plan: BTreeMap<String, String>,
    /// Expectations across cases, which are judged when all parts are put together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub across: Vec<WrittenAcross>,
    /// What expectations across cases have to know of the hosts, by case; where there are such expectations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cores: BTreeMap<String, Cores>,
}

/// An expectation across cases, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrittenAcross {
    /// The scenario.
    pub scenario: String,
    /// The expectation.
    pub text: String,
    /// Line in the scenario.
    pub line: Option<usize>,
    /// Values of each parameter in the scenario's cases.
    pub values: BTreeMap<String, Vec<String>>,
    /// Names of cases: judged, and reference.
    pub pairs: Vec<(String, String)>,
}

/// Cores of hosts by what their agents do; null where no agent does it, or no host told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cores {
    /// Of agents with producers.
    pub sending: Option<f64>,
    /// Of agents with consumers.
    pub receiving: Option<f64>,
    /// Of all agents.
    pub all: Option<f64>,
}

/// A run that another one was put together from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MergedShard {
    /// The run.
    pub run_id: String,
    /// Which part it was, from 1.
    pub number: u32,
    /// How many cases it had.
    pub cases: usize,
    /// Whether it lay in the same archive.
    pub beside: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_and_anything_else_is_told_what_is_allowed() {
        assert_eq!(slice("2/5"), Ok(Slice { number: 2, of: 5, balanced: false }));
        for wrong in ["0/5", "6/5", "5", "a/b", "1/0", "-1/5", "1/10001", ""] {
            let said = slice(wrong).unwrap_err();
            assert!(said.contains("such as 2/5"), "{wrong}: {said}");
        }
    }
}
