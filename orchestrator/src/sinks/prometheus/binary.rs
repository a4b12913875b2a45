//! Prometheus' protocol buffers: the one format in which it is given native histograms. Classic buckets stand beside
//! them, for servers that do not know the native ones.
//!
//! <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>

use crate::sinks::{
    distribution::{Distribution, SCHEMA, as_f64},
    family::{Family, Kind, Sample, Value},
    protobuf::Message,
};

pub(super) const CONTENT_TYPE: &str = "application/vnd.google.protobuf; \
     proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Below this a value counts as zero: 2^-128, as other clients have it. It also says that a histogram without
/// values is a native one.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// Empty buckets that are rather written than left out: a span takes more bytes.
const HOLE_MAX: usize = 2;

/// All families, each after its length.
pub(super) fn write(families: &[Family<'_>]) -> Vec<u8> {
    let mut all = Message::default();
    for family in families {
        let mut message = Message::default();
        message.string(1, family.name);
        message.string(2, family.help);
        let kind = match family.kind {
            Kind::Counter => 0,
            Kind::Gauge => 1,
            Kind::Histogram => 4,
        };
        message.uint(3, kind);
        for sample in &family.samples {
            message.message(4, |metric| write_sample(metric, family.kind, sample));
        }
        all.delimited(&message);
    }
    all.into_bytes()
}

fn write_sample(metric: &mut Message, kind: Kind, sample: &Sample<'_>) {
    for (name, value) in &sample.labels {
        metric.message(1, |label| {
            label.string(1, name);
            label.string(2, value);
        });
    }
    let number = match sample.value {
        Value::Latencies(of) => {
            return metric.message(7, |histogram| write_latencies(histogram, of));
        }
        Value::Count(count) => as_f64(count),
        Value::Number(number) => number,
    };
    let field = if kind == Kind::Counter { 3 } else { 2 };
    metric.message(field, |value| value.double(1, number));
}

fn write_latencies(histogram: &mut Message, of: &Distribution) {
    histogram.uint(1, of.count);
    histogram.double(2, of.sum_s());
    for (bound, at_most) in of.classic() {
        histogram.message(3, |bucket| {
            bucket.uint(1, at_most);
            bucket.double(2, bound);
        });
    }
    histogram.sint(5, SCHEMA.into());
    histogram.double(6, ZERO_THRESHOLD);
    histogram.uint(7, of.zero);
    let (first, counts) = of.dense();
    let mut end = 0;
    let mut written = Vec::new();
    for (start, counts) in spans(&counts) {
        let start = i64::from(first) + i64::try_from(start).unwrap_or(i64::MAX);
        histogram.message(12, |span| {
            // The first offset is an index, those that follow are from the end of the span before.
            span.sint(1, start - end);
            span.uint(2, counts.len() as u64);
        });
        end = start + i64::try_from(counts.len()).unwrap_or(i64::MAX);
        written.extend_from_slice(counts);
    }
    if !written.is_empty() {
        let before = std::iter::once(0).chain(written.iter().copied());
        let deltas = written.iter().zip(before).map(|(now, before)| now.wrapping_sub(before));
        histogram.sints(13, deltas.map(u64::cast_signed));
    }
}

/// Stretches of counts without longer holes: where each begins, and its counts.
fn spans(counts: &[u64]) -> Vec<(usize, &[u64])> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (at, _) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
        match spans.last_mut() {
            Some((_, end)) if at - *end <= HOLE_MAX => *end = at + 1,
            _ => spans.push((at, at + 1)),
        }
    }
    spans.into_iter().map(|(start, end)| (start, &counts[start..end])).collect()
}

#[cfg(test)]
mod tests {
    use super::spans;

    #[test]
    fn long_holes_end_a_span() {
        let counts = [1, 0, 0, 2, 0, 0, 0, 3, 4];
        assert_eq!(spans(&counts), [(0, &counts[..4]), (7, &counts[7..])]);
        assert!(spans(&[]).is_empty());
    }
}
