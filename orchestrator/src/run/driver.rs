//! Does what a case wants done: talks to agents, writes the archive, sends events.

use super::{
    case::Case,
    checkpoint::Checkpoint,
    context::CaseContext,
    guards::{self, Guards},
    io::{Effect, FaultOrder, Judged},
    signals::Stops,
    stages::collecting::LOG_LIMIT_BYTES,
    wake::Wake,
};
use crate::{
    archive::{
        ArchiveError, CaseFolder, IntervalLog, IntervalReader, Latencies, LogFile, RunFolder,
        head_and_tail,
    },
    hosts::{
        AgentLocation, Hosts,
        channel::{Bridge, Link, Remains, event::Input},
        container::RunContainers,
        kafka,
    },
    measure::MergedInterval,
    model::{
        events::{Level, RunEvent},
        figures::IntervalFigures,
    },
    plan::{AgentIndex, AgentPlan, CasePlan},
    sinks::EventSinks,
    text::figures::bytes_text,
    verdict::Judgement,
};
use mallard_protocol::message::ToAgent;
use std::{io, path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

/// Between two looks at the clock: deadlines are kept to within this.
const TICK: Duration = Duration::from_millis(20);

/// The same while load runs, of which this process is not to take a part. Phases are told by it.
const TICK_UNDER_LOAD: Duration = Duration::from_millis(100);

/// How long a host may take to end an agent by force, or to give what a dead one left.
const CLEANING_UP: Duration = Duration::from_secs(10);

/// What every case of a run shares.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The run's folder in the archive.
    pub run: &'a mut RunFolder,
    /// The agent's program.
    pub agent_binary: &'a Path,
    /// The hosts, ready for agents.
    pub hosts: &'a Hosts,
    /// What the run has in a container engine.
    pub run_containers: Arc<RunContainers>,
    /// Where events go.
    pub sinks: &'a mut EventSinks,
    /// How often somebody asked for an end.
    pub stops: watch::Receiver<Stops>,
}

/// One case, with everything around it that is not pure.
struct Driver<'a, 'b> {
    around: &'a mut Surroundings<'b>,
    case: Case,
    wake: Wake,
    folder: CaseFolder,
    bridges: Vec<Arc<dyn Bridge>>,
    /// None to an agent that an earlier controller has lost.
    links: Vec<Option<Link>>,
    inputs: mpsc::UnboundedSender<Input>,
    /// Starts containers, and watches those of brokers.
    starting: JoinSet<()>,
    guards: Guards,
    kills: JoinSet<(AgentIndex, u32, io::Result<()>)>,
    intervals: Vec<IntervalLog>,
    logs: Vec<Option<LogFile>>,
    logged: Vec<bool>,
    names: Vec<String>,
    judgement: Option<Judgement>,
    /// What a controller that takes over has to know stands in the archive.
    has_checkpoint: bool,
    /// The first thing that could not be written. From then on nothing more is: whatever follows from
    /// agents' reports would have holes.
    broken: Option<ArchiveError>,
    /// What went wrong while effects were performed, to be fed back.
    backlog: Vec<Input>,
}

/// Runs a case to its end and returns its result. Everything that it leaves on this machine, the
/// archive aside, is gone afterwards.
///
/// # Errors
/// If the archive cannot be written to at all, or not any more: then agents' folders stay, and the case can be
/// resumed.
pub async fn run_case(
    plan: CasePlan,
    context: CaseContext,
    around: &mut Surroundings<'_>,
) -> Result<Judgement, ArchiveError> {
    around.run.hide(&plan.secrets);
    let folder = around.run.reopen_case(&plan.name)?;
    folder.inputs(&plan.scenario_yaml, &plan.cluster_yaml)?;
    let wake = Wake::new();
    let case = Case::new(plan.clone(), context.clone(), wake.now());
    let (mut driver, heard) = Driver::new(around, (case, wake), folder, &plan, &context);
    driver.keep_intervals(&vec![0; plan.agents.len()])?;
    driver.undo_what_is_left().await;
    driver.conclude(heard).await
}

