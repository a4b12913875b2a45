//! What the charts of a case are drawn from.

use super::{
    Budget,
    column::{Column, figure},
    faults, outages,
    partitions::{self, Partitions},
    rollup::{Level, Roller, step_for},
    shape::{self, Curve, HeatBuilder, HeatMap},
};
use crate::{
    archive::{hlog::LogLine, read::CaseArchive},
    model::result::{ErrorRow, LagRow, ResourceRow},
};
use mallard_protocol::histogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

/// A stretch between two intervals that is longer than this is a gap: the grid's own rounding is less.
const GAP_US: u64 = 1_000;

/// Everything that a case's charts need. Times are milliseconds on the run's clock.
#[derive(Clone, Debug, Serialize)]
pub struct ChartData {
    /// The run's clock's zero in milliseconds since 1970, if it is known.
    pub origin: Option<i64>,
    /// End of the time axis.
    pub end: u64,
    /// Phases.
    pub phases: Vec<PhaseBand>,
    /// Stretches to be marked: `gap`, `thin` (agents missing), `fail` (a window that failed), `share`
    /// (a lost agent's share of the load before others took it over), `outage` (brokers or
    /// acknowledgements missing).
    pub bands: Vec<Band>,
    /// Moments to be marked.
    pub marks: Vec<Mark>,
    /// Limits of expectations, where a chart shows what they are about.
    pub limits: Vec<Limit>,
    /// The series, coarsest first.
    pub levels: Vec<Level>,
    /// Errors a second by side and code, in rows of the first level.
    pub errors: Vec<Named>,
    /// Lag by consumer, in rows of the first level.
    pub lag: Vec<Named>,
    /// Resources.
    pub resources: Option<ResourceSeries>,
    /// Percentile curves of the measured phases.
    pub curves: Vec<Curve>,
    /// Heat maps.
    pub heat: Option<HeatMap>,
    /// Topic-partitions.
    pub partitions: Option<Partitions>,
}

/// A phase on the time axis.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseBand {
    name: String,
    from: u64,
    to: u64,
    measured: bool,
}

/// A stretch of time that says something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Band {
    /// `gap`, `thin`, `fail`, `cut`, `share`, `outage`, `fault`.
    pub kind: &'static str,
    /// Start.
    pub from: u64,
    /// End.
    pub to: u64,
    /// What it says.
    pub text: String,
}

/// A moment that says something.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    /// When.
    pub at: u64,
    /// What it says.
    pub text: String,
}

/// A limit that an expectation sets.
#[derive(Clone, Debug, Serialize)]
pub struct Limit {
    /// `throughput` or `latency`.
    pub chart: &'static str,
    /// In the chart's unit.
    pub value: f64,
    /// What it says.
    pub text: String,
}

/// A series with a name from outside.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Column,
}

/// Resources of agents over time.
#[derive(Clone, Debug, Serialize)]
pub struct ResourceSeries {
    from: Column,
    to: Column,
    agents: Vec<AgentSeries>,
}

/// Resources of an agent: means, and peaks for the busiest thread.
#[derive(Clone, Debug, Serialize)]
pub struct AgentSeries {
    name: String,
    busiest: Column,
    host: Column,
    resident: Column,
    network: Column,
}

/// Figures that are made from the log on the way and that the words of the page need too.
#[derive(Debug)]
pub struct Drawn {
    /// For the charts.
    pub data: ChartData,
    /// Latencies of the measured phases, in the order of the log's tags.
    pub totals: [Histogram; 4],
    /// What is missing or damaged.
    pub gaps: Vec<String>,
}

