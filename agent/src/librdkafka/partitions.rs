//! Lists of topic partitions with offsets.

use super::{Code, rd};
use std::{
    ffi::{CStr, CString},
    ptr::NonNull,
};

/// The oldest record.
pub(crate) const OFFSET_BEGINNING: i64 = rd::RD_KAFKA_OFFSET_BEGINNING as i64;
/// One beyond the newest record.
pub(crate) const OFFSET_END: i64 = rd::RD_KAFKA_OFFSET_END as i64;
/// No offset: what the group has committed, or what `auto.offset.reset` says.
pub(crate) const OFFSET_INVALID: i64 = rd::RD_KAFKA_OFFSET_INVALID as i64;

/// A list that librdkafka understands.
pub(crate) struct PartitionList(NonNull<rd::rd_kafka_topic_partition_list_t>);

// SAFETY: a plain allocation with one owner.
unsafe impl Send for PartitionList {}

impl PartitionList {
    /// An empty list.
    pub(crate) fn new() -> Self {
        // SAFETY: allocates; librdkafka aborts rather than return null.
        let list = unsafe { rd::rd_kafka_topic_partition_list_new(8) };
        Self(NonNull::new(list).expect("librdkafka allocates"))
    }

    /// A list of these entries: topic, partition, offset.
    pub(crate) fn of<'a>(entries: impl IntoIterator<Item = (&'a str, i32, i64)>) -> Self {
        let mut list = Self::new();
        for (topic, partition, offset) in entries {
            list.add(topic, partition, offset);
        }
        list
    }

    /// A copy of a list that librdkafka owns; empty for a null pointer.
    pub(super) fn copy_of(list: *const rd::rd_kafka_topic_partition_list_t) -> Self {
        if list.is_null() {
            return Self::new();
        }
        // SAFETY: not null, and valid for the duration of the callback that brought it.
        let copy = unsafe { rd::rd_kafka_topic_partition_list_copy(list) };
        Self(NonNull::new(copy).expect("librdkafka allocates"))
    }

    /// Adds an entry. A topic name with a zero byte cannot exist and is left out.
    pub(crate) fn add(&mut self, topic: &str, partition: i32, offset: i64) {
        let Ok(topic) = CString::new(topic) else { return };
        // SAFETY: the list is valid, the name ends with a zero byte and is copied, and the returned
        // entry lies in the list.
        unsafe {
            let entry =
                rd::rd_kafka_topic_partition_list_add(self.0.as_ptr(), topic.as_ptr(), partition);
            (*entry).offset = offset;
        }
    }

    /// Every entry: topic, partition, offset, error.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i32, i64, Code)> {
        self.entries().iter().map(|entry| {
            // SAFETY: every entry has a name that ends with a zero byte and lives in the list.
            let topic = unsafe { CStr::from_ptr(entry.topic) };
            (topic.to_str().unwrap_or(""), entry.partition, entry.offset, Code(entry.err))
        })
    }

    /// Changes every entry's offset.
    pub(crate) fn set_offsets(&mut self, mut offset_of: impl FnMut(&str, i32, i64) -> i64) {
        let offsets: Vec<_> =
            self.iter().map(|(t, p, offset, _)| offset_of(t, p, offset)).collect();
        // SAFETY: the list is valid and exclusively borrowed, and `cnt` entries lie at `elems`.
        let entries = unsafe {
            let list = self.0.as_ref();
            match list.cnt {
                0 => return,
                count => {
                    std::slice::from_raw_parts_mut(list.elems, usize::try_from(count).unwrap_or(0))
                }
            }
        };
        entries.iter_mut().zip(offsets).for_each(|(entry, offset)| entry.offset = offset);
    }

    /// Whether it has no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    pub(super) fn as_ptr(&self) -> *mut rd::rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }

    fn entries(&self) -> &[rd::rd_kafka_topic_partition_t] {
        // SAFETY: the list is valid, and `cnt` entries lie at `elems`; an empty list has no array.
        unsafe {
            let list = self.0.as_ref();
            match list.cnt {
                0 => &[],
                count => {
                    std::slice::from_raw_parts(list.elems, usize::try_from(count).unwrap_or(0))
                }
            }
        }
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_back_what_was_put_in() {
        let mut list = PartitionList::of([("a", 0, 5), ("b", 3, OFFSET_END)]);
        list.set_offsets(|topic, _, offset| if topic == "a" { offset + 1 } else { offset });
        let entries: Vec<_> = list.iter().map(|(t, p, o, c)| (t.to_owned(), p, o, c)).collect();
        assert_eq!(
            entries,
            [("a".to_owned(), 0, 6, Code::OK), ("b".to_owned(), 3, OFFSET_END, Code::OK)]
        );
        assert!(PartitionList::new().is_empty());
        assert!(PartitionList::copy_of(std::ptr::null()).is_empty());
    }
}
