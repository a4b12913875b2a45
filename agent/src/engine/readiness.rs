//! What is known before the load of the brokers that it needs, without sending a record.
//!
//! Nobody but the user writes to a user's topic, and a topic may refuse what is not of its kind. So a
//! producer waits for the leaders of its partitions, and a consumer for the first answers to its fetches:
//! where it reads from was settled when partitions were assigned ([`super::membership`]), so that it
//! misses nothing from then on; with the answers the way to the leaders is open, too.

use super::{notes::failure_kind, topics::Place};
use crate::librdkafka::{Client, Code, Producer};
use mallard_protocol::message::AgentFailure;
use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

/// How long a producer waits for leaders.
const LEADERS_WITHIN: Duration = Duration::from_secs(15);

/// Between two looks at leaders.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A broker holds a fetch back for as long as the client allows while there is nothing to read. Where that
/// is longer than this, in milliseconds, answers are not waited for.
const LONGEST_FETCH_MS: u64 = 5_000;

/// Waits until a producer's client knows a leader for every partition of its topic.
pub(crate) fn await_leaders(producer: &Producer, name: &str) -> Result<(), AgentFailure> {
    let deadline = Instant::now() + LEADERS_WITHIN;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(LOOK_AGAIN);
        let (code, missing) = match producer.leaderless(left) {
            Ok(None) => return Ok(()),
            Ok(Some(partition)) => {
                (Code::LEADER_NOT_AVAILABLE, format!(" of partition {partition}"))
            }
            Err(code) => (code, String::new()),
        };
        if Instant::now() >= deadline || !may_pass(code) {
            return Err(AgentFailure {
                kind: failure_kind(code),
                text: format!("{name} knows no leader{missing}: {}", code.describe()),
            });
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Whether it may be otherwise a moment later.
fn may_pass(code: Code) -> bool {
    !matches!(code, Code::TOPIC_DENIED | Code::AUTHENTICATION)
}

/// Which partitions a consumer reads, as far as told.
pub(crate) struct Reading {
    /// Answers to fetches are no sign: they may take longer than anybody would wait.
    takes_assigned: bool,
    /// What was told last.
    told: BTreeSet<Place>,
}

impl Reading {
    /// Nothing is read yet.
    pub(crate) fn of(client: &Client) -> Self {
        let wait_ms = client.property("fetch.wait.max.ms").and_then(|ms| ms.parse::<u64>().ok());
        Self {
            takes_assigned: wait_ms.is_some_and(|ms| ms > LONGEST_FETCH_MS),
            told: BTreeSet::new(),
        }
    }

    /// Looks again at what is assigned, and returns all that is read now if that has changed.
    pub(crate) fn look(
        &mut self,
        assigned: &BTreeSet<Place>,
        is_answered: impl Fn(Place) -> bool,
    ) -> Option<BTreeSet<Place>> {
        let is_read =
            |place: &Place| self.takes_assigned || self.told.contains(place) || is_answered(*place);
        let read: BTreeSet<Place> = assigned.iter().copied().filter(is_read).collect();
        let is_news = self.told != read;
        self.told.clone_from(&read);
        is_news.then_some(read)
    }

    /// Whether something of what is assigned is not read yet.
    pub(crate) fn is_waiting(&self, assigned: usize) -> bool {
        self.told.len() < assigned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(takes_assigned: bool) -> Reading {
        Reading { takes_assigned, told: BTreeSet::new() }
    }

    #[test]
    fn what_is_read_is_told_when_it_changes() {
        let mut reading = reading(false);
        let assigned = BTreeSet::from([(0, 0), (0, 1)]);
        assert_eq!(reading.look(&assigned, |_| false), None);
        assert!(reading.is_waiting(2));
        assert_eq!(reading.look(&assigned, |place| place.1 == 1), Some([(0, 1)].into()));
        // What was answered once is not asked about again.
        assert_eq!(reading.look(&assigned, |place| place.1 == 0), Some(assigned.clone()));
        assert!(!reading.is_waiting(2));
        assert_eq!(reading.look(&[(0, 0)].into(), |_| false), Some([(0, 0)].into()));
        assert_eq!(reading.look(&assigned, |_| false), None, "it has to be answered again");
    }

    #[test]
    fn a_fetch_that_may_be_held_back_for_long_is_not_waited_for() {
        let assigned = BTreeSet::from([(0, 0)]);
        assert_eq!(reading(true).look(&assigned, |_| false), Some(assigned));
    }
}
