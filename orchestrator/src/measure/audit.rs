//! The audit: every identity that reports must satisfy, checked in every interval and for every
//! instance. A sum that does not add up is an error of the harness, never silence.
//!
//! Checked for a producer (totals are cumulative, slices are of the interval):
//! `scheduled = sent + not_sent`; `sent = acked + failed + outstanding`; totals never shrink, and grow
//! by the sum of the slices; failures by code sum to failures by partition; there is a service and a
//! response for every acknowledgement, a size for every record sent, and, without a closed loop, a slip
//! for every record sent; and for each phase `acked + failed <= sent <= scheduled`, so that no record
//! changes its phase on the way. For a consumer: totals never shrink, and grow by the sum of the slices;
//! no more end-to-end times than records.

use super::roster::{Instance, Role, Roster};
use mallard_protocol::{
    counters::Counter,
    ids::{InstanceId, TopicId},
    interval::{
        ClientStats, ConsumerInterval, ConsumerSlice, ConsumerTotals, IntervalReport,
        ProducerInterval, ProducerSlice, ProducerTotals,
    },
    pipeline::PipelineSlice,
};
use std::fmt;

/// Accounts that do not add up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct AuditFailure {
    /// The agent.
    pub agent: String,
    /// The instance, if it is about one.
    pub instance: Option<String>,
    /// Sequence of the agent's interval.
    pub sequence: u64,
    /// First microsecond of the interval on the run's clock.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// What does not add up, with numbers.
    pub what: String,
}

impl fmt::Display for AuditFailure {
    #[expect(clippy::cast_precision_loss, reason = "times are below 2^53 µs")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.start_us as f64 / 1e6, self.end_us as f64 / 1e6);
        match &self.instance {
            Some(instance) => write!(f, "{instance} on {}", self.agent)?,
            None => write!(f, "{}", self.agent)?,
        }
        write!(f, ", interval {} ({from:.3}–{to:.3} s): {}", self.sequence, self.what)
    }
}

/// What an instance's accounts said last.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) produced: ProducerTotals,
    pub(super) consumed: ConsumerTotals,
    pub(super) client: Option<ClientStats>,
    /// Bytes acknowledged in the intervals after these statistics. A client with many partitions does not
    /// tell its statistics in every interval, and what it sent meanwhile belongs to all of them.
    pub(super) acked_bytes_since_client: u64,
    /// Records in committed and in aborted transactions.
    pub(super) committed_records: u64,
    pub(super) aborted_records: u64,
    /// By phase: scheduled, sent, acked + failed.
    phases: Vec<(u64, u64, u64)>,
    /// Whether intervals are missing, so that only what an interval says of itself can be checked.
    has_gap: bool,
}

impl Ledger {
    /// Notes that intervals of this instance are missing.
    pub(super) fn gap(&mut self) {
        self.has_gap = true;
    }

    /// Takes over what a report says, right or wrong, so that one mistake is told once.
    pub(super) fn close_producer(&mut self, interval: &ProducerInterval) {
        for slice in &interval.slices {
            let at = slice.phase.index();
            if self.phases.len() <= at {
                self.phases.resize(at + 1, (0, 0, 0));
            }
            let (acked, failed) = fates(slice);
            let (scheduled, sent, fate) = &mut self.phases[at];
            *scheduled += slice.scheduled;
            *sent += slice.sent;
            *fate += acked + failed;
        }
        self.produced = interval.totals;
        self.committed_records += interval.transactions.committed_records;
        self.aborted_records += interval.transactions.aborted_records;
        if interval.client.is_some() {
            self.client.clone_from(&interval.client);
            self.acked_bytes_since_client = 0;
        } else {
            let parts = interval.slices.iter().flat_map(|slice| &slice.partitions);
            self.acked_bytes_since_client += parts.map(|part| part.acked_bytes).sum::<u64>();
        }
    }

    /// The same for a consumer.
    pub(super) fn close_consumer(&mut self, interval: &ConsumerInterval) {
        self.consumed = interval.totals;
    }
}

/// Acknowledged and failed records of a slice.
fn fates(slice: &ProducerSlice) -> (u64, u64) {
    slice
        .partitions
        .iter()
        .fold((0, 0), |(acked, failed), part| (acked + part.acked, failed + part.failed))
}

type Checked = Result<(), String>;

