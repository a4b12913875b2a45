//! The life of a case as the conversation sees it: what an order leads to, and what is said again to
//! a controller that comes (back).
//!
//! Pure: no threads, no files, no clock. Invariants: an order that was carried out already is answered
//! again and not carried out again, because its answer may have been lost with its channel; replaying
//! says everything that still holds and nothing that does not.

use mallard_protocol::{
    frame,
    ids::{InstanceId, TopicId},
    message::{AgentFailure, AgentState, FailureKind, FromAgent, ToAgent},
    schedule::Share,
    workload::{Assignment, ClientProperties},
};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// What an order leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// The engine is made.
    Prepare(Box<Assignment>),
    /// The schedule starts at this reading of the clock, in microseconds.
    Start(u64),
    /// Producers also send these shares.
    TakeOver(Vec<(InstanceId, Share)>),
    /// The schedule ends.
    StopLoad,
    /// Producers are flushed; consumers go on.
    Flush(Duration),
    /// The engine ends.
    Finish(Duration),
    /// This is said, and nothing is done.
    Say(Vec<FromAgent>),
}

/// What a case has come to.
#[derive(Debug)]
pub(super) struct Lifecycle {
    state: AgentState,
    assignment: Option<u64>,
    /// What the clients were made with.
    clients: BTreeMap<InstanceId, ClientProperties>,
    prepared: bool,
    assigned: BTreeMap<InstanceId, Vec<(TopicId, i32)>>,
    /// Partitions that brokers have answered for.
    reading: BTreeMap<InstanceId, Vec<(TopicId, i32)>>,
    started: Option<u64>,
    /// Number of the last order to take over shares.
    took_over: Option<u32>,
    flushing: bool,
    flushed: bool,
    finishing: bool,
    finished: Option<u64>,
    failed: Option<AgentFailure>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            state: AgentState::Idle,
            assignment: None,
            clients: BTreeMap::new(),
            prepared: false,
            assigned: BTreeMap::new(),
            reading: BTreeMap::new(),
            started: None,
            took_over: None,
            flushing: false,
            flushed: false,
            finishing: false,
            finished: None,
            failed: None,
        }
    }
}

impl Lifecycle {
    /// What the agent is doing.
    pub(super) fn state(&self) -> AgentState {
        self.state
    }

    /// Whether an engine exists or is being made, and has not been told to finish.
    pub(super) fn has_engine(&self) -> bool {
        matches!(self.state, AgentState::Prepared | AgentState::Running)
    }

    /// What an order leads to. Orders that are not about the case say nothing.
    pub(super) fn order(&mut self, order: ToAgent) -> Step {
        match order {
            ToAgent::Prepare(assignment) => self.prepare(assignment),
            ToAgent::Start { at_clock_us } => match self.state {
                AgentState::Prepared => {
                    self.state = AgentState::Running;
                    Step::Start(at_clock_us)
                }
                AgentState::Running | AgentState::Finished => Step::Say(self.said_of_start()),
                AgentState::Idle => refuse("start", "nothing is prepared"),
            },
            ToAgent::TakeOver { order, shares } => self.take_over(order, shares),
            ToAgent::StopLoad => match self.state {
                AgentState::Prepared | AgentState::Running => Step::StopLoad,
                AgentState::Idle | AgentState::Finished => Step::Say(Vec::new()),
            },
            ToAgent::Flush { within_ms } => self.flush(Duration::from_millis(within_ms)),
            ToAgent::Finish { within_ms } => self.finish(Duration::from_millis(within_ms)),
            _ => Step::Say(Vec::new()),
        }
    }

    fn take_over(&mut self, order: u32, shares: Vec<(InstanceId, Share)>) -> Step {
        let is_news = self.took_over.is_none_or(|last| order > last);
        let is_ending = self.flushing || self.finishing;
        if self.state != AgentState::Running || is_ending || !is_news {
            return Step::Say(Vec::new());
        }
        self.took_over = Some(order);
        Step::TakeOver(shares)
    }

