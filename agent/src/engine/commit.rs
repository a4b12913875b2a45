//! When a consumer commits what it has processed.

use super::{
    positions::Commits,
    topics::{Place, Topics},
};
use crate::librdkafka::{Client, PartitionList};
use mallard_protocol::workload::CommitPolicy;
use std::{collections::HashMap, sync::Arc};

/// Commits by policy, from the thread that processes records.
pub(crate) struct Committer {
    client: Arc<Client>,
    topics: Arc<Topics>,
    commits: Arc<Commits>,
    policy: Policy,
    processed: u64,
    committed: HashMap<Place, i64>,
}

#[derive(Clone, Copy)]
enum Policy {
    /// Nothing to do: never, or the client does it all.
    None,
    /// The client commits what it is told was processed.
    Store,
    /// Mallard commits after this many records.
    Every(u64),
}

impl Committer {
    /// A committer. With `works`, records are processed later than the client believes.
    pub(crate) fn new(
        client: Arc<Client>,
        topics: Arc<Topics>,
        commits: Arc<Commits>,
        policy: CommitPolicy,
        works: bool,
    ) -> Self {
        let policy = match policy {
            CommitPolicy::Auto { .. } if works => Policy::Store,
            CommitPolicy::Never | CommitPolicy::Auto { .. } => Policy::None,
            CommitPolicy::Every { records } => Policy::Every(records.max(1)),
        };
        Self { client, topics, commits, policy, processed: 0, committed: HashMap::new() }
    }

    /// Counts processed records, and commits when it is time. While a commit is on its way the next
    /// one waits for it and covers more records.
    pub(crate) fn processed(&mut self, records: u64) {
        self.processed += records;
        if let Policy::Every(every) = self.policy
            && self.processed >= every
            && !self.commits.is_busy()
        {
            self.processed = 0;
            let list = self.news();
            if !list.is_empty() {
                // A failure comes back as an answer, or the next commit covers it.
                let _ = self.commits.commit(&self.client, &list);
            }
        }
    }

    /// Tells the client what was processed, where it is the client that commits.
    pub(crate) fn interval_ended(&mut self) {
        if matches!(self.policy, Policy::Store) && self.processed > 0 {
            self.processed = 0;
            let list = self.news();
            if !list.is_empty() {
                self.client.store_offsets(&list);
            }
        }
    }

    /// Positions that have moved.
    fn news(&mut self) -> PartitionList {
        let moved: Vec<_> = self
            .topics
            .places()
            .filter_map(|place| Some((place, self.topics.position(place)?)))
            .filter(|(place, offset)| self.committed.get(place) != Some(offset))
            .collect();
        self.committed.extend(moved.iter().copied());
        self.topics.list(moved)
    }
}
