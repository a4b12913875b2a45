//! Can the measurement be trusted? Every check with its limit and why the limit is where it is.

use super::{
    doubt::{Doubt, Kind},
    facts::CaseFacts,
};
use crate::{
    calibrate::NEAR_CEILING_SHARE,
    measure::{GroupSeen, Measured},
    metrics::{resources::ResourceTally, tally::Due},
    model::result::Verdict,
    plan::CasePlan,
    text::units::{count, human},
};
use mallard_protocol::{LATE_AFTER_US, counters::Counter};

/// Unexplained slip that is allowed to one record in a hundred, in microseconds: what an idle machine
/// never shows (see [`LATE_AFTER_US`]).
pub const SLIP_LIMIT_US: u64 = LATE_AFTER_US;

/// Unexplained slip is also allowed up to this share of the response's 99th percentile: it then changes
/// the figure that it would spoil by less than a tenth.
pub const SLIP_SHARE_OF_RESPONSE: f64 = 0.1;

/// Share of records that may slip further than that.
pub const SLIP_RECORDS_SHARE: f64 = 0.01;

/// Fewer records than this do not make a slip: one hiccup in a load of ten records a second is not a
/// slow generator.
pub const SLIP_RECORDS_MIN: u64 = 10;

/// Share of measured intervals with a saturated thread from which on an agent counts as saturated.
pub const SATURATED_SHARE: f64 = 0.1;

/// Share of measured intervals in which a host may be busy with all of its cores without a word.
pub const BUSY_HOST_INTERVALS: f64 = 0.1;

/// Share of late records that makes a saturated agent a spoiled measurement.
pub const SATURATED_LATE_SHARE: f64 = 0.01;

/// Share of an agent's measured intervals that may come late.
pub const LATE_INTERVALS_SHARE: f64 = 0.02;

/// Fewer late intervals than this are a warning.
pub const LATE_INTERVALS_MIN: u64 = 3;

/// A clock's error may be this share of an end-to-end limit that is judged.
pub const CLOCK_SHARE_OF_LIMIT: f64 = 0.1;

/// Share of the scheduled rate that has to be reached, else there is a warning.
pub const RATE_SHARE: f64 = 0.99;

/// Agents that start this far apart get a warning, in microseconds: a twentieth of an interval.
pub const START_SPREAD_US: u64 = 50_000;

/// What all checks look at.
pub(super) struct Case<'a> {
    pub(super) plan: &'a CasePlan,
    pub(super) measured: &'a Measured,
    pub(super) facts: &'a CaseFacts,
    /// Whether the case came to its planned end.
    pub(super) is_whole: bool,
}

impl Case<'_> {
    /// When the load was over: by plan, or when it was stopped.
    fn load_end_us(&self) -> u64 {
        let planned_us = self.measured.roster.timeline.load_end_us();
        self.facts.early_stop.as_ref().map_or(planned_us, |stop| stop.at_us.min(planned_us))
    }

    pub(super) fn judges(&self, prefixes: &[&str]) -> bool {
        self.plan.expectations.iter().any(|expectation| {
            prefixes.iter().any(|prefix| expectation.metric.name.starts_with(prefix))
        })
    }
}

/// Every doubt about the measurement itself.
pub(super) fn doubts(case: &Case) -> Vec<Doubt> {
    let checks: [fn(&Case) -> Vec<Doubt>; 16] = [
        accounts,
        measured_at_all,
        slip,
        cpu,
        ceilings,
        missing_intervals,
        client_queue,
        clocks,
        rate,
        outstanding,
        foreign,
        offsets,
        saturated,
        cuts,
        circumstances,
        observed_groups,
    ];
    checks.iter().flat_map(|check| check(case)).collect()
}

/// A group that is not there, or commits nothing, would otherwise look like one without lag.
fn observed_groups(case: &Case) -> Vec<Doubt> {
    let groups = case.measured.roster.groups.iter().zip(&case.measured.groups_seen);
    let doubt = |(group, seen): (&String, &GroupSeen)| {
        let text = if seen.samples == 0 {
            format!("consumer group {group} could not be described: its coordinator did not answer")
        } else if seen.missing == seen.samples {
            format!("consumer group {group} did not exist while the load ran")
        } else if !seen.committed {
            format!("consumer group {group} committed nothing in this scenario's topics")
        } else if seen.missing > 0 {
            let (missing, samples) = (count(seen.missing), count(seen.samples));
            format!("consumer group {group} did not exist in {missing} of {samples} intervals")
        } else {
            return None;
        };
        Some(Doubt::warning(Kind::ObservedGroupMissing, text))
    };
    groups.filter_map(doubt).collect()
}

