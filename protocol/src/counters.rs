//! Counters: what instances count in an interval beside the accounts of their records, as a table.
//!
//! A row says a counter's name, unit and how two of its values are put together. All that lies between the thread that
//! counts and the metrics that are computed carries the whole set: whoever adds a counter adds its row here, counts it in
//! the agent, and reads it in a metric.
//!
//! On the wire a set is a mask of the counters that are not zero, then their values: most are zero in most intervals.
//! Where people read it (JSON), it is a map by name.

use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
    ser::SerializeTuple,
};
use std::fmt;

/// How two values of a counter are put together: of two threads, instances or intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// They are added.
    Sum,
    /// The larger one counts.
    Max,
}

/// What a counter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name in JSON and its column in tables; times end in `_us`.
    pub name: &'static str,
    /// Its unit, as metrics write theirs.
    pub unit: &'static str,
    /// How two values are put together.
    pub merge: Merge,
}

macro_rules! counters {
    (producers { $($(#[doc = $p_doc:literal])+ $producer:ident = $p_name:literal, $p_unit:literal, $p_merge:ident;)+ }
     consumers { $($(#[doc = $c_doc:literal])+ $consumer:ident = $c_name:literal, $c_unit:literal, $c_merge:ident;)+ }) => {
        /// A counter. Those of producers come first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter {
            $($(#[doc = $p_doc])+ $producer,)+
            $($(#[doc = $c_doc])+ $consumer,)+
        }

        impl Counter {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$producer,)+ $(Self::$consumer,)+];
            /// Those that a producer instance counts.
            pub const OF_PRODUCERS: &[Self] = &[$(Self::$producer,)+];
            /// Those that a consumer instance counts.
            pub const OF_CONSUMERS: &[Self] = &[$(Self::$consumer,)+];

            /// Its row of the table.
            #[inline]
            #[must_use]
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$producer => Row { name: $p_name, unit: $p_unit, merge: Merge::$p_merge },)+
                    $(Self::$consumer => Row { name: $c_name, unit: $c_unit, merge: Merge::$c_merge },)+
                }
            }
        }
    };
}

counters! {
    producers {
        /// Most records that were due and not yet handed to the client, at any moment: how far the load was from its
        /// curve. It is never ahead of it.
        BehindMax = "behind_max", "records", Max;
        /// Batches of delivery reports that were served.
        ReportPolls = "report_polls", "count", Sum;
        /// Times the client refused a record because its queue was full.
        QueueFull = "queue_full", "count", Sum;
        /// Time in which the client refused records.
        BackpressureUs = "backpressure_us", "us", Sum;
    }
    consumers {
        /// Times the consumer asked its client for records.
        Polls = "polls", "count", Sum;
        /// Times it got none.
        EmptyPolls = "empty_polls", "count", Sum;
        /// Time in which its partitions were paused because too much of what it had received was waiting to be processed.
        PausedUs = "paused_us", "us", Sum;
        /// Records that it received and did not process, because their partition was taken away: the next owner gets
        /// them again.
        GivenUp = "given_up", "records", Sum;
    }
}

impl Counter {
    /// The counter of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|counter| counter.row().name == name)
    }

    /// Whether producers count it.
    #[must_use]
    pub const fn is_of_producers(self) -> bool {
        (self as usize) < Self::OF_PRODUCERS.len()
    }
}

/// A value of every counter, 0 at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters([u64; Counter::ALL.len()]);

impl Counters {
    /// A counter's value.
    #[inline]
    #[must_use]
    pub const fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// Puts a value to what a counter has, by its rule of merging.
    #[inline]
    pub fn count(&mut self, counter: Counter, value: u64) {
        let mine = &mut self.0[counter as usize];
        *mine = match counter.row().merge {
            Merge::Sum => mine.saturating_add(value),
            Merge::Max => (*mine).max(value),
        };
    }

    /// The same for a set that is being made.
    #[must_use]
    pub fn with(mut self, counter: Counter, value: u64) -> Self {
        self.count(counter, value);
        self
    }

    /// Puts all that another set has to this one. Associative and commutative.
    pub fn absorb(&mut self, other: &Self) {
        for counter in Counter::ALL {
            self.count(*counter, other.get(*counter));
        }
    }
}

/// A producer instance's counters in a message, for `serde(with)`.
pub mod of_producers {
    use super::{Counter, Counters, Deserializer, Serializer};

    /// Writes producers' counters.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(counters: &Counters, to: S) -> Result<S::Ok, S::Error> {
        super::serialize(counters, Counter::OF_PRODUCERS, to)
    }

    /// Reads producers' counters.
    ///
    /// # Errors
    ///
    /// Those of the deserializer, and counters that this build does not know.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Counters, D::Error> {
        super::deserialize(Counter::OF_PRODUCERS, from)
    }
}

/// A consumer instance's counters in a message, for `serde(with)`.
pub mod of_consumers {
    use super::{Counter, Counters, Deserializer, Serializer};

    /// Writes consumers' counters.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(counters: &Counters, to: S) -> Result<S::Ok, S::Error> {
        super::serialize(counters, Counter::OF_CONSUMERS, to)
    }

    /// Reads consumers' counters.
    ///
    /// # Errors
    ///
    /// Those of the deserializer, and counters that this build does not know.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Counters, D::Error> {
        super::deserialize(Counter::OF_CONSUMERS, from)
    }
}

