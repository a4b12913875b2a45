//! Names of all topics and groups of a cluster.

use super::{Deadline, client::Admin};
use mallard_protocol::{message::AgentFailure, workload::ClientProperties};

/// How Kafka's own topics begin.
const INTERNAL: &str = "__";

/// Topics and consumer groups, by name. Topics of Kafka's own are left out.
///
/// # Errors
/// `Unreachable`, `Denied` or `Property`.
pub fn names(
    connection: &ClientProperties,
    deadline: &Deadline,
) -> Result<(Vec<String>, Vec<String>), AgentFailure> {
    let admin = Admin::new(connection)?;
    let metadata = admin.metadata(deadline)?;
    let topics = metadata.topics().iter().map(|topic| topic.name().to_owned());
    let topics = topics.filter(|name| !name.starts_with(INTERNAL)).collect();
    let groups = admin.inner().inner().fetch_group_list(None, deadline.remaining());
    let groups = groups.map_err(|error| admin.failure("list consumer groups", &error, deadline))?;
    let groups = groups.groups().iter().map(|group| group.name().to_owned()).collect();
    Ok((topics, groups))
}
