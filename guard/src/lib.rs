//! Breaks one broker of this host for a time, proves that it did, and holds the undo.
//!
//! [`run`] is a guard: a process for each fault, reached like an agent, which needs nobody to undo what it did. It
//! notes what it found and how that is undone (`journal`), starts a twin that watches it (`twin`), and only then
//! does anything. What happens to packets is held by the kernel (`wire`, `nft`). The end of the fault is an absolute time of this host's clock; whoever speaks with the guard may
//! end it earlier, never later. [`sweep`] undoes what guards and twins that died together have left.
//!
//! Invariants:
//! - nothing is done before its undo is held by two processes;
//! - undoing is idempotent, compares before it restores, and touches the very process or container that the fault
//!   was done to, never another of its name or number;
//! - what is reported as done or undone was seen to be.

mod broker;
mod container;
mod engine;
mod find;
mod guard;
mod journal;
mod nft;
mod probe;
mod process;
mod rules;
mod space;
mod sys;
mod twin;
mod undo;
mod wire;

pub use guard::run;
pub use journal::folder;
pub use twin::{be as be_twin, sweep};
