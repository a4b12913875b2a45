//! The laws of merging.

use super::{feed, lively, run};
use crate::measure::{
    AgentIndex, Collector, Measured, MergedInterval,
    simulate::{Shape, reports},
};
use mallard_protocol::interval::IntervalReport;
use proptest::prelude::*;

const EXPECT: [&str; 9] = [
    "produce.response.p99 < 1s in every 3s",
    "produce.response.p99 of every partition < 1s in the last 4s",
    "produce.acked.rate of producer gateway > 1/s in every 1s",
    "end_to_end.p95 of consumer flink < 1s",
    "consume.lag.max of topic orders < 5",
    "records.lost of every partition == 0",
    "agent.memory.slope of every agent < 1MiB/h",
    "produce.service.p50 slope per hour < 1ms",
    "produce.acked.rate of phase warm-up > 1/s",
];

fn shape(agents: u16) -> Shape {
    Shape { agents, expect: EXPECT.to_vec(), ..Shape::default() }
}

/// Each agent's reports stay in order; agents are taken in turn as `turns` says.
fn interleave(
    reports: &[(AgentIndex, IntervalReport)],
    agents: usize,
    turns: &[usize],
) -> Vec<(AgentIndex, IntervalReport)> {
    let mut queues: Vec<std::collections::VecDeque<_>> = vec![Default::default(); agents];
    for (agent, report) in reports {
        queues[agent.0].push_back((*agent, report.clone()));
    }
    let mut out = Vec::new();
    for turn in turns
        .iter()
        .chain((0..agents).cycle().take(agents * reports.len()).collect::<Vec<_>>().iter())
    {
        out.extend(queues[turn % agents].pop_front());
    }
    out
}

fn measure(
    reports: &[(AgentIndex, IntervalReport)],
    shape: &Shape,
) -> (Vec<MergedInterval>, Measured) {
    let mut collector = Collector::new(&shape.plan());
    let mut merged = feed(&mut collector, reports);
    merged.extend(collector.flush());
    (merged, collector.conclude(&Default::default()))
}

fn same(left: &Measured, right: &Measured) {
    assert_eq!(left.whole.due, right.whole.due);
    assert_eq!(left.whole.sending, right.whole.sending);
    assert_eq!(left.whole.receiving, right.whole.receiving);
    assert_eq!(left.whole.arrived, right.whole.arrived);
    assert_eq!(left.whole.lag, right.whole.lag);
    assert_eq!(left.whole.outcome, right.whole.outcome);
    assert_eq!(left.whole.time_us, right.whole.time_us);
    assert_eq!(left.accounts_whole, right.accounts_whole);
    assert_eq!(left.partitions, right.partitions);
    assert_eq!(left.partition_series, right.partition_series);
    assert_eq!(left.quality, right.quality);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_in_which_agents_report_changes_nothing(turns in prop::collection::vec(0_usize..3, 0..60)) {
        let shape = shape(3);
        let in_time = reports(&shape.plan(), lively);
        let shuffled = interleave(&in_time, 3, &turns);
        let ((merged, one), (merged_too, other)) = (measure(&in_time, &shape), measure(&shuffled, &shape));
        same(&one, &other);
        prop_assert_eq!(&one.judged, &other.judged);
        let rows = |merged: &[MergedInterval]| merged.iter().map(|m| m.row.clone()).collect::<Vec<_>>();
        prop_assert_eq!(rows(&merged), rows(&merged_too));
    }

    #[test]
    fn a_report_that_comes_again_is_dropped(again in prop::collection::vec(0_usize..48, 1..20)) {
        let shape = shape(2);
        let in_time = reports(&shape.plan(), lively);
        let mut twice = in_time.clone();
        for at in again {
            let at = at % in_time.len();
            let behind = twice.iter().position(|r| *r == in_time[at]).unwrap();
            twice.insert(behind + 1 + (at % (twice.len() - behind)), in_time[at].clone());
        }
        let (one, other) = (measure(&in_time, &shape).1, measure(&twice, &shape).1);
        same(&one, &other);
        prop_assert_eq!(one.judged, other.judged);
    }
}

#[test]
fn splitting_a_load_over_agents_changes_no_total_and_no_percentile() {
    let (one, many) = (run(&shape(1), lively), run(&shape(5), lively));
    assert_eq!(one.1.whole.due, many.1.whole.due);
    assert_eq!(one.1.whole.arrived, many.1.whole.arrived);
    assert_eq!(one.1.partitions, many.1.partitions);
    for (one, many) in one.0.iter().zip(&many.0) {
        assert_eq!(one.response, many.response);
        assert_eq!(one.row.acked, many.row.acked);
        assert_eq!((one.row.agents, many.row.agents), (1, 5));
    }
}

#[test]
fn rows_tile_the_load_and_sum_to_the_accounts() {
    let (merged, measured) = run(&shape(3), lively);
    let mut at_us = 0;
    for interval in &merged {
        assert_eq!(interval.row.start_us, at_us);
        at_us = interval.row.end_us;
    }
    assert_eq!(at_us, 17_500_000);
    let sum = |pick: fn(&MergedInterval) -> u64| merged.iter().map(pick).sum::<u64>();
    let whole = &measured.accounts_whole;
    assert_eq!(sum(|m| m.row.scheduled), whole.scheduled);
    assert_eq!(sum(|m| m.row.acked), whole.acked);
    assert_eq!(sum(|m| m.row.failed), whole.failed);
    assert_eq!(sum(|m| m.row.received), whole.received);
    let last = &merged.last().unwrap().row;
    assert_eq!((last.not_sent, last.outstanding), (whole.not_sent, whole.outstanding));
    assert!(whole.outstanding > 0 && whole.failed_by_code.len() == 2);
}

#[test]
fn accounts_are_of_the_records_due_in_the_measured_phases() {
    let (_, measured) = run(&shape(2), lively);
    let accounts = &measured.accounts;
    // 200/s for the 10 s of the hold, whenever they were acknowledged.
    assert_eq!(accounts.scheduled, 2_000);
    assert_eq!(accounts.scheduled, accounts.sent + accounts.not_sent);
    assert_eq!(accounts.sent, accounts.acked + accounts.failed + accounts.outstanding);
    assert_eq!(accounts.failed, accounts.failed_by_code.values().sum::<u64>());
    assert_eq!(measured.accounts_whole.scheduled, 2_500);
    // The rate is by event time: what was acknowledged in the drain does not count for it, and what
    // the warm-up left over does.
    assert_eq!(measured.whole.time_us, 10_000_000);
    assert_ne!(measured.whole.sending.acked, accounts.acked);
    assert_eq!(measured.whole.due.response.count(), accounts.acked);
}

#[test]
fn what_was_not_received_is_counted_by_partition() {
    let (_, measured) = run(&shape(2), lively);
    // Positions of the simulated consumers are counts of what they received: the rest lies in the log.
    let fates = || measured.partitions.iter().filter_map(|partition| partition.fate.as_ref());
    let not_read: u64 = fates().map(|fate| fate.not_read).sum();
    let gone = measured.accounts_whole.acked - measured.accounts_whole.received;
    let fate = measured.whole.outcome.fate.unwrap();
    assert_eq!((not_read, fate.not_read, fate.missing()), (gone, gone, gone));
    assert!(gone > 0);
    assert_eq!((fate.unexpected, fate.lost()), (0, 0));
    for fate in fates() {
        let missing = fate.lost_unread + fate.not_read + fate.expired + fate.compacted;
        assert_eq!(fate.acked + fate.unexpected, fate.received + missing + fate.unaccounted);
    }
}