/// Takes over a case whose load an earlier controller started, and runs it to its end.
///
/// # Errors
/// If the archive cannot be read, or as [`run_case`].
pub async fn resume_case(
    plan: CasePlan,
    context: CaseContext,
    checkpoint: &Checkpoint,
    around: &mut Surroundings<'_>,
) -> Result<Judgement, ArchiveError> {
    around.run.hide(&plan.secrets);
    let mut folder = around.run.reopen_case(&plan.name)?;
    folder.load_started(checkpoint.load_started_at);
    let wake = Wake::resume(checkpoint, &context);
    let case = Case::resume(plan.clone(), context.clone(), wake.now(), checkpoint);
    let (mut driver, heard) = Driver::new(around, (case, wake), folder, &plan, &context);
    driver.has_checkpoint = true;
    let faults = driver.folder.faults();
    driver.case.replay_faults(&faults);
    let whole_bytes = driver.replay()?;
    driver.case.recall_faults(faults);
    let inherited = driver.case.note_absence();
    driver.perform(inherited);
    driver.keep_intervals(&whole_bytes)?;
    driver.conclude(heard).await
}

impl<'a, 'b> Driver<'a, 'b> {
    fn new(
        around: &'a mut Surroundings<'b>,
        (case, wake): (Case, Wake),
        folder: CaseFolder,
        plan: &CasePlan,
        context: &CaseContext,
    ) -> (Self, mpsc::UnboundedReceiver<Input>) {
        let (inputs, heard) = mpsc::unbounded_channel();
        let names: Vec<String> = plan.agents.iter().map(|agent| agent.name.clone()).collect();
        let bridges = bridges(plan, context, around);
        let driver = Self {
            around,
            case,
            wake,
            folder,
            bridges,
            links: Vec::new(),
            inputs,
            starting: JoinSet::new(),
            guards: Guards::default(),
            kills: JoinSet::new(),
            intervals: Vec::new(),
            logs: names.iter().map(|_| None).collect(),
            logged: vec![false; names.len()],
            names,
            judgement: None,
            has_checkpoint: false,
            broken: None,
            backlog: Vec::new(),
        };
        (driver, heard)
    }

    /// Opens the files for agents' reports, of which so many bytes stay.
    fn keep_intervals(&mut self, whole_bytes: &[u64]) -> Result<(), ArchiveError> {
        for (name, whole) in self.names.iter().zip(whole_bytes) {
            self.intervals.push(self.folder.interval_log(name, *whole)?);
        }
        Ok(())
    }

    /// Feeds the case what stands in the archive, in the order in which it happened, and writes again
    /// what follows from it. Returns how many bytes of each agent's reports are whole.
    fn replay(&mut self) -> Result<Vec<u64>, ArchiveError> {
        let open = self.names.iter().map(|name| self.folder.read_intervals(name));
        let mut readers = open.collect::<Result<Vec<_>, _>>()?;
        let mut next: Vec<_> = readers.iter_mut().map(Iterator::next).collect();
        loop {
            let oldest = (0..next.len())
                .filter_map(|agent| Some((next[agent].as_ref()?.end_us, agent)))
                .min();
            let Some((_, agent)) = oldest else { break };
            if let Some(report) = std::mem::replace(&mut next[agent], readers[agent].next()) {
                let mut effects = self.case.replay(agent, &report);
                // The journal has it.
                effects.retain(|effect| matches!(effect, Effect::Store(_)));
                self.perform(effects);
            }
        }
        Ok(readers.iter().map(IntervalReader::whole_bytes).collect())
    }

    /// Brokers that a dead run has broken would be measured as they are.
    async fn undo_what_is_left(&mut self) {
        for swept in kafka::undo_what_is_left(self.around.agent_binary).await {
            let level = if swept.is_undone { Level::Warning } else { Level::Error };
            self.emit(RunEvent::Note { level, source: "mallard".to_owned(), text: swept.text });
        }
    }

    async fn conclude(
        mut self,
        mut heard: mpsc::UnboundedReceiver<Input>,
    ) -> Result<Judgement, ArchiveError> {
        let begun = self.case.begin();
        self.perform(begun);
        self.until_done(&mut heard).await;
        self.clean_up().await;
        let keeps = self.agents_keep();
        let Driver { judgement, folder, case, broken, .. } = self;
        if let Some(cause) = broken.filter(|_| keeps) {
            return Err(cause);
        }
        let judged = judgement.map(|judgement| Judgement { spent: case.spent(), ..judgement });
        judged.ok_or_else(|| ArchiveError::Damaged {
            path: folder.path().to_owned(),
            line: None,
            what: "the case ended without a verdict".to_owned(),
        })
    }
}

