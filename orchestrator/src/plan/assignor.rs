//! What the members of a group get, by the rule of the assignor that deals partitions out among them.
//!
//! Brokers and clients make members' ids up, so who gets which partitions cannot be foreseen. How many each
//! gets can, where all members read the same topics:
//!
//! - `range` (librdkafka's and Java's first choice, and a broker's by `group.remote.assignor`) deals every
//!   topic out on its own, what does not come out even to the first members: of two topics with a
//!   partition each, one member gets both and the other nothing.
//! - `roundrobin`, `cooperative-sticky` and a broker's `uniform` (the default of `group.protocol: consumer`,
//!   KIP-848) deal all partitions of all topics out together: no two members differ by more than one.

use mallard_protocol::ids::TopicId;
use std::{cmp::Reverse, collections::BTreeSet};

/// How a group's partitions are dealt out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Assignor {
    rule: Rule,
    /// Whether a member that gets nothing is told so. By the consumer protocol it is not: nothing changes
    /// for it.
    pub(crate) tells_of_nothing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Every topic on its own.
    ByTopic,
    /// All partitions together.
    Together,
    /// An assignor of a broker's own, by a name that is not known here.
    Unknown,
}

impl Assignor {
    /// The assignor that client properties choose; `None` stands for what is not set. Of several classic
    /// ones a group takes the first that all its members have.
    pub(crate) fn of<'a>(property: impl Fn(&str) -> Option<&'a str>) -> Self {
        let chosen = |key, default| {
            let list = property(key).filter(|list| !list.trim().is_empty()).unwrap_or(default);
            list.split(',').next().unwrap_or(default).trim().to_ascii_lowercase()
        };
        let classic = chosen("group.protocol", "classic") != "consumer";
        let name = match classic {
            true => chosen("partition.assignment.strategy", "range"),
            false => chosen("group.remote.assignor", "uniform"),
        };
        let rule = match name.as_str() {
            "range" => Rule::ByTopic,
            "roundrobin" | "cooperative-sticky" | "uniform" => Rule::Together,
            _ => Rule::Unknown,
        };
        Self { rule, tells_of_nothing: classic }
    }

    /// How many partitions each of so many members gets of topics with so many, most first; `None` where
    /// that is not known.
    pub(crate) fn shares(self, partitions: &[usize], members: usize) -> Option<Vec<usize>> {
        match self.rule {
            Rule::ByTopic => Some(
                (0..members)
                    .map(|rank| partitions.iter().map(|of| share(*of, members, rank)).sum())
                    .collect(),
            ),
            Rule::Together => {
                let all = partitions.iter().sum();
                Some((0..members).map(|rank| share(all, members, rank)).collect())
            }
            Rule::Unknown => None,
        }
    }

    /// Whether what the members of a group have is what they get in the end. They all read these topics,
    /// each with its number of partitions, and all partitions are somebody's.
    pub(crate) fn is_dealt(
        self,
        topics: &[(TopicId, usize)],
        members: &[&BTreeSet<(TopicId, i32)>],
    ) -> bool {
        let is_even = |partitions: usize, of: &dyn Fn(&(TopicId, i32)) -> bool| {
            let mut counts: Vec<usize> =
                members.iter().map(|has| has.iter().filter(|place| of(place)).count()).collect();
            counts.sort_unstable_by_key(|count| Reverse(*count));
            (0..members.len()).map(|rank| share(partitions, members.len(), rank)).eq(counts)
        };
        match self.rule {
            Rule::ByTopic => topics
                .iter()
                .all(|(topic, partitions)| is_even(*partitions, &|(of, _)| of == topic)),
            Rule::Together => is_even(topics.iter().map(|(_, of)| of).sum(), &|_| true),
            Rule::Unknown => true,
        }
    }
}

