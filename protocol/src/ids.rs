//! Identifiers. Ids rather than strings cross the channel; names are looked up where people read.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! index_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u16);

        impl $name {
            /// The id as an index into its table.
            #[must_use]
            pub fn index(self) -> usize {
                usize::from(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

index_id! {
    /// A producer or consumer instance, unique in its case: index into the case's instance table.
    InstanceId
}
index_id! {
    /// A topic: index into the case's topic table.
    TopicId
}
index_id! {
    /// A consumer group that is observed: index into [`crate::workload::Assignment::observed_groups`]
    GroupId
}
index_id! {
    /// A phase: index into the case's timeline.
    PhaseId
}
