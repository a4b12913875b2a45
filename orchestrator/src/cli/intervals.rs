//! `mallard intervals`: what agents reported, before anything was merged.

use super::{
    Outcome,
    args::{IntervalsArgs, IntervalsFormat},
};
use crate::{
    archive::{
        ArchiveError,
        intervals::{self, IntervalReader},
        read,
    },
    model::exit_code,
    scenario::matrix::glob,
    text::error_chain::error_text,
};
use mallard_protocol::{
    counters::{Counter, Counters},
    histogram::Histogram,
    interval::{ConsumerInterval, IntervalReport, ProducerInterval},
};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Prints intervals as they are read: a long run's do not fit into memory.
pub(super) fn intervals(args: &IntervalsArgs) -> Outcome {
    match print(args, &mut io::stdout().lock()) {
        Ok(()) => Outcome::ok(String::new()),
        // A reader that has gone away, as `head` does, is no error.
        Err(Failure::Write(cause)) if cause.kind() == io::ErrorKind::BrokenPipe => {
            Outcome::ok(String::new())
        }
        Err(Failure::Write(cause)) => Outcome::failed(exit_code::ERROR, error_text(&cause)),
        Err(Failure::Archive(cause)) => Outcome::failed(exit_code::USAGE, error_text(&cause)),
        Err(Failure::Nothing(what)) => {
            Outcome::failed(exit_code::USAGE, format!("error: {what}\n"))
        }
    }
}

enum Failure {
    Archive(ArchiveError),
    Write(io::Error),
    Nothing(String),
}

impl From<ArchiveError> for Failure {
    fn from(cause: ArchiveError) -> Self {
        Self::Archive(cause)
    }
}

impl From<io::Error> for Failure {
    fn from(cause: io::Error) -> Self {
        Self::Write(cause)
    }
}

impl From<csv::Error> for Failure {
    fn from(cause: csv::Error) -> Self {
        Self::Write(cause.into())
    }
}

/// Prints all that is asked for.
fn print(args: &IntervalsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let run = read::find_run(&args.results, &args.run)?;
    let mut printer = Printer::new(args.format, out);
    let mut files = 0;
    for (case, folder) in read::case_folders(&run)? {
        if !is_wanted(&args.cases, &case) {
            continue;
        }
        for (agent, path) in intervals::files(&folder)? {
            if !is_wanted(&args.agents, &agent) {
                continue;
            }
            files += 1;
            for report in IntervalReader::open(&path)? {
                printer.print(&case, &agent, &report)?;
            }
        }
    }
    printer.flush()?;
    if files == 0 {
        let what = format!(
            "{} holds no intervals of such a case and agent; where they took more than the scenario's \
             `keep_intervals` they went once the case was judged, and its events say so",
            run.display()
        );
        return Err(Failure::Nothing(what));
    }
    Ok(())
}

fn is_wanted(patterns: &[String], name: &str) -> bool {
    let fits = |pattern: &String| glob(pattern.as_bytes(), name.as_bytes());
    patterns.is_empty() || patterns.iter().any(fits)
}

fn added<'a>(parts: impl Iterator<Item = &'a Histogram>) -> Histogram {
    parts.fold(Histogram::new(), |mut sum, part| {
        sum.add(part);
        sum
    })
}

enum Printer<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Json(io::BufWriter<W>),
}

impl<W: Write> Printer<W> {
    fn new(format: IntervalsFormat, out: W) -> Self {
        match format {
            IntervalsFormat::Csv => Self::Csv(Box::new(csv::Writer::from_writer(out))),
            IntervalsFormat::Json => Self::Json(io::BufWriter::new(out)),
        }
    }

    fn print(&mut self, case: &str, agent: &str, report: &IntervalReport) -> Result<(), Failure> {
        match self {
            Self::Csv(table) => {
                for producer in &report.producers {
                    let counters = CounterColumns(&producer.counters, Counter::OF_PRODUCERS);
                    table.serialize((Row::of_producer(case, agent, report, producer), counters))?;
                }
                for consumer in &report.consumers {
                    let counters = CounterColumns(&consumer.counters, Counter::OF_CONSUMERS);
                    table.serialize((Row::of_consumer(case, agent, report, consumer), counters))?;
                }
            }
            Self::Json(out) => {
                let line = json!({
                    "case": case,
                    "agent": agent,
                    "interval": readable(serde_json::to_value(report).map_err(io::Error::from)?),
                });
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Csv(table) => table.flush(),
            Self::Json(out) => out.flush(),
        }
    }
}

/// Unpacks histograms: from bytes that only Mallard reads to cells of lowest value, highest value and
/// count.
fn readable(value: Value) -> Value {
    match value {
        Value::Object(fields) if fields.contains_key("cells") => {
            match serde_json::from_value::<Histogram>(Value::Object(fields.clone())) {
                Ok(histogram) => json!({
                    "count": histogram.count(),
                    "sum": fields["sum"],
                    "min": histogram.min(),
                    "max": histogram.max(),
                    "saturated": histogram.saturated(),
                    "cells": histogram.buckets().collect::<Vec<_>>(),
                }),
                Err(_) => Value::Object(fields),
            }
        }
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key, readable(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(readable).collect(),
        other => other,
    }
}

/// The last columns of a row: every counter there is, empty where the other side counts it.
struct CounterColumns<'a>(&'a Counters, &'static [Counter]);

impl Serialize for CounterColumns<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut columns = to.serialize_struct("CounterColumns", Counter::ALL.len())?;
        for counter in Counter::ALL {
            let value = self.1.contains(counter).then(|| self.0.get(*counter));
            columns.serialize_field(counter.row().name, &value)?;
        }
        columns.end()
    }
}

