//! A case's figures over all its runs: levels, breaks where something that determines figures changed, and changes
//! of level that nothing explains.
//!
//! A series has the judged runs of a case, oldest first. Runs of one fingerprint are a *regime*: levels and changes
//! are looked for within it. Where a fingerprint is seen for the first time the series *breaks*: what differs is
//! known, so the step there is told and is no change. In the first and last [`EDGE`] runs of a regime no change is
//! confirmed: too few runs are beside it to tell a level from chance.

pub mod accepted;
mod build;
mod model;
mod page;
mod read;
mod series;
mod spark;
mod terminal;

pub use build::{Asked, build};
pub use model::{
    Break, Change, Direction, EDGE, Level, Point, Regime, Series, Standing, Suspect, Trend,
};
pub use page::{json, page};
pub use read::{RunFigures, all_metrics, headlines};
pub use series::series;
pub use spark::{Spark, spark};
pub use terminal::text;
