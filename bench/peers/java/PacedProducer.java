import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A peer for Mallard's bench: a paced loop over Kafka's own client. Kafka's producer tool measures whole milliseconds, from
 * when a record is handed to the client; this one measures nanoseconds, and also from when the record was due.
 *
 * <p>Arguments: a file of client properties, a topic, bytes of each value, records a second, seconds of warm-up, seconds that
 * are measured, and further properties as {@code key=value}. It prints what it did as one line of JSON.
 */
public final class PacedProducer {
    private PacedProducer() {}

    public static void main(String[] args) throws IOException {
        int valueBytes = Integer.parseInt(args[2]);
        int rate = Integer.parseInt(args[3]);
        int warmUp = rate * Integer.parseInt(args[4]);
        int records = warmUp + rate * Integer.parseInt(args[5]);
        long[] response = new long[records];
        long[] service = new long[records];
        AtomicInteger failed = new AtomicInteger();
        long start;
        long end;
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties(args))) {
            producer.partitionsFor(args[1]);
            byte[] value = new byte[valueBytes];
            start = System.nanoTime();
            for (int i = 0; i < records; i++) {
                int record = i;
                long due = start + i * 1_000_000_000L / rate;
                for (long wait = due - System.nanoTime(); wait > 0; wait = due - System.nanoTime()) {
                    LockSupport.parkNanos(wait);
                }
                long sent = System.nanoTime();
                producer.send(new ProducerRecord<>(args[1], value), (metadata, error) -> {
                    long acknowledged = System.nanoTime();
                    response[record] = acknowledged - due;
                    service[record] = acknowledged - sent;
                    if (error != null) {
                        failed.incrementAndGet();
                    }
                });
            }
            producer.flush();
            end = System.nanoTime();
        }
        System.out.printf(Locale.ROOT, "{\"records\": %d, \"seconds\": %.6f, \"failed\": %d, \"response_us\": %s, \"service_us\": %s}%n",
                records, (end - start) / 1e9, failed.get(), percentiles(response, warmUp), percentiles(service, warmUp));
    }

    private static Properties properties(String[] args) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(Path.of(args[0]))) {
            properties.load(reader);
        }
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        properties.put("linger.ms", "5");
        for (String property : Arrays.copyOfRange(args, 6, args.length)) {
            String[] pair = property.split("=", 2);
            properties.put(pair[0], pair[1]);
        }
        return properties;
    }

    private static String percentiles(long[] nanos, int warmUp) {
        long[] sorted = Arrays.copyOfRange(nanos, warmUp, nanos.length);
        Arrays.sort(sorted);
        return String.format(Locale.ROOT, "{\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f}",
                at(sorted, 50), at(sorted, 90), at(sorted, 99), at(sorted, 100));
    }

    private static double at(long[] sorted, int percent) {
        return sorted[Math.min(sorted.length - 1, (int) ((long) sorted.length * percent / 100))] / 1e3;
    }
}