/// A row of the table. Totals count from the common start; the rest is of this interval.
#[derive(Serialize)]
struct Row<'a> {
    case: &'a str,
    agent: &'a str,
    sequence: u64,
    start_us: u64,
    end_us: u64,
    late_by_us: u64,
    /// Its number in the case.
    instance: u16,
    role: &'static str,
    scheduled_total: Option<u64>,
    not_sent_total: Option<u64>,
    sent_total: Option<u64>,
    acked_total: Option<u64>,
    failed_total: Option<u64>,
    outstanding_total: Option<u64>,
    received_total: Option<u64>,
    acked: Option<u64>,
    received: Option<u64>,
    service_p50_us: Option<u64>,
    service_p99_us: Option<u64>,
    service_max_us: Option<u64>,
    response_p50_us: Option<u64>,
    response_p99_us: Option<u64>,
    response_max_us: Option<u64>,
    end_to_end_p50_us: Option<u64>,
    end_to_end_p99_us: Option<u64>,
    end_to_end_max_us: Option<u64>,
}

impl<'a> Row<'a> {
    fn new(case: &'a str, agent: &'a str, report: &IntervalReport, instance: u16) -> Self {
        Self {
            case,
            agent,
            sequence: report.sequence,
            start_us: report.start_us,
            end_us: report.end_us,
            late_by_us: report.late_by_us,
            instance,
            role: "",
            scheduled_total: None,
            not_sent_total: None,
            sent_total: None,
            acked_total: None,
            failed_total: None,
            outstanding_total: None,
            received_total: None,
            acked: None,
            received: None,
            service_p50_us: None,
            service_p99_us: None,
            service_max_us: None,
            response_p50_us: None,
            response_p99_us: None,
            response_max_us: None,
            end_to_end_p50_us: None,
            end_to_end_p99_us: None,
            end_to_end_max_us: None,
        }
    }

    fn of_producer(
        case: &'a str,
        agent: &'a str,
        report: &IntervalReport,
        producer: &ProducerInterval,
    ) -> Self {
        let parts = || producer.slices.iter().flat_map(|slice| &slice.partitions);
        let service = added(parts().map(|part| &part.service));
        let response = added(parts().map(|part| &part.response));
        let totals = producer.totals;
        Self {
            role: "producer",
            scheduled_total: Some(totals.scheduled),
            not_sent_total: Some(totals.not_sent),
            sent_total: Some(totals.sent),
            acked_total: Some(totals.acked),
            failed_total: Some(totals.failed),
            outstanding_total: Some(totals.outstanding),
            acked: Some(parts().map(|part| part.acked).sum()),
            service_p50_us: service.value_at_quantile(0.5),
            service_p99_us: service.value_at_quantile(0.99),
            service_max_us: service.max(),
            response_p50_us: response.value_at_quantile(0.5),
            response_p99_us: response.value_at_quantile(0.99),
            response_max_us: response.max(),
            ..Self::new(case, agent, report, producer.instance.0)
        }
    }

    fn of_consumer(
        case: &'a str,
        agent: &'a str,
        report: &IntervalReport,
        consumer: &ConsumerInterval,
    ) -> Self {
        let parts = || consumer.slices.iter().flat_map(|slice| &slice.partitions);
        let end_to_end = added(parts().map(|part| &part.end_to_end));
        Self {
            role: "consumer",
            received_total: Some(consumer.totals.received),
            received: Some(parts().map(|part| part.received).sum()),
            end_to_end_p50_us: end_to_end.value_at_quantile(0.5),
            end_to_end_p99_us: end_to_end.value_at_quantile(0.99),
            end_to_end_max_us: end_to_end.max(),
            ..Self::new(case, agent, report, consumer.instance.0)
        }
    }
}
