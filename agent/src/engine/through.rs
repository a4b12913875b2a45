//! What a consumer sees of a foreign pipeline's output: which input each record comes from, and when
//! that was due. What it means is for the controller to say.

use super::clock::NEVER;
use mallard_protocol::{
    ids::InstanceId,
    interval::{Sightings, ThroughInterval},
    mark::Mark,
    stamp::Stamp,
    workload::{Matching, ThroughSource, ThroughSpec},
};
use std::collections::{BTreeMap, HashMap};

/// Matches records with inputs, and counts the matches of an interval.
pub(crate) struct Through {
    run: u32,
    /// Names from the value's top to the field; empty where the stamp tells.
    path: Vec<String>,
    sources: HashMap<InstanceId, ThroughSource>,
    /// By producer and part: how often each sequence was seen.
    seen: HashMap<(InstanceId, u16), BTreeMap<u64, u32>>,
    unmatched: u64,
}

impl Through {
    /// Nothing seen yet.
    pub(crate) fn new(spec: &ThroughSpec, run: u32) -> Self {
        let path = match &spec.matching {
            Matching::Header => Vec::new(),
            Matching::Field(path) => path.split('.').map(str::to_owned).collect(),
        };
        let sources = spec.sources.iter().map(|source| (source.instance, source.clone()));
        Self { run, path, sources: sources.collect(), seen: HashMap::new(), unmatched: 0 }
    }

    /// Notes a record: when its input was due, or [`NEVER`] if it matches none.
    pub(crate) fn note(&mut self, stamp: Option<Stamp>, payload: &[u8]) -> u64 {
        let found = if self.path.is_empty() { self.by_stamp(stamp) } else { self.by_mark(payload) };
        let Some((instance, sequence, part, due_us)) = found else {
            self.unmatched += 1;
            return NEVER;
        };
        *self.seen.entry((instance, part)).or_default().entry(sequence).or_default() += 1;
        due_us.min(NEVER - 1)
    }

    fn by_stamp(&self, stamp: Option<Stamp>) -> Option<(InstanceId, u64, u16, u64)> {
        let stamp = stamp.filter(|stamp| stamp.run == self.run)?;
        let known = self.sources.contains_key(&stamp.instance);
        known.then_some((stamp.instance, stamp.sequence, 0, stamp.due_us))
    }

    fn by_mark(&self, payload: &[u8]) -> Option<(InstanceId, u64, u16, u64)> {
        let value: serde_json::Value = serde_json::from_slice(payload).ok()?;
        let field = self.path.iter().try_fold(&value, |value, name| value.get(name))?;
        let mark = Mark::from_text(field.as_str()?).filter(|mark| mark.run == self.run)?;
        let source = self.sources.get(&mark.instance)?;
        let record = mark.sequence.checked_mul(source.stride.into())?;
        let due_us = source.schedule.due_us(record.checked_add(source.offset.into())?)?;
        Some((mark.instance, mark.sequence, mark.part, due_us))
    }

    /// The part of an interval that has ended.
    pub(crate) fn close(&mut self) -> ThroughInterval {
        let mut sightings: Vec<_> = self
            .seen
            .drain()
            .map(|((instance, part), counts)| Sightings { instance, part, runs: runs(counts) })
            .collect();
        sightings.sort_by_key(|of| (of.instance, of.part));
        ThroughInterval { sightings, unmatched: std::mem::take(&mut self.unmatched) }
    }
}

/// Neighbours that were seen equally often, put together: first sequence, how many, how often.
fn runs(counts: BTreeMap<u64, u32>) -> Vec<(u64, u64, u32)> {
    let mut runs: Vec<(u64, u64, u32)> = Vec::new();
    for (sequence, times) in counts {
        match runs.last_mut() {
            Some((first, length, same)) if *first + *length == sequence && *same == times => {
                *length += 1;
            }
            _ => runs.push((sequence, 1, times)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::schedule::{Pace, Schedule, Segment};

    fn through(matching: Matching) -> Through {
        let pace = Pace::Rate { from_per_s: 1_000.0, to_per_s: 1_000.0 };
        let schedule = Schedule::new([Segment { start_us: 0, end_us: 1_000_000, pace }]);
        let source = ThroughSource { instance: InstanceId(2), schedule, stride: 2, offset: 1 };
        Through::new(&ThroughSpec { matching, sources: vec![source], outputs: None }, 7)
    }

    fn row(sequence: u64, part: u16) -> String {
        format!(r#"{{"row": {{"sample_id": "00000007-0002-{sequence:012x}-{part:04x}"}}}}"#)
    }

    #[test]
    fn a_field_tells_the_input_and_the_schedule_when_it_was_due() {
        let mut through = through(Matching::Field("row.sample_id".into()));
        let due_us: Vec<_> = [(3, 0), (4, 0), (3, 1), (4, 0)]
            .map(|(s, p)| through.note(None, row(s, p).as_bytes()))
            .into();
        let source = &through.sources[&InstanceId(2)];
        let at = |record| source.schedule.due_us(record).unwrap();
        assert_eq!(due_us, [at(7), at(9), at(7), at(9)]);
        // Somebody else's run, a record beyond the schedule, no mark, no JSON.
        let foreign = row(3, 0).replace("00000007", "00000008");
        for other in [foreign, row(9_999, 0), r#"{"row": 1}"#.to_owned(), "x".to_owned()] {
            assert_eq!(through.note(None, other.as_bytes()), NEVER, "{other}");
        }
        let closed = through.close();
        let first =
            Sightings { instance: InstanceId(2), part: 0, runs: vec![(3, 1, 1), (4, 1, 2)] };
        let second = Sightings { instance: InstanceId(2), part: 1, runs: vec![(3, 1, 1)] };
        assert_eq!(closed, ThroughInterval { sightings: vec![first, second], unmatched: 4 });
        assert_eq!(through.close(), ThroughInterval::default());
    }

    #[test]
    fn a_stamp_tells_both_and_neighbours_are_put_together() {
        let mut through = through(Matching::Header);
        for sequence in 10..15 {
            let stamp = Stamp { run: 7, instance: InstanceId(2), sequence, due_us: 40 + sequence };
            assert_eq!(through.note(Some(stamp), b""), 40 + sequence);
        }
        let other = Stamp { run: 7, instance: InstanceId(3), sequence: 0, due_us: 1 };
        assert_eq!(through.note(Some(other), b""), NEVER);
        assert_eq!(through.note(None, b""), NEVER);
        let closed = through.close();
        assert_eq!((closed.sightings[0].runs.clone(), closed.unmatched), (vec![(10, 5, 1)], 2));
    }
}
