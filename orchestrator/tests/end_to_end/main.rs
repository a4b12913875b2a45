//! The real programs, end to end: on the embedded broker, and on a real Kafka whose own tools are
//! asked whether Mallard's figures are true.

mod cli;
mod faults;
mod kafka;
mod load;
mod world;
