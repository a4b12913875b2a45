//! Metrics of agents and their hosts. Without a scope they are those of the worst agent.

use super::metric::{Metric, Scopes, Subject, count, metric};
use crate::metrics::{resources::ResourceTally, tally::Tally};

const BOTH: Scopes = Scopes::AGENT.and(Scopes::PHASE);
const PROCESS: &str = "the kernel's figures for the agent's process";
const HOST: &str = "the kernel's figures for the agent's host";

fn worst(tally: &Tally, pick: impl Fn(&ResourceTally) -> Option<f64>) -> Option<f64> {
    tally.resources.iter().filter_map(pick).max_by(f64::total_cmp)
}

#[expect(clippy::cast_precision_loss, reason = "memory is below 2^53 bytes")]
fn bytes(value: Option<u64>) -> Option<f64> {
    value.map(|bytes| bytes as f64)
}

/// `agent.*`, `host.*` and `accounts.*`.
pub(super) fn metrics() -> Vec<Metric> {
    cpu().into_iter().chain(memory()).chain(host()).collect()
}

fn cpu() -> Vec<Metric> {
    vec![
        metric!(
            "agent.cpu.mean",
            "cores",
            true,
            Nothing,
            BOTH,
            "cores that an agent used, mean over the measured phases; of several agents, the largest",
            "CPU time / time",
            PROCESS,
            |t| worst(t, ResourceTally::cpu_cores_mean)
        ),
        metric!(
            "agent.cpu.max",
            "cores",
            true,
            Nothing,
            BOTH,
            "most cores that an agent used in an interval",
            "largest, over measured intervals of 0.5 s or more, of CPU time / time",
            PROCESS,
            |t| worst(t, |r| (r.intervals > 0).then_some(r.cpu_cores_max))
        ),
        metric!(
            "agent.thread_cpu.max",
            "ratio",
            true,
            Nothing,
            BOTH,
            "largest share of a core that one thread of an agent used in an interval; near 1 it is \
             saturated, and the load it makes is no longer what was asked for",
            "largest, over measured intervals of 0.5 s or more, of CPU time / time",
            PROCESS,
            |t| worst(t, |r| (r.intervals > 0).then_some(r.thread_cpu_max))
        ),
    ]
}

fn memory() -> Vec<Metric> {
    vec![
        metric!(
            "agent.memory.start",
            "bytes",
            false,
            Nothing,
            Scopes::AGENT,
            "resident memory of an agent when the load started; of several agents, the largest",
            "at the end of the agent's first interval",
            PROCESS,
            |t| worst(t, |r| bytes(r.memory_start_bytes))
        )
        .listed(Subject::Memory, "start"),
        metric!(
            "agent.memory.peak",
            "bytes",
            true,
            Nothing,
            BOTH,
            "largest resident memory of an agent",
            "largest over measured intervals",
            PROCESS,
            |t| worst(t, |r| bytes(r.memory_peak_bytes))
        )
        .listed(Subject::Memory, "peak"),
        metric!(
            "agent.memory.end",
            "bytes",
            false,
            Nothing,
            Scopes::AGENT,
            "resident memory of an agent at the end of the measured phases",
            "in the last measured interval",
            PROCESS,
            |t| worst(t, |r| bytes(r.memory_end.map(|(bytes, _)| bytes)))
        ),
        metric!(
            "agent.memory.growth",
            "bytes",
            false,
            Nothing,
            Scopes::AGENT,
            "growth of resident memory of an agent; negative if it shrank; agents keep no samples, \
             so it is the client's and not the measurement's",
            "peak over measured intervals - start",
            PROCESS,
            |t| worst(t, |r| Some(bytes(r.memory_peak_bytes)? - bytes(r.memory_start_bytes)?))
        )
        .listed(Subject::Memory, "growth"),
        metric!(
            "agent.memory.slope",
            "bytes_per_hour",
            false,
            Nothing,
            BOTH,
            "growth of resident memory of an agent an hour; it has a value from 5 min of measured load \
             on, since an allocator's single step would make it absurd over less",
            "least squares over measured intervals, if they span 5 min or more",
            PROCESS,
            Tally::steepest_memory
        ),
    ]
}

fn host() -> Vec<Metric> {
    vec![
        metric!(
            "host.cpu.max",
            "ratio",
            true,
            Nothing,
            BOTH,
            "largest share of all cores of an agent's host in use in an interval",
            "largest, over measured intervals of 0.5 s or more, of CPU time / (time x cores)",
            HOST,
            |t| worst(t, |r| (r.intervals > 0).then_some(r.host_cpu_max))
        ),
        metric!(
            "host.memory.peak",
            "bytes",
            true,
            Nothing,
            BOTH,
            "most memory in use on an agent's host",
            "largest over measured intervals",
            HOST,
            |t| worst(t, |r| (r.time_us > 0).then_some(r.host_memory_peak_bytes).and_then(count))
        ),
        metric!(
            "accounts.audited_intervals",
            "count",
            false,
            Nothing,
            Scopes::NONE,
            "interval reports of agents whose accounts were checked and add up",
            "count over the whole load",
            "the controller's audit",
            |t| count(t.outcome.audited_intervals)
        ),
    ]
}
