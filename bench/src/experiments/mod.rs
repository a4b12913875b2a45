//! What is compared, and who takes part.

mod consume;
mod experiment;
mod latency;
mod paced;
mod produce;
mod stall;

use crate::{access::Listener, options::Name, tools};
use anyhow::Result;

pub(crate) use experiment::{Bench, Contestant, Experiment, Kind, Outcome, Scale};

impl Experiment {
    /// Prepares an experiment.
    pub(crate) fn prepare(name: Name, bench: &Bench) -> Result<Self> {
        let mut experiment = match name {
            Name::Produce100 => produce::experiment(name, 100),
            Name::Produce1k => produce::experiment(name, 1024),
            Name::Consume100 | Name::ConsumeStamped => consume::experiment(name, bench)?,
            Name::Paced => paced::experiment(name, 20_000, &bench.options),
            Name::Paced200k => paced::experiment(name, 200_000, &bench.options),
            Name::Latency => latency::experiment(name, Listener::Plaintext, bench),
            Name::LatencySsl => latency::experiment(name, Listener::Ssl, bench),
            Name::LatencySaslSsl => latency::experiment(name, Listener::SaslSsl, bench),
            Name::Stall | Name::Stall100 => stall::experiment(name, bench)?,
        };
        if bench.options.peers_only {
            experiment
                .contestants
                .retain(|contestant| !contestant.tool.starts_with(tools::MALLARD));
        }
        Ok(experiment)
    }
}