    fn flush(&mut self, within: Duration) -> Step {
        match self.state {
            AgentState::Prepared | AgentState::Running if !(self.flushing || self.finishing) => {
                self.flushing = true;
                Step::Flush(within)
            }
            AgentState::Prepared | AgentState::Running if !self.flushed => Step::Say(Vec::new()),
            _ => Step::Say(vec![FromAgent::Flushed]),
        }
    }

    /// Ends the engine if there is one: the order that the lease gives.
    pub(super) fn finish(&mut self, within: Duration) -> Step {
        match self.state {
            AgentState::Prepared | AgentState::Running if !self.finishing => {
                self.finishing = true;
                Step::Finish(within)
            }
            AgentState::Prepared | AgentState::Running => Step::Say(Vec::new()),
            // Nothing to flush and nothing to close is finished.
            AgentState::Idle => Step::Say(vec![FromAgent::Finished { client_queue: 0 }]),
            AgentState::Finished => {
                let client_queue = self.finished.unwrap_or(0);
                Step::Say(vec![FromAgent::Finished { client_queue }])
            }
        }
    }

    /// Takes in what the engine says, and returns whether it is news for the controller.
    pub(super) fn hear(&mut self, message: &FromAgent) -> bool {
        match message {
            FromAgent::Client { instance, properties } => {
                self.clients.insert(*instance, properties.clone());
            }
            FromAgent::Prepared => return !std::mem::replace(&mut self.prepared, true),
            FromAgent::Assigned { instance, partitions } => {
                self.assigned.insert(*instance, partitions.clone());
            }
            FromAgent::Reading { instance, partitions } => {
                self.reading.insert(*instance, partitions.clone());
            }
            FromAgent::Started { late_by_us } => self.started = Some(*late_by_us),
            FromAgent::Flushed => self.flushed = true,
            FromAgent::Finished { client_queue } => {
                self.state = AgentState::Finished;
                self.finished = Some(*client_queue);
            }
            FromAgent::Failed(failure) => self.failed = Some(failure.clone()),
            _ => {}
        }
        true
    }

    /// The engine could not be made: the agent is as it was before it was told to.
    pub(super) fn preparing_failed(&mut self, failure: &AgentFailure) {
        *self = Self { failed: Some(failure.clone()), ..Self::default() };
    }

    /// All that still holds, for a controller that comes (back). `Finished` comes last.
    pub(super) fn replay(&self) -> Vec<FromAgent> {
        let clients = self.clients.iter().map(|(instance, properties)| FromAgent::Client {
            instance: *instance,
            properties: properties.clone(),
        });
        let mut messages: Vec<_> = clients.collect();
        if self.prepared {
            messages.push(FromAgent::Prepared);
        }
        messages.extend(self.assigned.iter().map(|(instance, partitions)| FromAgent::Assigned {
            instance: *instance,
            partitions: partitions.clone(),
        }));
        messages.extend(self.reading.iter().map(|(instance, partitions)| FromAgent::Reading {
            instance: *instance,
            partitions: partitions.clone(),
        }));
        messages.extend(self.said_of_start());
        messages.extend(self.failed.clone().map(FromAgent::Failed));
        messages.extend(self.flushed.then_some(FromAgent::Flushed));
        messages.extend(self.finished.map(|client_queue| FromAgent::Finished { client_queue }));
        messages
    }

    /// What a process that ends unheard leaves to the next one in its folder: nothing, unless the case
    /// has come to its end. What was merely prepared is gone with the process.
    pub(super) fn final_reports(&self) -> Vec<FromAgent> {
        if self.state == AgentState::Finished { self.replay() } else { Vec::new() }
    }

    fn prepare(&mut self, assignment: Box<Assignment>) -> Step {
        let fingerprint = fingerprint(&assignment);
        match self.assignment {
            None => {
                self.assignment = Some(fingerprint);
                self.state = AgentState::Prepared;
                self.failed = None;
                Step::Prepare(assignment)
            }
            Some(known) if known == fingerprint => Step::Say(self.replay()),
            Some(_) => refuse("prepare", "this agent has another assignment; start a new agent"),
        }
    }

