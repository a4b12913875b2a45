//! What determined a case's figures, from its archive: canonical JSON in parts, a digest each.
//!
//! It is a pure function of `result.json`, `scenario.yaml` and `cluster.yaml`, so archives that were
//! written before fingerprints have one, too. What the archive does not know is null, and counted by
//! [`unknown`].

use crate::{
    archive::read,
    config::{
        source::Source,
        yaml::{self, Kind, Node},
    },
    model::{
        fingerprint::{Fingerprint, Part},
        result::{AgentResult, CaseResult, RunResult},
    },
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, path::Path};

/// Keys of a scenario that determine no figure, or are another part's.
const NOT_THE_PLAN: [&str; 9] = [
    "name",
    "description",
    "parameters",
    "matrix",
    "expect",
    "across",
    "bounds",
    "keep_intervals",
    "compare",
];

/// Client properties that name things instead of setting them, or that only this run has.
const NAMES: [&str; 6] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "client.id",
    "group.id",
    "group.instance.id",
    "transactional.id",
];

/// Memory is told in steps of this: what a kernel keeps for itself changes with each boot.
const MEMORY_STEP_BYTES: u64 = 64 << 20;

/// Digits of a digest that are kept.
const DIGEST_DIGITS: usize = 32;

/// The fingerprint of a case.
#[must_use]
pub fn of(result: &CaseResult, scenario: Option<&str>, cluster: Option<&str>) -> Fingerprint {
    let scenario = scenario.map_or(Value::Null, |text| tree("scenario.yaml", text));
    let cluster = cluster.map_or(Value::Null, |text| tree("cluster.yaml", text));
    Fingerprint {
        plan: part(plan(result, &scenario)),
        kafka: part(kafka(result, &cluster)),
        hosts: part(hosts(result, &cluster)),
        tools: part(tools(result)),
        placement: part(placement(result, &scenario)),
    }
}

/// What the cases of a plan are, in digests by the keys of their scenarios: names and scenarios as they are
/// archived. Equal where all cases are.
#[must_use]
pub fn of_plan<'a>(cases: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let mut keys: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (name, scenario) in cases {
        let Value::Object(fields) = tree("scenario.yaml", scenario) else { continue };
        for (key, value) in fields {
            keys.entry(key).or_default().insert(name.to_owned(), value);
        }
    }
    keys.into_iter().map(|(key, of)| (key, digest(&Value::Object(of)))).collect()
}

/// Adds to a run's result the fingerprints of its cases, from its folder. A case that was not judged has none.
pub fn add(run: &Path, result: &mut RunResult) {
    for (name, folder) in read::case_folders(run).unwrap_or_default() {
        let text = |file: &str| fs::read_to_string(folder.join(file)).ok();
        let case = text("result.json").and_then(|text| serde_json::from_str(&text).ok());
        let summary = result.cases.iter_mut().find(|summary| summary.name == name);
        if let (Some(summary), Some(case)) = (summary, case) {
            let (scenario, cluster) = (text("scenario.yaml"), text("cluster.yaml"));
            summary.fingerprint = Some(of(&case, scenario.as_deref(), cluster.as_deref()));
        }
    }
}

/// Places in a fingerprint whose values are not known: `kafka.version`.
#[must_use]
pub fn unknown(fingerprint: &Fingerprint) -> Vec<String> {
    let leaves = leaves(fingerprint);
    leaves.into_iter().filter(|(_, value)| value.is_null()).map(|(path, _)| path).collect()
}

/// Every value of a fingerprint by its place: `plan.client.shop.linger.ms`. Empty lists and mappings are
/// values, too.
#[must_use]
pub fn leaves(fingerprint: &Fingerprint) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    for (name, part) in fingerprint.parts() {
        collect(name, &part.of, &mut leaves);
    }
    leaves
}

/// The digests of all parts as one text: equal where all that determines figures is.
#[must_use]
pub fn digests(of: &Fingerprint) -> String {
    of.parts().iter().map(|(_, part)| part.digest.as_str()).collect()
}

