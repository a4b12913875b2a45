//! What the command line asks for.

use anyhow::{Context, Result, bail};

/// The text of `--help`.
pub(crate) const HELP: &str = "\
Usage: bench/run [--rounds N] [--seconds N] [--only NAME,…] [--peers-only] [--short]

Starts a Kafka broker whose log lies in memory, builds the peers, lets Mallard and the peers take turns
on it, and prints how they compare. Writes target/bench/bench.md and target/bench/bench.html.

  --rounds N     rounds to measure after a round that only warms up (default 5)
  --seconds N    how long each measurement at full speed lasts, about (default 10); paced ones last
                 six times as long, and at least 20 s; latency is measured for twice as long
  --only NAMES   only these experiments: produce-100, produce-1k, consume-100,
                 consume-stamped, paced, paced-200k, latency, latency-ssl, latency-sasl-ssl, stall,
                 stall-100
  --peers-only   leaves Mallard out, to look at the peers and at the machine
  --short        one round of a second or two each, to see that everything works; not for figures
  --help         this text
";

/// An experiment's name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// Producing records of 100 B at full speed.
    Produce100,
    /// Producing records of 1 KiB at full speed.
    Produce1k,
    /// Consuming records of 100 B at full speed.
    Consume100,
    /// Consuming a backlog of stamped records.
    ConsumeStamped,
    /// Producing 20,000 records a second.
    Paced,
    /// Producing 200,000 records a second.
    Paced200k,
    /// Latency at 2,000 records a second, without TLS.
    Latency,
    /// The same over TLS.
    LatencySsl,
    /// The same over TLS with a login.
    LatencySaslSsl,
    /// A broker that is stopped for a while, behind a small buffer.
    Stall,
    /// The same behind the client's default buffer, records of 100 B.
    Stall100,
}

impl Name {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 11] = [
        Self::Produce100,
        Self::Produce1k,
        Self::Consume100,
        Self::ConsumeStamped,
        Self::Paced,
        Self::Paced200k,
        Self::Latency,
        Self::LatencySsl,
        Self::LatencySaslSsl,
        Self::Stall,
        Self::Stall100,
    ];

    /// As it is written on the command line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Produce100 => "produce-100",
            Self::Produce1k => "produce-1k",
            Self::Consume100 => "consume-100",
            Self::ConsumeStamped => "consume-stamped",
            Self::Paced => "paced",
            Self::Paced200k => "paced-200k",
            Self::Latency => "latency",
            Self::LatencySsl => "latency-ssl",
            Self::LatencySaslSsl => "latency-sasl-ssl",
            Self::Stall => "stall",
            Self::Stall100 => "stall-100",
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Rounds that count.
    pub(crate) rounds: usize,
    /// Length of a measurement at full speed.
    pub(crate) seconds: u64,
    /// What to measure.
    pub(crate) only: Vec<Name>,
    /// Leave Mallard out.
    pub(crate) peers_only: bool,
    /// Only to see that it works.
    pub(crate) short: bool,
    /// Only to say how it is used.
    pub(crate) help: bool,
}

impl Options {
    /// Reads the arguments after the program's name.
    pub(crate) fn read(args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            rounds: 5,
            seconds: 10,
            only: Name::ALL.to_vec(),
            peers_only: false,
            short: false,
            help: false,
        };
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--rounds" => options.rounds = at_least_one(&arg, &value()?)?,
                "--seconds" => options.seconds = at_least_one(&arg, &value()?)?,
                "--only" => options.only = names(&value()?)?,
                "--peers-only" => options.peers_only = true,
                "--short" => options.short = true,
                "--help" | "-h" => options.help = true,
                _ => bail!("unknown argument {arg}; --help tells what there is"),
            }
        }
        if options.short {
            // What is left out differs from what stays only by a number, or has less of it.
            let like_others = [Name::Paced200k, Name::Latency, Name::LatencySsl];
            options.only.retain(|name| !like_others.contains(name));
            (options.rounds, options.seconds) = (1, 1);
        }
        Ok(options)
    }

    /// How long latency is measured for, in seconds.
    pub(crate) fn latency_seconds(&self) -> u64 {
        2 * self.seconds
    }

    /// How long a paced measurement lasts, in seconds.
    pub(crate) fn paced_seconds(&self) -> u64 {
        if self.short { 2 } else { (6 * self.seconds).max(20) }
    }
}

fn at_least_one<T: std::str::FromStr + PartialOrd + From<u8>>(arg: &str, text: &str) -> Result<T> {
    let number = text.parse().ok().filter(|number| *number >= T::from(1));
    number.with_context(|| format!("{arg} takes a whole number from 1 on, not {text}"))
}

fn names(text: &str) -> Result<Vec<Name>> {
    let find = |word: &str| {
        let known = || Name::ALL.map(Name::as_str).join(", ");
        let found = Name::ALL.into_iter().find(|name| name.as_str() == word);
        found.with_context(|| format!("no experiment {word}; there are {}", known()))
    };
    text.split(',').map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Options> {
        Options::read(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn experiments_are_chosen_by_name() {
        let options = read(&["--only", "stall,produce-1k", "--rounds", "3"]).unwrap();
        assert_eq!(options.only, [Name::Stall, Name::Produce1k]);
        assert_eq!(options.rounds, 3);
    }

    #[test]
    fn a_mistake_is_named_with_what_is_allowed() {
        let message = |args: &[&str]| read(args).unwrap_err().to_string();
        assert!(
            message(&["--only", "stal"]).starts_with("no experiment stal; there are produce-100")
        );
        assert_eq!(message(&["--rounds", "0"]), "--rounds takes a whole number from 1 on, not 0");
        assert_eq!(message(&["--seconds"]), "--seconds needs a value");
        assert!(message(&["--shrot"]).contains("--help"));
    }

    #[test]
    fn a_short_run_is_one_round() {
        let options = read(&["--short"]).unwrap();
        assert_eq!((options.rounds, options.seconds, options.paced_seconds()), (1, 1, 2));
        assert!(!options.only.contains(&Name::Paced200k));
        assert!(options.only.contains(&Name::LatencySaslSsl));
    }
}
