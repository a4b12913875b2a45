//! What a comparison is made of, and how its contestants take turns.

use crate::{
    arithmetic::Standstill,
    broker::Broker,
    mallard::Mallard,
    options::{Name, Options},
    peers::{franz_go::FranzGo, java_loop::JavaLoop, rdkafka::Rdkafka},
    sample::Sample,
};
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// Everything that a measurement needs.
#[derive(Debug)]
pub(crate) struct Bench {
    /// What was asked for.
    pub(crate) options: Options,
    /// Whom everybody talks to.
    pub(crate) broker: Broker,
    /// Mallard.
    pub(crate) mallard: Mallard,
    /// librdkafka's program.
    pub(crate) rdkafka: Rdkafka,
    /// The Go program.
    pub(crate) franz_go: FranzGo,
    /// The Java program.
    pub(crate) java_loop: JavaLoop,
}

impl Bench {
    /// Gives a producer a topic of its own, and checks afterwards that as many records stand there as
    /// it says that it has sent.
    pub(super) fn on_fresh_topic(
        &self,
        scale: Scale,
        produce: impl FnOnce(&str) -> Result<Sample>,
    ) -> Result<Sample> {
        let topic = format!("bench-{}-{}", scale.turn, std::process::id());
        self.broker.create_topic(&topic, false)?;
        let sample = produce(&topic)?;
        let written = self.broker.written(&topic)?;
        anyhow::ensure!(
            written == sample.cpu_records,
            "{} says {} records, the broker has {written}",
            sample.tool,
            sample.cpu_records
        );
        self.broker.delete_topic(&topic)?;
        Ok(sample)
    }
}

/// How much a contestant is asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// For those that take a time.
    pub(crate) seconds: u64,
    /// For those that take a number of records.
    pub(crate) records: u64,
    /// Distinguishes names of topics and groups.
    pub(crate) turn: usize,
}

/// What an experiment's figures are about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// How fast it goes.
    Speed,
    /// How exactly a rate is kept and at what cost.
    Pacing {
        /// The rate that is aimed at.
        rate_per_s: u64,
    },
    /// How long records wait at a rate that is easy for everybody.
    Latency,
    /// What is reported of a standstill, and what is true.
    Stall(Standstill),
}

pub(crate) type Measure = Box<dyn Fn(&Bench, Scale) -> Result<Sample>>;

/// Somebody who takes part.
pub(crate) struct Contestant {
    pub(super) tool: &'static str,
    pub(super) measure: Measure,
}

impl Contestant {
    pub(super) fn new(
        tool: &'static str,
        measure: impl Fn(&Bench, Scale) -> Result<Sample> + 'static,
    ) -> Self {
        Self { tool, measure: Box::new(measure) }
    }

    fn measured(&self, bench: &Bench, scale: Scale) -> Result<Sample> {
        let before = bench.broker.cpu_s()?;
        let sample = (self.measure)(bench, scale)?;
        Ok(Sample { broker_cpu_s: bench.broker.cpu_s()? - before, ..sample })
    }
}

/// A comparison.
pub(crate) struct Experiment {
    /// Its name on the command line.
    pub(crate) name: Name,
    /// Its title on pages.
    pub(crate) title: String,
    /// What its figures are about.
    pub(crate) kind: Kind,
    pub(super) contestants: Vec<Contestant>,
}

impl Experiment {
    /// Lets the contestants take turns.
    pub(crate) fn make(&self, bench: &Bench, say: &mut dyn FnMut(&str)) -> Result<Outcome> {
        let mut rates = BTreeMap::new();
        let mut rounds = Vec::new();
        let warm_ups = usize::from(self.kind == Kind::Speed && !bench.options.short);
        for round in 0..warm_ups + bench.options.rounds {
            let warming_up = round < warm_ups;
            let samples = self.round(bench, round, warming_up, &mut rates, say)?;
            if !warming_up {
                rounds.push(samples);
            }
        }
        let tools = self.contestants.iter().map(|contestant| contestant.tool).collect();
        Ok(Outcome { title: self.title.clone(), kind: self.kind, tools, rounds })
    }

    fn round(
        &self,
        bench: &Bench,
        round: usize,
        warming_up: bool,
        rates: &mut BTreeMap<&'static str, f64>,
        say: &mut dyn FnMut(&str),
    ) -> Result<Vec<Sample>> {
        let count = self.contestants.len();
        let mut samples = Vec::with_capacity(count);
        for turn in 0..count {
            let contestant = &self.contestants[(turn + round) % count];
            let seconds = if warming_up { WARM_UP_SECONDS } else { bench.options.seconds };
            let rate = rates.get(contestant.tool).copied().unwrap_or(FIRST_GUESS_PER_S);
            let scale =
                Scale { seconds, records: records(rate, seconds), turn: round * count + turn };
            let sample = contestant.measured(bench, scale).with_context(|| {
                format!("{} failed in {}, round {round}", contestant.tool, self.name.as_str())
            })?;
            rates.insert(contestant.tool, sample.rate_per_s);
            let round = if warming_up { "warm-up".to_owned() } else { format!("round {round}") };
            say(&format!(
                "{} {round}: {} {:.0}/s, {:.2} CPU s a million, broker {:.2}",
                self.name.as_str(),
                sample.tool,
                sample.rate_per_s,
                sample.cpu_s_per_million(),
                sample.broker_cpu_s_per_million(),
            ));
            samples.push(sample);
        }
        Ok(samples)
    }
}

/// An experiment that was made.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Its title.
    pub(crate) title: String,
    /// What its figures are about.
    pub(crate) kind: Kind,
    /// Who took part, Mallard first.
    pub(crate) tools: Vec<&'static str>,
    /// Samples by round.
    pub(crate) rounds: Vec<Vec<Sample>>,
}

/// How long each tool runs before the rounds that count: the broker's JVM compiles what it needs, and
/// tools that take a number of records learn how many fit into the time.
pub(super) const WARM_UP_SECONDS: u64 = 3;

/// Below what any of them does on any machine, so that the first run is short.
pub(super) const FIRST_GUESS_PER_S: f64 = 150_000.0;

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of records that fits into some seconds"
)]
pub(super) fn records(rate_per_s: f64, seconds: u64) -> u64 {
    (rate_per_s * seconds as f64) as u64
}
