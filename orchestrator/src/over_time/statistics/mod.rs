//! Statistics in small functions: numbers in, numbers out. Each names the source of its formula.
//!
//! Invariant: nothing here reads a clock or draws from the system's randomness. What is drawn comes from
//! [`Dice`] with a seed, so the same archives give the same figures.

pub mod autocorrelation;
pub mod bootstrap;
pub mod changes;
mod dice;
pub mod mean;
pub mod rank;
pub mod robust;
pub mod shape;
pub mod signed_rank;
pub mod student;

pub use dice::Dice;