/// Collects what a case's charts need.
#[must_use]
pub fn draw(case: &CaseArchive, budget: Budget) -> Drawn {
    let end_us = end_of(case);
    let mut gaps = Vec::new();
    let steps = steps_for(end_us, budget);
    let mut rollers: Vec<_> = steps.iter().map(|step| Roller::new(*step, &case.series)).collect();
    let mut heat = HeatBuilder::new(log_step(step_for(end_us, budget.heat_columns), end_us));
    let mut measured: [Histogram; 4] = Default::default();
    gaps.extend(case.latencies(|line| {
        rollers.iter_mut().filter(|roller| roller.wants_log()).for_each(|roller| roller.add(&line));
        heat.add(&line);
        if is_measured(case, line.start_us) {
            measured[line.tag].add(&line.histogram);
        }
    }));
    let mut totals: [Histogram; 4] = Default::default();
    let without = case.totals(|line: LogLine| totals[line.tag].add(&line.histogram));
    // A case that was cut off has no totals; the log's sum over the measured phases stands for them.
    if without.is_some() || totals.iter().all(Histogram::is_empty) {
        totals = measured;
    }
    let levels: Vec<_> = rollers.into_iter().map(Roller::finish).collect();
    let grid = Grid::new(steps[0], &levels[0]);
    let data = ChartData {
        origin: origin(case),
        end: end_us.div_ceil(1000),
        phases: phases(case),
        bands: bands(case),
        marks: marks(case),
        limits: limits(case),
        errors: grid.errors(&case.errors),
        lag: grid.lag(&case.lag),
        resources: resources(case, end_us, budget),
        curves: shape::curves(&totals),
        heat: heat.finish(),
        partitions: partitions::table(case, budget),
        levels,
    };
    Drawn { data, totals, gaps }
}

/// The coarse step for the whole run, and a finer one to zoom into where that pays.
fn steps_for(end_us: u64, budget: Budget) -> Vec<u64> {
    let coarse = log_step(step_for(end_us, budget.rows), end_us);
    let fine = log_step(step_for(end_us, budget.fine_rows), end_us);
    if fine < coarse { vec![coarse, fine] } else { vec![coarse] }
}

/// No row is shorter than a line of the log, unless it needs none.
fn log_step(step_us: u64, end_us: u64) -> u64 {
    step_us.max(crate::archive::hlog::step_us(end_us))
}

fn end_of(case: &CaseArchive) -> u64 {
    let phases = case.result.iter().flat_map(|result| &result.phases).map(|phase| phase.end_us);
    phases.chain(case.series.last().map(|row| row.end_us)).max().unwrap_or(0)
}