    fn said_of_start(&self) -> Vec<FromAgent> {
        self.started.map(|late_by_us| FromAgent::Started { late_by_us }).into_iter().collect()
    }
}

/// Tells an assignment from another one without keeping it: it may carry megabytes of payload.
fn fingerprint(assignment: &Assignment) -> u64 {
    let mut hasher = DefaultHasher::new();
    frame::encode(assignment).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

fn refuse(order: &str, why: &str) -> Step {
    let text = format!("{order} as ordered: {why}");
    Step::Say(vec![FromAgent::Failed(AgentFailure { kind: FailureKind::Other, text })])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignment(run: u32) -> Box<Assignment> {
        Box::new(Assignment { run, ..Assignment::default() })
    }

    fn prepared() -> Lifecycle {
        let mut life = Lifecycle::default();
        assert_eq!(life.order(ToAgent::Prepare(assignment(1))), Step::Prepare(assignment(1)));
        assert!(life.hear(&FromAgent::Prepared));
        life
    }

    fn assigned(partitions: &[i32]) -> FromAgent {
        let partitions = partitions.iter().map(|p| (TopicId(0), *p)).collect();
        FromAgent::Assigned { instance: InstanceId(3), partitions }
    }

    fn reading(partitions: &[i32]) -> FromAgent {
        let partitions = partitions.iter().map(|p| (TopicId(0), *p)).collect();
        FromAgent::Reading { instance: InstanceId(3), partitions }
    }

    fn is_refusal(step: &Step) -> bool {
        matches!(step, Step::Say(said) if matches!(said.as_slice(), [FromAgent::Failed(_)]))
    }

    #[test]
    fn a_case_goes_its_way() {
        let mut life = prepared();
        assert_eq!(life.state(), AgentState::Prepared);
        assert_eq!(life.order(ToAgent::Start { at_clock_us: 7 }), Step::Start(7));
        assert_eq!(life.state(), AgentState::Running);
        assert_eq!(life.order(ToAgent::StopLoad), Step::StopLoad);
        assert_eq!(
            life.order(ToAgent::Finish { within_ms: 9 }),
            Step::Finish(Duration::from_millis(9))
        );
        life.hear(&FromAgent::Finished { client_queue: 2 });
        assert_eq!(life.state(), AgentState::Finished);
    }

    #[test]
    fn who_comes_back_hears_what_holds_and_not_what_was() {
        let mut life = prepared();
        let properties = vec![("linger.ms".to_owned(), "5".to_owned())];
        let client = FromAgent::Client { instance: InstanceId(1), properties };
        assert!(life.hear(&client));
        for message in [assigned(&[0, 1]), assigned(&[1]), reading(&[0]), reading(&[1])] {
            assert!(life.hear(&message));
        }
        life.order(ToAgent::Start { at_clock_us: 7 });
        life.hear(&FromAgent::Started { late_by_us: 40 });
        life.hear(&FromAgent::Finished { client_queue: 0 });
        let expected = [
            client,
            FromAgent::Prepared,
            assigned(&[1]),
            reading(&[1]),
            FromAgent::Started { late_by_us: 40 },
            FromAgent::Finished { client_queue: 0 },
        ];
        assert_eq!(life.replay(), expected);
    }

    #[test]
    fn an_order_given_twice_is_carried_out_once() {
        let mut life = prepared();
        assert_eq!(
            life.order(ToAgent::Prepare(assignment(1))),
            Step::Say(vec![FromAgent::Prepared])
        );
        life.order(ToAgent::Start { at_clock_us: 7 });
        assert_eq!(life.order(ToAgent::Start { at_clock_us: 8 }), Step::Say(vec![]));
        assert!(matches!(life.order(ToAgent::Finish { within_ms: 9 }), Step::Finish(_)));
        assert_eq!(life.order(ToAgent::Finish { within_ms: 9 }), Step::Say(vec![]));
        life.hear(&FromAgent::Finished { client_queue: 5 });
        let finished = Step::Say(vec![FromAgent::Finished { client_queue: 5 }]);
        assert_eq!(life.order(ToAgent::Finish { within_ms: 9 }), finished);
    }

    #[test]
    fn what_lost_agents_had_to_send_is_taken_over_once_for_each_of_them() {
        let mut life = prepared();
        let share = (InstanceId(1), Share { stride: 4, offset: 3, from_us: 5 });
        let take_over = |order| ToAgent::TakeOver { order, shares: vec![share] };
        assert_eq!(life.order(take_over(0)), Step::Say(vec![]), "nothing runs yet");
        life.order(ToAgent::Start { at_clock_us: 7 });
        assert_eq!(life.order(take_over(0)), Step::TakeOver(vec![share]));
        assert_eq!(life.order(take_over(0)), Step::Say(vec![]));
        assert_eq!(life.order(take_over(2)), Step::TakeOver(vec![share]));
        assert_eq!(life.order(take_over(1)), Step::Say(vec![]));
        life.order(ToAgent::Finish { within_ms: 9 });
        assert_eq!(life.order(take_over(3)), Step::Say(vec![]));
    }

    #[test]
    fn producers_are_flushed_once_and_who_comes_back_hears_of_it() {
        let mut life = prepared();
        life.order(ToAgent::Start { at_clock_us: 7 });
        let flush = || ToAgent::Flush { within_ms: 9 };
        assert_eq!(life.order(flush()), Step::Flush(Duration::from_millis(9)));
        assert_eq!(life.order(flush()), Step::Say(vec![]), "it is under way");
        assert!(life.hear(&FromAgent::Flushed));
        assert_eq!(life.order(flush()), Step::Say(vec![FromAgent::Flushed]));
        assert!(life.replay().contains(&FromAgent::Flushed));
        let take_over = ToAgent::TakeOver { order: 0, shares: vec![] };
        assert_eq!(life.order(take_over), Step::Say(vec![]), "nothing is sent any more");
        assert!(matches!(life.order(ToAgent::Finish { within_ms: 9 }), Step::Finish(_)));
        life.hear(&FromAgent::Finished { client_queue: 0 });
        assert_eq!(life.order(flush()), Step::Say(vec![FromAgent::Flushed]));
        let idle = Lifecycle::default().order(flush());
        assert_eq!(idle, Step::Say(vec![FromAgent::Flushed]));
    }

    #[test]
    fn orders_out_of_turn_are_refused() {
        let mut life = Lifecycle::default();
        assert!(is_refusal(&life.order(ToAgent::Start { at_clock_us: 7 })));
        assert_eq!(life.order(ToAgent::StopLoad), Step::Say(vec![]));
        let finished = Step::Say(vec![FromAgent::Finished { client_queue: 0 }]);
        assert_eq!(life.order(ToAgent::Finish { within_ms: 1 }), finished);
        assert_eq!(life.state(), AgentState::Idle);
        let mut life = prepared();
        assert!(is_refusal(&life.order(ToAgent::Prepare(assignment(2)))));
    }

    #[test]
    fn after_a_failed_preparation_one_may_try_again() {
        let mut life = Lifecycle::default();
        life.order(ToAgent::Prepare(assignment(1)));
        let failure = AgentFailure { kind: FailureKind::Property, text: "no".into() };
        life.preparing_failed(&failure);
        assert_eq!(
            (life.state(), life.replay()),
            (AgentState::Idle, vec![FromAgent::Failed(failure)])
        );
        assert!(matches!(life.order(ToAgent::Prepare(assignment(1))), Step::Prepare(_)));
        assert_eq!(life.replay(), []);
    }

    #[test]
    fn prepared_is_news_once() {
        let mut life = prepared();
        assert!(!life.hear(&FromAgent::Prepared));
    }
}
