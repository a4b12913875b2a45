//! What the tests of this crate share.
#![expect(missing_docs, clippy::unwrap_used, reason = "support of tests")]

pub mod archives;
pub mod synthetic;