/// What differs between two: place, value in the first, value in the second; null where it is not there.
#[must_use]
pub fn differing(a: &Fingerprint, b: &Fingerprint) -> Vec<(String, Value, Value)> {
    let (a, mut b) = (leaves(a), leaves(b));
    let mut all: Vec<(String, Value, Value)> = a
        .into_iter()
        .map(|(path, of_a)| {
            let of_b = b.remove(&path).unwrap_or(Value::Null);
            (path, of_a, of_b)
        })
        .collect();
    all.extend(b.into_iter().map(|(path, of_b)| (path, Value::Null, of_b)));
    all.retain(|(_, a, b)| a != b);
    all.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    all
}

fn collect(path: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| collect(&format!("{path}.{key}"), value, leaves));
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, value) in items.iter().enumerate() {
                collect(&format!("{path}.{at}"), value, leaves);
            }
        }
        leaf => {
            leaves.insert(path.to_owned(), leaf.clone());
        }
    }
}

fn part(of: Value) -> Part {
    Part { digest: digest(&of), of }
}

/// The first digits of the SHA-256 of a value's canonical JSON.
fn digest(value: &Value) -> String {
    let hash = Sha256::digest(canonical(value).as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..DIGEST_DIGITS].to_owned()
}

/// JSON with sorted keys and without white space: equal values have equal texts.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            let pairs = sorted.into_iter();
            let pairs = pairs.map(|(key, value)| format!("{}:{}", json!(key), canonical(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        leaf => leaf.to_string(),
    }
}

/// A file of the archive as JSON, scalars as text; null where it is damaged.
fn tree(name: &str, text: &str) -> Value {
    yaml::parse(&Source::new(name, text)).map_or(Value::Null, |root| as_json(&root))
}

fn as_json(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(_) if node.is_null() => Value::Null,
        Kind::Scalar(scalar) => Value::String(scalar.text.clone()),
        Kind::List(items) => items.iter().map(as_json).collect(),
        Kind::Map(entries) => {
            let pair = |entry: &yaml::Entry| (entry.key.clone(), as_json(&entry.value));
            Value::Object(entries.iter().map(pair).collect())
        }
        Kind::Invalid => Value::Null,
    }
}

/// The scenario as it was resolved, without what it is called, what is expected of it and where it runs,
/// and with the clients' properties as the clients had them.
fn plan(result: &CaseResult, scenario: &Value) -> Value {
    let Value::Object(fields) = scenario else {
        return json!({"scenario": null, "client": clients(result)});
    };
    let mut plan: Map<String, Value> = Map::new();
    for (key, value) in fields.iter().filter(|(key, _)| !NOT_THE_PLAN.contains(&key.as_str())) {
        plan.insert(key.clone(), without_place_and_client(value));
    }
    plan.insert("client".to_owned(), clients(result));
    Value::Object(plan)
}

/// Workloads without labels of hosts, which are placement, and without properties, which are `client`.
fn without_place_and_client(workloads: &Value) -> Value {
    let Value::Object(by_name) = workloads else { return workloads.clone() };
    let strip = |workload: &Value| {
        let mut workload = workload.clone();
        if let Value::Object(fields) = &mut workload {
            fields.remove("on");
            fields.remove("client");
        }
        workload
    };
    Value::Object(by_name.iter().map(|(name, workload)| (name.clone(), strip(workload))).collect())
}

fn clients(result: &CaseResult) -> Value {
    let known = match result.clients_in_effect.is_empty() {
        true => &result.client_properties,
        false => &result.clients_in_effect,
    };
    let own = |properties: &BTreeMap<String, String>| {
        let kept = properties.iter().filter(|(key, _)| !NAMES.contains(&key.as_str()));
        Value::Object(kept.map(|(key, value)| (key.clone(), json!(value))).collect())
    };
    Value::Object(known.iter().map(|(name, of)| (name.clone(), own(of))).collect())
}

