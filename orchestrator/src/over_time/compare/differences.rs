//! What determined figures and differs between the sides, or is not known.

use super::model::Difference;
use crate::over_time::{fingerprint, observation::Observation};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most values of a side that are told of one place.
const VALUES: usize = 5;

/// Everything that differs: between the sides, or between runs of one side.
#[must_use]
pub(super) fn differences(
    base: &[&Observation],
    with: &[&Observation],
    across: &[String],
) -> Vec<Difference> {
    let all = |side: &[&Observation]| -> Vec<BTreeMap<String, Value>> {
        side.iter().map(|of| fingerprint::leaves(&of.fingerprint)).collect()
    };
    let (of_base, of_with) = (all(base), all(with));
    let paths: BTreeSet<&String> =
        of_base.iter().chain(&of_with).flat_map(BTreeMap::keys).collect();
    let mut found: Vec<Difference> = Vec::new();
    for path in paths {
        let (base, with) = (values(&of_base, path), values(&of_with, path));
        if base == with && base.len() == 1 {
            continue;
        }
        let on_purpose = across.iter().any(|named| covers(named, path));
        found.push(Difference { path: path.clone(), base, with, on_purpose });
    }
    // Parts in the order in which they are told; what was not meant to differ comes first.
    let part = |path: &str| {
        let parts = ["plan", "kafka", "hosts", "tools", "placement"];
        parts.iter().position(|part| path.starts_with(part)).unwrap_or(parts.len())
    };
    found.sort_by(|a, b| {
        (a.on_purpose, part(&a.path), &a.path).cmp(&(b.on_purpose, part(&b.path), &b.path))
    });
    found
}

/// Places that differ between the sides or within one.
#[must_use]
pub(in crate::over_time) fn differs(base: &[&Observation], with: &[&Observation]) -> Vec<String> {
    match base.is_empty() || with.is_empty() {
        true => Vec::new(),
        false => differences(base, with, &[]).into_iter().map(|of| of.path).collect(),
    }
}

/// The different values that a place has on a side; null where it is not there.
fn values(side: &[BTreeMap<String, Value>], path: &str) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for leaves in side {
        let value = leaves.get(path).cloned().unwrap_or(Value::Null);
        if !values.contains(&value) && values.len() < VALUES {
            values.push(value);
        }
    }
    values.sort_by_key(Value::to_string);
    values
}

/// Whether a place is one that was said to differ on purpose: the place itself, what lies below it, and
/// `plan.client.linger.ms` for `plan.client.<any workload>.linger.ms`.
pub(in crate::over_time) fn covers(named: &str, path: &str) -> bool {
    let below = |named: &str, path: &str| {
        path.strip_prefix(named).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if below(named, path) {
        return true;
    }
    let client = |text: &str| text.strip_prefix("plan.client.").map(str::to_owned);
    let (Some(named), Some(path)) = (client(named), client(path)) else { return false };
    path.split_once('.').is_some_and(|(_workload, property)| below(&named, property))
}

/// What determines figures and is not known on a side.
#[must_use]
pub(super) fn unknown(base: &[&Observation], with: &[&Observation]) -> Vec<String> {
    let all = base.iter().chain(with).flat_map(|of| fingerprint::unknown(&of.fingerprint));
    let without_number = |path: String| -> String {
        let parts = path.split('.').filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit()));
        parts.collect::<Vec<_>>().join(".")
    };
    let paths: BTreeSet<String> = all.map(without_number).collect();
    paths.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_covers_what_lies_below_it_and_every_workload() {
        assert!(covers("plan.client.linger.ms", "plan.client.shop.linger.ms"));
        assert!(covers("plan.client.shop.linger.ms", "plan.client.shop.linger.ms"));
        assert!(covers("plan.client", "plan.client.shop.linger.ms"));
        assert!(covers("kafka", "kafka.version"));
        assert!(!covers("plan.client.batch.size", "plan.client.shop.linger.ms"));
        assert!(!covers("kaf", "kafka.version"));
    }
}