fn accounts(case: &Case) -> Vec<Doubt> {
    let failures = &case.measured.quality.failures;
    let Some(first) = failures.first() else { return Vec::new() };
    let more = match failures.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    vec![Doubt::reason(Kind::AccountsDoNotAddUp, Verdict::Error, format!("{first}{more}"))]
}

fn measured_at_all(case: &Case) -> Vec<Doubt> {
    let measured = case.measured;
    if !case.is_whole {
        return Vec::new();
    }
    if measured.quality.measured_intervals == 0 {
        let text = "no interval of a measured phase was reported";
        return vec![Doubt::reason(Kind::NothingMeasured, Verdict::Invalid, text)];
    }
    if !measured.roster.producers.is_empty() && measured.accounts.acked == 0 {
        let text = format!(
            "of {} sent in the measured phases, none was acknowledged",
            records(measured.accounts.sent)
        );
        return vec![Doubt::reason(Kind::NothingAcknowledged, Verdict::Fail, text)];
    }
    Vec::new()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are positive and below 2^53 µs"
)]
fn slip(case: &Case) -> Vec<Doubt> {
    let due = &case.measured.whole.due;
    let response_p99 = real(due.response.value_at_quantile(0.99).unwrap_or(0));
    let limit_us = SLIP_LIMIT_US.max((response_p99 * SLIP_SHARE_OF_RESPONSE) as u64);
    let slip = &due.unexplained_slip;
    let beyond = slip.count() - slip.count_at_most(limit_us);
    if beyond < SLIP_RECORDS_MIN || real(beyond) <= real(due.sent) * SLIP_RECORDS_SHARE {
        return Vec::new();
    }
    let text = format!(
        "{} of {} records ({}) were sent more than {} after they were due although no full queue held \
         them up; their slip's 99th percentile is {}, the largest {}",
        count(beyond),
        count(due.sent),
        human(real(beyond) / real(due.sent), "ratio"),
        us(limit_us),
        us(slip.value_at_quantile(0.99).unwrap_or(0)),
        us(slip.max().unwrap_or(0)),
    );
    vec![Doubt::reason(Kind::GeneratorSlip, Verdict::Invalid, text)]
}

/// Share of the records sent that were late although no full queue held them up: nothing but the
/// generator made them so.
fn own_late_share(due: &Due) -> f64 {
    let slip = &due.unexplained_slip;
    share_of(slip.count() - slip.count_at_most(LATE_AFTER_US), due.sent)
}

/// Share of the records sent that were late by what an agent may have done. A queue that is full while
/// agent and host have CPU to spare is full because brokers do not take what it holds; one that is full
/// while they have none may be full because nobody empties it.
pub(super) fn blamed_late_share(due: &Due, used: &ResourceTally) -> f64 {
    if used.waited_for_others() { own_late_share(due) } else { share_of(due.late, due.sent) }
}

pub(super) fn share_of(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { real(part) / real(whole) }
}

fn cpu(case: &Case) -> Vec<Doubt> {
    let due = &case.measured.whole.due;
    let agents = case.measured.whole.resources.iter().zip(&case.measured.roster.agents);
    let doubts = agents.filter_map(|(used, agent)| {
        let share = real(used.saturated_intervals) / real(used.intervals.max(1));
        if share < SATURATED_SHARE {
            return None;
        }
        let text = format!(
            "a thread of {agent} (`{}`) or all of its cores were saturated in {} of {} measured \
             intervals (up to {} of a core); {} of all records were late",
            used.busiest_thread,
            used.saturated_intervals,
            used.intervals,
            human(used.thread_cpu_max, "ratio"),
            human(share_of(due.late, due.sent), "ratio"),
        );
        let spoiled = blamed_late_share(due, used) >= SATURATED_LATE_SHARE;
        Some(if spoiled {
            Doubt::reason(Kind::AgentCpuSaturated, Verdict::Invalid, text)
        } else {
            Doubt::warning(Kind::AgentCpuSaturated, text)
        })
    });
    doubts.collect()
}

