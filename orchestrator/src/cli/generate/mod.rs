//! `mallard generate`: payloads to a file, to standard output, or to a topic.

mod output;
mod to_topic;

use super::{
    Outcome,
    args::{Format, GenerateArgs, HealthArgs, Kind},
};
use crate::{
    model::exit_code,
    run::signals::{self, Stops},
    text::error_chain::chain,
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mallard_health::{
    Config, Encoding, HealthDataLoadGenerator, Payload,
    encode::{Encoder, container::Container},
};
use output::{Ended, Output};
use tokio::sync::watch;

/// Payloads that are made between two looks at the signals.
const BATCH: u64 = 256;

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
