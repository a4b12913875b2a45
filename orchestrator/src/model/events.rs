//! The one stream of events that everything a user sees comes out of: terminal, journal
//! (`events.jsonl`), reports. Nothing else prints.

use crate::model::result::{
    AcrossResult, ComparedResult, ComparisonMade, Diagnosis, ExpectationResult, Reason, SeriesRow,
    Verdict,
};
use serde::{Deserialize, Serialize};

pub use mallard_protocol::message::Level;

/// An event with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimedEvent {
    /// RFC 3339, UTC, with microseconds.
    pub at: String,
    /// What happened.
    #[serde(rename = "what")]
    pub event: RunEvent,
}

/// A step in a run's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The run has its id and its folder.
    RunStarted {
        /// The run.
        run_id: String,
        /// Names of the cases, in order.
        cases: Vec<String>,
        /// The run's folder.
        folder: String,
    },
    /// A host is ready for agents: it can be reached, and the agent's program starts there.
    HostReady {
        /// The host's name in the cluster file.
        host: String,
        /// Bytes that were sent to it; 0 where the program was there already.
        copied_bytes: u64,
        /// How long it took, in microseconds.
        took_us: u64,
        /// Hosts that are ready now.
        ready: usize,
        /// Hosts of the run.
        of: usize,
    },
    /// A host cannot be used.
    HostProblem {
        /// The host's name in the cluster file.
        host: String,
        /// The step that failed: `connect`, `inspect`, `deploy`, `start`.
        phase: String,
        /// Why.
        cause: String,
        /// What to do about it.
        remedy: String,
    },
    /// A case begins.
    CaseStarted {
        /// Its name.
        case: String,
        /// Its place among the cases, from 0.
        index: usize,
        /// Longest time its load takes by plan, in microseconds.
        planned_us: u64,
        /// Phases by name with their start, in microseconds.
        phases: Vec<(String, u64)>,
    },
    /// Another controller died while the case's load ran; this one has taken it over.
    CaseResumed {
        /// The case.
        case: String,
        /// On the run's clock.
        at_us: u64,
    },
    /// A step before the load: what is waited for now.
    Step {
        /// The case.
        case: String,
        /// The step, in words: `starting 2 agents`, `creating topic orders`.
        text: String,
    },
    /// An agent is connected.
    AgentConnected {
        /// The agent.
        agent: String,
        /// Its host's name.
        host: String,
        /// Its process id.
        pid: u32,
    },
    /// An agent is gone, or silent.
    AgentLost {
        /// The agent.
        agent: String,
        /// What was noticed.
        cause: String,
        /// On the run's clock, if the load had started.
        at_us: Option<u64>,
    },
    /// The channel to an agent broke or came back; its load goes on.
    AgentChannel {
        /// The agent.
        agent: String,
        /// Whether it is up now.
        up: bool,
    },
    /// A broker cannot be reached.
    BrokerUnreachable {
        /// Its id.
        broker: i32,
        /// Why: `connection refused`.
        cause: String,
        /// When that was noticed, on the run's clock.
        at_us: u64,
    },
    /// A broker answers again.
    BrokerBack {
        /// Its id.
        broker: i32,
        /// For how long it could not be reached, in microseconds.
        after_us: u64,
        /// On the run's clock.
        at_us: u64,
    },
    /// Partitions have another leader.
    LeaderMoved {
        /// The broker that led them; -1 for none.
        from: i32,
        /// The broker that leads them now; -1 for none.
        to: i32,
        /// Which: `orders/0`.
        partitions: Vec<String>,
        /// On the run's clock.
        at_us: u64,
    },
    /// Replicas fall out of sync, or all of them are in sync again.
    UnderReplicated {
        /// Partitions that lack a replica in sync; 0 when all have theirs again.
        partitions: u64,
        /// Partitions in all.
        of: u64,
        /// On the run's clock.
        at_us: u64,
    },
    /// A step in a fault's life.
    Fault {
        /// Its name.
        fault: String,
        /// `armed`, `begun`, `effect`, `no_effect`, `ended`, `undone`, `not_begun`, `not_undone`.
        step: String,
        /// In words: whom it is about, what proves it, why.
        text: String,
        /// On the run's clock.
        at_us: u64,
    },
    /// The load starts.
    LoadStarted {
        /// The case.
        case: String,
        /// Difference between the first and the last agent to start, in microseconds.
        spread_us: u64,
    },
    /// A phase begins.
    PhaseStarted {
        /// Its name.
        phase: String,
        /// On the run's clock.
        at_us: u64,
    },
    /// An interval, merged.
    Interval(Box<SeriesRow>),
    /// Something a reader should know.
    Note {
        /// How bad it is.
        level: Level,
        /// Who says it: an agent or instance, or empty.
        source: String,
        /// What.
        text: String,
    },
    /// Somebody asked to stop.
    StopRequested {
        /// How: `interrupt`, `terminate`.
        by: String,
    },
    /// A case is judged and its results are safe.
    CaseFinished {
        /// Its name.
        case: String,
        /// Its verdict.
        verdict: Verdict,
        /// One sentence.
        sentence: String,
        /// Why, worst first.
        reasons: Vec<Reason>,
        /// Expectations, judged.
        expectations: Vec<ExpectationResult>,
        /// What limits, by the figures.
        #[serde(default)]
        diagnoses: Vec<Diagnosis>,
    },
    /// Both runs of a pair are over.
    PairFinished {
        /// How many pairs are over.
        pair: usize,
        /// Of how many.
        of: usize,
        /// What they came to, in words.
        text: String,
    },
    /// All cases are over, and what must hold across them is judged.
    AcrossJudged {
        /// Expectations across cases, judged.
        results: Vec<AcrossResult>,
    },
    /// All cases are over, and the run is held against the baselines that its scenarios name.
    ComparedWithBaselines {
        /// Expectations against baselines, judged.
        results: Vec<ComparedResult>,
        /// Comparisons that scenarios asked for.
        comparisons: Vec<ComparisonMade>,
        /// Baselines that are asked for and not set.
        missing: Vec<String>,
    },
    /// Clean-up that did not work.
    LeftBehind {
        /// What: `topic orders-…`.
        what: String,
        /// Why.
        cause: String,
    },
    /// The run is over.
    RunFinished {
        /// The worst verdict.
        verdict: Verdict,
        /// The report.
        report: String,
        /// Cases that passed after they had failed in the run that this one repeats.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        flaky: Vec<String>,
    },
}