/// Agents that were asked for what they have been seen to make or more, and did not make it. At the
/// ceiling an agent's own client fills the queue, so there it is no excuse that a full queue held records
/// up; below it, it is: a stalled broker is not the agent's doing.
fn ceilings(case: &Case) -> Vec<Doubt> {
    let whole = &case.measured.whole;
    let late = share_of(whole.due.late, whole.due.sent) >= SATURATED_LATE_SHARE;
    let short = real(whole.sending.sent) < real(whole.sending.scheduled) * RATE_SHARE;
    if whole.sending.scheduled == 0 || !(late || short) {
        return Vec::new();
    }
    let own = own_late_share(&whole.due) >= SATURATED_LATE_SHARE;
    let from = if own { NEAR_CEILING_SHARE } else { 1.0 };
    let beyond = case.facts.loads.iter().filter(|load| load.share() >= from);
    let doubts = beyond.map(|load| {
        let text = format!(
            "{} was to send up to {}, {} of the {} that it was calibrated to ({}); of {} due, {} were \
             sent, {} of them late",
            load.agent,
            human(load.planned_per_s, "per_s"),
            human(load.share(), "ratio"),
            human(load.ceiling_per_s, "per_s"),
            load.calibrated_at,
            records(whole.sending.scheduled),
            count(whole.sending.sent),
            human(share_of(whole.due.late, whole.due.sent), "ratio"),
        );
        Doubt::reason(Kind::CeilingReached, Verdict::Invalid, text)
    });
    doubts.collect()
}

fn missing_intervals(case: &Case) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let load_end_us = case.load_end_us();
    for (agent, name) in case.measured.agents.iter().zip(&case.measured.roster.agents) {
        if agent.missing > 0 {
            let text = format!("{} intervals of {name} never arrived", count(agent.missing));
            doubts.push(Doubt::reason(Kind::IntervalsMissing, Verdict::Invalid, text));
        }
        if agent.partial > 0 && case.is_whole {
            let text = format!(
                "{} intervals of {name} came without the part of an instance",
                count(agent.partial)
            );
            doubts.push(Doubt::reason(Kind::IntervalsMissing, Verdict::Invalid, text));
        }
        let short = agent.progress_us < load_end_us && agent.lost_at_us.is_none();
        if short && case.is_whole {
            let text = format!(
                "{name} reported until {} of a load of {}",
                us(agent.progress_us),
                us(load_end_us)
            );
            doubts.push(Doubt::reason(Kind::IntervalsMissing, Verdict::Invalid, text));
        }
    }
    let incomplete = case.measured.quality.incomplete;
    if incomplete > 0 && case.is_whole && doubts.is_empty() {
        let text = format!("{} intervals were merged without a part", count(incomplete));
        doubts.push(Doubt::reason(Kind::IntervalsMissing, Verdict::Invalid, text));
    }
    doubts
}

fn client_queue(case: &Case) -> Vec<Doubt> {
    let held: u64 = case.facts.agents.iter().filter_map(|agent| agent.client_queue).sum();
    let outstanding = case.measured.accounts_whole.outstanding;
    if held <= outstanding {
        return Vec::new();
    }
    let text = format!(
        "when all was flushed, librdkafka still held {}, and by the accounts {} are outstanding",
        records(held),
        count(outstanding)
    );
    vec![Doubt::reason(Kind::ClientHeldRecords, Verdict::Invalid, text)]
}

fn clocks(case: &Case) -> Vec<Doubt> {
    let arrived = &case.measured.whole.arrived;
    let error_us = case.facts.clock_error_us.unwrap_or(0);
    let limits = case.plan.expectations.iter();
    let limits = limits.filter(|e| e.metric.name.starts_with("end_to_end.") && !e.slope);
    let strictest = limits.map(|e| e.limit.abs()).min_by(f64::total_cmp);
    if let Some(limit) = strictest
        && real(error_us) > limit * CLOCK_SHARE_OF_LIMIT
    {
        let text = format!(
            "clocks of different hosts are known to ± {}, and an end-to-end limit of {} is judged",
            us(error_us),
            human(limit, "us")
        );
        return vec![Doubt::reason(Kind::ClockUncertain, Verdict::Invalid, text)];
    }
    if arrived.negative == 0 {
        return Vec::new();
    }
    let text = format!(
        "{} were received before they were due by the clocks (known to ± {}); they count as 0",
        records(arrived.negative),
        us(error_us)
    );
    vec![Doubt::warning(Kind::ClockUncertain, text)]
}

fn rate(case: &Case) -> Vec<Doubt> {
    let whole = &case.measured.whole;
    let (scheduled, sent) = (whole.sending.scheduled, whole.sending.sent);
    let not_sent = whole.due.not_sent();
    let reached = real(sent) >= real(scheduled) * RATE_SHARE;
    if (reached && not_sent == 0) || !case.is_whole || whole.time_us == 0 {
        return Vec::new();
    }
    let per_s = |records: u64| human(real(records) / real(whole.time_us) * 1e6, "per_s");
    let refused_us = whole.get(Counter::BackpressureUs);
    let pressure = real(refused_us) / real(whole.sending.instance_time_us.max(1));
    let text = format!(
        "{} were sent of {} due in the measured phases; {} were never sent; clients refused records \
         because their queues were full in {} of the time",
        per_s(sent),
        per_s(scheduled),
        records(not_sent),
        human(pressure, "ratio")
    );
    vec![Doubt::warning(Kind::RateNotReached, text)]
}

