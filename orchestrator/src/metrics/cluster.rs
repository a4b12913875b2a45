//! Metrics of brokers, leaders and replicas.

use super::metric::{Metric, Scopes, count, metric};

const SAMPLES: &str = "one agent, which once an interval asks every broker for a setting and any of them for \
                       leaders and replicas";

/// `brokers.*` and `partitions.*`.
pub(super) fn metrics() -> Vec<Metric> {
    vec![
        metric!(
            "brokers.unreachable.time",
            "us",
            true,
            Nothing,
            Scopes::PHASE.and(Scopes::FAULT),
            "time in which at least one broker could not be reached: no connection, or no answer in \
             three samples in a row",
            "sum of the measured intervals at whose end a broker was unreachable",
            SAMPLES,
            |t| (t.cluster.time_us > 0).then_some(t.cluster.unreachable_us).and_then(count)
        ),
        metric!(
            "partitions.without_leader.time",
            "us",
            true,
            Nothing,
            Scopes::PHASE.and(Scopes::FAULT),
            "time in which at least one partition of the scenario's topics had no leader",
            "sum of the measured intervals at whose end a partition had none",
            SAMPLES,
            |t| (t.cluster.time_us > 0).then_some(t.cluster.without_leader_us).and_then(count)
        ),
        metric!(
            "partitions.under_replicated.max",
            "count",
            true,
            Nothing,
            Scopes::PHASE.and(Scopes::FAULT),
            "most partitions of the scenario's topics that had fewer replicas in sync than they should",
            "largest over measured intervals",
            SAMPLES,
            |t| t.cluster.under_replicated_max.and_then(count)
        ),
    ]
}
