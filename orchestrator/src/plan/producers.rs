//! Producers: their records, their part of the load, their instances.

use super::{
    case::{Building, load_us},
    schedule::schedule,
    sizes, template,
};
use crate::{
    clock::micros,
    config::{
        shape::{Located, Property, units::Rate},
        source::{self, Place},
    },
    scenario::{
        Step, StepKind, client_mistake,
        payload::Payload,
        producers::{Instances, Producer},
    },
    text::figures::humanly,
};
use mallard_health::headers;
use mallard_protocol::{
    field,
    health::HealthFormat,
    ids::TopicId,
    schedule::Schedule,
    stamp::STAMP_BYTES,
    workload::{ClientProperties, KeySpec, Partitioning, PayloadSpec, ProducerSpec, StampPlace},
};

/// Largest file of lines: it travels to agents in one frame, of which the limit is 64 MiB.
const LINES_LIMIT_BYTES: u64 = 16 << 20;
/// Largest template: it is rendered once a record.
const TEMPLATE_LIMIT_BYTES: u64 = 256 << 10;
/// The properties by which a client is told how it chooses partitions.
const PARTITIONERS: [&str; 2] = ["partitioner", "sticky.partitioning.linger.ms"];
/// librdkafka's default for `message.max.bytes`.
const DEFAULT_MESSAGE_MAX_BYTES: usize = 1_000_000;