fn origin(case: &CaseArchive) -> Option<i64> {
    let at = case.result.as_ref()?.load_started_at.as_ref()?;
    at.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// Whether a moment lies in a measured phase. A case that was never judged has no phases; all of it
/// but what calls itself warm-up or drain is then taken.
fn is_measured(case: &CaseArchive, at_us: u64) -> bool {
    let Some(result) = &case.result else {
        let at = case.series.partition_point(|row| row.start_us <= at_us + 500);
        let row = at.checked_sub(1).and_then(|at| case.series.get(at));
        return row.is_some_and(|row| !matches!(row.phase.as_str(), "warm-up" | "drain"));
    };
    let at_us = at_us + 500;
    result.phases.iter().any(|p| p.measured && (p.start_us..p.end_us).contains(&at_us))
}

fn phases(case: &CaseArchive) -> Vec<PhaseBand> {
    if let Some(result) = &case.result {
        let band = |p: &crate::model::result::PhaseResult| PhaseBand {
            name: p.name.clone(),
            from: p.start_us / 1000,
            to: p.end_us / 1000,
            measured: p.measured,
        };
        return result.phases.iter().filter(|p| p.end_us > p.start_us).map(band).collect();
    }
    let mut bands: Vec<PhaseBand> = Vec::new();
    for row in &case.series {
        match bands.last_mut().filter(|last| last.name == row.phase) {
            Some(last) => last.to = row.end_us / 1000,
            None => bands.push(PhaseBand {
                name: row.phase.clone(),
                from: row.start_us / 1000,
                to: row.end_us / 1000,
                measured: is_measured(case, row.start_us),
            }),
        }
    }
    bands
}

/// Gaps between intervals, intervals that not all agents reported, and windows that failed.
#[must_use]
pub fn bands(case: &CaseArchive) -> Vec<Band> {
    let all = case.series.iter().map(|row| row.agents).max().unwrap_or(0);
    let mut bands: Vec<Band> = Vec::new();
    let mut before_us = case.series.first().map_or(0, |row| row.start_us);
    for row in &case.series {
        if row.start_us > before_us + GAP_US {
            let text = "no interval was reported".to_owned();
            bands.push(Band { kind: "gap", from: before_us / 1000, to: row.start_us / 1000, text });
        }
        before_us = row.end_us;
        if row.agents >= all {
            continue;
        }
        let text = format!("{} of {all} agents reported", row.agents);
        match bands
            .last_mut()
            .filter(|b| b.kind == "thin" && b.text == text && b.to == row.start_us / 1000)
        {
            Some(last) => last.to = row.end_us / 1000,
            None => {
                let (from, to) = (row.start_us / 1000, row.end_us / 1000);
                bands.push(Band { kind: "thin", from, to, text });
            }
        }
    }
    bands.extend(case.result.iter().flat_map(|result| &result.cuts).map(|cut| {
        let until_us = cut.until_us.unwrap_or_else(|| end_of(case));
        let whom = cut.agent.as_deref().unwrap_or("every agent");
        let text = format!("{whom} went on without the controller; nothing is missing for it");
        Band { kind: "cut", from: cut.from_us / 1000, to: until_us / 1000, text }
    }));
    let agents = case.result.iter().flat_map(|result| &result.agents);
    bands.extend(agents.filter_map(|agent| {
        let (from_us, until_us) = (agent.last_report_us?, agent.taken_over_at_us?);
        let text =
            format!("records that {} was due to send were not sent, or not reported", agent.name);
        Some(Band { kind: "share", from: from_us / 1000, to: until_us / 1000, text })
    }));
    bands.extend(case.result.iter().flat_map(|result| &result.outages).map(|outage| {
        let text = outages::line(outage);
        Band { kind: "outage", from: outage.from_us / 1000, to: outage.to_us / 1000, text }
    }));
    let faults = case.result.iter().flat_map(|result| &result.faults);
    bands.extend(faults.filter_map(|fault| {
        let (from_us, until_us) = fault.window_us()?;
        let until_us = until_us.unwrap_or_else(|| end_of(case));
        let text = faults::line(fault);
        Some(Band { kind: "fault", from: from_us / 1000, to: until_us / 1000, text })
    }));
    let expectations = case.result.iter().flat_map(|result| &result.expectations);
    for expectation in expectations.filter(|expectation| !expectation.passed) {
        // Archives of earlier versions know the first window alone.
        let first = expectation.first_failing_window_us.as_slice();
        let all = if expectation.failing_us.is_empty() { first } else { &expectation.failing_us };
        bands.extend(all.iter().enumerate().map(|(at, (from, to))| {
            let here = if at == 0 { "failed here first" } else { "failed here" };
            let text = format!("{here}: {}", expectation.text);
            Band { kind: "fail", from: from / 1000, to: to / 1000, text }
        }));
    }
    bands
}

fn marks(case: &CaseArchive) -> Vec<Mark> {
    let agents = || case.result.iter().flat_map(|result| &result.agents);
    let lost = agents().filter_map(|agent| {
        let at = agent.lost_at_us? / 1000;
        Some(Mark { at, text: format!("agent {} was lost", agent.name) })
    });
    let taken_over = agents().filter_map(|agent| {
        let at = agent.taken_over_at_us? / 1000;
        Some(Mark { at, text: format!("others took over what {} had to send", agent.name) })
    });
    lost.chain(taken_over).collect()
}

/// Limits on what the charts draw: of the whole, not of one producer or partition.
fn limits(case: &CaseArchive) -> Vec<Limit> {
    let expectations = case.result.iter().flat_map(|result| &result.expectations);
    let whole = expectations.filter(|e| e.scope.is_none() && !e.unit.ends_with("_per_hour"));
    let limit = |of: &crate::model::result::ExpectationResult| {
        let (chart, name) = match of.metric.rsplit_once('.')? {
            ("produce.acked" | "consume.received" | "produce.sent", "rate") => {
                ("throughput", of.metric.split_once('.')?.1)
            }
            ("produce.response" | "produce.service" | "end_to_end", "mean" | "min") => return None,
            ("produce.response" | "produce.service" | "end_to_end", _) => {
                ("latency", of.metric.strip_prefix("produce.").unwrap_or(&of.metric))
            }
            _ => return None,
        };
        let text = format!("{name} limit {}", crate::text::format::quantity(of.limit, &of.unit));
        Some(Limit { chart, value: of.limit, text })
    };
    whole.filter_map(limit).collect()
}

/// The rows of the coarsest level, for series that come row by row from other tables.
struct Grid {
    step_us: u64,
    starts: Vec<u64>,
    lengths_s: Vec<f64>,
}

impl Grid {
    fn new(step_us: u64, level: &Level) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let starts = level.from.0.iter().map(|ms| ms.unwrap_or(0.0) as u64 * 1000).collect();
        let ends = level.to.0.iter().zip(&level.from.0);
        let lengths_s =
            ends.map(|(to, from)| (to.unwrap_or(0.0) - from.unwrap_or(0.0)) / 1000.0).collect();
        Self { step_us, starts, lengths_s }
    }

    fn row(&self, start_us: u64) -> Option<usize> {
        let at = self.starts.partition_point(|start| *start <= start_us + 500).checked_sub(1)?;
        (start_us < self.starts[at] + self.step_us + GAP_US).then_some(at)
    }

    /// Errors a second. A row without an error of a code has none, which is zero.
    fn errors(&self, rows: &[ErrorRow]) -> Vec<Named> {
        let mut by_name: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for row in rows {
            let Some(at) = self.row(row.start_us) else { continue };
            let name = format!("{} {}", row.side, row.code);
            let values = by_name.entry(name).or_insert_with(|| vec![0.0; self.starts.len()]);
            values[at] += figure(row.count) / self.lengths_s[at].max(0.001);
        }
        let named = |(name, values): (String, Vec<f64>)| Named {
            name,
            values: values.into_iter().map(Some).collect(),
        };
        by_name.into_iter().map(named).collect()
    }

    /// Highest lag of each consumer in each row.
    fn lag(&self, rows: &[LagRow]) -> Vec<Named> {
        let mut by_name: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
        for row in rows {
            let Some(at) = self.row(row.start_us) else { continue };
            let values =
                by_name.entry(&row.consumer).or_insert_with(|| vec![None; self.starts.len()]);
            values[at] = Some(values[at].unwrap_or(0.0).max(figure(row.lag)));
        }
        let named = |(name, values): (&str, Vec<_>)| Named {
            name: name.to_owned(),
            values: Column(values),
        };
        by_name.into_iter().map(named).collect()
    }
}

