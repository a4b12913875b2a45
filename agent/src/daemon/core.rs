//! The agent's core: one thread that takes in everything that happens, in turn, and never waits for
//! anything else.
//!
//! Invariants: one controller at most is in charge, the one that greeted last; while nobody is, the
//! lease runs; once the end has begun, nothing but the end happens, within [`ENDING`].

use super::{
    command::{Command, Made},
    event::{PeerId, Word},
    lifecycle::{Lifecycle, Step},
    peer::Peer,
    questions::{self, Services},
    shared::Shared,
};
use crate::{daemon::event::Event, host, logfile, spool::Spool};
use mallard_protocol::{
    BUILD_ID, PROTOCOL_VERSION,
    message::{AgentFailure, AgentState, FailureKind, FromAgent, Level, ToAgent},
};
use std::{
    collections::VecDeque,
    os::unix::net::UnixStream,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, SyncSender},
    },
    time::{Duration, Instant},
};

/// Time between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A connection that was silent for this long is over. The other side sends a heartbeat a second.
const SILENCE: Duration = Duration::from_secs(10);

/// Most connections that have not greeted yet.
const MOST_PENDING: usize = 8;

/// Most notes that wait for a controller. Later ones are more telling: the oldest go.
const MOST_NOTES: usize = 256;

/// How long flushing may take when the lease, or a signal, ends the agent.
const FLUSHING: Duration = Duration::from_secs(10);

/// How long the end may take in all until the process is gone, whatever hangs.
const ENDING: Duration = Duration::from_secs(20);

/// How long a controller that is there at the end has to take the last messages.
const DRAINING: Duration = Duration::from_secs(2);

/// How an agent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Log and spool stay.
    KeepFolder,
    /// Nothing stays.
    RemoveFolder,
}

struct Ending {
    began: Instant,
    /// The lease is over: nobody came.
    is_abandoned: bool,
    until: Instant,
    engine_gone: bool,
    drained_until: Option<Instant>,
}

/// The agent's core.
pub(super) struct Core {
    lease: Duration,
    shared: Arc<Shared>,
    events: SyncSender<Event>,
    engine: Sender<Command>,
    services: Arc<Services>,
    lifecycle: Lifecycle,
    active: Option<Peer>,
    pending: Vec<Peer>,
    next_id: PeerId,
    notes: VecDeque<FromAgent>,
    alone_since: Instant,
    next_heartbeat: Instant,
    ending: Option<Ending>,
    /// What the run has made on the brokers, if this agent is to delete it when nobody comes.
    made: Option<Made>,
}

impl Core {
    /// A core; `lifecycle` is what an earlier process has left.
    pub(super) fn new(
        lease: Duration,
        shared: Arc<Shared>,
        events: SyncSender<Event>,
        engine: Sender<Command>,
        lifecycle: Lifecycle,
    ) -> Self {
        let now = Instant::now();
        Self {
            lease,
            shared,
            events,
            engine,
            services: Arc::default(),
            lifecycle,
            active: None,
            pending: Vec::new(),
            next_id: 0,
            notes: VecDeque::new(),
            alone_since: now,
            next_heartbeat: now,
            ending: None,
            made: None,
        }
    }

    /// What is to be deleted because nobody came, and when every other agent has ended as well: all of
    /// them were left alone when this one was, or notice it by the silence.
    pub(super) fn to_tidy_up(&self) -> Option<(&Made, Instant)> {
        let ending = self.ending.as_ref().filter(|ending| ending.is_abandoned)?;
        Some((self.made.as_ref()?, ending.began + SILENCE + ENDING))
    }

    /// What the case has come to.
    pub(super) fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Takes in events until the end.
    pub(super) fn run(&mut self, events: &Receiver<Event>) -> End {
        loop {
            // Every second at least, for heartbeats, silence and the lease.
            let end = match events.recv_timeout(HEARTBEAT / 2) {
                Ok(event) => self.take(event),
                Err(_) => None,
            };
            if let Some(end) = end.or_else(|| self.look_at_the_clock(Instant::now())) {
                return end;
            }
        }
    }

    fn take(&mut self, event: Event) -> Option<End> {
        match event {
            Event::Connected(stream) => self.welcome(stream),
            Event::Peer { id, word } => return self.listen(id, word),
            Event::Engine { message, after } => self.pass_on(message, after),
            Event::PreparingFailed(failure) => {
                logfile::error(format!("prepare: {}", failure.text));
                self.lifecycle.preparing_failed(&failure);
                self.say(&FromAgent::Failed(failure));
            }
            Event::EngineGone => {
                if let Some(ending) = &mut self.ending {
                    ending.engine_gone = true;
                }
            }
            Event::Signal(name) => self.begin_end(&format!("{name} asks for the end"), false),
            Event::Panicked(text) => {
                let failure = AgentFailure { kind: FailureKind::Other, text };
                self.pass_on(FromAgent::Failed(failure), 0);
            }
        }
        None
    }

