//! Consumer groups: their members, and what they have committed.

use super::request::{ask, text, unexpected_event};
use crate::admin::{Deadline, quiet::Quiet};
use mallard_protocol::interval::GroupState;
use rdkafka::{
    bindings::{self as c, rd_kafka_resp_err_t as RespErr},
    client::Client,
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{
    ffi::{CString, c_char},
    hash::{DefaultHasher, Hash, Hasher},
    ptr,
};

/// A group as its coordinator describes it.
pub(in crate::admin) struct GroupFound {
    /// Its state.
    pub(in crate::admin) state: GroupState,
    /// Its members.
    pub(in crate::admin) members: u32,
    /// A mix of its members' ids and their partitions: another one means that something moved.
    pub(in crate::admin) layout: u64,
}

/// Describes groups. In the result they stand in the order in which they were asked for.
pub(in crate::admin) fn describe_groups(
    client: &Client<Quiet>,
    groups: &[String],
    deadline: &Deadline,
) -> Result<Vec<Result<GroupFound, RDKafkaErrorCode>>, KafkaError> {
    let names = groups.iter().map(|name| CString::new(name.as_str()));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let (list, count) = (pointers.as_mut_ptr(), pointers.len());
    // SAFETY: the names live until after the call, which copies them.
    let answer = ask(client, deadline, |client, options, queue| unsafe {
        c::rd_kafka_DescribeConsumerGroups(client, list, count, options, queue);
    })?;
    // SAFETY: the answer lives until the end of this function; the result and what hangs on it are
    // copied within; a null result (another kind of event) is checked for.
    unsafe {
        let result = c::rd_kafka_event_DescribeConsumerGroups_result(answer.event.pointer);
        if result.is_null() {
            return Err(unexpected_event());
        }
        let mut count = 0;
        let found = c::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        let mut by_name: Vec<_> = (0..count)
            .map(|at| {
                let group = *found.add(at);
                (text(c::rd_kafka_ConsumerGroupDescription_group_id(group)), group_found(group))
            })
            .collect();
        let missing = || Err(RDKafkaErrorCode::OperationTimedOut);
        let take = |name: &String| {
            let at = by_name.iter().position(|(known, _)| known == name);
            at.map_or_else(missing, |at| by_name.swap_remove(at).1)
        };
        Ok(groups.iter().map(take).collect())
    }
}

/// Copies a description.
///
/// # Safety
/// The description is alive.
unsafe fn group_found(
    group: *const c::rd_kafka_ConsumerGroupDescription_t,
) -> Result<GroupFound, RDKafkaErrorCode> {
    // SAFETY: by this function's own condition; what hangs on the description lives as long.
    unsafe {
        let error = c::rd_kafka_ConsumerGroupDescription_error(group);
        if !error.is_null() {
            return match c::rd_kafka_error_code(error) {
                // What newer brokers say of a group that does not exist; older ones call it dead.
                RespErr::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => Ok(GroupFound::missing()),
                code => Err(code.into()),
            };
        }
        let members = c::rd_kafka_ConsumerGroupDescription_member_count(group);
        // In order of their ids, since the broker promises none.
        let mut layout: Vec<_> = (0..members)
            .map(|at| {
                let member = c::rd_kafka_ConsumerGroupDescription_member(group, at);
                let assignment = c::rd_kafka_MemberDescription_assignment(member);
                let mut partitions = Vec::new();
                if !assignment.is_null() {
                    let list = c::rd_kafka_MemberAssignment_partitions(assignment);
                    partitions.extend(elements(list).iter().map(|p| (text(p.topic), p.partition)));
                    partitions.sort();
                }
                (text(c::rd_kafka_MemberDescription_consumer_id(member)), partitions)
            })
            .collect();
        layout.sort();
        let mut hasher = DefaultHasher::new();
        layout.hash(&mut hasher);
        Ok(GroupFound {
            state: state_of(c::rd_kafka_ConsumerGroupDescription_state(group)),
            members: u32::try_from(members).unwrap_or(u32::MAX),
            layout: hasher.finish(),
        })
    }
}

impl GroupFound {
    fn missing() -> Self {
        Self { state: GroupState::Missing, members: 0, layout: 0 }
    }
}

fn state_of(state: c::rd_kafka_consumer_group_state_t) -> GroupState {
    use c::rd_kafka_consumer_group_state_t as State;
    match state {
        State::RD_KAFKA_CONSUMER_GROUP_STATE_DEAD => GroupState::Missing,
        State::RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY => GroupState::Empty,
        State::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE => GroupState::Stable,
        State::RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE
        | State::RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE => GroupState::Rebalancing,
        _ => GroupState::Other,
    }
}

/// What a group has committed: topic, partition, offset. Partitions without an offset are left out.
pub(in crate::admin) fn committed_offsets(
    client: &Client<Quiet>,
    group: &str,
    deadline: &Deadline,
) -> Result<Vec<(String, i32, i64)>, KafkaError> {
    let name = CString::new(group)?;
    // SAFETY: the name outlives the call, which copies it; no list means all partitions. The request is
    // ours and given back once, after the call that copies it.
    let answer = ask(client, deadline, |client, options, queue| unsafe {
        let mut request = c::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), ptr::null());
        c::rd_kafka_ListConsumerGroupOffsets(client, &raw mut request, 1, options, queue);
        c::rd_kafka_ListConsumerGroupOffsets_destroy(request);
    })?;
    // SAFETY: as in `describe_groups`; the one group that was asked for is the one that is answered.
    unsafe {
        let result = c::rd_kafka_event_ListConsumerGroupOffsets_result(answer.event.pointer);
        if result.is_null() {
            return Err(unexpected_event());
        }
        let mut count = 0;
        let found = c::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
        let mut committed = Vec::new();
        for at in 0..count {
            let group = *found.add(at);
            let error = c::rd_kafka_group_result_error(group);
            if !error.is_null()
                && c::rd_kafka_error_code(error) != RespErr::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                return Err(KafkaError::AdminOp(c::rd_kafka_error_code(error).into()));
            }
            let list = c::rd_kafka_group_result_partitions(group);
            let known = elements(list).iter().filter(|p| p.offset >= 0);
            committed.extend(known.map(|p| (text(p.topic), p.partition, p.offset)));
        }
        Ok(committed)
    }
}

/// The entries of a list; none of a null one.
///
/// # Safety
/// The list is null, or outlives what is returned and is not changed while that lives.
unsafe fn elements<'a>(
    list: *const c::rd_kafka_topic_partition_list_t,
) -> &'a [c::rd_kafka_topic_partition_t] {
    // SAFETY: by this function's own condition; librdkafka keeps `cnt` entries at `elems`, which may be
    // null where there are none.
    unsafe {
        let Some(list) = list.as_ref() else { return &[] };
        let count = usize::try_from(list.cnt).unwrap_or(0);
        if list.elems.is_null() || count == 0 {
            return &[];
        }
        std::slice::from_raw_parts(list.elems, count)
    }
}
