//! Topics are created or looked at.

use super::{collecting::Collecting, joining::Preparing};
use crate::{
    clock::micros,
    run::{
        questions::Asked,
        shared::Shared,
        stage::{Next, Stage},
        stage_id::StageId,
    },
    text::plural::noun,
};
use mallard_protocol::message::Question;
use std::time::Duration;

/// Topics are created or looked at.
#[derive(Debug)]
pub(super) struct Topics;

impl Topics {
    pub(super) fn enter(case: &mut Shared) -> Next {
        let admin = case.admin()?;
        case.enter(StageId::Topics, case.plan.deadlines.topics + Duration::from_secs(1));
        let within_ms = micros(case.plan.deadlines.topics) / 1_000;
        let (existing, created): (Vec<_>, Vec<_>) =
            case.plan.topics.iter().cloned().partition(|topic| topic.existing);
        let embedded = case.plan.kafka.is_embedded();
        if !created.is_empty() && !embedded {
            let names: Vec<_> = created.iter().map(|topic| topic.alias.as_str()).collect();
            case.step(format!("creating {} {}", noun(names.len(), "topic"), names.join(", ")));
            case.topics_made = true;
            // Before there is anything to delete: a controller that dies in between leaves nothing.
            case.entrust(admin);
            let connection = case.connection(admin);
            let may_exist = case.context.begun_before;
            let question =
                Question::CreateTopics { connection, topics: created, may_exist, within_ms };
            case.ask(admin, Asked::CreateTopics, question);
        }
        if !existing.is_empty() {
            let names: Vec<_> = existing.iter().map(|topic| topic.name.clone()).collect();
            case.step(format!("looking at {} {}", noun(names.len(), "topic"), names.join(", ")));
            let connection = case.connection(admin);
            let question = Question::DescribeTopics { connection, names, within_ms };
            case.ask(admin, Asked::DescribeTopics, question);
        }
        if is_waiting(case) { Some(Box::new(Self)) } else { Preparing::enter(case) }
    }
}

impl Stage for Topics {
    fn waiting_for(&self, case: &Shared) -> String {
        let asked = case.questions.asked_agents(is_of_topics);
        format!("the topics to be ready, by the word of {}", case.names_of(asked))
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(case.plan.deadlines.topics)
    }

    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        Collecting::enter(case)
    }

    fn answered(&mut self, case: &mut Shared, asked: Asked) -> Next {
        if !is_of_topics(asked) || is_waiting(case) { None } else { Preparing::enter(case) }
    }
}

fn is_of_topics(asked: Asked) -> bool {
    matches!(asked, Asked::CreateTopics | Asked::DescribeTopics)
}

fn is_waiting(case: &Shared) -> bool {
    case.is_asking(is_of_topics)
}