/// What the member of a rank gets of so many partitions.
fn share(partitions: usize, members: usize, rank: usize) -> usize {
    let members = members.max(1);
    partitions / members + usize::from(rank < partitions % members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by(properties: &[(&'static str, &'static str)]) -> Assignor {
        Assignor::of(|key| properties.iter().find(|(known, _)| *known == key).map(|(_, v)| *v))
    }

    fn strategy(name: &'static str) -> Assignor {
        by(&[("partition.assignment.strategy", name)])
    }

    #[test]
    fn properties_choose_the_assignor() {
        assert_eq!(by(&[]), strategy("range,roundrobin"));
        assert_eq!(by(&[]).rule, Rule::ByTopic);
        assert_eq!(strategy("roundrobin, range").rule, Rule::Together);
        assert_eq!(strategy("cooperative-sticky").rule, Rule::Together);
        let new = by(&[("group.protocol", "consumer")]);
        assert_eq!((new.rule, new.tells_of_nothing), (Rule::Together, false));
        let ranged = by(&[("group.protocol", "consumer"), ("group.remote.assignor", "range")]);
        assert_eq!((ranged.rule, ranged.tells_of_nothing), (Rule::ByTopic, false));
        let own = by(&[("group.protocol", "consumer"), ("group.remote.assignor", "mine")]);
        assert_eq!(own.shares(&[3], 2), None);
    }

    #[test]
    fn range_gives_both_of_two_small_topics_to_one_member() {
        assert_eq!(strategy("range").shares(&[1, 1], 2), Some(vec![2, 0]));
        assert_eq!(strategy("range").shares(&[1; 300], 2), Some(vec![300, 0]));
        assert_eq!(strategy("range").shares(&[7, 5], 3), Some(vec![5, 4, 3]));
        assert_eq!(strategy("roundrobin").shares(&[1, 1], 2), Some(vec![1, 1]));
        assert_eq!(strategy("cooperative-sticky").shares(&[7, 5], 5), Some(vec![3, 3, 2, 2, 2]));
    }

    #[test]
    fn a_group_that_is_still_about_to_rebalance_is_not_dealt() {
        let topics = [(TopicId(0), 1), (TopicId(1), 1)];
        let (both, one, other, none) = (
            BTreeSet::from([(TopicId(0), 0), (TopicId(1), 0)]),
            BTreeSet::from([(TopicId(0), 0)]),
            BTreeSet::from([(TopicId(1), 0)]),
            BTreeSet::new(),
        );
        assert!(strategy("range").is_dealt(&topics, &[&none, &both]));
        assert!(!strategy("roundrobin").is_dealt(&topics, &[&none, &both]));
        assert!(strategy("roundrobin").is_dealt(&topics, &[&other, &one]));
        let four = BTreeSet::from([0, 1, 2, 3].map(|partition| (TopicId(0), partition)));
        assert!(!strategy("range").is_dealt(&[(TopicId(0), 4)], &[&four, &none]));
        let (left, right) = (four.iter().copied().take(2), four.iter().copied().skip(2));
        let halves = (left.collect(), right.collect());
        assert!(strategy("range").is_dealt(&[(TopicId(0), 4)], &[&halves.0, &halves.1]));
    }

    /// What librdkafka's and Java's range assignor does, member by member in order: of each topic so many in
    /// a row, and one more for the first members.
    fn range(partitions: &[usize], members: usize) -> Vec<BTreeSet<(TopicId, i32)>> {
        let mut given = vec![BTreeSet::new(); members];
        for (topic, count) in partitions.iter().enumerate() {
            let mut next = 0;
            for (rank, has) in given.iter_mut().enumerate() {
                for _ in 0..share(*count, members, rank) {
                    has.insert((TopicId(u16::try_from(topic).unwrap()), next));
                    next += 1;
                }
            }
        }
        given
    }

    /// What a round-robin assignor does: all partitions in order, in turn.
    fn in_turn(partitions: &[usize], members: usize) -> Vec<BTreeSet<(TopicId, i32)>> {
        let mut given = vec![BTreeSet::new(); members];
        let all = partitions.iter().enumerate().flat_map(|(topic, count)| {
            let topic = TopicId(u16::try_from(topic).unwrap());
            (0..i32::try_from(*count).unwrap()).map(move |partition| (topic, partition))
        });
        for (at, place) in all.enumerate() {
            given[at % members].insert(place);
        }
        given
    }

    proptest! {
        #[test]
        fn what_assignors_give_is_dealt_and_adds_up(
            partitions in prop::collection::vec(1_usize..9, 1..6), members in 1_usize..7, turn in 0_usize..7,
        ) {
            let topics: Vec<_> = partitions.iter().zip(0..).map(|(of, id)| (TopicId(id), *of)).collect();
            for (assignor, mut given) in [
                (strategy("range"), range(&partitions, members)),
                (strategy("roundrobin"), in_turn(&partitions, members)),
            ] {
                let mut counts: Vec<_> = given.iter().map(BTreeSet::len).collect();
                counts.sort_unstable_by_key(|count| Reverse(*count));
                prop_assert_eq!(assignor.shares(&partitions, members), Some(counts));
                // Whoever has it.
                given.rotate_left(turn % members);
                prop_assert!(assignor.is_dealt(&topics, &given.iter().collect::<Vec<_>>()));
                // A member that has not come yet would have its part.
                if given.iter().all(|has| !has.is_empty()) {
                    given.push(BTreeSet::new());
                    let late = given.iter().collect::<Vec<_>>();
                    let all: usize = partitions.iter().sum();
                    let is_dealt = assignor.is_dealt(&topics, &late);
                    prop_assert!(!is_dealt || all <= members || partitions.iter().all(|of| *of <= members));
                }
            }
        }
    }
}
