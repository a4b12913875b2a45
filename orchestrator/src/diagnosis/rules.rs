//! Rules: each looks at some facts and says what limits, or nothing.

use super::{
    Facts, Group, Partition, Sender,
    bottleneck::{LONG_STAGE_US, MOST, bottleneck},
    finding::{diagnosis, sentence},
    pipeline,
    stages::{DELIVERY, IN_CLIENT, ROUND_TRIP, SERVICE, WAITING},
    tiers,
};
use crate::{
    model::result::{Diagnosis, Stage, Tier},
    text::units::{digits, human},
};
use std::collections::BTreeMap;

/// Every diagnosis, the weightiest first. A generator that limits taints what clients and consumers
/// measured, so nothing is concluded from that then. What requests wait for slows consumers down as well,
/// and makes batches no matter.
pub(super) fn diagnoses(facts: &Facts, stages: &[Stage]) -> Vec<Diagnosis> {
    let generator = generator(facts);
    let is_tainted = generator.is_some();
    let bottleneck = if is_tainted { None } else { bottleneck(facts, stages) };
    let is_explained = is_tainted || bottleneck.is_some();
    let mut found: Vec<Diagnosis> = generator.into_iter().chain(bottleneck).collect();
    let slow = facts.groups.iter().filter(|group| !is_explained || group.has_work());
    found.extend(slow.filter_map(|group| slow_consumer(facts, group)));
    found.extend(facts.groups.iter().filter_map(|group| pipeline::stage(facts, group)));
    found.extend(facts.groups.iter().filter_map(idle_consumers));
    found.extend(hot_partitions(facts));
    if !is_explained {
        found.extend(facts.senders.iter().filter_map(|sender| small_batches(facts, sender)));
    }
    found.extend(memory(facts));
    if found.is_empty() {
        found.extend(stage(stages));
    }
    found
}

/// Memory that grows as long as it was looked at.
fn memory(facts: &Facts) -> Option<Diagnosis> {
    let told = tiers::memory(facts).filter(|told| told.tier == Some(Tier::Poor))?;
    let remedy = "state is kept that nobody lets go of, or a queue fills: see whether the backlog, lag or \
                  queue grows with it; a longer run tells a leak from buffers that fill once";
    Some(diagnosis(
        "memory_grows",
        format!("An agent's memory grows: {}", told.text),
        remedy.into(),
    ))
}

/// Share of a core from which on a thread has nothing left to give.
const THREAD_SATURATED: f64 = 0.9;

/// The load generator itself.
fn generator(facts: &Facts) -> Option<Diagnosis> {
    let busiest = facts.metric("agent.thread_cpu.max").unwrap_or(0.0);
    let remedy = "spread the load over more instances, agents or hosts; then the figures are the \
                  system's and not the generator's";
    let text = match facts.generator.first() {
        Some((_, text)) => format!("Bottleneck: load generator. {}", sentence(text)),
        None if facts.closed_loop && busiest >= THREAD_SATURATED => format!(
            "Bottleneck: load generator. The busiest thread of an agent used {} of a core \
             (agent.thread_cpu.max), and in a closed loop that thread sets the rate",
            human(busiest, "ratio")
        ),
        None => return None,
    };
    Some(diagnosis("generator_limits", text, remedy.to_owned()))
}

/// A consumer does not keep up when it receives less than this share of what its topics get.
const KEEPS_UP: f64 = 0.95;

/// A consumer that does not keep up.
fn slow_consumer(facts: &Facts, group: &Group) -> Option<Diagnosis> {
    let acked = facts.acked_per_s(group)?;
    let received = group.metrics.get("consume.received.rate").copied()?;
    let (lag, behind_s) = (group.lag(facts)?, group.behind_s(facts)?);
    if !group.is_behind(facts) {
        return None;
    }
    let falling = received < acked * KEEPS_UP;
    let what = if falling { "does not keep up" } else { "fell behind and caught up" };
    let text = format!(
        "The consumer {} {what}: it received {} while its topics got {}, and its lag reached {} \
         (consume.lag.max), which is {} of load",
        group.name,
        human(received, "per_s"),
        human(acked, "per_s"),
        human(lag, "records"),
        human(behind_s * 1e6, "us"),
    );
    Some(diagnosis("consumer_limits", text, consumer_remedy(group)))
}

fn consumer_remedy(group: &Group) -> String {
    let room = group.partitions > group.instances;
    let more = if room {
        format!(
            "it has {} and {}: add instances",
            counted(group.instances, "instance"),
            counted(group.partitions, "partition")
        )
    } else {
        format!(
            "it has {} and no more than {}: add partitions, then instances",
            counted(group.instances, "instance"),
            counted(group.partitions, "partition")
        )
    };
    if let Some(pipeline) = &group.pipeline {
        return format!("raise `parallelism` (now {}), or {more}", pipeline.parallelism);
    }
    if group.work_us == 0 {
        return format!("{more}, or find what takes its time");
    }
    let possible = 1e6 / work(group) * f64::from(group.instances.min(group.partitions.max(1)));
    format!(
        "its work of {} a record allows {} in all; shorten it, or {more}",
        human(work(group), "us"),
        human(possible, "per_s")
    )
}

#[expect(clippy::cast_precision_loss, reason = "work is at most an hour")]
fn work(group: &Group) -> f64 {
    group.work_us as f64
}

