//! `mallard generate`: payloads to a file, to standard output, or to a topic.

mod output;
mod to_topic;

use super::{Outcome, run::chain};
use crate::{
    config::shape::units,
    model::exit_code,
    run::signals::{self, Stops},
};
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mallard_health::{
    Config, Defect, Encoding, HealthDataLoadGenerator, InvalidShares, Payload,
    encode::{Encoder, container::Container},
};
use output::{Ended, Output};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use tokio::sync::watch;

/// Payloads that are made between two looks at the signals.
const BATCH: u64 = 256;

/// Millionths in the whole.
const WHOLE: f64 = 1e6;

/// `mallard generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Of what kind.
    #[command(subcommand)]
    pub kind: Kind,
}

/// Kinds of payloads.
#[derive(Debug, Subcommand)]
pub enum Kind {
    /// Health data, as wearables send it
    Health(HealthArgs),
}

/// How payloads are written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON array
    Json,
    /// One JSON object a line
    Ndjson,
    /// An Avro object container file; to a topic, Avro without a header
    Avro,
}

/// `mallard generate health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// How many payloads
    #[arg(long, value_name = "N", required_unless_present = "lasting")]
    pub payloads: Option<u64>,
    /// Samples in a payload
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub samples: u32,
    /// Number of users
    #[arg(long, value_name = "U", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub users: u32,
    /// Number of devices [default: half as many as users]
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..))]
    pub devices: Option<u32>,
    /// Payloads a second, in their own times and, to a topic, in real time [default: 1 in their own
    /// times, 1000 to a topic]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rate: Option<u32>,
    /// How long such a rate lasts, instead of --payloads: `60s`, `5m`
    #[arg(long = "for", id = "lasting", value_name = "TIME", value_parser = duration, conflicts_with = "payloads")]
    pub lasting: Option<Duration>,
    /// The time of the first payload, RFC 3339 [default: 2025-11-15T10:00:00Z]
    #[arg(long, value_name = "TIME")]
    pub start: Option<Timestamp>,
    /// The same seed makes the same payloads
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=u64::from(u32::MAX)))]
    pub seed: u64,
    /// How payloads are written
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    pub format: Format,
    /// Share of payloads that are invalid, such as `1%`, dealt evenly to all classes; `CLASS=1%` for
    /// one class, may be repeated
    #[arg(long, value_name = "[CLASS=]SHARE", value_parser = invalid)]
    pub invalid: Vec<(Option<Defect>, u32)>,
    /// The file, which is there whole or not at all; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-", conflicts_with = "topic")]
    pub out: PathBuf,
    /// An existing topic. Agents send; the run is archived like any other
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// A schema registry, for Avro in Confluent's wire format with the id that it gives to the schema
    #[arg(long, value_name = "URL", requires = "topic")]
    pub registry: Option<String>,
    /// Its user, whose password is in MALLARD_REGISTRY_PASSWORD
    #[arg(long, value_name = "NAME", requires = "registry")]
    pub registry_user: Option<String>,
    /// Headers that say of every record what its payload is
    #[arg(long, requires = "topic")]
    pub headers: bool,
    /// Where Kafka and the agents' hosts are
    #[arg(long, value_name = "FILE", requires = "topic")]
    pub cluster: Option<PathBuf>,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "results", requires = "topic")]
    pub results: PathBuf,
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).map_err(|wrong| wrong.message)
}

fn invalid(text: &str) -> Result<(Option<Defect>, u32), String> {
    let (class, share) = text.rsplit_once('=').map_or((None, text), |(c, s)| (Some(c), s));
    let share = units::share(share).map_err(|wrong| wrong.message)?;
    let defect = class.map(|class| {
        let names: Vec<_> = Defect::ALL.iter().map(|defect| defect.name()).collect();
        let unknown = || format!("there is no class `{class}`: take one of {}", names.join(", "));
        Defect::from_name(class).ok_or_else(unknown)
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is from 0 to 1"
    )]
    let millionths = (share * WHOLE).round() as u32;
    Ok((defect.transpose()?, millionths))
}

/// Makes payloads.
pub(super) fn generate(args: &GenerateArgs) -> Outcome {
    let Kind::Health(args) = &args.kind;
    if args.topic.is_some() {
        return to_topic::generate(args);
    }
    let config = match config(args) {
        Ok(config) => config,
        Err(reason) => return Outcome::failed(exit_code::USAGE, format!("error: {reason}\n")),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let stops = signals::listen()?;
            write(args, config, &stops).await
        })
    });
    match ended {
        Ok(Ended::Whole | Ended::NobodyReads) => Outcome::ok(String::new()),
        Ok(Ended::Interrupted) => {
            Outcome::failed(exit_code::INTERRUPTED, "interrupted: no file was written\n".to_owned())
        }
        Err(cause) => Outcome::failed(
            exit_code::ERROR,
            format!("error: {}: {}\n", args.out.display(), chain(&cause)),
        ),
    }
}

