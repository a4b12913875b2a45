//! Two groups of runs, held against each other.

mod build;
mod change;
mod differences;
mod distributions;
mod figures;
mod model;
mod page;
mod partitions;
mod sides;
mod terminal;

pub use build::{Asked, compare};
pub use model::{
    CaseComparison, Comparison, Difference, Distribution, Figure, LeftOut, RunRef, SideOf,
};
pub use page::page;
pub use sides::{Sides, read};
pub use terminal::text;