/// The ways to a case's agents.
fn bridges(
    plan: &CasePlan,
    context: &CaseContext,
    around: &Surroundings<'_>,
) -> Vec<Arc<dyn Bridge>> {
    let bridge = |agent: &AgentPlan| {
        let location = AgentLocation {
            run_id: context.run_id.clone(),
            case: context.index,
            agent: agent.name.clone(),
            lease: plan.lease,
        };
        around.hosts.bridge(agent, location, plan.deadlines)
    };
    plan.agents.iter().filter_map(bridge).collect()
}

impl Driver<'_, '_> {
    async fn until_done(&mut self, heard: &mut mpsc::UnboundedReceiver<Input>) {
        let mut stops = self.around.stops.clone();
        let mut stopped = 0;
        let mut ticked = Instant::now();
        let _reading_the_archive = self.wake.held_up();
        while !self.case.is_done() {
            // Asks that came before this case began count, too.
            let now = *stops.borrow();
            if now.times > stopped {
                stopped = now.times;
                self.feed(Input::Stop { times: now.times, by: now.by });
                continue;
            }
            let pause = if self.case.is_under_load() { TICK_UNDER_LOAD } else { TICK };
            let tick = sleep_until(ticked + pause);
            let input = tokio::select! {
                biased;
                Ok(()) = stops.changed() => continue,
                Some(input) = heard.recv() => input,
                Some(Ok(killed)) = self.kills.join_next() => {
                    self.report_kill(killed);
                    continue;
                }
                () = tick => {
                    ticked = Instant::now();
                    Input::Tick
                }
            };
            self.feed(input);
        }
    }

    fn feed(&mut self, input: Input) {
        if let Some(us) = self.wake.look(self.case.goes_on_while_we_sleep()) {
            self.take_in(Input::Slept { us });
        }
        if let Some(us) = self.wake.held_up() {
            self.take_in(Input::HeldUp { us });
        }
        self.take_in(input);
        while let Some(input) = self.backlog.pop() {
            self.take_in(input);
        }
    }

