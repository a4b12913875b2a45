//! Brokers, leaders and replicas, looked at once an interval.
//!
//! Every broker is called by a small request of its own, so that one that hangs is noticed like one that
//! is gone; why there is no connection is in the client's log. A broker that has not answered yet is
//! reported as silent, and whoever reads the samples decides how often that must be.

use super::{
    Deadline,
    client::Admin,
    native::{self, Calls, PartitionFound},
    watch::{Reading, Watch},
};
use mallard_protocol::{
    cluster::{self, BrokerProblem, BrokerSample, ClusterSample, PartitionSample},
    ids::TopicId,
    message::AgentFailure,
    workload::{Assignment, ClientProperties},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// How long brokers have for their answers: less than a reading has, so that what did come gets through.
const ANSWERING: Duration = Duration::from_millis(500);

/// How long metadata may take where descriptions did not come: with [`ANSWERING`] about what a reading has.
const INSTEAD: Duration = Duration::from_millis(200);

/// Longest pause before a broker is connected to again, in milliseconds: its return is to be seen in the
/// next sample, and librdkafka's own pause grows to ten seconds.
const RECONNECT_MS: &str = "500";

/// Most brokers that are called. A cluster with more is watched by its leaders and replicas.
const BROKERS_MAX: usize = 200;

/// Looks at brokers, leaders and replicas, once an interval.
pub type ClusterWatch = Watch<Option<ClusterSample>>;

impl ClusterWatch {
    /// A watch over the cluster; `None` if the assignment leaves that to another agent.
    ///
    /// # Errors
    /// No thread.
    pub fn start(assignment: &Assignment) -> Result<Option<Self>, AgentFailure> {
        if !assignment.watches_cluster {
            return Ok(None);
        }
        let mut cluster = Cluster::of(assignment);
        let read = move |admin: &Admin, _: &Deadline| cluster.read(admin);
        Watch::over("cluster", connection(&assignment.connection), read).map(Some)
    }
}

/// The connection, with a return that is noticed soon.
fn connection(given: &ClientProperties) -> ClientProperties {
    let ours = ["reconnect.backoff.ms", "reconnect.backoff.max.ms"];
    let kept = given.iter().filter(|(key, _)| !ours.contains(&key.as_str())).cloned();
    kept.chain([(ours[0].into(), "100".into()), (ours[1].into(), RECONNECT_MS.into())]).collect()
}

/// What is known of the cluster.
struct Cluster {
    names: Vec<String>,
    /// The case's topics by name on the broker.
    topics: HashMap<String, TopicId>,
    /// Brokers by id, and why there is no connection to them, as far as the log has said since they
    /// answered last.
    brokers: BTreeMap<i32, Option<&'static str>>,
    /// Whether brokers are called at all; `None` before the first metadata.
    calls: Option<bool>,
}

impl Cluster {
    fn of(assignment: &Assignment) -> Self {
        let topics = assignment.topics.iter().zip(0..);
        Self {
            names: assignment.topics.iter().map(|topic| topic.name.clone()).collect(),
            topics: topics.map(|(topic, id)| (topic.name.clone(), TopicId(id))).collect(),
            brokers: BTreeMap::new(),
            calls: None,
        }
    }

    fn read(&mut self, admin: &Admin) -> Reading<Option<ClusterSample>> {
        let deadline = Deadline::within(ANSWERING);
        let calls = match self.calls {
            Some(calls) => calls,
            None => match self.meet(admin, &deadline) {
                Ok(calls) => calls,
                Err(failure) => return (None, Some(failure.text)),
            },
        };
        let client = admin.inner().inner();
        let ids: Vec<_> = self.brokers.keys().copied().filter(|_| calls).collect();
        let under_way = Calls::to(client, &ids, &deadline);
        // While no broker answers, its complaint would say the same as the brokers' samples do.
        let described = native::describe_partitions(client, &self.names, &deadline).ok();
        let found = described
            .filter(|found| !found.is_empty())
            .unwrap_or_else(|| self.partitions_of_metadata(admin));
        let answers = under_way.answers(&deadline);
        admin.each_reason(|reason| self.note(reason));
        let brokers = answers.into_iter().map(|(id, answered)| self.broker(id, answered)).collect();
        (Some(ClusterSample { brokers, partitions: self.partitions(&found) }), None)
    }

    /// Learns which brokers there are, and whether they can be called: librdkafka's mock cluster does not
    /// know the request, and librdkafka 2.12 gives the reply queue back twice for a broker like that.
    fn meet(&mut self, admin: &Admin, deadline: &Deadline) -> Result<bool, AgentFailure> {
        let metadata = admin.metadata(deadline)?;
        let calls = !admin.is_embedded(deadline);
        let ids = metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id);
        self.brokers = ids.take(BROKERS_MAX).map(|id| (id, None)).collect();
        self.calls = Some(calls);
        Ok(calls)
    }

    /// The same by a request for all metadata, which any broker answers. The client waits with a description
    /// for the broker that it takes for the controller, also while that one is gone.
    fn partitions_of_metadata(&self, admin: &Admin) -> Vec<PartitionFound> {
        let Ok(metadata) = admin.metadata(&Deadline::within(INSTEAD)) else { return Vec::new() };
        let ours = metadata.topics().iter().filter(|topic| self.topics.contains_key(topic.name()));
        let partitions = ours.flat_map(|topic| {
            topic.partitions().iter().map(|partition| PartitionFound {
                topic: topic.name().to_owned(),
                partition: partition.id(),
                leader: partition.leader(),
                replicas: partition.replicas().to_vec(),
                in_sync: partition.isr().len(),
            })
        });
        partitions.collect()
    }

    fn note(&mut self, reason: &str) {
        let Some(said) = cluster::connection(reason) else { return };
        if let Some(known) = said.id().and_then(|id| self.brokers.get_mut(&id)) {
            *known = Some(said.cause);
        }
    }

    fn broker(&mut self, id: i32, answered: bool) -> BrokerSample {
        let cause = self.brokers.entry(id).or_default();
        if answered {
            *cause = None;
            return BrokerSample { id, problem: None };
        }
        let problem = cause
            .map_or(BrokerProblem::Silent, |cause| BrokerProblem::Unconnected(cause.to_owned()));
        BrokerSample { id, problem: Some(problem) }
    }

    /// The case's partitions. Brokers that only show up as replicas are called from now on.
    fn partitions(&mut self, found: &[PartitionFound]) -> Vec<PartitionSample> {
        for id in found.iter().flat_map(|partition| &partition.replicas) {
            if *id >= 0 && self.brokers.len() < BROKERS_MAX {
                self.brokers.entry(*id).or_default();
            }
        }
        let sample = |found: &PartitionFound| {
            Some(PartitionSample {
                topic: *self.topics.get(&found.topic)?,
                partition: found.partition,
                leader: found.leader,
                replicas: u16::try_from(found.replicas.len()).unwrap_or(u16::MAX),
                in_sync: u16::try_from(found.in_sync).unwrap_or(u16::MAX),
            })
        };
        found.iter().filter_map(sample).collect()
    }
}
