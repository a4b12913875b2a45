//! `latency.hlog`: an HdrHistogram interval log (version 1.3, V2 histograms, deflated) that
//! HdrHistogram's own tools read. Values are microseconds; times are seconds since the load's start,
//! which stands in the header.
//!
//! One line an interval and tag. A day of those would be hundreds of megabytes, so a long run's
//! intervals are added up before they are written: see [`step_us`]. Adding up loses nothing that a
//! percentile needs. The 1 s percentiles of the whole run are in `series.csv`.
//!
//! Source: <https://github.com/HdrHistogram/HdrHistogram>, `HistogramLogReader`, and the module
//! documentation of `hdrhistogram::serialization::interval_log`.

use super::{ArchiveError, file::Appender};
use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::serialization::{
    Serializer, V2DeflateSerializer,
    interval_log::{IntervalLogIterator, LogEntry},
};
use jiff::Timestamp;
use mallard_protocol::histogram::{Histogram, MAX_VALUE_US};
use std::{fmt::Write, path::PathBuf};

/// The log's tags, in the order of [`Latencies::each`].
pub const TAGS: [&str; 4] = ["service", "response", "end_to_end", "slip"];

/// Intervals that start before this are written as they are: the first two hours.
const FINE_UNTIL_US: u64 = 2 * 3_600_000_000;

/// Intervals that start before this are added up to 10 s, later ones to 60 s.
const MIDDLE_UNTIL_US: u64 = 48 * 3_600_000_000;

/// How long a line of the log is, for an interval that starts at `start_us`. Zero means: as it came.
#[must_use]
pub fn step_us(start_us: u64) -> u64 {
    if start_us < FINE_UNTIL_US {
        0
    } else if start_us < MIDDLE_UNTIL_US {
        10_000_000
    } else {
        60_000_000
    }
}

/// The latencies of one stretch of time, to be written.
#[derive(Clone, Copy, Debug)]
pub struct Latencies<'a> {
    /// Sent to acknowledged.
    pub service: &'a Histogram,
    /// Due to acknowledged.
    pub response: &'a Histogram,
    /// Due to received.
    pub end_to_end: &'a Histogram,
    /// Due to sent.
    pub slip: &'a Histogram,
}

impl<'a> Latencies<'a> {
    /// The four, in the order of [`TAGS`].
    #[must_use]
    pub fn each(self) -> [&'a Histogram; 4] {
        [self.service, self.response, self.end_to_end, self.slip]
    }
}

/// A line of a log, read back.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Index into [`TAGS`].
    pub tag: usize,
    /// First microsecond on the run's clock, to the millisecond.
    pub start_us: u64,
    /// First microsecond after it, to the millisecond.
    pub end_us: u64,
    /// The values.
    pub histogram: Histogram,
}

/// Turns Mallard's histogram into HdrHistogram's. Both have the same cells, so nothing is lost but the
/// exact extremes and the exact sum, for which HdrHistogram has no place.
#[derive(Debug)]
pub struct Converter {
    scratch: hdrhistogram::Histogram<u64>,
}

impl Default for Converter {
    fn default() -> Self {
        Self::new()
    }
}

impl Converter {
    /// A converter that is used again and again: an HdrHistogram of an hour takes 184 KiB.
    ///
    /// # Panics
    ///
    /// Never: the bounds are constants that HdrHistogram accepts.
    #[must_use]
    pub fn new() -> Self {
        let scratch = hdrhistogram::Histogram::new_with_bounds(1, MAX_VALUE_US, 3)
            .expect("HdrHistogram accepts an hour with three digits");
        Self { scratch }
    }

    /// The same counts in HdrHistogram's form, until the next call.
    pub fn convert(&mut self, histogram: &Histogram) -> &hdrhistogram::Histogram<u64> {
        self.scratch.reset();
        for (lowest, _, count) in histogram.buckets() {
            self.scratch.saturating_record_n(lowest, count);
        }
        &self.scratch
    }
}

/// Writes a log while the run goes on.
#[derive(Debug)]
pub(super) struct LogWriter {
    file: Appender,
    encoder: Encoder,
    pending: Option<Pending>,
}

/// Intervals that are added up until their step is over.
#[derive(Debug)]
struct Pending {
    phase: String,
    start_us: u64,
    end_us: u64,
    sums: [Histogram; 4],
}

impl LogWriter {
    pub(super) fn create(path: PathBuf, load_started_at: Timestamp) -> Result<Self, ArchiveError> {
        let mut file = Appender::create(path)?;
        file.append(header(load_started_at).as_bytes())?;
        Ok(Self { file, encoder: Encoder::default(), pending: None })
    }

