//! A plan for people: cases, phases, who runs what where, records and bytes.

use super::{
    AgentPlan, CasePlan, Plan, ShardPlan, archive_size::archive_bytes, producers::instance_total,
    sizes,
};
use crate::{
    over_time::compare::{PairOf, Pairing},
    text::{
        figures::{bytes_text, humanly},
        table::Table,
        units::count,
    },
};
use mallard_protocol::{
    fault::{Act, Directions},
    pipeline::{DecodeSpec, ProcessSpec, RowsSpec},
    schedule::{Pace, Phase, PhaseKind, Schedule},
    workload::{ConsumerSpec, Membership, ProducerSpec, StampPlace},
};
use std::{collections::BTreeMap, time::Duration};

/// Cases that are shown in full; of a larger matrix the first one stands for the others.
const FULL_CASES: usize = 8;

/// Pairs of which it is shown who goes first.
const TURNS: usize = 40;

/// The plan as text.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    if let Some(shard) = &plan.shard {
        out.push_str(&part(shard));
    }
    if let Some(pairs) = &plan.pairs {
        out.push_str(&turns(pairs));
    }
    if plan.cases.len() > 1 {
        out.push_str(&overview(plan));
    }
    let shown = if plan.cases.len() > FULL_CASES { 1 } else { plan.cases.len() };
    for case in plan.cases.iter().take(shown) {
        out.push_str(&case_text(case));
    }
    if shown < plan.cases.len() {
        out.push_str("The first case is shown in full; `--only NAME` shows another.\n");
    }
    out.push_str(&across(plan));
    out
}

/// Which part of the cases this is, and how long the loads of all parts take.
fn part(of: &ShardPlan) -> String {
    let shard = &of.shard;
    let balanced = if shard.balanced { ", balanced by length" } else { "" };
    let mut text = format!(
        "shard {} of {}{balanced}: {} of {} cases\n",
        shard.number,
        shard.of,
        shard.own.len(),
        shard.cases.len()
    );
    let lengths = || of.lengths.iter().copied();
    let (least, most) = (lengths().min().unwrap_or_default(), lengths().max().unwrap_or_default());
    let (own, least, most) = (own_length(of), humanly(least), humanly(most));
    text.push_str(&format!("  takes about {}; the shards take {least} to {most}\n", humanly(own)));
    if !shard.across.is_empty() {
        text.push_str("  expectations across cases are judged by `mallard merge`\n");
    }
    text.push('\n');
    text
}

/// Which side goes first in which pair.
fn turns(of: &Pairing) -> String {
    let first = |pair: &PairOf| if pair.base_first { "base" } else { "new" };
    let firsts: Vec<&str> = of.pairs.iter().map(first).take(TURNS).collect();
    let more = if of.pairs.len() > TURNS { " …" } else { "" };
    format!(
        "{} pairs in turns: base {}, new {}; first, by seed {}: {}{more}\n\n",
        of.pairs.len(),
        of.base,
        of.new,
        of.seed,
        firsts.join(" ")
    )
}

fn own_length(of: &ShardPlan) -> Duration {
    of.lengths.get(of.shard.number as usize - 1).copied().unwrap_or_default()
}

/// What is judged after the last case, with the cases that it compares.
fn across(plan: &Plan) -> String {
    let mut out = String::new();
    for judged in &plan.across {
        if out.is_empty() {
            out.push_str("across cases, after the last one\n");
        }
        out.push_str(&format!("  {}\n", judged.expectation.text));
        let name = |case: usize| plan.cases[case].name.as_str();
        for (judged, reference) in &judged.pairs {
            out.push_str(&format!("    {} against {}\n", name(*judged), name(*reference)));
        }
        if judged.pairs.is_empty() {
            out.push_str("    not judged: not all of its cases are in this plan\n");
        }
    }
    out
}

/// Totals of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Records due in open loop, warm-up included.
    pub records: u64,
    /// Whether records in closed loop come on top.
    pub closed_loop: bool,
    /// Bytes of keys and values, in the mean.
    pub payload_bytes: u64,
    /// Bytes on the brokers' disks: with headers and framing, times replication, before compression.
    pub broker_bytes: u64,
    /// Bytes in the archive once the case is judged, by rule of thumb.
    pub archive_bytes: u64,
    /// Bytes of raw intervals on top until then, if they take more than the scenario keeps.
    pub passing_bytes: u64,
}

