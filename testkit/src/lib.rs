//! What Mallard's tests stand on. Never part of what users install.
//!
//! The tests check Mallard against things that know nothing of it: Apache Kafka and its own tools,
//! HdrHistogram's own log reader, Java's XML validator, a real browser. This crate starts those
//! parts, asks them questions, and turns their answers into Rust types.
//!
//! Two promises hold everywhere in it:
//!
//! * **Nothing outlives a test process**, however it ends: what is started here dies with it, also
//!   when it is ended by SIGKILL ([`guard`]), and signals go only to processes that were started
//!   here.
//! * **Nothing waits for ever**: every wait has a deadline, and running into it says what was
//!   waited for and shows what the other side had said until then.
//!
//! A test that needs a part says so in its first line, `testkit::require!(kafka)`; see [`require!`].

mod base64;
pub mod browser;
pub mod callgrind;
pub mod engine;
pub mod forgiven;
pub mod guard;
pub mod http;
pub mod imports;
pub mod java;
pub mod kafka;
pub mod lab;
pub mod licences;
pub mod mallard;
pub mod paths;
pub mod process;
pub mod prometheus;
pub mod quiet;
pub mod registry;
mod report;
pub mod require;
pub mod snapshot;
pub mod tokens;
pub mod wait;
