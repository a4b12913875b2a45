//! Hosts over ssh, on the real thing: network namespaces with an sshd each, and Apache Kafka within
//! their reach.

#![expect(clippy::print_stdout, reason = "figures, for whoever runs them with --nocapture")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod check;
mod clocks;
mod deployment;
mod faults;
mod logins;
mod mixed;
mod problems;
mod runs;
mod world;
