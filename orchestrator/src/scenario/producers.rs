//! Producers.

use super::{
    payload::{self, Payload, mention},
    steps::{Step, own_step, stand_in},
};
use crate::config::{
    shape::{
        Fields, Located, Property, Shape, either, integer, list, list_of_some, number,
        quantity::{share, some_time},
        record, scalar,
        units::{Wrong, duration},
        words,
    },
    source::Place,
    yaml::Node,
};
use mallard_protocol::{
    stamp::HEADER,
    workload::{KeySpec, Partitioning, TransactionSpec},
};
use serde_json::json;

/// Most instances of one workload: an agent has a thread for each.
pub const INSTANCE_LIMIT: u64 = 4_096;

/// How many instances a workload has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// So many.
    Count(u32),
    /// One on each host.
    PerHost,
    /// One for each partition.
    PerPartition,
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    /// The topic it sends to, if it could be read.
    pub topic: Option<Located<String>>,
    /// How many instances.
    pub instances: Located<Instances>,
    /// Its weight among the producers that share the load.
    pub share: f64,
    /// Its values, if they could be read.
    pub payload: Option<Payload>,
    /// Its keys.
    pub key: KeySpec,
    /// Headers of every record.
    pub headers: Vec<Property>,
    /// Client properties.
    pub client: Vec<Property>,
    /// Who chooses partitions; `None` if the scenario does not say.
    pub partitioning: Option<Located<Partitioning>>,
    /// Transactions.
    pub transactions: Option<Located<TransactionSpec>>,
    /// Its own load.
    pub load: Option<Located<Vec<Step>>>,
    /// Labels that its hosts must have.
    pub on: Vec<Located<String>>,
    /// Where it is written.
    pub at: Place,
}

/// The shape of a producer.
pub fn shape() -> impl Shape<Value = Producer> {
    record("a producer", producer)
}

fn producer(fields: &mut Fields<'_>) -> Option<Producer> {
    let topic = fields.required("topic", "The topic it sends to.", mention());
    let instances = instances(fields);
    let share = fields.default(
        "share",
        "Its weight among the producers that share the scenario's load.",
        number(0.0, 1e9),
        1,
        1.0,
    );
    let payload = fields.required("payload", "Record values.", payload::shape());
    let key = fields.default("key", "Record keys.", payload::key(), "none", KeySpec::None);
    let headers = fields.default(
        "headers",
        "Headers of every record.",
        payload::headers(),
        json!({}),
        Vec::new(),
    );
    refuse_headers(fields, headers.as_deref().unwrap_or_default());
    let client = client(fields);
    let partitioning = fields.optional(
        "partitioning",
        "Who chooses the partition: the client's partitioner, one partition for a while and then the next, every partition in turn, or these in turn. If not given, `sticky` for records without keys, else `client`; `client`, too, where its properties say how it chooses.",
        either(
            words([
                ("client", Partitioning::Client),
                ("sticky", Partitioning::Sticky),
                ("round-robin", Partitioning::RoundRobin),
            ]),
            list_of_some(partition()).map(Partitioning::Fixed),
        )
        .located(),
    );
    let transactions = fields.optional(
        "transactions",
        "Sends records in transactions.",
        record("transactions", transactions).located(),
    );
    let load = fields.optional(
        "load",
        "The producer's own load, from the scenario's start. It then takes no part in the scenario's.",
        list_of_some(own_step().or_stand_in(stand_in)).located(),
    );
    let on = labels(fields);
    let at = fields.at();
    Some(Producer {
        topic,
        instances: instances.unwrap_or_else(|| one_instance(&at)),
        share: share.unwrap_or(1.0),
        payload,
        key: key.unwrap_or(KeySpec::None),
        headers: headers.unwrap_or_default(),
        client: client.unwrap_or_default(),
        partitioning: partitioning.flatten(),
        transactions: transactions.flatten(),
        load: load.flatten(),
        on: on.unwrap_or_default(),
        at,
    })
}

