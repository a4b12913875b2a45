//! A worker: the thread that decodes, validates, flattens and passes on.

use super::{
    chunk_queue::{Chunk, ChunkQueue, Record},
    files::Files,
    outlet::{DeadLetter, Outlet},
};
use crate::{
    engine::{Control, NEVER, PhaseFinder},
    pipeline::outcome::Outcome,
};
use mallard_health::{
    Defect, HealthDataLoadGenerator, Payload,
    decode::{Decoded, Decoding},
    encode::Encoder,
    flatten::flatten,
    parquet::RowBatch,
    validate::{Reason, Validator},
};
use mallard_protocol::{
    health::HealthFormat,
    pipeline::{DecodeSpec, MemorySpec, ProcessSpec, RowsSpec},
    workload::Assignment,
};
use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// A worker at a queue.
pub(crate) struct Worker {
    pub(crate) spec: ProcessSpec,
    pub(crate) control: Arc<Control>,
    pub(crate) chunk_queue: Arc<ChunkQueue>,
    pub(crate) outlet: Arc<Outlet>,
    /// What this worker's files begin with.
    pub(crate) name: String,
    /// Payloads from memory, by index.
    pub(crate) pool: Arc<Vec<Vec<u8>>>,
    pub(crate) finder: PhaseFinder,
}

/// What a worker keeps from one payload to the next.
struct Tools {
    validator: Option<Validator>,
    files: Option<Files>,
    /// The phase in which the payload in progress was due.
    phase: usize,
}

/// Payloads from memory, made before the load; none without.
pub(crate) fn pool(
    memory: Option<&MemorySpec>,
    assignment: &Assignment,
    instance: u16,
) -> Result<Vec<Vec<u8>>, String> {
    let Some(memory) = memory else { return Ok(Vec::new()) };
    let config = memory.health.config(assignment.run, instance.into(), 1);
    let config = config.map_err(|error| error.to_string())?;
    let generator =
        HealthDataLoadGenerator::with_config(config).map_err(|error| error.to_string())?;
    let encoding = memory.health.format.encoding().ok_or("its schema has no id yet")?;
    let mut encoder = Encoder::new(encoding);
    let mut payload = Payload::default();
    let mut make = |sequence| {
        let mut bytes = Vec::new();
        generator.generate_into(sequence, &mut payload);
        encoder.encode(&payload, &mut bytes);
        bytes
    };
    Ok((0..u64::from(memory.payloads.max(1))).map(&mut make).collect())
}

fn decoding(spec: &ProcessSpec) -> Decoding {
    match &spec.decode {
        DecodeSpec::Json => Decoding::Json,
        DecodeSpec::Avro => Decoding::Avro,
        DecodeSpec::Confluent { schema_id } => Decoding::Confluent { schema_id: *schema_id },
        DecodeSpec::Registry(_) => Decoding::Confluent { schema_id: None },
        DecodeSpec::Beforehand => match spec.memory.as_ref().map(|memory| &memory.health.format) {
            None | Some(HealthFormat::Json) => Decoding::Json,
            Some(HealthFormat::Avro) => Decoding::Avro,
            Some(HealthFormat::Confluent { .. } | HealthFormat::Registry(_)) => {
                Decoding::Confluent { schema_id: None }
            }
        },
    }
}

