//! What the tests of this crate share.
#![expect(unreachable_pub, clippy::unwrap_used, reason = "support of tests")]

pub mod archives;
pub mod synthetic;
