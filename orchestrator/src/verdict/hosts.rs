//! Doubts about hosts. Agents that share a host share its doubt: what is reported is one host, not one line
//! for each of its agents.

use super::{
    checks::{
        BUSY_HOST_INTERVALS, Case, LATE_INTERVALS_MIN, LATE_INTERVALS_SHARE, SATURATED_LATE_SHARE,
        blamed_late_share, real, share_of, us,
    },
    doubt::{Doubt, Kind},
};
use crate::{
    metrics::resources::ResourceTally,
    model::result::Verdict,
    text::units::{count, human},
};

/// Most agents of a host that are named; of more, the rest is counted.
const NAMED_MAX: usize = 4;

/// Every doubt about hosts.
pub(super) fn doubts(case: &Case) -> Vec<Doubt> {
    let hosts = hosts(case);
    [busy_hosts(case, &hosts), late_intervals(case, &hosts)].concat()
}

/// Agents, by index, of one host each, in the order of the plan.
fn hosts(case: &Case) -> Vec<Vec<usize>> {
    let mut hosts: Vec<(String, Vec<usize>)> = Vec::new();
    for (at, agent) in case.plan.agents.iter().enumerate() {
        let told = case.facts.agents.get(at).and_then(|facts| facts.host.as_ref());
        // Containers have names of their own on the same kernel, whose CPU it is about.
        let host = told.map_or_else(|| agent.host_name.clone(), |host| host.boot_id.clone());
        match hosts.iter_mut().find(|(known, _)| *known == host) {
            Some((_, agents)) => agents.push(at),
            None => hosts.push((host, vec![at])),
        }
    }
    hosts.into_iter().map(|(_, agents)| agents).collect()
}

/// `local-1, local-2`; `local-1, local-2, local-3, local-4 and 4 more`.
fn names(case: &Case, agents: &[usize]) -> String {
    let known = &case.measured.roster.agents;
    let shown = agents.iter().take(NAMED_MAX).filter_map(|at| known.get(*at));
    let shown = shown.map(String::as_str).collect::<Vec<_>>().join(", ");
    match agents.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A host on which nothing was left: a doubt, and a spoiled measurement where records were late too.
fn busy_hosts(case: &Case, hosts: &[Vec<usize>]) -> Vec<Doubt> {
    let due = &case.measured.whole.due;
    let doubt = |agents: &Vec<usize>| {
        let mut used = agents.iter().filter_map(|at| case.measured.whole.resources.get(*at));
        let busiest = used.clone().max_by(|a, b| busy_share(a).total_cmp(&busy_share(b)))?;
        if busy_share(busiest) <= BUSY_HOST_INTERVALS {
            return None;
        }
        let text = format!(
            "the host of {} was busy with all of its cores in {} of {} measured intervals; {} of all \
             records were late",
            names(case, agents),
            busiest.busy_host_intervals,
            busiest.intervals,
            human(share_of(due.late, due.sent), "ratio"),
        );
        let is_spoiled = used.any(|used| blamed_late_share(due, used) >= SATURATED_LATE_SHARE);
        Some(match is_spoiled {
            true => Doubt::reason(Kind::HostCpuSaturated, Verdict::Invalid, text),
            false => Doubt::warning(Kind::HostCpuSaturated, text),
        })
    };
    hosts.iter().filter_map(doubt).collect()
}

/// Share of an agent's measured intervals in which nothing of its host was left.
fn busy_share(used: &ResourceTally) -> f64 {
    share_of(used.busy_host_intervals, used.intervals)
}

/// Hosts that were too busy to hand in intervals on time.
fn late_intervals(case: &Case, hosts: &[Vec<usize>]) -> Vec<Doubt> {
    let all = case.measured.quality.measured_intervals.max(1);
    let doubt = |agents: &Vec<usize>| {
        let late: Vec<usize> = agents
            .iter()
            .copied()
            .filter(|at| case.measured.agents.get(*at).is_some_and(|agent| agent.late > 0))
            .collect();
        let told = late.iter().map(|at| &case.measured.agents[*at]);
        let (most, by_us) = (
            told.clone().map(|agent| agent.late).max()?,
            told.map(|agent| agent.late_by_us_max).max()?,
        );
        let each = if late.len() > 1 { "up to " } else { "" };
        let text = format!(
            "{each}{} of {} measured intervals of {} were handed in late, by up to {}",
            count(most),
            count(all),
            names(case, &late),
            us(by_us)
        );
        Some(match real(most) / real(all) > LATE_INTERVALS_SHARE && most >= LATE_INTERVALS_MIN {
            true => Doubt::reason(Kind::IntervalsLate, Verdict::Invalid, text),
            false => Doubt::warning(Kind::IntervalsLate, text),
        })
    };
    hosts.iter().filter_map(doubt).collect()
}