fn outstanding(case: &Case) -> Vec<Doubt> {
    let outstanding = case.measured.accounts_whole.outstanding;
    if outstanding == 0 {
        return Vec::new();
    }
    let text = format!("{} were neither acknowledged nor failed at the end", records(outstanding));
    vec![Doubt::warning(Kind::FateUnknown, text)]
}

fn foreign(case: &Case) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let foreign = case.measured.whole.receiving.foreign;
    if foreign > 0 && !case.measured.roster.producers.is_empty() {
        let text = format!("consumers received {} that this run did not send", records(foreign));
        doubts.push(Doubt::warning(Kind::ForeignRecords, text));
    }
    let unexpected = case.measured.whole.outcome.fate.map_or(0, |fate| fate.unexpected);
    if unexpected > 0 {
        let text = format!(
            "consumers received {} more than were acknowledged; as many could be lost unseen",
            records(unexpected)
        );
        doubts.push(Doubt::warning(Kind::UnexpectedRecords, text));
    }
    doubts
}

fn offsets(case: &Case) -> Vec<Doubt> {
    let mismatches = &case.measured.quality.offset_mismatches;
    let Some(first) = mismatches.first() else { return Vec::new() };
    let text = format!(
        "in {} the broker's offsets and the accounts disagree, first in {}/{}: {} by offsets, {} \
         acknowledged, {} sent at most",
        if mismatches.len() == 1 {
            "1 partition".to_owned()
        } else {
            format!("{} partitions", mismatches.len())
        },
        first.topic,
        first.partition,
        records(first.on_broker),
        count(first.acked),
        count(first.at_most)
    );
    vec![Doubt::warning(Kind::OffsetsDisagree, text)]
}

/// Says that agents were on their own for a while. Their reports are all there: a hole has a reason of
/// its own.
fn cuts(case: &Case) -> Vec<Doubt> {
    let cuts = &case.facts.cuts;
    let Some(first) = cuts.first() else { return Vec::new() };
    let end_us = case.load_end_us();
    let lasting = cuts.iter().map(|cut| cut.until_us.unwrap_or(end_us).saturating_sub(cut.from_us));
    let whom = first.agent.as_deref().map_or("every agent".to_owned(), str::to_owned);
    let more = if cuts.len() > 1 {
        format!(" (and {} more times)", cuts.len() - 1)
    } else {
        String::new()
    };
    let text = format!(
        "{whom} went on without the controller from {} of the load on{more}, for {} at the longest; what was \
         measured meanwhile has been handed in",
        us(first.from_us),
        us(lasting.max().unwrap_or(0)),
    );
    vec![Doubt::warning(Kind::ChannelCut, text)]
}

fn saturated(case: &Case) -> Vec<Doubt> {
    let whole = &case.measured.whole;
    let rows = [
        ("service", whole.due.service.saturated()),
        ("response", whole.due.response.saturated()),
        ("slip", whole.due.slip.saturated()),
        ("end-to-end", whole.arrived.end_to_end.saturated()),
    ];
    let rows = rows.into_iter().filter(|(_, n)| *n > 0);
    let rows: Vec<_> = rows.map(|(name, n)| format!("{} {name} times", count(n))).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let text = format!("{} were beyond an hour", rows.join(", "));
    vec![Doubt::warning(Kind::SaturatedHistogram, text)]
}

/// What a reader should know although nothing went wrong.
fn circumstances(case: &Case) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let starts = case.facts.agents.iter().filter_map(|agent| agent.start_late_us);
    let (first, last) = (starts.clone().min().unwrap_or(0), starts.max().unwrap_or(0));
    if last - first > START_SPREAD_US {
        let text = format!("agents started {} apart", us(last - first));
        doubts.push(Doubt::warning(Kind::StartedApart, text));
    }
    if case.plan.kafka.is_embedded() {
        let text = "the embedded broker was measured, not Kafka";
        doubts.push(Doubt::warning(Kind::EmbeddedBroker, text));
    }
    let closed = case.measured.roster.producers.iter().any(|p| p.schedule.has_closed_loop());
    if closed {
        let text = "a producer ran closed loop (`rate: max`): its latencies are not those of users who \
                    arrive on their own";
        doubts.push(Doubt::warning(Kind::ClosedLoop, text));
    }
    doubts
}

#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
pub(super) fn real(value: u64) -> f64 {
    value as f64
}

pub(super) fn us(value: u64) -> String {
    human(real(value), "us")
}

pub(super) fn records(value: u64) -> String {
    human(real(value), "records")
}
