//! The topics of a consumer, and where it stands in each of their partitions.

use crate::librdkafka::{OFFSET_INVALID, PartitionList};
use mallard_protocol::{
    ids::TopicId,
    interval::PartitionOffset,
    workload::{Assignment, ConsumerSpec},
};
use std::sync::atomic::{AtomicI64, Ordering};

/// A partition: the topic's place in the consumer's list, and the partition's number.
pub(crate) type Place = (usize, i32);

/// A consumer's topics, with the next offset that it reads of each partition after what it has
/// processed. One thread writes an offset, others read it.
pub(crate) struct Topics(Vec<Topic>);

struct Topic {
    id: TopicId,
    name: String,
    positions: Vec<AtomicI64>,
}

impl Topics {
    /// The topics of a consumer.
    pub(crate) fn new(assignment: &Assignment, spec: &ConsumerSpec) -> Self {
        let topic = |id: &TopicId| {
            let topic = assignment.topics.get(id.index())?;
            let positions = (0..topic.partitions).map(|_| AtomicI64::new(OFFSET_INVALID));
            Some(Topic { id: *id, name: topic.name.clone(), positions: positions.collect() })
        };
        Self(spec.topics.iter().filter_map(topic).collect())
    }

    /// One topic with so many partitions, for tests.
    #[cfg(test)]
    pub(crate) fn of_one(partitions: usize) -> Self {
        let positions = (0..partitions).map(|_| AtomicI64::new(OFFSET_INVALID)).collect();
        Self(vec![Topic { id: TopicId(0), name: "t".into(), positions }])
    }

    /// How many topics there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// A topic's place by its name on the broker.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|topic| topic.name == name)
    }

    /// A topic's name on the broker.
    pub(crate) fn name(&self, topic: usize) -> &str {
        &self.0[topic].name
    }

    /// A topic's id in the case.
    pub(crate) fn id(&self, topic: usize) -> TopicId {
        self.0[topic].id
    }

    /// Partitions of a topic.
    pub(crate) fn partitions(&self, topic: usize) -> i32 {
        i32::try_from(self.0[topic].positions.len()).unwrap_or(i32::MAX)
    }

    /// Every partition of every topic.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        (0..self.count()).flat_map(|topic| (0..self.partitions(topic)).map(move |p| (topic, p)))
    }

    /// Sets where a partition is read from next.
    #[inline]
    pub(crate) fn set_position(&self, (topic, partition): Place, offset: i64) {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        if let Some(position) = self.0[topic].positions.get(index) {
            position.store(offset, Ordering::Relaxed);
        }
    }

    /// Where a partition is read from next, if that is known.
    pub(crate) fn position(&self, (topic, partition): Place) -> Option<i64> {
        let position = self.0[topic].positions.get(usize::try_from(partition).ok()?)?;
        Some(position.load(Ordering::Relaxed)).filter(|offset| *offset >= 0)
    }

    /// All positions that are known, for a report.
    pub(crate) fn known_positions(&self) -> Vec<PartitionOffset> {
        let known = |place: Place| {
            let offset = self.position(place)?;
            Some(PartitionOffset { topic: self.id(place.0), partition: place.1, offset })
        };
        self.places().filter_map(known).collect()
    }

    /// A list for librdkafka, with an offset for each place.
    pub(crate) fn list(&self, places: impl IntoIterator<Item = (Place, i64)>) -> PartitionList {
        let entry = |((topic, partition), offset)| (self.name(topic), partition, offset);
        PartitionList::of(places.into_iter().map(entry))
    }

    /// The places in a list of librdkafka's.
    pub(crate) fn places_in(&self, list: &PartitionList) -> Vec<(Place, i64)> {
        let place = |(topic, partition, offset, _): (&str, i32, i64, _)| {
            Some(((self.find(topic)?, partition), offset))
        };
        list.iter().filter_map(place).collect()
    }

    /// Places as a message names them.
    pub(crate) fn named(&self, places: impl IntoIterator<Item = Place>) -> Vec<(TopicId, i32)> {
        places.into_iter().map(|(topic, partition)| (self.id(topic), partition)).collect()
    }
}
