//! Agents and Kafka in containers of a real engine: what works, what is told when it does not, and that
//! nothing is left.

mod check;
mod faults;
mod left;
mod runs;
mod world;
