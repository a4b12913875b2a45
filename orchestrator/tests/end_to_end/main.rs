//! The real programs, end to end: on the embedded broker, and on a real Kafka whose own tools are
//! asked whether Mallard's figures are true.

mod calibrate;
mod clean;
mod clocks;
mod compare;
mod cuts;
mod embedded;
mod faults;
mod foreign;
mod health;
mod held_up;
mod hostile;
mod intervals;
mod kafka;
mod left_behind;
mod logins;
mod loss;
mod outages;
mod pipeline;
mod ready;
mod registry;
mod resume;
mod slow_brokers;
mod stall;
mod stop;
mod suites;
mod world;
