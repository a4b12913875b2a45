//! From a load's steps to phases and schedules.

use crate::{
    clock::micros,
    config::shape::{Located, Reader, units::Rate},
    scenario::{Step, StepKind},
};
use mallard_protocol::schedule::{Pace, Phase, PhaseKind, Schedule, Segment, Timeline};
use std::time::Duration;

/// Longest run. A record's stamp counts microseconds, and agents keep some of them in 42 bits.
pub const LONGEST: Duration = Duration::from_secs(40 * 86_400);

/// How long consumers have to catch up where the scenario does not say.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(30);

/// Most steps of a load, and most segments of a schedule: a burst has two for each peak.
const STEP_LIMIT: usize = 1_000;
const SEGMENT_LIMIT: usize = 20_000;

/// The phases of a load. Notes what is wrong with the order of its steps.
pub(super) fn timeline(load: &Located<Vec<Step>>, reader: &mut Reader) -> Timeline {
    check_order(load, reader);
    let total: Duration =
        load.value.iter().fold(Duration::ZERO, |sum, step| sum.saturating_add(step.lasting));
    if total > LONGEST {
        reader.error(
            &load.anchor,
            "the load lasts longer than 40 days",
            "split it into several runs",
        );
    }
    let mut phases = Vec::new();
    let mut start_us = 0_u64;
    let kinds: Vec<_> = load.value.iter().map(|step| (step.phase(), step.lasting)).collect();
    let drain = (PhaseKind::Drain, DEFAULT_DRAIN);
    let appended = (kinds.last().map(|(kind, _)| *kind) != Some(PhaseKind::Drain)).then_some(drain);
    for (index, (kind, lasting)) in kinds.iter().chain(&appended).enumerate() {
        let same = |(other, _): &&(PhaseKind, Duration)| other == kind;
        let name = if kinds.iter().filter(same).count() > 1 {
            format!("{}-{}", kind.as_str(), kinds[..=index].iter().filter(same).count())
        } else {
            kind.as_str().to_owned()
        };
        let end_us = start_us.saturating_add(micros(*lasting));
        phases.push(Phase { name, kind: *kind, start_us, end_us });
        start_us = end_us;
    }
    Timeline(phases)
}

fn check_order(load: &Located<Vec<Step>>, reader: &mut Reader) {
    let steps = &load.value;
    if steps.len() > STEP_LIMIT {
        reader.error(&load.anchor, format!("the load has more than {STEP_LIMIT} steps"), "");
        return;
    }
    let drains: Vec<_> = steps.iter().filter(|s| s.phase() == PhaseKind::Drain).collect();
    if let Some(second) = drains.get(1) {
        reader.error(&second.at, "a second drain", "a load has one, at its end");
    } else if let Some(early) = drains.first().filter(|_| !is_drain(steps.last())) {
        reader.error(
            &early.at,
            "the drain is not the last step",
            "use `pause` for a break in the load",
        );
    }
    if !steps.iter().any(|step| step.phase().is_measured()) {
        let help =
            "add a `hold`, `ramp`, `burst` or `pause`: warm-up and drain are left out of results";
        reader.error(&load.anchor, "the load has no step that is measured", help);
    }
    let first_measured = steps.iter().position(|step| step.phase().is_measured());
    let late = |(index, step): &(usize, &Step)| {
        step.phase() == PhaseKind::WarmUp && first_measured.is_some_and(|first| *index > first)
    };
    for (_, step) in steps.iter().enumerate().filter(late) {
        let help = "put it first; what is measured is measured in one piece";
        reader.error(&step.at, "a warm-up after the load has begun", help);
    }
}

fn is_drain(step: Option<&Step>) -> bool {
    step.is_some_and(|step| step.phase() == PhaseKind::Drain)
}

/// A producer's schedule: its fraction of the steps' rates, bytes turned into records by the mean size
/// of its records.
pub(super) fn schedule(
    load: &Located<Vec<Step>>,
    fraction: f64,
    mean_record_bytes: f64,
    reader: &mut Reader,
) -> Option<Schedule> {
    let per_s = |rate: &Located<Rate>| match rate.value {
        Rate::Records(rate) => rate * fraction,
        Rate::Bytes(rate) => rate * fraction / mean_record_bytes.max(1.0),
        Rate::Max => 0.0,
    };
    let mut segments = Vec::new();
    let mut start_us = 0_u64;
    for step in &load.value {
        let end_us = start_us.saturating_add(micros(step.lasting));
        match &step.kind {
            StepKind::WarmUp(Some(rate)) | StepKind::Hold(Some(rate)) => {
                let pace = if rate.value == Rate::Max { Pace::Max } else { steady(per_s(rate)) };
                segments.push(Segment { start_us, end_us, pace });
            }
            StepKind::Ramp { from, to } => {
                let pace = Pace::Rate { from_per_s: per_s(from), to_per_s: per_s(to) };
                segments.push(Segment { start_us, end_us, pace });
            }
            StepKind::Burst { base, peak, every, peak_lasting } => {
                let period = micros(*every);
                let peaks = (end_us - start_us) / period;
                if segments.len() as u64 + 2 * peaks > SEGMENT_LIMIT as u64 {
                    let message =
                        format!("this burst has {peaks} peaks, too many for one schedule");
                    let help =
                        format!("allowed: {} in all; use a longer `every`", SEGMENT_LIMIT / 2);
                    reader.error(&step.at, message, help);
                    return None;
                }
                let shape = Peaks { period, lasting: micros(*peak_lasting) };
                shape.segments(start_us, end_us, per_s(base), per_s(peak), &mut segments);
            }
            StepKind::WarmUp(None) | StepKind::Hold(None) | StepKind::Pause | StepKind::Drain => {}
        }
        start_us = end_us;
    }
    Some(Schedule::new(segments))
}

fn steady(per_s: f64) -> Pace {
    Pace::Rate { from_per_s: per_s, to_per_s: per_s }
}

struct Peaks {
    period: u64,
    lasting: u64,
}

impl Peaks {
    /// Base and peaks in turn. A peak stands in the middle of its period; quiet stretches that meet are
    /// one segment; what the end cuts off is left out.
    fn segments(&self, start: u64, end: u64, base: f64, peak: f64, into: &mut Vec<Segment>) {
        let quiet = (self.period - self.lasting) / 2;
        let mut at = start;
        let mut period_start = start;
        while at < end {
            let peak_start = (period_start + quiet).min(end);
            let peak_end = (period_start + quiet + self.lasting).min(end);
            into.push(Segment { start_us: at, end_us: peak_start, pace: steady(base) });
            into.push(Segment { start_us: peak_start, end_us: peak_end, pace: steady(peak) });
            at = peak_end;
            period_start += self.period;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_stand_in_the_middle_of_their_periods() {
        let mut segments = Vec::new();
        Peaks { period: 10, lasting: 2 }.segments(100, 125, 1.0, 5.0, &mut segments);
        let stretches: Vec<_> = segments
            .iter()
            .filter(|s| s.end_us > s.start_us)
            .map(|s| (s.start_us, s.end_us, s.pace == steady(5.0)))
            .collect();
        assert_eq!(
            stretches,
            [
                (100, 104, false),
                (104, 106, true),
                (106, 114, false),
                (114, 116, true),
                (116, 124, false),
                (124, 125, true)
            ]
        );
    }
}