    fn welcome(&mut self, stream: UnixStream) {
        if self.ending.is_some() || self.pending.len() >= MOST_PENDING {
            return;
        }
        self.next_id += 1;
        match Peer::start(self.next_id, stream, &self.shared, &self.events) {
            Ok(peer) => {
                peer.outbox.push(&FromAgent::Hello {
                    protocol_version: PROTOCOL_VERSION,
                    build_id: BUILD_ID.into(),
                    host: Box::new(host::facts()),
                    state: self.lifecycle.state(),
                });
                self.pending.push(peer);
                self.shared.ring();
            }
            Err(error) => logfile::warn(format!("take a connection: {error}")),
        }
    }

    fn listen(&mut self, id: PeerId, word: Word) -> Option<End> {
        let in_charge = self.active.as_ref().is_some_and(|peer| peer.id == id);
        match word {
            Word::Hello { resume_at } => self.hand_over(id, resume_at),
            Word::Said(message) if in_charge => return self.obey(message),
            Word::Said(_) => {}
            Word::Nonsense(text) => {
                logfile::warn(format!("connection {id}: {text}"));
                if let Some(peer) = self.part_with(id) {
                    let failure = AgentFailure { kind: FailureKind::Other, text };
                    peer.dismiss(&FromAgent::Failed(failure), &self.shared);
                }
            }
            Word::Gone(why) => {
                if self.part_with(id).is_some() && in_charge {
                    logfile::info(format!("connection {id} is over: {why}"));
                }
            }
        }
        None
    }

    /// A connection that has greeted takes charge.
    fn hand_over(&mut self, id: PeerId, resume_at: u64) {
        let Some(at) = self.pending.iter().position(|peer| peer.id == id) else { return };
        let peer = self.pending.swap_remove(at);
        if let Some(old) = self.active.take() {
            logfile::info(format!("connection {} is replaced", old.id));
            self.keep_notes_of(&old);
            let text = "another connection has taken charge of this agent".to_owned();
            let note = FromAgent::Note { level: Level::Warning, instance: None, text };
            old.dismiss(&note, &self.shared);
        }
        logfile::info(format!("connection {id} is in charge; it has intervals before {resume_at}"));
        self.collect(resume_at);
        for message in self.lifecycle.replay() {
            peer.outbox.speak(&self.shared, &message);
        }
        for note in self.notes.drain(..) {
            peer.outbox.push(&note);
        }
        peer.outbox.open(resume_at);
        self.active = Some(peer);
        self.shared.ring();
    }

    fn obey(&mut self, message: ToAgent) -> Option<End> {
        match message {
            ToAgent::Ask { request, question } => {
                if let Some(peer) = &self.active {
                    questions::ask(&self.services, (&self.shared, &peer.outbox), request, question);
                }
            }
            ToAgent::Collected { resume_at } => self.collect(resume_at),
            ToAgent::SendLog { limit_bytes } => {
                if let Some(peer) = &self.active {
                    questions::send_log(&self.shared, &peer.outbox, limit_bytes);
                }
            }
            ToAgent::Exit { keep_folder } => {
                logfile::info("exits as asked");
                // What nobody has collected is never removed, whoever asks for it.
                let is_collected = self.shared.with_spool(|spool| spool.is_empty());
                let removes = !keep_folder && is_collected;
                return Some(if removes { End::RemoveFolder } else { End::KeepFolder });
            }
            ToAgent::Hello { .. } | ToAgent::Heartbeat => {}
            _ if self.ending.is_some() => {}
            ToAgent::Observe { topics, groups } => {
                logfile::info("takes over looking at end offsets and groups");
                // Without an engine there is nothing to observe, and the life cycle says so elsewhere.
                let _ = self.engine.send(Command::Observe(topics, groups));
            }
            ToAgent::CleanUpAfterLease { connection, topics, groups } => {
                self.made = Some(Made { connection, topics, groups });
            }
            order => self.carry_out(order),
        }
        None
    }

    fn carry_out(&mut self, order: ToAgent) {
        let step = self.lifecycle.order(order);
        self.step(step);
    }

    fn step(&mut self, step: Step) {
        let command = match step {
            Step::Prepare(assignment) => {
                logfile::info(format!(
                    "prepare: {} producers, {} consumers",
                    assignment.producers.len(),
                    assignment.consumers.len()
                ));
                self.services.remember(&assignment);
                self.shared.with_spool(Spool::clear);
                if let Some(peer) = &self.active {
                    peer.outbox.open(0);
                }
                Command::Prepare(assignment)
            }
            Step::Start(at_clock_us) => {
                logfile::info(format!("start at {at_clock_us} µs of the clock"));
                Command::Start(at_clock_us)
            }
            Step::TakeOver(shares) => {
                logfile::info(format!("takes over {} shares of a lost agent", shares.len()));
                Command::TakeOver(shares)
            }
            Step::StopLoad => Command::StopLoad,
            Step::Flush(within) => {
                logfile::info(format!("flush within {within:?}"));
                Command::Flush(within)
            }
            Step::Finish(within) => {
                logfile::info(format!("finish within {within:?}"));
                self.shared.want_no_engine();
                Command::Finish(within)
            }
            Step::Say(messages) => {
                messages.iter().for_each(|message| self.say(message));
                return;
            }
        };
        if self.engine.send(command).is_err() {
            let text = "drive the engine: its thread is gone, see the log".to_owned();
            self.pass_on(FromAgent::Failed(AgentFailure { kind: FailureKind::Other, text }), 0);
        }
    }

