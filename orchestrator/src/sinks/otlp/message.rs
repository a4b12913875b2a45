//! The body of a request by OpenTelemetry's protocol: `ExportMetricsServiceRequest`.
//!
//! Everything is cumulative from the beginning of the case: a request that is lost costs nothing, and one that comes
//! twice counts once.
//!
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto>

use crate::sinks::{
    distribution::{Distribution, SCHEMA, as_f64},
    family::{Family, Kind, Sample, Value},
    protobuf::Message,
};
use mallard_protocol::BUILD_ID;

pub(super) const CONTENT_TYPE: &str = "application/x-protobuf";

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u64 = 2;

/// Everything as of a moment, in nanoseconds since 1970.
pub(super) fn write(run: &str, families: &[Family<'_>], now_ns: u64) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |of_resource| {
        of_resource.message(1, |resource| {
            attribute(resource, 1, "service.name", "mallard");
            attribute(resource, 1, "service.version", BUILD_ID);
            attribute(resource, 1, "service.instance.id", run);
        });
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| scope.string(1, "mallard"));
            for family in families {
                of_scope.message(2, |metric| write_metric(metric, family, now_ns));
            }
        });
    });
    request.into_bytes()
}

fn write_metric(metric: &mut Message, family: &Family<'_>, now_ns: u64) {
    metric.string(1, family.dotted);
    metric.string(2, family.help);
    metric.string(3, family.unit);
    let field = match family.kind {
        Kind::Gauge => 5,
        Kind::Counter => 7,
        Kind::Histogram => 10,
    };
    metric.message(field, |data| {
        for sample in &family.samples {
            data.message(1, |point| match sample.value {
                Value::Latencies(of) => latencies(point, sample, of, now_ns),
                _ => number(point, sample, now_ns),
            });
        }
        if family.kind != Kind::Gauge {
            data.uint(2, CUMULATIVE);
        }
        if family.kind == Kind::Counter {
            data.uint(3, 1);
        }
    });
}

fn number(point: &mut Message, sample: &Sample<'_>, now_ns: u64) {
    point.fixed(2, sample.since_ns);
    point.fixed(3, now_ns);
    match sample.value {
        Value::Count(count) => point.fixed(6, count),
        Value::Number(number) => point.double(4, number),
        Value::Latencies(_) => {}
    }
    sample.labels.iter().for_each(|(name, value)| attribute(point, 7, name, value));
}

fn latencies(point: &mut Message, sample: &Sample<'_>, of: &Distribution, now_ns: u64) {
    sample.labels.iter().for_each(|(name, value)| attribute(point, 1, name, value));
    point.fixed(2, sample.since_ns);
    point.fixed(3, now_ns);
    point.fixed(4, of.count);
    point.double(5, of.sum_s());
    point.sint(6, SCHEMA.into());
    point.fixed(7, of.zero);
    let (first, counts) = of.dense();
    if !counts.is_empty() {
        point.message(8, |buckets| {
            // Here a bucket is named by its lower bound, there by its upper one.
            buckets.sint(1, i64::from(first) - 1);
            buckets.uints(2, counts);
        });
    }
    of.min_us.iter().for_each(|us| point.double(12, as_f64(*us) / 1e6));
    of.max_us.iter().for_each(|us| point.double(13, as_f64(*us) / 1e6));
}

fn attribute(message: &mut Message, field: u32, name: &str, value: &str) {
    message.message(field, |pair| {
        pair.string(1, name);
        pair.message(2, |any| any.string(1, value));
    });
}