fn equal(left: u64, name: &str, right: u64, other: &str) -> Checked {
    if left == right { Ok(()) } else { Err(format!("{name} is {left}, and {other} is {right}")) }
}

/// [`equal`] of something of a partition, which is only put into words where it is not.
fn equal_of(partition: i32, (name, left): (&str, u64), (other, right): (&str, u64)) -> Checked {
    if left == right {
        return Ok(());
    }
    equal(left, &format!("{name} of partition {partition}"), right, other)
}

/// [`at_most`] of something of a partition.
fn at_most_of(partition: i32, (name, left): (&str, u64), (other, right): (&str, u64)) -> Checked {
    if left <= right {
        return Ok(());
    }
    at_most(left, &format!("{name} of partition {partition}"), right, other)
}

fn at_most(left: u64, name: &str, right: u64, other: &str) -> Checked {
    if left <= right {
        Ok(())
    } else {
        Err(format!("{name} is {left}, which is more than {other}, {right}"))
    }
}

/// Checks a report's frame: whose it is, when it was, whom it speaks of.
pub(super) fn check_report(
    report: &IntervalReport,
    agent: usize,
    follows_us: Option<u64>,
    roster: &Roster,
) -> Checked {
    if report.end_us <= report.start_us {
        return Err(format!("it ends at {} µs and starts at {}", report.end_us, report.start_us));
    }
    if let Some(end_us) = follows_us {
        equal(report.start_us, "its start", end_us, "the end of the interval before")?;
    }
    let (first, last) = (report.start_us, report.end_us - 1);
    if roster.timeline.phase_at(first) != roster.timeline.phase_at(last) {
        return Err(format!("{first}–{last} µs lies in two phases"));
    }
    let whose = |id: InstanceId, producer: bool| match roster.instance(id) {
        Some(Instance { agent: theirs, role, .. })
            if theirs.0 == agent && matches!(role, Role::Producer { .. }) == producer =>
        {
            Ok(())
        }
        _ => Err(format!("instance {id} is not one of this agent's")),
    };
    report.producers.iter().try_for_each(|producer| whose(producer.instance, true))?;
    report.consumers.iter().try_for_each(|consumer| whose(consumer.instance, false))
}

/// Checks a producer's interval.
pub(super) fn check_producer(
    ledger: &Ledger,
    interval: &ProducerInterval,
    topic: TopicId,
    paced_only: bool,
    roster: &Roster,
) -> Checked {
    let totals = &interval.totals;
    equal(totals.scheduled, "scheduled", totals.sent + totals.not_sent, "sent + not sent")?;
    let fates = totals.acked + totals.failed + totals.outstanding;
    equal(totals.sent, "sent", fates, "acked + failed + outstanding")?;
    for slice in &interval.slices {
        check_slice(slice, topic, paced_only, roster)?;
    }
    if ledger.has_gap {
        return Ok(());
    }
    check_growth(ledger, interval)?;
    check_phases(ledger, interval)
}

fn check_growth(ledger: &Ledger, interval: &ProducerInterval) -> Checked {
    let sum = |pick: fn(&ProducerSlice) -> u64| interval.slices.iter().map(pick).sum::<u64>();
    let (before, now) = (&ledger.produced, &interval.totals);
    let rows = [
        ("scheduled", before.scheduled, now.scheduled, sum(|slice| slice.scheduled)),
        ("sent", before.sent, now.sent, sum(|slice| slice.sent)),
        ("acked", before.acked, now.acked, sum(|slice| fates(slice).0)),
        ("failed", before.failed, now.failed, sum(|slice| fates(slice).1)),
    ];
    for (name, before, now, slices) in rows {
        let expected =
            format!("the total before plus this interval's slices ({before} + {slices})");
        equal(now, &format!("the total of {name}"), before + slices, &expected)?;
    }
    Ok(())
}

fn check_phases(ledger: &Ledger, interval: &ProducerInterval) -> Checked {
    for slice in &interval.slices {
        let before = ledger.phases.get(slice.phase.index()).copied().unwrap_or_default();
        // Several slices of one phase would be one by one below; agents send one a phase.
        let (acked, failed) = fates(slice);
        let (scheduled, sent) = (before.0 + slice.scheduled, before.1 + slice.sent);
        let of = |name: &str| format!("{name} of phase {}", slice.phase);
        at_most(sent, &of("sent"), scheduled, "scheduled")?;
        at_most(before.2 + acked + failed, &of("acked + failed"), sent, "sent")?;
    }
    Ok(())
}

