package mallard.flink;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.typeutils.TupleTypeInfo;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Reads health payloads from one topic and writes one row a sample to another.
 *
 * <p>Arguments: {@code --bootstrap HOST:PORT --from TOPIC --to TOPIC [--group flink-job] [--parallelism 1]
 * [--checkpoint-ms 1000] [--headers keep|drop] [--delay-ms 0] [--spoil-every 0]}. It runs in a mini cluster
 * inside of this JVM until it is ended. Offsets are committed with every checkpoint, which is where its
 * group's lag comes from.
 *
 * <p>To show what a measurement finds, it can be a bad job: each payload takes {@code --delay-ms}, and of
 * every {@code --spoil-every} payloads the first is lost, the second loses its last row, and the third is
 * written twice. That is exact with a parallelism of 1.
 */
public final class FlattenJob {
    /** The header that tells Mallard which record this was. */
    static final String STAMP = "mallard";

    /** Key, value and stamp; what is missing is empty, since null has no serializer. */
    private static final TypeInformation<Tuple3<byte[], byte[], byte[]>> RECORD = new TupleTypeInfo<>(
        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);

    private static final byte[] NOTHING = new byte[0];

    private FlattenJob() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = options(args);
        String bootstrap = required(options, "bootstrap");
        boolean headers = options.getOrDefault("headers", "keep").equals("keep");

        var environment = StreamExecutionEnvironment.createLocalEnvironment(
            Integer.parseInt(options.getOrDefault("parallelism", "1")));
        environment.enableCheckpointing(Long.parseLong(options.getOrDefault("checkpoint-ms", "1000")));
        environment.getConfig().enableObjectReuse();

        KafkaSource<Tuple3<byte[], byte[], byte[]>> source = KafkaSource.<Tuple3<byte[], byte[], byte[]>>builder()
            .setBootstrapServers(bootstrap)
            .setTopics(required(options, "from"))
            .setGroupId(options.getOrDefault("group", "flink-job"))
            .setStartingOffsets(OffsetsInitializer.committedOffsets(OffsetResetStrategy.EARLIEST))
            .setDeserializer(new Read())
            .build();
        Properties producer = new Properties();
        producer.setProperty("linger.ms", "5");
        KafkaSink<Tuple3<byte[], byte[], byte[]>> sink = KafkaSink.<Tuple3<byte[], byte[], byte[]>>builder()
            .setBootstrapServers(bootstrap)
            .setKafkaProducerConfig(producer)
            .setRecordSerializer(new Write(required(options, "to"), headers))
            .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .build();
        environment.fromSource(source, WatermarkStrategy.noWatermarks(), "payloads")
            .flatMap(new Flatten(
                Long.parseLong(options.getOrDefault("delay-ms", "0")),
                Long.parseLong(options.getOrDefault("spoil-every", "0"))))
            .returns(RECORD).name("flatten")
            .sinkTo(sink).name("rows");
        environment.execute("flatten health payloads");
    }

    private static Map<String, String> options(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int at = 0; at + 1 < args.length; at += 2) {
            options.put(args[at].replaceFirst("^--", ""), args[at + 1]);
        }
        return options;
    }

    private static String required(Map<String, String> options, String name) {
        String value = options.get(name);
        if (value == null) {
            System.err.println("usage: FlattenJob --bootstrap HOST:PORT --from TOPIC --to TOPIC; --" + name + " is missing");
            System.exit(2);
        }
        return value;
    }

    private static byte[] orNothing(byte[] bytes) {
        return bytes == null ? NOTHING : bytes;
    }

    /** Takes key, value and stamp out of a record. */
    private static final class Read implements KafkaRecordDeserializationSchema<Tuple3<byte[], byte[], byte[]>> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple3<byte[], byte[], byte[]>> out) {
            Header stamp = record.headers().lastHeader(STAMP);
            out.collect(Tuple3.of(
                orNothing(record.key()), orNothing(record.value()),
                stamp == null ? NOTHING : orNothing(stamp.value())));
        }

        @Override
        public TypeInformation<Tuple3<byte[], byte[], byte[]>> getProducedType() {
            return RECORD;
        }
    }

    /** Makes rows of a payload; they keep its key and its stamp. */
    private static final class Flatten
            extends RichFlatMapFunction<Tuple3<byte[], byte[], byte[]>, Tuple3<byte[], byte[], byte[]>> {
        private final long delayMs;
        private final long spoilEvery;
        private transient Rows rows;
        private transient long seen;

        Flatten(long delayMs, long spoilEvery) {
            this.delayMs = delayMs;
            this.spoilEvery = spoilEvery;
        }

        @Override
        public void open(OpenContext context) {
            rows = new Rows();
        }

        @Override
        public void flatMap(Tuple3<byte[], byte[], byte[]> record, Collector<Tuple3<byte[], byte[], byte[]>> out)
                throws InterruptedException {
            Thread.sleep(delayMs);
            List<byte[]> whole = rows.of(record.f1);
            // Which of its kind this payload is; beyond the third all are well.
            long kind = spoilEvery == 0 ? spoilEvery - 1 : seen++ % spoilEvery;
            if (kind == 0 || whole.isEmpty()) {
                return;
            }
            write(kind == 1 ? whole.subList(0, whole.size() - 1) : whole, record, out);
            if (kind == 2) {
                write(whole, record, out);
            }
        }

        private static void write(
                List<byte[]> rows, Tuple3<byte[], byte[], byte[]> of, Collector<Tuple3<byte[], byte[], byte[]>> out) {
            for (byte[] row : rows) {
                out.collect(Tuple3.of(of.f0, row, of.f2));
            }
        }
    }

    /** Writes a row. */
    private static final class Write implements KafkaRecordSerializationSchema<Tuple3<byte[], byte[], byte[]>> {
        private final String topic;
        private final boolean headers;

        Write(String topic, boolean headers) {
            this.topic = topic;
            this.headers = headers;
        }

        @Override
        public ProducerRecord<byte[], byte[]> serialize(
                Tuple3<byte[], byte[], byte[]> row, KafkaSinkContext context, Long timestamp) {
            var record = new ProducerRecord<>(topic, row.f0.length == 0 ? null : row.f0, row.f1);
            if (headers && row.f2.length > 0) {
                record.headers().add(STAMP, row.f2);
            }
            return record;
        }
    }
}