    fn take_in(&mut self, input: Input) {
        let effects = self.case.handle(self.wake.now(), input);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::StartContainers => self.start_containers(),
                Effect::Connect => self.connect(),
                Effect::Send { agent, message } => self.send(agent, message),
                Effect::Emit(event) => self.emit(event),
                Effect::Keep { .. } | Effect::Store(_) | Effect::StoreLog { .. }
                    if self.agents_keep() => {}
                Effect::Store(interval) => self.store_interval(&interval),
                Effect::Keep { agent, report } => {
                    let kept = self.intervals[agent].append(&report);
                    self.noting(kept);
                }
                Effect::Checkpoint(mut checkpoint) => {
                    checkpoint.slept_us = Some(self.wake.slept_at_start_us());
                    let written = self.folder.checkpoint(&checkpoint);
                    self.has_checkpoint |= written.is_ok();
                    self.noting(written);
                }
                Effect::StoreLog { agent, bytes } => self.store_log(agent, &bytes),
                Effect::Judged(judged) => self.store_result(*judged),
                Effect::Kill { agent, pid } => self.kill(agent, pid),
                Effect::BeginFault(order) => self.begin_fault(order),
                Effect::ReleaseFault { fault } => self.guards.begin(fault),
                Effect::EndFault { fault } => self.guards.end(fault),
                Effect::StoreFault(fault) => {
                    let stored = self.folder.append_fault(&fault);
                    self.noting(stored);
                }
                Effect::Done => {}
            }
        }
    }

    /// Whether agents keep what they measure from now on, because it cannot be archived.
    fn agents_keep(&self) -> bool {
        self.broken.is_some() && self.has_checkpoint
    }

    /// Says something to an agent, but not that it may let go of what is not in the archive.
    fn send(&self, agent: AgentIndex, message: ToAgent) {
        let message = match message {
            ToAgent::Collected { .. } if self.agents_keep() => return,
            ToAgent::Exit { .. } if self.agents_keep() => ToAgent::Exit { keep_folder: true },
            message => message,
        };
        if let Some(Some(link)) = self.links.get(agent) {
            link.send(message);
        }
    }

    /// Starts what runs in containers, and then watches the brokers among it.
    fn start_containers(&mut self) {
        let (run_containers, inputs) =
            (Arc::clone(&self.around.run_containers), self.inputs.clone());
        let (plan, program) = (self.case.plan().clone(), self.around.agent_binary.to_owned());
        self.starting.spawn(async move {
            // No one listens once the case is done; then there is nothing to report.
            let tell = |input| drop(inputs.send(input));
            match run_containers.start(&plan, &program, |text| tell(Input::Step(text))).await {
                Ok(connections) => tell(Input::ContainersStarted { connections }),
                Err(problems) => {
                    let problems = problems.iter().map(ToString::to_string).collect();
                    return tell(Input::ContainersFailed { problems });
                }
            }
            if let Some(kafka) = plan.kafka.containers() {
                let end = run_containers.broker_ends(kafka).await;
                tell(Input::BrokerEnded { broker: end.broker, cause: end.cause });
            }
        });
    }

    fn connect(&mut self) {
        // Agents are started before the load, and never in it.
        let runs = self.case.has_started();
        for (agent, bridge) in self.bridges.iter().enumerate() {
            let resume_at = self.case.resume_at(agent);
            let silence = self.case.channel_silence();
            let (bridge, inputs) = (Arc::clone(bridge), self.inputs.clone());
            let open = || Link::open(agent, bridge, resume_at, runs, silence, inputs);
            self.links.push((!self.case.is_gone(agent)).then(open));
        }
    }

    fn emit(&mut self, event: RunEvent) {
        if let RunEvent::LoadStarted { .. } = event {
            self.folder.load_started(self.case.load_started());
        }
        let begins = matches!(event, RunEvent::CaseStarted { .. });
        let told = self.around.sinks.send(self.around.run, event);
        self.noting(told);
        if begins {
            self.send_figures(&self.case.nothing_yet());
        }
    }

    /// Tells sinks the figures of an interval.
    fn send_figures(&mut self, interval: &MergedInterval) {
        self.around.sinks.figures(IntervalFigures {
            case: &self.case.plan().name,
            row: &interval.row,
            produced: &interval.produced,
            consumed: &interval.consumed,
            errors: &interval.errors,
            lag: &interval.lag,
            resources: &interval.resources,
        });
    }

    fn store_interval(&mut self, interval: &MergedInterval) {
        let MergedInterval { row, resources, errors, lag, .. } = interval;
        let latencies = Latencies {
            service: &interval.service,
            response: &interval.response,
            end_to_end: &interval.end_to_end,
            slip: &interval.slip,
        };
        let stored = self.folder.append_interval(row, resources, errors, lag, latencies);
        self.noting(stored);
        self.send_figures(interval);
    }

    fn store_log(&mut self, agent: AgentIndex, bytes: &[u8]) {
        self.logged[agent] = true;
        let log = match self.logs[agent].take() {
            Some(log) => Ok(log),
            None => self.folder.agent_log(&self.names[agent]),
        };
        let stored = log.and_then(|mut log| {
            log.append(bytes)?;
            self.logs[agent] = Some(log);
            Ok(())
        });
        self.noting(stored);
    }

    fn store_result(&mut self, judged: Judged) {
        let Judged { judgement, totals } = judged;
        let result = &judgement.result;
        let totals = Latencies {
            service: &totals.service,
            response: &totals.response,
            end_to_end: &totals.end_to_end,
            slip: &totals.slip,
        };
        if !self.agents_keep() {
            let stored = self.folder.finish(result, &judgement.partition_series, Some(totals));
            let is_safe = stored.is_ok();
            self.noting(stored);
            if is_safe {
                self.limit_intervals();
            }
        }
        self.emit(RunEvent::CaseFinished {
            case: result.case.clone(),
            verdict: result.verdict,
            sentence: judgement.sentence.clone(),
            reasons: result.reasons.clone(),
            expectations: result.expectations.clone(),
            diagnoses: result.interpretation.diagnoses.clone(),
        });
        self.judgement = Some(judgement);
    }

    /// Raw intervals beyond what the scenario keeps go. Nobody needs them to take the case over any more.
    fn limit_intervals(&mut self) {
        let keep_bytes = self.case.plan().keep_intervals_bytes;
        let (level, text) = match self.folder.limit_intervals(keep_bytes) {
            Ok(None) => return,
            Ok(Some(bytes)) => {
                let (bytes, limit) = (bytes_text(bytes), bytes_text(keep_bytes));
                let why = format!("more than `keep_intervals` ({limit})");
                (Level::Info, format!("raw intervals took {bytes}, {why}: they are removed"))
            }
            Err(cause) => {
                let cause = crate::text::error_chain::chain(&cause);
                (Level::Warning, format!("raw intervals were to be removed: {cause}"))
            }
        };
        let source = "mallard".to_owned();
        self.emit(RunEvent::Note { level, source, text });
    }

    /// Starts the guard of a fault, by which it begins.
    fn begin_fault(&mut self, order: FaultOrder) {
        let case = self.case.plan();
        self.guards.start(guards::Start {
            program: self.around.agent_binary.to_owned(),
            id: format!("{}-{}-{}", self.around.run_containers.run_id(), case.name, order.fault),
            order,
            kafka: case.kafka.clone(),
            containers: Arc::clone(&self.around.run_containers),
            inputs: self.inputs.clone(),
        });
    }

    /// Ends an agent by force, without waiting for its host.
    fn kill(&mut self, agent: AgentIndex, pid: u32) {
        let bridge = Arc::clone(&self.bridges[agent]);
        self.kills.spawn(async move {
            let killed = timeout(CLEANING_UP, bridge.kill(pid)).await;
            (agent, pid, killed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())))
        });
    }

    fn report_kill(&mut self, (agent, pid, killed): (AgentIndex, u32, io::Result<()>)) {
        if let Err(cause) = killed {
            let what = format!("process {pid} of agent {}", self.names[agent]);
            self.emit(RunEvent::LeftBehind { what, cause: cause.to_string() });
        }
    }

    /// Feeds a failure of the archive back into the case.
    fn noting(&mut self, outcome: Result<(), ArchiveError>) {
        let Err(error) = outcome else { return };
        let (cause, is_resumable) = (crate::text::error_chain::chain(&error), self.has_checkpoint);
        self.backlog.push(Input::ArchiveFailed { cause, is_resumable });
        self.broken.get_or_insert(error);
    }

    /// Removes what agents left on their hosts, all at once. A dead agent's log is kept.
    async fn clean_up(&mut self) {
        self.links.clear();
        // Nothing is left of faults but where the case was broken off.
        self.guards.close(CLEANING_UP).await;
        self.starting.shutdown().await;
        self.keep_broker_logs().await;
        while let Some(killed) = self.kills.join_next().await {
            if let Ok(killed) = killed {
                self.report_kill(killed);
            }
        }
        let mut cleanups = JoinSet::new();
        for (agent, bridge) in self.bridges.iter().enumerate() {
            let bridge = Arc::clone(bridge);
            let keep = self.agents_keep();
            cleanups
                .spawn(async move { (agent, timeout(CLEANING_UP, bridge.clean_up(keep)).await) });
        }
        while let Some(cleaned) = cleanups.join_next().await {
            if let Ok((agent, Ok(remains))) = cleaned
                && !self.agents_keep()
            {
                self.take_remains(agent, remains);
            }
        }
        // Whoever is in a hurry has asked for no logs.
        if !self.agents_keep() && self.around.stops.borrow().times < 2 {
            self.report_missing_logs();
        }
        for log in self.logs.iter_mut().filter_map(Option::take) {
            // The results are safe; a log's last line is not worth an error.
            let _ = log.finish();
        }
    }

    /// Keeps a dead agent's log, and says where measurements are that never came.
    fn take_remains(&mut self, agent: AgentIndex, remains: Remains) {
        if let Some(log) = remains.log.filter(|_| !self.logged[agent]) {
            self.store_log(agent, &head_and_tail(&log, LOG_LIMIT_BYTES));
        }
        if let Some(folder) = remains.kept {
            let what = format!("measurements of agent {}", self.names[agent]);
            let cause = format!("they could not be collected, and stay in {folder}");
            self.emit(RunEvent::LeftBehind { what, cause });
        }
    }

    /// A host that does not answer costs its agents' logs, and nothing else.
    fn report_missing_logs(&mut self) {
        for agent in (0..self.names.len()).filter(|agent| !self.logged[*agent]).collect::<Vec<_>>()
        {
            if self.case.has_greeted(agent) {
                let (level, source) = (Level::Warning, self.names[agent].clone());
                let text =
                    "its log could not be collected: its host did not answer in time".to_owned();
                self.emit(RunEvent::Note { level, source, text });
            }
        }
    }

    /// Logs of brokers in containers, which go with the run.
    async fn keep_broker_logs(&mut self) {
        let Some(kafka) = self.case.plan().kafka.containers().cloned() else { return };
        let logs = timeout(CLEANING_UP, self.around.run_containers.broker_logs(&kafka))
            .await
            .unwrap_or_default();
        for (broker, log) in logs {
            let log = head_and_tail(&log, LOG_LIMIT_BYTES);
            let stored = self.folder.broker_log(&broker, &log);
            self.noting(stored);
        }
    }
}
