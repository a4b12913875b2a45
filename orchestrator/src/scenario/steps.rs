//! The steps of a load.

use crate::{
    config::{
        shape::{
            Fields, Located, Shape,
            quantity::{rate, some_time},
            record, tagged,
            units::Rate,
        },
        source::Place,
        yaml::Node,
    },
    text::figures::humanly,
};
use mallard_protocol::schedule::PhaseKind;
use std::time::Duration;

/// A step of the load.
#[derive(Clone, Debug)]
pub struct Step {
    /// What happens.
    pub kind: StepKind,
    /// How long. Of a drain: at most.
    pub lasting: Duration,
    /// Where it is written.
    pub at: Place,
}

/// What happens in a step.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// A constant rate that is not measured.
    WarmUp(Option<Located<Rate>>),
    /// A constant rate.
    Hold(Option<Located<Rate>>),
    /// A rate that moves in a straight line.
    Ramp {
        /// At its start.
        from: Located<Rate>,
        /// At its end.
        to: Located<Rate>,
    },
    /// Peaks over a base rate, each in the middle of its period.
    Burst {
        /// Between peaks.
        base: Located<Rate>,
        /// In peaks.
        peak: Located<Rate>,
        /// From one peak's middle to the next one's.
        every: Duration,
        /// Length of a peak.
        peak_lasting: Duration,
    },
    /// Nothing is sent.
    Pause,
    /// Producers have stopped, consumers catch up.
    Drain,
}

impl Step {
    /// The phase that the step makes.
    #[must_use]
    pub fn phase(&self) -> PhaseKind {
        match self.kind {
            StepKind::WarmUp(_) => PhaseKind::WarmUp,
            StepKind::Hold(_) => PhaseKind::Hold,
            StepKind::Ramp { .. } => PhaseKind::Ramp,
            StepKind::Burst { .. } => PhaseKind::Burst,
            StepKind::Pause => PhaseKind::Pause,
            StepKind::Drain => PhaseKind::Drain,
        }
    }

    /// All rates that the step names.
    #[must_use]
    pub fn rates(&self) -> Vec<&Located<Rate>> {
        match &self.kind {
            StepKind::WarmUp(rate) | StepKind::Hold(rate) => rate.iter().collect(),
            StepKind::Ramp { from, to } => vec![from, to],
            StepKind::Burst { base, peak, .. } => vec![base, peak],
            StepKind::Pause | StepKind::Drain => Vec::new(),
        }
    }
}

/// A step of the scenario's load.
pub fn step() -> impl Shape<Value = Step> {
    own_step()
        .variant(
            "warm-up",
            "A constant rate that is left out of results and verdict.",
            record("a warm-up", warm_up),
        )
        .variant(
            "drain",
            "Producers stop, consumers catch up. The last step; one of 30s is added if there is none.",
            record("a drain", drain),
        )
}

/// A step of a producer's own load: warm-up and drain are the scenario's.
pub fn own_step() -> crate::config::shape::Tagged<Step> {
    tagged("a step")
        .variant("hold", "A constant rate.", record("a hold", hold))
        .variant("ramp", "A rate that moves in a straight line.", record("a ramp", ramp))
        .variant(
            "burst",
            "Peaks over a base rate. Every period begins and ends quiet, its peak is in the middle.",
            record("a burst", burst),
        )
        .variant("pause", "Nothing is sent, on purpose.", record("a pause", pause))
}

const RATE_DOC: &str =
    "Total rate in records (`5000/s`, `300/min`) or bytes (`50MB/s`); `max` is a closed loop.";
const FOR_DOC: &str = "How long.";

/// How long a step lasts that does not say so in a way that can be read: long enough for every window
/// of an expectation, short enough for every limit.
const STAND_IN: Duration = Duration::from_secs(86_400);

/// A rate for a step that has none that can be read.
fn some_rate(at: &Place) -> Located<Rate> {
    Located { value: Rate::Records(1.0), at: at.clone(), anchor: at.clone() }
}

/// A step in the place of one that cannot be read.
pub(super) fn stand_in(node: &Node) -> Step {
    let at = node.anchor().clone();
    Step { kind: StepKind::Hold(Some(some_rate(&at))), lasting: STAND_IN, at }
}

