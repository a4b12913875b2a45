//! Makes clients and threads out of an assignment.

use super::{
    Engine, Hooks,
    clock::{Cutter, PhaseFinder},
    commit::Committer,
    control::Control,
    deliveries::Deliveries,
    intake::{Counts, Intake, Processing, SharedMembership, lock},
    integrity::Checker,
    membership::{Happened, Membership},
    notes::{Notes, failure_kind},
    pacer,
    partitioner::Partitioner,
    parts::Part,
    payload::{Lendable, lendable},
    positions::Commits,
    producer::{Delivering, Flow, Gate, Sending},
    properties,
    readiness::Reading,
    receipts::Receipts,
    reporter::Reporter,
    sender::{Sender, SenderSettings},
    through::Through,
    topics::{Place, Topics},
    transactor::Transactor,
    work::{WorkQueue, Worker},
};
use crate::{
    librdkafka::{Client, Config, Consumer, Kind, PartitionList, Producer, PropertyError, Queue},
    pipeline::{self, ChunkQueue, Feeder, Finisher, Outlet},
    registry,
};
use mallard_protocol::{
    ids::InstanceId,
    message::{AgentFailure, FailureKind, FromAgent},
    pipeline::RowsSpec,
    workload::{
        Assignment, ClientProperties, ConsumerSpec, Membership as Joining, ProducerSpec, StartFrom,
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Stack of a thread. They are many, and shallow; templates go deepest.
const STACK_BYTES: usize = 512 * 1024;

/// Longest thread name that the kernel keeps.
const THREAD_NAME_BYTES: usize = 15;

/// How often it is looked up whether an engine that waits for brokers is still wanted.
const LOOK_UP: Duration = Duration::from_millis(100);

/// How long reading the end offsets before a run may take.
const END_OFFSETS_WITHIN: Duration = Duration::from_secs(15);

/// Creates all clients and starts their threads: from here on consumers join their groups and poll.
/// Blocks until all exist, and until producers know the leaders of their partitions and are registered
/// for transactions.
///
/// # Errors
/// A property that librdkafka refuses, a workload that is not possible, a broker that cannot be
/// reached where the start needs one, or an engine that is not wanted any more. Consumers that have
/// joined their groups leave them.
pub fn prepare(
    mut assignment: Assignment,
    sink: mpsc::Sender<FromAgent>,
    hooks: Hooks,
) -> Result<Engine, AgentFailure> {
    registry::resolve(&mut assignment)?;
    let (parts, inbox) = mpsc::channel();
    let mut engine = Engine {
        assignment: Arc::new(assignment),
        control: Arc::default(),
        sink,
        parts,
        threads: Vec::new(),
        reporter: None,
        queues: Vec::new(),
        producers: Vec::new(),
        consumers: 0,
        is_finished: false,
    };
    let assignment = Arc::clone(&engine.assignment);
    for (slot, spec) in assignment.consumers.iter().enumerate() {
        must_be_wanted(&hooks)?;
        engine.add_consumer(slot, spec)?;
    }
    let (ready, readiness) = mpsc::channel();
    for slot in 0..assignment.producers.len() {
        must_be_wanted(&hooks)?;
        engine.add_producer(slot, &ready)?;
    }
    drop(ready);
    wait_until_ready(&readiness, &hooks)?;
    engine.start_reporter(hooks, inbox)?;
    Ok(engine)
}

/// Waits until producers are registered for transactions.
fn wait_until_ready(
    readiness: &mpsc::Receiver<Result<(), AgentFailure>>,
    hooks: &Hooks,
) -> Result<(), AgentFailure> {
    loop {
        match readiness.recv_timeout(LOOK_UP) {
            Ok(outcome) => outcome?,
            Err(mpsc::RecvTimeoutError::Timeout) => must_be_wanted(hooks)?,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn must_be_wanted(hooks: &Hooks) -> Result<(), AgentFailure> {
    if (hooks.is_wanted)() {
        return Ok(());
    }
    let text = "make the clients: they are not wanted any more".to_owned();
    Err(AgentFailure { kind: FailureKind::Other, text })
}

impl Engine {
    fn add_producer(
        &mut self,
        slot: usize,
        ready: &mpsc::Sender<Result<(), AgentFailure>>,
    ) -> Result<(), AgentFailure> {
        let assignment = Arc::clone(&self.assignment);
        let spec = &assignment.producers[slot];
        let topic = topic_of(&assignment, spec)?;
        let properties = properties::of_producer(&assignment, spec);
        let config = Config::with(&properties).map_err(|error| refused(&spec.name, &error))?;
        let mut producer =
            Producer::new(config, &topic.name).map_err(|error| refused(&spec.name, &error))?;
        let lender = lendable(spec).and_then(|values| {
            let Lendable { bytes, slot_bytes, batch } = values;
            // Besides what the client holds, a batch is in the making.
            producer.lend(bytes, slot_bytes, batch)
        });
        let client = Arc::clone(producer.client());
        self.tell_client(spec.instance, Kind::Producer, &client, &properties);
        let queue = Arc::new(client.main_queue());
        let flow = Arc::new(Flow::default());
        let delivering = Delivering {
            slot,
            queue: Arc::clone(&queue),
            control: Arc::clone(&self.control),
            flow: Arc::clone(&flow),
            deliveries: Deliveries::new(&assignment.timeline),
            lent: lender.as_ref().map(|lender| Arc::clone(lender.lent())),
            cutter: Cutter::new(&assignment.timeline),
            parts: self.parts.clone(),
            notes: Notes::new(self.sink.clone(), spec.instance, &spec.name),
        };
        let transactor = match &spec.transactions {
            None => None,
            Some(_) => {
                let (transactor, body) = Transactor::new(Arc::clone(&client));
                // It may be waiting for a broker: nobody waits for it.
                drop(spawn(&format!("ends {}", spec.name), &self.sink, body)?);
                Some(transactor)
            }
        };
        // Tried here, where a failure can still be told; the thread makes its own.
        let gate = Gate::new(
            producer,
            spec,
            (assignment.run, assignment.integrity),
            &self.control,
            &flow,
            transactor,
        );
        let partitioner = Partitioner::new(spec, topic.partitions, properties::sticky_us(&client))
            .map_err(|reason| impossible(&spec.name, &reason))?;
        let tick_us = pacer::tick_us(properties::linger_us(&client));
        let numbered = assignment.integrity.then(|| usize::try_from(topic.partitions).unwrap_or(0));
        let settings = SenderSettings { partitioner, tick_us, numbered, lender };
        let make = Making { settings, slot, ready: ready.clone() };
        let name = spec.name.clone();
        let (control, parts, sink) =
            (Arc::clone(&self.control), self.parts.clone(), self.sink.clone());
        let (made, outcome) = mpsc::channel();
        let owned = Arc::clone(&assignment);
        let body = move || make.run(&owned, gate, (control, parts, sink), &made);
        self.producers.push(client);
        self.queues.push(queue);
        self.spawn(&format!("acks {name}"), move || delivering.run())?;
        self.spawn(&format!("send {name}"), body)?;
        match outcome.recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(impossible(&name, &reason)),
            Err(_) => Err(impossible(&name, "its thread did not start")),
        }
    }

    fn tell_client(
        &self,
        instance: InstanceId,
        kind: Kind,
        client: &Client,
        set: &ClientProperties,
    ) {
        let properties = properties::in_effect(kind, client, set);
        // Nobody listens any more only when the agent ends.
        let _ = self.sink.send(FromAgent::Client { instance, properties });
    }

    fn add_consumer(&mut self, slot: usize, spec: &ConsumerSpec) -> Result<(), AgentFailure> {
        let assignment = Arc::clone(&self.assignment);
        let topics = Arc::new(Topics::new(&assignment, spec));
        if spec.process.as_ref().is_some_and(|process| process.memory.is_some()) {
            return self.add_memory_pipeline(slot, spec, topics);
        }
        let chunk_queue = spec.process.is_some().then(Arc::<ChunkQueue>::default);
        let work_queue = (spec.work_us > 0).then(|| Arc::new(WorkQueue::new(spec.work_us)));
        let commits = Arc::<Commits>::default();
        let membership: SharedMembership = Arc::new(Mutex::new(Membership {
            instance: spec.instance,
            control: Arc::clone(&self.control),
            sink: self.sink.clone(),
            notes: Notes::new(self.sink.clone(), spec.instance, &spec.name),
            topics: Arc::clone(&topics),
            from: spec.from,
            policy: spec.commit,
            run_start: HashMap::new(),
            work_queue: work_queue.clone(),
            chunk_queue: chunk_queue.clone(),
            commits: Arc::clone(&commits),
            assigned: BTreeSet::new(),
            unsettled: None,
            happened: Happened::default(),
            is_closing: false,
        }));
        let properties = properties::of_consumer(&assignment, spec);
        let config = Config::with(&properties).map_err(|error| refused(&spec.name, &error))?;
        let told = Arc::clone(&membership);
        let handler =
            Box::new(move |client: &Client, happening: crate::librdkafka::ConsumerEvent<'_>| {
                lock(&told).handle(client, happening);
            });
        let consumer =
            Consumer::new(config, handler).map_err(|error| refused(&spec.name, &error))?;
        self.tell_client(spec.instance, Kind::Consumer, consumer.client(), &properties);
        commits.answer_to(consumer.queue());
        if spec.from == StartFrom::RunStart {
            lock(&membership).run_start = end_offsets(consumer.client(), &topics, &spec.name)?;
        }
        join(&consumer, &membership, &topics, spec)?;
        self.queues.push(Arc::clone(consumer.queue()));
        self.consumers += 1;
        self.poll(
            slot,
            spec,
            Consuming {
                consumer: Arc::new(consumer),
                membership,
                topics,
                work_queue,
                chunk_queue,
                commits,
            },
        )
    }

    fn poll(
        &mut self,
        slot: usize,
        spec: &ConsumerSpec,
        consuming: Consuming,
    ) -> Result<(), AgentFailure> {
        let Consuming { consumer, membership, topics, work_queue, chunk_queue, commits } =
            consuming;
        let timeline = &self.assignment.timeline;
        let receipts = Receipts::new(timeline, Arc::clone(&topics));
        let client = Arc::clone(consumer.client());
        let committer = Committer::new(
            client,
            Arc::clone(&topics),
            commits,
            spec.commit,
            work_queue.is_some() || chunk_queue.is_some(),
        );
        let cutter = Cutter::new(timeline);
        let processing = match (work_queue, chunk_queue) {
            (None, None) => Processing::Here(Box::new(receipts), committer),
            (None, Some(chunk_queue)) => {
                let line = Line {
                    chunk_queue: Arc::clone(&chunk_queue),
                    topics: Arc::clone(&topics),
                    received: Some((receipts, committer)),
                    queue: Some(Arc::clone(consumer.queue())),
                };
                self.add_workers(slot, spec, line)?;
                Processing::Pipeline(chunk_queue)
            }
            (Some(work_queue), _) => {
                let worker = Worker {
                    slot,
                    work_us: spec.work_us,
                    control: Arc::clone(&self.control),
                    work_queue: Arc::clone(&work_queue),
                    receipts,
                    committer,
                    cutter: cutter.clone(),
                    parts: self.parts.clone(),
                    queue: Arc::clone(consumer.queue()),
                };
                self.spawn(&format!("work {}", spec.name), move || worker.run())?;
                Processing::Beside(work_queue)
            }
        };
        let reading = Reading::of(consumer.client());
        let intake = Intake {
            slot,
            instance: spec.instance,
            run: self.assignment.run,
            consumer,
            membership,
            topics,
            processing,
            control: Arc::clone(&self.control),
            cutter,
            parts: self.parts.clone(),
            sink: self.sink.clone(),
            reading,
            stamped: spec.stamped,
            reads_again: spec.from == StartFrom::Earliest,
            through: spec
                .through
                .as_ref()
                .map(|through| Through::new(through, self.assignment.run)),
            checker: self.assignment.integrity.then(Checker::new),
            counts: Counts::default(),
        };
        self.spawn(&format!("poll {}", spec.name), move || intake.run())
    }

    /// Adds a pipeline that is fed from memory.
    fn add_memory_pipeline(
        &mut self,
        slot: usize,
        spec: &ConsumerSpec,
        topics: Arc<Topics>,
    ) -> Result<(), AgentFailure> {
        let chunk_queue = Arc::<ChunkQueue>::default();
        let feeder = Feeder {
            slot,
            workers: spec.process.as_ref().map_or(1, |process| process.parallelism as usize),
            control: Arc::clone(&self.control),
            chunk_queue: Arc::clone(&chunk_queue),
            cutter: Cutter::new(&self.assignment.timeline),
            parts: self.parts.clone(),
            given: 0,
        };
        self.add_workers(slot, spec, Line { chunk_queue, topics, received: None, queue: None })?;
        self.consumers += 1;
        let assignment = Arc::clone(&self.assignment);
        self.spawn(&format!("feed {}", spec.name), move || feeder.run(&assignment.timeline))
    }

    /// Adds the threads of a pipeline: its workers, and the one that counts.
    fn add_workers(
        &mut self,
        slot: usize,
        spec: &ConsumerSpec,
        line: Line,
    ) -> Result<(), AgentFailure> {
        let Some(process) = &spec.process else { return Ok(()) };
        let assignment = Arc::clone(&self.assignment);
        let wrong = |reason: String| impossible(&spec.name, &reason);
        if let RowsSpec::Files { folder, .. } = &process.rows {
            let failed = |error| wrong(format!("cannot make the folder {folder}: {error}"));
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let pool = pipeline::pool(process.memory.as_ref(), &assignment, spec.instance.0);
        let pool = Arc::new(pool.map_err(wrong)?);
        let outlet = Outlet::new(&assignment, process, &spec.name, line.topics, self.sink.clone());
        let outlet = Arc::new(outlet.map_err(wrong)?);
        for number in 1..=process.parallelism {
            let worker = pipeline::Worker {
                spec: process.clone(),
                control: Arc::clone(&self.control),
                chunk_queue: Arc::clone(&line.chunk_queue),
                outlet: Arc::clone(&outlet),
                name: format!("{:08x}-{}-{number}", assignment.run, spec.name),
                pool: Arc::clone(&pool),
                finder: PhaseFinder::new(&assignment.timeline),
            };
            self.spawn(&format!("worker {number} {}", spec.name), move || worker.run())?;
        }
        let finisher = Finisher {
            slot,
            workers: process.parallelism as usize,
            control: Arc::clone(&self.control),
            chunk_queue: line.chunk_queue,
            outlet,
            received: line.received,
            finder: PhaseFinder::new(&assignment.timeline),
            cutter: Cutter::new(&assignment.timeline),
            parts: self.parts.clone(),
            queue: line.queue,
            counts: pipeline::Counts::default(),
        };
        self.spawn(&format!("done {}", spec.name), move || finisher.run())
    }

    fn start_reporter(
        &mut self,
        mut hooks: Hooks,
        inbox: mpsc::Receiver<Part>,
    ) -> Result<(), AgentFailure> {
        let observer = match hooks.observe.take() {
            None => None,
            Some(mut observe) => {
                let (ask, asked) = mpsc::channel::<u64>();
                let parts = self.parts.clone();
                let answer = move || {
                    for index in asked {
                        // It ends with the reporter, which drops the other end.
                        let _ = parts.send(Part::Observed(index, observe()));
                    }
                };
                spawn("observe", &self.sink, answer)?;
                Some(ask)
            }
        };
        let assignment = &self.assignment;
        let producers: Vec<_> = assignment.producers.iter().map(|spec| spec.instance).collect();
        let consumers: Vec<_> = assignment.consumers.iter().map(|spec| spec.instance).collect();
        let reporter = Reporter::new(
            Arc::clone(&self.control),
            self.sink.clone(),
            (hooks, observer),
            &assignment.timeline,
            &producers,
            &consumers,
        );
        self.reporter = Some(spawn("reporter", &self.sink, move || reporter.run(&inbox))?);
        Ok(())
    }

    fn spawn(
        &mut self,
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), AgentFailure> {
        self.threads.push(spawn(name, &self.sink, body)?);
        Ok(())
    }
}

/// What a pipeline's threads are made of.
struct Line {
    chunk_queue: Arc<ChunkQueue>,
    topics: Arc<Topics>,
    received: Option<(Receipts, Committer)>,
    queue: Option<Arc<Queue>>,
}

/// What a consumer's threads are made of.
struct Consuming {
    consumer: Arc<Consumer>,
    membership: SharedMembership,
    topics: Arc<Topics>,
    work_queue: Option<Arc<WorkQueue>>,
    chunk_queue: Option<Arc<ChunkQueue>>,
    commits: Arc<Commits>,
}

/// A sending thread in the making. It borrows the schedule from the assignment that it holds.
struct Making {
    settings: SenderSettings,
    slot: usize,
    ready: mpsc::Sender<Result<(), AgentFailure>>,
}

impl Making {
    fn run(
        self,
        assignment: &Assignment,
        gate: Gate,
        (control, parts, sink): (Arc<Control>, mpsc::Sender<Part>, mpsc::Sender<FromAgent>),
        made: &mpsc::Sender<Result<(), String>>,
    ) {
        let spec = &assignment.producers[self.slot];
        let timeline = &assignment.timeline;
        match Sender::new(spec, assignment.run, self.settings, timeline, gate) {
            Err(reason) => {
                let _ = made.send(Err(reason));
                control.park();
            }
            Ok(sender) => {
                let _ = made.send(Ok(()));
                let notes = Notes::new(sink, spec.instance, &spec.name);
                let (slot, name) = (self.slot, spec.name.as_str());
                Sending { slot, name, sender, control, parts, notes }.run(self.ready);
            }
        }
    }
}

fn spawn(
    name: &str,
    sink: &mpsc::Sender<FromAgent>,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, AgentFailure> {
    let name: String = name
        .char_indices()
        .take_while(|(at, c)| at + c.len_utf8() <= THREAD_NAME_BYTES)
        .map(|(_, c)| c)
        .collect();
    let guard = Guard { name: name.clone(), sink: sink.clone() };
    let guarded = move || {
        let _guard = guard;
        body();
    };
    std::thread::Builder::new()
        .name(name.clone())
        .stack_size(STACK_BYTES)
        .spawn(guarded)
        .map_err(|error| impossible(&name, &format!("its thread could not be started: {error}")))
}

/// Tells of a panic: a thread that is gone must not look like one that has nothing to say.
struct Guard {
    name: String,
    sink: mpsc::Sender<FromAgent>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = format!("thread {} of the load engine panicked", self.name);
            let failure = AgentFailure { kind: FailureKind::Other, text };
            let _ = self.sink.send(FromAgent::Failed(failure));
        }
    }
}

fn join(
    consumer: &Consumer,
    membership: &SharedMembership,
    topics: &Topics,
    spec: &ConsumerSpec,
) -> Result<(), AgentFailure> {
    let client = consumer.client();
    let outcome = match &spec.membership {
        Joining::Group(_) => {
            let names = (0..topics.count()).map(|topic| (topics.name(topic), -1, 0));
            client.subscribe(&PartitionList::of(names))
        }
        Joining::Assigned(partitions) => {
            let places: Vec<Place> = (0..topics.count())
                .flat_map(|topic| partitions.iter().map(move |partition| (topic, *partition)))
                .collect();
            lock(membership).assign_by_hand(client, &places)
        }
    };
    outcome.map_err(|code| AgentFailure {
        kind: failure_kind(code),
        text: format!("{} cannot read its topics: {}", spec.name, code.describe()),
    })
}

/// End offsets of all partitions, asked again while the broker is not ready to say.
fn end_offsets(
    client: &Client,
    topics: &Topics,
    name: &str,
) -> Result<HashMap<Place, i64>, AgentFailure> {
    let deadline = Instant::now() + END_OFFSETS_WITHIN;
    loop {
        let mut list = topics.list(topics.places().map(|place| (place, 0)));
        let left = deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
        let outcome = client
            .end_offsets(&mut list, i32::try_from(left).unwrap_or(i32::MAX))
            .and_then(|()| list.iter().try_for_each(|(_, _, _, code)| code.check()));
        match outcome {
            Ok(()) => return Ok(topics.places_in(&list).into_iter().collect()),
            Err(code) if Instant::now() >= deadline => {
                return Err(AgentFailure {
                    kind: failure_kind(code),
                    text: format!("{name} cannot read end offsets: {}", code.describe()),
                });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn topic_of<'a>(
    assignment: &'a Assignment,
    spec: &ProducerSpec,
) -> Result<&'a mallard_protocol::workload::TopicSpec, AgentFailure> {
    assignment
        .topics
        .get(spec.topic.index())
        .ok_or_else(|| impossible(&spec.name, "its topic is not in the assignment"))
}

fn refused(name: &str, error: &PropertyError) -> AgentFailure {
    AgentFailure { kind: FailureKind::Property, text: format!("{name}: {error}") }
}

fn impossible(name: &str, reason: &str) -> AgentFailure {
    AgentFailure { kind: FailureKind::Other, text: format!("{name}: {reason}") }
}
