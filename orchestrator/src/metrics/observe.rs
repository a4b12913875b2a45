//! Metrics of consumer groups that are not the case's own.

use super::metric::{Metric, Scopes, count, metric, per_second};

const LAG: &str = "the broker's end offsets and the group's committed offsets, both at the interval's \
                   end";
const COORDINATOR: &str = "the group's coordinator, asked once an interval";
const GROUP: Scopes = Scopes::GROUP.and(Scopes::PHASE);
const LAGGING: Scopes = GROUP.and(Scopes::TOPIC).and(Scopes::PARTITION);

/// `observe.*`.
pub(super) fn metrics() -> Vec<Metric> {
    lag().into_iter().chain(group()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
fn lag() -> Vec<Metric> {
    vec![
        metric!(
            "observe.lag.max",
            "records",
            true,
            Groups,
            LAGGING,
            "largest lag in an interval of the groups under `observe`, by what they have committed, \
             summed over partitions, of the group that lags most",
            "largest, over measured intervals and groups, of the sum of (end offset - committed offset), in the \
             topics in which a group has committed; a partition without a commit counts from the \
             load's start",
            LAG,
            |t| (t.observed.lag.time_us > 0).then_some(t.observed.lag.max as f64)
        ),
        metric!(
            "observe.lag.mean",
            "records",
            true,
            Groups,
            LAGGING,
            "mean lag over time of the groups under `observe`, by what they have committed, summed \
             over partitions, of the group that lags most",
            "mean over measured intervals, weighted by their time, of the largest sum of a group of \
             (end offset - committed offset)",
            LAG,
            |t| {
                let lag = &t.observed.lag;
                (lag.time_us > 0).then(|| lag.record_us / lag.time_us as f64)
            }
        ),
        metric!(
            "observe.lag.end",
            "records",
            false,
            Groups,
            Scopes::GROUP.and(Scopes::TOPIC).and(Scopes::PARTITION),
            "lag of the groups under `observe` after the drain, by what they have committed, summed \
             over partitions, of the group that lags most",
            "largest sum of a group of (end offset - committed offset) after the drain",
            "the broker's end offsets after the drain, and what was committed in its last interval",
            |t| t.observed.lag_end.map(|lag| lag as f64)
        ),
        metric!(
            "observe.recovery_time.max",
            "us",
            true,
            Groups,
            LAGGING,
            "longest time that groups under `observe` stayed more than a second behind: how long a burst is felt until lag \
             is down again; 0 if they always kept up; it ends with the measured phases, so a backlog \
             that only the drain works off counts until there",
            "longest run of measured intervals at whose end a group's lag was more than a second of load (the \
             target rate of all producers at that moment)",
            LAG,
            |t| (t.observed.lag.paced_us > 0)
                .then_some(t.observed.lag.behind_max_us)
                .and_then(count)
        ),
    ]
}

fn group() -> Vec<Metric> {
    vec![
        metric!(
            "observe.committed.rate",
            "per_s",
            true,
            Groups,
            GROUP,
            "records that the groups under `observe` have committed as read, summed over groups; a \
             group that commits every few seconds goes up in steps",
            "growth of committed offsets / time between the first and the last sample, in measured \
             intervals",
            "the group's committed offsets, read once an interval",
            |t| per_second(t.observed.committed, t.observed.committed_time_us)
        ),
        metric!(
            "observe.members.min",
            "count",
            true,
            Groups,
            GROUP,
            "fewest members that a group under `observe` had; 0 for a group that only commits, as \
             Flink's connector does",
            "smallest over measured intervals and groups",
            COORDINATOR,
            |t| t.observed.members_min.and_then(count)
        ),
        metric!(
            "observe.members.max",
            "count",
            true,
            Groups,
            GROUP,
            "most members that a group under `observe` had",
            "largest over measured intervals and groups",
            COORDINATOR,
            |t| t.observed.members_max.and_then(count)
        ),
        metric!(
            "observe.rebalances",
            "count",
            true,
            Groups,
            GROUP,
            "intervals in which a group under `observe` was rebalancing, or had other members or other \
             partitions for them than before; two rebalances in one second look like one",
            "sum over measured intervals and groups",
            COORDINATOR,
            |t| (t.observed.samples > 0).then_some(t.observed.rebalances).and_then(count)
        ),
    ]
}