/// A load in the place of one that cannot be read.
pub(super) fn stand_in_load(at: &Place) -> Located<Vec<Step>> {
    let kind = StepKind::Hold(Some(some_rate(at)));
    let step = Step { kind, lasting: STAND_IN, at: at.clone() };
    Located { value: vec![step], at: at.clone(), anchor: at.clone() }
}

fn constant(fields: &mut Fields<'_>) -> (Option<Located<Rate>>, Duration, Place) {
    let rate = fields.optional("rate", RATE_DOC, rate(true).located());
    let lasting = fields.required("for", FOR_DOC, some_time());
    let at = fields.at();
    (rate.unwrap_or_else(|| Some(some_rate(&at))), lasting.unwrap_or(STAND_IN), at)
}

fn warm_up(fields: &mut Fields<'_>) -> Option<Step> {
    let (rate, lasting, at) = constant(fields);
    Some(Step { kind: StepKind::WarmUp(rate), lasting, at })
}

fn hold(fields: &mut Fields<'_>) -> Option<Step> {
    let (rate, lasting, at) = constant(fields);
    Some(Step { kind: StepKind::Hold(rate), lasting, at })
}

fn ramp(fields: &mut Fields<'_>) -> Option<Step> {
    let from = fields.required("from", "Rate at the start.", rate(false).located());
    let to = fields.required("to", "Rate at the end.", rate(false).located());
    let lasting = fields.required("for", FOR_DOC, some_time());
    let at = fields.at();
    if let (Some(from), Some(to)) = (&from, &to) {
        same_unit(fields, from, to);
    }
    let or_some = |rate: Option<_>| rate.unwrap_or_else(|| some_rate(&at));
    let kind = StepKind::Ramp { from: or_some(from), to: or_some(to) };
    Some(Step { kind, lasting: lasting.unwrap_or(STAND_IN), at })
}

fn burst(fields: &mut Fields<'_>) -> Option<Step> {
    let base = fields.required("base", "Rate between peaks.", rate(false).located());
    let peak = fields.required("peak", "Rate in peaks.", rate(false).located());
    let every = fields.required("every", "Length of a period.", some_time());
    let peak_lasting = fields.required("lasting", "Length of a peak.", some_time());
    let lasting = fields.required("for", FOR_DOC, some_time());
    let at = fields.at();
    if let (Some(base), Some(peak)) = (&base, &peak) {
        same_unit(fields, base, peak);
    }
    let or_some = |rate: Option<_>| rate.unwrap_or_else(|| some_rate(&at));
    let (base, peak) = (or_some(base), or_some(peak));
    let (every, peak_lasting, lasting) = match (every, peak_lasting, lasting) {
        (Some(every), Some(peak_lasting), Some(lasting)) => (every, peak_lasting, lasting),
        _ => (STAND_IN, STAND_IN / 2, STAND_IN),
    };
    if peak_lasting >= every {
        let at = fields.place_of("lasting").unwrap_or_else(|| at.clone());
        let help = format!("`lasting` must be shorter than `every` ({})", humanly(every));
        fields.error(&at, "the peaks leave no time between them", help);
    } else if (every - peak_lasting) / 2 >= lasting {
        let at = fields.place_of("for").unwrap_or_else(|| at.clone());
        let help = format!("the first peak begins after {}", humanly((every - peak_lasting) / 2));
        fields.error(&at, "the burst ends before its first peak", help);
    }
    let peak_lasting = peak_lasting.min(every);
    Some(Step { kind: StepKind::Burst { base, peak, every, peak_lasting }, lasting, at })
}

fn same_unit(fields: &mut Fields<'_>, a: &Located<Rate>, b: &Located<Rate>) {
    if std::mem::discriminant(&a.value) != std::mem::discriminant(&b.value) {
        let message = "one rate is in records and the other in bytes";
        fields.error(&b.at, message, "use one unit in a step");
    }
}

fn pause(fields: &mut Fields<'_>) -> Option<Step> {
    let lasting = fields.required("for", FOR_DOC, some_time());
    let lasting = lasting.unwrap_or(STAND_IN);
    Some(Step { kind: StepKind::Pause, lasting, at: fields.at() })
}

fn drain(fields: &mut Fields<'_>) -> Option<Step> {
    let within = fields.required("within", "How long consumers have to catch up.", some_time());
    let lasting = within.unwrap_or(STAND_IN);
    Some(Step { kind: StepKind::Drain, lasting, at: fields.at() })
}
