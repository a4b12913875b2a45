//! What goes wrong in real life, done on purpose: by what it happens to.

mod agent;
mod broker;
mod channel;
mod clock;
mod controller;
mod did;
mod disk;
mod injected;
mod left_behind;
mod network;