    /// Adds an interval. Intervals of two phases never share a line.
    pub(super) fn append(
        &mut self,
        (start_us, end_us): (u64, u64),
        phase: &str,
        latencies: Latencies<'_>,
    ) -> Result<(), ArchiveError> {
        let step = step_us(start_us);
        let over =
            |p: &Pending| p.phase != phase || step == 0 || p.start_us / step != start_us / step;
        if self.pending.as_ref().is_some_and(over) {
            self.flush()?;
        }
        if step == 0 {
            return self.write((start_us, end_us), latencies.each());
        }
        let pending = self.pending.get_or_insert_with(|| Pending {
            phase: phase.to_owned(),
            start_us,
            end_us,
            sums: Default::default(),
        });
        pending.end_us = end_us;
        for (sum, histogram) in pending.sums.iter_mut().zip(latencies.each()) {
            sum.add(histogram);
        }
        Ok(())
    }

    /// Writes what is being added up.
    pub(super) fn flush(&mut self) -> Result<(), ArchiveError> {
        let Some(Pending { start_us, end_us, sums, .. }) = self.pending.take() else {
            return Ok(());
        };
        self.write((start_us, end_us), sums.each_ref())
    }

    pub(super) fn sync(&self) -> Result<(), ArchiveError> {
        self.file.sync()
    }

    fn write(&mut self, stretch: (u64, u64), each: [&Histogram; 4]) -> Result<(), ArchiveError> {
        let lines = self
            .encoder
            .lines(stretch, each)
            .map_err(|what| ArchiveError::encode(self.file.path(), what))?;
        self.file.append(lines.as_bytes())
    }
}

/// A log of one line a tag: the totals of a case.
pub(super) fn totals(
    load_started_at: Timestamp,
    stretch: (u64, u64),
    latencies: Latencies<'_>,
) -> Result<String, String> {
    let lines = Encoder::default().lines(stretch, latencies.each())?;
    Ok(header(load_started_at) + &lines)
}

/// Turns histograms into lines.
struct Encoder {
    converter: Converter,
    serializer: V2DeflateSerializer,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { converter: Converter::new(), serializer: V2DeflateSerializer::new() }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

impl Encoder {
    /// A line for each histogram that is not empty.
    fn lines(
        &mut self,
        (start_us, end_us): (u64, u64),
        each: [&Histogram; 4],
    ) -> Result<String, String> {
        let mut lines = String::new();
        for (tag, histogram) in TAGS.iter().zip(each).filter(|(_, of)| !of.is_empty()) {
            let mut bytes = Vec::new();
            let hdr = self.converter.convert(histogram);
            self.serializer.serialize(hdr, &mut bytes).map_err(|error| error.to_string())?;
            let (start, length) = (seconds(start_us), seconds(end_us.saturating_sub(start_us)));
            let max = histogram.max().unwrap_or(0);
            let _ = write!(lines, "Tag={tag},{start},{length},{max}.000,");
            STANDARD.encode_string(&bytes, &mut lines);
            lines.push('\n');
        }
        Ok(lines)
    }
}

/// Java's reader takes the base time for the zero of every line's time.
fn header(load_started_at: Timestamp) -> String {
    let millis = load_started_at.as_millisecond();
    let start = format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000));
    format!(
        "#[Mallard latencies in microseconds; tags: {}]\n\
         #[Histogram log format version 1.3]\n\
         #[StartTime: {start} (seconds since epoch), {load_started_at}]\n\
         #[BaseTime: {start} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        TAGS.join(" ")
    )
}

/// Seconds with three decimals, rounded; integers, so that the same time always reads the same.
fn seconds(us: u64) -> String {
    let millis = us.saturating_add(500) / 1000;
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// Reads a log, line by line, in order. Lines with tags that are not of [`TAGS`] are passed over; a
/// line that is cut short or damaged ends the reading with a text that says where.
pub(super) fn read(
    text: &str,
    mut each: impl FnMut(LogLine),
) -> Result<(), (Option<usize>, String)> {
    // The iterator gives no line numbers, and a line that lost its end makes it fail: so it is given
    // one line at a time.
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let damaged = |what: String| (Some(number + 1), what);
        let Some(entry) = IntervalLogIterator::new(line.as_bytes()).next() else { continue };
        let entry = entry.map_err(|_| damaged("this is no line of an interval log".into()))?;
        let LogEntry::Interval(interval) = entry else { continue };
        let tag = interval.tag().map_or("", |tag| tag.as_str());
        let Some(tag) = TAGS.iter().position(|known| *known == tag) else { continue };
        let bytes = STANDARD
            .decode(interval.encoded_histogram())
            .map_err(|error| damaged(format!("the histogram's base64 is damaged: {error}")))?;
        let histogram = super::inflate::histogram(&bytes, interval.max()).map_err(damaged)?;
        let micros = |of: std::time::Duration| u64::try_from(of.as_micros()).unwrap_or(u64::MAX);
        let start_us = micros(interval.start_timestamp());
        let end_us = start_us.saturating_add(micros(interval.duration()));
        each(LogLine { tag, start_us, end_us, histogram });
    }
    Ok(())
}