/// All counters by name, for who reads them in a row of a table or in JSON; names that are not there are 0, and
/// others are passed over. Written by the row, whose fields they are.
impl<'de> Deserialize<'de> for Counters {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Reader(Counter::ALL))
    }
}

fn serialize<S: Serializer>(
    counters: &Counters,
    table: &'static [Counter],
    to: S,
) -> Result<S::Ok, S::Error> {
    if to.is_human_readable() {
        return to.collect_map(table.iter().map(|c| (c.row().name, counters.get(*c))));
    }
    let is_set = |counter: &Counter| counters.get(*counter) > 0;
    let mask = table.iter().rev().fold(0_u64, |mask, c| mask << 1 | u64::from(is_set(c)));
    let mut tuple = to.serialize_tuple(1 + table.len())?;
    tuple.serialize_element(&mask)?;
    for counter in table.iter().filter(|counter| is_set(counter)) {
        tuple.serialize_element(&counters.get(*counter))?;
    }
    tuple.end()
}

fn deserialize<'de, D: Deserializer<'de>>(
    table: &'static [Counter],
    from: D,
) -> Result<Counters, D::Error> {
    match from.is_human_readable() {
        true => from.deserialize_map(Reader(table)),
        false => from.deserialize_tuple(1 + table.len(), Reader(table)),
    }
}

