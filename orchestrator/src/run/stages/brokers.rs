//! The embedded broker starts, and every agent reaches the brokers.

use super::{collecting::Collecting, topics::Topics};
use crate::{
    clock::micros,
    plan::AgentIndex,
    run::{
        questions::Asked,
        shared::Shared,
        stage::{Next, Stage},
        stage_id::StageId,
    },
    scenario::cluster::kafka::EmbeddedKafka,
};
use mallard_protocol::message::Question;
use std::{collections::BTreeMap, time::Duration};

/// Between two looks at a cluster whose brokers are still starting.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The embedded broker starts.
#[derive(Debug)]
pub(super) struct StartingBroker;

impl StartingBroker {
    pub(super) fn enter(
        case: &mut Shared,
        admin: AgentIndex,
        EmbeddedKafka { brokers, round_trip_ms }: EmbeddedKafka,
    ) -> Next {
        case.enter(StageId::StartingBroker, case.plan.deadlines.topics);
        case.step("starting the embedded broker".to_owned());
        let topics = case.plan.topics.clone();
        let question = Question::StartBroker { brokers, topics, round_trip_ms };
        case.ask(admin, Asked::Broker, question);
        Some(Box::new(Self))
    }
}

impl Stage for StartingBroker {
    fn waiting_for(&self, case: &Shared) -> String {
        let asked = case.questions.asked_agents(|asked| asked == Asked::Broker);
        format!("the embedded broker to start in {}", case.names_of(asked))
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(case.plan.deadlines.topics)
    }

    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        Collecting::enter(case)
    }

    fn answered(&mut self, case: &mut Shared, asked: Asked) -> Next {
        if asked == Asked::Broker { Reaching::enter(case) } else { None }
    }
}

/// Every agent reaches the brokers.
#[derive(Debug, Default)]
pub(super) struct Reaching {
    /// When the brokers are asked again whether all of them are there, agent by agent.
    again_us: BTreeMap<AgentIndex, u64>,
}

impl Reaching {
    pub(super) fn enter(case: &mut Shared) -> Next {
        case.enter(StageId::Reaching, within(case) + Duration::from_secs(1));
        case.step("reaching the brokers from every agent".to_owned());
        for agent in case.living() {
            ask_for_brokers(case, agent);
        }
        Some(Box::new(Self::default()))
    }
}

impl Stage for Reaching {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let due = self.again_us.iter().filter(|(_, at_us)| **at_us <= case.now_us);
        let due: Vec<_> = due.map(|(agent, _)| *agent).collect();
        for agent in due {
            self.again_us.remove(&agent);
            ask_for_brokers(case, agent);
        }
        let waiting = case.is_asking(|asked| matches!(asked, Asked::Cluster(_)));
        if waiting || !self.again_us.is_empty() { None } else { Topics::enter(case) }
    }

    fn waiting_for(&self, case: &Shared) -> String {
        let mut agents = case.questions.asked_agents(|asked| matches!(asked, Asked::Cluster(_)));
        agents.extend(self.again_us.keys());
        format!("the brokers to answer {}", case.names_of(agents))
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(within(case))
    }

    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        Collecting::enter(case)
    }

    /// A cluster in containers is complete when all of its brokers are there; until then it is looked at again.
    fn answered(&mut self, case: &mut Shared, asked: Asked) -> Next {
        if let Asked::Cluster(agent) = asked
            && let Some(kafka) = case.plan.kafka.containers()
            && case.cluster.brokers.len() < usize::from(kafka.brokers)
        {
            self.again_us.insert(agent, case.now_us + micros(LOOK_AGAIN));
        }
        None
    }
}

/// Brokers in containers are still starting.
fn within(case: &Shared) -> Duration {
    let deadlines = &case.plan.deadlines;
    if case.plan.kafka.containers().is_some() { deadlines.containers } else { deadlines.topics }
}

fn ask_for_brokers(case: &mut Shared, agent: AgentIndex) {
    let question = Question::DescribeCluster {
        connection: case.connection(agent),
        within_ms: micros(within(case)) / 1_000,
    };
    case.ask(agent, Asked::Cluster(agent), question);
}