/// Adds up a case.
#[must_use]
pub fn totals(case: &CasePlan) -> Totals {
    let mut totals = Totals::default();
    for producer in case.agents.iter().flat_map(|agent| &agent.producers) {
        let records = instance_total(&producer.schedule, producer.stride, producer.offset);
        let replication = case.topics[producer.topic.index()].replication.unwrap_or(1);
        let replicas = u64::try_from(replication.max(1)).unwrap_or(1);
        let payload = sizes::mean_record_bytes(&producer.payload, &producer.key);
        totals.records += records;
        totals.closed_loop |= producer.schedule.has_closed_loop();
        totals.payload_bytes += times(records, payload);
        totals.broker_bytes += times(records, sizes::mean_stored_bytes(producer)) * replicas;
    }
    let archive = archive_bytes(case);
    (totals.archive_bytes, totals.passing_bytes) = (archive.kept, archive.passing);
    totals
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, to three digits"
)]
fn times(records: u64, bytes: f64) -> u64 {
    (records as f64 * bytes) as u64
}

fn overview(plan: &Plan) -> String {
    let mut table = Table::new(&["case", "at most", "records", "on brokers", "archive"]);
    let mut longest = Duration::ZERO;
    let (mut brokers, mut archive) = (0, 0);
    for case in &plan.cases {
        let totals = totals(case);
        longest += case.longest();
        brokers += totals.broker_bytes;
        archive += totals.archive_bytes;
        let count = counted(totals);
        let stored = match totals.closed_loop {
            true => "unlimited".to_owned(),
            false => bytes_text(totals.broker_bytes),
        };
        let longest = humanly(case.longest());
        let kept = bytes_text(totals.archive_bytes);
        let archived = match totals.passing_bytes {
            0 => kept,
            passing => format!("{kept}, and {} until judged", bytes_text(passing)),
        };
        let row = [&case.name, &longest, &count, &stored, &archived];
        table.row(row.map(String::as_str));
    }
    let all = format!("{} cases", plan.cases.len());
    table.row([&*all, &humanly(longest), "", &bytes_text(brokers), &bytes_text(archive)]);
    format!("{}: {} cases, one after the other\n\n{}\n", plan.name, plan.cases.len(), table.text())
}

fn counted(totals: Totals) -> String {
    match (totals.closed_loop, totals.records) {
        (true, 0) => "unlimited".to_owned(),
        (true, records) => format!("{} and more", count(records)),
        (false, records) => count(records),
    }
}

fn case_text(case: &CasePlan) -> String {
    let mut out = format!("case {}\n", case.name);
    if !case.description.is_empty() {
        out.push_str(&format!("  {}\n", case.description.trim()));
    }
    if !case.parameters.is_empty() {
        let pairs: Vec<_> = case.parameters.iter().map(|(k, v)| format!("{k}={v}")).collect();
        out.push_str(&format!("  with {}\n", pairs.join(", ")));
    }
    out.push('\n');
    out.push_str(&indented(&phases(case)));
    out.push('\n');
    if !case.faults.is_empty() {
        out.push_str(&indented(&faults(case)));
        out.push('\n');
    }
    out.push_str(&indented(&placement(case)));
    out.push('\n');
    out.push_str(&indented(&topics(case)));
    if !case.observed_groups.is_empty() {
        out.push_str(&format!("  watches the groups {}\n", case.observed_groups.join(", ")));
    }
    out.push('\n');
    out.push_str(&indented(&sums(case)));
    out.push('\n');
    out
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect()
}

/// The producers' schedules, each once: instances share theirs.
fn schedules(case: &CasePlan) -> impl Iterator<Item = &Schedule> {
    let producers = case.agents.iter().flat_map(|agent| &agent.producers);
    producers.filter(|producer| producer.offset == 0).map(|producer| &producer.schedule)
}