impl RunEvent {
    /// Texts that quote people, programs or hosts, and may hold a secret. Every event says here what it has, so
    /// that a new one cannot be forgotten.
    pub fn free_texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Step { text, .. } | Self::Note { text, .. } | Self::Fault { text, .. } => {
                vec![text]
            }
            Self::AgentLost { cause, .. } | Self::BrokerUnreachable { cause, .. } => vec![cause],
            Self::HostProblem { cause, remedy, .. } => vec![cause, remedy],
            Self::LeftBehind { what, cause } => vec![what, cause],
            Self::CaseFinished { sentence, reasons, expectations, diagnoses, .. } => {
                let reasons = reasons.iter_mut().flat_map(|of| [&mut of.text, &mut of.remedy]);
                let judged =
                    expectations.iter_mut().flat_map(|of| [&mut of.text, &mut of.sentence]);
                let diagnoses = diagnoses.iter_mut().flat_map(|of| [&mut of.text, &mut of.remedy]);
                [sentence].into_iter().chain(reasons).chain(judged).chain(diagnoses).collect()
            }
            Self::AcrossJudged { results } => {
                results.iter_mut().flat_map(|of| [&mut of.text, &mut of.sentence]).collect()
            }
            Self::ComparedWithBaselines { results, comparisons, missing: _ } => {
                let judged = results.iter_mut().flat_map(|of| [&mut of.text, &mut of.sentence]);
                judged.chain(comparisons.iter_mut().map(|of| &mut of.sentence)).collect()
            }
            Self::PairFinished { text, .. } => vec![text],
            Self::RunStarted { .. }
            | Self::HostReady { .. }
            | Self::CaseStarted { .. }
            | Self::CaseResumed { .. }
            | Self::AgentConnected { .. }
            | Self::AgentChannel { .. }
            | Self::BrokerBack { .. }
            | Self::LeaderMoved { .. }
            | Self::UnderReplicated { .. }
            | Self::LoadStarted { .. }
            | Self::PhaseStarted { .. }
            | Self::Interval(_)
            | Self::StopRequested { .. }
            | Self::RunFinished { .. } => Vec::new(),
        }
    }
}
