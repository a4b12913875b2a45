//! Memory does not grow with time.

use crate::measure::{
    AgentIndex, Collector, POINTS_MAX,
    simulate::{Fate, Shape, mix, reports},
};
use mallard_protocol::{interval::IntervalReport, schedule::PhaseKind};

/// One agent for so long, with expectations over windows and a slope.
fn lasting(seconds: u64, rate_per_s: f64) -> Shape {
    Shape {
        agents: 1,
        rate_per_s: Some(rate_per_s),
        phases: vec![
            ("hold", PhaseKind::Hold, seconds * 1_000_000),
            ("drain", PhaseKind::Drain, 10_000_000),
        ],
        expect: vec![
            "produce.response.p99 < 1s in every 1m",
            "end_to_end.p99 of every partition < 1s in every 10m",
            "produce.service.p50 slope per hour < 1ms",
        ],
        ..Shape::default()
    }
}

/// What a collector holds later is what it held before, but for the points of the partitions' series.
#[track_caller]
fn assert_no_growth(before: usize, after: usize) {
    let points = usize::try_from(POINTS_MAX).unwrap() * 5 * 200;
    assert!(after < before + points + before / 4, "{before} became {after}");
}

/// Ten hours of intervals by simulated time: what the collector holds afterwards is what it held after
/// the first hour, but for the points of the partitions' series, of which there are 120 at most.
#[test]
fn a_soak_holds_no_more_than_its_first_hour() {
    let hours = 10_u64;
    let plan = lasting(hours * 3_600, 2.0).plan();
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
    assert_no_growth(sizes[0], sizes[9]);
    assert_eq!(collector.waiting(), 0);
    let measured = collector.conclude(&Default::default());
    assert!(measured.partition_series.len() as u64 <= POINTS_MAX * 4);
    assert_eq!(measured.judged[0].windows, hours * 60);
}

/// A million intervals, eleven days and a half.
const INTERVALS: u64 = 1_000_000;

#[test]
fn a_million_intervals_hold_no_more_than_the_first_ten_thousand() {
    // One record a partition in every interval, so that one interval is like another.
    let brief = Shape { expect: Vec::new(), ..lasting(2, 4.0) };
    let (agent, first) = reports(&brief.plan(), |_, _| Fate::default()).remove(0);
    let mut collector = Collector::new(&lasting(INTERVALS, 4.0).plan());
    let mut sizes = Vec::new();
    for at in 0..INTERVALS {
        collector.interval(agent, &later(&first, at)).unwrap();
        if at == 10_000 || at + 1 == INTERVALS {
            sizes.push(format!("{collector:?}").len());
        }
    }
    assert_no_growth(sizes[0], sizes[1]);
    assert_eq!(collector.waiting(), 0);
    let measured = collector.conclude(&Default::default());
    assert_eq!(measured.accounts_whole.acked, INTERVALS * 4);
    assert!(measured.partition_series.len() as u64 <= POINTS_MAX * 4);
}

/// The first interval as the one at this place: the same records, later and after more of them.
fn later(first: &IntervalReport, at: u64) -> IntervalReport {
    let mut report = first.clone();
    let length_us = first.end_us - first.start_us;
    report.sequence = at;
    (report.start_us, report.end_us) = (at * length_us, (at + 1) * length_us);
    let so_far = at + 1;
    let totals = &mut report.producers[0].totals;
    for sum in [&mut totals.scheduled, &mut totals.sent, &mut totals.acked] {
        *sum *= so_far;
    }
    report.consumers[0].totals.received *= so_far;
    let positions = report.consumers[0].positions.iter_mut();
    for position in positions.chain(&mut report.end_offsets) {
        position.offset *= so_far.cast_signed();
    }
    let service_us = 500 + mix(at) % 5_000;
    let slices = report.producers[0].slices.iter_mut();
    for part in slices.flat_map(|slice| &mut slice.partitions) {
        part.service.clear();
        part.service.record_n(service_us, part.acked);
        part.response.clear();
        part.response.record_n(service_us + 50, part.acked);
    }
    report
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