fn phases(case: &CasePlan) -> String {
    let mut table = Table::new(&["phase", "from", "for", "rate", "records", ""]);
    for phase in &case.timeline.0 {
        let lasting = humanly(Duration::from_micros(phase.end_us - phase.start_us));
        let drain = phase.kind == PhaseKind::Drain;
        let due = |s: &Schedule| s.due_before(phase.end_us) - s.due_before(phase.start_us);
        let records = count(schedules(case).map(due).sum());
        let note = match phase.kind {
            PhaseKind::WarmUp => "not measured",
            PhaseKind::Drain => "producers stop, consumers catch up",
            _ => "",
        };
        table.row([
            &*phase.name,
            &humanly(Duration::from_micros(phase.start_us)),
            &if drain { format!("up to {lasting}") } else { lasting },
            &if drain { String::new() } else { phase_rate(case, phase) },
            &if drain { String::new() } else { records },
            note,
        ]);
    }
    table.text()
}

/// Faults by time, with who holds each undo and what it needs.
fn faults(case: &CasePlan) -> String {
    let mut table = Table::new(&["fault", "from", "for", "what", "undo held by", "needs"]);
    for fault in &case.faults {
        let (how, needs) = match case.kafka.containers() {
            _ if fault.act.is_of_network() => (
                "the kernel, for as long as its guard lives",
                "CAP_NET_ADMIN, and nft on that host",
            ),
            Some(_) => ("a guard and its twin on this machine", "the container engine"),
            None => (
                "a guard and its twin on the broker's host",
                "to be the broker's user, or CAP_KILL",
            ),
        };
        let what = match fault.act {
            Act::Kill { signal } => {
                format!("SIG{} to {}, then started again", signal.word().to_uppercase(), fault.node)
            }
            Act::Pause => format!("{} stands still", fault.node),
            Act::Cut { directions } => {
                let which = match directions {
                    Directions::Both => "packets",
                    Directions::To => "packets to the former",
                    Directions::From => "packets to the latter",
                };
                format!("{which} on {} dropped", fault.wire.whom(&fault.node))
            }
            Act::Loss { share_ppm } => {
                format!("{} % of packets of {} dropped", f64::from(share_ppm) / 1e4, fault.node)
            }
            Act::Limit { bytes_per_s } => {
                format!("{}/s to and from {} at most", bytes_text(bytes_per_s), fault.node)
            }
        };
        table.row([
            &*fault.name,
            &humanly(Duration::from_micros(fault.at_us)),
            &humanly(Duration::from_micros(fault.for_us)),
            &what,
            how,
            needs,
        ]);
    }
    let undo = humanly(case.deadlines.undo);
    let mut text = format!("{}undoing may take {undo}", table.text());
    if case.faults.iter().all(|fault| fault.act.is_of_network()) {
        return text + "\n";
    }
    text += "; where a guard and its twin hold it, neither the kernel nor PID 1 does: what they leave that\n\
             are killed at once is undone by this run if it lives, else by `mallard clean` or the next one\n";
    text
}

/// The rate of all producers in a phase: constant, from one to another, or base and peak.
fn phase_rate(case: &CasePlan, phase: &Phase) -> String {
    let inside = |at: u64| (phase.start_us..phase.end_us).contains(&at);
    let segments = || schedules(case).flat_map(Schedule::segments);
    let here = |s: &mallard_protocol::schedule::Segment| {
        s.start_us < phase.end_us && s.end_us > phase.start_us
    };
    if segments().any(|segment| here(segment) && segment.pace == Pace::Max) {
        return "max (closed loop)".to_owned();
    }
    let mut moments = vec![phase.start_us, phase.end_us - 1];
    moments.extend(segments().flat_map(|s| [s.start_us, s.end_us - 1]).filter(|at| inside(*at)));
    moments.sort_unstable();
    moments.dedup();
    let total = |at: u64| schedules(case).filter_map(|s| s.rate_at(at)).sum::<f64>();
    let rates: Vec<_> = moments.iter().map(|at| total(*at)).collect();
    let low = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let high = rates.iter().copied().fold(0.0, f64::max);
    match phase.kind {
        _ if rate_text(low) == rate_text(high) => rate_text(high),
        PhaseKind::Ramp => {
            let last = rates.last().copied().unwrap_or_default();
            format!("{} to {}", rate_text(rates[0]), rate_text(last))
        }
        _ => format!("{}, peaks {}", rate_text(low), rate_text(high)),
    }
}

/// A rate for people: whole records from 100/s on, three digits below.
fn rate_text(per_s: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
    if per_s >= 100.0 {
        return format!("{}/s", count(per_s.round() as u64));
    }
    let text = format!("{per_s:.2}");
    format!("{}/s", text.trim_end_matches('0').trim_end_matches('.'))
}

