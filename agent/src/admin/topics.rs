//! Creating and describing topics.

use super::{Deadline, block_on::block_on, client::Admin, native, offsets, verify};
use mallard_protocol::{
    message::{AgentFailure, FailureKind, TopicFacts},
    workload::{ClientProperties, TopicSpec},
};
use rdkafka::{
    admin::{
        AdminOptions, ConfigResource, ConfigSource, OwnedResourceSpecifier, ResourceSpecifier,
    },
    error::{KafkaError, RDKafkaErrorCode},
    metadata::{Metadata, MetadataTopic},
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// The configuration that says what removes a topic's records.
const CLEANUP_POLICY: &str = "cleanup.policy";

/// Pause between two looks at whether partitions have leaders.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Which topics an agent has created, and whether it may create more.
///
/// A request to create is held under the lock until it is answered, so that none that is still on its way
/// makes a topic after [`Creation::end`] and the deletion that follows it.
#[derive(Debug, Default)]
pub struct Creation(Mutex<Made>);

#[derive(Debug, Default)]
struct Made {
    made: HashSet<String>,
    is_over: bool,
}

impl Creation {
    /// Waits for a request that is on its way, and lets no other one follow.
    pub fn end(&self) {
        self.lock().is_over = true;
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates topics, waits until every partition has a leader that serves it, and verifies that the broker has made them
/// as asked. Asking twice for a topic that `creation` has made is no mistake, because an answer may have
/// been lost with its channel; with `may_exist`, neither is one that an earlier agent of the run made.
/// Topics that exist on purpose are described and verified to exist.
///
/// # Errors
/// `Topic` with all that was refused, `TopicDiffers` with all that differs; `TimedOut`, `Unreachable`, `Denied`, `Property`.
pub fn create_topics(
    connection: &ClientProperties,
    specs: &[TopicSpec],
    (creation, may_exist): (&Creation, bool),
    deadline: &Deadline,
) -> Result<Vec<TopicFacts>, AgentFailure> {
    let admin = Admin::new(connection)?;
    let (existing, wanted): (Vec<&TopicSpec>, Vec<_>) =
        specs.iter().partition(|spec| spec.existing);
    // Says within the deadline and with reasons if there is no cluster at all.
    must_exist(&admin, &admin.metadata(deadline)?, existing.iter().map(|spec| &*spec.name))?;
    if !wanted.is_empty() {
        submit(&admin, &wanted, (creation, may_exist), deadline)?;
    }
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    wait_for_leaders(&admin, &wanted, deadline)?;
    offsets::wait_until_served(&admin, &wanted, deadline)?;
    let asked: HashSet<&str> =
        specs.iter().flat_map(|spec| &spec.config).map(|(key, _)| key.as_str()).collect();
    let facts = loop {
        match describe(&admin, &names, &asked, deadline) {
            // Another broker is asked this time, which may hear of the topics later than the first.
            Err(AgentFailure { kind: FailureKind::Topic, .. })
                if deadline.remaining() > LOOK_AGAIN =>
            {
                thread::sleep(LOOK_AGAIN);
            }
            other => break other?,
        }
    };
    let differences: Vec<String> = wanted
        .iter()
        .filter_map(|spec| Some((spec, facts.iter().find(|facts| facts.name == spec.name)?)))
        .flat_map(|(spec, facts)| verify::differences(spec, facts))
        .collect();
    if differences.is_empty() {
        return Ok(facts);
    }
    let text = format!("create topics as asked: {}", differences.join("; "));
    Err(admin.fail(FailureKind::TopicDiffers, &text))
}

/// Describes topics and the configuration that is set on them.
///
/// # Errors
/// `Topic` if some do not exist, and as above.
pub fn describe_topics(
    connection: &ClientProperties,
    names: &[String],
    deadline: &Deadline,
) -> Result<Vec<TopicFacts>, AgentFailure> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    describe(&Admin::new(connection)?, &names, &HashSet::new(), deadline)
}

fn submit(
    admin: &Admin,
    wanted: &[&TopicSpec],
    (creation, may_exist): (&Creation, bool),
    deadline: &Deadline,
) -> Result<(), AgentFailure> {
    admin.must_not_be_embedded(deadline)?;
    let mut creation = creation.lock();
    if creation.is_over {
        return Err(admin.fail(FailureKind::Other, "create topics: they are being deleted"));
    }
    let results = native::create_topics(admin.inner().inner(), wanted, deadline)
        .map_err(|error| admin.failure("create topics", &error, deadline))?;
    let mut refusals = Vec::new();
    for (name, refusal) in results {
        match refusal {
            None => {
                creation.made.insert(name);
            }
            Some((RDKafkaErrorCode::TopicAlreadyExists, _))
                if may_exist || creation.made.contains(&name) => {}
            Some((code, reason)) => refusals.push((name, code, reason)),
        }
    }
    let Some((_, code, _)) = refusals.first() else { return Ok(()) };
    let kind = match code {
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed => FailureKind::Denied,
        RDKafkaErrorCode::RequestTimedOut | RDKafkaErrorCode::OperationTimedOut => {
            FailureKind::TimedOut
        }
        _ => FailureKind::Topic,
    };
    let texts: Vec<String> =
        refusals.iter().map(|(name, _, reason)| format!("topic {name}: {reason}")).collect();
    let remedy = match kind {
        FailureKind::Denied => {
            "; give this user the right to Create on the topics or the cluster, or name topics that exist (`existing: true`)"
        }
        _ => "",
    };
    Err(admin.fail(kind, &format!("create topics: {}{remedy}", texts.join("; "))))
}

fn wait_for_leaders(
    admin: &Admin,
    specs: &[&TopicSpec],
    deadline: &Deadline,
) -> Result<(), AgentFailure> {
    loop {
        let metadata = admin.metadata(deadline)?;
        let Some(lacking) = specs.iter().find_map(|spec| lacks_leader(&metadata, spec)) else {
            return Ok(());
        };
        if deadline.remaining() <= LOOK_AGAIN {
            let text =
                format!("see a leader for every partition within {:?}: {lacking}", deadline.within);
            return Err(admin.fail(FailureKind::TimedOut, &text));
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// What a topic lacks until all its partitions have leaders.
fn lacks_leader(metadata: &Metadata, spec: &TopicSpec) -> Option<String> {
    let name = &spec.name;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == *name) else {
        return Some(format!("topic {name} is not known to the brokers"));
    };
    // The broker may also make more than asked, which is verified later.
    let expected = usize::try_from(spec.partitions).unwrap_or(0);
    if topic.partitions().len() < expected {
        return Some(format!(
            "topic {name} has {} of {expected} partitions",
            topic.partitions().len()
        ));
    }
    let headless = topic.partitions().iter().find(|partition| partition.leader() < 0)?;
    Some(format!("partition {} of topic {name} has none", headless.id()))
}

fn must_exist<'a>(
    admin: &Admin,
    metadata: &Metadata,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), AgentFailure> {
    let known: HashSet<&str> = metadata.topics().iter().map(MetadataTopic::name).collect();
    let missing: Vec<&str> = names.filter(|name| !known.contains(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "find topics: {} (none of that name, or this user may not see it)",
        missing.join(", ")
    );
    Err(admin.fail(FailureKind::Topic, &text))
}

fn describe(
    admin: &Admin,
    names: &[&str],
    asked: &HashSet<&str>,
    deadline: &Deadline,
) -> Result<Vec<TopicFacts>, AgentFailure> {
    let metadata = admin.metadata(deadline)?;
    must_exist(admin, &metadata, names.iter().copied())?;
    let known: HashMap<&str, _> =
        metadata.topics().iter().map(|topic| (topic.name(), topic)).collect();
    // Any broker can tell; the default is the controller, which the embedded broker lacks.
    let options = Admin::options(deadline).broker_id(metadata.brokers().first().map(|b| b.id()));
    // Whether a topic is compacted is always asked, also where it is so by the broker's default.
    let asked = asked.iter().copied().chain([CLEANUP_POLICY]).collect();
    let configs = configs(admin, names, &asked, (&options, deadline))?;
    let facts = names.iter().map(|name| TopicFacts {
        name: (*name).to_owned(),
        partitions: known[name]
            .partitions()
            .iter()
            .map(|partition| (partition.leader(), partition.replicas().to_vec()))
            .collect(),
        config: configs.get(*name).cloned().unwrap_or_default(),
    });
    Ok(facts.collect())
}

type Configs = HashMap<String, Vec<(String, String)>>;

fn configs(
    admin: &Admin,
    names: &[&str],
    asked: &HashSet<&str>,
    (options, deadline): (&AdminOptions, &Deadline),
) -> Result<Configs, AgentFailure> {
    let topics: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    if topics.is_empty() {
        return Ok(Configs::new());
    }
    let described = block_on(admin.inner().describe_configs(&topics, options));
    let described = match described {
        Ok(described) => described,
        // The embedded broker has no such request, and no configuration.
        Err(KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedFeature)) => return Ok(Configs::new()),
        Err(error) => return Err(admin.failure("describe topic configuration", &error, deadline)),
    };
    let mut configs = Configs::new();
    for resource in described {
        let resource = resource.map_err(|code| {
            admin.failure("describe topic configuration", &KafkaError::AdminOp(code), deadline)
        })?;
        if let OwnedResourceSpecifier::Topic(name) = &resource.specifier {
            configs.insert(name.clone(), entries(&resource, asked));
        }
    }
    Ok(configs)
}

/// What is set on the topic itself, and what was asked for wherever it is set.
fn entries(resource: &ConfigResource, asked: &HashSet<&str>) -> Vec<(String, String)> {
    let wanted = resource.entries.iter().filter(|entry| {
        entry.source == ConfigSource::DynamicTopic || asked.contains(entry.name.as_str())
    });
    let mut entries: Vec<_> =
        wanted.map(|entry| (entry.name.clone(), entry.value.clone().unwrap_or_default())).collect();
    entries.sort();
    entries
}