impl Worker {
    /// Works until the engine ends and the queue is empty.
    pub(crate) fn run(mut self) {
        let pool = Arc::clone(&self.pool);
        let decoding = decoding(&self.spec);
        // Where decoding is not to be measured, it is done here. What cannot be decoded stays away.
        let decoded: Vec<Decoded<'_>> = match self.spec.decode {
            DecodeSpec::Beforehand => {
                pool.iter().filter_map(|bytes| decoding.decode(bytes).ok()).collect()
            }
            _ => Vec::new(),
        };
        let mut tools = Tools {
            validator: self.spec.validate.then(|| Validator::new(self.spec.strict)),
            files: self.files(),
            phase: 0,
        };
        loop {
            let Some(chunk) = self.chunk_queue.take() else {
                if self.control.has_ended() {
                    break;
                }
                continue;
            };
            let mut done = Vec::with_capacity(chunk.records.len());
            for record in &chunk.records {
                let due_us = match record.item.due_us {
                    NEVER => self.control.now_us().unwrap_or(0),
                    due_us => due_us,
                };
                tools.phase = self.finder.find(due_us);
                let outcome = match usize::try_from(record.item.offset) {
                    Ok(turn) if !decoded.is_empty() => {
                        self.stages(&decoded[turn % decoded.len()], &mut tools)
                    }
                    Ok(turn) if !pool.is_empty() => {
                        self.process(decoding, &pool[turn % pool.len()], &mut tools)
                    }
                    _ => self.receive(decoding, &chunk, record, &mut tools),
                };
                done.push((record.item, outcome));
            }
            self.chunk_queue.give_back(&chunk, done);
        }
        if let Some(files) = &mut tools.files {
            self.outlet.filed(files.write());
        }
        self.chunk_queue.worker_stopped();
        self.control.park();
    }

    fn files(&self) -> Option<Files> {
        let RowsSpec::Files { folder, batch_rows } = &self.spec.rows else { return None };
        Some(Files {
            folder: folder.into(),
            prefix: self.name.clone(),
            batch_rows: *batch_rows as usize,
            waiting: RowBatch::default(),
            of_phases: Vec::new(),
            written: 0,
        })
    }

    /// Processes a record of a topic. What is rejected goes to the dead letters.
    fn receive(
        &self,
        decoding: Decoding,
        chunk: &Chunk,
        record: &Record,
        tools: &mut Tools,
    ) -> Outcome {
        let begin = Instant::now();
        let value = chunk.value(record);
        let mut outcome = self.process(decoding, value, tools);
        if let Some(reason) = outcome.rejected {
            let (key, phase) = (chunk.key(record), tools.phase);
            let letter = DeadLetter { key, value, reason, phase, item: &record.item };
            if self.outlet.send_to_dead_letter_queue(&letter, &self.control) {
                outcome.payload_ns = nanoseconds(begin);
            }
        }
        outcome
    }

    fn process(&self, decoding: Decoding, bytes: &[u8], tools: &mut Tools) -> Outcome {
        let begin = Instant::now();
        let decoded = decoding.decode(bytes);
        let decode_ns = nanoseconds(begin);
        let mut outcome = match decoded {
            Ok(decoded) => self.stages(&decoded, tools),
            Err(_) => Outcome {
                rejected: Some(Reason::Defect(Defect::Undecodable)),
                ..Outcome::default()
            },
        };
        outcome.decode_ns = Some(decode_ns);
        outcome.payload_ns += decode_ns;
        outcome
    }

    /// Everything after decoding.
    fn stages(&self, decoded: &Decoded<'_>, tools: &mut Tools) -> Outcome {
        let mut outcome = Outcome::default();
        let begin = Instant::now();
        let checked = match tools.validator.as_mut().map(|validator| validator.validate(decoded)) {
            None => None,
            Some(verdict) => {
                outcome.validate_ns = Some(nanoseconds(begin));
                match verdict {
                    Ok(checked) => Some(checked),
                    Err(reason) => {
                        outcome.rejected = Some(reason);
                        outcome.payload_ns = nanoseconds(begin);
                        return outcome;
                    }
                }
            }
        };
        outcome.samples = decoded.samples.len() as u64;
        if let Some(checked) = checked {
            outcome.dropped.extend(checked.samples.iter().filter_map(|sample| sample.err()));
        }
        if self.spec.flatten {
            let flattening = Instant::now();
            let rows: Vec<_> = flatten(decoded, checked, now_ms()).collect();
            outcome.flatten_ns = Some(nanoseconds(flattening));
            outcome.rows = rows.len() as u64;
            let writing = Instant::now();
            if let Some(files) = &mut tools.files {
                self.outlet.filed(files.add(&rows, tools.phase));
                outcome.write_ns = Some(nanoseconds(writing));
            } else if self.outlet.takes_rows() {
                self.outlet.write(&rows, tools.phase, &self.control);
                outcome.write_ns = Some(nanoseconds(writing));
            }
            std::hint::black_box(&rows);
        }
        outcome.payload_ns = nanoseconds(begin);
        outcome
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    i64::try_from(since).unwrap_or(i64::MAX)
}