fn kafka(result: &CaseResult, cluster: &Value) -> Value {
    let given = cluster.get("kafka");
    let kind = given.and_then(|kafka| match kafka {
        Value::String(word) => Some(word.as_str()),
        Value::Object(fields) => {
            ["embedded", "container"].into_iter().find(|kind| fields.contains_key(*kind))
        }
        _ => None,
    });
    let is_external = given.is_some_and(|kafka| kafka.get("bootstrap").is_some());
    let mut known = json!({
        "version": result.versions.get("kafka"),
        "brokers": (!result.brokers.is_empty()).then_some(result.brokers.len()),
        "kind": kind.or(is_external.then_some("external")),
        "topics_in_effect": null,
        "brokers_in_effect": null,
    });
    // What does not apply is not there, so that it does not count as unknown.
    let deployed = kind.and_then(|kind| given?.get(kind));
    let bootstrap = given.and_then(|kafka| kafka.get("bootstrap"));
    for (key, value) in [("deployed", deployed), ("bootstrap", bootstrap)] {
        if let (Some(value), Value::Object(fields)) = (value, &mut known) {
            fields.insert(key.to_owned(), value.clone());
        }
    }
    known
}

fn tools(result: &CaseResult) -> Value {
    let version = |name: &str| result.versions.get(name);
    json!({"mallard": version("mallard"), "librdkafka": version("librdkafka")})
}

/// Hosts that are alike are one entry with their number; entries are sorted.
fn hosts(result: &CaseResult, cluster: &Value) -> Value {
    let alike = by_host(result).into_values().map(|agents| {
        let facts = agents.first().map(|agent| &agent.host);
        let fact = |name: &str| facts.and_then(|facts| facts.get(name));
        let number = |name: &str| fact(name).and_then(|text| text.parse::<u64>().ok());
        let memory = number("memory_bytes").map(|of| of / MEMORY_STEP_BYTES * MEMORY_STEP_BYTES);
        json!({
            "architecture": fact("architecture"),
            "cores": number("cores"),
            "cpu": fact("cpu"),
            "kernel": fact("kernel"),
            "memory_bytes": memory,
            "governor": null,
            "virtualisation": null,
            "agents": agents.len(),
        })
    });
    json!({"machines": counted(alike), "limits": limits(cluster)})
}

/// What containers of hosts may use, by the cluster file.
fn limits(cluster: &Value) -> Value {
    let hosts = cluster.get("hosts").and_then(Value::as_array);
    let container = |host: &Value| {
        let container = host.get("container")?;
        Some(json!({
            "image": container.get("image"), "cpus": container.get("cpus"),
            "memory": container.get("memory"),
        }))
    };
    counted(hosts.into_iter().flatten().filter_map(container))
}

/// Instances of each workload by host, hosts sorted by what they have.
fn placement(result: &CaseResult, scenario: &Value) -> Value {
    let names: Vec<&String> = ["producers", "consumers"]
        .iter()
        .filter_map(|kind| scenario.get(kind)?.as_object())
        .flat_map(Map::keys)
        .collect();
    let workload = |instance: &str| {
        let named = names.iter().filter(|name| {
            instance.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('-'))
        });
        let longest = named.max_by_key(|name| name.len());
        let before_number = instance.rsplit_once('-').map_or(instance, |(name, _)| name);
        longest.map_or(before_number.to_owned(), |name| (*name).clone())
    };
    let of_host = by_host(result).into_values().map(|agents| {
        let mut instances: BTreeMap<String, u64> = BTreeMap::new();
        for instance in agents.iter().flat_map(|agent| &agent.instances) {
            *instances.entry(workload(instance)).or_default() += 1;
        }
        json!({"instances": instances})
    });
    counted(of_host)
}

/// Agents by the machine that they ran on.
fn by_host(result: &CaseResult) -> BTreeMap<(String, String), Vec<&AgentResult>> {
    let mut hosts: BTreeMap<_, Vec<&AgentResult>> = BTreeMap::new();
    for agent in &result.agents {
        let fact = |name: &str| agent.host.get(name).cloned().unwrap_or_default();
        hosts.entry((fact("hostname"), fact("boot_id"))).or_default().push(agent);
    }
    hosts
}

