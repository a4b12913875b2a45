//! The texts in what an agent says. Much of them is not the agent's own: it quotes brokers, schema
//! registries, and the host that it runs on.

use crate::{
    message::{AgentFailure, Answer, FromAgent, HostFacts},
    preflight::Facts,
};

/// Calls a function for each text of a message that people may be shown. Names of topics are not among
/// them: they are what the controller asked for. Nor are the codes that intervals count by.
pub fn of_message(message: &mut FromAgent, change: &mut dyn FnMut(&mut String)) {
    match message {
        FromAgent::Hello { host, .. } => of_host(host, change),
        FromAgent::Answer { result: Err(failure), .. } | FromAgent::Failed(failure) => {
            of_failure(failure, change);
        }
        FromAgent::Answer { result: Ok(answer), .. } => of_answer(answer, change),
        FromAgent::Client { properties, .. } => {
            properties.iter_mut().for_each(|(_, value)| change(value));
        }
        FromAgent::Note { text, .. } => change(text),
        FromAgent::Heartbeat
        | FromAgent::Prepared
        | FromAgent::Assigned { .. }
        | FromAgent::Reading { .. }
        | FromAgent::Started { .. }
        | FromAgent::Interval(_)
        | FromAgent::Flushed
        | FromAgent::Finished { .. }
        | FromAgent::Log { .. } => {}
    }
}

/// Calls a function for each text of what a host told of itself.
pub fn of_facts(facts: &mut Facts, change: &mut dyn FnMut(&mut String)) {
    of_host(&mut facts.host, change);
    change(&mut facts.clock_source);
    facts.governors.iter_mut().for_each(&mut *change);
    facts.cluster_problem.iter_mut().for_each(&mut *change);
    for broker in &mut facts.brokers {
        change(&mut broker.address);
        if let Err(cause) = &mut broker.connect_us {
            change(cause);
        }
    }
}

fn of_failure(failure: &mut AgentFailure, change: &mut dyn FnMut(&mut String)) {
    change(&mut failure.text);
}

fn of_answer(answer: &mut Answer, change: &mut dyn FnMut(&mut String)) {
    match answer {
        Answer::Cluster(cluster) => {
            cluster.brokers.iter_mut().for_each(|(_, address)| change(address));
        }
        Answer::Topics(topics) => {
            let config = topics.iter_mut().flat_map(|topic| &mut topic.config);
            config.for_each(|(_, value)| change(value));
        }
        Answer::Deleted(left) => left.iter_mut().for_each(|(what, cause)| {
            change(what);
            change(cause);
        }),
        Answer::Offsets(bounds) => bounds.missing.iter_mut().for_each(change),
        Answer::Bootstrap(_) | Answer::EndOffsets(_) | Answer::Clock { .. } => {}
    }
}

fn of_host(host: &mut HostFacts, change: &mut dyn FnMut(&mut String)) {
    // The boot id is compared, and never shown.
    let HostFacts { hostname, architecture, kernel, os, cpu, librdkafka, .. } = host;
    [hostname, architecture, kernel, os, cpu, librdkafka].into_iter().for_each(change);
}