fn counted(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Fewer partitions than members.
fn idle_consumers(group: &Group) -> Option<Diagnosis> {
    if !group.is_group || group.partitions == 0 || group.instances <= group.partitions {
        return None;
    }
    let text = format!(
        "The consumer {} has {} for {}: {} nothing to do",
        group.name,
        counted(group.instances, "instance"),
        counted(group.partitions, "partition"),
        match group.instances - group.partitions {
            1 => "1 of them has".to_owned(),
            idle => format!("{idle} of them have"),
        }
    );
    let remedy = "give its topics at least as many partitions as it has instances";
    Some(diagnosis("fewer_partitions_than_consumers", text, remedy.to_owned()))
}

/// Records from which on shares of partitions mean something.
const SKEW_RECORDS: u64 = 1_000;
/// How many times its even share a hot partition gets…
const HOT: f64 = 2.0;
/// …and how much of all, at least: of two partitions, one with 60 % is not hot.
const HOT_SHARE: f64 = 0.25;
/// Of two partitions, no share is more than twice an even one.
const HOT_OF_TWO: f64 = 0.8;

/// A partition that gets far more than its even share.
#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
fn hot_partitions(facts: &Facts) -> Vec<Diagnosis> {
    let mut topics: BTreeMap<&str, Vec<&Partition>> = BTreeMap::new();
    for partition in &facts.partitions {
        topics.entry(&partition.topic).or_default().push(partition);
    }
    let hot = topics.into_iter().filter_map(|(topic, partitions)| {
        // Where brokers take records of one partition only, the others had as many.
        let given = |partition: &Partition| partition.acked + partition.failed;
        let total: u64 = partitions.iter().map(|partition| given(partition)).sum();
        let hottest = partitions.iter().max_by_key(|partition| given(partition))?;
        if partitions.len() < 2 || total < SKEW_RECORDS {
            return None;
        }
        let share = given(hottest) as f64 / total as f64;
        let times = share * partitions.len() as f64;
        let mark = if partitions.len() == 2 { HOT_OF_TWO } else { HOT_SHARE };
        if share < mark || (partitions.len() > 2 && times < HOT) {
            return None;
        }
        let lag = hottest.lag_max.filter(|lag| *lag > 0).map_or_else(String::new, |lag| {
            format!("; its lag reached {}", human(lag as f64, "records"))
        });
        let text = format!(
            "Partition {topic}/{} is hot: it got {} of the records of {topic}, {} times an even \
             share of {} partitions{lag}",
            hottest.partition,
            human(share, "ratio"),
            digits(times),
            partitions.len()
        );
        let remedy = "choose keys that spread: all records of a key go to one partition; or send \
                      without keys, or set `partitioning`";
        Some(diagnosis("hot_partition", text, remedy.to_owned()))
    });
    hot.collect()
}

/// Batches with fewer records than this are small…
const SMALL_BATCH_RECORDS: f64 = 5.0;
/// …if an instance makes more than so many of them a second: at low rates there is nothing to gather.
const MANY_BATCHES_PER_S: f64 = 200.0;

/// Whether producers show any sign of being slowed down.
fn is_slowed(facts: &Facts) -> bool {
    facts.closed_loop || facts.is_slow()
}

/// Many requests that carry little each.
fn small_batches(facts: &Facts, sender: &Sender) -> Option<Diagnosis> {
    let metric = |name: &str| sender.metrics.get(name).copied();
    let records = metric("produce.client.batch_records").filter(|records| *records > 0.0)?;
    let acked = metric("produce.acked.rate")?;
    let batches_per_s = acked / records / f64::from(sender.instances.max(1));
    if records >= SMALL_BATCH_RECORDS || batches_per_s < MANY_BATCHES_PER_S || !is_slowed(facts) {
        return None;
    }
    let bytes = metric("produce.client.batch_bytes").unwrap_or(0.0);
    let text = format!(
        "The batches of {} are small: {} records and {} each on average \
         (produce.client.batch_records, produce.client.batch_bytes), {} batches a second from each \
         instance",
        sender.name,
        digits(records),
        human(bytes, "bytes"),
        digits(batches_per_s.round()),
    );
    let set = |key: &str| {
        let value = sender.properties.get(key);
        value.map_or_else(|| format!("`{key}`"), |value| format!("`{key}` (now {value})"))
    };
    let remedy = format!(
        "raise {}, {} or {}, so that a request carries more",
        set("linger.ms"),
        set("batch.num.messages"),
        set("batch.size")
    );
    Some(diagnosis("small_batches", text, remedy))
}

/// The stage in which most of the time goes, if that is long.
fn stage(stages: &[Stage]) -> Option<Diagnosis> {
    let longest = stages.iter().max_by(|a, b| a.share.total_cmp(&b.share))?;
    if longest.share < MOST || longest.mean_us < LONG_STAGE_US {
        return None;
    }
    let total: f64 = stages.iter().map(|stage| stage.mean_us).sum();
    let text = format!(
        "Most of a record's time is {}: {} of {} on average, {}",
        longest.name,
        human(longest.mean_us, "us"),
        human(total, "us"),
        human(longest.share, "ratio")
    );
    let remedy = match longest.name.as_str() {
        WAITING => {
            "the client refuses records, or the generator is late: look at backpressure and \
                    slip over time"
        }
        IN_CLIENT => {
            "batches wait to fill or requests wait for answers: look at `linger.ms`, and \
                      at requests in flight"
        }
        ROUND_TRIP | SERVICE => {
            "no probe distinguishes client settings, network and brokers here: look at `broker.probe.*` and `network.*` over time"
        }
        DELIVERY => "look at the consumers: lag, work for each record, fetch settings",
        _ => "",
    };
    Some(diagnosis("longest_stage", text, remedy.to_owned()))
}