/// Equal things once, each with its number as `hosts`, sorted.
fn counted(things: impl Iterator<Item = Value>) -> Value {
    let mut counts: BTreeMap<String, (Value, u64)> = BTreeMap::new();
    for thing in things {
        counts.entry(canonical(&thing)).or_insert((thing, 0)).1 += 1;
    }
    let with_number = |(mut thing, n): (Value, u64)| {
        if let Value::Object(fields) = &mut thing {
            fields.insert("hosts".to_owned(), json!(n));
        }
        thing
    };
    counts.into_values().map(with_number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::over_time::sample;

    const SCENARIO: &str = "name: a\nload: [{hold: {rate: 100/s, for: 1s}}]\nproducers: {shop: {topic: t, on: fast, client: {linger.ms: \"5\"}}}\nexpect: [records.lost == 0]\n";
    const CLUSTER: &str = "kafka: {container: {image: \"apache/kafka:4.1.1\", brokers: 3}}\nhosts: [{local: {agents: 2}}]\n";

    fn fingerprint(scenario: &str, cluster: &str) -> Fingerprint {
        of(&sample::result("r", "a"), Some(scenario), Some(cluster))
    }

    #[test]
    fn what_a_case_is_called_and_expects_is_not_in_it_and_its_load_is() {
        let one = fingerprint(SCENARIO, CLUSTER);
        let renamed = SCENARIO.replace("name: a", "name: b").replace("== 0", "== 1");
        assert_eq!(one, fingerprint(&renamed.replace("on: fast", "on: slow"), CLUSTER));
        let faster = fingerprint(&SCENARIO.replace("100/s", "200/s"), CLUSTER);
        assert_ne!(one.plan.digest, faster.plan.digest);
        assert_eq!(one.kafka, faster.kafka);
        let leaves = leaves(&one);
        assert_eq!(leaves["plan.load.0.hold.rate"], json!("100/s"));
        assert_eq!(leaves["plan.client.shop.linger.ms"], json!("5"));
        assert_eq!(leaves["kafka.deployed.image"], json!("apache/kafka:4.1.1"));
    }

    #[test]
    fn names_of_hosts_and_of_this_run_are_not_in_it() {
        let mut result = sample::result("r", "a");
        let one = of(&result, Some(SCENARIO), Some(CLUSTER));
        for agent in &mut result.agents {
            agent.host.insert("hostname".into(), "other".into());
            agent.host.insert("boot_id".into(), "other".into());
            agent.host.insert("memory_bytes".into(), "8589934599".into());
        }
        let shop = result.clients_in_effect.get_mut("shop").unwrap();
        shop.insert("client.id".into(), "other".into());
        assert_eq!(one, of(&result, Some(SCENARIO), Some(CLUSTER)));
        result.agents[0].host.insert("cores".into(), "3".into());
        assert_ne!(one.hosts, of(&result, Some(SCENARIO), Some(CLUSTER)).hosts);
    }

    #[test]
    fn what_is_not_known_is_null_and_said_so() {
        let of = of(&sample::result("r", "a"), None, None);
        let unknown = unknown(&of);
        for path in ["plan.scenario", "kafka.topics_in_effect", "hosts.machines.0.governor"] {
            assert!(unknown.iter().any(|known| known == path), "{path} in {unknown:?}");
        }
        assert!(!unknown.iter().any(|path| path == "hosts.machines.0.cores"));
    }

    #[test]
    fn digests_do_not_depend_on_the_order_of_keys() {
        let (one, other) =
            (r#"{"b":[1,{"d":2,"c":3}],"a":null}"#, r#"{"a":null,"b":[1,{"c":3,"d":2}]}"#);
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(digest(&read(one)), digest(&read(other)));
        assert_eq!(canonical(&read(one)), other);
        assert_eq!(digest(&read(one)).len(), DIGEST_DIGITS);
    }

    #[test]
    fn placement_counts_instances_of_workloads_by_host() {
        let of = fingerprint(SCENARIO, CLUSTER);
        assert_eq!(of.placement.of, json!([{"hosts": 1, "instances": {"shop": 2}}]));
    }
}
