//! Drives the engine: one thread that gives it orders, one that takes what it says.
//!
//! The engine's calls may take their time, so they have a thread; and what the engine measures goes to
//! the spool on another one, so that neither the disk nor the conversation ever holds the engine up.

use super::{event::Event, shared::Shared};
use crate::{
    admin::{BrokerProbe, ClusterWatch, EndOffsetsWatch, GroupsWatch},
    daemon::command::Command,
    engine::{Engine, Hooks, Observed, prepare},
    host::{Connections, ResourceSampler},
    logfile,
    spool::Appended,
};
use mallard_protocol::{
    frame,
    ids::TopicId,
    interval::{IntervalReport, Resources, Witness},
    message::{AgentFailure, FailureKind, FromAgent, Level},
    workload::Assignment,
};
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Least time between two notes that the disk refuses intervals.
const CALM: Duration = Duration::from_secs(60);

/// Starts the thread that drives the engine.
pub(super) fn start(shared: Arc<Shared>, events: SyncSender<Event>) -> io::Result<Sender<Command>> {
    let (commands, orders) = mpsc::channel();
    let observer = Observer::default();
    let driver = Driver { shared, events, observer, running: None };
    thread::Builder::new().name("engine".into()).spawn(move || driver.run(&orders))?;
    Ok(commands)
}

struct Driver {
    shared: Arc<Shared>,
    events: SyncSender<Event>,
    observer: Observer,
    running: Option<(Engine, JoinHandle<()>)>,
}

/// Looks at the brokers once an interval, if this agent does: from the start, or since the one that did
/// was lost.
#[derive(Clone, Default)]
struct Observer {
    watches: Arc<Mutex<Watches>>,
    /// Where Kafka is and which topics there are; payloads and instances left out.
    facts: Assignment,
}

#[derive(Default)]
struct Watches {
    offsets: Option<EndOffsetsWatch>,
    groups: Option<GroupsWatch>,
    cluster: Option<ClusterWatch>,
}

impl Observer {
    fn new(assignment: &Assignment) -> Result<Self, AgentFailure> {
        let facts = Assignment {
            connection: assignment.connection.clone(),
            topics: assignment.topics.clone(),
            ..Assignment::default()
        };
        let observer = Self { watches: Arc::default(), facts };
        let (observes, groups) = (assignment.observes.clone(), assignment.observed_groups.clone());
        observer.watch(observes, groups, assignment.watches_cluster)?;
        Ok(observer)
    }

    fn watch(
        &self,
        observes: Vec<TopicId>,
        groups: Vec<String>,
        watches_cluster: bool,
    ) -> Result<(), AgentFailure> {
        let facts = self.facts.clone();
        let assignment = Assignment { observes, observed_groups: groups, watches_cluster, ..facts };
        let offsets = EndOffsetsWatch::start(&assignment)?;
        let groups = GroupsWatch::start(&assignment)?;
        let cluster = ClusterWatch::start(&assignment)?;
        *self.watches.lock().unwrap_or_else(PoisonError::into_inner) =
            Watches { offsets, groups, cluster };
        Ok(())
    }

    /// All questions are under way at the same time, so that their answers are of one moment.
    fn observe(&self) -> Observed {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let Watches { offsets, groups, cluster } = &mut *watches;
        if let Some(watch) = offsets {
            watch.ask();
        }
        if let Some(watch) = groups {
            watch.ask();
        }
        if let Some(watch) = cluster {
            watch.ask();
        }
        Observed {
            end_offsets: offsets.as_mut().map(EndOffsetsWatch::answer).unwrap_or_default(),
            groups: groups.as_mut().map(GroupsWatch::answer).unwrap_or_default(),
            cluster: cluster.as_mut().and_then(ClusterWatch::answer),
        }
    }
}

/// Looks at what process and host use, and at brokers and network beside the load.
fn sampler(probe: BrokerProbe) -> impl FnMut() -> Resources + Send {
    let (mut sampler, mut connections) = (ResourceSampler::new(), Connections::default());
    move || {
        let mut witness = Box::<Witness>::default();
        connections.sample(&mut witness);
        probe.sample(&mut witness);
        Resources { witness: Some(witness), ..sampler.sample() }
    }
}