fn placement(case: &CasePlan) -> String {
    let mut table = Table::new(&["agent", "on", "instance", "does", "share", "rate", ""]);
    for agent in &case.agents {
        let (mut name, mut host) = (agent.name.clone(), host_text(agent));
        // Agent and host stand in the first of the agent's rows.
        let mut row = |table: &mut Table, cells: [&str; 5]| {
            let [a, b, c, d, e] = cells;
            table.row([&*std::mem::take(&mut name), &*std::mem::take(&mut host), a, b, c, d, e]);
        };
        if agent.carries_broker {
            let does = "counts as one instance when work is spread";
            row(&mut table, ["broker", does, "", "", ""]);
        }
        for producer in &agent.producers {
            let (does, share, rate, note) = producer_cells(case, producer);
            row(&mut table, [&*producer.name, &*does, &*share, &*rate, note]);
        }
        for consumer in &agent.consumers {
            row(&mut table, [&*consumer.name, &*consumer_cell(case, consumer), "", "", ""]);
        }
        if !agent.carries_broker && agent.producers.is_empty() && agent.consumers.is_empty() {
            let does = "nothing: there are fewer instances than agents";
            row(&mut table, ["", does, "", "", ""]);
        }
    }
    table.text()
}

fn host_text(agent: &AgentPlan) -> String {
    let host = agent.host.describe(&agent.host_name);
    match agent.labels.is_empty() {
        true => host,
        false => format!("{host} [{}]", agent.labels.join(", ")),
    }
}

fn producer_cells(
    case: &CasePlan,
    producer: &ProducerSpec,
) -> (String, String, String, &'static str) {
    let topic = &case.topics[producer.topic.index()].alias;
    let note = match producer.stamp {
        StampPlace::Payload => "",
        StampPlace::Header => "stamp in a header (32 bytes)",
        StampPlace::Nowhere => "no stamp",
    };
    let all: u64 = schedules(case).map(Schedule::total).sum();
    let own = instance_total(&producer.schedule, producer.stride, producer.offset);
    #[expect(clippy::cast_precision_loss, reason = "a percentage, for people")]
    let share = match (producer.schedule.has_closed_loop(), all) {
        (true, _) | (_, 0) => String::new(),
        _ => format!("{:.1}%", own as f64 * 100.0 / all as f64),
    };
    (format!("sends to {topic}"), share, instance_rate(producer), note)
}

/// An instance's part of its producer's rate: the lowest and the highest.
fn instance_rate(producer: &ProducerSpec) -> String {
    if producer.schedule.has_closed_loop() {
        return "max".to_owned();
    }
    let ends = producer.schedule.segments().iter().flat_map(|segment| match segment.pace {
        Pace::Rate { from_per_s, to_per_s } => [from_per_s, to_per_s],
        Pace::Max => [0.0, 0.0],
    });
    let rates: Vec<_> = ends.map(|rate| rate / f64::from(producer.stride.max(1))).collect();
    let low = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let high = rates.iter().copied().fold(0.0, f64::max);
    match (rate_text(low), rate_text(high)) {
        _ if rates.is_empty() => "none".to_owned(),
        (low, high) if low == high => high,
        (low, high) => format!("{low} to {high}"),
    }
}

fn consumer_cell(case: &CasePlan, consumer: &ConsumerSpec) -> String {
    let topics: Vec<_> = consumer.topics.iter().map(|t| &*case.topics[t.index()].alias).collect();
    let how = match &consumer.membership {
        Membership::Group(group) => format!("in group {group}"),
        Membership::Assigned(partitions) => {
            let list: Vec<_> = partitions.iter().map(i32::to_string).collect();
            format!("partitions {}", list.join(", "))
        }
    };
    let work = match consumer.work_us {
        0 => String::new(),
        us => format!(", {} of work a record", humanly(Duration::from_micros(us))),
    };
    let work = consumer.process.as_ref().map_or(work, |process| {
        format!(", {} by {}", process_text(process, case), threads(process.parallelism))
    });
    if consumer.process.as_ref().is_some_and(|process| process.memory.is_some()) {
        return format!("takes payloads from memory{work}");
    }
    format!("reads {} {how}{work}", topics.join(", "))
}

