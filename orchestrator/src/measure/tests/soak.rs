//! Memory does not grow with time.

use crate::measure::{
    AgentIndex, Collector, POINTS_MAX,
    simulate::{Fate, Shape, mix, reports},
};
use mallard_protocol::schedule::PhaseKind;

/// Ten hours of intervals by simulated time: what the collector holds afterwards is what it held after
/// the first hour, but for the points of the partitions' series, of which there are 120 at most.
#[test]
fn a_soak_holds_no_more_than_its_first_hour() {
    let hours = 10_u64;
    let shape = Shape {
        agents: 1,
        rate_per_s: Some(2.0),
        phases: vec![
            ("hold", PhaseKind::Hold, hours * 3_600_000_000),
            ("drain", PhaseKind::Drain, 10_000_000),
        ],
        expect: vec![
            "produce.response.p99 < 1s in every 1m",
            "end_to_end.p99 of every partition < 1s in every 10m",
            "produce.service.p50 slope per hour < 1ms",
        ],
        ..Shape::default()
    };
    let plan = shape.plan();
    let model = |record, _| Fate { service_us: 500 + mix(record) % 5_000, ..Fate::default() };
    let mut collector = Collector::new(&plan);
    let mut sizes = Vec::new();
    for (at, (agent, report)) in reports(&plan, model).iter().enumerate() {
        collector.interval(*agent, report).unwrap();
        if at % 3_600 == 3_599 {
            // Its picture has every field, so its length follows every collection in it.
            sizes.push(format!("{collector:?}").len());
        }
    }
    assert_eq!(sizes.len() as u64, hours);
    let points = usize::try_from(POINTS_MAX).unwrap() * 5 * 200;
    assert!(sizes[9] < sizes[0] + points + sizes[0] / 4, "{sizes:?}");
    assert_eq!(collector.waiting(), 0);
    let measured = collector.conclude(&[]);
    assert!(measured.partition_series.len() as u64 <= POINTS_MAX * 4);
    assert_eq!(measured.judged[0].windows, hours * 60);
}

#[test]
fn what_waits_for_a_silent_agent_is_bounded() {
    let shape = Shape {
        rate_per_s: Some(1.0),
        phases: vec![
            ("hold", PhaseKind::Hold, 1_000_000_000),
            ("drain", PhaseKind::Drain, 1_000_000),
        ],
        ..Shape::default()
    };
    let plan = shape.plan();
    let mut collector = Collector::new(&plan);
    let mut merged = 0;
    for (agent, report) in reports(&plan, |_, _| Fate::default()) {
        if agent == AgentIndex(0) {
            merged += collector.interval(agent, &report).unwrap().len();
        }
    }
    assert_eq!(collector.waiting(), crate::measure::WAITING_MAX);
    // A thousand of the load and five of the drain, but for those that wait.
    assert_eq!(merged, 1_005 - crate::measure::WAITING_MAX);
}