    /// Passes on what the engine (or a part of the agent) says.
    fn pass_on(&mut self, message: FromAgent, after: u64) {
        match &message {
            FromAgent::Note { level, text, .. } => logfile::line(*level, text),
            FromAgent::Failed(failure) => logfile::error(&failure.text),
            FromAgent::Started { late_by_us } => {
                logfile::info(format!("started, {late_by_us} µs after the common start"));
            }
            FromAgent::Finished { client_queue } => {
                logfile::info(format!("finished; librdkafka holds {client_queue} records"));
            }
            _ => {}
        }
        if !self.lifecycle.hear(&message) {
            return;
        }
        match &self.active {
            Some(peer) => {
                peer.outbox.speak_after(after, &message);
                self.shared.ring();
            }
            None => self.keep_note(message),
        }
    }

    fn say(&self, message: &FromAgent) {
        if let Some(peer) = &self.active {
            peer.outbox.speak(&self.shared, message);
            self.shared.ring();
        }
    }

    fn collect(&self, resume_at: u64) {
        let end = self.shared.with_spool(|spool| {
            if resume_at <= spool.end() {
                spool.collected(resume_at);
            }
            spool.end()
        });
        if resume_at > end {
            logfile::warn(format!(
                "the controller has intervals before {resume_at}, and there are {end}: nothing is dropped"
            ));
        }
    }

    fn part_with(&mut self, id: PeerId) -> Option<Peer> {
        if self.active.as_ref().is_some_and(|peer| peer.id == id) {
            self.alone_since = Instant::now();
            let peer = self.active.take()?;
            self.keep_notes_of(&peer);
            return Some(peer);
        }
        let at = self.pending.iter().position(|peer| peer.id == id)?;
        Some(self.pending.swap_remove(at))
    }

    fn keep_notes_of(&mut self, peer: &Peer) {
        for message in peer.outbox.take_unsent() {
            self.keep_note(message);
        }
    }

    fn keep_note(&mut self, message: FromAgent) {
        // Everything else is said again by the life cycle.
        if matches!(message, FromAgent::Note { .. }) {
            self.notes.push_back(message);
            if self.notes.len() > MOST_NOTES {
                self.notes.pop_front();
            }
        }
    }

    fn look_at_the_clock(&mut self, now: Instant) -> Option<End> {
        if now >= self.next_heartbeat {
            self.next_heartbeat = now + HEARTBEAT;
            self.say(&FromAgent::Heartbeat);
            self.pending.retain(|peer| peer.silence() < SILENCE);
            self.drop_dead_charge();
        }
        if self.ending.is_some() {
            return self.look_at_the_end(now);
        }
        if self.active.is_none() && now.duration_since(self.alone_since) >= self.lease {
            self.begin_end(&format!("no controller came back within {:?}", self.lease), true);
        }
        None
    }

    fn drop_dead_charge(&mut self) {
        let Some(peer) = &self.active else { return };
        let why = if peer.silence() >= SILENCE {
            format!("nothing came for {SILENCE:?}")
        } else if peer.outbox.has_overflowed() {
            "it reads too slowly".to_owned()
        } else {
            return;
        };
        logfile::warn(format!("connection {} is given up: {why}", peer.id));
        let id = peer.id;
        drop(self.part_with(id));
        self.shared.ring();
    }

    fn begin_end(&mut self, why: &str, is_abandoned: bool) {
        if self.ending.is_some() {
            return;
        }
        logfile::warn(format!("the end begins: {why}"));
        let text = format!("this agent ends: {why}");
        self.say(&FromAgent::Note { level: Level::Warning, instance: None, text });
        let has_engine = self.lifecycle.has_engine();
        let began = Instant::now();
        let (until, engine_gone) = (began + ENDING, !has_engine);
        let ending = Ending { began, is_abandoned, until, engine_gone, drained_until: None };
        self.ending = Some(ending);
        if has_engine {
            let _ = self.engine.send(Command::StopLoad);
            let step = self.lifecycle.finish(FLUSHING);
            self.step(step);
        }
    }

    fn look_at_the_end(&mut self, now: Instant) -> Option<End> {
        let ending = self.ending.as_mut()?;
        if now >= ending.until {
            logfile::error("the engine did not finish in time; the agent ends without it");
            return Some(End::KeepFolder);
        }
        if !ending.engine_gone {
            return None;
        }
        let until = *ending.drained_until.get_or_insert(now + DRAINING);
        let drained =
            self.active.as_ref().is_none_or(|peer| peer.outbox.has_written_all(&self.shared));
        (drained || now >= until).then(|| self.end())
    }

    /// A folder without anything worth keeping goes as well.
    fn end(&self) -> End {
        let idle = self.lifecycle.state() == AgentState::Idle;
        let empty = self.shared.with_spool(|spool| spool.is_empty());
        if idle && empty { End::RemoveFolder } else { End::KeepFolder }
    }
}
