//! The bench: Mallard and its peers, one after the other, on the same broker, in several rounds.
//!
//! Whatever is compared is an experiment: a set of contestants that each give one
//! sample a round. Contestants take turns within a round, in an order that moves on
//! by one from round to round, so that a machine that grows slower or faster does not favour one of
//! them. Ratios are made within a round, and only then is the median taken.
//!
//! Invariant: a figure comes from the tool itself, its own result file or its own last line; CPU time
//! comes from the kernel. Nothing is estimated, and a figure that is missing is an error, never a gap.

mod access;
mod arithmetic;
mod broker;
mod cpu;
mod experiments;
mod finished;
mod latency;
mod mallard;
mod options;
mod page;
mod peers;
mod place;
mod run;
mod sample;
mod summary;
mod tools;
mod topics;

pub use run::main;
