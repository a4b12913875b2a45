//! The real programs, end to end: on the embedded broker, and on a real Kafka whose own tools are
//! asked whether Mallard's figures are true.

mod calibrate;
mod clean;
mod clocks;
mod cuts;
mod embedded;
mod faults;
mod foreign;
mod health;
mod intervals;
mod kafka;
mod outages;
mod pipeline;
mod registry;
mod resume;
mod stall;
mod suites;
mod world;