fn resources(case: &CaseArchive, end_us: u64, budget: Budget) -> Option<ResourceSeries> {
    let mut names: Vec<&str> = case.resources.iter().map(|row| row.agent.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return None;
    }
    let rows = (budget.resource_points / names.len() as u64).clamp(60, budget.rows);
    let step_us = step_for(end_us, rows);
    let length = usize::try_from(end_us.div_ceil(step_us)).unwrap_or(0).max(1);
    let edge = |at: usize| Some(figure(at as u64 * step_us / 1000));
    let mut by_agent: BTreeMap<&str, Vec<Vec<&ResourceRow>>> = BTreeMap::new();
    for row in &case.resources {
        let at = usize::try_from(row.start_us / step_us).unwrap_or(usize::MAX).min(length - 1);
        by_agent.entry(&row.agent).or_insert_with(|| vec![Vec::new(); length])[at].push(row);
    }
    let agents = by_agent.into_iter().map(|(name, rows)| agent_series(name, &rows)).collect();
    Some(ResourceSeries {
        from: (0..length).map(edge).collect(),
        to: (1..=length).map(edge).collect(),
        agents,
    })
}

fn agent_series(name: &str, rows: &[Vec<&ResourceRow>]) -> AgentSeries {
    let highest = |of: fn(&ResourceRow) -> f64| -> Column {
        rows.iter().map(|rows| rows.iter().map(|row| of(row)).reduce(f64::max)).collect()
    };
    AgentSeries {
        name: name.to_owned(),
        busiest: highest(|row| row.busiest_thread_cpu),
        host: highest(|row| row.host_cpu),
        resident: highest(|row| figure(row.resident_bytes)),
        network: highest(|row| row.host_received_bytes_per_s + row.host_sent_bytes_per_s),
    }
}