impl HealthArgs {
    /// How many payloads are made.
    fn count(&self, rate: u32) -> u64 {
        let by_rate = |lasting: Duration| {
            u64::try_from(lasting.as_nanos() * u128::from(rate) / 1_000_000_000).unwrap_or(u64::MAX)
        };
        self.payloads.or(self.lasting.map(by_rate)).unwrap_or(0)
    }

    /// From one payload's own time to the next one's, wherever payloads go.
    fn step_us(&self) -> u64 {
        1_000_000 / u64::from(self.rate.unwrap_or(1))
    }

    /// Which payloads are invalid. What is said of a class several times is added up.
    fn invalid_shares(&self) -> Result<InvalidShares, String> {
        // A payload that is cut off would spoil a file that is one whole.
        let possible = |defect: &Defect| {
            *defect != Defect::Undecodable || self.topic.is_some() || self.format == Format::Ndjson
        };
        let classes: Vec<_> = Defect::ALL.into_iter().filter(possible).collect();
        let mut parts: BTreeMap<Defect, u32> = BTreeMap::new();
        let mut add = |defect, share| {
            let part = parts.entry(defect).or_default();
            *part = part.saturating_add(share);
        };
        for (defect, share) in &self.invalid {
            match defect {
                Some(defect) if !possible(defect) => {
                    return Err(format!(
                        "class `{defect}` needs `--format ndjson`: a payload that is cut off would spoil the file"
                    ));
                }
                Some(defect) => add(*defect, *share),
                None => {
                    let evenly = InvalidShares::evenly(*share, &classes)?;
                    evenly.parts().for_each(|(defect, part)| add(defect, part));
                }
            }
        }
        InvalidShares::new(parts)
    }
}

fn config(args: &HealthArgs) -> Result<Config, String> {
    let default = Config::default();
    let config = Config {
        users: args.users,
        devices: args.devices.unwrap_or_else(|| args.users.div_ceil(2)),
        samples: args.samples,
        invalid: args.invalid_shares()?,
        start_ms: args.start.map_or(default.start_ms, Timestamp::as_millisecond),
        step_us: args.step_us(),
        seed: args.seed,
        // Files of different seeds have no id in common; of the same seed they are the same.
        run: u32::try_from(args.seed).unwrap_or(u32::MAX),
        ..default
    };
    config.check().map_err(|error| error.to_string())?;
    Ok(config)
}

/// A file's form around its payloads.
enum Form {
    Array(Encoder),
    Lines(Encoder),
    Container(Container),
}

async fn write(
    args: &HealthArgs,
    config: Config,
    stops: &watch::Receiver<Stops>,
) -> std::io::Result<Ended> {
    let count = args.count(args.rate.unwrap_or(1));
    let mut bytes = Vec::new();
    let mut form = match args.format {
        Format::Json => Form::Array(Encoder::new(Encoding::Json)),
        Format::Ndjson => Form::Lines(Encoder::new(Encoding::Json)),
        Format::Avro => Form::Container(Container::begin(config.seed, &mut bytes)),
    };
    let generator = HealthDataLoadGenerator::with_config(config).map_err(std::io::Error::other)?;
    let mut output = Output::open(&args.out)?;
    let bar = progress(count);
    let mut payload = Payload::default();
    let mut next = 0;
    while next < count {
        let end = count.min(next + BATCH);
        for sequence in next..end {
            generator.generate_into(sequence, &mut payload);
            form.add(&payload, &mut bytes);
        }
        next = end;
        if !output.write(&bytes)? {
            return Ok(Ended::NobodyReads);
        }
        bytes.clear();
        bar.set_position(next);
        // Signals are heard here.
        tokio::task::yield_now().await;
        if stops.borrow().times > 0 {
            bar.finish_and_clear();
            return Ok(Ended::Interrupted);
        }
    }
    form.end(count, &mut bytes);
    if !output.write(&bytes)? {
        return Ok(Ended::NobodyReads);
    }
    bar.finish_and_clear();
    output.close()
}

impl Form {
    fn add(&mut self, payload: &Payload, bytes: &mut Vec<u8>) {
        match self {
            Self::Array(encoder) => {
                bytes.extend_from_slice(if payload.sequence == 0 { b"[\n" } else { b",\n" });
                encoder.encode(payload, bytes);
            }
            Self::Lines(encoder) => {
                encoder.encode(payload, bytes);
                bytes.push(b'\n');
            }
            Self::Container(container) => container.push(payload, bytes),
        }
    }

    fn end(self, count: u64, bytes: &mut Vec<u8>) {
        match self {
            Self::Array(_) => {
                bytes.extend_from_slice(if count == 0 { b"[]\n" } else { b"\n]\n" });
            }
            Self::Lines(_) => {}
            Self::Container(container) => container.finish(bytes),
        }
    }
}

/// A bar on standard error; indicatif hides it where that is no terminal.
fn progress(count: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} payloads {per_sec} {eta}");
    let bar = ProgressBar::new(count);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