impl Building<'_> {
    /// Checks the rates of the scenario's load against the producers that share it.
    pub(super) fn check_rates(&mut self) {
        let scenario = self.scenario;
        let shared = || scenario.producers.iter().filter(|(_, p)| p.load.is_none());
        let steps = &scenario.load.value;
        if shared().next().is_none() {
            if let Some(rate) = steps.iter().flat_map(Step::rates).next() {
                let help = "no producer shares the scenario's load; leave the rate out";
                self.reader.warn(&rate.anchor, "this rate has no effect", help);
            }
            return;
        }
        self.check_load(&scenario.load);
        let total: f64 = shared().map(|(_, producer)| producer.share).sum();
        if let Some((name, _)) = shared().next().filter(|_| total <= 0.0) {
            let help = "give at least one producer a `share` above 0";
            self.reader.error(&name.at, "the shares of all producers sum to 0", help);
        }
    }

    /// Checks a load that producers follow: every constant step has a rate, and one of them sends.
    fn check_load(&mut self, load: &Located<Vec<Step>>) {
        for step in &load.value {
            if let StepKind::WarmUp(None) | StepKind::Hold(None) = step.kind {
                let help = "`rate` is the total of all producers, such as `5000/s`; for a break write `pause`";
                self.reader.error(&step.at, "the key `rate` is missing", help);
            }
        }
        let rates: Vec<_> = load.value.iter().flat_map(Step::rates).collect();
        let idle = |step: &Step| matches!(step.kind, StepKind::Pause | StepKind::Drain);
        if rates.iter().all(|rate| rate.value.is_zero())
            && (!rates.is_empty() || load.value.iter().all(idle))
        {
            let help = "give a step a rate above 0, or leave the producers out";
            self.reader.error(&load.anchor, "nothing is ever sent: every rate is 0", help);
        }
    }

    /// Places all producers.
    pub(super) fn producers(&mut self) {
        let scenario = self.scenario;
        let sharing = scenario.producers.iter().filter(|(_, p)| p.load.is_none());
        let total: f64 = sharing.map(|(_, producer)| producer.share).sum();
        for (name, producer) in &scenario.producers {
            let fraction = match (&producer.load, total > 0.0) {
                (Some(_), _) => 1.0,
                (None, true) => producer.share / total,
                (None, false) => 0.0,
            };
            self.producer(name, producer, fraction);
        }
    }

    fn producer(&mut self, name: &Located<String>, producer: &Producer, fraction: f64) {
        let topic = producer.topic.as_ref().and_then(|topic| self.topic_id(topic));
        let payload = producer.payload.as_ref().and_then(|payload| self.payload(payload));
        let client = self.client(&producer.client, "producer");
        self.check_transactions(producer);
        if let Some(payload) = &payload {
            self.check_size(producer, payload);
            self.check_key(producer, payload);
            self.check_headers(producer, payload);
        }
        if let Some(load) = &producer.load {
            self.check_own_load(load);
        }
        let eligible = self.placement.eligible(&producer.on, self.reader);
        let partitioning = topic.and_then(|topic| self.partitioning(producer, topic));
        let (Some(topic), Some(payload), Some(eligible), Some((partitioning, split))) =
            (topic, payload, eligible, partitioning)
        else {
            return;
        };
        let mean = sizes::mean_record_bytes(&payload, &producer.key);
        let load = producer.load.as_ref().unwrap_or(&self.scenario.load);
        let Some(schedule) = schedule(load, fraction, mean, self.reader) else { return };
        let agents = self.agents_for(&producer.instances, split, &eligible);
        let stride = u32::try_from(agents.len()).unwrap_or(u32::MAX);
        let through = producer.topic.as_ref().is_some_and(|topic| self.goes_through(&topic.value));
        let stamp = if through { StampPlace::Header } else { stamp_place(&payload) };
        for (offset, agent) in (0..).zip(agents) {
            let Some(instance) = self.instance(&name.at) else { return };
            let own_name = format!("{}-{}", name.value, offset + 1);
            let agent = agent.unwrap_or_else(|| self.placement.next(&eligible));
            let spec = ProducerSpec {
                instance,
                seed: self.seed(&own_name),
                name: own_name,
                topic,
                schedule: schedule.clone(),
                stride,
                offset,
                partitioning: if split.is_some() {
                    Partitioning::Fixed(vec![i32::try_from(offset).unwrap_or(i32::MAX)])
                } else {
                    partitioning.clone()
                },
                payload: payload.clone(),
                key: producer.key.clone(),
                headers: pairs(&producer.headers),
                stamp,
                client: client.clone(),
                transactions: producer.transactions.as_ref().map(|t| t.value.clone()),
            };
            self.placement.agent(agent).producers.push(spec);
        }
    }

    /// For every instance its agent, or `None` for the one with the least to do at that time.
    pub(super) fn agents_for(
        &self,
        instances: &Located<Instances>,
        partitions: Option<u32>,
        eligible: &[usize],
    ) -> Vec<Option<usize>> {
        match instances.value {
            Instances::Count(count) => vec![None; count as usize],
            Instances::PerPartition => vec![None; partitions.unwrap_or(1) as usize],
            Instances::PerHost => {
                self.placement.one_per_host(eligible).into_iter().map(Some).collect()
            }
        }
    }

    /// Who chooses partitions, and the number of partitions where each has an instance of its own.
    fn partitioning(
        &mut self,
        producer: &Producer,
        topic: TopicId,
    ) -> Option<(Partitioning, Option<u32>)> {
        let written = producer.partitioning.as_ref();
        if producer.instances.value == Instances::PerPartition {
            if let Some(written) = written {
                let help =
                    "each of these instances has its own partition; remove one of the two keys";
                self.reader.error(
                    &written.anchor,
                    "`partitioning` and `instances: per-partition` exclude each other",
                    help,
                );
                return None;
            }
            let count =
                self.partitions_of(&[topic], &producer.instances.at, "`instances: per-partition`")?;
            return Some((Partitioning::Client, Some(count)));
        }
        if let Some(Located { value: Partitioning::Fixed(partitions), at, .. }) = written {
            self.check_partitions(partitions, topic, at);
        }
        let not_written = || self.usual_partitioning(producer);
        Some((written.map_or_else(not_written, |written| written.value.clone()), None))
    }

    /// Who chooses partitions where the scenario does not say it: the client, if there is something that
    /// it is to choose by.
    fn usual_partitioning(&self, producer: &Producer) -> Partitioning {
        let says_how = |key: &String| PARTITIONERS.contains(&key.as_str());
        let of_producer = producer.client.iter().map(|property| &property.key.value);
        let of_all = self.cluster.connection_places.iter().map(|(key, _)| key);
        let agent_chooses =
            self.scenario.integrity.is_some() || !of_producer.chain(of_all).any(says_how);
        match producer.key {
            KeySpec::None if agent_chooses => Partitioning::Sticky,
            _ => Partitioning::Client,
        }
    }

    /// Notes partitions that a topic does not have.
    pub(super) fn check_partitions(&mut self, partitions: &[i32], topic: TopicId, at: &Place) {
        let topic = &self.scenario.topics[topic.index()].1;
        let Some(known) = topic.partitions.filter(|_| !topic.broken) else { return };
        if let Some(beyond) = partitions.iter().find(|partition| **partition >= known) {
            let message = format!("there is no partition {beyond}");
            let help = format!("the topic has {known}, counted from 0 to {}", known - 1);
            self.reader.error(at, message, help);
        }
    }

    fn check_own_load(&mut self, load: &Located<Vec<Step>>) {
        self.check_load(load);
        let own: u64 =
            load.value.iter().map(|step| micros(step.lasting)).fold(0, u64::saturating_add);
        let whole = load_us(self.scenario);
        if own > whole {
            let humanly = |us| humanly(std::time::Duration::from_micros(us));
            let message = format!("this load lasts {}, longer than the scenario's", humanly(own));
            let help = format!("the scenario's load lasts {}, warm-up included", humanly(whole));
            self.reader.error(&load.anchor, message, help);
        }
    }

    fn check_size(&mut self, producer: &Producer, payload: &PayloadSpec) {
        let largest = sizes::largest_value_bytes(payload);
        let set = producer.client.iter().any(|p| p.key.value == "message.max.bytes");
        if largest > DEFAULT_MESSAGE_MAX_BYTES && !set {
            let message =
                format!("values of up to {largest} bytes are larger than `message.max.bytes`");
            let help = "the client refuses them: raise it in `client`, and `max.message.bytes` of the topic";
            self.reader.warn(&producer.at, message, help);
        }
        let bytes =
            |step: &Step| step.rates().iter().any(|rate| matches!(rate.value, Rate::Bytes(_)));
        let load = producer.load.as_ref().unwrap_or(&self.scenario.load);
        if load.value.iter().any(bytes) && sizes::mean_record_bytes(payload, &producer.key) < 1.0 {
            let help = "give the rate in records, such as `5000/s`";
            self.reader.error(&producer.at, "a rate in bytes, and records without any", help);
        }
    }

    /// Tries a key that comes from a field on what can be seen of the values.
    fn check_key(&mut self, producer: &Producer, payload: &PayloadSpec) {
        let KeySpec::Field { name } = &producer.key else { return };
        let missing = |value: &[u8]| field::push(value, name, &mut Vec::new()).is_err();
        let without = match payload {
            PayloadSpec::Bytes { .. } => Some("these values are bytes without fields".to_owned()),
            PayloadSpec::Lines { lines } => {
                let line = lines.iter().position(|line| missing(line));
                line.map(|line| format!("line {} has no text or number in `{name}`", line + 1))
            }
            PayloadSpec::Template { source } => template::trial(source)
                .is_ok_and(|text| missing(text.as_bytes()))
                .then(|| format!("the template's JSON has no text or number in `{name}`")),
            PayloadSpec::Health(spec) => {
                let known = matches!(name.as_str(), "userId" | "deviceId");
                // All other texts may be missing in an invalid payload, or are not at the top.
                let readable = spec.format == HealthFormat::Json && name == "appVersion";
                (!known && !readable).then(|| {
                    format!(
                        "health payloads have no `{name}` for a key: take `userId` or `deviceId`"
                    )
                })
            }
        };
        if let Some(message) = without {
            let help = "`key: {field: …}` names a field at the top of values that are JSON objects";
            self.reader.error(&producer.at, message, help);
        }
    }

    /// A header that comes from the payload cannot be fixed as well.
    fn check_headers(&mut self, producer: &Producer, payload: &PayloadSpec) {
        let PayloadSpec::Health(health) = payload else { return };
        for property in producer.headers.iter().filter(|_| health.headers) {
            if headers::NAMES.contains(&&*property.key.value) {
                let message = format!("`{}` is a header of the payload's own", property.key.value);
                let help = "`headers: true` under `health` sets it for every record; remove one";
                self.reader.error(&property.key.at, message, help);
            }
        }
    }

    fn check_transactions(&mut self, producer: &Producer) {
        if producer.transactions.is_none() {
            return;
        }
        for property in &producer.client {
            let wrong = match &*property.key.value {
                "acks" | "request.required.acks" => !matches!(&*property.value.value, "all" | "-1"),
                "enable.idempotence" => property.value.value != "true",
                _ => false,
            };
            if wrong {
                let message = format!("transactions need another `{}`", property.key.value);
                let help =
                    "transactions are idempotent and wait for all replicas; remove this property";
                self.reader.error(&property.value.at, message, help);
            }
        }
    }

    /// Client properties as they are set. What Mallard sets itself is noted.
    pub(super) fn client(&mut self, client: &[Property], who: &str) -> ClientProperties {
        for property in client {
            if let Some((message, help)) = client_mistake(&property.key.value) {
                let help = help.replace("of the producer", &format!("of the {who}"));
                self.reader.error(&property.key.at, message, help);
            }
        }
        pairs(client)
    }

    fn payload(&mut self, payload: &Payload) -> Option<PayloadSpec> {
        match payload {
            Payload::Bytes { size, random_share } => {
                Some(PayloadSpec::Bytes { size: size.clone(), random_share: *random_share })
            }
            Payload::Lines(file) => {
                let bytes = self.file(file, LINES_LIMIT_BYTES)?;
                let lines = bytes.split(|byte| *byte == b'\n');
                let ended = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
                let mut lines: Vec<_> = lines.map(ended).collect();
                if lines.last().is_some_and(Vec::is_empty) {
                    lines.pop();
                }
                if lines.is_empty() {
                    self.reader.error(&file.at, "this file has no lines", "each line is a record");
                    return None;
                }
                Some(PayloadSpec::Lines { lines })
            }
            Payload::Health(spec) => Some(PayloadSpec::Health(spec.clone())),
            Payload::Template(source) => self.template(source.value.clone(), &source.at, None),
            Payload::TemplateFile(file) => {
                let bytes = self.file(file, TEMPLATE_LIMIT_BYTES)?;
                let Ok(source) = String::from_utf8(bytes) else {
                    self.reader.error(&file.at, "this file is not UTF-8", "a template is text");
                    return None;
                };
                self.template(source, &file.at, Some(&file.value))
            }
        }
    }

    fn template(&mut self, source: String, at: &Place, file: Option<&str>) -> Option<PayloadSpec> {
        if let Err(wrong) = template::trial(&source) {
            let file = file.map(|file| format!(" of {file}")).unwrap_or_default();
            let line = wrong.line.map(|line| format!(" (line {line}{file})")).unwrap_or_default();
            let message = format!("the template is wrong: {}{line}", wrong.message);
            let help = "it may use `sequence`, `instance`, `now_ms`, `int(low, high)`, `float(low, high)`, `choice(list)`, `uuid()`, `mark(part)`";
            self.reader.error(at, message, help);
            return None;
        }
        Some(PayloadSpec::Template { source })
    }

    /// A file that the scenario names, from the scenario's folder.
    fn file(&mut self, name: &Located<String>, limit_bytes: u64) -> Option<Vec<u8>> {
        let path = self.folder.join(&name.value);
        match source::read_limited(&path, limit_bytes) {
            Ok(bytes) => Some(bytes),
            Err(wrong) => {
                let message = format!("{} {}", path.display(), wrong.message);
                let help = wrong
                    .help
                    .unwrap_or_else(|| "file names start from the scenario's folder".into());
                self.reader.error(&name.at, message, help);
                None
            }
        }
    }
}

/// Where the stamp goes: into values that Mallard makes up and that have room for it, else a header.
fn stamp_place(payload: &PayloadSpec) -> StampPlace {
    match payload {
        PayloadSpec::Bytes { size, .. }
            if sizes::smallest_value_bytes(size) as usize >= STAMP_BYTES =>
        {
            StampPlace::Payload
        }
        _ => StampPlace::Header,
    }
}

fn pairs(properties: &[Property]) -> Vec<(String, String)> {
    properties.iter().map(|p| (p.key.value.clone(), p.value.value.clone())).collect()
}

/// Total of a schedule for one of `stride` instances, by its place among them.
#[must_use]
pub(super) fn instance_total(schedule: &Schedule, stride: u32, offset: u32) -> u64 {
    let total = schedule.total();
    let offset = u64::from(offset);
    if total > offset { (total - offset).div_ceil(u64::from(stride.max(1))) } else { 0 }
}
