//! Two groups of runs, held against each other.

mod asked;
mod build;
mod change;
mod differences;
mod distributions;
mod figures;
mod model;
mod page;
mod pairs;
mod partitions;
mod sides;
mod terminal;

pub use asked::Asked;
pub use build::compare;
pub use change::change;
pub(in crate::over_time) use differences::{covers, differs};
pub(in crate::over_time) use figures::HeldAgainst;
pub use model::{
    CaseComparison, Comparison, Difference, Distribution, Figure, LeftOut, RunRef, SideOf,
};
pub use page::{json, page};
pub use pairs::{PairOf, Pairing, pairs};
pub use sides::{Sides, read};
pub use terminal::text;
pub(in crate::over_time) use terminal::{changed, interval, values};
