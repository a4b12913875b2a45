//! Properties of Java's clients that librdkafka lacks, by name, with what has their effect here. What both
//! have is not among them (<https://kafka.apache.org/documentation/#configuration>, librdkafka's
//! `CONFIGURATION.md`).

const NOTHING: &str = "nothing corresponds to it; remove it";
const BYTES: &str = "mallard's records are bytes, which nothing needs to serialize; remove it";
const TRUSTED: &str = "PEM files have no password and no type; remove it, and name the authority by `ssl.ca.location`";
const LOGIN: &str =
    "it names a class of Java's; librdkafka logs in by itself, by its `sasl.…` properties";
const METRICS: &str = "the client's metrics are mallard's to read; remove it";

/// What to do instead of setting a property that only Java's clients have.
#[must_use]
pub(super) fn instead(property: &str) -> Option<&'static str> {
    producer(property).or_else(|| consumer(property)).or_else(|| security(property)).or_else(|| {
        Some(match property {
            "receive.buffer.bytes" => "use `socket.receive.buffer.bytes`",
            "send.buffer.bytes" => "use `socket.send.buffer.bytes`",
            "default.api.timeout.ms" => "use `socket.timeout.ms`, of one request, or remove it",
            "socket.connection.setup.timeout.max.ms" => "use `socket.connection.setup.timeout.ms`",
            "metadata.max.idle.ms" | "config.providers" => NOTHING,
            "interceptor.classes" => "classes of Java's cannot be loaded here; remove it",
            "metric.reporters"
            | "metrics.num.samples"
            | "metrics.recording.level"
            | "metrics.sample.window.ms"
            | "auto.include.jmx.reporter" => METRICS,
            _ => return None,
        })
    })
}

fn producer(property: &str) -> Option<&'static str> {
    Some(match property {
        "key.serializer" | "value.serializer" => BYTES,
        "buffer.memory" => {
            "use `queue.buffering.max.kbytes`, in KiB: 33554432 bytes are 32768; `queue.buffering.max.messages` limits it, too"
        }
        "max.request.size" => "use `message.max.bytes`",
        "max.block.ms" => {
            "nothing corresponds to it: librdkafka refuses records at once while its queue is full, and mallard offers them again; remove it"
        }
        "partitioner.class" => {
            "use `partitioning` of the producer, or librdkafka's `partitioner`, such as `murmur2_random`"
        }
        "partitioner.ignore.keys"
        | "partitioner.adaptive.partitioning.enable"
        | "partitioner.availability.timeout.ms" => "use `partitioning` of the producer",
        "compression.gzip.level" | "compression.lz4.level" | "compression.zstd.level" => {
            "use `compression.level`"
        }
        _ => return None,
    })
}

fn consumer(property: &str) -> Option<&'static str> {
    Some(match property {
        "key.deserializer" | "value.deserializer" => BYTES,
        "fetch.max.wait.ms" => "use `fetch.wait.max.ms`",
        "max.poll.records" => {
            "nothing corresponds to it: librdkafka fetches in the background, as much as `queued.max.messages.kbytes` allows; remove it"
        }
        "exclude.internal.topics" | "share.acknowledgement.mode" => NOTHING,
        _ => return None,
    })
}

fn security(property: &str) -> Option<&'static str> {
    Some(match property {
        "ssl.truststore.location" => {
            "use `ssl.ca.location` with a PEM file: `keytool -list -rfc -keystore truststore.jks > ca.pem`"
        }
        "ssl.truststore.certificates" => "use `ssl.ca.pem`",
        "ssl.truststore.password" | "ssl.truststore.type" => TRUSTED,
        "ssl.keystore.type" => {
            "`ssl.keystore.location` takes PKCS#12 alone; of another kind, make that by `keytool -importkeystore -srckeystore keystore.jks -destkeystore keystore.p12 -deststoretype PKCS12`"
        }
        "ssl.keystore.key" => "use `ssl.key.pem`",
        "ssl.keystore.certificate.chain" => "use `ssl.certificate.pem`",
        "ssl.protocol" | "ssl.enabled.protocols" => {
            "nothing corresponds to it: the newest version that both sides know is taken; remove it"
        }
        "ssl.provider"
        | "ssl.keymanager.algorithm"
        | "ssl.trustmanager.algorithm"
        | "ssl.secure.random.implementation"
        | "ssl.engine.factory.class"
        | "security.providers" => "it is about Java's TLS, and librdkafka's is OpenSSL; remove it",
        "sasl.jaas.config" => {
            "use `sasl.username` and `sasl.password` for PLAIN and SCRAM, with `${NAME}` for the secret"
        }
        "sasl.client.callback.handler.class"
        | "sasl.login.callback.handler.class"
        | "sasl.login.class" => LOGIN,
        "sasl.kerberos.ticket.renew.jitter" | "sasl.kerberos.ticket.renew.window.factor" => {
            "use `sasl.kerberos.min.time.before.relogin`"
        }
        _ if property.starts_with("sasl.login.") => NOTHING,
        _ => return None,
    })
}