fn check_slice(
    slice: &ProducerSlice,
    topic: TopicId,
    paced_only: bool,
    roster: &Roster,
) -> Checked {
    if slice.phase.index() >= roster.timeline.0.len() {
        return Err(format!("there is no phase {}", slice.phase));
    }
    at_most(slice.late, "late", slice.sent, "sent")?;
    equal(slice.record_bytes.count(), "the count of sizes", slice.sent, "sent")?;
    at_most(slice.slip.count(), "the count of slips", slice.sent, "sent")?;
    if paced_only {
        equal(slice.slip.count(), "the count of slips", slice.sent, "sent")?;
    }
    let slips = slice.slip.count();
    at_most(slice.unexplained_slip.count(), "the count of unexplained slips", slips, "slips")?;
    let by_code = slice.failed.iter().map(|(_, n)| n).sum();
    equal(by_code, "failed by code", fates(slice).1, "failed by partition")?;
    for part in &slice.partitions {
        if roster.slot(topic, part.partition).is_none() {
            return Err(format!("topic {topic} has no partition {}", part.partition));
        }
        let (services, responses) = (part.service.count(), part.response.count());
        let acked = ("acked", part.acked);
        equal_of(part.partition, ("the count of service times", services), acked)?;
        equal_of(part.partition, ("the count of response times", responses), acked)?;
    }
    Ok(())
}

/// Checks what a pipeline says of one phase.
fn check_pipeline(pipeline: &PipelineSlice, slice: &ConsumerSlice) -> Checked {
    let sum = |reasons: &[(String, u64)]| reasons.iter().map(|(_, n)| n).sum::<u64>();
    let messages = pipeline.messages;
    let received: u64 = slice.partitions.iter().map(|part| part.received).sum();
    if !slice.partitions.is_empty() {
        equal(messages, "payloads processed", received, "received")?;
    }
    at_most(sum(&pipeline.rejected), "rejected by reason", messages, "payloads")?;
    equal(pipeline.payload_ns.count(), "the count of payloads' times", messages, "payloads")?;
    let undropped = pipeline.samples.checked_sub(sum(&pipeline.dropped));
    let undropped = undropped.ok_or("more samples were dropped than there were")?;
    if pipeline.rows > 0 {
        equal(pipeline.rows, "rows", undropped, "samples - dropped")?;
    }
    Ok(())
}

/// Checks a consumer's interval.
pub(super) fn check_consumer(
    ledger: &Ledger,
    interval: &ConsumerInterval,
    roster: &Roster,
) -> Checked {
    let counted = |counter| interval.counters.get(counter);
    at_most(counted(Counter::EmptyPolls), "empty polls", counted(Counter::Polls), "polls")?;
    let mut received = 0;
    for slice in &interval.slices {
        if let Some(pipeline) = &slice.pipeline {
            check_pipeline(pipeline, slice)?;
        }
        if slice.phase.index() >= roster.timeline.0.len() {
            return Err(format!("there is no phase {}", slice.phase));
        }
        for part in &slice.partitions {
            received += part.received;
            if roster.slot(part.topic, part.partition).is_none() || part.partition < 0 {
                return Err(format!("topic {} has no partition {}", part.topic, part.partition));
            }
            let times = part.end_to_end.count();
            let (counted, received) =
                (("the count of end-to-end times", times), ("received", part.received));
            at_most_of(part.partition, counted, received)?;
            let negative = ("negative times", part.negative);
            at_most_of(part.partition, negative, ("end-to-end times", times))?;
        }
    }
    if let Some(through) = &interval.through {
        let runs = through.sightings.iter().flat_map(|of| &of.runs);
        let seen: u64 =
            runs.map(|(_, length, times)| length.saturating_mul(u64::from(*times))).sum();
        let expected = "what matches an input of the pipeline, and what matches none";
        equal(received, "received", seen.saturating_add(through.unmatched), expected)?;
    }
    at_most(ledger.consumed.foreign, "foreign before", interval.totals.foreign, "foreign now")?;
    if ledger.has_gap {
        return Ok(());
    }
    let before = ledger.consumed.received;
    let expected = format!("the total before plus this interval's slices ({before} + {received})");
    equal(interval.totals.received, "the total of received", before + received, &expected)
}
