//! The stretches of the run's clock that count, laid end to end.

use mallard_protocol::schedule::{Phase, Timeline};

/// Stretches in order, without overlaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<(u64, u64)>);

impl Spans {
    /// The measured phases.
    #[must_use]
    pub fn measured(timeline: &Timeline) -> Self {
        Self::of(timeline, |phase| phase.kind.is_measured())
    }

    /// The phases that are picked; neighbours become one stretch.
    #[must_use]
    pub fn of(timeline: &Timeline, pick: impl Fn(&Phase) -> bool) -> Self {
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for phase in timeline.0.iter().filter(|phase| pick(phase)) {
            match spans.last_mut() {
                Some(last) if last.1 == phase.start_us => last.1 = phase.end_us,
                _ => spans.push((phase.start_us, phase.end_us)),
            }
        }
        Self(spans)
    }

    /// One stretch.
    #[cfg(test)]
    pub(crate) fn between(from_us: u64, to_us: u64) -> Self {
        Self(vec![(from_us, to_us)])
    }

    /// Whether a stretch of time has a part in these.
    #[must_use]
    pub fn meet(&self, from_us: u64, to_us: u64) -> bool {
        self.0.iter().any(|(start, end)| *start < to_us && from_us < *end)
    }

    /// Ends all stretches at a moment.
    pub fn end_at(&mut self, at_us: u64) {
        self.0.retain(|(start, _)| *start < at_us);
        if let Some((_, end)) = self.0.last_mut() {
            *end = (*end).min(at_us);
        }
    }

    /// Length of all stretches together.
    #[must_use]
    pub fn total_us(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// Whether a moment lies in a stretch.
    #[must_use]
    pub fn contains(&self, at_us: u64) -> bool {
        self.0.iter().any(|(start, end)| (*start..*end).contains(&at_us))
    }

    /// How much of the stretches lies before a moment.
    #[must_use]
    pub fn before(&self, at_us: u64) -> u64 {
        self.0.iter().map(|(start, end)| at_us.clamp(*start, *end) - start).sum()
    }

    /// The moment that has this much of the stretches before it: of two, where a stretch ends and
    /// the next one begins later, the end if `ends`, else the beginning.
    #[must_use]
    pub fn moment(&self, offset_us: u64, ends: bool) -> u64 {
        let mut left = offset_us;
        for (start, end) in &self.0 {
            let length = end - start;
            if left < length || (ends && left == length) {
                return start + left;
            }
            left -= length;
        }
        self.0.last().map_or(0, |(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::schedule::PhaseKind;

    fn spans() -> Spans {
        let phase = |kind, start_us, end_us| Phase { name: String::new(), kind, start_us, end_us };
        Spans::measured(&Timeline(vec![
            phase(PhaseKind::WarmUp, 0, 10),
            phase(PhaseKind::Hold, 10, 30),
            phase(PhaseKind::Ramp, 30, 40),
            phase(PhaseKind::WarmUp, 40, 50),
            phase(PhaseKind::Hold, 50, 60),
            phase(PhaseKind::Drain, 60, 90),
        ]))
    }

    #[test]
    fn offsets_and_moments_are_inverse() {
        let spans = spans();
        assert_eq!(spans, Spans(vec![(10, 40), (50, 60)]));
        assert_eq!(spans.total_us(), 40);
        for offset in 0..40 {
            assert_eq!(spans.before(spans.moment(offset, false)), offset);
            assert_eq!(spans.before(spans.moment(offset, true)), offset);
        }
        assert_eq!((spans.moment(30, true), spans.moment(30, false)), (40, 50));
        assert_eq!(spans.before(5), 0);
        assert_eq!(spans.before(70), 40);
        assert!(spans.contains(10) && !spans.contains(40));
    }

    #[test]
    fn a_load_that_ends_early_ends_its_stretches() {
        let ended_at = |at_us| {
            let mut spans = spans();
            spans.end_at(at_us);
            spans
        };
        assert_eq!(ended_at(90), spans());
        assert_eq!(ended_at(55), Spans(vec![(10, 40), (50, 55)]));
        assert_eq!(ended_at(50), Spans(vec![(10, 40)]));
        assert_eq!(ended_at(12), Spans(vec![(10, 12)]));
        assert_eq!(ended_at(10), Spans(vec![]));
    }
}