/// What a pipeline does, and where that goes.
fn process_text(process: &ProcessSpec, case: &CasePlan) -> String {
    let stages = [
        (process.decode != DecodeSpec::Beforehand, "decoded"),
        (process.validate, "validated"),
        (process.flatten, "flattened"),
    ];
    let mut words: Vec<_> =
        stages.iter().filter(|(done, _)| *done).map(|(_, word)| (*word).to_owned()).collect();
    let alias = |topic: mallard_protocol::ids::TopicId| &case.topics[topic.index()].alias;
    match &process.rows {
        RowsSpec::Nowhere => {}
        RowsSpec::Topic(topic) => words.push(format!("rows to {}", alias(*topic))),
        RowsSpec::Files { folder, .. } => words.push(format!("rows to files in {folder}")),
    }
    if let Some(topic) = process.dead_letter {
        words.push(format!("dead letters to {}", alias(topic)));
    }
    words.join(", ")
}

fn threads(count: u32) -> String {
    if count == 1 { "1 thread".to_owned() } else { format!("{count} threads") }
}

fn topics(case: &CasePlan) -> String {
    let mut table =
        Table::new(&["topic", "on the broker", "partitions", "replication", "record (mean)"]);
    let mut sizes: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for producer in case.agents.iter().flat_map(|a| &a.producers).filter(|p| p.offset == 0) {
        let mean = sizes::mean_record_bytes(&producer.payload, &producer.key);
        sizes.entry(producer.topic.0).or_default().push(bytes_text(times(1, mean)));
    }
    for (index, topic) in (0_u16..).zip(&case.topics) {
        let partitions = match topic.partitions {
            0 => "as it has".to_owned(),
            partitions => partitions.to_string(),
        };
        let replication = match topic.replication {
            Some(replication) => replication.to_string(),
            None if topic.existing => "as it has".to_owned(),
            None => "default".to_owned(),
        };
        let name = if topic.existing { "existing, left alone" } else { &*topic.name };
        let records = sizes.get(&index).map(|sizes| sizes.join(", ")).unwrap_or_default();
        table.row([&*topic.alias, name, &*partitions, &*replication, &*records]);
    }
    table.text()
}

fn sums(case: &CasePlan) -> String {
    let totals = totals(case);
    let kafka = case.kafka.describe();
    let load = Duration::from_micros(case.timeline.load_end_us());
    let measured = Duration::from_micros(case.timeline.measured_us());
    let mut table = Table::new(&["", ""]);
    table.row(["kafka", &kafka]);
    table.row([
        "time",
        &format!(
            "{} of load, {} measured; {} at most with the drain",
            humanly(load),
            humanly(measured),
            humanly(case.longest())
        ),
    ]);
    if totals.closed_loop {
        let and = if totals.records > 0 {
            format!("{} due, and ", count(totals.records))
        } else {
            String::new()
        };
        table.row(["records", &format!("{and}as many as the clients take: the loop is closed")]);
    } else {
        table.row(["records", &format!("{} due", count(totals.records))]);
        table.row(["keys and values", &bytes_text(totals.payload_bytes)]);
        let brokers = format!(
            "{}, with headers, {}, before compression",
            bytes_text(totals.broker_bytes),
            replicas(case)
        );
        table.row(["on brokers", &brokers]);
    }
    table.row(["archive", &archive_text(case, totals)]);
    let expectations = case.expectations.len() + case.against.len();
    table.row(["expectations", &expectations.to_string()]);
    table.text()
}

/// How large the archive gets, and for how long.
fn archive_text(case: &CasePlan, totals: Totals) -> String {
    let kept = format!("about {}", bytes_text(totals.archive_bytes));
    if totals.passing_bytes == 0 {
        return kept;
    }
    format!(
        "{kept}, and raw intervals of {} more until it is judged, because `keep_intervals` is {}",
        bytes_text(totals.passing_bytes),
        bytes_text(case.keep_intervals_bytes)
    )
}

/// Which replicas the bytes on brokers are counted with.
fn replicas(case: &CasePlan) -> &'static str {
    let fed = |id: usize| {
        case.agents.iter().flat_map(|agent| &agent.producers).any(|p| p.topic.index() == id)
    };
    let mut topics =
        case.topics.iter().enumerate().filter(|(id, _)| fed(*id)).map(|(_, topic)| topic);
    if topics.any(|topic| topic.replication.is_none()) {
        "one replica where the scenario does not say how many"
    } else {
        "all replicas"
    }
}
