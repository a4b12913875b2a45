import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Does to a topic what brokers must not: writes its first records again, as they are or changed.
 *
 * <p>Arguments: bootstrap, topic, partition, how many records to write twice, how many with one bit changed in the last byte
 * of the value, how many to the partition after it. Takes a record after the other, each once.
 */
public class Meddle {
    public static void main(String[] args) throws Exception {
        TopicPartition from = new TopicPartition(args[1], Integer.parseInt(args[2]));
        int twice = Integer.parseInt(args[3]);
        int changed = Integer.parseInt(args[4]);
        int astray = Integer.parseInt(args[5]);
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        Map<String, Object> reading = Map.of("bootstrap.servers", args[0], "enable.auto.commit", false);
        int partitions;
        try (var consumer = new KafkaConsumer<>(reading, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            partitions = consumer.partitionsFor(args[1]).size();
            consumer.assign(List.of(from));
            consumer.seekToBeginning(List.of(from));
            while (records.size() < twice + changed + astray) {
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
            }
        }
        Map<String, Object> writing = Map.of("bootstrap.servers", args[0], "acks", "all");
        try (var producer = new KafkaProducer<>(writing, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int at = 0; at < twice + changed + astray; at++) {
                ConsumerRecord<byte[], byte[]> record = records.get(at);
                byte[] value = record.value();
                int partition = from.partition();
                if (at >= twice + changed) {
                    partition = (partition + 1) % partitions;
                } else if (at >= twice) {
                    value[value.length - 1] ^= 1;
                }
                producer.send(new ProducerRecord<>(args[1], partition, null, record.key(), value, record.headers())).get();
            }
        }
    }
}
