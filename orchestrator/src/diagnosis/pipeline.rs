//! Which stage of a pipeline takes its time.
//!
//! It is said where that time limits: where the pipeline's threads have little left to give, where it is
//! behind while its own queue is long, or where it is fed from memory, so that nothing else can limit it.

use super::{Facts, Group, Pipeline, Sink, finding::diagnosis};
use crate::{model::result::Diagnosis, text::units::human};

/// Share of the time in which threads are at work from which on they have little left to give.
const BUSY: f64 = 0.7;

/// A pipeline that is behind is the reason for it if its own queue once held so many seconds of load:
/// else records came late to it.
const QUEUED_S: f64 = 0.5;

/// The stages, in their order; each has metrics of its own.
const STAGES: [&str; 4] = ["decode", "validate", "flatten", "write"];

/// The stage that takes the most of a pipeline's time, if that time limits.
pub(super) fn stage(facts: &Facts, group: &Group) -> Option<Diagnosis> {
    let pipeline = group.pipeline.as_ref()?;
    let metric = |name: &str| group.metrics.get(name).copied();
    let whole_us = metric("pipeline.payload.mean").filter(|us| *us > 0.0)?;
    let rate = metric("pipeline.messages.rate")?;
    let busy = (rate * whole_us / 1e6 / f64::from(pipeline.threads.max(1))).min(1.0);
    // A burst keeps threads busy for less than the whole time; then what they had not done yet was waiting.
    let queued_s = metric("consume.queue.max").zip(facts.acked_per_s(group));
    let held_up = queued_s.is_some_and(|(queue, per_s)| queue >= per_s * QUEUED_S);
    if !pipeline.from_memory && busy < BUSY && !(held_up && group.is_behind(facts)) {
        return None;
    }
    let times = STAGES.iter().filter_map(|stage| {
        Some((*stage, metric(&format!("pipeline.{stage}.mean")).filter(|us| *us > 0.0)?))
    });
    let times: Vec<_> = times.collect();
    let (longest, us) = times.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    // Of one stage it is no news that it takes the time.
    if times.len() < 2 {
        return None;
    }
    let share = |us: f64| human((us / whole_us).min(1.0), "ratio");
    let others = times.iter().filter(|(stage, _)| *stage != longest);
    let others: Vec<_> = others
        .map(|(stage, us)| format!("{stage} {} ({})", human(*us, "us"), share(*us)))
        .collect();
    let text = format!(
        "The pipeline {} spends most of its time in the stage {longest}: {} of {} a payload, {} \
         (pipeline.{longest}.mean, pipeline.payload.mean); beside it {}. At {} its {} busy for {} \
         of the time",
        group.name,
        human(us, "us"),
        human(whole_us, "us"),
        share(us),
        others.join(", "),
        human(rate, "per_s"),
        match pipeline.threads {
            1 => "thread was".to_owned(),
            threads => format!("{threads} threads were"),
        },
        human(busy, "ratio"),
    );
    Some(diagnosis("pipeline_stage", text, remedy(longest, pipeline)))
}

fn remedy(stage: &str, pipeline: &Pipeline) -> String {
    let own = match (stage, &pipeline.sink) {
        ("decode", _) if pipeline.decodes_json => {
            "send Avro instead of JSON, which is decoded in less time".to_owned()
        }
        ("decode", _) => "have smaller payloads decoded: fewer samples in each".to_owned(),
        ("validate", _) => "look at the validation rules: each sample is held against them".to_owned(),
        ("flatten", _) => "look at the transformation: each sample becomes a row".to_owned(),
        (_, Sink::Files { batch_rows }) => {
            format!("write larger files: raise `batch` (now {batch_rows} rows)")
        }
        (_, Sink::Topic) => {
            "give the topic of the rows more partitions, or let the rows be counted only (`rows: {to: \
             none}`) to see what the rest takes"
                .to_owned()
        }
        (_, Sink::Nowhere) => "look at where rows go".to_owned(),
    };
    format!(
        "{own}; or raise `parallelism` (now {}), up to the cores there are",
        pipeline.parallelism
    )
}
