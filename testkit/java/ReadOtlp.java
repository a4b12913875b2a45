import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.apache.kafka.shaded.io.opentelemetry.proto.common.v1.KeyValue;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.Metric;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.MetricsData;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.NumberDataPoint;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.ResourceMetrics;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.ScopeMetrics;

/**
 * Prints every point of a request by OpenTelemetry's protocol, as the classes see it that are generated from its
 * definition and come with Kafka's client: fields apart by tabs. MetricsData has the same fields as the request.
 */
public class ReadOtlp {
    public static void main(String[] args) throws Exception {
        MetricsData data = MetricsData.parseFrom(Files.readAllBytes(Path.of(args[0])));
        if (!data.getUnknownFields().asMap().isEmpty()) {
            throw new IllegalStateException("unknown fields");
        }
        for (ResourceMetrics resource : data.getResourceMetricsList()) {
            System.out.printf("resource\t%s%n", labels(resource.getResource().getAttributesList()));
            for (ScopeMetrics scope : resource.getScopeMetricsList()) {
                for (Metric metric : scope.getMetricsList()) {
                    print(metric);
                }
            }
        }
    }

    private static void print(Metric metric) {
        if (!metric.getUnknownFields().asMap().isEmpty()) {
            throw new IllegalStateException("unknown fields in " + metric.getName());
        }
        switch (metric.getDataCase()) {
            case GAUGE -> metric.getGauge().getDataPointsList().forEach(point -> print(metric, "gauge", point));
            case SUM -> {
                String kind = metric.getSum().getAggregationTemporality() + (metric.getSum().getIsMonotonic() ? "" : "?");
                metric.getSum().getDataPointsList().forEach(point -> print(metric, kind, point));
            }
            case EXPONENTIAL_HISTOGRAM -> {
                String kind = metric.getExponentialHistogram().getAggregationTemporality().toString();
                metric.getExponentialHistogram().getDataPointsList().forEach(point -> print(metric, kind, point));
            }
            default -> throw new IllegalStateException(metric.getName() + " is " + metric.getDataCase());
        }
    }

    private static void print(Metric metric, String kind, NumberDataPoint point) {
        String value = point.hasAsInt() ? Long.toString(point.getAsInt()) : Double.toString(point.getAsDouble());
        System.out.printf("%s\t%s\t%s\t%s\t%s\t%d\t%d%n", metric.getName(), metric.getUnit(), kind,
            labels(point.getAttributesList()), value, point.getStartTimeUnixNano(), point.getTimeUnixNano());
    }

    /** Also the upper bound of the bucket in which the 99th percentile lies, as the data model defines it. */
    private static void print(Metric metric, String kind, ExponentialHistogramDataPoint point) {
        long inBuckets = point.getPositive().getBucketCountsList().stream().mapToLong(Long::longValue).sum();
        long rank = Math.max(1, (long) Math.ceil(0.99 * point.getCount()));
        long seen = point.getZeroCount();
        int bucket = point.getPositive().getOffset() - 1;
        for (long n : point.getPositive().getBucketCountsList()) {
            if (seen >= rank) {
                break;
            }
            seen += n;
            bucket++;
        }
        double p99 = Math.pow(2, Math.pow(2, -point.getScale()) * (bucket + 1));
        System.out.printf(Locale.ROOT, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%.6f\t%.6f\t%.6f\t%.6f%n", metric.getName(),
            metric.getUnit(), kind, labels(point.getAttributesList()), point.getCount(), point.getStartTimeUnixNano(),
            point.getTimeUnixNano(), inBuckets + point.getZeroCount(), point.getSum(), point.getMin(), point.getMax(), p99);
    }

    private static String labels(List<KeyValue> attributes) {
        return attributes.stream().map(pair -> pair.getKey() + "=" + pair.getValue().getStringValue())
            .sorted().collect(Collectors.joining(","));
    }
}