/// Headers whose names would hide something: Mallard's own, and none at all.
fn refuse_headers(fields: &mut Fields<'_>, headers: &[Property]) {
    for Property { key, .. } in headers {
        if key.value == HEADER {
            let message = format!("the header `{HEADER}` is mallard's own");
            let help = "by it consumers know records of this run; take another name";
            fields.error(&key.at, message, help);
        } else if key.value.is_empty() {
            let help = "a header is found by its name: give it one, or remove it";
            fields.error(&key.at, "this header has no name", help);
        }
    }
}

pub(super) fn one_instance(at: &Place) -> Located<Instances> {
    Located { value: Instances::Count(1), at: at.clone(), anchor: at.clone() }
}

impl Producer {
    /// Whether it sends to a topic.
    #[must_use]
    pub fn sends_to(&self, topic: &str) -> bool {
        self.topic.as_ref().is_some_and(|own| own.value == topic)
    }

    /// In the place of a producer that cannot be read.
    pub(super) fn unreadable(node: &Node) -> Self {
        let at = node.anchor().clone();
        Self {
            topic: None,
            instances: one_instance(&at),
            share: 1.0,
            payload: None,
            key: KeySpec::None,
            headers: Vec::new(),
            client: Vec::new(),
            partitioning: None,
            transactions: None,
            load: None,
            on: Vec::new(),
            at,
        }
    }
}

/// A partition's number.
pub(super) fn partition() -> impl Shape<Value = i32> {
    integer(0..=99_999).map(|n| i32::try_from(n).unwrap_or(i32::MAX))
}

/// `instances`, of producers and consumers alike.
pub(super) fn instances(fields: &mut Fields<'_>) -> Option<Located<Instances>> {
    let count =
        integer(1..=INSTANCE_LIMIT).map(|n| Instances::Count(u32::try_from(n).unwrap_or(1)));
    let shape =
        words([("per-host", Instances::PerHost), ("per-partition", Instances::PerPartition)])
            .or(count)
            .located();
    let doc =
        "How many instances: a number, one per host, or one per partition. They share the work.";
    let none = one_instance(&fields.at());
    fields.default("instances", doc, shape, 1, none)
}

/// `client`, of producers and consumers alike.
pub(super) fn client(fields: &mut Fields<'_>) -> Option<Vec<Property>> {
    fields.explain_unknown(super::clients::as_key);
    let doc = "Client properties, as librdkafka spells them.";
    fields.default("client", doc, super::login::client_properties(), json!({}), Vec::new())
}

/// `on`, of producers and consumers alike.
pub(super) fn labels(fields: &mut Fields<'_>) -> Option<Vec<Located<String>>> {
    let doc = "Labels that a host must have, all of them, to be given instances.";
    fields.default("on", doc, list(mention()), json!([]), Vec::new())
}

fn transactions(fields: &mut Fields<'_>) -> Option<TransactionSpec> {
    let every = fields.required(
        "every",
        "Commit after so many records (`100`) or after so long (`500ms`).",
        scalar(
            "a number of records or a duration",
            json!({"anyOf": [integer(1..=1_000_000).schema(), some_time().schema()]}),
            |s| match s.text.parse::<u64>() {
                Ok(records @ 1..=1_000_000) => Ok((Some(records), None)),
                Ok(_) => Err(Wrong::new(
                    format!("{} is out of range", s.text),
                    "allowed: from 1 to 1000000 records",
                )),
                Err(_) => {
                    let every = duration(&s.text)?;
                    let us = u64::try_from(every.as_micros()).unwrap_or(u64::MAX);
                    if us < 1_000 {
                        return Err(Wrong::new(
                            format!("`{}` is too short", s.text),
                            "allowed: from 1ms on",
                        ));
                    }
                    Ok((None, Some(us)))
                }
            },
        ),
    );
    let abort = fields.default(
        "abort",
        "Share of transactions that are aborted on purpose.",
        share(),
        0,
        0.0,
    );
    let (every_records, every_us) = every?;
    Some(TransactionSpec { every_records, every_us, abort_share: abort? })
}