struct Reader(&'static [Counter]);

impl<'de> Visitor<'de> for Reader {
    type Value = Counters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counters")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Counters, A::Error> {
        let missing = || A::Error::custom("fewer counters than their mask says");
        let mask: u64 = from.next_element()?.ok_or_else(missing)?;
        if mask >> self.0.len() != 0 {
            return Err(A::Error::custom("a counter that this build does not know"));
        }
        let mut counters = Counters::default();
        for (bit, counter) in self.0.iter().enumerate() {
            if mask >> bit & 1 == 1 {
                counters.count(*counter, from.next_element()?.ok_or_else(missing)?);
            }
        }
        Ok(counters)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Counters, A::Error> {
        let mut counters = Counters::default();
        while let Some(name) = from.next_key::<String>()? {
            match self.0.iter().find(|counter| counter.row().name == name) {
                Some(counter) => counters.count(*counter, from.next_value()?),
                None => drop(from.next_value::<IgnoredAny>()?),
            }
        }
        Ok(counters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Serialize;
    use std::collections::BTreeSet;

    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    struct Both {
        #[serde(with = "of_producers")]
        producer: Counters,
        #[serde(with = "of_consumers")]
        consumer: Counters,
    }

    fn some(values: &[u64], table: &[Counter]) -> Counters {
        let each = table.iter().zip(values.iter().cycle());
        each.fold(Counters::default(), |counters, (counter, value)| counters.with(*counter, *value))
    }

    /// Often nothing, often little, seldom anything.
    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![3 => Just(0_u64), 2 => 1..200_u64, 1 => any::<u64>()];
        prop::collection::vec(value, Counter::ALL.len())
    }

    proptest! {
        #[test]
        fn counters_survive_the_wire_and_json(p in values(), c in values()) {
            let producer = some(&p, Counter::OF_PRODUCERS);
            let both = Both { producer, consumer: some(&c, Counter::OF_CONSUMERS) };
            let bytes = postcard::to_stdvec(&both).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Both>(&bytes).unwrap(), both);
            let json = serde_json::to_string(&both).unwrap();
            prop_assert_eq!(serde_json::from_str::<Both>(&json).unwrap(), both);
        }

        #[test]
        fn a_table_takes_no_more_of_the_wire_than_a_field_for_each_once_one_is_zero(values in values()) {
            for table in [Counter::OF_PRODUCERS, Counter::OF_CONSUMERS] {
                let counters = some(&values, table);
                let fields: Vec<_> = table.iter().map(|c| counters.get(*c)).collect();
                let plain: usize =
                    fields.iter().map(|value| postcard::to_stdvec(value).unwrap().len()).sum();
                let both = match table == Counter::OF_PRODUCERS {
                    true => Both { producer: counters, consumer: Counters::default() },
                    false => Both { producer: Counters::default(), consumer: counters },
                };
                // The other side's empty mask is one byte.
                let took = postcard::to_stdvec(&both).unwrap().len() - 1;
                let mask = 1 + table.len() / 8;
                let zeros = fields.iter().filter(|value| **value == 0).count();
                prop_assert_eq!(took, plain + mask - zeros);
            }
        }

        #[test]
        fn the_order_of_merging_changes_nothing(a in values(), b in values(), c in values()) {
            let of = |values: &[u64]| some(values, Counter::ALL);
            let merged = |order: [&[u64]; 3]| {
                let mut sum = Counters::default();
                order.iter().for_each(|values| sum.absorb(&of(values)));
                sum
            };
            prop_assert_eq!(merged([&a, &b, &c]), merged([&c, &a, &b]));
            let mut pair = of(&b);
            pair.absorb(&of(&c));
            let mut sum = of(&a);
            sum.absorb(&pair);
            prop_assert_eq!(sum, merged([&a, &b, &c]));
        }

        #[test]
        fn damaged_bytes_are_an_error_and_no_panic(bytes: Vec<u8>) {
            let _ = postcard::from_bytes::<Both>(&bytes);
        }
    }

    #[test]
    fn names_are_unique_and_counters_stand_in_the_order_of_the_table() {
        let names: BTreeSet<_> = Counter::ALL.iter().map(|counter| counter.row().name).collect();
        assert_eq!(names.len(), Counter::ALL.len());
        for (at, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, at);
            assert_eq!(counter.is_of_producers(), Counter::OF_PRODUCERS.contains(counter));
            assert_eq!(Counter::find(counter.row().name), Some(*counter));
            assert_eq!(counter.row().unit == "us", counter.row().name.ends_with("_us"));
        }
    }

    #[test]
    fn a_counter_of_another_build_is_an_error() {
        let mask = 1_u64 << Counter::OF_PRODUCERS.len();
        let bytes = postcard::to_stdvec(&(mask, 5_u64, 0_u64)).unwrap();
        let error = postcard::from_bytes::<Both>(&bytes).unwrap_err();
        assert_eq!(error, postcard::Error::SerdeDeCustom);
    }
}
