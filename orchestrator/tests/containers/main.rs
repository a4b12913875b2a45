//! Agents and Kafka in containers of real engines: what works, what is told when it does not, and that
//! nothing is left.

mod check;
mod faults;
mod injected;
mod left;
mod podman;
mod runs;
mod world;
