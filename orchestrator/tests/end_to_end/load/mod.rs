//! Loads and what is measured of them, most of them on the embedded broker.

mod embedded;
mod health;
mod hostile;
mod intervals;
mod pipeline;
mod stall;
mod suites;
