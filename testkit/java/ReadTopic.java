import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads a topic from its first record to what is its end now, with Apache's own consumer.
 *
 * <p>Arguments: bootstrap, topic, isolation level, how many records to print. Prints a line R for each
 * of the first records (partition, offset, timestamp, key, value, headers; bytes in hexadecimal, "-" for
 * none), then a line C for each partition (partition, number of records that can be read).
 */
public class ReadTopic {
    private static final HexFormat HEX = HexFormat.of();

    public static void main(String[] args) {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", args[0], "isolation.level", args[2],
            "enable.auto.commit", false, "allow.auto.create.topics", false);
        long toPrint = Long.parseLong(args[3]);
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(args[1]).stream()
                .map(p -> new TopicPartition(p.topic(), p.partition())).collect(Collectors.toList());
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Map<Integer, Long> counts = new TreeMap<>();
            partitions.forEach(p -> counts.put(p.partition(), 0L));
            // The position, not the number of records: control records and gaps of compaction move it, too.
            while (!(partitions = behind(consumer, partitions, ends)).isEmpty()) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (record.offset() >= ends.get(new TopicPartition(record.topic(), record.partition()))) {
                        continue;
                    }
                    counts.merge(record.partition(), 1L, Long::sum);
                    if (toPrint-- > 0) {
                        print(record);
                    }
                }
            }
            counts.forEach((partition, count) -> System.out.println("C\t" + partition + "\t" + count));
        }
    }

    private static List<TopicPartition> behind(
            KafkaConsumer<byte[], byte[]> consumer, List<TopicPartition> partitions, Map<TopicPartition, Long> ends) {
        List<TopicPartition> left = new ArrayList<>();
        for (TopicPartition partition : partitions) {
            if (consumer.position(partition) < ends.get(partition)) {
                left.add(partition);
            }
        }
        return left;
    }

    private static void print(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder headers = new StringBuilder();
        for (Header header : record.headers()) {
            headers.append(headers.isEmpty() ? "" : ",")
                .append(hex(header.key().getBytes(StandardCharsets.UTF_8))).append('=').append(hex(header.value()));
        }
        System.out.println(String.join("\t", "R", "" + record.partition(), "" + record.offset(),
            "" + record.timestamp(), hex(record.key()), hex(record.value()), headers));
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? "-" : HEX.formatHex(bytes);
    }
}