impl Driver {
    fn run(mut self, orders: &Receiver<Command>) {
        for command in orders {
            match (command, &mut self.running) {
                (Command::Prepare(assignment), None) => match self.prepare(*assignment) {
                    Ok(running) => {
                        self.running = Some(running);
                        self.tell(FromAgent::Prepared);
                    }
                    // Whoever has ordered the end does not ask how far the beginning had come.
                    Err(_) if !self.shared.is_engine_wanted() => {}
                    Err(failure) => self.send(Event::PreparingFailed(failure)),
                },
                (Command::Start(at_clock_us), Some((engine, _))) => engine.start(at_clock_us),
                (Command::Observe(topics, groups), Some(_)) => {
                    // Lag is one figure of many: without it the others go on.
                    if let Err(failure) = self.observer.watch(topics, groups, true) {
                        logfile::warn(failure.text);
                    }
                }
                (Command::TakeOver(shares), Some((engine, _))) => engine.take_over(&shares),
                (Command::StopLoad, Some((engine, _))) => engine.stop_load(),
                (Command::Flush(within), Some((engine, _))) => {
                    engine.flush(within);
                    self.tell(FromAgent::Flushed);
                }
                // A preparation that failed has nothing to flush.
                (Command::Flush(_), None) => self.tell(FromAgent::Flushed),
                (Command::Finish(within), _) => self.finish(within),
                // The life cycle lets no other combination through, but for orders that crossed a
                // failed preparation.
                (_, _) => {}
            }
        }
    }

    fn prepare(
        &mut self,
        assignment: Assignment,
    ) -> Result<(Engine, JoinHandle<()>), AgentFailure> {
        self.observer = Observer::new(&assignment)?;
        let observer = self.observer.clone();
        let shared = Arc::clone(&self.shared);
        let hooks = Hooks {
            sample_resources: Box::new(sampler(BrokerProbe::start(&assignment))),
            observe: Some(Box::new(move || observer.observe())),
            is_wanted: Box::new(move || shared.is_engine_wanted()),
        };
        let (sink, said) = mpsc::channel();
        let listener = Listener {
            shared: Arc::clone(&self.shared),
            events: self.events.clone(),
            quiet_until: None,
        };
        let listener = thread::Builder::new()
            .name("spool".into())
            .spawn(move || listener.run(&said))
            .map_err(|error| AgentFailure {
                kind: FailureKind::Other,
                text: format!("start a thread for the spool: {error}"),
            })?;
        Ok((prepare(assignment, sink, hooks)?, listener))
    }

    fn finish(&mut self, within: Duration) {
        if let Some((mut engine, listener)) = self.running.take() {
            engine.finish(within);
            // With the engine its ends of the sink go, and the listener comes to its end.
            drop(engine);
            let _ = listener.join();
        } else {
            // What was given up while it was being made, or could not be made, has nothing to flush.
            self.tell(FromAgent::Finished { client_queue: 0 });
        }
        self.send(Event::EngineGone);
    }

    fn tell(&self, message: FromAgent) {
        let after = self.shared.spool_end();
        self.send(Event::Engine { message, after });
    }

    fn send(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

/// Takes what the engine says: intervals to the spool, the rest to the core.
struct Listener {
    shared: Arc<Shared>,
    events: SyncSender<Event>,
    quiet_until: Option<Instant>,
}

impl Listener {
    fn run(mut self, said: &Receiver<FromAgent>) {
        for message in said {
            match message {
                FromAgent::Interval(report) => self.keep(report),
                other => self.tell(other),
            }
        }
    }

    fn keep(&mut self, report: Box<IntervalReport>) {
        let sequence = report.sequence;
        match frame::encode(&FromAgent::Interval(report)) {
            Ok(frame) => {
                let appended = self.shared.with_spool(|spool| spool.append(sequence, &frame));
                self.shared.ring();
                self.report(sequence, appended);
            }
            Err(error) => self.note(Level::Error, format!("keep interval {sequence}: {error}")),
        }
    }

    fn report(&mut self, sequence: u64, appended: Appended) {
        if let Some(dropped) = appended.dropped {
            let (first, last) = (dropped.start, dropped.end - 1);
            self.note(
                Level::Warning,
                format!("the spool is full: intervals {first} to {last} were dropped before anybody took them"),
            );
        }
        let quiet = self.quiet_until.is_some_and(|until| Instant::now() < until);
        if let Some(error) = appended.refused.filter(|_| !quiet) {
            self.quiet_until = Some(Instant::now() + CALM);
            self.note(
                Level::Warning,
                format!("write interval {sequence} to the spool: {error}; it is kept in memory"),
            );
        }
    }

    fn note(&self, level: Level, text: String) {
        self.tell(FromAgent::Note { level, instance: None, text });
    }

    fn tell(&self, message: FromAgent) {
        let after = self.shared.spool_end();
        let _ = self.events.send(Event::Engine { message, after });
    }
}
