//! Deleting topics and consumer groups, as far as that goes.

use super::{Deadline, block_on::block_on, client::Admin};
use mallard_protocol::{message::AgentFailure, workload::ClientProperties};
use rdkafka::error::RDKafkaErrorCode;
use std::{collections::HashSet, thread, time::Duration};

/// Pause before a group that could not be deleted is tried again. Members of a killed agent stay until
/// their session ends.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Why a group could not be deleted that members are in. Brokers delete no such group, and librdkafka has no
/// request that would remove a member of another client.
const STILL_HAS_MEMBERS: &str = "it still has members; brokers remove one that ended without leaving after \
    its `session.timeout.ms` (45 s unless set), and `mallard clean` deletes the group then";

/// Deletes topics and groups, and returns what could not be deleted (`topic NAME`, `consumer group NAME`),
/// with reasons. What is not there is as good as deleted.
///
/// # Errors
/// `Unreachable`, `Denied` or `Property`: nothing could be tried.
pub fn delete(
    connection: &ClientProperties,
    topics: &[String],
    groups: &[String],
    deadline: &Deadline,
) -> Result<Vec<(String, String)>, AgentFailure> {
    let admin = Admin::new(connection)?;
    admin.metadata(deadline)?;
    if let Err(failure) = admin.must_not_be_embedded(deadline) {
        let all =
            topics.iter().map(|name| topic(name)).chain(groups.iter().map(|name| group(name)));
        return Ok(all.map(|what| (what, failure.text.clone())).collect());
    }
    let mut left = delete_topics(&admin, topics, deadline);
    left.extend(delete_groups(&admin, groups, deadline));
    Ok(left)
}

fn delete_topics(admin: &Admin, topics: &[String], deadline: &Deadline) -> Vec<(String, String)> {
    if topics.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    match block_on(admin.inner().delete_topics(&names, &Admin::options(deadline))) {
        Ok(results) => results
            .into_iter()
            .filter_map(Result::err)
            .filter(|(_, code)| *code != RDKafkaErrorCode::UnknownTopicOrPartition)
            .map(|(name, code)| (topic(&name), code.to_string()))
            .collect(),
        Err(error) => {
            let reason = admin.failure("delete topics", &error, deadline).text;
            topics.iter().map(|name| (topic(name), reason.clone())).collect()
        }
    }
}

fn delete_groups(admin: &Admin, groups: &[String], deadline: &Deadline) -> Vec<(String, String)> {
    let mut waiting: Vec<String> = groups.to_vec();
    let mut left = Vec::new();
    // A client remembers where it found a group's coordinator, so another try needs another client.
    let mut again: Option<Admin> = None;
    // A try that time cuts short says less than the one before it.
    let mut busy: HashSet<String> = HashSet::new();
    let cause = |busy: &HashSet<String>, name: &str, cause: String| match busy.contains(name) {
        true => (group(name), STILL_HAS_MEMBERS.to_owned()),
        false => (group(name), cause),
    };
    while !waiting.is_empty() {
        let admin = again.as_ref().unwrap_or(admin);
        let names: Vec<&str> = waiting.iter().map(String::as_str).collect();
        let results = block_on(admin.inner().delete_groups(&names, &Admin::options(deadline)));
        let results = match results {
            Ok(results) => results,
            Err(error) => {
                let reason = admin.failure("delete groups", &error, deadline).text;
                left.extend(waiting.iter().map(|name| cause(&busy, name, reason.clone())));
                return left;
            }
        };
        let patient = deadline.remaining() > TRY_AGAIN;
        waiting.clear();
        for (name, code) in results.into_iter().filter_map(Result::err) {
            if code == RDKafkaErrorCode::NonEmptyGroup {
                busy.insert(name.clone());
            }
            match code {
                RDKafkaErrorCode::GroupIdNotFound => {}
                code if patient && may_pass(code) => waiting.push(name),
                code => left.push(cause(&busy, &name, code.to_string())),
            }
        }
        if !waiting.is_empty() {
            thread::sleep(TRY_AGAIN);
            again = admin.another().ok();
        }
    }
    left
}

fn topic(name: &str) -> String {
    format!("topic {name}")
}

fn group(name: &str) -> String {
    format!("consumer group {name}")
}

/// Whether a refusal may pass by itself: members leave, coordinators come up and move.
fn may_pass(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::NonEmptyGroup
            | RDKafkaErrorCode::NotCoordinator
            | RDKafkaErrorCode::CoordinatorNotAvailable
            | RDKafkaErrorCode::CoordinatorLoadInProgress
            | RDKafkaErrorCode::RebalanceInProgress
    )
}
